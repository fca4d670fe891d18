"""``DescribeTrainingJob``, or the ``TrainingJob`` record of ``Search`` → job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mlflow_smwatch.core.hyperparameters import sdk_settings
from mlflow_smwatch.core.job import FinalMetric, Job, MetricDefinition, Phase, Usage
from mlflow_smwatch.core.job_kinds import TRAINING_JOB
from mlflow_smwatch.core.lineage import Lineage
from mlflow_smwatch.core.mappers import materials
from mlflow_smwatch.core.mappers.answers import (
    Answer,
    described,
    hosts,
    instance_groups,
    instances,
    moment_ms,
    number,
    pairs,
    part,
    parts,
    s3_channels,
    text,
    whole,
)
from mlflow_smwatch.core.reports import training_facts

_END_PHASES = frozenset(
    {"Completed", "Failed", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded"}
)
_RESTARTS = frozenset({"Interrupted", "Restarting"})


def training_job(answer: Answer) -> Job:
    """Make a job of what AWS said of a training job; see :func:`.describe.job_of`."""
    job = described(TRAINING_JOB, answer, "TrainingJob", end="TrainingEndTime")
    algorithm = part(answer, "AlgorithmSpecification")
    instance_type, instance_count = instances(part(answer, "ResourceConfig"))
    transitions = parts(answer, "SecondaryStatusTransitions")
    hyperparameters = pairs(part(answer, "HyperParameters"))
    job = replace(
        job,
        secondary_status=text(answer, "SecondaryStatus"),
        launched_ms=_launched_ms(transitions),
        restarted=_restarted(transitions),
        image=text(algorithm, "TrainingImage"),
        algorithm=text(algorithm, "AlgorithmName"),
        instance_type=instance_type,
        instance_count=instance_count,
        hosts=hosts(instance_count),
        billable_s=whole(answer, "BillableTimeInSeconds"),
        usage=_usage(answer),
        spot=answer.get("EnableManagedSpotTraining") is True,
        checkpoint=text(answer, "CheckpointConfig", "S3Uri"),
        tensorboard=text(answer, "TensorBoardOutputConfig", "S3OutputPath"),
        model_artifact=_model_artifact(answer, job.status),
        output=text(answer, "OutputDataConfig", "S3OutputPath"),
        own_run_id=text(answer, "MlflowDetails", "MlflowRunId"),
        hyperparameters=hyperparameters,
        code=code_in(hyperparameters),
        definitions=tuple(_definitions(parts(algorithm, "MetricDefinitions"))),
        final_metrics=tuple(_final_metrics(parts(answer, "FinalMetricDataList"))),
        channels=s3_channels(parts(answer, "InputDataConfig")),
        phases=tuple(_phases(transitions)),
        facts=training_facts(answer),
    )
    return replace(job, lineage=_lineage(job))


def _usage(answer: Answer) -> Usage | None:
    """Tell what is billed; instances of a training plan were paid for when it was bought."""
    resources, seconds = part(answer, "ResourceConfig"), number(answer, "BillableTimeInSeconds")
    if seconds is None or text(resources, "TrainingPlanArn"):
        return None
    retained = number(answer, "WarmPoolStatus", "ResourceRetainedBillableTimeInSeconds")
    notes = (f"not in it: {retained:g} s of each instance in a warm pool",) if retained else ()
    return Usage(seconds=seconds, instances=instance_groups(resources), notes=notes)


def code_in(hyperparameters: Iterable[tuple[str, str]]) -> str | None:
    """Find where the SDK put a job's code: ``sagemaker_submit_directory``, if that is in S3."""
    place = dict(sdk_settings(hyperparameters)).get("submit_directory", "")
    return place if place.startswith("s3://") else None


def _lineage(job: Job) -> Lineage:
    return (
        materials.read_by(job.arn, materials.DATA, *(each.uri for each in job.channels))
        + materials.read_by(job.arn, materials.IMAGE, job.image)
        + materials.read_by(job.arn, materials.CODE, job.code)
        + materials.written_by(job.arn, materials.MODEL_DATA, job.model_artifact)
        + materials.written_by(job.arn, materials.OUTPUT, materials.folder(job.output, job.name))
        + materials.written_by(job.arn, materials.CHECKPOINT, job.checkpoint)
    )


def _model_artifact(answer: Answer, status: str) -> str | None:
    if status not in {"Completed", "Stopped"}:
        return None
    return text(answer, "ModelArtifacts", "S3ModelArtifacts")


def _definitions(entries: Iterable[Answer]) -> Iterator[MetricDefinition]:
    for entry in entries:
        name, regex = text(entry, "Name"), text(entry, "Regex")
        if name:
            yield MetricDefinition(name=name, regex=regex or "")


def _final_metrics(entries: Iterable[Answer]) -> Iterator[FinalMetric]:
    for entry in entries:
        name, value = text(entry, "MetricName"), number(entry, "Value")
        timestamp_ms = moment_ms(entry, "Timestamp")
        if name and value is not None and timestamp_ms is not None:
            yield FinalMetric(name=name, value=value, timestamp_ms=timestamp_ms)


def _launched_ms(transitions: Iterable[Answer]) -> int | None:
    starts = (
        moment_ms(entry, "StartTime")
        for entry in transitions
        if entry.get("Status") in TRAINING_JOB.launch_phases
    )
    return max((start for start in starts if start is not None), default=None)


def _restarted(transitions: Iterable[Answer]) -> bool:
    statuses = [entry.get("Status") for entry in transitions]
    return statuses.count("Training") > 1 or not _RESTARTS.isdisjoint(statuses)


def _phases(transitions: Iterable[Answer]) -> Iterator[Phase]:
    durations: dict[str, int] = {}
    for entry in transitions:
        status = text(entry, "Status")
        begin_ms, end_ms = moment_ms(entry, "StartTime"), moment_ms(entry, "EndTime")
        if not status or status in _END_PHASES or begin_ms is None or end_ms is None:
            continue
        durations[status] = durations.get(status, 0) + end_ms - begin_ms
    for status, duration_ms in durations.items():
        yield Phase(status=status, duration_ms=duration_ms)
