"""Both sides are read afresh; each difference is found, and what is missing can be added."""

from __future__ import annotations

import gc
import sqlite3
from contextlib import closing
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, ViewType

import mlflow_smwatch
from mlflow_smwatch.audit.audited import Audited
from mlflow_smwatch.audit.verify import VerifyReport, verify
from mlflow_smwatch.core.compare import Difference
from mlflow_smwatch.core.errors import CredentialsError, StopError, UsageError
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
from tests.sync.conftest import EVENTS, FINDING, IDENTITY, METRICS, STREAMS, Mirror
from tests.sync.test_crash import killed
from tests.sync.test_recovery import put_running_job

KEPT = "MLflow keeps every point once written"
CPU = "system/algo-1/cpu_utilization_percentage"
BILLABLE = "sagemaker/billable_seconds"
STAYING = {"revised", "extra", "doubled", "step", "param"}


def check(mirror: Mirror, *names: str, repair: bool = False, **options: Any) -> VerifyReport:
    """Verify; the account's calls are those of it afterwards."""
    mirror.account.reset_calls()
    chosen = mirror.options(names=names, **options)
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
    assert {each.what for each in left.differences} <= STAYING
    assert bool(left.differences) == bool(report.left)
    return report


def put_job(
    mirror: Mirror,
    job: str = "job",
    *,
    ended: bool = True,
    created_ms: int | None = None,
    **changes: Any,
) -> int:
    """Put a job of one hour with ten points of two CloudWatch metrics; give its CreationTime."""
    created_ms = created_ms or whole(now_ms()) - 3 * HOUR_MS + 250
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
    assert check(mirror).warnings == []
    assert_equal(mirror, jobs=5)
    assert mirror.account.calls == {**FINDING, STREAMS: 3, EVENTS: 4, METRICS: 1}
    assert_equal(mirror, "logs", jobs=1)
    assert_equal(mirror, jobs=5, metrics="off")
    assert mirror.account.calls == FINDING


def test_missing_point(mirror: Mirror) -> None:
    """A point that was lost is named with its value; a repair writes it with its step."""
    created_ms = put_job(mirror)
    mirror.sync()
    before, state = mirror.points("job"), mirror.watermark("job")
    at = whole(created_ms) + 3 * MINUTE_MS
    delete_point(mirror, "loss", at)
    found = only(check(mirror))
    assert found == Difference(
        arn=arn("job"), what="missing", key="loss", timestamp=at, aws=0.375, mlflow=None
    )
    assert repaired(mirror).repaired == ["job: loss: 1 point added"]
    assert mirror.points("job") == before
    assert mirror.watermark("job") == state
    assert mirror.is_final("job")


def test_lost_series_and_durations(mirror: Mirror) -> None:
    """A series of which nothing is left, and a duration, come back too."""
    put_job(mirror)
    mirror.sync()
    before = mirror.content()
    with closing(sqlite3.connect(mirror.database)) as connection, connection:
        for key in ("loss", BILLABLE):
            connection.execute("DELETE FROM metrics WHERE key = ?", (key,))
            connection.execute("DELETE FROM latest_metrics WHERE key = ?", (key,))
    assert len(check(mirror).differences) == 11
    report = repaired(mirror)
    assert report.repaired == ["job: loss: 10 points added", f"job: {BILLABLE}: 1 point added"]
    assert mirror.content() == before


def test_point_that_came_late(mirror: Mirror) -> None:
    """A point that CloudWatch got after the last pass is missing; a repair counts it in."""
    created_ms = put_job(mirror)
    mirror.sync()
    late_ms = whole(created_ms) + 30 * MINUTE_MS
    put_loss(mirror.account, "job", [(late_ms, 4.5)])
    assert only(check(mirror)).what == "missing"
    repaired(mirror)
    samples = [*curve(created_ms, 10), (late_ms, 4.5)]
    assert mirror.series("job")["loss"] == averages(samples, created_ms)
    assert mirror.watermark("job").points["loss"] == 11


