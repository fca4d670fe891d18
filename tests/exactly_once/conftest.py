"""An emulated account, the stores that mirror it, and the programs between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.stores.servers import mlflow_server_on, postgresql_server

SETTLE_S = 3
"""Seconds that a job must be over before its last pass; real users have minutes of it."""

SQLITE, SERVER = "sqlite", "server"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an empty account in real time, with small pages of log events."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    with EmulatedAccount() as account:
        account.faults.page_size("logs:GetLogEvents", 400)
        yield account


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Serve a store, SQLite unless a test says otherwise; gives its tracking URI."""
    if getattr(request, "param", SQLITE) == SERVER:
        with _server_on_postgresql(tmp_path) as address:
            yield address
    else:
        database = tmp_path / "mlflow.db"
        shutil.copy(request.getfixturevalue("empty_database"), database)
        yield f"sqlite:///{database}"


@contextmanager
def _server_on_postgresql(folder: Path) -> Iterator[str]:
    place = folder / "server"
    place.mkdir()
    with (
        postgresql_server() as database,
        mlflow_server_on(f"postgresql://{database}", place) as address,
    ):
        yield address
