"""Stores artifacts of runs."""

from __future__ import annotations

import posixpath
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.locations import server_destination
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import is_sql

_PROXIED = "mlflow-artifacts"


def store_text(tracking: Tracking, run: KnownRun, path: str, text: str) -> None:
    """Store a text as an artifact of a run.

    Next to a database the place is written to at once, without a look at the run. Artifacts under
    ``mlflow-artifacts:`` can be written by HTTP alone; a mirror that runs within the server, on its
    database, puts them where the server would.

    Parameters
    ----------
    tracking
        The store.
    run, path
        The run, and the path below its artifacts.
    text
        The content.

    Raises
    ------
    MlflowException
        When MLflow refuses; artifact stores raise errors of their own kinds too.
    """
    place = _place(run.artifact_uri) if run.artifact_uri and is_sql(tracking.uri) else None
    if place is None:
        tracking.client.log_text(run.run_id, text, path)
    else:
        _store_at(place, path, text)


def _place(uri: str) -> str | None:
    """Return where a run's artifacts can be written without MLflow's client; None for nowhere."""
    root = urlsplit(uri)
    if root.scheme != _PROXIED:
        return uri
    destination = server_destination()
    if destination is None or root.netloc:
        return None
    return f"{destination.rstrip('/')}/{root.path.lstrip('/')}"


def _store_at(root: str, path: str, text: str) -> None:
    folder, name = posixpath.split(path)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, name)
        file.write_text(text, encoding="utf-8")
        get_artifact_repository(root).log_artifact(str(file), folder or None)  # type: ignore[no-untyped-call]