def test_revised_point(mirror: Mirror) -> None:
    """A value that CloudWatch changed later is revised; it is never written beside the first."""
    created_ms = put_job(mirror)
    mirror.sync()
    put_loss(mirror.account, "job", [(created_ms, 1.0)])
    found = only(check(mirror))
    assert found == Difference(
        arn=arn("job"), what="revised", key="loss", timestamp=whole(created_ms), aws=0.5, mlflow=0.0
    )
    before = mirror.dump()
    report = repaired(mirror)
    assert mirror.dump() == before
    assert report.repaired == []
    assert report.left == [f"job: loss: 1 point revised by CloudWatch, not changed: {KEPT}"]


@pytest.mark.parametrize("ended", [True, False], ids=["final", "running"])
def test_points_that_nobody_measured(mirror: Mirror, ended: bool) -> None:
    """Points that AWS lacks, and points that are there twice, are found and cannot be removed."""
    created_ms = put_job(mirror, ended=ended)
    mirror.sync()
    run_id, at = mirror.run("job").info.run_id, whole(created_ms)
    mirror.client.log_metric(run_id, "loss", 9.0, timestamp=at + 30 * MINUTE_MS, step=7)
    mirror.client.log_metric(run_id, "loss", 0.125, timestamp=at + MINUTE_MS, step=8)
    before = mirror.dump()
    report = repaired(mirror)
    assert mirror.dump() == before
    doubled, extra = report.differences
    assert (doubled.what, doubled.timestamp, doubled.aws) == ("doubled", at + MINUTE_MS, 0.125)
    assert (extra.what, extra.timestamp, extra.aws) == ("extra", at + 30 * MINUTE_MS, None)
    assert (doubled.mlflow, extra.mlflow) == (0.125, 9.0)
    assert report.to_dict() == {
        "jobs": 1,
        "equal": 0,
        "differences": [
            {
                "arn": arn("job"),
                "what": each.what,
                "key": "loss",
                "timestamp": each.timestamp,
                "aws": each.aws,
                "mlflow": each.mlflow,
            }
            for each in (doubled, extra)
        ],
        "repaired": [],
        "left": [
            f"job: loss: 1 point there more often than in AWS, not removed: {KEPT}",
            f"job: loss: 1 point that AWS does not have, not removed: {KEPT}",
        ],
    }
    assert check(mirror).to_dict().keys() == report.to_dict().keys() - {"repaired", "left"}


def test_log_points_that_others_changed(mirror: Mirror) -> None:
    """Points that were added, changed and removed behind the mirror's back are found."""
    created_ms = put_logged_job(mirror)
    mirror.sync()
    assert mirror.is_final("job")
    mirror.client.log_metric(
        mirror.run("job").info.run_id, "loss", 7.0, timestamp=created_ms + 1, step=8
    )
    execute(mirror, "UPDATE metrics SET value = 0.75 WHERE key = 'loss' AND step = 0")
    execute(mirror, "DELETE FROM metrics WHERE key = 'loss' AND step = 4")
    report = check(mirror)
    assert [(each.what, each.timestamp, each.aws, each.mlflow) for each in report.differences] == [
        ("missing", created_ms, 0.5, None),
        ("extra", created_ms, None, 0.75),
        ("extra", created_ms + 1, None, 7.0),
        ("missing", created_ms + 4000, 1e-7, None),
    ]
    assert report.warnings == []


def test_steps_of_logs(mirror: Mirror) -> None:
    """A step beyond the number of points, and one that two points have, cannot be right."""
    created_ms = put_logged_job(mirror)
    mirror.sync()
    execute(mirror, "UPDATE metrics SET step = step + 1000 WHERE key = 'loss' AND step = 1")
    found = only(check(mirror))
    assert found == Difference(
        arn=arn("job"), what="step", key="loss", timestamp=created_ms + 1000, aws=1, mlflow=1001
    )
    execute(mirror, "UPDATE metrics SET step = 4 WHERE key = 'loss' AND step = 1001")
    found = only(check(mirror))
    assert (found.timestamp, found.aws, found.mlflow) == (created_ms + 1000, 1, 4)
    before = mirror.dump()
    report = repaired(mirror)
    assert mirror.dump() == before
    assert report.left == [f"job: loss: 1 point at a wrong step, not changed: {KEPT}"]


