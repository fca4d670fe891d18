"""Pages of GetMetricData: many series share the points of one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mlflow_smwatch.demo.validation import Answer, Parameters

Points: TypeAlias = list[tuple[int, float]]


@dataclass(slots=True, kw_only=True)
class MetricPage:
    """One page, filled query by query until its points are used up.

    Attributes
    ----------
    left
        Points that still fit.
    newest_first
        Order of the points.
    stop
        Query and point at which the next page begins; None while everything fitted.
    results
        MetricDataResults so far.
    """

    left: int
    newest_first: bool
    stop: tuple[int, int] | None = None
    results: list[Answer] = field(default_factory=list)

    def fill(
        self,
        queries: Sequence[Parameters],
        begin: tuple[int, int],
        points_of: Callable[[Parameters], Points],
    ) -> None:
        """Fill the page.

        Parameters
        ----------
        queries
            Of the request.
        begin
            Query and point at which this page begins. Queries before it are done: their Ids do
            not come again.
        points_of
            Computes the points of a MetricStat, ascending.
        """
        first, offset = begin
        for index, query in enumerate(queries[first:], start=first):
            if self.left:
                self._take(index, query, points_of(query["MetricStat"]), offset)
            else:
                self.postpone(index, query)
            offset = 0

    def postpone(self, index: int, query: Parameters) -> None:
        """Answer a query with nothing for now."""
        self.stop = self.stop or (index, 0)
        self._add(query, [], is_complete=False)

    def _take(self, index: int, query: Parameters, points: Points, offset: int) -> None:
        if self.newest_first:
            points.reverse()
        page = points[offset : offset + self.left]
        end = offset + len(page)
        self.left -= len(page)
        if end < len(points):
            self.stop = (index, end)
        self._add(query, page, is_complete=end == len(points))

    def _add(self, query: Parameters, points: Points, *, is_complete: bool) -> None:
        if not query.get("ReturnData", True):
            return
        self.results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or query["MetricStat"]["Metric"]["MetricName"],
                "Timestamps": [timestamp for timestamp, _ in points],
                "Values": [value for _, value in points],
                "StatusCode": "Complete" if is_complete else "PartialData",
            }
        )
