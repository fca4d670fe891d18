"""The jobs of the benchmark account: completed, one host, 8 series of 60 points each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlflow_smwatch.core import job_series

NAMESPACE = "/aws/sagemaker/TrainingJobs"
POINTS = 60
ALGORITHM_METRICS = ("train:loss", "validation:loss", "validation:accuracy")
INSTANCE_METRICS = tuple(name for name, _ in job_series.INSTANCE_METRICS)
SERIES = len(ALGORITHM_METRICS) + len(INSTANCE_METRICS)

_OLDEST = timedelta(days=6)
_NEWEST = timedelta(hours=3)
_MINUTE = timedelta(minutes=1)
_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6-gpu-py312"
_BUCKET = "s3://sagemaker-us-east-1-123456789012"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedJob:
    """One job of the account.

    Attributes
    ----------
    number
        From 0, oldest first.
    created
        CreationTime, aware.
    """

    number: int
    created: datetime

    @property
    def name(self) -> str:
        """TrainingJobName."""
        return name_of(self.number)

    @property
    def started(self) -> datetime:
        """TrainingStartTime."""
        return self.created + 2 * _MINUTE

    @property
    def ended(self) -> datetime:
        """TrainingEndTime: one point a minute until then."""
        return self.started + POINTS * _MINUTE

    def dimensions(self, metric: str) -> dict[str, str]:
        """Return the dimensions that CloudWatch stores a metric of the job under."""
        if metric in ALGORITHM_METRICS:
            return {"TrainingJobName": self.name}
        return {"Host": f"{self.name}/algo-1"}

    def points(self, metric: str) -> Iterator[tuple[int, float]]:
        """Give timestamps (ms, ascending, whole minutes) and values of one metric."""
        first_ms = math.ceil(self.started.timestamp() / 60) * 60_000
        height = 1.0 if metric in ALGORITHM_METRICS else 50.0
        shift = (ALGORITHM_METRICS + INSTANCE_METRICS).index(metric) + self.number
        for minute in range(POINTS):
            value = height * (1.5 + math.sin(shift + minute / 7)) / (1 + minute / 20)
            yield first_ms + minute * 60_000, value

    def answer(self) -> dict[str, Any]:
        """Return what DescribeTrainingJob answers."""
        return {
            "TrainingJobName": self.name,
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "CreationTime": self.created,
            "TrainingStartTime": self.started,
            "TrainingEndTime": self.ended,
            "LastModifiedTime": self.ended,
            "BillableTimeInSeconds": POINTS * 60,
            "RoleArn": "arn:aws:iam::123456789012:role/training",
            "AlgorithmSpecification": {
                "TrainingImage": _IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [
                    {"Name": name, "Regex": name + r"=(\S+)"} for name in ALGORITHM_METRICS
                ],
            },
            "HyperParameters": {
                "epochs": "60",
                "batch-size": "128",
                "learning-rate": str(0.1 / (self.number + 1)),
                "optimizer": '"adam"',
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": f'"{_BUCKET}/{self.name}/source/sourcedir.tar.gz"',
            },
            "InputDataConfig": [_channel(name) for name in ("train", "validation")],
            "OutputDataConfig": {"S3OutputPath": f"{_BUCKET}/output/"},
            "ModelArtifacts": {
                "S3ModelArtifacts": f"{_BUCKET}/output/{self.name}/output/model.tar.gz"
            },
            "ResourceConfig": {
                "InstanceType": "ml.g5.xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 100,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
            "SecondaryStatusTransitions": self._transitions(),
            "FinalMetricDataList": [self._final(name) for name in ALGORITHM_METRICS],
        }

    def _transitions(self) -> list[dict[str, Any]]:
        begins = {
            "Starting": self.created,
            "Downloading": self.created + _MINUTE,
            "Training": self.started,
            "Uploading": self.ended - _MINUTE / 2,
            "Completed": self.ended,
        }
        ends = [*list(begins.values())[1:], self.ended]
        return [
            {"Status": status, "StartTime": begin, "EndTime": end}
            for (status, begin), end in zip(begins.items(), ends, strict=True)
        ]

    def _final(self, metric: str) -> dict[str, Any]:
        *_, (_, value) = self.points(metric)
        return {"MetricName": metric, "Value": value, "Timestamp": self.ended}


def name_of(number: int) -> str:
    """Return the name of a job."""
    return f"benchmark-{number:05d}"


def place(jobs: int, now: datetime) -> Iterator[PlacedJob]:
    """Spread jobs evenly over the last six days; the newest has ended an hour or more ago."""
    for number in range(jobs):
        age = _OLDEST - (_OLDEST - _NEWEST) * number / jobs
        yield PlacedJob(number=number, created=now - age)


def _channel(name: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{_BUCKET}/datasets/digits/{name}/"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}
