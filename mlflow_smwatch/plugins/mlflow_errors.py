"""The errors of this package as MLflow's, for those who look at artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
)

from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    LogsGoneError,
    ObjectGoneError,
    RetriableError,
    SmwatchError,
    StopError,
    UnknownJobError,
    UsageError,
)

_CODES = (
    (AccessDeniedError, PERMISSION_DENIED),
    ((LogsGoneError, ObjectGoneError, UnknownJobError), RESOURCE_DOES_NOT_EXIST),
    (UsageError, INVALID_PARAMETER_VALUE),
    ((RetriableError, StopError), TEMPORARILY_UNAVAILABLE),
)


@contextmanager
def mlflow_errors() -> Iterator[None]:
    """Turn this package's errors into MLflow's, one line each.

    Raises
    ------
    MlflowException
        With the code that tells a server which HTTP status to answer.
    """
    try:
        yield
    except SmwatchError as error:
        codes = (code for kinds, code in _CODES if isinstance(error, kinds))
        raise MlflowException(str(error), next(codes, INTERNAL_ERROR)) from error
