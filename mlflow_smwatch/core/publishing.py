"""A run's points → requests of ``PutMetricData`` within its limits.

Limits are from the CloudWatch API reference ("PutMetricData", "MetricDatum"): 1,000 data and 1 MB a
request, 150 different values in a datum, values within ±2^360, no NaN, timestamps from two weeks
ago to two hours ahead. CloudWatch cuts timestamps to the minute ("Publishing custom metrics"), so
the points of a minute make one datum.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mlflow_smwatch.core.publishing_names import Dimensions, metric_name
from mlflow_smwatch.core.steps import WrittenPoint

DATA_PER_CALL = 1_000
BYTES_PER_CALL = 1_000_000
"""Of the request before it is compressed: AWS does not say which of both it counts."""

VALUES_PER_DATUM = 150
LARGEST_VALUE = 2.0**360

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_OLDEST_MS = 14 * 24 * _HOUR_MS - 10 * _MINUTE_MS
_NEWEST_MS = 2 * _HOUR_MS - 10 * _MINUTE_MS
"""Ten minutes within AWS's bounds: clocks differ, and publishing takes its time."""

_LONGEST_NUMBER = 9
"""Bytes of a number in CBOR, which botocore may speak instead of JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a metric of a run is published.

    Attributes
    ----------
    count
        Number of storable points up to this one, itself included, published or not.
    timestamp_ms, step, value
        The last point that was published.
    """

    count: int
    timestamp_ms: int
    step: int
    value: float

    @property
    def place(self) -> tuple[int, int, float]:
        """Its place in the order in which points are published."""
        return self.timestamp_ms, self.step, self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishWindow:
    """Which timestamps CloudWatch takes at a moment, milliseconds since the epoch, inclusive."""

    first_ms: int
    last_ms: int

    @classmethod
    def at(cls, now_ms: int) -> PublishWindow:
        """Give the window at a moment."""
        return cls(first_ms=now_ms - _OLDEST_MS, last_ms=now_ms + _NEWEST_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """How many new points of a metric, or of several, are not published.

    Attributes
    ----------
    unstorable
        NaN, infinite, or beyond ±2^360.
    too_old
        Over two weeks old: never to be published.
    too_new
        Over two hours ahead: to be published later.
    late
        Logged after later ones were published, so that they cannot be told from published ones.
    """

    unstorable: int = 0
    too_old: int = 0
    too_new: int = 0
    late: int = 0

    def __add__(self, other: Skipped) -> Skipped:
        """Add the counts of another."""
        return Skipped(
            unstorable=self.unstorable + other.unstorable,
            too_old=self.too_old + other.too_old,
            too_new=self.too_new + other.too_new,
            late=self.late + other.late,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of a metric is to be published.

    Attributes
    ----------
    points
        In the order in which they are published: by timestamp, step, value.
    before
        How many storable points lie before the first of them.
    skipped
        What is left out of what is new.
    """

    points: tuple[WrittenPoint, ...]
    before: int
    skipped: Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """The points of one metric in one minute.

    Attributes
    ----------
    key
        The metric's key in MLflow.
    timestamp_ms
        Begin of the minute.
    values
        Value → how often.
    mark
        How far the metric is published once this is put.
    """

    key: str
    timestamp_ms: int
    values: Mapping[float, int]
    mark: Mark

    @property
    def points(self) -> int:
        """How many points it stands for."""
        return sum(self.values.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The data of one request; at least one."""

    data: tuple[Datum, ...]

    @property
    def points(self) -> int:
        """How many points it stands for."""
        return sum(each.points for each in self.data)

    @property
    def marks(self) -> dict[str, Mark]:
        """How far each metric in it is published once it is put."""
        return {each.key: each.mark for each in self.data}


def is_storable(value: float) -> bool:
    """Tell whether CloudWatch takes a value: finite, within ±2^360."""
    return math.isfinite(value) and abs(value) <= LARGEST_VALUE


def select(points: Iterable[WrittenPoint], mark: Mark | None, window: PublishWindow) -> Selection:
    """Select what of a metric is to be published.

    Parameters
    ----------
    points
        All of the metric's, in any order.
    mark
        How far it is published; None for not at all.
    window
        Which timestamps CloudWatch takes.

    Returns
    -------
    Selection
    """
    everything = list(points)
    storable = sorted(filter(lambda each: is_storable(each.value), everything), key=_place)
    new = [each for each in storable if mark is None or _place(each) > mark.place]
    old = [each for each in new if _minute(each.timestamp_ms) < window.first_ms]
    ahead = [each for each in new if each.timestamp_ms > window.last_ms]
    done = len(storable) - len(new)
    return Selection(
        points=tuple(new[len(old) : len(new) - len(ahead)]),
        before=done + len(old),
        skipped=Skipped(
            unstorable=sum(_is_new_and_unstorable(each, mark) for each in everything),
            too_old=len(old),
            too_new=len(ahead),
            late=max(done - mark.count, 0) if mark else 0,
        ),
    )


def data_of(key: str, selection: Selection) -> Iterator[Datum]:
    """Put the points of a metric together by minutes.

    Parameters
    ----------
    key
        Its key in MLflow.
    selection
        Of its points.

    Yields
    ------
    Datum
        In the order of the points; a minute of more than 150 different values makes several.
    """
    count = selection.before
    for minute_ms, points in groupby(selection.points, lambda each: _minute(each.timestamp_ms)):
        values: dict[float, int] = {}
        last: WrittenPoint | None = None
        for point in points:
            if last is not None and len(values) == VALUES_PER_DATUM and point.value not in values:
                yield _datum(key, minute_ms, values, last, count)
                values = {}
            values[point.value] = values.get(point.value, 0) + 1
            last, count = point, count + 1
        if last is not None:
            yield _datum(key, minute_ms, values, last, count)


def batches(data: Iterable[Datum], namespace: str, dimensions: Dimensions) -> Iterator[Batch]:
    """Cut data into requests, each as large as CloudWatch takes it.

    Parameters
    ----------
    data
        In the order in which they are put.
    namespace, dimensions
        Where to.

    Yields
    ------
    Batch
    """
    begun: list[Datum] = []
    empty = len(json.dumps({"Namespace": namespace, "MetricData": []}))
    size = empty
    for each in data:
        more = _size(each, dimensions)
        if begun and (len(begun) == DATA_PER_CALL or size + more > BYTES_PER_CALL):
            yield Batch(data=tuple(begun))
            begun, size = [], empty
        begun.append(each)
        size += more
    if begun:
        yield Batch(data=tuple(begun))


def request(batch: Batch, namespace: str, dimensions: Dimensions) -> dict[str, Any]:
    """Write the request that puts a batch (``PutMetricData``)."""
    return {
        "Namespace": namespace,
        "MetricData": [
            {
                **_frame(each, dimensions),
                "Values": list(each.values),
                "Counts": [float(count) for count in each.values.values()],
            }
            for each in batch.data
        ],
    }


def _frame(datum: Datum, dimensions: Dimensions) -> dict[str, Any]:
    return {
        "MetricName": metric_name(datum.key),
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
        "Timestamp": datum.timestamp_ms // 1000,
    }


def _size(datum: Datum, dimensions: Dimensions) -> int:
    """Tell how many bytes a datum takes in a request, at the most."""
    frame = len(json.dumps({**_frame(datum, dimensions), "Values": [], "Counts": []}))
    numbers = [*datum.values, *map(float, datum.values.values())]
    return frame + 2 + sum(max(len(repr(each)), _LONGEST_NUMBER) + 2 for each in numbers)


def _datum(
    key: str, minute_ms: int, values: Mapping[float, int], last: WrittenPoint, count: int
) -> Datum:
    mark = Mark(count=count, timestamp_ms=last.timestamp_ms, step=last.step, value=last.value)
    return Datum(key=key, timestamp_ms=minute_ms, values=values, mark=mark)


def _place(point: WrittenPoint) -> tuple[int, int, float]:
    return point.timestamp_ms, point.step, point.value


def _minute(timestamp_ms: int) -> int:
    return timestamp_ms - timestamp_ms % _MINUTE_MS


def _is_new_and_unstorable(point: WrittenPoint, mark: Mark | None) -> bool:
    if is_storable(point.value):
        return False
    return mark is None or (point.timestamp_ms, point.step) > (mark.timestamp_ms, mark.step)
