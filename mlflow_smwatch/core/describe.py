"""A describe or search answer of AWS → :class:`~mlflow_smwatch.core.job.Job`.

The only place that knows the shape of AWS's answers (botocore model ``sagemaker`` 2017-07-24,
``DescribeTrainingJob`` and the ``TrainingJob`` record of ``Search``). The answer must be redacted
already.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.job import Channel, FinalMetric, Job, Kinship, MetricDefinition, Phase
from mlflow_smwatch.core.job_kinds import TRAINING_JOB
from mlflow_smwatch.core.keys import legal_value

Answer = Mapping[str, Any]

_END_PHASES = frozenset(
    {"Completed", "Failed", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded"}
)


def training_job(answer: Answer) -> Job:
    """Make a job of a ``DescribeTrainingJob`` answer or a ``Search`` record.

    Parameters
    ----------
    answer
        The redacted answer; datetimes are aware. ``DescribeTrainingJob`` carries no ``Tags``: add
        them.

    Returns
    -------
    Job

    Raises
    ------
    JobError
        When the answer lacks what every job has (name, ARN, status, CreationTime).
    """
    missing = [
        key
        for key in ("TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "CreationTime")
        if not answer.get(key)
    ]
    if missing:
        message = f"AWS described a training job without {', '.join(missing)}"
        raise JobError(message)
    algorithm = _map(answer, "AlgorithmSpecification")
    experiment = _map(answer, "ExperimentConfig")
    instance_type, instance_count = _instances(_map(answer, "ResourceConfig"))
    status = str(answer["TrainingJobStatus"])
    modified = answer.get("LastModifiedTime") or answer["CreationTime"]
    return Job(
        kind=TRAINING_JOB,
        arn=Arn.parse(str(answer["TrainingJobArn"])),
        name=str(answer["TrainingJobName"]),
        status=status,
        secondary_status=answer.get("SecondaryStatus"),
        created_ms=to_ms(answer["CreationTime"]),
        modified_ms=to_ms(modified),
        ended_ms=_end_ms(answer, status),
        launched_ms=_launched_ms(answer.get("SecondaryStatusTransitions") or ()),
        failure_reason=answer.get("FailureReason"),
        image=algorithm.get("TrainingImage"),
        algorithm=algorithm.get("AlgorithmName"),
        role_arn=answer.get("RoleArn"),
        instance_type=instance_type,
        instance_count=instance_count,
        hosts=tuple(f"algo-{number}" for number in range(1, (instance_count or 1) + 1)),
        billable_s=answer.get("BillableTimeInSeconds"),
        spot=bool(answer.get("EnableManagedSpotTraining")),
        checkpoint=_map(answer, "CheckpointConfig").get("S3Uri"),
        tensorboard=_map(answer, "TensorBoardOutputConfig").get("S3OutputPath"),
        kinship=Kinship(
            experiment=experiment.get("ExperimentName"),
            trial=experiment.get("TrialName"),
            tuning_job=_arn_name(answer.get("TuningJobArn")),
            automl_job=_arn_name(answer.get("AutoMLJobArn")),
        ),
        model_artifact=_model_artifact(answer, status),
        output=_map(answer, "OutputDataConfig").get("S3OutputPath"),
        own_run_id=_map(answer, "MlflowDetails").get("MlflowRunId"),
        hyperparameters=_pairs(_map(answer, "HyperParameters")),
        definitions=tuple(_definitions(algorithm.get("MetricDefinitions") or ())),
        final_metrics=tuple(_final_metrics(answer.get("FinalMetricDataList") or ())),
        channels=tuple(_channels(answer.get("InputDataConfig") or ())),
        phases=tuple(_phases(answer.get("SecondaryStatusTransitions") or ())),
        tags=_pairs(_tag_map(answer)),
        document=document(answer),
    )


def to_ms(moment: datetime) -> int:
    """Turn an aware datetime into whole milliseconds since the epoch."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(aware.timestamp() * 1000)


def iso_utc(moment_ms: int) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds: ``2026-01-31T12:00:00.000Z``."""
    moment = datetime.fromtimestamp(moment_ms / 1000, tz=timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def document(answer: Answer) -> str:
    """Write an AWS answer as JSON text with sorted keys and ISO times, one value for one answer."""
    content = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    text = json.dumps(content, indent=2, sort_keys=True, default=_json_value, ensure_ascii=False)
    return legal_value(text, len(text))


def with_log_streams(text: str, names: Sequence[str]) -> str:
    """Add the names of a job's log streams to its document, as ``LogStreams``."""
    return document({**json.loads(text), "LogStreams": list(names)})


def _json_value(value: object) -> str:
    return iso_utc(to_ms(value)) if isinstance(value, datetime) else str(value)


def _map(answer: Answer, key: str) -> Answer:
    return answer.get(key) or {}


def _pairs(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(key), str(value)) for key, value in values.items()))


def _tag_map(answer: Answer) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags") or ()}


def _arn_name(arn: str | None) -> str | None:
    return Arn.parse(arn).resource_name if arn else None


def _instances(resources: Answer) -> tuple[str | None, int | None]:
    groups = resources.get("InstanceGroups") or ()
    if groups:
        types = dict.fromkeys(group["InstanceType"] for group in groups)
        return ", ".join(types), sum(group["InstanceCount"] for group in groups)
    kind = resources.get("SelectedInstanceType") or resources.get("InstanceType")
    count = resources.get("SelectedInstanceCount") or resources.get("InstanceCount")
    return kind, count


def _end_ms(answer: Answer, status: str) -> int | None:
    if status not in TRAINING_JOB.end_states:
        return None
    end = answer.get("TrainingEndTime") or answer.get("LastModifiedTime")
    return to_ms(end) if end else None


def _model_artifact(answer: Answer, status: str) -> str | None:
    if status not in {"Completed", "Stopped"}:
        return None
    return _map(answer, "ModelArtifacts").get("S3ModelArtifacts") or None


def _definitions(entries: Sequence[Answer]) -> Iterator[MetricDefinition]:
    for entry in entries:
        yield MetricDefinition(name=entry["Name"], regex=entry["Regex"])


def _final_metrics(entries: Sequence[Answer]) -> Iterator[FinalMetric]:
    for entry in entries:
        if entry.get("MetricName") and entry.get("Timestamp") and entry.get("Value") is not None:
            yield FinalMetric(
                name=entry["MetricName"],
                value=float(entry["Value"]),
                timestamp_ms=to_ms(entry["Timestamp"]),
            )


def _channels(entries: Sequence[Answer]) -> Iterator[Channel]:
    for entry in entries:
        uri = _map(_map(entry, "DataSource"), "S3DataSource").get("S3Uri")
        if uri:
            yield Channel(name=entry["ChannelName"], uri=uri)


def _launched_ms(entries: Sequence[Answer]) -> int | None:
    starts = [
        to_ms(entry["StartTime"])
        for entry in entries
        if entry["Status"] in TRAINING_JOB.launch_phases and entry.get("StartTime")
    ]
    return max(starts, default=None)


def _phases(entries: Sequence[Answer]) -> Iterator[Phase]:
    durations: dict[str, int] = {}
    for entry in entries:
        status = entry["Status"]
        if status in _END_PHASES or not entry.get("EndTime") or not entry.get("StartTime"):
            continue
        duration_ms = to_ms(entry["EndTime"]) - to_ms(entry["StartTime"])
        durations[status] = durations.get(status, 0) + duration_ms
    for status, duration_ms in durations.items():
        yield Phase(status=status, duration_ms=duration_ms)