def test_step_of_an_event_that_came_late(mirror: Mirror) -> None:
    """It is the next free one, not the number of its match: that is right."""
    created_ms = put_running_job(mirror.account)
    mirror.refuse_units()
    assert killed(mirror, 1200)
    put_log(mirror.account, "job", [(created_ms + 5005, "value=0.5")])
    mirror.sync()
    (late,) = [step for _, step, value in mirror.series("job")["loss"] if value == 0.5]
    assert late > 501
    assert_equal(mirror)
    execute(mirror, "UPDATE metrics SET step = 9000 WHERE key = 'loss' AND value = 0.5")
    assert only(check(mirror)).mlflow == 9000


@pytest.mark.parametrize("key", ["loss", CPU, BILLABLE])
def test_steps_that_follow_from_the_time(mirror: Mirror, key: str) -> None:
    """A point from CloudWatch, and a duration, has one right step."""
    put_job(mirror)
    mirror.sync()
    at, step, _ = mirror.points("job")[key][-1]
    execute(
        mirror,
        "UPDATE metrics SET step = step + 1000 WHERE key = ? AND timestamp = ?",
        key,
        at,
    )
    assert only(check(mirror)) == Difference(
        arn=arn("job"), what="step", key=key, timestamp=at, aws=step, mlflow=step + 1000
    )


def test_step_of_a_final_value(mirror: Mirror) -> None:
    """Beside metrics from logs, too."""
    created_ms = put_logged_job(mirror)
    final = final_metrics({"loss": 0.25, "other": 0.5}, created_ms + 9000)
    put_logged_job(mirror, FinalMetricDataList=final)
    mirror.sync()
    assert_equal(mirror)
    assert check(mirror).warnings == []
    execute(mirror, "UPDATE metrics SET step = 1 WHERE key = 'other'")
    found = only(check(mirror))
    assert (found.what, found.key, found.aws, found.mlflow) == ("step", "other", 9, 1)


def test_status_and_end(mirror: Mirror) -> None:
    """Another status, or another end, is a difference; a repair sets both right."""
    created_ms = put_job(mirror)
    mirror.sync()
    run_id, end_ms = mirror.run("job").info.run_id, created_ms + HOUR_MS
    mirror.client.set_terminated(run_id, "FAILED", end_ms)
    found = only(check(mirror))
    assert found == Difference(arn=arn("job"), what="status", aws="FINISHED", mlflow="FAILED")
    mirror.client.set_terminated(run_id, "FINISHED", end_ms + 1)
    found = only(check(mirror))
    assert (found.what, found.key) == ("status", "end_time")
    assert (found.aws, found.mlflow) == (end_ms, end_ms + 1)
    (said,) = repaired(mirror).repaired
    assert said.startswith("job: status FINISHED, ended 20")
    info = mirror.run("job").info
    assert (info.status, info.end_time) == ("FINISHED", end_ms)


def test_status_of_a_running_job(mirror: Mirror) -> None:
    """A running job's run that somebody ended runs again; news that are not due are none."""
    created_ms = put_job(mirror, ended=False)
    mirror.sync()
    mirror.client.set_terminated(mirror.run("job").info.run_id, "KILLED")
    assert only(check(mirror)).what == "status"
    assert repaired(mirror).repaired == ["job: status RUNNING"]
    assert mirror.run("job").info.status == "RUNNING"
    put_job(mirror, created_ms=created_ms)
    assert_equal(mirror)


def test_params(mirror: Mirror) -> None:
    """A param that was lost comes back; one that is another cannot be changed."""
    put_job(mirror)
    mirror.sync()
    execute(mirror, "DELETE FROM params WHERE key = 'lr'")
    execute(mirror, "UPDATE params SET value = '4' WHERE key = 'depth'")
    report = repaired(mirror)
    assert [(each.what, each.key, each.aws, each.mlflow) for each in report.differences] == [
        ("param", "depth", "3", "4"),
        ("param", "lr", "0.1", None),
    ]
    assert report.repaired == ["job: param lr"]
    assert report.left == ["job: param depth: MLflow does not let a param be changed"]
    assert mirror.run("job").data.params == {"lr": "0.1", "depth": "4"}


def test_run_that_is_missing(mirror: Mirror) -> None:
    """A job without a run is a difference; a repair mirrors it."""
    put_job(mirror)
    found = only(check(mirror))
    assert found == Difference(arn=arn("job"), what="run", aws="1 run", mlflow=None)
    assert mirror.runs() == []
    assert repaired(mirror).repaired == ["job: run made, 22 points"]
    assert mirror.is_final("job")


