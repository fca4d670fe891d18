"""A backfill of a whole account that is killed in its midst: the next one does the rest."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import environment
from tests.exactly_once.conftest import SETTLE_S
from tests.exactly_once.programs import programs
from tests.exactly_once.truth import TrueJob, check
from tests.jobs import DAY_MS, HOUR_MS, MINUTE_MS, now_ms, whole
from tests.sync.conftest import METRICS

JOBS = 160
OLDEST_DAYS = 380
KILLS = 2

BACKFILL = ("sync", "--since", "400d", "--metrics", "cloudwatch")


def old_job(account: EmulatedAccount, number: int) -> TrueJob:
    """Tell of a job of which CloudWatch knows what reads alike for ever.

    Of what is old it keeps one-hour periods: a sample at the start of one has its time.
    """
    age_ms = HOUR_MS + number * OLDEST_DAYS * DAY_MS // JOBS
    created_ms = whole(now_ms() - age_ms - 3 * HOUR_MS, 3600)
    job = TrueJob(account=account, name=f"old-{number}", created_ms=created_ms)
    samples = [(created_ms + n * HOUR_MS, number + n / 8) for n in range(2)]
    job.sample("algo-1", "CPUUtilization", samples)
    job.publish("loss", samples, counts=True)
    ended_ms = created_ms + 2 * HOUR_MS
    job.put(
        [("Starting", created_ms), ("Training", created_ms + MINUTE_MS), ("Completed", ended_ms)]
    )
    return job


def final(store: str) -> set[str]:
    """Give the names of the jobs whose runs are final, quickly."""
    query = "SELECT name.value FROM tags name JOIN tags final USING (run_uuid) WHERE"
    query += " name.key = 'sagemaker.name' AND final.key = 'smwatch.final' AND final.value = 'true'"
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as database:
        return {name for (name,) in database.execute(query)}


def read(account: EmulatedAccount) -> set[str]:
    """Give the names of the jobs whose metrics were read."""
    return {
        dimension["Value"].partition("/")[0]
        for each in account.requests
        if each.operation == METRICS
        for query in each.parameters["MetricDataQueries"]
        for dimension in query["MetricStat"]["Metric"]["Dimensions"]
    }


@pytest.mark.slow
def test_killed_in_a_backfill(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """What is final is never read again, and in the end each point is there, once."""
    jobs = [old_job(account, number) for number in range(JOBS)]
    env = environment(tmp_path, account.environment)
    done: set[str] = set()
    with programs(store, tmp_path, env, ("--settle", str(SETTLE_S))) as running:
        for _ in range(KILLS):
            account.reset_calls()
            program = running.start(*BACKFILL)
            assert program.wait_until(partial(_goes_on, store, done)), program.log.read_text()
            assert program.kill()
            assert done.isdisjoint(read(account))
            done = final(store)
        assert 0 < len(done) < JOBS
        for left in (JOBS - len(done), 0):
            account.reset_calls()
            program = running.start(*BACKFILL)
            assert program.wait() == 0, program.log.read_text()
            assert len(read(account)) == left
            assert done.isdisjoint(read(account))
    check(store, jobs)


def _goes_on(store: str, done: set[str]) -> bool:
    """Whether more jobs are final than were before."""
    return len(final(store)) > len(done)
