"""The MLflow server, its proxy or its PostgreSQL is away for a while, or for good."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from mlflow import MlflowClient

import mlflow_smwatch
from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.report import SyncReport
from tests.exactly_once.stories import Author
from tests.exactly_once.truth import active_runs, check
from tests.faults.conftest import require_plain, seeds, some_of
from tests.faults.test_databases import meanwhile
from tests.jobs import arn
from tests.stores.jobs import put_jobs
from tests.stores.proxy import proxied
from tests.stores.servers import free_port, mlflow_server_on, postgresql_cluster
from tests.sync.conftest import EVENTS, datasets
from tests.sync.conftest import models as linked

TROUBLES = (429, 502, 503, "reset", "lost")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a new SQLite database with ``mlflow server``; gives its address."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server_on(f"sqlite:///{folder}/mlflow.db", folder) as address:
        yield address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow's client try again at once."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")


def told(account: EmulatedAccount, name: str) -> Author:
    """Tell of jobs whose names begin so."""
    author = Author(account, seed=3, name=name)
    author.ended(hosts=2, lines=60)
    author.ended(hosts=1, lines=90, restarts=1)
    author.without_logs()
    author.begin(hosts=1, lines=40)
    return author


def sync(uri: str, *names: str) -> SyncReport:
    """Make a pass over training jobs."""
    report = mlflow_smwatch.sync(
        *names, tracking_uri=uri, kinds=("training-job",), settle_s=0, artifacts="none"
    )
    require_plain("\n".join(each.error for each in report.failed))
    return report


def require_single(uri: str, *names: str) -> None:
    """Refuse two runs, two models or two inputs where there is to be one."""
    client, runs = MlflowClient(tracking_uri=uri), active_runs(uri)
    for name in names:
        (found,) = runs[arn(name)]
        run = client.get_run(found.info.run_id)
        assert len(linked(run)) == 1
        inputs = [(each.name, each.digest) for each in datasets(run)]
        assert len(inputs) == len(set(inputs)) > 0
        models = client.search_logged_models(
            [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
        )
        assert len(models) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", some_of(TROUBLES, 502, "lost"))
def test_every_endpoint_has_trouble_once(
    account: EmulatedAccount, server: str, trouble: int | str
) -> None:
    """The first request of each endpoint fails, or only its answer: the pass is whole."""
    author = told(account, f"once-{trouble}")
    put_jobs(account, f"model-{trouble}")
    seen: Counter[str] = Counter()

    def first(path: str) -> int | str | None:
        endpoint = path.partition("?")[0]
        seen[endpoint] += 1
        return trouble if seen[endpoint] == 1 else None

    with proxied(server) as proxy:
        proxy.trouble = first
        report = sync(proxy.address)
    assert report.failed == []
    assert len(seen) > 5
    report = sync(server)
    assert report.failed == []
    check(server, author.jobs)
    require_single(server, f"model-{trouble}")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seed", seeds(1))
def test_a_proxy_on_a_bad_day(account: EmulatedAccount, server: str, seed: int) -> None:
    """One request in ten fails in some way: one calm pass later MLflow holds the truth."""
    author, chance, lock = told(account, f"seed-{seed}"), Random(seed), threading.Lock()

    def some(path: str) -> int | str | None:
        del path
        with lock:
            return chance.choice(TROUBLES) if chance.random() < 0.1 else None

    with proxied(server) as proxy:
        proxy.trouble = some
        sync(proxy.address)
        author.grow()
        author.end()
        sync(proxy.address)
    report = sync(server)
    assert report.failed == []
    check(server, author.jobs)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", some_of(TROUBLES, 503))
def test_a_server_that_stays_away(
    account: EmulatedAccount, server: str, monkeypatch: pytest.MonkeyPatch, trouble: int | str
) -> None:
    """From some request on nothing is answered: one line, and the next pass goes on."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    author = told(account, f"away-{trouble}")
    asked: list[str] = []

    def later(path: str) -> int | str | None:
        asked.append(path)
        return trouble if len(asked) > 12 else None

    with proxied(server) as proxy:
        proxy.trouble = later
        try:
            said = sync(proxy.address).broken_off or ""
        except StopError as error:
            said = str(error)
    assert said
    assert "\n" not in said
    require_plain(said)
    assert sync(server).failed == []
    check(server, author.jobs)


@pytest.mark.slow
def test_the_server_is_started_again(
    account: EmulatedAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is killed and started again while a pass runs costs time, and nothing else."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    author, port, uri = told(account, "restart"), free_port(), f"sqlite:///{tmp_path}/mlflow.db"
    for _ in range(4):
        author.ended(hosts=2, lines=400)
    account.faults.page_size("logs:GetLogEvents", 20)
    with ExitStack() as first, ExitStack() as second:
        address = first.enter_context(mlflow_server_on(uri, tmp_path, port=port))

        def restart() -> None:
            first.close()
            second.enter_context(mlflow_server_on(uri, tmp_path, port=port))

        with meanwhile(account, EVENTS, restart):
            report = sync(address)
        assert report.failed == []
        assert sync(address).failed == []
        check(address, author.jobs)


@pytest.mark.postgresql
@pytest.mark.slow
@pytest.mark.parametrize("moment", ["sagemaker:Search", EVENTS, "cloudwatch:GetMetricData"])
def test_postgresql_is_started_again(account: EmulatedAccount, moment: str) -> None:
    """The mirror waits for a database that comes back; if the pass stops, the next one goes on."""
    author = told(account, "database")
    account.faults.page_size("logs:GetLogEvents", 20)
    with postgresql_cluster() as (address, serving), ExitStack() as first, ExitStack() as second:
        uri = f"postgresql://{address}"
        first.enter_context(serving())
        MlflowClient(tracking_uri=uri).search_experiments()

        def restart() -> None:
            first.close()
            second.enter_context(serving())

        said = ""
        with meanwhile(account, moment, restart):
            try:
                said = sync(uri).broken_off or ""
            except StopError as error:
                said = str(error)
        require_plain(said)
        assert sync(uri).failed == []
        check(uri, author.jobs)
