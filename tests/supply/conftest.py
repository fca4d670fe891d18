"""An emulated account with two jobs, and an empty store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.stores.jobs import put_jobs


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account that holds the completed jobs alpha and beta."""
    with EmulatedAccount() as account:
        put_jobs(account, "alpha", "beta")
        yield account


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(empty_database: Path, tmp_path: Path) -> str:
    """Give the URI of an empty store."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow.db')}"
