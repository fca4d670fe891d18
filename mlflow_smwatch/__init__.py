"""Mirror SageMaker jobs into MLflow runs: metrics, utilisation, links, models."""

from typing import TYPE_CHECKING

from mlflow_smwatch._version import __version__
from mlflow_smwatch.api import autolog, lineage, mirror, sync, verify
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

if TYPE_CHECKING:
    from mlflow_smwatch.core.lineage_graph import LineageGraph

__all__ = [
    "AccessDeniedError",
    "AwsUnreachableError",
    "CredentialsError",
    "InvalidRequestError",
    "JobError",
    "LineageGraph",
    "LogsGoneError",
    "RetriableError",
    "SmwatchError",
    "StopError",
    "TrackingError",
    "UnknownJobError",
    "UsageError",
    "__version__",
    "autolog",
    "lineage",
    "mirror",
    "sync",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import what is seldom needed when it is asked for."""
    if name == "LineageGraph":
        from mlflow_smwatch.core.lineage_graph import LineageGraph

        return LineageGraph
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
