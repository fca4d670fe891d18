"""Both sides are read afresh; each difference is found, and what is missing can be added."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, ViewType

from mlflow_smwatch.core.compare import Difference
from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.verify import VerifyReport, verify
from tests.jobs import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    NAMESPACE,
    arn,
    averages,
    curve,
    final_metrics,
    job_answer,
    now_ms,
    put_host,
    put_log,
    put_loss,
    whole,
)
from tests.sync.conftest import EVENTS, METRICS, SEARCH, STREAMS, Mirror

STS = "sts:GetCallerIdentity"
CPU = "system/algo-1/cpu_utilization_percentage"
BILLABLE = "sagemaker/billable_seconds"


def check(mirror: Mirror, *names: str, repair: bool = False, **options: Any) -> VerifyReport:
    """Verify; the account's calls are those of it afterwards."""
    mirror.account.reset_calls()
    chosen = SyncOptions(names=names, **{"tracking_uri": mirror.uri, **options})
    return verify(chosen, repair=repair)


def assert_equal(mirror: Mirror, *names: str, jobs: int = 1, **options: Any) -> None:
    """Verify, and find no difference; nothing is written."""
    before = mirror.dump()
    report = check(mirror, *names, **options)
    assert mirror.dump() == before
    assert report.differences == []
    assert report.failed == []
    assert (report.jobs, report.equal) == (jobs, jobs)


def only(report: VerifyReport) -> Difference:
    """Give the one difference of a report of one job."""
    assert report.failed == []
    assert (report.jobs, report.equal) == (1, 0)
    (found,) = report.differences
    return found


def execute(mirror: Mirror, statement: str, *values: object) -> None:
    """Change the database behind everyone's back; one row must be changed."""
    with closing(sqlite3.connect(mirror.database)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


def delete_point(mirror: Mirror, key: str, timestamp_ms: int) -> None:
    """Lose one point."""
    execute(mirror, "DELETE FROM metrics WHERE key = ? AND timestamp = ?", key, timestamp_ms)


def repaired(mirror: Mirror) -> VerifyReport:
    """Repair; a second comparison must then find only what the repair has left."""
    report = check(mirror, repair=True)
    assert report.failed == []
    left = check(mirror)
    assert {each.what for each in left.differences} <= {"revised", "extra", "doubled", "param"}
    assert bool(left.differences) == bool(report.left)
    return report


def put_job(mirror: Mirror, job: str = "job", *, ended: bool = True, **changes: Any) -> int:
    """Put a job of one hour with ten points of two CloudWatch metrics; give its CreationTime."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS + 250
    ended_ms = created_ms + HOUR_MS if ended else None
    more = {"HyperParameters": {"lr": "0.1", "depth": "3"}, **changes}
    if ended:
        more["BillableTimeInSeconds"] = 77
    mirror.account.put_training_job(
        job_answer(job, created_ms=created_ms, ended_ms=ended_ms, **more)
    )
    put_loss(mirror.account, job, curve(created_ms, 10))
    put_host(mirror.account, job, curve(created_ms, 10))
    return created_ms


def put_logged_job(mirror: Mirror, job: str = "job", hosts: int = 1, **changes: Any) -> int:
    """Put a job of one hour with six values in the log of each host; give its CreationTime."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS + 250
    mirror.account.put_training_job(
        job_answer(
            job, created_ms=created_ms, ended_ms=created_ms + HOUR_MS, hosts=hosts, **changes
        )
    )
    for host in range(1, hosts + 1):
        values = ["0.5", "nan", "inf", "-inf", "1e-7", "0.25"]
        events = [(created_ms + n * 1000, f"value={each}") for n, each in enumerate(values)]
        twice = (created_ms + 5000, "value=0.25")
        put_log(mirror.account, job, [*events, twice, twice], host=f"algo-{host}")
    return created_ms


def test_equal_accounts(mirror: Mirror) -> None:
    """Jobs of every source, ended and running, are equal; nothing is written, all is read."""
    put_job(mirror, "cloudwatch")
    put_job(mirror, "running", ended=False)
    put_logged_job(mirror, "logs", hosts=2)
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    final = final_metrics({"loss": 0.5}, created_ms + 1000)
    for name, metrics in (("final", final), ("empty", None)):
        mirror.account.put_training_job(
            job_answer(
                name,
                created_ms=created_ms,
                ended_ms=created_ms + HOUR_MS,
                status="Failed",
                FinalMetricDataList=metrics,
            )
        )
    mirror.sync()
    assert_equal(mirror, jobs=5)
    assert mirror.account.calls == {SEARCH: 1, STREAMS: 4, EVENTS: 4, METRICS: 1}
    assert_equal(mirror, "logs", jobs=1)
    assert_equal(mirror, jobs=5, metrics="off")
    assert mirror.account.calls == {SEARCH: 1}
