"""Stores artifacts of runs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.locations import server_destination
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import is_sql

_PROXIED = "mlflow-artifacts"


def store_texts(tracking: Tracking, run: KnownRun, texts: Mapping[str, str]) -> None:
    """Store texts as artifacts of a run, in one call.

    Next to a database the place is written to at once, without a look at the run. Artifacts under
    ``mlflow-artifacts:`` can be written by HTTP alone; a mirror that runs within the server, on its
    database, puts them where the server would.

    Parameters
    ----------
    tracking
        The store.
    run
        The run.
    texts
        Path below the run's artifacts → content.

    Raises
    ------
    MlflowException
        When MLflow refuses; artifact stores raise errors of their own kinds too.
    """
    place = _place(run.artifact_uri) if run.artifact_uri and is_sql(tracking.uri) else None
    with tempfile.TemporaryDirectory() as folder:
        for path, text in texts.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if place is None:
            tracking.client.log_artifacts(run.run_id, folder)
        else:
            get_artifact_repository(place).log_artifacts(folder)  # type: ignore[no-untyped-call]


def _place(uri: str) -> str | None:
    """Return where a run's artifacts can be written without MLflow's client; None for nowhere."""
    root = urlsplit(uri)
    if root.scheme != _PROXIED:
        return uri
    destination = server_destination()
    if destination is None or root.netloc:
        return None
    return f"{destination.rstrip('/')}/{root.path.lstrip('/')}"
