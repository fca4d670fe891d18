"""An emulated account with jobs of several sorts, what MLflow must hold of them, and bad days."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.report import SyncReport
from tests.cli.program import Finished, environment, run
from tests.exactly_once.stories import Author
from tests.exactly_once.truth import check
from tests.sync.conftest import Mirror

MOST = 1.5
"""How many times the calls of a calm pass one may make in which some requests fail."""

TOLD = ("Traceback", "please report")
"""What is said of a mistake in this package, and never of a fault of others."""


def some_of(everything: Iterable[Any], *often: object) -> list[Any]:
    """Leave all but some values of a parameter to the long form."""
    return [
        each if each in often else pytest.param(each, marks=pytest.mark.slow) for each in everything
    ]


def seeds(short: int) -> list[Any]:
    """Give some seeds for every day, and many more for the long form."""
    many = int(os.environ.get("SMWATCH_TEST_SEEDS", "40"))
    return some_of(range(many), *range(short))


@dataclass
class Weather:
    """An account full of jobs, and a store.

    Attributes
    ----------
    mirror
        Between both.
    author
        Tells of the jobs, and knows what MLflow must hold.
    """

    mirror: Mirror
    author: Author
    folder: Path

    @property
    def account(self) -> EmulatedAccount:
        """Where the jobs are."""
        return self.mirror.account

    def calm_calls(self) -> int:
        """Count the calls of a calm pass over the same jobs into an empty store."""
        self.mirror.beside().sync(settle_s=0)
        return self.account.calls.total()

    def sync(self) -> SyncReport:
        """Make a pass in whatever weather there is; nothing it says is a mistake of its own."""
        report = self.mirror.sync(settle_s=0)
        said = [
            *(each.error for each in report.failed),
            *(each.warning for each in report.warnings),
        ]
        require_plain("\n".join(said))
        return report

    def attempt(self, **options: Any) -> str:
        """Make a pass that may be cut off; give all that it says."""
        try:
            report = self.mirror.sync(settle_s=0, **options)
        except StopError as error:
            said = [str(error)]
        else:
            failed = [*(each.error for each in report.failed), report.broken_off or ""]
            said = failed + [each.warning for each in report.warnings]
        require_plain("\n".join(said))
        assert not any("\n" in each for each in said)
        return "\n".join(said)

    def program(self, *more: str) -> Finished:
        """Make a pass with the command line; it says what is wrong in lines, not in tracebacks."""
        self.account.reset_calls()
        env = {**environment(self.folder, self.account.environment), "AWS_MAX_ATTEMPTS": "2"}
        options = ("--tracking-uri", self.mirror.uri, "--kinds", "training-job")
        done = run("sync", *options, "--settle", "0", *more, cwd=self.folder, env=env)
        require_plain(done.err)
        return done

    def clear_up(self) -> None:
        """Make one calm pass, after which MLflow holds the truth."""
        self.account.faults.clear()
        report = self.mirror.sync(settle_s=0)
        assert report.failed == []
        check(self.mirror.uri, self.author.jobs)


def require_plain(said: str) -> None:
    """Refuse words that speak of a mistake in this package."""
    assert not any(word in said for word in TOLD), said


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an empty account in real time; the environment leads to it."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")  # the usual one would also slow down
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


@pytest.fixture
def weather(mirror: Mirror, tmp_path: Path) -> Weather:
    """Tell of jobs that ended, with logs, restarts and without, and of one that runs."""
    author = Author(mirror.account, seed=7)
    author.ended(hosts=2, lines=60)
    author.ended(hosts=1, lines=90, restarts=2)
    author.without_logs()
    author.ended(hosts=1, lines=40)
    author.begin(hosts=2, lines=50)
    return Weather(mirror, author, tmp_path)


@pytest.fixture
def paged(weather: Weather) -> Weather:
    """Cut everything that AWS gives into small pages, so that there are many requests."""
    for operation, size in PAGES.items():
        weather.account.faults.page_size(operation, size)
    return weather


PAGES = {
    "sagemaker:Search": 2,
    "sagemaker:List*": 2,
    "logs:DescribeLogStreams": 1,
    "logs:GetLogEvents": 15,
    "cloudwatch:GetMetricData": 60,
}


def cut(account: EmulatedAccount) -> None:
    """Cut everything into small pages again, after faults were cleared."""
    for operation, size in PAGES.items():
        account.faults.page_size(operation, size)
