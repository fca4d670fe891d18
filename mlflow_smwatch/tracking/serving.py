"""The tracking store as those see it who serve artifacts: a server's own, or a client's."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.host_policy import is_tracking_server_process
from mlflow.utils.workspace_context import get_request_workspace

_HANDLERS = "mlflow.server.handlers"
_ARTIFACTS_ONLY = "_MLFLOW_SERVER_ARTIFACTS_ONLY"
_BACKEND_STORE = "_MLFLOW_SERVER_FILE_STORE"
_MISSING = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


def serves_others() -> bool:
    """Whether this process is a tracking server, or a job of one."""
    return is_tracking_server_process() or _HANDLERS in sys.modules


def workspace() -> str | None:
    """Name the workspace of the request that is being answered; None outside of one."""
    found: str | None = get_request_workspace()
    return found


def run_of(run_id: str, tracking_uri: str | None) -> Run | None:
    """Read a run; None where there is none, or this process knows no store.

    Parameters
    ----------
    run_id
        The run.
    tracking_uri
        Where it is; None for a server's own store, or MLflow's choice in a client.

    Raises
    ------
    MlflowException
        When MLflow cannot be read.
    """
    handlers = _handlers()
    if handlers is None and tracking_uri is None and _without_store():
        return None
    store: Any = (
        handlers._get_tracking_store()  # noqa: SLF001 - what the server's own handlers read
        if handlers and tracking_uri is None
        else MlflowClient(tracking_uri=tracking_uri or mlflow.get_tracking_uri())
    )
    try:
        run: Run = store.get_run(run_id)
    except MlflowException as error:
        if error.error_code in _MISSING:
            return None
        raise
    return run


def uri_of(tracking_uri: str | None) -> str:
    """Return the URI of the store that :func:`run_of` has read."""
    return tracking_uri or str(mlflow.get_tracking_uri())


def _handlers() -> ModuleType | None:
    """Return the handlers of a server that has a store."""
    if os.environ.get(_ARTIFACTS_ONLY) or not os.environ.get(_BACKEND_STORE):
        return None
    return sys.modules.get(_HANDLERS)


def _without_store() -> bool:
    """Whether this is a server of artifacts alone, which nobody has told of a store."""
    only = bool(os.environ.get(_ARTIFACTS_ONLY))
    return only and not mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
