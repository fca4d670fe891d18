"""Packing: few requests, every limit kept, nothing left out, few queries waiting."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws.operations import DATAPOINTS_PER_SECOND
from mlflow_smwatch.aws.packing import (
    LIMITS,
    MAX_POINTS,
    MAX_QUERIES,
    MAX_WAITING,
    MetricRequest,
    Packer,
    Query,
    halves,
    parted,
)
from mlflow_smwatch.core.request_share import Limits
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.windows import (
    DAY_MS,
    PERIODS_S,
    Life,
    TimeWindow,
    kept_from_ms,
    plan_reading,
)

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


class Pass:
    """A packer, and a clock that it looks at, which begins at a full hour."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.now_ms = 500_000 * 60 * MINUTE
        self.packer = Packer(limits, clock_ms=lambda: self.now_ms)
        self.requests: list[MetricRequest] = []

    def add(self, *queries: Query) -> None:
        for each in queries:
            self.requests += self.packer.add(each)

    def go_on(self, minutes: float) -> list[MetricRequest]:
        """Let time pass, and see what is given by that."""
        self.now_ms += int(minutes * MINUTE)
        given = list(self.packer.overdue())
        self.requests += given
        return given

    def planned(self, days: int, period_s: int) -> TimeWindow:
        """Give what is read at a period of a job that ran for a day until so many days ago."""
        ended_ms = self.now_ms - days * DAY_MS + DAY_MS // 2
        life = Life(created_ms=ended_ms - DAY_MS, ended_ms=ended_ms)
        windows = plan_reading(life, self.now_ms, 0).windows
        return next(each for each in windows if each.period_s == period_s)


@pytest.mark.parametrize("seed", range(2))
def test_a_pass_of_less_than_an_hour_takes_no_more_requests(seed: int) -> None:
    """Looked at after each page of a thousand jobs of six days, three minutes apart."""
    rng, run = random.Random(seed), Pass()
    begin = run.now_ms // MINUTE - 6 * 1440
    starts = newest_first([begin + rng.randrange(5 * 1440) for _ in range(1000)], rng)
    for first in range(0, 1000, 100):
        run.add(*jobs_of_an_hour(starts[first : first + 100]))
        run.go_on(3)
    run.requests += run.packer.flush()
    assert [len(each.queries) for each in run.requests] == [500] * 16


@pytest.mark.parametrize(("period_s", "days"), [(60, 15), (300, 63), (3600, 455)])
def test_what_fades_does_not_wait_for_others(period_s: int, days: int) -> None:
    """However few they are, a job at the edge is asked for while it is stored for half an hour."""
    run = Pass()
    run.now_ms += 61 * MINUTE  # so that edges are no full hours
    edge = run.planned(days, period_s)
    run.add(*(query(number, edge) for number in range(3)))
    left_ms = edge.start_ms - kept_from_ms(run.now_ms, period_s)
    minutes = left_ms // MINUTE - 30
    assert minutes >= 30
    assert run.go_on(min(minutes, 60) - 1) == []
    (request,) = run.go_on(1)
    assert len(request.queries) == 3
    assert request.start_ms - kept_from_ms(run.now_ms, period_s) >= 30 * MINUTE
    assert run.packer.waiting == 0


def test_nothing_waits_for_longer_than_an_hour() -> None:
    """Not behind thousands of another period; what came since goes on waiting, or fills up."""
    run = Pass()
    few = [query(number, run.planned(100, 3600)) for number in range(800)]
    run.add(*few)
    for page in range(6):
        assert run.go_on(9) == []
        run.add(*jobs_of_an_hour([run.now_ms // MINUTE - 6000 + page * 9] * 100))
    assert all(each.period_s == 60 for each in run.requests)
    later = [query(number, run.planned(400, 3600)) for number in range(7)]
    run.add(*later)
    run.requests.clear()
    due = run.go_on(6)
    assert sorted(len(each.queries) for each in due if each.period_s == 3600) == [300, 500]
    assert run.packer.waiting >= len(later)
    assert [len(each.queries) for each in run.go_on(60) if each.period_s == 3600] == [7]
    assert run.packer.waiting == 0
    assert run.go_on(600) == []


def test_a_request_is_parted_by_the_starts_of_its_queries() -> None:
    """What is left is a request of its own, no wider than it must be."""
    (request,) = packed([query(number, hours(number, 10)) for number in range(4)])
    later, earlier = parted(request, hours(2, 1).start_ms)
    assert later is not None
    assert [each.arn for each in later.queries] == ["arn:2", "arn:3"]
    assert (later.start_ms, later.end_ms) == (hours(2, 1).start_ms, hours(3, 10).end_ms)
    assert [each.arn for each in earlier] == ["arn:0", "arn:1"]
    assert parted(request, 0) == (request, ())
    assert parted(request, request.end_ms) == (None, tuple(request.queries))


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


arrivals = st.tuples(
    st.sampled_from(PERIODS_S), st.integers(0, 460), st.integers(1, 60), st.sampled_from([0, 0, 7])
)


@given(st.lists(arrivals, max_size=60), st.sampled_from([few, LIMITS]))
def test_no_query_waits_until_it_fades(
    comes: list[tuple[int, int, int, int]], limits: Limits
) -> None:
    """Looked at every seven minutes: it is sent within an hour, and while it is stored."""
    run, came = Pass(limits), dict[str, int]()
    sent: list[str] = []

    def note(requests: list[MetricRequest]) -> None:
        for each in (each for request in requests for each in request.queries):
            sent.append(each.arn)
            assert run.now_ms - came[each.arn] < 68 * MINUTE
            assert each.window.start_ms >= kept_from_ms(run.now_ms, each.window.period_s)

    for number, (period_s, days, length, minutes) in enumerate(comes):
        start_ms = max(run.now_ms - days * DAY_MS, kept_from_ms(run.now_ms, period_s) + 60 * MINUTE)
        start = -(-start_ms // (period_s * 1000))
        window = TimeWindow(start * period_s * 1000, (start + length) * period_s * 1000, period_s)
        came[f"arn:{number}"] = run.now_ms
        run.add(query(number, window))
        note(run.go_on(minutes))
    for _ in range(9):
        note(run.go_on(7))
    assert run.packer.waiting == 0
    sent += [each.arn for request in run.requests for each in request.queries]
    assert set(sent) == came.keys()


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
