"""``mlflow.artifact_repository``: MLflow's own repositories, which also show what a job has in AWS.

A place is that of the repository below it with ``smwatch+`` before: ``smwatch+s3://bucket/mlflow``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

PREFIX = "smwatch+"
BASE_SCHEMES = frozenset({"file", "s3", "gs", "wasbs"})

_LOCAL_HOSTS = frozenset({"", "localhost"})
_SERVER_ROOTS = ("_MLFLOW_SERVER_ARTIFACT_ROOT", "_MLFLOW_SERVER_ARTIFACT_DESTINATION")
_OWNED = re.compile(r"/(?:[0-9a-f]{32}|m-[0-9a-f]{32}|tr-[0-9a-f]+)/artifacts(?:/|$)")
"""Folders that MLflow itself makes for a run, a model or a trace, under an id of its choice."""


def overlay_repository(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> ArtifactRepository:
    """Open a place as MLflow's own repository does, with the overlay before it.

    Parameters
    ----------
    artifact_uri
        A place with ``smwatch+`` before it.
    tracking_uri, registry_uri
        As MLflow gives them.

    Raises
    ------
    MlflowException
        When the place is none that may be opened; MLflow's own policy on hosts is applied to it.
    """
    from mlflow_smwatch.plugins.overlay_repository import with_overlay
    from mlflow_smwatch.tracking.mlflow_features import enforce_host_policy, open_repository

    base = base_uri(artifact_uri)
    enforce_host_policy(base)
    repository = open_repository(base, tracking_uri, registry_uri)
    return with_overlay(repository, artifact_uri, tracking_uri)


def base_uri(artifact_uri: str) -> str:
    """Return the place below an overlaid one.

    A server opens a folder of its own machine only where MLflow keeps artifacts: MLflow lets nobody
    name a local folder as the source of a model version, and does not know that ``smwatch+file`` is
    one.

    Parameters
    ----------
    artifact_uri
        With ``smwatch+`` before it.

    Raises
    ------
    MlflowException
        When it is not one of the four schemes, names another machine's files, or leads upwards.
    """
    from mlflow_smwatch.tracking.mlflow_features import is_tracking_server_process

    base = artifact_uri[len(PREFIX) :]
    parts = urlsplit(base)
    if artifact_uri[: len(PREFIX)].lower() != PREFIX or parts.scheme not in BASE_SCHEMES:
        raise _refused(artifact_uri, f"the overlay works on {', '.join(sorted(BASE_SCHEMES))} only")
    if _leads_upwards(base):
        raise _refused(artifact_uri, "it leads upwards, or has characters that no place has")
    if parts.scheme == "file":
        if parts.netloc not in _LOCAL_HOSTS or not parts.path.startswith("/"):
            raise _refused(artifact_uri, "it names no folder of this machine from its root on")
        if is_tracking_server_process() and not _keeps_artifacts(parts.path):
            raise _refused(artifact_uri, "this server keeps no artifacts there")
    return base


def _keeps_artifacts(path: str) -> bool:
    roots = (_local_path(os.environ.get(name, "")) for name in _SERVER_ROOTS)
    within = any(root and f"{path}/".startswith(f"{root.rstrip('/')}/") for root in roots)
    return within or _OWNED.search(path) is not None


def _local_path(place: str) -> str:
    """Return the path of a local place, overlaid or not; empty for other places."""
    parts = urlsplit(place.removeprefix(PREFIX))
    return parts.path if parts.scheme in {"", "file"} else ""


def _leads_upwards(uri: str) -> bool:
    while (decoded := unquote(uri)) != uri:
        uri = decoded
    return "\\" in uri or ".." in uri.split("/") or any(ord(c) < 32 or ord(c) == 127 for c in uri)


def _refused(uri: str, reason: str) -> Exception:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    return MlflowException(f"{uri!r} is not opened: {reason}", INVALID_PARAMETER_VALUE)