def doubled_run(mirror: Mirror) -> str:
    """Make a second run of the mirror's own for the job; give its id."""
    run = mirror.run("job")
    made = mirror.client.create_run(
        run.info.experiment_id, start_time=run.info.start_time, tags=run.data.tags
    )
    return str(made.info.run_id)


def test_run_that_is_doubled(mirror: Mirror) -> None:
    """Two runs of the mirror's own are a difference; a repair removes all but one."""
    put_job(mirror)
    mirror.sync()
    kept = mirror.run("job").info.run_id
    both = {kept, doubled_run(mirror)}
    report = check(mirror)
    run = next(each for each in report.differences if each.what == "run")
    assert run.aws == "1 run"
    assert isinstance(run.mlflow, str)
    assert run.mlflow.startswith("2 runs: ")
    assert set(run.mlflow.removeprefix("2 runs: ").split(", ")) == both
    assert len(mirror.runs("job", ViewType.ACTIVE_ONLY)) == 2
    said = repaired(mirror).repaired
    assert said[-1].endswith(": all but one removed")
    assert len(mirror.runs("job", ViewType.ACTIVE_ONLY)) == 1


def test_run_that_the_user_deleted(mirror: Mirror) -> None:
    """It is respected; who asks for the job by name is told."""
    put_job(mirror)
    mirror.sync()
    mirror.client.delete_run(mirror.run("job").info.run_id)
    assert_equal(mirror)
    assert check(mirror).warnings == []
    (warned,) = check(mirror, "job").warnings
    assert "smwatch sync job --restore" in warned.warning


def test_what_others_logged_is_left_alone(mirror: Mirror) -> None:
    """A user's own metrics and params, and foreign runs with the ARN, are no differences."""
    put_job(mirror)
    mirror.sync()
    run = mirror.run("job").info
    mirror.client.log_metric(run.run_id, "mine", 1.0)
    mirror.client.log_param(run.run_id, "mine", "1")
    foreign = mirror.client.create_run(run.experiment_id, tags={"sagemaker.arn": arn("job")})
    mirror.client.log_metric(foreign.info.run_id, "loss", 5.0)
    assert_equal(mirror)


def adopted_run(client: MlflowClient, created_ms: int) -> str:
    """Log a run as the job's own script does; give its id."""
    tags = {
        "sagemaker.arn": arn("job"),
        "sagemaker.kind": "training-job",
        "sagemaker.name": "job",
        "sagemaker.region": "us-east-1",
    }
    run = client.create_run("0", start_time=created_ms + MINUTE_MS, tags=tags)
    client.log_param(run.info.run_id, "lr", "the script's")
    client.log_metric(run.info.run_id, "loss", 99.0)
    return str(run.info.run_id)


def test_adopted_run(mirror: Mirror) -> None:
    """What the script logged is the script's; what the mirror added is compared."""
    created_ms = put_job(mirror)
    run_id = adopted_run(mirror.client, created_ms)
    assert only(check(mirror)).what == "run"
    mirror.sync()
    assert mirror.run("job").info.run_id == run_id
    assert_equal(mirror)
    delete_point(mirror, CPU, whole(created_ms))
    assert (found := only(check(mirror))).what == "missing"
    assert found.key == CPU
    repaired(mirror)
    assert len(mirror.points("job")[CPU]) == 10


def test_running_job(mirror: Mirror) -> None:
    """What a run that is not final lacks is not due yet."""
    created_ms = put_job(mirror, ended=False)
    mirror.sync()
    put_loss(mirror.account, "job", [(created_ms + HOUR_MS, 7.0)])
    delete_point(mirror, "loss", whole(created_ms))
    assert_equal(mirror)
    assert_equal(mirror, settle_s=9000)


def test_job_that_settles_longer_than_before(mirror: Mirror) -> None:
    """What a pass that did not wait has written is right, though this one would still wait."""
    created_ms = now_ms() - HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=now_ms() - MINUTE_MS,
            BillableTimeInSeconds=5,
            FinalMetricDataList=final_metrics({"loss": 0.5}, created_ms + 1000),
        )
    )
    put_host(mirror.account, "job", curve(whole(created_ms), 60))
    mirror.sync(settle_s=0)
    assert mirror.is_final("job")
    assert set(mirror.points("job")) == {"loss", CPU, BILLABLE, "sagemaker/cost_usd"}
    assert_equal(mirror)


