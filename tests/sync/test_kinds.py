"""Each kind of job becomes its run; a second pass lists, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

import mlflow_smwatch
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.status import status as status_of
from tests import kinds
from tests.jobs import MINUTE_MS, averages, curve, job_answer, moment
from tests.sync.conftest import EVENTS, METRICS, STREAMS, Mirror, datasets
from tests.sync.every_kind import (
    COMPONENT,
    CREATED_MS,
    ENDED_MS,
    LIFE,
    LISTS,
    TRIAL,
    everything,
    found,
    home,
    parent,
    put_component,
    put_trials,
    run,
    settled,
    state,
    sync,
    verified,
)

EXECUTION = "abcdefghijkl"
RESOURCES = {
    "training-job": "training-job/training",
    "processing-job": "processing-job/processing",
    "transform-job": "transform-job/transform",
    "tuning-job": "hyper-parameter-tuning-job/tuning",
    "automl-job": "automl-job/automl",
    "trial": f"{TRIAL}/trial",
    "trial-component": f"{COMPONENT}/component",
    "endpoint": "endpoint/endpoint",
    "pipeline-execution": f"pipeline/pipe/execution/{EXECUTION}",
    "notebook-instance": "notebook-instance/notebook",
}
STREAM = "i-0a1b2c3d"
EPOCH = "1700000000"
TRANSFORMS = "/aws/sagemaker/TransformJobs"


def put_every_kind(mirror: Mirror) -> None:
    """Put one of each kind, all over but the endpoint and the notebook instance."""
    account, tags = mirror.account, {"team": "vision"}
    account.put_training_job(job_answer("training", **LIFE), tags)
    put_trials(account, "trial")
    put_component(account, "component", "trial", Parameters={"lr": {"NumberValue": 0.1}})
    account.put_job("processing-job", kinds.processing_job("processing", **LIFE), tags)
    account.put_model(kinds.model("model", created_ms=CREATED_MS))
    account.put_job("transform-job", kinds.transform_job("transform", **LIFE), tags)
    account.put_job("tuning-job", kinds.tuning_job("tuning", **LIFE), tags)
    account.put_job("automl-job", kinds.automl_job("automl", **LIFE), tags)
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=CREATED_MS))
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=CREATED_MS), tags)
    account.put_job("pipeline-execution", kinds.pipeline_execution(EXECUTION, **LIFE))
    account.put_job(
        "notebook-instance", kinds.notebook_instance("notebook", created_ms=CREATED_MS), tags
    )


def test_each_kind_has_its_run(mirror: Mirror) -> None:
    """Name, experiment, start, end, status, kind and tags; the next pass lists only."""
    put_every_kind(mirror)
    report = sync(mirror)
    assert report.failed == []
    assert mirror.warnings(report) == ""
    assert report.jobs["created"] == len(RESOURCES) == len(KINDS)
    titles = {"pipeline-execution": f"execution-{EXECUTION}"}
    homes = {"trial": "study", "trial-component": "study"}
    for word, resource in RESOURCES.items():
        one = run(mirror, resource)
        assert one.data.tags["sagemaker.kind"] == word
        name = resource.rpartition("/")[2]
        assert one.info.run_name == titles.get(word, name)
        assert one.data.tags["sagemaker.name"] == name
        assert home(mirror, resource) == homes.get(word, KINDS[word].experiment)
        assert one.info.start_time == CREATED_MS
        goes_on = KINDS[word].endless
        expected = ("RUNNING", None, False) if goes_on else ("FINISHED", ENDED_MS, True)
        assert state(mirror, resource) == expected
        tagged = None if word in {*homes, *titles} else "vision"
        assert one.data.tags.get("sagemaker.tag.team") == tagged
        assert parent(mirror, resource) == (
            RESOURCES["trial"] if word in homes and word != "trial" else None
        )
        assert name in one.data.tags["mlflow.note.content"].replace("\\", "")
    assert settled(mirror) == {}
    verified(mirror)
    counted = status_of(mirror.uri).kinds
    assert counted == dict.fromkeys(sorted(KINDS), 1)


def test_params_tags_and_inputs(mirror: Mirror) -> None:
    """What is the kind's own."""
    put_every_kind(mirror)
    mirror.account.put_job(
        "processing-job",
        kinds.processing_job("processing", inputs={"raw": "s3://data/raw/"}, hosts=2, **LIFE),
    )
    sync(mirror)
    of = {word: run(mirror, resource) for word, resource in RESOURCES.items()}
    assert of["tuning-job"].data.params == {
        "epochs": "10",
        "objective/metric": "loss",
        "objective/type": "Minimize",
        "range/lr": "0.001..1 (Auto)",
        "tuning/max_parallel_training_jobs": "2",
        "tuning/max_training_jobs": "10",
        "tuning/strategy": "Bayesian",
    }
    assert of["automl-job"].data.params == {"objective/metric": "F1", "problem_type": "Tabular"}
    assert of["trial-component"].data.params == {"lr": "0.1"}
    for word, inputs in {
        "processing-job": {"raw": "s3://data/raw/"},
        "transform-job": {"input": "s3://data/batch/"},
        "automl-job": {"training": "s3://data/table/"},
    }.items():
        assert {each.name: json.loads(each.source)["uri"] for each in datasets(of[word])} == inputs
    tags = of["processing-job"].data.tags
    assert tags["sagemaker.image"] == tags["mlflow.source.name"] == kinds.IMAGE
    assert (tags["sagemaker.instance_type"], tags["sagemaker.instance_count"]) == (
        "ml.m5.large",
        "2",
    )
    assert of["transform-job"].data.tags["sagemaker.image"] == kinds.IMAGE
    assert of["transform-job"].data.tags["sagemaker.model"] == "model"
    assert of["endpoint"].data.tags["sagemaker.variant.AllTraffic.model"] == "model"
    assert of["pipeline-execution"].data.tags["sagemaker.pipeline"] == "pipe"


