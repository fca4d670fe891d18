"""Who is told of jobs: what becomes of that disturbs no mirror, and nothing written is untold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.engine.job_writer import JobWriter
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.options import SyncOptions
from tests.jobs import HOUR_MS, job_answer, now_ms


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncOptions]:
    """Serve an account with two jobs."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("one", "two"):
            account.put_training_job(job_answer(name, created_ms=now_ms() - HOUR_MS))
        yield SyncOptions(tracking_uri=f"sqlite:///{tmp_path}/m.db", kinds=("training-job",))


def test_an_observer_that_raises(options: SyncOptions, caplog: pytest.LogCaptureFixture) -> None:
    """All jobs are mirrored, the others hear of them, and a line says what failed."""
    heard: list[Observation] = []

    def fail(_: Observation) -> None:
        message = "out of order"
        raise StopError(message)

    report = Mirror(options, observers=(fail, heard.append)).sync()
    assert report.failed == []
    assert sorted(each.record.name for each in heard) == ["one", "two"]
    assert caplog.text.count("could not be passed on: out of order") == 2
    Mirror(options, observers=(heard.append,)).sync()
    assert [each.status_before for each in heard] == [None, None, "RUNNING", "RUNNING"]


def test_told_as_soon_as_written(options: SyncOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stops the pass after the commit does not keep back what was committed."""

    def stop(*_: Any) -> None:
        message = "MLflow is gone"
        raise StopError(message)

    monkeypatch.setattr(JobWriter, "_settled", stop)
    heard: list[Observation] = []
    with pytest.raises(StopError, match="MLflow is gone"):
        Mirror(options, observers=(heard.append,)).sync()
    assert sorted(each.record.name for each in heard) == ["one", "two"]
