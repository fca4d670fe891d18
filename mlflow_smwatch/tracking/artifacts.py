"""Stores artifacts of runs."""

from __future__ import annotations

import posixpath
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.tracking.locations import server_destination
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import scheme_of

_PROXIED = "mlflow-artifacts"
_WEB = frozenset({"http", "https"})


def store_text(tracking: Tracking, run_id: str, path: str, text: str) -> None:
    """Store a text as an artifact of a run.

    Artifacts under ``mlflow-artifacts:`` can be written by HTTP alone; a mirror that runs within
    the server, on its database, puts them where the server would.

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
    destination = server_destination()
    if destination is not None and scheme_of(tracking.uri) not in _WEB:
        root = urlsplit(tracking.client.get_run(run_id).info.artifact_uri)
        if root.scheme == _PROXIED and not root.netloc:
            _store_at(f"{destination.rstrip('/')}/{root.path.lstrip('/')}", path, text)
            return
    tracking.client.log_text(run_id, text, path)


def _store_at(root: str, path: str, text: str) -> None:
    folder, name = posixpath.split(path)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, name)
        file.write_text(text, encoding="utf-8")
        get_artifact_repository(root).log_artifact(str(file), folder or None)  # type: ignore[no-untyped-call]