JOB_WORDS = {
    "InProgress": "RUNNING",
    "Stopping": "RUNNING",
    "Completed": "FINISHED",
    "Failed": "FAILED",
    "Stopped": "KILLED",
    "Unheard": "RUNNING",
}
STATUSES = {
    "processing-job": JOB_WORDS,
    "transform-job": JOB_WORDS,
    "tuning-job": {**JOB_WORDS, "Deleting": "RUNNING"},
    "automl-job": JOB_WORDS,
    "pipeline-execution": {
        "Executing": "RUNNING",
        "Stopping": "RUNNING",
        "Succeeded": "FINISHED",
        "Failed": "FAILED",
        "CompletedWithFailures": "FAILED",
        "Stopped": "KILLED",
        "Unheard": "RUNNING",
    },
    "endpoint": {
        "Creating": "SCHEDULED",
        "InService": "RUNNING",
        "OutOfService": "RUNNING",
        "Updating": "RUNNING",
        "SystemUpdating": "RUNNING",
        "RollingBack": "RUNNING",
        "Deleting": "RUNNING",
        "UpdateRollbackFailed": "RUNNING",
        "Failed": "FAILED",
        "Unheard": "RUNNING",
    },
    "notebook-instance": {
        "Pending": "SCHEDULED",
        "InService": "RUNNING",
        "Stopping": "RUNNING",
        "Stopped": "FINISHED",
        "Failed": "FAILED",
        "Deleting": "RUNNING",
        "Updating": "RUNNING",
        "PendingMaintenance": "RUNNING",
        "InMaintenance": "RUNNING",
        "Unheard": "RUNNING",
    },
    "trial-component": JOB_WORDS,
}
MAKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "processing-job": kinds.processing_job,
    "transform-job": kinds.transform_job,
    "tuning-job": kinds.tuning_job,
    "automl-job": kinds.automl_job,
}


def put_status(mirror: Mirror, word: str, status: str) -> str:
    """Put a job in a status; give its resource."""
    name = f"{word}-{status}".lower()
    ends = status in KINDS[word].end_states
    ended_ms = ENDED_MS if ends else None
    life: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ended_ms, "status": status}
    account = mirror.account
    if word == "trial-component":
        put_component(account, name, status=status, EndTime=moment(ENDED_MS) if ends else None)
        return f"{COMPONENT}/{name}"
    if word == "endpoint":
        answer = kinds.endpoint(name, created_ms=CREATED_MS, status=status)
    elif word == "notebook-instance":
        answer = kinds.notebook_instance(name, created_ms=CREATED_MS, status=status)
    elif word == "pipeline-execution":
        name = f"{status.lower():x<12}"[:12]
        answer = kinds.pipeline_execution(name, **life)
    else:
        answer = MAKERS[word](name, **life)
    account.put_job(word, answer)
    return RESOURCES[word].rpartition("/")[0] + f"/{name}"


