"""Packs the series of many jobs into as few ``GetMetricData`` requests as the limits allow.

A request carries at most 500 queries of one window and returns at most 100,800 points a page;
CloudWatch's datapoint quota counts window ÷ period × series even where there is no data, so jobs
that lie far apart in time do not share a request ("GetMetricData", "CloudWatch service quotas").
A request that is nearly full is filled even if it counts up to a quarter more than the quota of one
second: the ledger waits that much longer, and the reader halves a request that is still refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mlflow_smwatch.aws.operations import DATAPOINTS_PER_SECOND
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.windows import TimeWindow

MAX_QUERIES = 500
MAX_POINTS = 100_800
_OPEN_REQUESTS = 8
_NEARLY_FULL = 400
_OVERDRAFT = 1.25


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
    """

    arn: str
    series: Series
    window: TimeWindow


@dataclass(slots=True)
class MetricRequest:
    """One ``GetMetricData`` request in the making.

    Attributes
    ----------
    period_s
        Period of all its queries, seconds.
    start_ms, end_ms
        The window that covers all of them.
    queries
        At most 500.
    points
        The most points that it can return, each query counted within its own window.
    """

    period_s: int
    start_ms: int
    end_ms: int
    queries: list[Query] = field(default_factory=list)
    points: int = 0

    @property
    def datapoints(self) -> int:
        """What CloudWatch's datapoint quota counts for it."""
        return self._spanned(self.start_ms, self.end_ms) * len(self.queries)

    def takes(self, query: Query) -> bool:
        """Whether a query fits within every limit."""
        window = query.window
        start_ms, end_ms = min(self.start_ms, window.start_ms), max(self.end_ms, window.end_ms)
        datapoints = self._spanned(start_ms, end_ms) * (len(self.queries) + 1)
        return (
            window.period_s == self.period_s
            and len(self.queries) < MAX_QUERIES
            and self.points + window.periods <= MAX_POINTS
            and datapoints <= self._quota
        )

    @property
    def _quota(self) -> float:
        """Datapoints that it may count; to fill a request, a little more than one second's."""
        overdraft = _OVERDRAFT if len(self.queries) >= _NEARLY_FULL else 1
        return DATAPOINTS_PER_SECOND * overdraft

    def add(self, query: Query) -> None:
        """Take a query in."""
        self.start_ms = min(self.start_ms, query.window.start_ms)
        self.end_ms = max(self.end_ms, query.window.end_ms)
        self.points += query.window.periods
        self.queries.append(query)

    def _spanned(self, start_ms: int, end_ms: int) -> int:
        return (end_ms - start_ms) // (self.period_s * 1000)


class Packer:
    """Packs queries as they come; memory does not grow with their number.

    Queries should come roughly in the order of their windows: a request stays open until it is full
    or eight others are open.
    """

    def __init__(self) -> None:
        self._open: list[MetricRequest] = []

    def add(self, query: Query) -> Iterator[MetricRequest]:
        """Take a query; give the requests that are complete by it."""
        request = next((each for each in self._open if each.takes(query)), None)
        if request is None:
            request = _opened(query)
            self._open.append(request)
        else:
            request.add(query)
        if len(request.queries) == MAX_QUERIES:
            self._open.remove(request)
            yield request
        elif len(self._open) > _OPEN_REQUESTS:
            yield self._open.pop(0)

    def flush(self) -> Iterator[MetricRequest]:
        """Give the requests that are still open."""
        while self._open:
            yield self._open.pop(0)


def halves(request: MetricRequest) -> tuple[MetricRequest, MetricRequest]:
    """Cut a request of at least two queries in two of narrower windows."""
    ordered = sorted(request.queries, key=lambda query: query.window)
    middle = len(ordered) // 2
    return _packed(ordered[:middle]), _packed(ordered[middle:])


def _packed(queries: list[Query]) -> MetricRequest:
    request = _opened(queries[0])
    for query in queries[1:]:
        request.add(query)
    return request


def _opened(query: Query) -> MetricRequest:
    window = query.window
    request = MetricRequest(window.period_s, window.start_ms, window.end_ms)
    request.add(query)
    return request
