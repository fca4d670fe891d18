"""The life of a training job: from Starting to its end, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mlflow_smwatch.demo.job_store import TrainingJob
from mlflow_smwatch.demo.validation import Answer, Parameters

END_STATES = {
    "Completed": "Completed",
    "Failed": "Failed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
}
ON_INSTANCES = {"Downloading", "Training"}
BILLED = {"Downloading", "Training", "Uploading", "Stopping"}
MESSAGES = {
    "Starting": "Starting the training job",
    "Pending": "Training job waiting for capacity",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Interrupted": "Training job interrupted",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}
NOT_KEPT = {"Tags", "SessionChainingConfig"}


def new_answer(parameters: Parameters, arn: str, now: datetime) -> Answer:
    """Make the DescribeTrainingJob answer of a job that was just created.

    Parameters
    ----------
    parameters
        Of CreateTrainingJob; everything that Describe has is kept.
    arn
        Of the job.
    now
        CreationTime.

    Returns
    -------
    dict
        The job is InProgress and Starting.
    """
    answer = {key: value for key, value in parameters.items() if key not in NOT_KEPT}
    if "AlgorithmSpecification" in answer:
        algorithm = answer["AlgorithmSpecification"]
        has_metrics = bool(algorithm.get("MetricDefinitions"))
        answer["AlgorithmSpecification"] = {
            "EnableSageMakerMetricsTimeSeries": has_metrics,
            **algorithm,
        }
    is_profiled = not answer.get("ProfilerConfig", {}).get("DisableProfiler", False)
    return {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        **answer,
        "TrainingJobArn": arn,
        "ModelArtifacts": {"S3ModelArtifacts": ""},
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "CreationTime": now,
        "LastModifiedTime": now,
        "ProfilingStatus": "Enabled" if is_profiled else "Disabled",
        "SecondaryStatusTransitions": [_transition("Starting", now, None)],
    }


def move(
    job: TrainingJob,
    *,
    status: str | None,
    secondary_status: str | None,
    at: datetime,
    failure_reason: str | None = None,
    message: str | None = None,
) -> None:
    """Bring a job into another state.

    Parameters
    ----------
    job
        Changed in place.
    status
        TrainingJobStatus; follows from the secondary status if None.
    secondary_status
        Follows from the status if None.
    at
        When it happens.
    failure_reason
        For a failed job.
    message
        StatusMessage; SageMaker's usual one if None.

    Raises
    ------
    ValueError
        Neither status is given.
    """
    status, secondary = _both(status, secondary_status)
    transitions = _moved(job.answer.get("SecondaryStatusTransitions", []), secondary, at, message)
    changes: dict[str, Any] = {
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary,
        "SecondaryStatusTransitions": transitions,
        "LastModifiedTime": at,
    }
    if failure_reason is not None:
        changes["FailureReason"] = failure_reason
    if secondary in ON_INSTANCES and "TrainingStartTime" not in job.answer:
        changes["TrainingStartTime"] = at
    if status in END_STATES.values():
        changes |= _end(job.answer, transitions, status, at)
    job.update(**changes)


def _both(status: str | None, secondary: str | None) -> tuple[str, str]:
    if status is None and secondary is None:
        message = "a status or a secondary status is needed"
        raise ValueError(message)
    if status is None:
        stopping = "Stopping" if secondary == "Stopping" else "InProgress"
        return END_STATES.get(str(secondary), stopping), str(secondary)
    return status, secondary or {"InProgress": "Training"}.get(status, status)


def _transition(status: str, start: datetime, message: str | None) -> Answer:
    text = message or MESSAGES.get(status, "")
    return {"Status": status, "StartTime": start, "StatusMessage": text}


def _moved(
    transitions: list[Answer], secondary: str, at: datetime, message: str | None
) -> list[Answer]:
    """Close the last transition and begin a new one; an end state begins and ends at once."""
    if transitions and transitions[-1]["Status"] == secondary:
        last = transitions[-1] | ({"StatusMessage": message} if message else {})
        return [*transitions[:-1], last]
    closed = [{"EndTime": at, **transition} for transition in transitions]
    new = _transition(secondary, at, message)
    return [*closed, new | {"EndTime": at} if secondary in END_STATES else new]


def _end(
    answer: Mapping[str, Any], transitions: list[Answer], status: str, at: datetime
) -> dict[str, Any]:
    """Give the fields that a job gets when it ends; a job that never ran has no times."""
    changes: dict[str, Any] = {}
    if "TrainingStartTime" in answer:
        billed = sum(
            (t["EndTime"] - t["StartTime"]).total_seconds()
            for t in transitions
            if t["Status"] in BILLED
        )
        spent = (at - answer["TrainingStartTime"]).total_seconds()
        changes = {
            "TrainingEndTime": at,
            "TrainingTimeInSeconds": max(1, round(spent)),
            "BillableTimeInSeconds": max(1, round(billed)),
        }
    output = answer.get("OutputDataConfig", {}).get("S3OutputPath")
    if status in {"Completed", "Stopped"} and "TrainingStartTime" in answer and output:
        artifact = f"{output.rstrip('/')}/{answer['TrainingJobName']}/output/model.tar.gz"
        changes["ModelArtifacts"] = {"S3ModelArtifacts": artifact}
    return changes
