"""Workers that are processes of their own mirror what one process would, and what is left of it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlflow_smwatch
from mlflow_smwatch import StopError
from mlflow_smwatch.aws.operations import GET_LOG_EVENTS, OPERATIONS
from mlflow_smwatch.demo.account import EmulatedAccount, Request
from mlflow_smwatch.engine import dask_cluster
from mlflow_smwatch.report import SyncReport
from tests.cluster.conftest import local_cluster
from tests.exactly_once.stories import Author
from tests.exactly_once.truth import check, doubles
from tests.stores.servers import postgresql_server

if TYPE_CHECKING:
    from distributed import LocalCluster

PROCESSES = 3
LATE_S = 0.5
"""How late an answer may be given, and so be noted, on a busy machine."""


class Stamped(list[Request]):
    """Requests that were answered, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[tuple[str, float]] = []

    def append(self, request: Request) -> None:
        super().append(request)
        self.times.append((request.operation, time.monotonic()))

    def of(self, operation: str) -> list[float]:
        """Give the times of one operation, ascending."""
        return sorted(at for name, at in self.times if name == operation)


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account whose logs come in small pages; the environment of workers leads to it."""
    with EmulatedAccount() as account, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        for name, value in account.environment.items():
            patch.setenv(name, value)
        account.faults.page_size(GET_LOG_EVENTS, 40)
        yield account


@pytest.fixture(scope="module")
def cluster(account: EmulatedAccount) -> Iterator[LocalCluster]:
    """Run two workers, each a process, that lead to the account."""
    assert account.endpoint == os.environ["AWS_ENDPOINT_URL"]
    with local_cluster() as cluster:
        yield cluster


@pytest.fixture
def store(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the URI of an empty store; artifacts lie beside it."""
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow.db')}"


def sync(cluster: LocalCluster, uri: str, name: str) -> SyncReport:
    """Run one pass over the jobs that have this in their names."""
    chosen: dict[str, Any] = {
        "tracking_uri": uri,
        "name_contains": name,
        "settle_s": 1,
        "executor": "dask",
        "scheduler": cluster.scheduler_address,
    }
    return mlflow_smwatch.sync(**chosen)


def workers_of(cluster: LocalCluster) -> dict[str, int]:
    """Give address → process id."""
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as client:
        pids: dict[str, int] = client.run(os.getpid)
    return pids


@pytest.mark.slow
def test_rates_are_divided(account: EmulatedAccount, cluster: LocalCluster, store: str) -> None:
    """All processes together stay below the rate of one; every job is there, every point once."""
    author = Author(account, seed=1, name="rate")
    jobs = [author.ended(lines=300) for _ in range(22)]
    account.reset_calls()
    account.requests = requests = Stamped()
    report = sync(cluster, store, "rate")
    assert report.failed == []
    check(store, jobs, "rate%")
    assert report.aws_calls == dict(account.calls)
    rate, times = OPERATIONS[GET_LOG_EVENTS], requests.of(GET_LOG_EVENTS)
    assert len(times) > 100
    ahead = rate.burst + PROCESSES
    for number, begin in enumerate(times):
        for count, end in enumerate(times[number:], start=1):
            assert count <= rate.rate * (end - begin + LATE_S) + ahead


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(
    account: EmulatedAccount, cluster: LocalCluster, store: str
) -> None:
    """Its page goes to another, which goes on where MLflow says that it got to."""
    author = Author(account, seed=2, name="kill")
    jobs = [author.ended(lines=300) for _ in range(12)]
    killed = threading.Event()

    def kill() -> None:
        before = account.calls[GET_LOG_EVENTS]
        while account.calls[GET_LOG_EVENTS] < before + 30:
            time.sleep(0.01)
        os.kill(next(iter(workers.values())), signal.SIGKILL)
        killed.set()

    workers = workers_of(cluster)
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    report = sync(cluster, store, "kill")
    assert killed.is_set()
    assert report.failed == []
    check(store, jobs, "kill%")
    assert doubles(store) == 0
    assert sync(cluster, store, "kill").jobs["unchanged"] == len(jobs)


@pytest.mark.slow
@pytest.mark.postgresql
def test_into_postgresql(account: EmulatedAccount, cluster: LocalCluster, tmp_path: Path) -> None:
    """Workers write to a database server at the same time."""
    author = Author(account, seed=3, name="pg")
    jobs = [author.ended(hosts=2, lines=100) for _ in range(11)] + [author.without_logs()]
    with working_in(tmp_path), postgresql_server() as address:
        report = sync(cluster, f"postgresql://{address}", "pg")
        assert report.failed == []
        check(f"postgresql://{address}", jobs, "pg%")


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def test_a_scheduler_that_is_not_there(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for longer than said; the address is named."""
    monkeypatch.setattr(dask_cluster, "_ANSWER_S", 1)
    with pytest.raises(StopError, match=r"the Dask scheduler tcp://127\.0\.0\.1:9 does not answer"):
        mlflow_smwatch.sync(tracking_uri=store, executor="dask", scheduler="tcp://127.0.0.1:9")


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://"])
def test_an_address_that_is_none(address: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as well."""
    monkeypatch.setattr(dask_cluster, "_ANSWER_S", 1)
    with pytest.raises(StopError, match=r"the Dask scheduler .* does not answer"):
        mlflow_smwatch.sync(tracking_uri=store, executor="dask", scheduler=address)
