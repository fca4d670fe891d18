"""Put the recorded training jobs into the emulated account, moved to the present.

Everything is written by the calls that SageMaker and its containers make in a real account:
CreateTrainingJob, PutLogEvents, PutMetricData, PutObject. Only what no AWS call can do, the life
cycle of a job, goes through the account object. Each job is dated in the past by the account's
clock; a job whose stretched recording is not over yet goes on by `advance`.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib.resources
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.environment import emulated_environment
from mlflow_smwatch.demo.record import Recording, pack_archive
from mlflow_smwatch.demo.workloads.catalog import Workload
from mlflow_smwatch.demo.workloads.schedule import (
    ENVIRONMENTS,
    EXPERIMENTS,
    PlacedJob,
    Transition,
    life_of,
    lines_of,
    place,
    utilisation_of,
)

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
METRIC_NAMESPACE = "/aws/sagemaker/TrainingJobs"
IMAGE_ACCOUNT = "683313688378"  # the scikit-learn images of us-east-1
ACCOUNT_ID = "123456789012"
EVENTS_PER_CALL = 1000  # PutLogEvents takes 10,000 events or 1 MB
DATA_PER_CALL = 500  # PutMetricData takes 1,000 metrics or 1 MB
MINUTE = timedelta(minutes=1)
MODEL_LEFT_OUT = b"The model of this recording was too big to be kept with the demo.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClients:
    """The boto3 clients of the emulated account, and the names that belong to it."""

    sagemaker: Any
    logs: Any
    cloudwatch: Any
    s3: Any
    region: str

    @classmethod
    def of(cls, account: EmulatedAccount) -> AccountClients:
        """Make the clients of an account, whatever the user's own environment says."""
        by_path = Config(s3={"addressing_style": "path"})
        with emulated_environment(account):
            session = boto3.Session()
            return cls(
                sagemaker=session.client("sagemaker"),
                logs=session.client("logs"),
                cloudwatch=session.client("cloudwatch"),
                s3=session.client("s3", config=by_path),
                region=session.region_name,
            )

    @property
    def bucket(self) -> str:
        """Return the bucket that the SageMaker SDK uses by default."""
        return f"sagemaker-{self.region}-{ACCOUNT_ID}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveJob:
    """A job, and how far it has been written.

    Attributes
    ----------
    written_until
        What happened up to and including this time is in the account.
    """

    job: PlacedJob
    clients: AccountClients
    written_until: datetime

    @property
    def name(self) -> str:
        """Return the name of the training job."""
        return self.job.name

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will happen."""
        return self.written_until >= self.job.finished

    def is_due(self, moment: datetime, now: datetime) -> bool:
        """Return whether a moment lies after what is written, and not after now."""
        return self.written_until < moment <= now


def replay(
    account: EmulatedAccount, recordings: Iterable[Recording], now: datetime
) -> tuple[LiveJob, ...]:
    """Create a training job of each recording, as of now.

    Parameters
    ----------
    account
        Running, and without these jobs.
    recordings
        Of different names.
    now
        Aware; the account's present.

    Returns
    -------
    tuple of LiveJob
        The jobs that are not over yet; give them to `advance` every few seconds.
    """
    clients = AccountClients.of(account)
    jobs = [place(recording, now) for recording in recordings]
    jobs.sort(key=lambda job: job.created)
    _prepare(account, clients, jobs)
    written = []
    for job in jobs:
        with account.clock.at(job.created):
            _create(job, clients)
        live = LiveJob(job=job, clients=clients, written_until=job.created)
        with account.clock.at(min(job.finished, now)):
            written.append(advance(account, live, now))
    return tuple(live for live in written if not live.is_over)


def advance(account: EmulatedAccount, live: LiveJob, now: datetime) -> LiveJob:
    """Write what has happened to a job since it was last written.

    Parameters
    ----------
    account
        Where `replay` created the job.
    live
        As `replay`, or the last call of this function, returned it.
    now
        Aware; the account's present.

    Returns
    -------
    LiveJob
        The job as written until now, for the next call.
    """
    if live.is_over:
        return live
    job = live.job
    due = [step for step in life_of(job) if live.is_due(step.at, now)]
    _move(account, job, [step for step in due if step.at <= job.started])
    _put_logs(live, now)
    _put_metrics(live, now)
    if live.is_due(job.finished, now):
        _put_model(job, live.clients)
    _move(account, job, [step for step in due if step.at > job.started])
    return dataclasses.replace(live, written_until=now)


def _move(account: EmulatedAccount, job: PlacedJob, steps: Iterable[Transition]) -> None:
    for step in steps:
        account.move_training_job(
            job.name,
            status=step.status,
            secondary_status=step.secondary_status,
            at=step.at,
            failure_reason=step.failure_reason,
        )


def _prepare(account: EmulatedAccount, clients: AccountClients, jobs: list[PlacedJob]) -> None:
    """Create what jobs share, just before the first that needs it."""
    with account.clock.at(jobs[0].created - MINUTE):
        clients.s3.create_bucket(Bucket=clients.bucket)
        clients.logs.create_log_group(logGroupName=LOG_GROUP)
    trials = {EXPERIMENTS[job.name]: job for job in reversed(jobs) if job.name in EXPERIMENTS}
    for (experiment, trial), first in trials.items():
        with account.clock.at(first.created - MINUTE):
            clients.sagemaker.create_experiment(ExperimentName=experiment)
            clients.sagemaker.create_trial(ExperimentName=experiment, TrialName=trial)


def _create(job: PlacedJob, clients: AccountClients) -> None:
    """Upload the script and create the training job, as the SageMaker SDK does."""
    script = job.recording.workload.script
    source = importlib.resources.files("mlflow_smwatch.demo.workloads") / script
    clients.s3.put_object(
        Bucket=clients.bucket,
        Key=_source_key(job),
        Body=pack_archive({script: source.read_bytes()}),
    )
    clients.sagemaker.create_training_job(**_request(job, clients))


def _source_key(job: PlacedJob) -> str:
    return f"{job.name}/source/sourcedir.tar.gz"


def _request(job: PlacedJob, clients: AccountClients) -> dict[str, Any]:
    """Return the parameters of CreateTrainingJob."""
    workload = job.recording.workload
    image = f"{IMAGE_ACCOUNT}.dkr.ecr.{clients.region}.amazonaws.com"
    algorithm: dict[str, Any] = {
        "TrainingImage": f"{image}/sagemaker-scikit-learn:1.4-2-cpu-py3",
        "TrainingInputMode": "File",
    }
    if workload.metric_definitions:
        algorithm["MetricDefinitions"] = [
            {"Name": definition.name, "Regex": definition.regex}
            for definition in workload.metric_definitions
        ]
    request: dict[str, Any] = {
        "TrainingJobName": job.name,
        "RoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/SageMakerTraining",
        "AlgorithmSpecification": algorithm,
        "HyperParameters": _hyperparameters(job, clients),
        "InputDataConfig": [_channel(workload, channel, clients) for channel in workload.channels],
        "OutputDataConfig": {"S3OutputPath": f"s3://{clients.bucket}/"},
        "ResourceConfig": {
            "InstanceType": workload.instance_type,
            "InstanceCount": workload.instance_count,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
        "Tags": [{"Key": key, "Value": value} for key, value in _tags(job.recording).items()],
    }
    if job.name in ENVIRONMENTS:
        request["Environment"] = ENVIRONMENTS[job.name]
    if job.name in EXPERIMENTS:
        experiment, trial = EXPERIMENTS[job.name]
        request["ExperimentConfig"] = {
            "ExperimentName": experiment,
            "TrialName": trial,
            "TrialComponentDisplayName": job.name,
        }
    return request


def _hyperparameters(job: PlacedJob, clients: AccountClients) -> dict[str, str]:
    """Return the hyperparameters, each JSON-encoded as the SageMaker SDK does."""
    workload = job.recording.workload
    values: dict[str, object] = {
        **workload.hyperparameters,
        "sagemaker_program": workload.script,
        "sagemaker_submit_directory": f"s3://{clients.bucket}/{_source_key(job)}",
        "sagemaker_region": clients.region,
        "sagemaker_job_name": job.name,
        "sagemaker_container_log_level": 20,
    }
    return {name: json.dumps(value) for name, value in values.items()}


def _channel(workload: Workload, channel: str, clients: AccountClients) -> dict[str, Any]:
    uri = f"s3://{clients.bucket}/datasets/{workload.dataset}/{channel}/"
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": channel, "DataSource": {"S3DataSource": source}}


def _tags(recording: Recording) -> Mapping[str, str]:
    """Return the resource tags that say where the job's figures come from."""
    tags = {
        "emulated": "true",
        "recorded-at": recording.recorded_at,
        "time-scale": f"1 recorded second = {recording.workload.time_scale} s",
        "scikit-learn": recording.sklearn_version,
    }
    if recording.workload.gpu_figures:
        tags["gpu-figures"] = recording.workload.gpu_figures
    return tags


