"""What a mirror tells its observers of an open job."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.options import SyncOptions
from tests.jobs import HOUR_MS, job_answer, now_ms, put_log


def test_an_open_job_is_heard_of_in_each_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is new; without news too, since silence is something; and with its run's tags."""
    heard: list[Observation] = []
    created_ms = now_ms() - 2 * HOUR_MS
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        account.put_training_job(job_answer("job", created_ms=created_ms))
        put_log(account, "job", [(created_ms + HOUR_MS, "value=1")])
        options = SyncOptions(
            tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", kinds=("training-job",)
        )
        mirror = Mirror(options, observers=(heard.append,))
        for _ in range(2):
            assert mirror.sync().failed == []
        put_log(account, "job", [(created_ms + HOUR_MS + 1, "value=2")])
        mirror.sync()
    points = [[each.value for each in one.points] for one in heard if one.points]
    assert points == [[1.0], [2.0]]
    (silent,) = [each for each in heard if not each.written]
    assert silent.points == ()
    assert not silent.final
    assert silent.noted["sagemaker.name"] == "job"
    assert len({each.run_id for each in heard}) == 1
