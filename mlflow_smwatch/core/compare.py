"""What AWS has and what MLflow has of one job → the differences between them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import comparable
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.windows import FINEST_PERIOD_S, Reading

What = Literal["run", "status", "param", "missing", "revised", "extra", "doubled", "step"]
"""``run``: missing in MLflow, or there several times; ``missing``: AWS has the point and MLflow
not; ``revised``: both have a point at that time and the values differ; ``extra``: MLflow has the
point and AWS not; ``doubled``: MLflow has it more often than AWS; ``step``: MLflow has it at a step
that it cannot have."""

Value: TypeAlias = float | str
Stamped: TypeAlias = tuple[int, Value]
"""Timestamp in milliseconds, and a value as SQL stores keep it."""


class Sample(Protocol):
    """A value at a time, of either side."""

    @property
    def timestamp_ms(self) -> int:
        """Milliseconds since the epoch."""

    @property
    def value(self) -> float:
        """The value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference between AWS and MLflow.

    Attributes
    ----------
    arn
        The job.
    what
        What differs.
    key
        The param or the metric; None where neither is meant.
    timestamp
        Of the point, milliseconds since the epoch; None where no point is meant.
    aws, mlflow
        What each side has; None for nothing. Of a ``step``: the right one, None if it cannot be
        told, and MLflow's.
    """

    arn: str
    what: What
    key: str | None = None
    timestamp: int | None = None
    aws: Value | None = None
    mlflow: Value | None = None


@dataclass(frozen=True, slots=True)
class PointDifference:
    """One difference between two series of points.

    Attributes
    ----------
    what
        ``missing``, ``revised``, ``extra``, ``doubled`` or ``step``.
    timestamp_ms
        Milliseconds since the epoch.
    aws, mlflow
        The values; None on the side that has no such point. Of a ``step``: the right one, None if
        it cannot be told, and MLflow's.
    """

    what: What
    timestamp_ms: int
    aws: Value | None = None
    mlflow: Value | None = None


def compare_described(
    record: RunRecord, run: KnownRun, *, as_written: bool
) -> Iterator[Difference]:
    """Compare status, end and params of a run.

    Params and a status that a job's own script logged are the script's, until the last pass.

    Parameters
    ----------
    record
        The run as it should be.
    run
        The run as MLflow has it.
    as_written
        Whether the mirror has written this record; where it has not, nothing is due yet.
    """
    if not as_written:
        return
    arn = record.arn
    if run.status != record.status:
        yield Difference(arn=arn, what="status", aws=record.status, mlflow=run.status)
    elif record.end_ms is not None and run.end_ms != record.end_ms:
        yield Difference(
            arn=arn, what="status", key="end_time", aws=record.end_ms, mlflow=run.end_ms
        )
    for key, value in record.params:
        have = run.params.get(key)
        if have is None or (run.mirrored and have != value):
            yield Difference(arn=arn, what="param", key=key, aws=value, mlflow=have)


def compare_points(
    aws: Iterable[Sample], mlflow: Iterable[Sample], *, revisable: bool = False
) -> list[PointDifference]:
    """Compare two series point by point: as many of each timestamp and value on both sides.

    Parameters
    ----------
    aws, mlflow
        The points of each side, in any order.
    revisable
        Whether another value at the same time is the same point, revised; else it is another point.

    Returns
    -------
    list of PointDifference
        In time order.
    """
    want, have = Counter(map(stamped, aws)), Counter(map(stamped, mlflow))
    lacking, beyond = _by_time(want - have), _by_time(have - want)
    found: list[PointDifference] = []
    for at in sorted(lacking.keys() | beyond.keys()):
        wanted = lacking.get(at, [])
        doubled = [value for value in beyond.get(at, []) if (at, value) in want]
        others = [value for value in beyond.get(at, []) if (at, value) not in want]
        pairs = min(len(wanted), len(others)) if revisable else 0
        revised = zip(wanted[:pairs], others[:pairs], strict=True)
        found += [PointDifference("revised", at, one, other) for one, other in revised]
        found += [PointDifference("missing", at, aws=value) for value in wanted[pairs:]]
        found += [PointDifference("doubled", at, value, value) for value in doubled]
        found += [PointDifference("extra", at, mlflow=value) for value in others[pairs:]]
    return found


def compare_cloudwatch(
    aws: Iterable[Sample], mlflow: Iterable[Sample], reading: Reading, begin_ms: int
) -> list[PointDifference]:
    """Compare a CloudWatch series as far as CloudWatch still stores it.

    Periods fade (CloudWatch "Metrics concepts", retention): a run that was mirrored earlier may
    hold finer points than are stored now. Within a period that is coarser now, finer points are
    right, whatever their values; the coarse point is missing where the run has none at all.

    Parameters
    ----------
    aws
        What CloudWatch gave for the windows of the reading.
    mlflow
        What the run has.
    reading
        The plan that was followed.
    begin_ms
        When the job began: nothing is earlier, if the first window reaches back to it.

    Returns
    -------
    list of PointDifference
        In time order.
    """
    stored = _Stored(reading, begin_ms)
    want, have = stored.by_period(aws), stored.by_period(mlflow)
    exact = (FINEST_PERIOD_S, 0)
    found = compare_points(want.pop(exact, ()), have.pop(exact, ()), revisable=True)
    for period in want.keys() | have.keys():
        found += _compare_faded(want.get(period, []), have.get(period, []))
    return sorted(found, key=lambda each: each.timestamp_ms)


def compare_logs(
    aws: Sequence[Sample], mlflow: Sequence[Sample], written: int
) -> list[PointDifference]:
    """Compare a series that was read from logs as far as they are still there.

    Log events only ever go with their retention time, the earliest first.

    Parameters
    ----------
    aws
        What the logs hold now.
    mlflow
        What the run has.
    written
        How many points the mirror wrote: where there are fewer now, what the run has before the
        first of them is right.

    Returns
    -------
    list of PointDifference
        In time order.
    """
    found = compare_points(aws, mlflow)
    if written <= len(aws):
        return found
    begin_ms = min((point.timestamp_ms for point in aws), default=math.inf)
    return [each for each in found if each.what != "extra" or each.timestamp_ms >= begin_ms]


def compare_final(aws: Sequence[Sample], mlflow: Sequence[Sample]) -> list[PointDifference]:
    """Compare a series of which AWS has no point but that of ``FinalMetricDataList``.

    Where the run has other points and not that one, it has what AWS no longer stores.

    Parameters
    ----------
    aws
        The one point.
    mlflow
        What the run has.
    """
    has_it = not {stamped(point) for point in aws}.isdisjoint(map(stamped, mlflow))
    return compare_points(aws, mlflow) if has_it or not mlflow else []


def settled(
    differences: Iterable[PointDifference], *, due: bool, read_to_ms: int | None = None
) -> list[PointDifference]:
    """Leave out what may still be on its way.

    Parameters
    ----------
    differences
        What differs.
    due
        Whether the run is to have all points of AWS by now.
    read_to_ms
        From when on AWS may have written points after it was read; None if it writes no more.
    """
    return [
        each
        for each in differences
        if (due or each.what != "missing")
        and (each.what == "missing" or read_to_ms is None or each.timestamp_ms < read_to_ms)
    ]


def stamped(point: Sample) -> Stamped:
    """Return what makes points of two series equal."""
    return point.timestamp_ms, comparable(point.value)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Which stretch of a job's life CloudWatch stores at which period."""

    reading: Reading
    begin_ms: int

    def by_period(self, points: Iterable[Sample]) -> dict[tuple[int, int], list[Sample]]:
        """Group points by what is compared at once: one coarse period, or all that is exact."""
        groups: dict[tuple[int, int], list[Sample]] = defaultdict(list)
        for point in points:
            period_s = self._period_s(point.timestamp_ms)
            if period_s is not None:
                exact = period_s == FINEST_PERIOD_S
                number = 0 if exact else point.timestamp_ms // (period_s * 1000)
                groups[period_s, number].append(point)
        return groups

    def _period_s(self, timestamp_ms: int) -> int | None:
        """Return the period at which a moment is stored, None where nothing is to be compared.

        What lies outside of a life that is stored whole belongs to no period: it is compared as it
        is.
        """
        windows = self.reading.windows
        for window in windows:
            if window.start_ms <= timestamp_ms < window.end_ms:
                return window.period_s
        if not windows:
            return None
        if timestamp_ms < windows[0].start_ms:
            return FINEST_PERIOD_S if windows[0].start_ms <= self.begin_ms else None
        return FINEST_PERIOD_S if self.reading.complete else None


def _compare_faded(aws: list[Sample], mlflow: list[Sample]) -> list[PointDifference]:
    """Compare what both sides have within one period that is coarser than it was."""
    alike = len(mlflow) == 1 and [each.timestamp_ms for each in aws] == [mlflow[0].timestamp_ms]
    if not mlflow or alike:
        return compare_points(aws, mlflow, revisable=True)
    have = Counter(map(stamped, mlflow))
    return [
        PointDifference("doubled", at, value, value)
        for (at, value), count in have.items()
        for _ in range(count - 1)
    ]


def _by_time(counts: Mapping[Stamped, int]) -> dict[int, list[Value]]:
    values: dict[int, list[Value]] = defaultdict(list)
    for (at, value), count in counts.items():
        values[at] += [value] * count
    return values
