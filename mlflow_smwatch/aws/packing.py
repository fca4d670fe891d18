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

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlflow_smwatch.aws.operations import DATAPOINTS_PER_SECOND
from mlflow_smwatch.core.request_plan import fill_requests, plan_requests
from mlflow_smwatch.core.request_share import Limits, Share, Stretch
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.windows import TimeWindow

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
    half of the period with the most is, the fullest first.

    Parameters
    ----------
    limits
        Those of a request.
    max_waiting
        How many queries may wait.
    """

    def __init__(self, limits: Limits = LIMITS, max_waiting: int = MAX_WAITING) -> None:
        self._limits = limits
        self._max_waiting = max_waiting
        self._waiting: dict[int, _Waiting] = {}

    def add(self, query: Query) -> Iterator[MetricRequest]:
        """Take a query; give the requests that are complete by it."""
        period_s = query.window.period_s
        queries = self._waiting.setdefault(period_s, _Waiting(period_s, self._limits))
        queries.add(query)
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

    def flush(self) -> Iterator[MetricRequest]:
        """Give the requests of all that still wait."""
        for each in self._waiting.values():
            yield from each.all()
        self._waiting.clear()


class _Waiting:
    """Queries of one period, the longest waiting first among those of one stretch."""

    def __init__(self, period_s: int, limits: Limits) -> None:
        self.count = 0
        self.unplanned = 0
        self._period_s = period_s
        self._limits = limits
        self._arrived = 0
        self._queries: dict[Stretch, deque[tuple[int, Query]]] = {}

    def add(self, query: Query) -> None:
        """Take a query in."""
        self._queries.setdefault(_stretch(query), deque()).append((self._arrived, query))
        self._arrived += 1
        self.unplanned += 1
        self.count += 1

    def filled(self, keep: int, *, only_full: bool) -> Iterator[MetricRequest]:
        """Give requests, full ones first, those that wait longest first, until few are left."""
        self.unplanned = 0
        plan = fill_requests(self._wanted(), self._limits, backward=self._comes_backward())
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

    def _wanted(self) -> dict[Stretch, int]:
        return {stretch: len(queries) for stretch, queries in self._queries.items()}

    def _comes_backward(self) -> bool:
        """Whether what arrived first is rather the newest."""
        arrived = [self._queries[stretch][0][0] for stretch in sorted(self._queries)]
        middle = len(arrived) // 2
        return sum(arrived[:middle]) > sum(arrived[-middle:])

    def _age(self, share: Share) -> int:
        """Tell when the query arrived that waits longest of those that a share is of."""
        return min(self._queries[stretch][0][0] for stretch in share.parts)

    def _request(self, share: Share) -> MetricRequest:
        """Take a share's queries out."""
        request = _opened(self._taken(share))
        self.count -= share.series
        return request

    def _taken(self, share: Share) -> Iterator[Query]:
        for stretch, count in share.parts.items():
            queries = self._queries[stretch]
            for _ in range(count):
                yield queries.popleft()[1]
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
