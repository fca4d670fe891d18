"""Answers made of the service model, full of hostile texts, from AWS's side to MLflow's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlflow_smwatch.core.definitions import MetricReader
from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.job import Job, MetricDefinition
from mlflow_smwatch.core.job_files import job_files
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.lineage import Node
from mlflow_smwatch.core.lineage_graph import LineageGraph
from mlflow_smwatch.core.lineage_tags import from_tags
from mlflow_smwatch.core.points import duration_points, metric_keys
from mlflow_smwatch.core.record import RunRecord, run_record
from mlflow_smwatch.core.redact import Redaction
from tests.hostile import rules
from tests.hostile.shapes import ARNS, answers, records
from tests.hostile.texts import hostile_texts, is_plain, is_storable, one_line
from tests.jobs import HOUR_MS, job_answer, moment, now_ms, put_log, put_loss, whole
from tests.sync.conftest import Mirror

STEMS = {
    "training-job": ("TrainingJob", answers("DescribeTrainingJob")),
    "processing-job": ("ProcessingJob", answers("DescribeProcessingJob")),
    "transform-job": ("TransformJob", answers("DescribeTransformJob")),
    "tuning-job": ("HyperParameterTuningJob", answers("DescribeHyperParameterTuningJob")),
    "automl-job": ("AutoMLJob", answers("DescribeAutoMLJobV2")),
    "trial": ("Trial", answers("DescribeTrial")),
    "trial-component": ("TrialComponent", records("TrialComponent")),
    "endpoint": ("Endpoint", answers("DescribeEndpoint")),
    "pipeline-execution": ("PipelineExecution", answers("DescribePipelineExecution")),
}
CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
MOST_HOSTS = 16
REDACTION = Redaction()


@st.composite
def described(draw: st.DrawFn, word: str) -> dict[str, Any]:
    """Draw what AWS says of a job of one kind, with what it says of every job."""
    stem, made = STEMS[word]
    answer = dict(draw(made))
    resource = f"{KINDS[word].resource_type}/job"
    if word == "pipeline-execution":
        resource = "pipeline/pipe/execution/abcdefghijkl"
    answer[f"{stem}Arn"] = ARNS + resource
    answer[f"{stem}Name"] = "job"
    answer.setdefault("CreationTime", moment(CREATED_MS))
    answer.setdefault(f"{stem}Status", "Completed")
    answer["Tags"] = [
        {"Key": key, "Value": text}
        for key, text in draw(st.dictionaries(hostile_texts, hostile_texts, max_size=3)).items()
    ]
    return _with_few_hosts(answer)


def _with_few_hosts(answer: dict[str, Any]) -> dict[str, Any]:
    """AWS runs no job on millions of instances, whatever its model says."""
    text = {"InstanceCount", "SelectedInstanceCount", "InitialInstanceCount"}

    def bounded(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: min(each, MOST_HOSTS) if key in text else bounded(each)
                for key, each in value.items()
            }
        return [bounded(each) for each in value] if isinstance(value, list) else value

    found: dict[str, Any] = bounded(answer)
    return found


def check_record(job: Job, record: RunRecord) -> None:
    """See that MLflow takes all of a run's record, and that its texts are inert."""
    for key, text in record.tags:
        rules.mlflow_takes_tag(key)
        assert text == rules.value(text, rules.TAG_LENGTH)
    for key, text in record.params:
        rules.mlflow_takes_param(key)
        assert text == rules.value(text, rules.PARAM_LENGTH)
    for given_keys in (record.tags, record.params):
        assert len(dict(given_keys)) == len(given_keys)
    keys = metric_keys(job, {})
    assert len(set(keys.values())) == len(keys)
    for key in keys.values():
        rules.mlflow_takes_metric(key)
    for point in duration_points(job, keys, ()):
        assert point.key in keys.values()
    if record.model:
        assert is_storable(record.model.uri)
    rules.check_note(record.note)
    document = json.loads(record.document)
    assert document["CreationTime"]
    assert is_storable(record.document)
    assert json.loads(json.dumps(record.fingerprint)) == record.fingerprint
    job_files(job)


def check_lineage(job: Job, record: RunRecord) -> None:
    """See that lineage survives its tags, and that each form of it is inert."""
    lineage = from_tags(dict(record.tags))
    run = Node(id=record.arn, kind=record.kind, name=record.name, run_id="0" * 32)
    graph = LineageGraph.of([lineage, job.lineage], [run])
    rules.LineagePage(graph.to_html())
    for shown in (graph.to_tree(), graph.to_dot(), graph.to_mermaid()):
        assert is_plain(shown)
    assert json.dumps(graph.to_json()).isascii()