@pytest.mark.slow
def test_every_status(mirror: Mirror) -> None:
    """SageMaker's words become MLflow's; only what has ended has an end, and is final."""
    resources = {
        (word, status): put_status(mirror, word, status)
        for word, statuses in STATUSES.items()
        for status in statuses
    }
    report = sync(mirror)
    assert report.failed == []
    there = everything(mirror)
    for (word, status), resource in resources.items():
        ends = status in KINDS[word].end_states
        one = there[resource]
        expected = (STATUSES[word][status], ENDED_MS if ends else None)
        assert (one.info.status, one.info.end_time) == expected, (word, status)
        tags = one.data.tags
        assert tags["sagemaker.status"] == status
        assert (tags.get("smwatch.final") == "true") is ends
        unknown = status not in KINDS[word].known_statuses
        assert ("unknown status" in tags.get("smwatch.warning", "")) is unknown
    settled(mirror)


def test_a_stopped_job_without_an_end_time(mirror: Mirror) -> None:
    """It ended when it was modified last."""
    for word in ("processing-job", "transform-job", "tuning-job", "automl-job"):
        ends = {
            "processing-job": "Processing",
            "transform-job": "Transform",
            "tuning-job": "HyperParameterTuning",
            "automl-job": "",
        }
        lacks: dict[str, Any] = {f"{ends[word]}EndTime": None}
        answer = MAKERS[word]("job", status="Stopped", **LIFE, **lacks)
        mirror.account.put_job(word, answer)
    sync(mirror)
    for word in ("processing-job", "transform-job", "tuning-job", "automl-job"):
        resource = RESOURCES[word].rpartition("/")[0] + "/job"
        assert state(mirror, resource) == ("KILLED", ENDED_MS, True)


RUNNING = {
    "processing-job": {"sagemaker:DescribeProcessingJob", "sagemaker:ListTags"},
    "transform-job": {"sagemaker:DescribeTransformJob", "sagemaker:ListTags"},
    "tuning-job": {
        "sagemaker:DescribeHyperParameterTuningJob",
        "sagemaker:ListTags",
        "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
    },
    "automl-job": {
        "sagemaker:DescribeAutoMLJobV2",
        "sagemaker:ListTags",
        "sagemaker:ListCandidatesForAutoMLJob",
    },
    "pipeline-execution": {"sagemaker:ListPipelineExecutionSteps", "sagemaker:ListTags"},
}
OVER = {
    "processing-job": ("ProcessingJobStatus", "ProcessingEndTime", "Completed"),
    "transform-job": ("TransformJobStatus", "TransformEndTime", "Completed"),
    "tuning-job": ("HyperParameterTuningJobStatus", "HyperParameterTuningEndTime", "Completed"),
    "automl-job": ("AutoMLJobStatus", "EndTime", "Completed"),
    "pipeline-execution": ("PipelineExecutionStatus", None, "Succeeded"),
}


@pytest.mark.parametrize("word", sorted(RUNNING))
def test_a_job_that_goes_on_is_described_and_ends(mirror: Mirror, word: str) -> None:
    """Each pass looks at it; once it has ended that is written, and no more is asked."""
    if word == "pipeline-execution":
        answer = kinds.pipeline_execution(EXECUTION, created_ms=CREATED_MS)
    else:
        answer = MAKERS[word](word.partition("-")[0], created_ms=CREATED_MS)
    mirror.account.put_job(word, answer)
    mirror.account.put_model(kinds.model("model", created_ms=CREATED_MS))
    sync(mirror)
    assert state(mirror, RESOURCES[word]) == ("RUNNING", None, False)
    calls = settled(mirror)
    assert set(calls) - {METRICS, STREAMS, "sagemaker:DescribeModel"} == RUNNING[word]
    status, end, ended = OVER[word]
    changes: dict[str, Any] = {status: ended, "LastModifiedTime": moment(ENDED_MS)}
    if end:
        changes[end] = moment(ENDED_MS)
    mirror.account.update_job(
        word, answer.get("PipelineExecutionArn") or RESOURCES[word].rpartition("/")[2], **changes
    )
    report = sync(mirror)
    assert report.jobs["updated"] == 1
    assert state(mirror, RESOURCES[word]) == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


