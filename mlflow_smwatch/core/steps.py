"""The steps of a run's points → those that are not as the mirror writes them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mlflow_smwatch.core.compare import PointDifference, Sample, Stamped, stamped


@dataclass(frozen=True, slots=True)
class WrittenPoint:
    """One point of a metric as a run has it.

    Attributes
    ----------
    timestamp_ms
        Milliseconds since the epoch.
    value
        As MLflow keeps it.
    step
        MLflow's step.
    """

    timestamp_ms: int
    value: float
    step: int


def compare_steps(
    mlflow: Iterable[WrittenPoint], found: Iterable[PointDifference], right: Callable[[int], int]
) -> Iterator[PointDifference]:
    """Find the points of a series whose step follows from their time and is another.

    Parameters
    ----------
    mlflow
        What the run has.
    found
        How it differs from AWS: what is extra or doubled is not named twice.
    right
        Timestamp in milliseconds → the right step.
    """
    for point in _confirmed(mlflow, found, lambda each: each.step == right(each.timestamp_ms)):
        step = right(point.timestamp_ms)
        if point.step != step:
            yield PointDifference("step", point.timestamp_ms, step, point.step)


def compare_numbers(
    aws: Sequence[Sample],
    mlflow: Sequence[WrittenPoint],
    found: Iterable[PointDifference],
    written: int,
) -> Iterator[PointDifference]:
    """Find the points of a series from logs whose step cannot be the number of a match.

    The steps are 0 to n-1, each once. A point may have another step than the number of its match:
    one whose event came late has a step after those that were written by then.

    Parameters
    ----------
    aws
        What the logs hold now, in the order of the host's streams.
    mlflow
        What the run has.
    found
        How it differs from AWS: what is extra or doubled is not named twice.
    written
        How many points the mirror wrote: where there are fewer now, no number can be told.
    """
    numbers: dict[Stamped, list[int]] = defaultdict(list)
    if written <= len(aws):
        for number, point in enumerate(aws):
            numbers[stamped(point)].append(number)
    confirmed = _confirmed(mlflow, found, lambda each: each.step in numbers[stamped(each)])
    used = Counter(point.step for point in confirmed)
    end = max(len(aws), len(mlflow), written)
    for point in confirmed:
        own = numbers[stamped(point)]
        if 0 <= point.step < end and (used[point.step] == 1 or point.step in own):
            continue
        right = next((number for number in own if number not in used), None)
        if right is not None:
            used[right] += 1
        yield PointDifference("step", point.timestamp_ms, right, point.step)


def _confirmed(
    mlflow: Iterable[WrittenPoint],
    found: Iterable[PointDifference],
    is_right: Callable[[WrittenPoint], bool],
) -> list[WrittenPoint]:
    """Leave out points that are extra or doubled: of equal ones, those at a wrong step."""
    beyond = Counter(
        (each.timestamp_ms, each.mlflow) for each in found if each.what in {"extra", "doubled"}
    )
    confirmed = []
    for point in sorted(mlflow, key=lambda each: (is_right(each), each.step)):
        if beyond[stamped(point)]:
            beyond[stamped(point)] -= 1
        else:
            confirmed.append(point)
    return sorted(confirmed, key=lambda each: (each.timestamp_ms, each.step))