def put_faded(mirror: Mirror) -> tuple[int, list[tuple[int, int, float]]]:
    """Put a job of 20 days ago, mirrored when its minutes were still stored.

    Returns
    -------
    tuple
        Its CreationTime, and the points of its loss.
    """
    created_ms = whole(now_ms(), 3600) - 20 * DAY_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    samples = curve(created_ms, 30)
    put_loss(mirror.account, "job", samples)
    mirror.sync(since="30d")
    run_id = mirror.run("job").info.run_id
    assert len(mirror.series("job")["loss"]) == 6
    with closing(sqlite3.connect(mirror.database)) as connection, connection:
        connection.execute("DELETE FROM metrics WHERE key = 'loss'")
    points = averages(samples, created_ms)
    logged = [Metric("loss", value, at, step) for at, step, value in points]
    mirror.client.log_batch(run_id, metrics=logged)
    return created_ms, points


@pytest.mark.slow
def test_periods_that_faded(mirror: Mirror) -> None:
    """Points at a finer period than AWS still has are right; a period without any is missing."""
    created_ms, points = put_faded(mirror)
    assert_equal(mirror)
    for minute in range(5):
        assert_equal(mirror)
        delete_point(mirror, "loss", created_ms + (5 + minute) * MINUTE_MS)
    found = only(check(mirror))
    assert (found.what, found.key) == ("missing", "loss")
    assert (found.timestamp, found.aws) == (created_ms + 5 * MINUTE_MS, 0.875)
    repaired(mirror)
    expected = [*points[:5], (created_ms + 5 * MINUTE_MS, 300, 0.875), *points[10:]]
    assert mirror.series("job")["loss"] == expected
    (run_id,) = [mirror.run("job").info.run_id]
    mirror.client.log_metric(run_id, "loss", 0.0, timestamp=created_ms, step=99)
    assert only(check(mirror)).what == "doubled"


def test_beyond_what_is_stored(mirror: Mirror) -> None:
    """Of a stretch that CloudWatch no longer stores nothing is compared."""
    created_ms = whole(now_ms(), 3600) - 500 * DAY_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    mirror.sync("job")
    run = mirror.run("job").info.run_id
    mirror.client.log_metric(run, CPU, 5.0, timestamp=created_ms, step=0)
    assert_equal(mirror, "job")


@pytest.mark.slow
def test_many_points_of_logs(mirror: Mirror) -> None:
    """A log whose points are gathered in several parts is compared whole."""
    created_ms = put_logged_job(mirror)
    lines = [(created_ms + 10_000 + n, f"value={n}") for n in range(12_000)]
    put_log(mirror.account, "job", lines)
    mirror.sync()
    assert_equal(mirror)
    delete_point(mirror, "loss", created_ms + 10_000 + 7)
    delete_point(mirror, "loss", created_ms + 10_000 + 11_999)
    assert [each.aws for each in check(mirror).differences] == [7.0, 11_999.0]
    repaired(mirror)
    last = (created_ms + 10_000 + 11_999, 8 + 11_999, 11_999.0)
    assert mirror.series("job")["loss"][-1] == last


def test_points_of_logs(mirror: Mirror) -> None:
    """A value of a log that was lost is missing; one that no line has is extra, none is revised."""
    created_ms = put_logged_job(mirror, hosts=2)
    mirror.sync()
    before = mirror.content()
    for key, second in (("loss", 1), ("loss/algo-2", 2), ("loss/algo-2", 4)):
        delete_point(mirror, key, created_ms + second * 1000)
    execute(mirror, "DELETE FROM metrics WHERE key = 'loss' AND step = 6")
    differences = check(mirror).differences
    assert {each.what for each in differences} == {"missing"}
    assert [(each.key, each.timestamp, each.aws) for each in differences] == [
        ("loss", created_ms + 1000, "NaN"),
        ("loss", created_ms + 5000, 0.25),
        ("loss/algo-2", created_ms + 2000, 1.7976931348623157e308),
        ("loss/algo-2", created_ms + 4000, 1e-7),
    ]
    assert repaired(mirror).repaired == [
        "job: loss: 2 points added",
        "job: loss/algo-2: 2 points added",
    ]
    assert str(mirror.content()) == str(before)  # as text, NaN is NaN
    execute(mirror, "UPDATE metrics SET value = 3 WHERE key = 'loss' AND step = 0")
    assert {each.what for each in check(mirror).differences} == {"missing", "extra"}