def test_what_aws_deleted(mirror: Mirror) -> None:
    """A job that ended stays as it was; one that was going on is closed once, with a word on it."""
    put_every_kind(mirror)
    mirror.account.put_job("processing-job", kinds.processing_job("going", created_ms=CREATED_MS))
    put_component(mirror.account, "loose", status="InProgress")
    sync(mirror)
    for word, name in (
        ("processing-job", "processing"),
        ("processing-job", "going"),
        ("transform-job", "transform"),
        ("tuning-job", "tuning"),
        ("automl-job", "automl"),
        ("pipeline-execution", EXECUTION),
    ):
        mirror.account.remove_job(word, name)
    for name in ("component", "loose"):
        mirror.account.experiments.remove_trial_component(name)
    report = sync(mirror)
    assert report.failed == []
    assert report.jobs["updated"] == 2
    for word, resource in RESOURCES.items():
        goes_on = KINDS[word].endless
        expected = ("RUNNING", None, False) if goes_on else ("FINISHED", ENDED_MS, True)
        assert state(mirror, resource) == expected, word
    for resource in ("processing-job/going", f"{COMPONENT}/loose"):
        assert state(mirror, resource) == ("KILLED", CREATED_MS, True)
        assert "AWS no longer knows" in run(mirror, resource).data.tags["smwatch.warning"]
    assert settled(mirror) == {}


def test_hosts_of_processing_jobs(mirror: Mirror) -> None:
    """Their metrics are by ``algo-N``; verify misses a point that was taken away."""
    mirror.account.put_job("processing-job", kinds.processing_job("processing", hosts=2, **LIFE))
    samples = curve(CREATED_MS, 10)
    for host in ("algo-1", "algo-2"):
        dimensions = {"Host": f"processing/{host}"}
        mirror.account.put_metric(
            "/aws/sagemaker/ProcessingJobs", "CPUUtilization", dimensions, samples
        )
    sync(mirror)
    one = run(mirror, RESOURCES["processing-job"])
    key = "system/algo-2/cpu_utilization_percentage"
    assert mirror.points(one)[key] == averages(samples, CREATED_MS)
    assert len(mirror.points(one)) == 2
    assert settled(mirror) == {}
    verified(mirror)

    with sqlite3.connect(mirror.database) as connection:
        connection.execute("delete from metrics where key = ? and step = 120", (key,))
    report = mlflow_smwatch.verify(tracking_uri=mirror.uri, kinds=("processing-job",))
    (missing,) = report.differences
    assert (missing.what, missing.key) == ("missing", key)


def put_transform(mirror: Mirror, *hosts: str, ended_ms: int | None = ENDED_MS) -> None:
    answer = kinds.transform_job("transform", created_ms=CREATED_MS, ended_ms=ended_ms)
    mirror.account.put_job("transform-job", answer)
    mirror.account.put_model(kinds.model("model", created_ms=CREATED_MS))
    for host in hosts:
        put_host(mirror, host)


def put_host(mirror: Mirror, host: str) -> None:
    """Publish what a transform job's host publishes."""
    for stream in (f"{host}-{EPOCH}", f"{host}-{EPOCH}/data-log"):
        events = [(CREATED_MS + MINUTE_MS, "hello")]
        mirror.account.put_log_events(TRANSFORMS, f"transform/{stream}", events)
    dimensions = {"Host": f"transform/{host}"}
    mirror.account.put_metric(TRANSFORMS, "CPUUtilization", dimensions, curve(CREATED_MS, 10))


def test_hosts_of_transform_jobs(mirror: Mirror) -> None:
    """The names of its log streams tell them; no line of the logs is read."""
    put_transform(mirror, STREAM)
    sync(mirror)
    one = run(mirror, RESOURCES["transform-job"])
    assert list(mirror.points(one)) == [f"system/{STREAM}/cpu_utilization_percentage"]
    assert json.loads(one.data.tags["sagemaker.log_streams"]) == [
        f"transform/{STREAM}-{EPOCH}",
        f"transform/{STREAM}-{EPOCH}/data-log",
    ]
    assert mirror.account.calls[EVENTS] == 0
    assert "transform" in one.data.tags["sagemaker.logs_url"]
    assert settled(mirror) == {}
    verified(mirror)


