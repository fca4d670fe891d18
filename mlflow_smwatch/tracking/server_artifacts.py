"""Artifacts of runs whose tracking server stands in between, written from within that server."""

from __future__ import annotations

import os
import posixpath
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import scheme_of

_PROXIED = "mlflow-artifacts"
_DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"  # as in mlflow.server.constants
_WEB = frozenset({"http", "https"})


def stored_by_server(tracking: Tracking, run_id: str, path: str, text: str) -> bool:
    """Store a text where the server itself would put it, if this process belongs to a server.

    Artifacts of a run under ``mlflow-artifacts:`` can be written by HTTP alone. The mirror that
    runs within the server writes to the database; it puts artifacts below the server's
    ``--artifacts-destination``.

    Parameters
    ----------
    tracking
        The store.
    run_id, path
        The run, and the path below its artifacts.
    text
        The content.

    Returns
    -------
    bool
        False where that is not the case: nothing was done.
    """
    destination = os.environ.get(_DESTINATION)
    if destination is None or scheme_of(tracking.uri) in _WEB:
        return False
    root = urlsplit(tracking.client.get_run(run_id).info.artifact_uri)
    if root.scheme != _PROXIED or root.netloc:
        return False
    folder, name = posixpath.split(path)
    place = f"{destination.rstrip('/')}/{root.path.lstrip('/')}"
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, name)
        file.write_text(text, encoding="utf-8")
        get_artifact_repository(place).log_artifact(str(file), folder or None)  # type: ignore[no-untyped-call]
    return True
