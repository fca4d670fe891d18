"""What a rule says of one series: OK or ALARM, from point to point.

Points are judged by their own timestamps, whenever they come. A standing is all that is kept of a
series, however many points it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mlflow_smwatch.core.rules import Silence, Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a rule stands with one series.

    Attributes
    ----------
    alarm
        Whether it is in alarm.
    since_ms
        Since when it is as it is.
    streak_ms
        The first of the points on the wrong side that go on to the newest; None for none.
    last_ms
        The newest point; None before the first.
    value
        Of that point.
    told_ms
        When its alarm was told last.
    """

    alarm: bool = False
    since_ms: int = 0
    streak_ms: int | None = None
    last_ms: int | None = None
    value: float | None = None
    told_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A standing became ALARM, or OK again.

    Attributes
    ----------
    alarm
        Which of both.
    at_ms
        When, by the points.
    value
        Of the point that made it so; None where no point did.
    """

    alarm: bool
    at_ms: int
    value: float | None = None


def judged(
    threshold: Threshold, standing: Standing, points: Iterable[tuple[int, float]]
) -> tuple[Standing, tuple[Turn, ...]]:
    """Judge new points of one series.

    ALARM begins with a point on the wrong side if all points since ``for`` before it are so, and
    no two neighbours among them lie further apart than :attr:`Threshold.gap_ms`. It ends with a
    point on the right side: a gap ends nothing. A point that comes after newer ones were judged
    changes no alarm; on the right side, it has the span counted anew from the newest point.

    Parameters
    ----------
    threshold
        The condition.
    standing
        After the points before.
    points
        Timestamp (ms) and value of each, in any order.

    Returns
    -------
    tuple
        The standing now, and its turns on the way, which alternate.
    """
    turns = []
    in_order = sorted(points, key=lambda each: (each[0], threshold.breaks(each[1]), repr(each[1])))
    for at_ms, value in in_order:
        before, standing = standing, _after(threshold, standing, at_ms, value)
        if before.alarm != standing.alarm:
            turns.append(Turn(alarm=standing.alarm, at_ms=at_ms, value=value))
    return standing, tuple(turns)


def silent(
    silence: Silence, standing: Standing, now_ms: int, *, runs: bool
) -> tuple[Standing, tuple[Turn, ...]]:
    """Judge by the clock how long no point came.

    Parameters
    ----------
    silence
        The condition.
    standing
        With the newest point in ``last_ms``; without one, the time counts from now.
    now_ms
        The clock.
    runs
        Whether there should be points.
    """
    if not standing.alarm and (standing.last_ms is None or not runs):
        return replace(standing, last_ms=now_ms), ()
    if standing.last_ms is None:
        return standing, ()
    late = runs and now_ms - standing.last_ms >= silence.for_ms
    at_ms = standing.last_ms + silence.for_ms if late else standing.last_ms
    return turned(standing, at_ms, alarm=late or (standing.alarm and not runs))


def turned(standing: Standing, at_ms: int, *, alarm: bool) -> tuple[Standing, tuple[Turn, ...]]:
    """Let a standing be in alarm or not, from a moment on."""
    if alarm == standing.alarm:
        return standing, ()
    return replace(standing, alarm=alarm, since_ms=at_ms), (Turn(alarm=alarm, at_ms=at_ms),)


def arrived(standing: Standing, at_ms: int) -> Standing:
    """Note a point, for what waits for one."""
    newest = at_ms if standing.last_ms is None else max(standing.last_ms, at_ms)
    return replace(standing, last_ms=newest)


def news(turns: Sequence[Turn], floor_ms: int, *, was_alarm: bool) -> tuple[Turn, ...]:
    """Choose which turns of one look are told: how it ended, and an alarm that came and went.

    Parameters
    ----------
    turns
        In order.
    floor_ms
        An alarm that was over before is history, and not told.
    was_alarm
        Whether the series was in alarm before.
    """
    if not turns:
        return ()
    if turns[-1].alarm == was_alarm:
        return () if was_alarm or turns[-1].at_ms < floor_ms else tuple(turns[-2:])
    return (turns[-1],)


def _after(threshold: Threshold, standing: Standing, at_ms: int, value: float) -> Standing:
    breaks = threshold.breaks(value)
    if standing.last_ms is not None and at_ms < standing.last_ms:
        return standing if breaks else _interrupted(standing, at_ms)
    if not breaks:
        since_ms = at_ms if standing.alarm else standing.since_ms
        return replace(
            standing, alarm=False, since_ms=since_ms, streak_ms=None, last_ms=at_ms, value=value
        )
    streak_ms = standing.streak_ms
    if streak_ms is None or at_ms - (standing.last_ms or 0) > threshold.gap_ms:
        streak_ms = at_ms
    begins = not standing.alarm and at_ms - streak_ms >= threshold.for_ms
    return replace(
        standing,
        alarm=standing.alarm or begins,
        since_ms=at_ms if begins else standing.since_ms,
        streak_ms=streak_ms,
        last_ms=at_ms,
        value=value,
    )


def _interrupted(standing: Standing, at_ms: int) -> Standing:
    """Count anew from the newest point, if a late one on the right side lies within the span."""
    if standing.alarm or standing.streak_ms is None or at_ms < standing.streak_ms:
        return standing
    return replace(standing, streak_ms=standing.last_ms)
