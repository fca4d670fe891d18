"""MLflow's SQL stores under ``smwatch+…`` URIs; the tracking store writes a batch at once.

MLflow loads these functions while it is itself being imported: what they need they import when
they are called. Its own builders are ``_get_sqlalchemy_store`` in
``mlflow/tracking/_tracking_service/utils.py`` and ``mlflow/tracking/_model_registry/utils.py``
(client) and in ``mlflow/server/handlers.py`` (server).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.store.model_registry.abstract_store import AbstractStore as RegistryStore
    from mlflow.store.tracking.abstract_store import AbstractStore as TrackingStore
    from mlflow.store.workspace.abstract_store import AbstractStore as WorkspaceStore


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> TrackingStore:
    """Build MLflow's SQL tracking store with batches that are written in one transaction.

    Parameters
    ----------
    store_uri
        The URI of the database with ``smwatch+`` before it.
    artifact_uri
        Where new experiments keep their artifacts; None, as MLflow's client gives it, for the
        client's own default.
    """
    from mlflow_smwatch.tracking.bulk_store import bulk_store_class
    from mlflow_smwatch.tracking.uris import plain_uri

    replica = _read_replica() if artifact_uri is not None else None
    more = {"read_db_uri": replica} if replica else {}
    store_class = bulk_store_class(workspaces=_has_workspaces())
    return store_class(plain_uri(store_uri), artifact_uri or _client_artifacts(), **more)


def registry_store(store_uri: str) -> RegistryStore:
    """Build MLflow's SQL model registry store.

    Parameters
    ----------
    store_uri
        The URI of the database with ``smwatch+`` before it.
    """
    from mlflow_smwatch.tracking.uris import plain_uri

    replica = _read_replica()
    more = {"read_db_uri": replica} if replica else {}
    store: RegistryStore = _registry_class()(plain_uri(store_uri), **more)
    return store


def workspace_store(workspace_uri: str) -> WorkspaceStore:
    """Build MLflow's SQL workspace store, which a server asks for by its tracking URI.

    Parameters
    ----------
    workspace_uri
        The URI of the database with ``smwatch+`` before it.
    """
    from mlflow.store.workspace.sqlalchemy_store import SqlAlchemyStore

    from mlflow_smwatch.tracking.uris import plain_uri

    return SqlAlchemyStore(plain_uri(workspace_uri))


def _has_workspaces() -> bool:
    """Whether workspaces are on; MLflow has them since 3.10."""
    from mlflow import environment_variables

    switch = getattr(environment_variables, "MLFLOW_ENABLE_WORKSPACES", None)
    return bool(switch and switch.get())


def _registry_class() -> Any:  # noqa: ANN401 - one of two classes that share no typed constructor
    if _has_workspaces():
        from mlflow.store.model_registry.sqlalchemy_workspace_store import (
            WorkspaceAwareSqlAlchemyStore,
        )

        return WorkspaceAwareSqlAlchemyStore
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore


def _client_artifacts() -> str:
    """Return where MLflow's client puts artifacts of new experiments.

    Within a server's process that is where the server puts them.
    """
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.tracking._tracking_service import utils

    variable = getattr(utils, "_SERVER_ARTIFACT_ROOT_ENV_VAR", "")
    return os.environ.get(variable) or DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH


def _read_replica() -> str | None:
    """Return the plain URI of the replica that a server reads from; None outside of servers."""
    from mlflow_smwatch.tracking.uris import plain_uri

    constants = sys.modules.get("mlflow.server.constants")
    variable = getattr(constants, "READ_REPLICA_BACKEND_STORE_URI_ENV_VAR", "")
    uri = os.environ.get(variable)
    return plain_uri(uri) if uri else None
