"""Stores artifacts of runs."""

from __future__ import annotations

import os
import posixpath
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.tracking.locations import is_overlaid, plain
from mlflow_smwatch.tracking.overlays import UNREGISTERED
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import scheme_of

_PROXIED = "mlflow-artifacts"
_DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"  # as in mlflow.server.constants
_WEB = frozenset({"http", "https"})


def store_text(tracking: Tracking, run_id: str, path: str, text: str) -> None:
    """Store a text as an artifact of a run.

    A run on the overlay keeps it where the overlay would, also where this process has no plug-in
    for it. Artifacts under ``mlflow-artifacts:`` can be written by HTTP alone; a mirror that runs
    within the server, on its database, puts them where the server would.

    Parameters
    ----------
    tracking
        The store.
    run_id, path
        The run, and the path below its artifacts.
    text
        The content.

    Raises
    ------
    MlflowException
        When MLflow refuses; artifact stores raise errors of their own kinds too.
    """
    destination = os.environ.get(_DESTINATION)
    if destination is not None and scheme_of(tracking.uri) not in _WEB:
        root = urlsplit(tracking.client.get_run(run_id).info.artifact_uri)
        if root.scheme == _PROXIED and not root.netloc:
            _store_at(f"{destination.rstrip('/')}/{root.path.lstrip('/')}", path, text)
            return
    try:
        tracking.client.log_text(run_id, text, path)
    except MlflowException as error:
        location = tracking.client.get_run(run_id).info.artifact_uri
        if UNREGISTERED not in str(error) or not is_overlaid(location):
            raise
        _store_at(plain(location), path, text)


def _store_at(root: str, path: str, text: str) -> None:
    folder, name = posixpath.split(path)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, name)
        file.write_text(text, encoding="utf-8")
        get_artifact_repository(root).log_artifact(str(file), folder or None)  # type: ignore[no-untyped-call]
