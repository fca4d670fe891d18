"""Packing: few requests, every limit kept, nothing left out, few queries waiting."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws.operations import DATAPOINTS_PER_SECOND
from mlflow_smwatch.aws.packing import (
    MAX_POINTS,
    MAX_QUERIES,
    MAX_WAITING,
    MetricRequest,
    Packer,
    Query,
    halves,
)
from mlflow_smwatch.core.request_share import Limits
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


def jobs_of_an_hour(starts: list[int]) -> list[Query]:
    """Give eight series of each of some jobs."""
    return [
        query(series, TimeWindow(start * MINUTE, (start + 75) * MINUTE, 60))
        for start in starts
        for series in range(8)
    ]


def newest_first(starts: list[int], rng: random.Random) -> list[int]:
    """Order them as they come: pages of a hundred from the newest on, each in any order."""
    ordered = sorted(starts, reverse=True)
    pages = (ordered[first : first + 100] for first in range(0, len(ordered), 100))
    return [start for page in pages for start in rng.sample(page, len(page))]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("days", [1, 6])
def test_a_thousand_jobs_of_eight_series_take_sixteen_requests(days: int, seed: int) -> None:
    """Jobs of one hour, at any times of some days."""
    rng = random.Random(seed)
    starts = newest_first([rng.randrange(days * 1440) for _ in range(1000)], rng)
    assert [len(each.queries) for each in packed(jobs_of_an_hour(starts))] == [500] * 16


def test_jobs_of_two_periods_take_as_many_requests_as_their_number_does() -> None:
    """Over 24 days, of which nine are read at five minutes."""
    rng = random.Random(1)
    starts = newest_first([rng.randrange(24 * 1440) for _ in range(4_000)], rng)
    queries = [
        query(series, TimeWindow(start * MINUTE, (start + 75) * MINUTE, 60))
        if start > 9 * 1440
        else query(series, TimeWindow(start // 5 * 5 * MINUTE, (start // 5 + 15) * 5 * MINUTE, 300))
        for start in starts
        for series in range(8)
    ]
    fine = sum(each.window.period_s == 60 for each in queries)
    fewest = -(-fine // MAX_QUERIES) - (fine - len(queries)) // MAX_QUERIES
    assert len(packed(queries)) == fewest


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


def test_queries_that_wait_are_few_and_full_requests_do_not() -> None:
    """However many come, a bounded number waits; what is full is sent off before the end."""
    packer, sent = Packer(), 0
    for each in jobs_of_an_hour([at * 8 for at in range(2000)]):
        sent += sum(len(request.queries) for request in packer.add(each))
        assert packer.waiting <= MAX_WAITING
    assert sent % MAX_QUERIES == 0
    assert 16_000 - sent == packer.waiting <= MAX_WAITING // 2 + MAX_QUERIES
    assert sum(len(request.queries) for request in packer.flush()) == 16_000 - sent
    assert packer.waiting == 0


def test_lone_queries_do_not_wait_for_ever() -> None:
    """Where nothing can share a request, those that wait longest are asked for."""
    packer = Packer(max_waiting=10)
    queries = [query(number, hours(number * 400 * 24, 1)) for number in range(11)]
    requests = list(chain.from_iterable(packer.add(each) for each in queries))
    arns = [each.arn for request in requests for each in request.queries]
    assert sorted(arns, key=lambda arn: int(arn[4:])) == [f"arn:{number}" for number in range(6)]


def test_an_early_start_is_asked_for_once_a_page() -> None:
    """Points that a live series had before what is wanted fill pages too, and pages are paid."""
    early = query(0, hours(0, 300))
    live = [query(number, hours(299, 1)) for number in range(1, 9)]
    assert [len(each.queries) for each in packed([early, *live])] == [9]
    old = [Query(each.arn, each.series, each.window, since_ms=0) for each in live]
    assert sorted(len(each.queries) for each in packed([early, *old])) == [1, 8]


windows = st.builds(
    hours, st.integers(0, 24 * 400), st.integers(1, 24 * 28), st.sampled_from([60, 300, 3600])
)


few = Limits(series=5, points=4000, datapoints=9000, nearly_full=5, overdraft=9000)


@given(st.lists(windows, max_size=80), st.integers(1, 40))
def test_a_packer_with_little_room_loses_nothing_either(
    spans: list[TimeWindow], max_waiting: int
) -> None:
    """Low limits and few places to wait: each query once, in a request that may ask for it."""
    queries = [query(number, window) for number, window in enumerate(spans)]
    packer, requests = Packer(few, max_waiting), list[MetricRequest]()
    for each in queries:
        requests += packer.add(each)
        assert packer.waiting <= max_waiting
    requests += packer.flush()
    taken = [each.arn for request in requests for each in request.queries]
    assert sorted(taken) == sorted(each.arn for each in queries)
    for request in requests:
        if len(request.queries) > 1:
            assert len(request.queries) <= few.series
            assert request.datapoints <= few.datapoints
            assert sum(each.window.periods for each in request.queries) <= few.points


@given(st.lists(windows, max_size=80))
def test_nothing_is_lost_and_every_limit_is_kept(spans: list[TimeWindow]) -> None:
    """Every query is in exactly one request that covers its window."""
    queries = [query(number, window) for number, window in enumerate(spans)]
    requests = packed(queries)
    taken = [each for request in requests for each in request.queries]
    assert sorted(taken, key=lambda each: each.arn) == sorted(queries, key=lambda each: each.arn)
    for request in requests:
        assert len(request.queries) <= MAX_QUERIES
        assert sum(each.window.periods for each in request.queries) <= MAX_POINTS
        quota = DATAPOINTS_PER_SECOND * (1.25 if len(request.queries) >= 400 else 1)
        assert len(request.queries) == 1 or request.datapoints <= quota
        for each in request.queries:
            assert request.start_ms <= each.window.start_ms
            assert each.window.end_ms <= request.end_ms
            assert each.window.period_s == request.period_s
