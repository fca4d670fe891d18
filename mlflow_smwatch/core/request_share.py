"""What a request for series spans and holds, and what else it can take within its limits.

Times are counted in periods, whatever the period is; all series of a request have the same one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Stretch(NamedTuple):
    """What is wanted of a series.

    Attributes
    ----------
    start, end
        The stretch, in periods; the end is exclusive.
    since
        Since when the series may have points: a request that starts earlier than the stretch
        returns them too. Not later than the start.
    """

    start: int
    end: int
    since: int

    @property
    def length(self) -> int:
        """How many periods are wanted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for; a series that is beyond them is asked for alone.

    Attributes
    ----------
    series
        Most series.
    points
        Most points that can come back.
    datapoints
        Most that the datapoint quota may count: periods spanned × series.
    nearly_full
        With so many series or more, ``overdraft`` takes the place of ``datapoints``.
    overdraft
        Not less than ``datapoints``.
    """

    series: int
    points: int
    datapoints: int
    nearly_full: int
    overdraft: int


@dataclass(slots=True)
class Share:
    """The series of one request in the making.

    Attributes
    ----------
    parts
        Stretch → number of its series.
    start, end
        What it spans.
    series
        How many series it has.
    points
        How many points can come back.
    """

    parts: dict[Stretch, int] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    series: int = 0
    points: int = 0

    @property
    def datapoints(self) -> int:
        """What the quota counts for it."""
        return (self.end - self.start) * self.series

    def keeps(self, limits: Limits) -> bool:
        """Whether it is within the limits, or one series alone."""
        nearly_full = self.series >= limits.nearly_full
        return self.series == 1 or (
            self.series <= limits.series
            and self.points <= limits.points
            and self.datapoints <= (limits.overdraft if nearly_full else limits.datapoints)
        )

    def is_full(self, limits: Limits) -> bool:
        """Whether it has come to nine tenths of a limit; of the number of series, to all."""
        return (
            self.series >= limits.series
            or self.points * 10 >= limits.points * 9
            or self.datapoints * 10 >= limits.datapoints * 9
        )

    def room(self, stretch: Stretch, limits: Limits) -> int:
        """Tell how many series of a stretch it can still take; at least one if it is empty."""
        if not self.parts:
            return max(1, _most(limits, stretch.length, stretch.length))
        start, end = min(self.start, stretch.start), max(self.end, stretch.end)
        if (end - start) * (self.series + 1) > limits.overdraft or self.series >= limits.series:
            return 0
        points = stretch.end - max(start, stretch.since)
        taken = self._points_from(start)
        return max(0, _most(limits, end - start, points, self.series, taken))

    def growth(self, stretch: Stretch, count: int) -> int:
        """Tell how much more the quota would count with so many series of a stretch."""
        start, end = min(self.start, stretch.start), max(self.end, stretch.end)
        return (end - start) * (self.series + count) - self.datapoints

    def add(self, stretch: Stretch, count: int) -> None:
        """Take series in."""
        if not self.parts:
            self.start, self.end = stretch.start, stretch.end
        start = min(self.start, stretch.start)
        points = count * (stretch.end - max(start, stretch.since))
        self.points = self._points_from(start) + points
        self.start, self.end = start, max(self.end, stretch.end)
        self.series += count
        self.parts[stretch] = self.parts.get(stretch, 0) + count

    def copy(self) -> Share:
        """Give another one with the same series."""
        return Share(dict(self.parts), self.start, self.end, self.series, self.points)

    def _points_from(self, start: int) -> int:
        if start == self.start:
            return self.points
        return sum(n * (each.end - max(start, each.since)) for each, n in self.parts.items())


def _most(limits: Limits, span: int, points: int, series: int = 0, taken: int = 0) -> int:
    """Tell how many more series fit, each of so many points, where others are already."""
    most = min(
        limits.series - series, (limits.points - taken) // points, limits.overdraft // span - series
    )
    if series + most >= limits.nearly_full:
        return most
    return min(most, limits.datapoints // span - series)