def _put_logs(live: LiveJob, now: datetime) -> None:
    """Write the lines of output that are due, one log stream per host."""
    job, logs = live.job, live.clients.logs
    for host in job.recording.hosts:
        stream = f"{job.name}/{host.name}-{int(job.started.timestamp())}"
        if live.is_due(job.started, now):
            logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        due = (
            {"timestamp": round(moment.timestamp() * 1000), "message": text}
            for moment, text in lines_of(job, host)
            if live.is_due(moment, now)
        )
        for events in _batches(due, EVENTS_PER_CALL):
            logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)


def _put_metrics(live: LiveJob, now: datetime) -> None:
    """Write the hosts' utilisation that is due, one datum a minute as SageMaker does."""
    data = (
        {
            "MetricName": name,
            "Dimensions": [{"Name": "Host", "Value": f"{live.name}/{host.name}"}],
            "Timestamp": minute,
            "Value": value,
            "Unit": "Percent",
        }
        for host in live.job.recording.hosts
        for minute, figures in utilisation_of(live.job, host)
        if live.is_due(minute, now)
        for name, value in figures.items()
    )
    for batch in _batches(data, DATA_PER_CALL):
        live.clients.cloudwatch.put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=batch)


def _put_model(job: PlacedJob, clients: AccountClients) -> None:
    """Upload the model artifact to where DescribeTrainingJob will say it is."""
    if job.recording.outcome == "failed":
        return
    model = job.recording.model
    packed = pack_archive({"README": MODEL_LEFT_OUT}) if model is None else base64.b64decode(model)
    key = f"{job.name}/output/model.tar.gz"
    clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=packed)


def _batches(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch
