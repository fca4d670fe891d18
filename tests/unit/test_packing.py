"""Packing: few requests, every limit kept, nothing left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws.operations import DATAPOINTS_PER_SECOND
from mlflow_smwatch.aws.packing import (
    MAX_POINTS,
    MAX_QUERIES,
    MetricRequest,
    Packer,
    Query,
    halves,
)
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.windows import TimeWindow

MINUTE = 60_000


def query(number: int, window: TimeWindow) -> Query:
    dimensions = (("TrainingJobName", f"job-{number}"),)
    series = Series(
        original=f"m{number}", namespace="n", metric_name=f"m{number}", dimensions=dimensions
    )
    return Query(f"arn:{number}", series, window)


def packed(queries: list[Query]) -> list[MetricRequest]:
    packer = Packer()
    requests = [request for each in queries for request in packer.add(each)]
    return requests + list(packer.flush())


def hours(start: int, length: int, period_s: int = 60) -> TimeWindow:
    hour = 60 * MINUTE
    return TimeWindow(start * hour, (start + length) * hour, period_s)


def test_a_thousand_jobs_of_eight_series_take_sixteen_requests() -> None:
    """Jobs of one hour, eight minutes apart: 8,000 series in full requests."""
    queries = [
        query(series, TimeWindow(job * 8 * MINUTE, (job * 8 + 75) * MINUTE, 60))
        for job in range(1000)
        for series in range(8)
    ]
    assert [len(request.queries) for request in packed(queries)] == [500] * 16


def test_periods_are_not_mixed() -> None:
    """A request has one period."""
    requests = packed([query(1, hours(0, 1)), query(2, hours(0, 1, 300)), query(3, hours(0, 1))])
    assert [(each.period_s, len(each.queries)) for each in requests] == [(60, 2), (300, 1)]


def test_jobs_far_apart_do_not_share_a_request() -> None:
    """The quota counts the whole window for each series, data or not."""
    queries = [query(number, hours(number * 24, 1)) for number in range(500)]
    requests = packed(queries)
    assert len(requests) > 1
    assert all(request.datapoints <= DATAPOINTS_PER_SECOND for request in requests)


def test_a_request_that_is_nearly_full_is_filled() -> None:
    """Jobs a little too far apart for one second's quota still take full requests."""
    queries = [
        query(series, TimeWindow(job * 12 * MINUTE, (job * 12 + 70) * MINUTE, 60))
        for job in range(250)
        for series in range(8)
    ]
    requests = packed(queries)
    assert [len(request.queries) for request in requests] == [500] * 4
    assert all(request.datapoints > DATAPOINTS_PER_SECOND for request in requests)
    for request in requests:
        first, second = halves(request)
        assert sorted(query.arn for query in (*first.queries, *second.queries)) == sorted(
            query.arn for query in request.queries
        )
        assert max(first.datapoints, second.datapoints) <= DATAPOINTS_PER_SECOND


def test_one_page_holds_all_points_of_a_request() -> None:
    """Four weeks by the minute are 40,320 points: two series a request."""
    requests = packed([query(number, hours(0, 28 * 24)) for number in range(5)])
    assert [len(each.queries) for each in requests] == [2, 2, 1]


windows = st.builds(
    hours, st.integers(0, 24 * 400), st.integers(1, 24 * 28), st.sampled_from([60, 300, 3600])
)


@given(st.lists(windows, max_size=80))
def test_nothing_is_lost_and_every_limit_is_kept(spans: list[TimeWindow]) -> None:
    """Every query is in exactly one request that covers its window."""
    queries = [query(number, window) for number, window in enumerate(spans)]
    requests = packed(queries)
    taken = [each for request in requests for each in request.queries]
    assert sorted(taken, key=lambda each: each.arn) == sorted(queries, key=lambda each: each.arn)
    for request in requests:
        assert len(request.queries) <= MAX_QUERIES
        assert request.points <= MAX_POINTS
        quota = DATAPOINTS_PER_SECOND * (1.25 if len(request.queries) > 400 else 1)
        assert len(request.queries) == 1 or request.datapoints <= quota
        for each in request.queries:
            assert request.start_ms <= each.window.start_ms
            assert each.window.end_ms <= request.end_ms
            assert each.window.period_s == request.period_s
