"""Metric samples, indexed by namespace, name and exact dimension set, and their statistics."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

_V = TypeVar("_V")
Dimensions: TypeAlias = tuple[tuple[str, str], ...]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
RETENTION_MS = 455 * DAY_MS


def dimension_set(dimensions: Mapping[str, str]) -> Dimensions:
    """Give dimensions in the one order that makes them a key."""
    return tuple(sorted(dimensions.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Some values of one timestamp, as PutMetricData's statistic set describes them.

    Attributes
    ----------
    timestamp_ms
        Milliseconds since the epoch.
    count, total, minimum, maximum
        Number of the values, their sum, the smallest, the largest.
    """

    timestamp_ms: int
    count: float
    total: float
    minimum: float
    maximum: float

    @property
    def is_uniform(self) -> bool:
        """Tell whether all values are equal, so that percentiles can be had."""
        return self.minimum == self.maximum


@dataclass(slots=True)
class Bucket:
    """The statistics of one period."""

    count: float = 0.0
    total: float = 0.0
    minimum: float = float("inf")
    maximum: float = float("-inf")

    def add(self, value: float) -> None:
        """Count one value in."""
        self.count += 1
        self.total += value
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)

    def merge(self, sample: Sample) -> None:
        """Count a statistic set in."""
        self.count += sample.count
        self.total += sample.total
        self.minimum = min(self.minimum, sample.minimum)
        self.maximum = max(self.maximum, sample.maximum)

    def statistic(self, name: str) -> float:
        """Give one of the five statistics by CloudWatch's name."""
        if name == "Average":
            return self.total / self.count
        return {
            "Sum": self.total,
            "Minimum": self.minimum,
            "Maximum": self.maximum,
            "SampleCount": self.count,
        }[name]


class Series:
    """The samples of one metric in one unit.

    Parameters
    ----------
    unit
        CloudWatch unit, such as ``Percent`` or ``None``.

    Attributes
    ----------
    newest_ms
        Timestamp of the newest sample; 0 where there is none.
    """

    __slots__ = ("_is_sorted", "newest_ms", "sets", "times", "unit", "values")

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.times = array("q")
        self.values = array("d")
        self.sets: list[Sample] = []
        self.newest_ms = 0
        self._is_sorted = True

    def add(self, points: Iterable[tuple[int, float]], resolution_ms: int = MINUTE_MS) -> None:
        """Store single values.

        Parameters
        ----------
        points
            Timestamps in milliseconds since the epoch, and values.
        resolution_ms
            Timestamps are cut to this: a minute, or a second for high resolution.
        """
        times, values = self.times, self.values
        last = times[-1] if times else -1
        for timestamp_ms, value in points:
            cut = timestamp_ms - timestamp_ms % resolution_ms
            if cut < last:
                self._is_sorted = False
            last = cut
            times.append(cut)
            values.append(value)
            self.newest_ms = max(self.newest_ms, cut)

    def add_sets(self, samples: Iterable[Sample]) -> None:
        """Store statistic sets."""
        for sample in samples:
            self.sets.append(sample)
            self.newest_ms = max(self.newest_ms, sample.timestamp_ms)

    def _sort(self) -> None:
        if self._is_sorted:
            return
        order = sorted(range(len(self.times)), key=self.times.__getitem__)
        self.times = array("q", (self.times[i] for i in order))
        self.values = array("d", (self.values[i] for i in order))
        self._is_sorted = True

    def between(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, float]]:
        """Iterate over the single values from start (inclusive) to end (exclusive), by time."""
        self._sort()
        first, last = bisect_left(self.times, start_ms), bisect_left(self.times, end_ms)
        return zip(self.times[first:last], self.values[first:last], strict=True)

    def sets_between(self, start_ms: int, end_ms: int) -> Iterator[Sample]:
        """Iterate over the statistic sets of the same span."""
        return (s for s in self.sets if start_ms <= s.timestamp_ms < end_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which periods to compute.

    Attributes
    ----------
    start_ms, end_ms
        A period belongs to the window if it begins at or after start and before end.
    period_ms
        Length; periods begin at multiples of it since the epoch.
    """

    start_ms: int
    end_ms: int
    period_ms: int

    @property
    def span(self) -> tuple[int, int]:
        """Begin of the first period and end of the last one."""
        period = self.period_ms
        return -(-self.start_ms // period) * period, -(-self.end_ms // period) * period


def buckets(series: Iterable[Series], window: Window) -> dict[int, Bucket]:
    """Compute the statistics of each period that has samples, keyed by its begin, ascending."""
    start, end = window.span
    period = window.period_ms
    found: dict[int, Bucket] = {}
    for one in series:
        for timestamp, value in one.between(start, end):
            begin = timestamp - timestamp % period
            bucket = found.get(begin)
            if bucket is None:
                bucket = found[begin] = Bucket()
            bucket.add(value)
        for sample in one.sets_between(start, end):
            begin = sample.timestamp_ms - sample.timestamp_ms % period
            found.setdefault(begin, Bucket()).merge(sample)
    return dict(sorted(found.items()))


def percentiles(series: Iterable[Series], window: Window, percent: float) -> dict[int, float]:
    """Compute a percentile of each period, linear between neighbours.

    Periods with statistic sets of unequal values are left out: CloudWatch cannot know theirs.
    """
    start, end = window.span
    period = window.period_ms
    values: dict[int, list[float]] = {}
    unknown: set[int] = set()
    for one in series:
        for timestamp, value in one.between(start, end):
            values.setdefault(timestamp - timestamp % period, []).append(value)
        for sample in one.sets_between(start, end):
            begin = sample.timestamp_ms - sample.timestamp_ms % period
            if not sample.is_uniform:
                unknown.add(begin)
            values.setdefault(begin, []).extend([sample.minimum] * int(sample.count))
    known = sorted(set(values) - unknown)
    return {begin: _percentile(sorted(values[begin]), percent) for begin in known}


def _percentile(ordered: list[float], percent: float) -> float:
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


class MetricStore:
    """All metrics of one account and Region."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, dict[Dimensions, dict[str, Series]]]] = {}

    def series(
        self, namespace: str, name: str, dimensions: Dimensions, unit: str | None = None
    ) -> list[Series]:
        """Find the series of a metric, one for each unit that it was ever put in.

        Parameters
        ----------
        namespace, name
            Of the metric.
        dimensions
            The exact set; nothing is rolled up.
        unit
            Only this one.
        """
        units = self._namespaces.get(namespace, {}).get(name, {}).get(dimensions, {})
        return [one for one in units.values() if unit is None or one.unit == unit]

    def writable(
        self, namespace: str, name: str, dimensions: Dimensions, unit: str = "None"
    ) -> Series:
        """Find or make the series to put samples into."""
        names = self._namespaces.setdefault(namespace, {})
        units = names.setdefault(name, {}).setdefault(dimensions, {})
        return units.setdefault(unit, Series(unit))

    def metrics(
        self, namespace: str | None, name: str | None
    ) -> Iterator[tuple[str, str, Dimensions, int]]:
        """Iterate over the metrics, each with the time of its newest sample in milliseconds."""
        for space, names in _chosen(self._namespaces, namespace):
            for metric, sets in _chosen(names, name):
                for dimensions, units in sets.items():
                    newest_ms = max([series.newest_ms for series in units.values()])
                    yield space, metric, dimensions, newest_ms


def _chosen(table: dict[str, _V], key: str | None) -> Iterable[tuple[str, _V]]:
    if key is None:
        return table.items()
    return ((key, table[key]),) if key in table else ()