def test_definition_that_takes_too_long(mirror: Mirror) -> None:
    """A metric that the mirror dropped for its expression is not compared, and is named."""
    runaway = {"Name": "slow", "Regex": r"(?=[av])(?:value=(\S+)|(a+)+\2$)"}
    fine = {"Name": "loss", "Regex": r"value=(\S+)"}
    specification = {"TrainingInputMode": "File", "MetricDefinitions": [runaway, fine]}
    created_ms = put_logged_job(mirror, AlgorithmSpecification=specification)
    put_log(mirror.account, "job", [(created_ms + 7000, "a" * 10_000 + "!")])
    mirror.account.faults.page_size(EVENTS, 8)
    mirror.sync()
    assert len(mirror.points("job")["slow"]) == 8
    run_id = mirror.run("job").info.run_id
    findings = mirror.watermark("job").findings
    assert "runaway" in findings["slow"]
    assert_equal(mirror)
    (warned,) = check(mirror).warnings
    assert "metric slow is not compared" in warned.warning
    mirror.client.log_metric(run_id, "loss", 1.0, timestamp=created_ms + 7000)
    assert only(check(mirror)).what == "extra"


def test_log_line_that_came_late(mirror: Mirror) -> None:
    """An event that came after the last pass is added, and its stream counted as read."""
    created_ms = put_logged_job(mirror)
    mirror.sync()
    put_log(mirror.account, "job", [(created_ms + 9000, "value=8")])
    assert only(check(mirror)).what == "missing"
    repaired(mirror)
    assert mirror.series("job")["loss"][-1] == (created_ms + 9000, 8, 8.0)
    state = mirror.watermark("job")
    assert state.points["loss"] == 9
    assert state.streams == {"algo-1-1700000000": [created_ms + 9000, 1]}


def test_logs_that_are_gone(mirror: Mirror) -> None:
    """Without the streams there is nothing to compare a log metric with; a warning says so."""
    put_logged_job(mirror, hosts=2)
    mirror.sync()
    streams = boto3.client("logs")
    for host, warning in (("algo-2", "gone, all or some"), ("algo-1", "gone, all or some")):
        streams.delete_log_stream(logGroupName=NAMESPACE, logStreamName=f"job/{host}-1700000000")
        assert_equal(mirror)
        assert warning in check(mirror).warnings[0].warning
    before = mirror.dump()
    assert check(mirror, repair=True).repaired == []
    assert mirror.dump() == before


def test_logs_whose_beginning_is_gone(mirror: Mirror) -> None:
    """Points from before the first event that is left are right; later ones are compared."""
    created_ms = put_logged_job(mirror, FinalMetricDataList=None)
    mirror.sync()
    boto3.client("logs").delete_log_stream(
        logGroupName=NAMESPACE, logStreamName="job/algo-1-1700000000"
    )
    put_log(mirror.account, "job", [(created_ms + 5000, "value=0.25")] * 3)
    assert_equal(mirror)
    assert "beginning of its logs" in check(mirror).warnings[0].warning
    run_id = mirror.run("job").info.run_id
    mirror.client.log_metric(run_id, "loss", 4.0, timestamp=created_ms + 6000, step=9)
    assert only(check(mirror)).what == "extra"


@pytest.mark.parametrize("operation", [EVENTS, METRICS])
def test_denied(mirror: Mirror, operation: str) -> None:
    """What may not be read is not compared, and is named; the rest is."""
    put_logged_job(mirror, "logs")
    put_job(mirror, "cloudwatch")
    mirror.sync()
    mirror.account.faults.deny(operation)
    assert_equal(mirror, jobs=2)
    warnings = check(mirror).warnings
    assert warnings
    assert all(operation in each.warning for each in warnings)
    assert all("not compared" in each.warning for each in warnings)


