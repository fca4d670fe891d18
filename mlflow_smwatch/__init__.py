"""Mirror SageMaker jobs into MLflow runs: metrics, utilisation, links, models."""

from mlflow_smwatch._version import __version__
from mlflow_smwatch.api import mirror, sync, verify
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    AwsUnreachableError,
    CredentialsError,
    InvalidRequestError,
    JobError,
    LogsGoneError,
    RetriableError,
    SmwatchError,
    StopError,
    TrackingError,
    UnknownJobError,
    UsageError,
)

__all__ = [
    "AccessDeniedError",
    "AwsUnreachableError",
    "CredentialsError",
    "InvalidRequestError",
    "JobError",
    "LogsGoneError",
    "RetriableError",
    "SmwatchError",
    "StopError",
    "TrackingError",
    "UnknownJobError",
    "UsageError",
    "__version__",
    "mirror",
    "sync",
    "verify",
]
