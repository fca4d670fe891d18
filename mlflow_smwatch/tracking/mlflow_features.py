"""What MLflow has only in later versions, with what stands in for it in the earlier ones."""

from __future__ import annotations

import os
from inspect import signature
from typing import Any

from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

try:  # since 3.17
    from mlflow.store.artifact.host_policy import (
        enforce_server_artifact_uri_host_policy as enforce_host_policy,
    )
    from mlflow.store.artifact.host_policy import is_tracking_server_process
except ImportError:

    def enforce_host_policy(artifact_uri: str) -> None:
        """Let every place be opened, as MLflow did before it had the policy."""

    def is_tracking_server_process() -> bool:
        """Whether this process serves, or is a job of one that does."""
        return "_MLFLOW_SERVER_ARTIFACT_ROOT" in os.environ


try:  # since 3.10
    from mlflow.utils.workspace_context import get_request_workspace
except ImportError:

    def get_request_workspace() -> str | None:
        """Name the workspace of a request: there are none."""
        return None


__all__ = [
    "enforce_host_policy",
    "get_request_workspace",
    "is_tracking_server_process",
    "local_path",
    "open_repository",
    "signs_downloads",
    "tells_plugins_the_store",
]


def tells_plugins_the_store() -> bool:
    """Whether MLflow says in which store the run is whose artifacts it opens (since 3.1.2)."""
    return len(signature(get_artifact_repository).parameters) > 1


def open_repository(
    artifact_uri: str, tracking_uri: str | None, registry_uri: str | None
) -> ArtifactRepository:
    """Open a place as MLflow does; it takes the first URI alone before 3.1.2, two before 3.5."""
    taken = len(signature(get_artifact_repository).parameters)
    uris: tuple[Any, ...] = (artifact_uri, tracking_uri, registry_uri)
    return get_artifact_repository(*uris[:taken])


def signs_downloads(repository: type[Any]) -> bool:
    """Whether clients may fetch files from it by signed addresses (since 3.11)."""
    mixin: type[Any] | None = getattr(artifact_repo, "MultipartDownloadMixin", None)
    return mixin is not None and issubclass(repository, mixin)


def local_path(repository: ArtifactRepository, artifact_path: str) -> str | None:
    """Tell where a file lies on this machine, if MLflow says so (since 3.14)."""
    ask = getattr(repository, "get_local_path", None)
    found: str | None = ask(artifact_path) if ask else None
    return found