def test_names_that_nobody_knows(mirror: Mirror) -> None:
    """A name without a job is a failed one; so is a job that AWS has deleted, if it is named."""
    put_job(mirror)
    mirror.sync()
    mirror.account.remove_training_job("job")
    report = check(mirror, "job", "other", "not a name")
    assert [each.arn for each in report.failed] == ["job", "other", "not a name"]
    assert (report.jobs, report.equal, report.differences) == (3, 0, [])
    report = check(mirror)
    assert (report.jobs, report.failed, report.differences) == (0, [], [])
    (warned,) = report.warnings
    assert (warned.arn, "no longer knows" in warned.warning) == (arn("job"), True)


def test_runs_are_compared_whatever_since(mirror: Mirror) -> None:
    """Mirrored runs are compared though their jobs are old; jobs that were left out are not."""
    put_job(mirror, "mine")
    put_job(mirror, "other")
    mirror.sync()
    assert_equal(mirror, jobs=2, since="1m")
    assert mirror.account.calls[IDENTITY] == 1
    assert_equal(mirror, jobs=1, name_contains="min", since="1m")


@pytest.mark.slow
def test_name_that_is_used_again(mirror: Mirror) -> None:
    """The run of an earlier job of the same name is not compared with the later job."""
    put_job(mirror)
    mirror.sync()
    created_ms = now_ms() - HOUR_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + MINUTE_MS)
    )
    assert only(check(mirror)).what == "run"
    report = check(mirror, since="1m")
    assert (report.jobs, report.differences) == (0, [])
    assert "no longer knows" in report.warnings[0].warning


def test_late_points_of_a_job_without_any(mirror: Mirror) -> None:
    """A final run without algorithm metrics takes the source that AWS has by now."""
    created_ms = now_ms() - 3 * HOUR_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    mirror.sync()
    assert mirror.run("job").data.tags["smwatch.metric_source"] == "none"
    put_log(mirror.account, "job", [(created_ms + 1000, "value=8")])
    assert only(check(mirror)).what == "missing"
    repaired(mirror)
    assert mirror.points("job")["loss"] == [(created_ms + 1000, 0, 8.0)]
    assert mirror.run("job").data.tags["smwatch.metric_source"] == "logs"
    assert mirror.watermark("job").source == "logs"


def test_curve_that_came_after_the_final_value(mirror: Mirror) -> None:
    """A run that has the final value alone does not get another source's curve beside it."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            FinalMetricDataList=final_metrics({"loss": 0.5}, created_ms + 1000),
        )
    )
    mirror.sync()
    put_loss(mirror.account, "job", [(created_ms + MINUTE_MS, 4.5)])
    before = mirror.dump()
    report = check(mirror, repair=True)
    assert mirror.dump() == before
    assert [each.what for each in report.differences] == ["extra", "missing"]
    assert "never mixes two sources" in report.left[1]


def test_store_that_is_not_there(mirror: Mirror) -> None:
    """A comparison makes no database."""
    path = mirror.database.with_name("none.db")
    with pytest.raises(StopError):
        check(mirror, tracking_uri=f"sqlite:///{path}")
    assert not path.exists()


def test_listener_sees_each_job(mirror: Mirror) -> None:
    """The report grows with each job."""
    put_job(mirror, "a")
    put_job(mirror, "b")
    seen: list[tuple[int, int]] = []
    options = mirror.options()
    verify(options, listener=lambda report: seen.append((report.jobs, len(report.differences))))
    assert seen[-1] == (2, 2)
    assert seen == sorted(seen)


def test_runs_whose_account_nobody_tells(mirror: Mirror) -> None:
    """Runs that cannot be told from another account's are not equal: they were not compared."""
    put_job(mirror)
    mirror.sync()
    mirror.account.faults.deny(IDENTITY)
    report = check(mirror, since="1m")
    (failure,) = report.failed
    assert failure.arn == "mirrored runs"
    assert IDENTITY in failure.error
    assert "name the jobs" in failure.error
    assert (report.jobs, report.equal, report.warnings) == (1, 0, [])
    assert_equal(mirror, "job")
    assert_equal(mirror)


