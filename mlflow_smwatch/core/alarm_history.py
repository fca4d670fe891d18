"""How the state of an alarm changed → the points of the metric that shows it.

Each change is a point: 0 for OK, 1 for ALARM, -1 for INSUFFICIENT_DATA, when it happened; its step
is the second of the job's life, as for points from CloudWatch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.points import MetricPoint, cloudwatch_points
from mlflow_smwatch.core.series import Point

INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
STATES: Mapping[str, float] = MappingProxyType({"OK": 0.0, "ALARM": 1.0, INSUFFICIENT_DATA: -1.0})
"""State of an alarm → value of its metric."""

_UPDATED = re.compile(r"\bto (OK|ALARM|INSUFFICIENT_DATA)\b")
"""``HistorySummary``: ``Alarm updated from OK to ALARM``."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """One change of an alarm's state.

    Attributes
    ----------
    timestamp_ms
        When it changed, milliseconds since the epoch.
    state
        The new state.
    reason
        AWS's explanation of it.
    """

    timestamp_ms: int
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmChanges:
    """What was read of one alarm's history.

    Attributes
    ----------
    points
        The changes that the run shows, in time order.
    read_to_ms
        Up to when all changes are read.
    """

    points: tuple[Point, ...] = ()
    read_to_ms: int


def state_in(history_data: str, summary: str) -> tuple[str, str | None] | None:
    """Read the new state out of an item of history (``AlarmHistoryItem``).

    Parameters
    ----------
    history_data
        JSON text with ``newState``, which may have been cut off.
    summary
        The same in words.

    Returns
    -------
    tuple or None
        State and reason; None where neither text tells a state.
    """
    try:
        new = json.loads(history_data)["newState"]
        state, reason = new["stateValue"], new.get("stateReason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        state, reason = None, None
    if isinstance(state, str) and state in STATES:
        return state, reason if isinstance(reason, str) else None
    told = _UPDATED.search(summary)
    return (told[1], None) if told else None


def in_life(job: Job, changes: Iterable[StateChange], settle_ms: int) -> tuple[StateChange, ...]:
    """Choose the changes that belong to a job, in time order, one at each moment.

    An alarm whose metric has ended goes to ``INSUFFICIENT_DATA``, which says nothing of the job.
    What the last minutes of a job lead to comes a little later: so other changes count until
    ``settle_ms`` after its end, when the last pass looks at it.
    """
    end_ms = job.ended_ms if job.ended else None

    def is_shown(change: StateChange) -> bool:
        at_ms = change.timestamp_ms
        if at_ms < job.created_ms:
            return False
        if end_ms is None or at_ms <= end_ms:
            return True
        return at_ms <= end_ms + settle_ms and change.state != INSUFFICIENT_DATA

    ordered = sorted(filter(is_shown, changes), key=lambda each: each.timestamp_ms)
    moments = groupby(ordered, key=lambda each: each.timestamp_ms)
    return tuple(list(together)[-1] for _, together in moments)


def read_changes(
    changes: Sequence[StateChange], *, since_ms: int, changed_ms: int | None, believed_ms: int
) -> AlarmChanges:
    """Tell what was read of an alarm's history, and up to when that is whole.

    Parameters
    ----------
    changes
        Those of the job's life.
    since_ms
        From when on they were read.
    changed_ms
        When the alarm changed last, by what was listed before its history was read; None where that
        is not known.
    believed_ms
        A change that is older than that and that the history lacks is not going to be in it.
    """
    read_to_ms = max([since_ms, *(each.timestamp_ms for each in changes)])
    if changed_ms is not None and changed_ms < believed_ms:
        read_to_ms = max(read_to_ms, changed_ms)
    points = tuple(Point(each.timestamp_ms, STATES[each.state]) for each in changes)
    return AlarmChanges(points=points, read_to_ms=read_to_ms)


def alarm_points(
    job: Job,
    keys: Mapping[str, str],
    alarms: Mapping[str, AlarmChanges],
    read_to_ms: Mapping[str, int],
) -> Iterator[MetricPoint]:
    """Give the changes that are later than those that were read before.

    Parameters
    ----------
    job
        The job.
    keys
        Original → key.
    alarms
        Original → what was read of it now.
    read_to_ms
        Original → up to when its changes are written.
    """
    for original, changes in alarms.items():
        before_ms = read_to_ms.get(original)
        new = (
            point for point in changes.points if before_ms is None or point.timestamp_ms > before_ms
        )
        yield from cloudwatch_points(job, keys, original, new)


def furthest(before: Mapping[str, int], alarms: Mapping[str, AlarmChanges]) -> dict[str, int]:
    """Tell up to when the changes of each alarm are read, now that more are."""
    now = {name: max(each.read_to_ms, before.get(name, 0)) for name, each in alarms.items()}
    return {**before, **now}
