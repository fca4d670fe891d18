"""Which of the points that a pass read are new, where an earlier one may have written some."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.series import Point, metric_of
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import FINEST_PERIOD_S, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How what a pass read stands to what earlier passes wrote.

    Attributes
    ----------
    before
        The run's watermark.
    again
        Whether it is the last look, which reads once more what may be written.
    whole
        Whether it holds all that can be written, so that equal counts are equal points.
    endless
        Whether the job is, so that a series that is not noted may be one that was forgotten.
    """

    before: Watermark
    again: bool
    whole: bool
    endless: bool = False

    @classmethod
    def at(cls, job: Job, before: Watermark, reading: Reading) -> Look:
        """Compare what a pass may have read with a job's watermark."""
        first = next(iter(reading.windows), None)
        whole = (
            first is not None
            and first.start_ms <= job.created_ms
            and first.period_s == FINEST_PERIOD_S
        )
        endless = job.kind.endless
        return cls(before=before, again=reading.complete, whole=whole, endless=endless)

    def overlaps(self, found: Iterable[Point]) -> bool:
        """Whether points lie where earlier passes have read."""
        read_to_ms = self.before.read_to_ms
        return self.again or (
            read_to_ms is not None and any(point.timestamp_ms < read_to_ms for point in found)
        )

    def may_have(self, original: str) -> bool:
        """Whether the run may have points of a series from earlier passes."""
        if original in self.before.points:
            return self.before.points[original] > 0
        return self.endless and self.before.read_to_ms is not None


def fresh(
    original: str,
    key: str,
    found: Sequence[Point],
    look: Look,
    written: Callable[[str], Iterable[WrittenPoint]],
) -> Sequence[Point]:
    """Give the points of one CloudWatch series that the run lacks."""
    if not (found and look.may_have(original) and look.overlaps(found)):
        return found
    if look.whole and len(found) == look.before.points.get(original):
        return ()
    have = frozenset(point.timestamp_ms for point in written(key))
    return [point for point in found if point.timestamp_ms not in have]


def unwritten(
    points: Iterable[MetricPoint],
    before: Watermark,
    iterations: Container[str],
    written: Callable[[str], Iterable[WrittenPoint]],
) -> Iterator[MetricPoint]:
    """Give the points of a trial component's metrics that the run lacks.

    An iteration is one point, whichever time it is told with; a summary is one at each of its
    times.
    """
    have: dict[str, frozenset[tuple[int, int]]] = {}
    for point in points:
        by_step = metric_of(point.original) in iterations
        if point.key not in have:
            known = written(point.key) if before.points.get(point.original) else ()
            have[point.key] = frozenset(
                (0 if by_step else each.timestamp_ms, each.step) for each in known
            )
        if (0 if by_step else point.timestamp_ms, point.step) not in have[point.key]:
            yield point
