"""What the tests of the pages share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; making one takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def empty_database(mlflow_database: Path, tmp_path: Path) -> Path:
    """Give a test a store of its own."""
    return Path(shutil.copy(mlflow_database, tmp_path / "mlflow.db"))