def check_kind(word: str, examples: int) -> None:
    """Take generated answers of one kind through the pure part of the mirror."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(described(word))
    def check(answer: dict[str, Any]) -> None:
        job = job_of(KINDS[word], REDACTION.answer(answer))
        record = run_record(job)
        check_record(job, record)
        check_lineage(job, record)

    check()


@pytest.mark.parametrize("word", STEMS)
def test_described_jobs(word: str) -> None:
    """Whatever AWS may say of a job, its run can be written and does nothing but show it."""
    check_kind(word, 15)


@pytest.mark.slow
@pytest.mark.parametrize("word", STEMS)
def test_many_described_jobs(word: str) -> None:
    """The same, at length."""
    check_kind(word, 400)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(STEMS)), st.dictionaries(hostile_texts, hostile_texts, max_size=4))
def test_what_is_no_answer_is_an_error_of_its_job(word: str, answer: dict[str, str]) -> None:
    """Not a mistake of the program."""
    with pytest.raises(JobError):
        job_of(KINDS[word], REDACTION.answer(answer))


regexes = st.one_of(
    st.sampled_from((r"value=(\S+)", r"(.*)", r"([0-9.]+)", "(", "x", r"(\d+)(?=x)", "()", "(b)")),
    hostile_texts.map(one_line),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(hostile_texts.map(one_line), regexes), max_size=6),
    st.lists(hostile_texts, max_size=20),
)
def test_log_lines(definitions: list[tuple[str, str]], messages: list[str]) -> None:
    """Whatever a log holds: values of known metrics, of messages that are there."""
    made = [MetricDefinition(name=name, regex=regex) for name, regex in definitions]
    found = MetricReader(made, lambda: 0.0).read(messages)
    names = {name for name, _ in definitions}
    assert set(found.values) | set(found.findings) <= names
    for matches in found.values.values():
        assert all(0 <= place < len(messages) for place, _ in matches)
        assert [place for place, _ in matches] == sorted(place for place, _ in matches)


@st.composite
def stored_jobs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a training job as an account can hold it."""
    answer = draw(described("training-job"))
    answer = {key: value for key, value in answer.items() if not isinstance(value, datetime)}
    for name in ("TuningJobArn", "AutoMLJobArn", "LabelingJobArn", "MlflowDetails", "Tags"):
        answer.pop(name, None)
    plain = job_answer("job", created_ms=CREATED_MS, ended_ms=CREATED_MS + HOUR_MS)
    fixed = ("TrainingJobStatus", "SecondaryStatus", "ResourceConfig", "CreationTime")
    times = ("TrainingEndTime", "LastModifiedTime", "TrainingJobName")
    names = draw(st.lists(hostile_texts.map(one_line), max_size=4, unique=True))
    definitions = [{"Name": name[:255], "Regex": draw(regexes) or "-"} for name in names]
    algorithm = {**plain["AlgorithmSpecification"], "MetricDefinitions": definitions}
    answer |= {name: plain[name] for name in (*fixed, *times)}
    return {**answer, "AlgorithmSpecification": algorithm}


def check_pipeline(mirror: Mirror, examples: int) -> None:
    """Put generated jobs into an account, mirror them, and look at both sides."""
    number = 0

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )
    @given(
        st.lists(stored_jobs(), min_size=3, max_size=6),
        st.lists(hostile_texts, max_size=10),
        st.dictionaries(hostile_texts.filter(bool), hostile_texts, max_size=5),
    )
    def check(jobs: list[dict[str, Any]], lines: list[str], tags: dict[str, str]) -> None:
        nonlocal number
        names = []
        for answer in jobs:
            number += 1
            names.append(f"job-{number}")
            told = {key: value for key, value in answer.items() if key != "TrainingJobArn"}
            mirror.account.put_training_job({**told, "TrainingJobName": names[-1]}, tags)
            events = [(CREATED_MS + 1000 * n, line) for n, line in enumerate(lines)]
            put_log(mirror.account, names[-1], events)
            for each in answer["AlgorithmSpecification"]["MetricDefinitions"]:
                put_loss(mirror.account, names[-1], [(CREATED_MS, 1.0)], each["Name"])
        report = mirror.sync(*names)
        assert [each.error for each in report.failed] == []
        for line in report.runs:
            rules.check_run(mirror.client.get_run(line.run_id or ""))
        before = mirror.dump()
        assert mirror.sync(*names).jobs["unchanged"] == len(names)
        assert mirror.dump() == before

    check()


def test_jobs_of_an_account(mirror: Mirror) -> None:
    """From HTTP to the database: each job is mirrored, and a second pass writes nothing."""
    check_pipeline(mirror, 6)


@pytest.mark.slow
def test_many_jobs_of_an_account(mirror: Mirror) -> None:
    """The same, at length."""
    check_pipeline(mirror, 100)
