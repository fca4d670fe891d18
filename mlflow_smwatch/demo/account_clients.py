"""The boto3 clients of the emulated account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.environment import emulated_environment

ACCOUNT_ID = "123456789012"
IMAGE_ACCOUNT = "683313688378"  # the scikit-learn images of us-east-1


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClients:
    """The boto3 clients of the emulated account, and the names that belong to it."""

    sagemaker: Any
    metrics: Any
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
                metrics=session.client("sagemaker-metrics"),
                logs=session.client("logs"),
                cloudwatch=session.client("cloudwatch"),
                s3=session.client("s3", config=by_path),
                region=session.region_name,
            )

    @property
    def bucket(self) -> str:
        """Return the bucket that the SageMaker SDK uses by default."""
        return f"sagemaker-{self.region}-{ACCOUNT_ID}"

    @property
    def image(self) -> str:
        """Return the image that all jobs run in."""
        registry = f"{IMAGE_ACCOUNT}.dkr.ecr.{self.region}.amazonaws.com"
        return f"{registry}/sagemaker-scikit-learn:1.4-2-cpu-py3"

    @property
    def role(self) -> str:
        """Return the role that all jobs have."""
        return f"arn:aws:iam::{ACCOUNT_ID}:role/SageMakerTraining"

    def arn(self, resource: str) -> str:
        """Return the ARN of a resource such as ``training-job/name``."""
        return f"arn:aws:sagemaker:{self.region}:{ACCOUNT_ID}:{resource}"

    def uri(self, key: str) -> str:
        """Return the S3 URI of a key in the bucket."""
        return f"s3://{self.bucket}/{key}"
