from __future__ import annotations

from typing import Any

import pytest

import mlflow_smwatch
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    Points,
    arn,
    averages,
    curve,
    job_answer,
    now_ms,
    put_host,
    put_loss,
    whole,
)
from tests.sync.conftest import ASSOCIATIONS, DESCRIBE, METRICS, SEARCH, Mirror


def put_jobs(mirror: Mirror, count: int, *, metrics: tuple[str, ...] = ("loss",)) -> Any:
    """Put jobs with points of their own; give name → the series that the run must have."""
    begin_ms = whole(now_ms()) - 5 * HOUR_MS
    expected: dict[str, dict[str, Points]] = {}
    for number in range(count):
        name, created_ms = f"job-{number:03}", begin_ms + number * 7_001
        mirror.account.put_training_job(
            job_answer(name, created_ms=created_ms, ended_ms=created_ms + HOUR_MS, metrics=metrics),
            tags={"number": str(number % 3)},
        )
        cpu = curve(created_ms, 3, first=1000.0 + number)
        put_host(mirror.account, name, cpu)
        series = {"system/algo-1/cpu_utilization_percentage": averages(cpu, created_ms)}
        for place, metric in enumerate(metrics):
            samples = curve(created_ms + place * MINUTE_MS, 4, first=number * 10 + place)
            put_loss(mirror.account, name, samples, metric)
            series[metric] = averages(samples, created_ms)
        expected[name] = series
    return expected


def series_of_all(mirror: Mirror) -> dict[str, dict[str, Points]]:
    """Give the series of every run, by job."""
    return {run.data.tags["sagemaker.name"]: mirror.series(run) for run in mirror.runs()}


