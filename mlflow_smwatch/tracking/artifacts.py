"""Stores artifacts of runs."""

from __future__ import annotations

import posixpath
import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.tracking.locations import is_overlaid, plain
from mlflow_smwatch.tracking.overlays import UNREGISTERED


def store_text(client: MlflowClient, run_id: str, path: str, text: str) -> None:
    """Store a text as an artifact of a run.

    A run on the overlay keeps it where the overlay would, also where this process has no plug-in
    for it.

    Parameters
    ----------
    client
        Of the store.
    run_id, path
        The run, and the path below its artifacts.
    text
        The content.

    Raises
    ------
    MlflowException
        When MLflow refuses; artifact stores raise errors of their own kinds too.
    """
    try:
        client.log_text(run_id, text, path)
    except MlflowException as error:
        location = client.get_run(run_id).info.artifact_uri
        if UNREGISTERED not in str(error) or not is_overlaid(location):
            raise
        folder, name = posixpath.split(path)
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / name
            file.write_text(text, encoding="utf-8")
            repository = get_artifact_repository(plain(location))
            repository.log_artifact(str(file), folder)  # type: ignore[no-untyped-call]
