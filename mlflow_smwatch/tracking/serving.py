"""The tracking store as those see it who serve artifacts: a server's own, or a client's."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from mlflow_smwatch.tracking.mlflow_features import (
    get_request_workspace,
    is_tracking_server_process,
    tells_plugins_the_store,
)

logger = logging.getLogger(__name__)

_HANDLERS = "mlflow.server.handlers"
_ARTIFACTS_ONLY = "_MLFLOW_SERVER_ARTIFACTS_ONLY"
_BACKEND_STORE = "_MLFLOW_SERVER_FILE_STORE"
_MISSING = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
_NOT_TOLD = (
    "run %s is not in %s, and MLflow before 3.1.2 does not say where it is:"
    " set MLFLOW_TRACKING_URI to its store, or install mlflow-skinny>=3.1.2"
)


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
    if tracking_uri is None and _without_store():
        return None
    own = _own_store() if tracking_uri is None else None
    store: Any = own or MlflowClient(tracking_uri=uri_of(tracking_uri))
    try:
        run: Run = store.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in _MISSING:
            raise
        if tracking_uri is None and not (_backend() or tells_plugins_the_store()):
            logger.warning(_NOT_TOLD, run_id, uri_of(None))
        return None
    return run


def uri_of(tracking_uri: str | None) -> str:
    """Return the URI of the store that :func:`run_of` reads.

    Parameters
    ----------
    tracking_uri
        As of :func:`run_of`.
    """
    return tracking_uri or _backend() or str(mlflow.get_tracking_uri())


def _own_store() -> Any | None:  # noqa: ANN401 - MLflow's, which has no type in common with clients
    """Return what the server's own handlers read, if this MLflow has it under the name we know."""
    find = getattr(sys.modules.get(_HANDLERS), "_get_tracking_store", None)
    return find() if find and _backend() else None


def _backend() -> str | None:
    """Return the URI of the store that this process serves; None where it serves none."""
    if os.environ.get(_ARTIFACTS_ONLY):
        return None
    return os.environ.get(_BACKEND_STORE) or None


def _without_store() -> bool:
    """Whether this is a server of artifacts alone, which nobody has told of a store."""
    only = bool(os.environ.get(_ARTIFACTS_ONLY))
    return only and not mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