MANY = [
    pytest.param(13, 40, 2, id="13-jobs-of-45-series"),
    pytest.param(120, 1, 3, id="120-jobs-of-6-series", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("jobs", "metrics", "searches"), MANY)
def test_series_of_many_jobs_share_requests(
    mirror: Mirror, jobs: int, metrics: int, searches: int
) -> None:
    """A Search for components, one per 100 jobs; 500 series a GetMetricData; all points come."""
    series = jobs * (metrics + 5)
    expected = put_jobs(mirror, jobs, metrics=tuple(f"m{each}" for each in range(metrics)))
    forecast = mirror.sync(dry_run=True, metrics="cloudwatch")
    assert mirror.account.calls == {SEARCH: searches}
    assert mirror.runs() == []
    report = mirror.sync(metrics="cloudwatch")
    assert mirror.account.calls == {SEARCH: searches, ASSOCIATIONS: 1, METRICS: 2}
    assert dict(forecast.aws_calls) == dict(report.aws_calls) == mirror.account.calls
    assert forecast.estimated_cost_usd == pytest.approx(report.estimated_cost_usd)
    assert report.estimated_cost_usd == pytest.approx(series * 0.01 / 1000)
    sizes = [
        len(each.parameters["MetricDataQueries"])
        for each in mirror.account.requests
        if each.operation == METRICS
    ]
    assert sum(sizes) == series
    assert max(sizes) <= 500
    assert report.jobs["created"] == jobs
    assert series_of_all(mirror) == expected
    assert mirror.sync().jobs["unchanged"] == jobs
    assert mirror.account.calls == {SEARCH: searches, ASSOCIATIONS: 1}


def test_pages_batches_order_and_workers_change_nothing(mirror: Mirror) -> None:
    """Small and empty pages, one worker or eight, and the jobs' order: the same content."""
    expected = put_jobs(mirror, 10, metrics=("a", "b"))
    mirror.sync(workers=1)
    faults = mirror.account.faults
    faults.page_size(SEARCH, 4)
    faults.empty_pages(SEARCH)
    faults.page_size(METRICS, 11)
    faults.empty_pages(METRICS)
    other = mirror.beside()
    report = other.sync(*reversed(list(expected)[:4]), workers=8)
    assert report.jobs["created"] == 4
    report = other.sync(workers=8)
    assert report.jobs == {"seen": 10, "created": 6, "updated": 0, "unchanged": 4, "failed": 0}
    assert mirror.account.calls[SEARCH] >= 3
    assert mirror.account.calls[METRICS] > 10
    assert other.content() == mirror.content()
    points = {name: content["points"] for name, content in other.content().items()}
    assert points == expected


def test_requests_stay_below_the_datapoint_limit(mirror: Mirror) -> None:
    """Jobs that lie far apart in time do not widen each other's window."""
    begin_ms = whole(now_ms()) - 12 * 24 * HOUR_MS
    expected = {}
    for day in range(11):
        name, created_ms = f"job-{day}", begin_ms + day * 24 * HOUR_MS
        mirror.account.put_training_job(
            job_answer(name, created_ms=created_ms, ended_ms=created_ms + 10 * HOUR_MS, hosts=10)
        )
        samples = curve(created_ms, 10, first=float(day), every_s=3600)
        put_loss(mirror.account, name, samples)
        expected[name] = {"loss": averages(samples, created_ms)}
    report = mirror.sync(since="30d")
    for request in (each for each in mirror.account.requests if each.operation == METRICS):
        parameters = request.parameters
        queries = parameters["MetricDataQueries"]
        assert len(queries) <= 500
        assert len(queries) * 10.25 * 60 <= 396_000
    assert report.points == 11 * 10
    assert series_of_all(mirror) == expected


FAULTS = [
    pytest.param({"code": "ThrottlingException"}, id="throttled"),
    pytest.param({"code": "InternalFailure", "status": 500}, id="500"),
    pytest.param({"code": "ServiceUnavailable", "status": 503}, id="503"),
    pytest.param({"code": None}, id="reset"),
    pytest.param({"code": "TruncatedBody"}, id="truncated"),
    pytest.param({"code": "MalformedBody"}, id="malformed"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_pass_leave_no_trace(mirror: Mirror, fault: dict[str, Any]) -> None:
    """After throttling, server errors and broken answers the points are right, none doubled."""
    expected = put_jobs(mirror, 2)
    mirror.account.faults.page_size(METRICS, 5)
    mirror.account.faults.fail(SEARCH, times=1, **fault)
    mirror.account.faults.fail(METRICS, times=1, **fault)
    report = mirror.sync()
    assert report.failed == []
    assert series_of_all(mirror) == expected
    assert report.points == sum(len(each) for job in expected.values() for each in job.values())
    assert dict(report.aws_calls) == mirror.account.calls
    assert mirror.account.calls[DESCRIBE] == 0


def test_metrics_that_fail_for_good_cost_this_pass_only(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs whose metrics cannot be read are named as failed; the next pass mirrors them whole."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    expected = put_jobs(mirror, 2)
    mirror.account.faults.fail(METRICS, times=None, code="InternalFailure", status=500)
    ancient_ms = now_ms() - 700 * 24 * HOUR_MS
    ancient = job_answer("ancient", created_ms=ancient_ms, ended_ms=ancient_ms + HOUR_MS)
    mirror.account.put_training_job(ancient)
    report = mirror.sync(since="800d")
    assert {failure.arn for failure in report.failed} == {arn(name) for name in expected}
    assert [line.name for line in report.runs] == ["ancient"]
    assert all("cloudwatch:GetMetricData failed" in each.error for each in report.failed)
    assert report.points == 0
    for name in expected:
        assert mirror.series(name) == {}
        assert not mirror.is_final(name)
        assert "GetMetricData failed" in mirror.run(name).data.tags["smwatch.warning"]
    mirror.account.faults.clear()
    assert mirror.sync().failed == []
    for name, series in expected.items():
        assert mirror.series(name) == series
        assert mirror.is_final(name)
        assert "smwatch.warning" not in mirror.run(name).data.tags


def test_credentials_that_expire_stop_the_pass_and_lose_nothing(mirror: Mirror) -> None:
    """An expired token ends the pass in one clear error; the next pass completes the work."""
    expected = put_jobs(mirror, 3)
    mirror.account.faults.fail(METRICS, times=None, code="ExpiredTokenException", status=403)
    with pytest.raises(mlflow_smwatch.CredentialsError, match="renew"):
        mirror.sync()
    mirror.account.faults.clear()
    mirror.sync()
    assert series_of_all(mirror) == expected
