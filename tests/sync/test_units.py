"""Jobs are written together; what one of them is refused for is no matter of the others."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from benchmarks.database import transactions
from tests.jobs import HOUR_MS, MINUTE_MS, arn, curve, job_answer, now_ms, put_loss, whole
from tests.sync.conftest import METRICS, Mirror

JOBS = 12
POINTS = 30
PATIENCE_S = 60


@pytest.fixture
def names(mirror: Mirror) -> list[str]:
    """Put jobs that ended a day ago."""
    begin_ms = whole(now_ms()) - 24 * HOUR_MS
    for number in range(JOBS):
        created_ms = begin_ms + number * MINUTE_MS
        ended_ms = created_ms + HOUR_MS
        answer = job_answer(f"job-{number}", created_ms=created_ms, ended_ms=ended_ms)
        mirror.account.put_training_job(answer)
        put_loss(mirror.account, f"job-{number}", curve(created_ms, POINTS))
    return [f"job-{number}" for number in range(JOBS)]


def delete_run(mirror: Mirror, name: str) -> None:
    """Delete a job's run as soon as the runs of all jobs are there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(mirror.database)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        if count == JOBS:
            mirror.client.delete_run(mirror.run(name).info.run_id)
            return
        time.sleep(0.02)
    pytest.fail("the runs were not made")


def test_a_few_transactions_write_all_jobs(mirror: Mirror, names: list[str]) -> None:
    """One makes the runs, one fills them; the experiment, its lineage and its notes are others."""
    before = transactions(mirror.uri)
    report = mirror.sync(metrics="cloudwatch")
    assert report.jobs["created"] == JOBS
    assert transactions(mirror.uri) - before < JOBS
    assert all(mirror.is_final(name) for name in names)


def test_a_run_that_is_deleted_meanwhile_fails_alone(mirror: Mirror, names: list[str]) -> None:
    """The others of its unit are written, and a later pass leaves it deleted."""
    mirror.account.faults.fail(METRICS, times=3, code="Throttling")
    with ThreadPoolExecutor(1) as pool:
        deleting = pool.submit(delete_run, mirror, "job-3")
        report = mirror.sync(metrics="cloudwatch")
        deleting.result()
    assert [failure.arn for failure in report.failed] == [arn("job-3")]
    assert "deleted" in report.failed[0].error
    for name in set(names) - {"job-3"}:
        assert mirror.is_final(name)
        assert len(mirror.series(name)["loss"]) == POINTS
    assert mirror.sync(metrics="cloudwatch").jobs["unchanged"] == JOBS


def test_a_schema_that_is_not_known_is_written_call_by_call(
    mirror: Mirror, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """MLflow's own calls store the same; it is said once."""
    other = mirror.beside()
    mirror.refuse_units()
    mirror.sync(metrics="cloudwatch")
    mirror.sync(metrics="cloudwatch")
    assert caplog.text.count("which this mlflow-smwatch does not know") == 1
    other.sync(metrics="cloudwatch")
    for name in names:
        assert mirror.points(name) == other.points(name)
        ours, theirs = mirror.run(name).data, other.run(name).data
        assert ours.params == theirs.params
        assert ours.tags.keys() == theirs.tags.keys()
