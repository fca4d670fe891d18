"""What is different between the kinds of recordings when they are replayed."""

from __future__ import annotations

import base64
import importlib.resources
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.job_requests import (
    input_uris,
    model_name,
    output_key,
    processing_request,
    source_key,
    tag_list,
    tags_of,
    training_request,
    transform_request,
)
from mlflow_smwatch.demo.recording import pack_archive
from mlflow_smwatch.demo.workloads.experiments import trials_of
from mlflow_smwatch.demo.workloads.families import TUNED, TUNING_JOB
from mlflow_smwatch.demo.workloads.schedule import PlacedJob, Transition, lines_of

MODEL_LEFT_OUT = b"The model of this recording was too big to be kept with the demo.\n"
DATA_LOG = (
    "[sagemaker logs]: MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=SINGLE_RECORD"
)
SERIES = {"wine-learning-curve"}
POINTS_PER_CALL = 10  # BatchPutMetrics, MetricData
_CHILDREN = {workload.name for workload in TUNED}

Create = Callable[[PlacedJob, AccountClients, EmulatedAccount], None]
Finish = Callable[[PlacedJob, AccountClients, EmulatedAccount], None]
Move = Callable[[EmulatedAccount, PlacedJob, Transition], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedKind:
    """How one kind is written into the account.

    Attributes
    ----------
    create
        Makes it, at its creation.
    move
        Brings it into its next status.
    finish
        Writes what it leaves behind, just before its end.
    folder
        CloudWatch namespace and log group, which have one name; None where it has none.
    without
        CloudWatch metrics that its hosts do not have.
    """

    create: Create
    move: Move
    finish: Finish
    folder: str | None = None
    without: frozenset[str] = frozenset()


def _create_training(job: PlacedJob, clients: AccountClients, account: EmulatedAccount) -> None:
    """Upload the script and create the job; a tuning job's child is told its parent."""
    script = job.recording.workload.script
    _put(clients, source_key(job), pack_archive({script: _source(script)}))
    clients.sagemaker.create_training_job(**training_request(job, clients))
    if job.name in _CHILDREN:
        answer = clients.sagemaker.describe_training_job(TrainingJobName=job.name)
        del answer["ResponseMetadata"]
        parent = clients.arn(f"hyper-parameter-tuning-job/{TUNING_JOB}")
        account.put_training_job({**answer, "TuningJobArn": parent}, tags_of(job.recording))


def _move_training(account: EmulatedAccount, job: PlacedJob, step: Transition) -> None:
    account.move_training_job(
        job.name,
        status=step.status,
        secondary_status=step.secondary_status,
        at=step.at,
        failure_reason=step.failure_reason,
    )


def _finish_training(job: PlacedJob, clients: AccountClients, _account: EmulatedAccount) -> None:
    """Upload the model artifact to where DescribeTrainingJob will say it is."""
    if job.recording.outcome == "failed":
        return
    model = job.recording.model
    packed = pack_archive({"README": MODEL_LEFT_OUT}) if model is None else base64.b64decode(model)
    _put(clients, output_key(job, "model.tar.gz"), packed)


def _create_processing(job: PlacedJob, clients: AccountClients, _account: EmulatedAccount) -> None:
    _put(clients, source_key(job), _source(job.recording.workload.script))
    clients.sagemaker.create_processing_job(**processing_request(job, clients))


def _create_transform(job: PlacedJob, clients: AccountClients, account: EmulatedAccount) -> None:
    """Create the model of the training job, then the transform job that uses it."""
    training = job.recording.workload.model or ""
    with account.clock.at(job.created - timedelta(minutes=1)):
        clients.sagemaker.create_model(
            ModelName=model_name(training),
            PrimaryContainer={
                "Image": clients.image,
                "ModelDataUrl": clients.uri(f"{training}/output/model.tar.gz"),
            },
            ExecutionRoleArn=clients.role,
            Tags=tag_list(tags_of(job.recording)),
        )
    clients.sagemaker.create_transform_job(**transform_request(job, clients))


def _put_outputs(job: PlacedJob, clients: AccountClients, _account: EmulatedAccount) -> None:
    """Upload what a processing or transform job wrote."""
    for path, text in job.recording.outputs.items():
        _put(clients, output_key(job, path), text.encode())


def _mover(word: str, noun: str, times: str) -> Move:
    """Make what moves jobs that have a status and nothing finer."""

    def move(account: EmulatedAccount, job: PlacedJob, step: Transition) -> None:
        changes: dict[str, Any] = {}
        if step.at == job.started:
            changes = {f"{times}StartTime": step.at}
        elif step.at == job.finished:
            changes = {f"{noun}Status": step.status, f"{times}EndTime": step.at}
        if changes:
            account.update_job(word, job.name, LastModifiedTime=step.at, **changes)

    return move


def _create_component(job: PlacedJob, clients: AccountClients, _account: EmulatedAccount) -> None:
    """Create a trial component as a notebook does, and put it into its trials."""
    workload = job.recording.workload
    parameters = {
        name: {"StringValue": value} if isinstance(value, str) else {"NumberValue": value}
        for name, value in workload.hyperparameters.items()
    }
    clients.sagemaker.create_trial_component(
        TrialComponentName=job.name,
        Status={"PrimaryStatus": "InProgress"},
        StartTime=job.created,
        Parameters=parameters,
        InputArtifacts={
            name: {"Value": uri, "MediaType": "text/csv"}
            for name, uri in input_uris(workload, clients).items()
        },
        Tags=tag_list(tags_of(job.recording)),
    )
    for _, trial in trials_of(job.name):
        clients.sagemaker.associate_trial_component(TrialComponentName=job.name, TrialName=trial)


def _move_component(account: EmulatedAccount, job: PlacedJob, step: Transition) -> None:
    if step.at == job.finished:
        account.experiments.update_trial_component(
            job.name,
            Status={"PrimaryStatus": step.status},
            EndTime=step.at,
            LastModifiedTime=step.at,
        )


def _finish_component(job: PlacedJob, clients: AccountClients, account: EmulatedAccount) -> None:
    """Leave the report, and the metrics: as whole series, or as their summaries alone."""
    found = {
        definition.name: list(_values(job, definition.regex))
        for definition in job.recording.workload.metric_definitions
    }
    report = output_key(job, "report.txt")
    _put(clients, report, "\n".join(text for _, text in _lines(job)).encode())
    account.experiments.update_trial_component(
        job.name,
        OutputArtifacts={"report": {"Value": clients.uri(report), "MediaType": "text/plain"}},
    )
    if job.name in SERIES:
        _put_series(job, clients, found)
    else:
        summaries = [_summary(job, clients, *each) for each in found.items()]
        account.experiments.update_trial_component(job.name, Metrics=summaries)


def _put_series(
    job: PlacedJob, clients: AccountClients, found: Mapping[str, list[tuple[datetime, float]]]
) -> None:
    data = [
        {"MetricName": name, "Timestamp": moment, "Step": step, "Value": value}
        for name, points in found.items()
        for step, (moment, value) in enumerate(points)
    ]
    for start in range(0, len(data), POINTS_PER_CALL):
        clients.metrics.batch_put_metrics(
            TrialComponentName=job.name, MetricData=data[start : start + POINTS_PER_CALL]
        )


def _summary(
    job: PlacedJob, clients: AccountClients, name: str, points: list[tuple[datetime, float]]
) -> dict[str, Any]:
    values = [value for _, value in points]
    average = sum(values) / len(values)
    variance = sum((value - average) ** 2 for value in values) / len(values)
    return {
        "MetricName": name,
        "SourceArn": clients.arn(f"experiment-trial-component/{job.name}"),
        "TimeStamp": points[-1][0],
        "Max": max(values),
        "Min": min(values),
        "Last": values[-1],
        "Count": len(values),
        "Avg": average,
        "StdDev": variance**0.5,
    }


def _values(job: PlacedJob, regex: str) -> Iterator[tuple[datetime, float]]:
    for moment, text in _lines(job):
        if match := re.search(regex, text):
            yield moment, float(match[1])


def _lines(job: PlacedJob) -> Iterator[tuple[datetime, str]]:
    return lines_of(job, job.recording.hosts[0])


def _source(script: str) -> bytes:
    return (importlib.resources.files("mlflow_smwatch.demo.workloads") / script).read_bytes()


def _put(clients: AccountClients, key: str, content: bytes) -> None:
    clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=content)


REPLAYED_KINDS = {
    "training-job": ReplayedKind(
        create=_create_training,
        move=_move_training,
        finish=_finish_training,
        folder="/aws/sagemaker/TrainingJobs",
    ),
    "processing-job": ReplayedKind(
        create=_create_processing,
        move=_mover("processing-job", "ProcessingJob", "Processing"),
        finish=_put_outputs,
        folder="/aws/sagemaker/ProcessingJobs",
    ),
    "transform-job": ReplayedKind(
        create=_create_transform,
        move=_mover("transform-job", "TransformJob", "Transform"),
        finish=_put_outputs,
        folder="/aws/sagemaker/TransformJobs",
        without=frozenset({"DiskUtilization"}),
    ),
    "trial-component": ReplayedKind(
        create=_create_component, move=_move_component, finish=_finish_component
    ),
}
