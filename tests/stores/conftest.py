"""Real stores: an MLflow server, a PostgreSQL server, and the account that is mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.stores.jobs import START, completed, put_extreme, put_jobs
from tests.stores.servers import mlflow_server_on, postgresql_server


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a new SQLite database with ``mlflow server``; gives its address."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server_on(f"sqlite:///{folder}/mlflow.db", folder) as address:
        yield address


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Serve a new, empty PostgreSQL database; gives its address without a scheme."""
    with postgresql_server() as address:
        yield address


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account with ordinary jobs and one that goes to MLflow's limits."""
    with EmulatedAccount() as account:
        put_jobs(account, "plain", "second", tags={"team": "vision"})
        failed = completed(
            "failed",
            START + timedelta(minutes=5),
            TrainingJobStatus="Failed",
            SecondaryStatus="Failed",
            FailureReason="AlgorithmError: " + "x" * 10_000,
            ModelArtifacts=None,
        )
        account.put_training_job(failed)
        put_extreme(account, "extreme")
        yield account


@pytest.fixture
def aws(account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch) -> EmulatedAccount:
    """Lead boto3 to the account."""
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    account.reset_calls()
    return account