def test_hosts_of_transform_jobs_that_come_later(mirror: Mirror) -> None:
    """A host that starts while the job runs has all of its points in the end."""
    put_transform(mirror, ended_ms=None)
    sync(mirror)
    assert mirror.points(run(mirror, RESOURCES["transform-job"])) == {}
    put_host(mirror, "i-1")
    sync(mirror)
    put_host(mirror, "i-2")
    mirror.account.update_job(
        "transform-job",
        "transform",
        TransformJobStatus="Completed",
        TransformEndTime=moment(ENDED_MS),
        LastModifiedTime=moment(ENDED_MS),
    )
    sync(mirror)
    one = run(mirror, RESOURCES["transform-job"])
    expected = averages(curve(CREATED_MS, 10), CREATED_MS)
    assert mirror.points(one) == {
        f"system/{host}/cpu_utilization_percentage": expected for host in ("i-1", "i-2")
    }
    assert len(json.loads(one.data.tags["sagemaker.log_streams"])) == 4
    assert settled(mirror) == {}
    verified(mirror)


def test_logs_of_transform_jobs_are_denied(mirror: Mirror) -> None:
    """The job is mirrored with a warning, and stays open until its hosts can be known."""
    put_transform(mirror, STREAM)
    mirror.account.faults.deny(STREAMS)
    report = sync(mirror)
    assert report.failed == []
    assert STREAMS in mirror.warnings(report)
    assert state(mirror, RESOURCES["transform-job"]) == ("FINISHED", ENDED_MS, False)
    mirror.account.faults.clear()
    sync(mirror)
    assert state(mirror, RESOURCES["transform-job"])[2]
    assert len(mirror.points(run(mirror, RESOURCES["transform-job"]))) == 1
    assert "smwatch.warning" not in run(mirror, RESOURCES["transform-job"]).data.tags
    assert settled(mirror) == {}


def test_streams_of_a_transform_job_are_gone(mirror: Mirror) -> None:
    """Nobody tells its hosts: the job is final without metrics."""
    put_transform(mirror)
    report = sync(mirror)
    assert mirror.warnings(report) == ""
    assert state(mirror, RESOURCES["transform-job"]) == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


def test_endpoint_and_its_changes(mirror: Mirror) -> None:
    """What serves is a fact: another configuration changes it. Gone, it is finished."""
    account = mirror.account
    for number in (1, 2):
        account.put_model(kinds.model(f"model-{number}", created_ms=CREATED_MS))
        variants = {f"v{number}": f"model-{number}"}
        config = kinds.endpoint_config(f"config-{number}", created_ms=CREATED_MS, variants=variants)
        account.put_endpoint_config(config)
    account.put_job(
        "endpoint", kinds.endpoint("endpoint", created_ms=CREATED_MS, config="config-1")
    )
    sync(mirror)
    assert settled(mirror) == {}
    first = run(mirror, RESOURCES["endpoint"])
    assert first.data.tags["sagemaker.variant.v1.model"] == "model-1"
    account.update_job("endpoint", "endpoint", EndpointConfigName="config-2")
    report = sync(mirror)
    assert report.jobs["updated"] == 1
    tags = run(mirror, RESOURCES["endpoint"]).data.tags
    assert tags["sagemaker.endpoint_config"] == "config-2"
    assert tags["sagemaker.variant.v2.model"] == "model-2"
    assert "sagemaker.variant.v1.model" not in tags
    graph = mlflow_smwatch.lineage("endpoint", direction="upstream", tracking_uri=mirror.uri)
    above = {node.id.rpartition("/")[2] for node in graph.nodes}
    assert {"config-2", "model-2"} <= above
    assert settled(mirror) == {}
    verified(mirror)
    account.remove_job("endpoint", "endpoint")
    report = sync(mirror, settle_s=0)
    status, end_ms, final = state(mirror, RESOURCES["endpoint"])
    assert (status, final) == ("FINISHED", True)
    assert end_ms
    assert end_ms > ENDED_MS
    assert mirror.warnings(report) == ""
    assert settled(mirror) == {"sts:GetCallerIdentity": 1}


