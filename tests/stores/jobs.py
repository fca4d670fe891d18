"""Training jobs for an emulated account, with the metrics that SageMaker would have written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import ACCOUNT, NAMESPACE

LONG_NAME = "損" * 250
LONG_TAG = "尾" * 256
START = datetime.now(tz=timezone.utc).replace(second=0, microsecond=0) - timedelta(hours=30)


def completed(name: str, created: datetime = START, **changes: Any) -> dict[str, Any]:
    """Make DescribeTrainingJob's answer of a job of half an hour; None leaves a field out."""
    ended = created + timedelta(minutes=30)
    answer = {
        "TrainingJobName": name,
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": created,
        "TrainingStartTime": created + timedelta(minutes=2),
        "TrainingEndTime": ended,
        "LastModifiedTime": ended,
        "BillableTimeInSeconds": 1680,
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/training",
        "AlgorithmSpecification": {
            "TrainingImage": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/train:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:loss", "Regex": r"loss=(\S+)"}],
        },
        "HyperParameters": {"lr": "0.25", "optimizer": '"adam"'},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://data/{name}/"}
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://models/out"},
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://models/out/{name}/model.tar.gz"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "SecondaryStatusTransitions": [
            {"Status": "Training", "StartTime": created, "EndTime": ended, "StatusMessage": "ok"}
        ],
        **changes,
    }
    return {key: value for key, value in answer.items() if value is not None}


def put_loss(
    account: EmulatedAccount,
    name: str,
    created: datetime = START,
    values: Iterable[float] = (0.9, 0.5, 0.25),
    metric: str = "train:loss",
) -> None:
    """Store one point a minute of an algorithm metric, and one CPU sample."""
    begin = created.timestamp() * 1000
    points = [(round(begin + 60_000 * (n + 2)), value) for n, value in enumerate(values)]
    account.put_metric(NAMESPACE, metric, {"TrainingJobName": name}, points)
    account.put_metric(
        NAMESPACE, "CPUUtilization", {"Host": f"{name}/algo-1"}, [(points[0][0], 55.5)]
    )


def put_jobs(account: EmulatedAccount, *names: str, tags: Mapping[str, str] | None = None) -> None:
    """Store completed jobs, a minute apart, each with a loss and a CPU sample."""
    for place, name in enumerate(names):
        created = START + timedelta(minutes=place)
        account.put_training_job(completed(name, created), tags)
        put_loss(account, name, created)


def put_extreme(account: EmulatedAccount, name: str) -> None:
    """Store a job that goes to MLflow's limits: keys, values, numbers of params and tags."""
    created = START + timedelta(minutes=7)
    metrics = [f"{number:02}{LONG_NAME}"[:250] for number in range(8)]
    metrics += ["validation:auc", "loss (train) %", "損失", "a//b", "../up", "x" * 255]
    answer = completed(
        name,
        created,
        AlgorithmSpecification={
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": metric, "Regex": "=(.*)"} for metric in metrics],
        },
        HyperParameters={
            **{f"param-{number:03}": "損" * (5910 + number) for number in range(100)},
            "nul": "a\x00b",
            "odd name (%)": "1",
            "損失": "😀",
            "long": "y" * 6500,
        },
    )
    account.put_training_job(answer, {f"{n:02}{LONG_TAG}"[:128]: LONG_TAG[:256] for n in range(40)})
    for metric in metrics:
        put_loss(account, name, created, [n / 7 for n in range(25)], metric)
