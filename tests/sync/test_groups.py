"""Tuning jobs, AutoML jobs and pipeline executions are the parents of the jobs that they start."""

from __future__ import annotations

from typing import Any

import pytest

from tests import kinds
from tests.jobs import (
    DAY_MS,
    arn,
    curve,
    final_metrics,
    job_answer,
    logged_job,
    moment,
    put_loss,
)
from tests.sync.conftest import Mirror
from tests.sync.every_kind import (
    COMPONENT,
    CREATED_MS,
    ENDED_MS,
    LIFE,
    TRIAL,
    home,
    parent,
    put_component,
    put_job_in,
    put_trials,
    run,
    settled,
    state,
    sync,
    verified,
)

TUNING = "hyper-parameter-tuning-job/tuning"
AUTOML = "automl-job/automl"
EXECUTION_ID = "abcdefghijkl"
EXECUTION = f"pipeline/pipe/execution/{EXECUTION_ID}"
CHILDREN = "sagemaker:ListTrainingJobsForHyperParameterTuningJob"


def put_child(mirror: Mirror, name: str, value: float | None, **changes: Any) -> None:
    """Put a training job of the tuning job, with the final value of its objective."""
    finals = None if value is None else final_metrics({"loss": value}, ENDED_MS)
    answer = {
        **job_answer(name, **{**LIFE, **changes.pop("life", {})}),
        "TuningJobArn": kinds.kind_arn(TUNING),
        "HyperParameters": {"lr": "0.1", "_tuning_objective_metric": "loss"},
        "FinalMetricDataList": finals,
        **changes,
    }
    mirror.account.put_training_job({key: each for key, each in answer.items() if each is not None})


def put_tuning(mirror: Mirror, **changes: Any) -> None:
    answer = kinds.tuning_job("tuning", **{**LIFE, **changes})
    mirror.account.put_job("tuning-job", answer)


def best(name: str, value: float) -> dict[str, Any]:
    """Give a BestTrainingJob."""
    return {
        "TrainingJobName": name,
        "TrainingJobArn": arn(name),
        "CreationTime": moment(CREATED_MS),
        "TrainingJobStatus": "Completed",
        "TunedHyperParameters": {},
        "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "loss", "Value": value},
    }


def test_a_tuning_job_and_its_children(mirror: Mirror) -> None:
    """They stand beside and below it; the objective is on each, the best is named and linked."""
    put_tuning(mirror, BestTrainingJob=best("b", 0.25))
    values = {"a": 0.5, "b": 0.25, "c": 0.75}
    for name, value in values.items():
        put_child(mirror, name, value)
    report = sync(mirror)
    assert report.jobs["created"] == 4
    for name, value in values.items():
        resource = f"training-job/{name}"
        assert parent(mirror, resource) == TUNING
        assert home(mirror, resource) == home(mirror, TUNING) == "sagemaker/tuning-jobs"
        assert run(mirror, resource).data.metrics["loss"] == value
        assert run(mirror, resource).data.tags["sagemaker.tuning_job"] == "tuning"
    tags = run(mirror, TUNING).data.tags
    assert tags["sagemaker.best_training_job"] == "b"
    assert tags["sagemaker.best_objective"] == "0.25"
    assert tags["sagemaker.best_training_job_url"].endswith("#/jobs/b")
    assert state(mirror, TUNING) == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


def test_an_objective_that_no_log_shows(mirror: Mirror) -> None:
    """The tuning job's list tells it; also where the child's name says nothing of it."""
    put_tuning(mirror)
    put_child(mirror, "a", 0.5)
    put_child(mirror, "b", None, HyperParameters={"_tuning_objective_metric": "other"})
    report = sync(mirror)
    assert report.failed == []
    assert run(mirror, "training-job/a").data.metrics == {"loss": 0.5}
    assert run(mirror, "training-job/b").data.metrics == {}
    assert settled(mirror) == {}


def test_a_tuning_job_by_name(mirror: Mirror) -> None:
    """Its children are mirrored with it, though older than any window."""
    put_tuning(mirror, created_ms=CREATED_MS - 30 * DAY_MS, ended_ms=ENDED_MS - 30 * DAY_MS)
    old = {"created_ms": CREATED_MS - 30 * DAY_MS, "ended_ms": ENDED_MS - 30 * DAY_MS}
    for name in ("a", "b"):
        put_child(mirror, name, 0.5, life=old)
    assert sync(mirror).jobs["seen"] == 0
    report = sync(mirror, "tuning")
    assert report.jobs["created"] == 3
    assert parent(mirror, "training-job/a") == parent(mirror, "training-job/b") == TUNING
    assert settled(mirror) == {"sts:GetCallerIdentity": 1}
    verified(mirror, "tuning", "a", "b")


def test_a_tuning_job_that_goes_on(mirror: Mirror) -> None:
    """Children come and its counters grow; its own params are written once."""
    put_tuning(mirror, ended_ms=None)
    put_child(mirror, "a", None, life={"ended_ms": None})
    sync(mirror)
    assert state(mirror, TUNING) == ("RUNNING", None, False)
    settled(mirror)
    put_child(mirror, "a", 0.5)
    put_child(mirror, "b", None, life={"ended_ms": None})
    counters = {
        "Completed": 1,
        "InProgress": 1,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    mirror.account.update_job(
        "tuning-job", "tuning", TrainingJobStatusCounters=counters, BestTrainingJob=best("a", 0.5)
    )
    sync(mirror)
    tags = run(mirror, TUNING).data.tags
    assert tags["sagemaker.training_jobs.Completed"] == "1"
    assert tags["sagemaker.best_training_job"] == "a"
    assert parent(mirror, "training-job/b") == TUNING
    assert run(mirror, "training-job/a").data.metrics == {"loss": 0.5}
    settled(mirror)
    verified(mirror)


def test_children_that_were_mirrored_first(mirror: Mirror) -> None:
    """Alone they stand in the group's experiment; once the group has a run they are below it."""
    put_tuning(mirror)
    put_child(mirror, "a", 0.5)
    sync(mirror, kinds=("training-job",))
    assert parent(mirror, "training-job/a") is None
    assert home(mirror, "training-job/a") == "sagemaker/tuning-jobs"
    sync(mirror)
    assert parent(mirror, "training-job/a") == TUNING
    assert settled(mirror) == {}
    put_child(mirror, "b", 0.25)
    sync(mirror, kinds=("training-job",))
    assert parent(mirror, "training-job/b") == TUNING
    assert settled(mirror) == {}


def test_a_group_older_than_the_window(mirror: Mirror) -> None:
    """It is looked up because a job of its own is new."""
    put_tuning(mirror, created_ms=CREATED_MS - 30 * DAY_MS, ended_ms=ENDED_MS - 30 * DAY_MS)
    put_child(mirror, "a", 0.5)
    sync(mirror)
    assert parent(mirror, "training-job/a") == TUNING
    assert settled(mirror) == {}


def test_a_group_that_is_gone(mirror: Mirror) -> None:
    """The job stands without a parent; that is said once, and the job is final."""
    put_child(mirror, "a", 0.5)
    report = sync(mirror)
    assert report.failed == []
    assert mirror.warnings(report).count("without a parent") == 1
    assert state(mirror, "training-job/a") == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}


@pytest.mark.parametrize("version", [1, 2])
def test_an_automl_job_and_its_candidates(mirror: Mirror, version: int) -> None:
    """The jobs of all steps are below it; the objective is on the candidate's training job."""
    make = kinds.automl_job_v1 if version == 1 else kinds.automl_job
    steps = {
        kinds.kind_arn("processing-job/features"): "AWS::SageMaker::ProcessingJob",
        kinds.kind_arn("training-job/fit"): "AWS::SageMaker::TrainingJob",
        kinds.kind_arn("transform-job/apply"): "AWS::SageMaker::TransformJob",
    }
    candidate = kinds.candidate("cand-1", value=0.875, steps=steps, **LIFE)
    own: dict[str, Any] = {"AutoMLJobArn": kinds.kind_arn(AUTOML)}
    account = mirror.account
    account.put_job(
        "automl-job", make("automl", BestCandidate=candidate, **LIFE), candidates=[candidate]
    )
    account.put_training_job({**job_answer("fit", **LIFE), **own})
    account.put_job("processing-job", kinds.processing_job("features", **own, **LIFE))
    account.put_job("transform-job", kinds.transform_job("apply", **own, **LIFE))
    report = sync(mirror)
    assert report.failed == []
    for resource in ("training-job/fit", "processing-job/features", "transform-job/apply"):
        assert parent(mirror, resource) == AUTOML
        assert home(mirror, resource) == "sagemaker/automl-jobs"
        assert run(mirror, resource).data.tags["sagemaker.automl_job"] == "automl"
    fit = run(mirror, "training-job/fit")
    assert fit.data.metrics == {"F1": 0.875}
    assert fit.data.tags["sagemaker.candidate"] == "cand-1"
    tags = run(mirror, AUTOML).data.tags
    assert (tags["sagemaker.best_candidate"], tags["sagemaker.best_objective"]) == (
        "cand-1",
        "0.875",
    )
    assert state(mirror, AUTOML) == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


def put_steps(mirror: Mirror, **changes: Any) -> None:
    """Put an execution of two steps."""
    steps = [
        kinds.pipeline_step(
            "prep",
            started_ms=CREATED_MS,
            ended_ms=ENDED_MS,
            metadata={"ProcessingJob": {"Arn": kinds.kind_arn("processing-job/prep")}},
        ),
        kinds.pipeline_step(
            "train",
            started_ms=CREATED_MS,
            ended_ms=ENDED_MS,
            metadata={"TrainingJob": {"Arn": arn("train")}},
        ),
    ]
    answer = kinds.pipeline_execution(EXECUTION_ID, **{**LIFE, **changes})
    mirror.account.put_job("pipeline-execution", answer, steps=steps)


def put_jobs(mirror: Mirror) -> None:
    mirror.account.put_training_job(job_answer("train", **LIFE))
    mirror.account.put_job("processing-job", kinds.processing_job("prep", **LIFE))


def test_a_pipeline_execution_and_its_steps(mirror: Mirror) -> None:
    """Their jobs stand beside and below it."""
    parameters = [{"Name": "epochs", "Value": "3"}]
    put_steps(mirror, PipelineParameters=parameters)
    put_jobs(mirror)
    sync(mirror)
    for resource in ("training-job/train", "processing-job/prep"):
        assert parent(mirror, resource) == EXECUTION
        assert home(mirror, resource) == "sagemaker/pipelines"
        tags = run(mirror, resource).data.tags
        assert tags["sagemaker.pipeline_execution"] == kinds.kind_arn(EXECUTION)
    assert run(mirror, EXECUTION).data.params == {"epochs": "3"}
    assert settled(mirror) == {}
    verified(mirror)


def test_jobs_that_are_mirrored_after_their_execution_has_settled(mirror: Mirror) -> None:
    """A pass that was cut off between them, or was to take executions alone, loses no parent."""
    put_steps(mirror)
    put_jobs(mirror)
    mirror.sync(kinds=("pipeline-execution",), since="7d")
    assert run(mirror, EXECUTION).data.tags["smwatch.final"] == "true"
    sync(mirror)
    for resource in ("training-job/train", "processing-job/prep"):
        assert parent(mirror, resource) == EXECUTION
        assert home(mirror, resource) == "sagemaker/pipelines"
        tags = run(mirror, resource).data.tags
        assert tags["sagemaker.pipeline_execution"] == kinds.kind_arn(EXECUTION)
    assert settled(mirror) == {}


@pytest.mark.parametrize("old", [False, True], ids=["in the window", "older"])
def test_jobs_that_were_mirrored_before_their_execution(mirror: Mirror, old: bool) -> None:
    """They get parent and tag later, and no second run."""
    life: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS}
    if old:
        life = {key: each - 30 * DAY_MS for key, each in life.items()}
    mirror.account.put_training_job(job_answer("train", **life))
    mirror.account.put_job("processing-job", kinds.processing_job("prep", **life))
    sync(mirror, since="60d")
    put_steps(mirror)
    report = sync(mirror)
    assert report.failed == []
    for resource in ("training-job/train", "processing-job/prep"):
        assert parent(mirror, resource) == EXECUTION
        tags = run(mirror, resource).data.tags
        assert tags["sagemaker.pipeline_execution"] == kinds.kind_arn(EXECUTION)
    assert settled(mirror) == {}
    verified(mirror)


def test_a_job_with_a_trial_and_an_execution(mirror: Mirror) -> None:
    """The trial stays its parent; the execution is in the tag, and in its own experiment."""
    put_trials(mirror.account, "trial")
    put_jobs(mirror)
    put_job_in(mirror.account, "training-job/train", "trial")
    experiment = {"ExperimentName": "study", "TrialName": "trial"}
    put_steps(mirror, PipelineExperimentConfig=experiment)
    sync(mirror)
    assert parent(mirror, "training-job/train") == f"{TRIAL}/trial"
    tags = run(mirror, "training-job/train").data.tags
    assert tags["sagemaker.pipeline_execution"] == kinds.kind_arn(EXECUTION)
    assert home(mirror, EXECUTION) == "study"
    assert parent(mirror, "processing-job/prep") == EXECUTION
    assert home(mirror, "processing-job/prep") == "study"
    assert settled(mirror) == {}
    verified(mirror)