def test_an_endpoint_of_the_same_name(mirror: Mirror) -> None:
    """It has a run of its own; the earlier one is finished."""
    account = mirror.account
    account.put_model(kinds.model("model", created_ms=CREATED_MS))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=CREATED_MS))
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=CREATED_MS))
    sync(mirror)
    account.remove_job("endpoint", "endpoint")
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=ENDED_MS))
    sync(mirror, settle_s=0)
    states = {one.info.start_time: one.info.status for one in found(mirror, RESOURCES["endpoint"])}
    assert states == {CREATED_MS: "FINISHED", ENDED_MS: "RUNNING"}
    assert settled(mirror) == {}


def test_a_list_of_endpoints_that_fails(mirror: Mirror) -> None:
    """What is not listed is not taken for deleted."""
    put_every_kind(mirror)
    sync(mirror)
    mirror.account.faults.deny("sagemaker:ListEndpoints")
    report = sync(mirror)
    assert report.failed == []
    assert state(mirror, RESOURCES["endpoint"]) == ("RUNNING", None, False)


@pytest.mark.parametrize("denied", ["DescribeModel", "DescribeEndpointConfig"])
def test_what_serves_is_denied(mirror: Mirror, denied: str) -> None:
    """The endpoint is mirrored with a warning, and looked at again until all of it is there."""
    put_every_kind(mirror)
    mirror.account.faults.deny(f"sagemaker:{denied}")
    report = sync(mirror, kinds=("endpoint",))
    assert report.failed == []
    assert mirror.warnings(report).count(f"sagemaker:{denied} is denied") == 1
    settled(mirror, kinds=("endpoint",))
    mirror.account.faults.clear()
    sync(mirror, kinds=("endpoint",))
    tags = run(mirror, RESOURCES["endpoint"]).data.tags
    assert "smwatch.warning" not in tags
    assert "model-data" in tags["smwatch.lineage"] or "model.tar.gz" in tags["smwatch.lineage"]
    assert settled(mirror, kinds=("endpoint",)) == {}


DENIED = {
    "sagemaker:ListAssociations": None,
    "sagemaker:ListAutoMLJobs": "automl-job",
    "sagemaker:ListEndpoints": "endpoint",
    "sagemaker:ListProcessingJobs": "processing-job",
    "sagemaker:DescribeModel": None,
    "sagemaker:ListTrainingJobsForHyperParameterTuningJob": None,
    "sagemaker:ListPipelineExecutionSteps": None,
}


def test_what_is_denied_costs_what_it_tells(mirror: Mirror) -> None:
    """All else is mirrored, each permission that lacks is named once; all comes later."""
    put_every_kind(mirror)
    for denied in DENIED:
        mirror.account.faults.deny(denied)
    report = sync(mirror)
    assert report.failed == []
    there = everything(mirror)
    missing = {word for word, resource in RESOURCES.items() if resource not in there}
    assert missing == {word for word in DENIED.values() if word}
    for denied in DENIED:
        assert mirror.warnings(report).count(f"{denied} is denied") == 1, denied
    mirror.account.faults.clear()
    report = sync(mirror)
    assert mirror.warnings(report) == ""
    there = everything(mirror)
    assert set(RESOURCES.values()) <= set(there)
    assert not any("smwatch.warning" in each.data.tags for each in there.values())
    assert settled(mirror) == {}
    verified(mirror)


def test_without_search_or_components(mirror: Mirror) -> None:
    """Jobs are mirrored where nothing of experiments may be read."""
    put_every_kind(mirror)
    for name in (
        "Search",
        "ListTrialComponents",
        "ListTrials",
        "DescribeTrial",
        "DescribeTrialComponent",
        "ListAssociations",
    ):
        mirror.account.faults.deny(f"sagemaker:{name}")
    report = sync(mirror)
    assert report.failed == []
    missing = {word for word, resource in RESOURCES.items() if not found(mirror, resource)}
    assert missing == {"trial", "trial-component"}
    of_all = "\n".join(each.warning for each in report.warnings if each.arn is None)
    for name in ("Search", "ListTrialComponents", "ListTrials", "ListAssociations"):
        assert of_all.count(f"sagemaker:{name} is denied") == 1, name


def test_the_calls_of_discovery(mirror: Mirror) -> None:
    """One for each kind that is listed, five times Search; none for a job."""
    put_every_kind(mirror)
    sync(mirror)
    settled(mirror)
    assert set(mirror.account.calls) == LISTS - {"sagemaker:ListTrials"}
    assert mirror.account.calls.pop("sagemaker:Search") == 5
    assert set(mirror.account.calls.values()) == {1}
