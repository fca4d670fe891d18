"""docs/mapping.md names everything that the code writes, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

import mlflow_smwatch
from mlflow_smwatch.audit.verify import VerifyReport
from mlflow_smwatch.core import distortions, keys, links, patterns, record, tags, watermark
from mlflow_smwatch.core.advice import better_pattern, warnings
from mlflow_smwatch.core.compare import Difference, What
from mlflow_smwatch.core.definitions import BROKEN, NO_GROUP, RUNAWAY, MetricReader
from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.job import MetricDefinition
from mlflow_smwatch.core.job_kinds import KINDS, TRAINING_JOB
from mlflow_smwatch.core.job_series import INSTANCE_METRICS
from mlflow_smwatch.core.keys import assign_keys, legal_key
from mlflow_smwatch.core.lineage import Edge, Node
from mlflow_smwatch.core.lineage_compare import LineageDiff
from mlflow_smwatch.core.not_mirrored import NOT_MIRRORED
from mlflow_smwatch.core.points import duration_points, metric_keys
from mlflow_smwatch.core.series import host_original
from mlflow_smwatch.core.watermark import Watermark, from_tags
from mlflow_smwatch.engine.turnover import NotTurned, TurnReport
from mlflow_smwatch.forget import ForgetReport, ForgottenRun, KeptRun
from mlflow_smwatch.options import METRIC_SOURCES
from mlflow_smwatch.report import (
    Failure,
    Registered,
    RunLine,
    SyncReport,
    Warned,
    WatchReport,
)
from mlflow_smwatch.run_pages import RunPage
from mlflow_smwatch.status import ExperimentStatus, OpenRun, StatusReport
from mlflow_smwatch.tracking.turning import TurnedExperiment
from tests.docs.documents import blocks, names, read, rows, section
from tests.jobs import arn, job_answer

PAGE = read("docs/mapping.md")
PACKAGE = Path(mlflow_smwatch.__file__).parent
SOURCE = "".join(
    Path(str(module.__file__)).read_text(encoding="utf-8")
    for module in (record, links, tags, watermark)
)
TAG = re.compile(r'"((?:sagemaker|smwatch|mlflow)\.[\w.]+?)\.?["{]')


def _fields(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _beginning(tag: str) -> str:
    """Cut a name before the part that differs from run to run."""
    return tag.partition(".<")[0]


def test_every_tag_of_the_code_is_there() -> None:
    """By its name as a constant, or as the code spells it."""
    written = set(TAG.findall(SOURCE)) - {"mlflow.source", "sagemaker.sdk.program"}
    assert len(written) > 30
    assert written <= {_beginning(name) for name in names(PAGE)}


def test_no_tag_is_made_up() -> None:
    """Every tag of the tables is written, or at least known, by the code."""
    known = set(TAG.findall(SOURCE))
    known |= {"mlflow.runName", "smwatch.state.1", "smwatch.lineage.1"}
    for first, *_ in rows(section(PAGE, "Tags"), "tag", "value"):
        for tag in names(first):
            assert _beginning(tag) in known, tag


def test_every_kind_has_a_row() -> None:
    """With its word and its experiment."""
    table = rows(
        PAGE,
        "kind",
        "what it is",
        "its run is a child of",
        "experiment, outside of a SageMaker experiment",
    )
    shown = {row[0].strip("`"): row[3].strip("`") for row in table}
    assert shown == {word: kind.experiment for word, kind in KINDS.items()}
    lineage = {row[0].strip("`") for row in rows(PAGE, "kind", "reads", "writes")}
    assert lineage == KINDS.keys() - {"trial"}


def test_statuses_are_those_of_the_table_of_kinds() -> None:
    """Each SageMaker status, and each phase in which a job waits."""
    table = list(rows(PAGE, "SageMaker status", "secondary status", "MLflow status"))
    jobs = {first.strip("`"): last.strip("`") for first, _, last in table if first[0] == "`"}
    assert names(table[0][1]) == TRAINING_JOB.waiting_phases
    shown = dict.fromkeys(KINDS.keys() - {"trial"}, jobs)
    for word in ("endpoint", "notebook-instance", "pipeline-execution"):
        own = rows(PAGE, word.replace("-", " "), "MLflow status")
        shown[word] = {status: last.split("`")[1] for first, last in own for status in names(first)}
    for word, statuses in shown.items():
        assert statuses == dict(KINDS[word].run_status), word


def test_what_is_not_mirrored() -> None:
    """Each row of the table of the code, and no other."""
    table = rows(PAGE, "first word of the ARN", "what it is", "instead")
    shown = {f"sagemaker:{word}" for first, *_ in table for word in names(first)}
    assert shown == NOT_MIRRORED.keys() - {"eks:cluster"}
    assert "`arn:aws:eks:…:cluster/…`" in PAGE


def test_metric_keys() -> None:
    """Every CloudWatch metric has a row with its MLflow key."""
    table = {row[0].strip("`"): row[1] for row in rows(PAGE, "what", "key", "step", "points")}
    for metric, key in INSTANCE_METRICS:
        assert table[metric] == f"`system/<host>/{key}`"
    prefixes = re.findall(
        r'"(sagemaker/\w+)', Path(duration_points.__code__.co_filename).read_text()
    )
    assert prefixes == [
        "sagemaker/billable_seconds",
        "sagemaker/phase_seconds",
        "sagemaker/cost_usd",
        "sagemaker/deployment",
    ]
    for prefix in prefixes:
        assert f"`{prefix}" in PAGE


def test_keys_of_hosts() -> None:
    """The name of a metric goes before that of another metric's host."""
    (example,) = re.findall(r"of metrics named `(.+?)` and `(.+?)`.*? gets `(.+?)`", PAGE)
    short, long, key = example
    answer = job_answer("job", created_ms=0, metrics=(short, long), hosts=2)
    job = training_job({**answer, "TrainingJobArn": arn("job")})
    keys_of = metric_keys(job, {}, job.hosts)
    assert keys_of[long] == long
    assert keys_of[host_original(short, "algo-2")] == key


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("sync", (RunLine, Failure, Warned, Registered)),
        ("watch", (Failure, Warned)),
        ("verify", (Difference,)),
        ("lineage", (Node, Edge, LineageDiff)),
        ("status", (StatusReport, ExperimentStatus, OpenRun)),
        ("overlay", (TurnReport, TurnedExperiment, NotTurned)),
        ("open", (RunPage,)),
        ("forget", (ForgetReport, ForgottenRun, KeptRun)),
    ],
)
def test_json_documents(title: str, kinds: tuple[type[Any], ...]) -> None:
    """Every field of every object stands in the section of its command."""
    shown = names(section(PAGE, title))
    fields = set().union(*map(_fields, kinds)) - {"word", "unmet"}
    if title == "sync":
        report = SyncReport(dry_run=True, registered=[])
        fields |= report.to_dict().keys() | report.jobs.keys()
    elif title == "watch":
        watched = WatchReport()
        fields |= watched.to_dict().keys() | watched.jobs.keys()
    elif title == "verify":
        fields |= VerifyReport(repairing=True).to_dict().keys()
    assert fields <= shown


