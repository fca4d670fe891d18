"""Packs the series of many jobs into as few ``GetMetricData`` requests as the limits allow.

A request carries at most 500 queries of one period ("GetMetricData", MetricDataQueries). A plan
costs, in this order: its price, which is the number of metrics asked for, once a page, so that a
request may return at most the 100,800 points of one page; its calls; and what CloudWatch's
datapoint quota counts for them, window ÷ period × series even where there is no data, which is
time to wait ("CloudWatch service quotas"). A request counts no more than one second's quota, or up
to a quarter more where that fills it: the ledger waits that much longer, and the reader halves a
request that is refused. The smaller quota for the last three hours never binds a single request:
500 series of 180 minutes are half of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mlflow_smwatch.aws.operations import DATAPOINTS_PER_SECOND
from mlflow_smwatch.core.request_plan import fill_requests, plan_requests
from mlflow_smwatch.core.request_share import Limits, Share, Stretch
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.windows import MARGIN_MS, MINUTE_MS, TimeWindow, fades_ms

MAX_QUERIES = 500
MAX_POINTS = 100_800
LIMITS = Limits(
    series=MAX_QUERIES,
    points=MAX_POINTS,
    datapoints=DATAPOINTS_PER_SECOND,
    nearly_full=400,
    overdraft=DATAPOINTS_PER_SECOND * 5 // 4,
)
MAX_WAITING = 4_000
"""How many queries may wait for others to share a request with."""

_MAX_WAIT_MS = 60 * MINUTE_MS
"""How long a query waits; so long, too, are jobs that are read but for it kept unwritten."""

_NEVER = float("inf")

_IN_TIME_MS = MARGIN_MS // 2
"""How long before the start of a query fades its request is sent: calls wait for their turn."""


@dataclass(frozen=True, slots=True)
class Query:
    """One series of one job within one window.

    Attributes
    ----------
    arn
        The job that it belongs to.
    series
        What to read.
    window
        The stretch whose points are wanted; the request's own may be wider.
    since_ms
        Since when the series may have points, None for the window's start: what a wider request
        returns is bounded by it.
    """

    arn: str
    series: Series
    window: TimeWindow
    since_ms: int | None = None


@dataclass(slots=True)
class MetricRequest:
    """One ``GetMetricData`` request.

    Attributes
    ----------
    period_s
        Period of all its queries, seconds.
    start_ms, end_ms
        The window that covers all of them.
    queries
        At most 500.
    """

    period_s: int
    start_ms: int
    end_ms: int
    queries: list[Query] = field(default_factory=list)

    @property
    def periods(self) -> int:
        """How many periods it spans."""
        return (self.end_ms - self.start_ms) // (self.period_s * 1000)

    @property
    def datapoints(self) -> int:
        """What CloudWatch's datapoint quota counts for it."""
        return self.periods * len(self.queries)

    def add(self, query: Query) -> None:
        """Take a query in."""
        self.start_ms = min(self.start_ms, query.window.start_ms)
        self.end_ms = max(self.end_ms, query.window.end_ms)
        self.queries.append(query)


