"""The emulated account, and boto3 clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

import boto3
import pytest
from botocore.config import Config

from mlflow_smwatch.demo.account import EmulatedAccount

NOW = datetime(2026, 3, 2, 12, 0, 30, tzinfo=timezone.utc)
GROUP = "/aws/sagemaker/TrainingJobs"


class Clients:
    """boto3 clients of one account that never try again."""

    def __init__(self, account: EmulatedAccount, region: str | None = None) -> None:
        self._account = account
        self._region = region or account.region

    @cached_property
    def sagemaker(self) -> Any:
        """Client of SageMaker."""
        return self.make("sagemaker")

    @cached_property
    def cloudwatch(self) -> Any:
        """Client of CloudWatch."""
        return self.make("cloudwatch")

    @cached_property
    def logs(self) -> Any:
        """Client of CloudWatch Logs."""
        return self.make("logs")

    def make(self, service: str, **config: Any) -> Any:
        """Make a client of a service."""
        environment = self._account.environment
        return boto3.client(
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self._region,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )


@pytest.fixture
def account() -> Iterator[EmulatedAccount]:
    """Serve an empty account whose clock stands at NOW."""
    with EmulatedAccount() as account:
        account.clock.set(NOW)
        yield account


@pytest.fixture
def clients(account: EmulatedAccount) -> Clients:
    """Clients of the account."""
    return Clients(account)


@pytest.fixture
def job_request() -> Callable[..., dict[str, Any]]:
    """Give a whole CreateTrainingJob request, fields replaced or (None) left out."""

    def make(name: str = "job-1", **changes: Any) -> dict[str, Any]:
        request = {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/training",
            "AlgorithmSpecification": {
                "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/xgb:1",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": r"loss=(\S+)"}],
            },
            "HyperParameters": {"lr": "0.25", "optimizer": '"adam"'},
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": f"s3://data/{channel}/",
                        }
                    },
                }
                for channel in ("train", "validation")
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://models/out/"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **changes,
        }
        return {key: value for key, value in request.items() if value is not None}

    return make
