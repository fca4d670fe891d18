"""Stores artifacts of runs, and removes them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.locations import server_destination
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import first_line, is_sql

_PROXIED = "mlflow-artifacts"

_Holder = Literal["run", "logged_model"]


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
    with tempfile.TemporaryDirectory() as folder:
        for path, text in texts.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        store_folder(tracking, run, folder)


def store_folder(tracking: Tracking, run: KnownRun, folder: str) -> None:
    """Store all files of a local folder as artifacts of a run; the rest as :func:`store_texts`."""
    place = _place(run.artifact_uri) if run.artifact_uri and is_sql(tracking.uri) else None
    if place is None:
        tracking.client.log_artifacts(run.run_id, folder)
    else:
        get_artifact_repository(place).log_artifacts(folder)  # type: ignore[no-untyped-call]


def remove_artifacts(tracking: Tracking, id_: str, uri: str | None, of: _Holder = "run") -> None:
    """Remove all that is stored with a run or a model, whoever put it there.

    Parameters
    ----------
    tracking
        The store.
    id_
        Of the run or model; it may be deleted already. Where nothing is stored, nothing is done.
    uri
        Where its artifacts lie.
    of
        Which of both it is.

    Raises
    ------
    JobError
        When they cannot be removed.
    """
    try:
        _repository(tracking, id_, uri, of).delete_artifacts()  # type: ignore[no-untyped-call]
    except Exception as error:
        what, why = of.replace("_", " "), first_line(error)[:200]
        message = f"artifacts of the {what} {id_} could not be removed: {why}"
        raise JobError(message) from error


def _repository(tracking: Tracking, id_: str, uri: str | None, of: _Holder) -> ArtifactRepository:
    if uri is not None and is_sql(tracking.uri):
        return get_artifact_repository(_place(uri) or uri)
    client = tracking.client._tracking_client  # noqa: SLF001 - MLflow gives it no other way
    return client._get_artifact_repo(id_, resource=of)  # noqa: SLF001


def _place(uri: str) -> str | None:
    """Return where a run's artifacts can be written without MLflow's client; None for nowhere."""
    root = urlsplit(uri)
    if root.scheme != _PROXIED:
        return uri
    destination = server_destination()
    if destination is None or root.netloc:
        return None
    return f"{destination.rstrip('/')}/{root.path.lstrip('/')}"