class Packer:
    """Packs queries as they come; memory does not grow with their number.

    Queries wait for others of their period. Once more than half of the places are taken by one
    period, its requests of 500 are given, those first that wait longest; once all places are taken,
    half of the period with the most is, the fullest first. A query that has waited for an hour, or
    whose start fades within half an hour, waits no longer, whatever else its request holds.

    Parameters
    ----------
    limits
        Those of a request.
    max_waiting
        How many queries may wait.
    clock_ms
        Tells the present, milliseconds since the epoch.
    """

    def __init__(
        self,
        limits: Limits = LIMITS,
        max_waiting: int = MAX_WAITING,
        clock_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._limits = limits
        self._max_waiting = max_waiting
        self._clock_ms = clock_ms
        self._waiting: dict[int, _Waiting] = {}

    def add(self, query: Query) -> Iterator[MetricRequest]:
        """Take a query; give the requests that are complete by it."""
        period_s = query.window.period_s
        queries = self._waiting.setdefault(period_s, _Waiting(period_s, self._limits))
        queries.add(query, self._clock_ms())
        half = self._max_waiting // 2
        if queries.count > half and queries.unplanned >= self._limits.series:
            yield from queries.filled(half, only_full=True)
        if self.waiting > self._max_waiting:
            largest = max(self._waiting.values(), key=lambda each: each.count)
            yield from largest.filled(largest.count // 2, only_full=False)

    @property
    def waiting(self) -> int:
        """How many queries wait for others."""
        return sum(each.count for each in self._waiting.values())

    def overdue(self) -> Iterator[MetricRequest]:
        """Give the requests of queries that can wait no longer; cheap where there are none."""
        now_ms = self._clock_ms()
        for each in self._waiting.values():
            yield from each.overdue(now_ms)

    def flush(self) -> Iterator[MetricRequest]:
        """Give the requests of all that still wait."""
        for each in self._waiting.values():
            yield from each.all()
        self._waiting.clear()


class _Place(NamedTuple):
    """A query that waits: as the how-manieth it came, and until when it can wait."""

    arrived: int
    due_ms: int
    query: Query


class _Waiting:
    """Queries of one period, the longest waiting first among those of one stretch."""

    def __init__(self, period_s: int, limits: Limits) -> None:
        self.count = 0
        self.unplanned = 0
        self._period_s = period_s
        self._limits = limits
        self._arrived = 0
        self._due_ms: float = _NEVER
        self._queries: dict[Stretch, deque[_Place]] = {}

    def add(self, query: Query, now_ms: int) -> None:
        """Take a query in."""
        in_time_ms = fades_ms(query.window.start_ms, self._period_s) - _IN_TIME_MS
        due_ms = min(now_ms + _MAX_WAIT_MS, in_time_ms)
        place = _Place(self._arrived, due_ms, query)
        self._queries.setdefault(_stretch(query), deque()).append(place)
        self._due_ms = min(self._due_ms, due_ms)
        self._arrived += 1
        self.unplanned += 1
        self.count += 1

    def overdue(self, now_ms: int) -> Iterator[MetricRequest]:
        """Give requests until none is left whose time has come."""
        if now_ms < self._due_ms:
            return
        if now_ms >= self._first_due_ms(self._queries):
            for share in self._plan():
                if now_ms >= self._first_due_ms(share.parts.keys() & self._queries.keys()):
                    yield self._request(share)
        self._due_ms = self._first_due_ms(self._queries)

    def _first_due_ms(self, stretches: Iterable[Stretch]) -> float:
        """Tell until when all of some stretches can wait; of one, what came first is due first."""
        return min((self._queries[each][0].due_ms for each in stretches), default=_NEVER)

    def filled(self, keep: int, *, only_full: bool) -> Iterator[MetricRequest]:
        """Give requests, full ones first, those that wait longest first, until few are left."""
        self.unplanned = 0
        plan = self._plan()
        if only_full:
            plan = [share for share in plan if share.series >= self._limits.series]
        for share in sorted(
            plan, key=lambda each: (not each.is_full(self._limits), self._age(each))
        ):
            if self.count <= keep:
                return
            yield self._request(share)

    def all(self) -> Iterator[MetricRequest]:
        """Give requests until no query is left."""
        for share in plan_requests(self._wanted(), self._limits):
            yield self._request(share)

    def _plan(self) -> list[Share]:
        return fill_requests(self._wanted(), self._limits, backward=self._comes_backward())

    def _wanted(self) -> dict[Stretch, int]:
        return {stretch: len(queries) for stretch, queries in self._queries.items()}

    def _comes_backward(self) -> bool:
        """Whether what arrived first is rather the newest."""
        arrived = [self._queries[stretch][0].arrived for stretch in sorted(self._queries)]
        middle = len(arrived) // 2
        return sum(arrived[:middle]) > sum(arrived[-middle:])

    def _age(self, share: Share) -> int:
        """Tell when the query arrived that waits longest of those that a share is of."""
        return min(self._queries[stretch][0].arrived for stretch in share.parts)

    def _request(self, share: Share) -> MetricRequest:
        """Take a share's queries out."""
        request = _opened(self._taken(share))
        self.count -= share.series
        return request

    def _taken(self, share: Share) -> Iterator[Query]:
        for stretch, count in share.parts.items():
            queries = self._queries[stretch]
            for _ in range(count):
                yield queries.popleft().query
            if not queries:
                del self._queries[stretch]


def _stretch(query: Query) -> Stretch:
    window, period_ms = query.window, query.window.period_s * 1000
    since_ms = window.start_ms if query.since_ms is None else min(query.since_ms, window.start_ms)
    return Stretch(
        start=window.start_ms // period_ms,
        end=window.end_ms // period_ms,
        since=since_ms // period_ms,
    )


def parted(request: MetricRequest, start_ms: int) -> tuple[MetricRequest | None, tuple[Query, ...]]:
    """Part the queries of a request by their starts.

    Parameters
    ----------
    request
        Of at least one query.
    start_ms
        Milliseconds since the epoch.

    Returns
    -------
    tuple
        A request for those that start at that moment or later, None for none; and the others.
    """
    later = [each for each in request.queries if each.window.start_ms >= start_ms]
    earlier = tuple(each for each in request.queries if each.window.start_ms < start_ms)
    return _opened(later) if later else None, earlier


def halves(request: MetricRequest) -> tuple[MetricRequest, MetricRequest]:
    """Cut a request of at least two queries in two of narrower windows."""
    ordered = sorted(request.queries, key=lambda query: query.window)
    middle = len(ordered) // 2
    return _opened(ordered[:middle]), _opened(ordered[middle:])


def _opened(queries: Iterable[Query]) -> MetricRequest:
    """Make a request of at least one query."""
    taken = list(queries)
    window = taken[0].window
    request = MetricRequest(window.period_s, window.start_ms, window.end_ms)
    for query in taken:
        request.add(query)
    return request
