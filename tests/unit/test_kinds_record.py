"""A job of each kind → its run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.job_series import INSTANCE_METRICS, algorithm_series, instance_series
from mlflow_smwatch.core.lineage_tags import from_tags
from mlflow_smwatch.core.record import RunRecord, run_record
from tests.unit.answers import ANSWERS, CREATED_MS, ENDED_MS, MODIFIED_MS, arn


def job(word: str, **changes: Any) -> Job:
    """Make the job of a kind."""
    return job_of(KINDS[word], {**ANSWERS[word][1], **changes})


def record(word: str, **changes: Any) -> RunRecord:
    """Make the run record of a kind."""
    return run_record(job(word, **changes))


RUNS = {
    # word: name of the run, experiment, status, end
    "training-job": ("train", "churn", "FINISHED", ENDED_MS),
    "processing-job": ("prepare", "churn", "FAILED", ENDED_MS),
    "transform-job": ("score", "sagemaker/pipelines", "FINISHED", ENDED_MS),
    "tuning-job": ("tune", "sagemaker/tuning-jobs", "FINISHED", ENDED_MS),
    "automl-job": ("auto", "sagemaker/automl-jobs", "KILLED", ENDED_MS),
    "endpoint": ("live", "sagemaker/endpoints", "RUNNING", None),
    "notebook-instance": ("Explore", "sagemaker/notebook-instances", "RUNNING", None),
    "pipeline-execution": ("Nightly of Monday", "churn", "FAILED", MODIFIED_MS),
    "trial": ("First try", "churn", "RUNNING", None),
    "trial-component": ("By hand", "churn", "FAILED", ENDED_MS),
}

TAGS: dict[str, dict[str, str | None]] = {
    "training-job": {
        "sagemaker.experiment": "churn",
        "sagemaker.trial": "first",
        "sagemaker.trials": '["first", "second"]',
        "sagemaker.trial_component": "train-aws-training-job",
        "sagemaker.trial_component_arn": arn("experiment-trial-component/train-aws-training-job"),
        "sagemaker.tuning_job": "tune",
        "sagemaker.sdk.submit_directory": "s3://bucket/code.tar.gz",
        "mlflow.source.git.commit": "0a1b2c3d",
    },
    "processing-job": {
        "sagemaker.failure_reason": "no such column",
        "sagemaker.automl_job": "auto",
        "sagemaker.output": "s3://bucket/train",
        "sagemaker.log_group": "/aws/sagemaker/ProcessingJobs",
        "sagemaker.trial_component": None,
    },
    "transform-job": {
        "sagemaker.model": "classifier",
        "sagemaker.pipeline_execution": arn("pipeline/nightly/execution/abc"),
        "sagemaker.log_group": "/aws/sagemaker/TransformJobs",
        "sagemaker.metrics_url": None,
        "sagemaker.trials": None,
    },
    "tuning-job": {
        "sagemaker.best_training_job": "tune-007",
        "sagemaker.best_objective": "0.75",
        "sagemaker.training_jobs.Completed": "19",
        "sagemaker.objectives.Succeeded": "19",
        "sagemaker.sdk.program": "train.py",
        "mlflow.source.name": "train.py",
        "sagemaker.logs_url": None,
        "sagemaker.log_group": None,
    },
    "automl-job": {
        "sagemaker.best_candidate": "auto-best",
        "sagemaker.best_objective": "0.5",
        "sagemaker.secondary_status": "MaxCandidatesReached",
        "sagemaker.console_url": None,
    },
    "endpoint": {
        "sagemaker.endpoint_config": "live-2",
        "sagemaker.status": "InService",
        "sagemaker.instance_type": "ml.m5.large, ml.c5.large",
        "sagemaker.instance_count": "3",
        "sagemaker.variant.blue.model": "classifier",
        "sagemaker.log_group": "/aws/sagemaker/Endpoints/live",
        "sagemaker.logs_url": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home"
        "?region=eu-west-1#logsV2:log-groups/log-group/$252Faws$252Fsagemaker$252FEndpoints$252Flive",
        "sagemaker.deployments": "1",
    },
    "notebook-instance": {
        "sagemaker.name": "Explore",
        "sagemaker.log_group": "/aws/sagemaker/NotebookInstances",
        "sagemaker.lifecycle_config": "install",
        "sagemaker.volume_size_gb": "20",
        "sagemaker.console_url": "https://eu-west-1.console.aws.amazon.com/sagemaker/home"
        "?region=eu-west-1#/notebook-instances/Explore",
        "sagemaker.metrics_url": None,
        "sagemaker.deployments": None,
    },
    "pipeline-execution": {
        "sagemaker.name": "abc",
        "sagemaker.pipeline": "nightly",
        "sagemaker.status": "CompletedWithFailures",
        "sagemaker.failure_reason": "one step failed",
        "sagemaker.pipeline_execution": None,
        "sagemaker.trial": None,
    },
    "trial": {
        "sagemaker.name": "first",
        "sagemaker.experiment": "churn",
        "sagemaker.status": None,
        "sagemaker.trial": None,
        "mlflow.source.git.commit": "fedcba9",
    },
    "trial-component": {
        "sagemaker.name": "by-hand",
        "sagemaker.trial": "first",
        "sagemaker.trials": '["first"]',
        "sagemaker.trial_component": "by-hand",
        "sagemaker.failure_reason": "out of patience",
    },
}

PARAMS = {
    "training-job": {"lr": "0.1"},
    "processing-job": {},
    "transform-job": {},
    "tuning-job": {
        "epochs": "5",
        "objective/metric": "auc",
        "objective/type": "Maximize",
        "range/alpha": "auto, near 0.5",
        "range/depth": "2..8",
        "range/lr": "0.001..0.1 (Logarithmic)",
        "range/opt": "[adam, sgd]",
        "tuning/max_parallel_training_jobs": "2",
        "tuning/max_training_jobs": "20",
        "tuning/strategy": "Bayesian",
    },
    "automl-job": {"objective/metric": "F1", "problem_type": "Tabular"},
    "endpoint": {},
    "notebook-instance": {},
    "pipeline-execution": {"mode": "fast", "rows": "5"},
    "trial": {},
    "trial-component": {"epochs": "3", "lr": "0.1", "optimizer": "adam"},
}

NOTES = {
    "training-job": r"SageMaker training job **train** on 2 × ml\.m5\.large in eu\-west\-1.",
    "processing-job": r"SageMaker processing job **prepare** on 2 × ml\.m5\.xlarge in eu\-west\-1.",
    "transform-job": r"SageMaker transform job **score** on 1 × ml\.c5\.large in eu\-west\-1.",
    "tuning-job": r"SageMaker tuning job **tune** on 1 × ml\.m5\.large in eu\-west\-1.",
    "endpoint": (
        r"SageMaker endpoint **live** on 3 × ml\.m5\.large, ml\.c5\.large in eu\-west\-1."
    ),
    "notebook-instance": (
        r"SageMaker notebook instance **Explore** on 1 × ml\.t3\.medium in eu\-west\-1."
    ),
    "pipeline-execution": (r"SageMaker pipeline execution **Nightly of Monday** in eu\-west\-1."),
    "trial": r"SageMaker trial **First try** in eu\-west\-1.",
    "trial-component": r"SageMaker trial component **By hand** in eu\-west\-1.",
}


@pytest.mark.parametrize("word", KINDS)
def test_every_kind(word: str) -> None:
    """Name, experiment, status, times, tags and params."""
    made = record(word)
    assert (made.title, made.experiment, made.status, made.end_ms) == RUNS[word]
    assert made.kind == word
    assert made.start_ms == CREATED_MS
    assert made.warnings == ()
    tags = dict(made.tags)
    assert (tags["sagemaker.kind"], tags["sagemaker.name"]) == (word, made.name)
    assert {name: tags.get(name) for name in TAGS[word]} == TAGS[word]
    assert dict(made.params) == PARAMS[word]


@pytest.mark.parametrize("word", KINDS)
def test_every_fact_is_the_mirrors_own(word: str) -> None:
    """So it goes once the job has it no more."""
    others = {"mlflow.source.type", "mlflow.source.name", "mlflow.source.git.commit"}
    written = {key for key, _ in record(word).tags} - others
    assert [key for key in written if not names.is_fact(key)] == []


@pytest.mark.parametrize("word", KINDS)
def test_lineage_is_in_the_tags(word: str) -> None:
    """Every edge of the job."""
    described = job(word)
    kept = from_tags(dict(run_record(described).tags))
    assert set(kept.edges) == set(described.lineage.edges)


@pytest.mark.parametrize("word", NOTES)
def test_notes(word: str) -> None:
    """They say what it is, and where."""
    made = record(word)
    assert made.note.split("\n")[0] == NOTES[word]
    linked = "in the SageMaker console](" in made.note
    assert linked is ("sagemaker.console_url" in dict(made.tags))
    assert ("[Endpoint in the" in made.note) is (word == "endpoint")


@pytest.mark.parametrize(
    ("word", "prefix"),
    [
        ("automl-job", "automl%2Fauto%2F"),
        ("processing-job", "train%2F"),
        ("transform-job", "scores%2F"),
        ("endpoint", "captured%2F"),
    ],
)
def test_output_folders(word: str, prefix: str) -> None:
    """Only training and AutoML jobs have a folder of their own there."""
    assert f"prefix={prefix})" in record(word).note


STATUSES = [(word, *pair) for word, kind in KINDS.items() for pair in kind.run_status]
FIELDS = {
    "training-job": "TrainingJobStatus",
    "processing-job": "ProcessingJobStatus",
    "transform-job": "TransformJobStatus",
    "tuning-job": "HyperParameterTuningJobStatus",
    "automl-job": "AutoMLJobStatus",
    "endpoint": "EndpointStatus",
    "notebook-instance": "NotebookInstanceStatus",
    "pipeline-execution": "PipelineExecutionStatus",
}


@pytest.mark.parametrize(("word", "status", "expected"), STATUSES)
def test_statuses(word: str, status: str, expected: str) -> None:
    """Each status of each kind has its word in MLflow; only ended jobs have an end."""
    field = FIELDS.get(word)
    change = {field: status} if field else {"Status": {"PrimaryStatus": status}}
    made = record(word, **change)
    assert made.status == expected
    assert made.warnings == ()
    is_ended = status in KINDS[word].end_states
    assert (made.end_ms is not None) is is_ended


@pytest.mark.parametrize("word", FIELDS)
def test_an_unknown_status_has_a_warning(word: str) -> None:
    """AWS may add some."""
    made = record(word, **{FIELDS[word]: "Dancing"})
    assert made.status == "RUNNING"
    assert "Dancing" in made.warnings[0]


@pytest.mark.parametrize(
    ("word", "count"), [("training-job", 10), ("processing-job", 10), ("endpoint", 0), ("trial", 0)]
)
def test_utilisation_of_hosts(word: str, count: int) -> None:
    """Only kinds with hosts have it."""
    series = instance_series(job(word))
    assert len(series) == count
    assert {each.namespace for each in series} <= {KINDS[word].namespace}
    assert len({each.original for each in series}) == count


def test_transform_jobs_have_no_disk_utilisation() -> None:
    """Their hosts come from the names of their log streams."""
    described = job("transform-job")
    assert instance_series(described) == ()
    with_host = replace(described, hosts=("i-0",))
    found = {each.metric_name for each in instance_series(with_host)}
    assert found == {metric for metric, _ in INSTANCE_METRICS} - {"DiskUtilization"}
    assert algorithm_series(with_host) == ()