def test_every_difference_is_explained() -> None:
    """With what a repair does about it."""
    table = rows(section(PAGE, "verify"), "difference", "meaning", "with `--repair`")
    assert tuple(row[0].strip("`") for row in table) == get_args(What)


def test_sources_of_algorithm_metrics() -> None:
    """Each word of the option has a row."""
    table = rows(PAGE, "`--metrics`", "algorithm metrics come from")
    assert sorted(row[0].strip("`") for row in table) == sorted(METRIC_SOURCES)


def test_limits_of_time() -> None:
    """The table has the code's figures."""
    assert [float(seconds) for _, seconds in rows(PAGE, "limit", "seconds")] == [
        patterns.LINE_TIMEOUT_S,
        patterns.BUDGET_S,
        patterns.BUDGET_PER_LINE_S,
        patterns.PER_CHARACTER_S,
    ]


def _distortions() -> dict[str, dict[str, str]]:
    (text,) = [block.text for block in blocks(PAGE) if block.mark == "distortions"]
    found = {}
    for example in text.strip().split("\n\n"):
        first, *lines = example.splitlines()
        parts = (line.split(maxsplit=1) for line in lines)
        found[first.partition(":")[0]] = dict(parts)
    return found


def _read(regex: str, line: str) -> tuple[str, dict[str, int]]:
    """Read a line; beside the definition there is one for the longer name of another metric."""
    other = MetricDefinition(name="val_loss", regex=r"val_loss: (\S+)")
    reader = MetricReader([MetricDefinition(name="metric", regex=regex), other], float)
    found = reader.read([line])
    values = [str(value) for _, value in found.values.get("metric", ())]
    return " ".join(values) or "nothing", dict(found.findings.get("metric", {}))


@pytest.mark.parametrize("code", _distortions())
def test_examples_of_distorted_values(code: str) -> None:
    """Each is what the program reads and proposes; the better pattern distorts nothing."""
    example = _distortions()[code]
    assert _read(example["regex"], example["line"]) == (example["read"], {code: 1})
    better = example.get("better")
    assert better_pattern(example["regex"], code) == better
    if better:
        assert _read(better, example["line"])[1] == {}


def test_every_finding_has_its_words() -> None:
    """What a definition can meet is explained, in the examples or with the state."""
    codes = {value for name, value in vars(distortions).items() if name.isupper()}
    codes = {code for code in codes if isinstance(code, str) and re.fullmatch("[a-z-]+", code)}
    assert set(_distortions()) == codes
    others = {BROKEN, NO_GROUP, RUNAWAY}
    assert others <= names(section(PAGE, "State"))
    definition = MetricDefinition(name="loss", regex=r"loss: (\S+)")
    for code in codes | others:
        (sentence,) = warnings([definition], {"loss": {code: 1}})
        assert f"{code} (1)" not in sentence


def test_state() -> None:
    """The example is one that the program reads, and its fields are the table's."""
    (example,) = [block.text for block in blocks(PAGE) if block.language == "json"]
    assert isinstance(from_tags({watermark.STATE_TAG: example}), Watermark)
    table = {row[0].strip("`") for row in rows(section(PAGE, "State"), "field", "meaning")}
    assert table == json.loads(example).keys() == _fields(Watermark) | {"version"}


@pytest.mark.parametrize(
    "example", [row[1] for row in rows(PAGE, "rule", "example") if row[1]], ids=str
)
def test_examples_of_keys(example: str) -> None:
    """Each is what the code makes of that name."""
    before, after = (
        [each.strip("` ") for each in side.split("`, `")] for side in example.split(" → ")
    )
    assert [assign_keys(before)[name] for name in before] == after
    if len(before) == 1:
        assert legal_key(before[0]) == after[0]


def test_limits() -> None:
    """The table has the code's figures."""
    table = {row[0]: int(row[1].replace(",", "")) for row in rows(PAGE, "value", "most characters")}
    assert table == {
        "tag": keys.TAG_VALUE_LIMIT,
        "param": keys.PARAM_VALUE_LIMIT,
        "dataset name and context": keys.DATASET_TAG_LIMIT,
    }
    assert f"over {keys.KEY_LIMIT} characters" in PAGE