def test_an_execution_that_goes_on(mirror: Mirror) -> None:
    """Its next step's job is below it as soon as it is there."""
    put_steps(mirror, ended_ms=None)
    sync(mirror)
    assert state(mirror, EXECUTION) == ("RUNNING", None, False)
    put_jobs(mirror)
    put_loss(mirror.account, "train", curve(CREATED_MS, 5))
    sync(mirror)
    assert parent(mirror, "training-job/train") == EXECUTION
    settled(mirror)
    put_steps(mirror)
    sync(mirror)
    assert state(mirror, EXECUTION) == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


def test_an_execution_by_its_name(mirror: Mirror) -> None:
    """Its jobs come with it."""
    put_steps(mirror)
    put_jobs(mirror)
    report = sync(mirror, f"execution-{EXECUTION_ID}")
    assert report.jobs["created"] == 3
    assert parent(mirror, "training-job/train") == EXECUTION


def test_groups_of_groups(mirror: Mirror) -> None:
    """A tuning job that a pipeline started is below its execution, its children below itself."""
    put_tuning(mirror)
    put_child(mirror, "a", 0.5)
    step = kinds.pipeline_step(
        "tune",
        started_ms=CREATED_MS,
        ended_ms=ENDED_MS,
        metadata={"TuningJob": {"Arn": kinds.kind_arn(TUNING)}},
    )
    mirror.account.put_job(
        "pipeline-execution", kinds.pipeline_execution(EXECUTION_ID, **LIFE), steps=[step]
    )
    sync(mirror)
    assert parent(mirror, TUNING) == EXECUTION
    assert parent(mirror, "training-job/a") == TUNING
    assert home(mirror, TUNING) == "sagemaker/pipelines"
    assert home(mirror, "training-job/a") == "sagemaker/pipelines"
    assert settled(mirror) == {}
    verified(mirror)


def test_a_tuning_job_whose_arn_is_in_small_letters(mirror: Mirror) -> None:
    """SageMaker may write a name in small letters into an ARN (boto/boto3 issue 4606)."""
    arn = kinds.kind_arn("hyper-parameter-tuning-job/tune")
    answer = kinds.tuning_job("Tune", **LIFE, HyperParameterTuningJobArn=arn)
    mirror.account.put_job("tuning-job", answer)
    child = logged_job("child", definitions={}, **LIFE)
    mirror.account.put_training_job({**child, "TuningJobArn": arn})
    assert sync(mirror).warnings == []
    assert parent(mirror, "training-job/child") == "hyper-parameter-tuning-job/tune"
    assert run(mirror, "training-job/child").data.tags["sagemaker.tuning_job"] == "Tune"
    assert settled(mirror) == {}


@pytest.mark.parametrize("name", ["a'b\"c", "back\\slash%_", "\n"])
def test_an_edited_tag_stops_nothing(mirror: Mirror, name: str) -> None:
    """What a user writes into the tag of a group is no name of AWS's."""
    mirror.account.put_training_job(logged_job("one", definitions={}, **LIFE))
    sync(mirror)
    edited = run(mirror, "training-job/one").info.run_id
    mirror.client.set_tag(edited, "sagemaker.trial", name)
    mirror.client.set_tag(edited, "sagemaker.pipeline_execution", f"arn:aws:{name}")
    mirror.account.put_training_job(logged_job("two", definitions={}, **LIFE))
    report = sync(mirror)
    assert report.failed == []
    assert report.jobs["created"] == 1


def test_a_run_of_somebody_else_is_no_group(mirror: Mirror) -> None:
    """It may carry any tags."""
    put_trials(mirror.account, "first")
    put_component(mirror.account, "loose", "first")
    tags = {"sagemaker.kind": "trial", "sagemaker.name": "first", "sagemaker.arn": "none"}
    mirror.client.create_run("0", tags=tags)
    assert sync(mirror).failed == []
    assert parent(mirror, f"{COMPONENT}/loose") == f"{TRIAL}/first"
