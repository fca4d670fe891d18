"""An emulated account, empty stores, and clusters of processes that end with the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.sync.conftest import Mirror

if TYPE_CHECKING:
    from distributed import LocalCluster


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an empty account in real time; the environment, and that of workers, leads to it."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        yield account


@pytest.fixture
def mirror(
    account: EmulatedAccount,
    empty_database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Mirror:
    """Pair the account with an empty store; artifacts lie beside the database."""
    database = tmp_path / "mlflow.db"
    shutil.copy(empty_database, database)
    monkeypatch.chdir(tmp_path)
    return Mirror(account, database, empty_database)


@contextmanager
def local_cluster(**settings: Any) -> Iterator[LocalCluster]:
    """Run a scheduler here, and two workers as processes."""
    distributed = pytest.importorskip("distributed")
    usual = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**{**usual, **settings}) as cluster:
        yield cluster
