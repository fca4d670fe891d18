"""An emulated account, the program run against it, and receivers of what it sends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_smwatch.cli import main
from mlflow_smwatch.core.points import comparable
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import Finished
from tests.stores.jobs import START, completed, put_jobs

Smwatch = Callable[..., Finished]
Point = tuple[str, str, int, int, float | str]
"""Run, key, timestamp in milliseconds, step, value."""


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account that holds two completed jobs and a failed one."""
    with EmulatedAccount() as account:
        put_jobs(account, "alpha", "beta")
        account.put_training_job(
            completed("broken", START, TrainingJobStatus="Failed", FailureReason="no <data>")
        )
        yield account


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    """Give a test a store of its own."""
    return Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))


@pytest.fixture
def smwatch(
    account: EmulatedAccount, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Smwatch:
    """Run a command in this process, in an empty folder, led to the account and the store."""
    monkeypatch.chdir(tmp_path)
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SMWATCH_TRACKING_URI", f"sqlite:///{database}")

    def start(*arguments: str, **variables: str) -> Finished:
        done = CliRunner().invoke(main, arguments, env=variables)
        return Finished(code=done.exit_code, out=done.stdout, err=done.stderr)

    return start


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A receiver that runs, and what came."""

    url: str
    path: Path

    @property
    def all(self) -> list[dict[str, Any]]:
        """All that came."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The points."""
        return [each for each in self.all if "value" in each]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log records."""
        return [each for each in self.all if "event" in each]

    @property
    def points(self) -> list[Point]:
        """The points as MLflow has them, sorted."""
        return sorted(
            (
                each["attributes"]["mlflow.run_id"],
                each["attributes"]["mlflow.metric.key"],
                each["time_ns"] // 1_000_000,
                each["beside"][0].get("mlflow.metric.step", 0),
                comparable(each["value"]),
            )
            for each in self.metrics
        )


@contextmanager
def receiving(protocol: str, path: Path) -> Iterator[Received]:
    """Run a receiver of OTLP as a program of its own."""
    program = Path(__file__).with_name("otlp_receiver.py")
    with subprocess.Popen(
        (sys.executable, str(program), protocol, str(path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            yield Received(url=f"http://127.0.0.1:{port}", path=path)
        finally:
            process.stdin.close()
            process.wait(30)


def points_in(database: Path) -> list[Point]:
    """Give all points of all runs, sorted."""
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    ids = [each.experiment_id for each in client.search_experiments()]
    return sorted(
        (run.info.run_id, key, each.timestamp, each.step, comparable(each.value))
        for run in client.search_runs(ids)
        for key in run.data.metrics
        for each in client.get_metric_history(run.info.run_id, key)
    )