@pytest.mark.slow
@pytest.mark.parametrize("repair", [False, True])
def test_memory_holds_the_jobs_at_work_alone(mirror: Mirror, repair: bool) -> None:
    """What was read of a job goes once it is compared and, if that is wanted, mended."""
    for name in "abcdef":
        put_job(mirror, name)
    mirror.sync()
    with closing(sqlite3.connect(mirror.database)) as connection, connection:
        connection.execute("DELETE FROM metrics WHERE key = 'loss' AND value = 0.375")
    held: list[int] = []

    def count(_: VerifyReport) -> None:
        held.append(sum(isinstance(each, Audited) for each in gc.get_objects()))

    options = mirror.options(workers=1)
    report = verify(options, repair=repair, listener=count)
    assert len(report.differences) == 6
    assert len(report.repaired) == (6 if repair else 0)
    assert report.repaired == sorted(report.repaired)
    assert max(held) <= 2


@pytest.mark.parametrize("repair", [False, True])
def test_credentials_that_expire_midway(mirror: Mirror, repair: bool) -> None:
    """What was compared is reported, the rest is failed; with nothing compared it is an error."""
    put_job(mirror, "mirrored")
    mirror.sync()
    mirror.account.faults.fail(METRICS, times=None, code="ExpiredTokenException", status=403)
    with pytest.raises(CredentialsError):
        check(mirror, repair=repair)
    put_job(mirror, "new")
    report = check(mirror, repair=repair)
    assert [(each.arn, each.what) for each in report.differences] == [(arn("new"), "run")]
    failed = {each.arn for each in report.failed}
    assert failed - {arn("new")} == {arn("mirrored"), "jobs that were not reached"}
    assert (arn("new") in failed) is repair
    assert all("renew them" in each.error for each in report.failed)
    assert len(mirror.runs()) == 1


def test_credentials_that_expire_before_runs_are_made(mirror: Mirror) -> None:
    """What was repaired by then is said."""
    created_ms = put_job(mirror, "mirrored")
    mirror.sync()
    delete_point(mirror, "loss", whole(created_ms))
    put_job(mirror, "new")

    def expire(report: VerifyReport) -> None:
        if report.jobs == 2:
            mirror.account.faults.fail("*", times=None, code="ExpiredTokenException", status=403)

    report = verify(mirror.options(), repair=True, listener=expire)
    assert report.repaired == ["mirrored: loss: 1 point added"]
    (failure,) = report.failed
    assert failure.arn == arn("new")
    assert "renew them" in failure.error


def test_equal_points_of_which_one_is_missing(mirror: Mirror) -> None:
    """One is added, though the others have other steps than now; no step is used twice."""
    created_ms = put_logged_job(mirror)
    mirror.sync()
    before = mirror.points("job")["loss"]
    at = (created_ms + 5000, created_ms + 1000)
    execute(mirror, "DELETE FROM metrics WHERE key = 'loss' AND step = 6")
    execute(mirror, "UPDATE metrics SET step = 8 WHERE key = 'loss' AND step = 5")
    delete_point(mirror, "loss", at[1])
    execute(mirror, "UPDATE metrics SET step = 1 WHERE key = 'loss' AND step = 2")
    differences = check(mirror).differences
    assert [(each.what, each.timestamp) for each in differences] == [
        ("missing", at[1]),
        ("missing", at[0]),
        ("step", at[0]),
    ]
    assert repaired(mirror).repaired == ["job: loss: 2 points added"]
    after = mirror.points("job")["loss"]
    assert [point[0] for point in after] == [point[0] for point in before]
    assert sorted(step for _, step, _ in after) == [0, 1, 2, 3, 4, 5, 7, 8]
    step = only(check(mirror))
    assert (step.what, step.aws, step.mlflow) == ("step", 6, 8)


def test_python_api(mirror: Mirror) -> None:
    """The package compares, and repairs, as the command does; there is no dry run."""
    created_ms = put_job(mirror)
    mirror.sync()
    delete_point(mirror, "loss", whole(created_ms))
    options: dict[str, Any] = {"tracking_uri": mirror.uri, "since": "30d"}
    report = mlflow_smwatch.verify("job", **options)
    assert only(report).what == "missing"
    assert mlflow_smwatch.verify("job", repair=True, **options).repaired
    assert mlflow_smwatch.verify(**options).to_dict()["equal"] == 1
    with pytest.raises(UsageError, match="no dry run"):
        mlflow_smwatch.verify(dry_run=True, **options)
