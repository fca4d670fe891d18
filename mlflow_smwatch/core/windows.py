"""(watermark, now, settle, age) → the closed and aligned windows that are to be read.

CloudWatch keeps one-minute periods for 15 days, five-minute periods for 63 and one-hour periods
for 455 (CloudWatch "Metrics concepts", retention; ``GetMetricData``, StartTime and Period). Each
stretch of a job's life is read at the finest period that is still stored for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
AFTER_END_MS = 10 * MINUTE_MS
"""How long after its end a job's hosts may still publish."""

FINEST_PERIOD_S = 60

_RETENTION_DAYS = {FINEST_PERIOD_S: 15, 300: 63, 3600: 455}
PERIODS_S = tuple(_RETENTION_DAYS)
"""Periods at which CloudWatch keeps points, finest first."""

MARGIN_MS = 60 * MINUTE_MS
"""How long what is planned is still stored, at the least."""


@dataclass(frozen=True, slots=True, order=True)
class TimeWindow:
    """A stretch of time that is read at one period.

    Attributes
    ----------
    start_ms, end_ms
        Start (inclusive) and end (exclusive), both multiples of the period.
    period_s
        Seconds.
    """

    start_ms: int
    end_ms: int
    period_s: int

    @property
    def periods(self) -> int:
        """How many points one series can have in it."""
        return (self.end_ms - self.start_ms) // (self.period_s * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one pass may read of one job.

    Attributes
    ----------
    windows
        In time order, without overlap; empty when nothing is settled yet.
    complete
        Whether the job is over for so long that nothing more can come.
    """

    windows: tuple[TimeWindow, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The times of a job that decide what can be read.

    Attributes
    ----------
    created_ms, ended_ms
        The job's life; ended_ms is None while it goes on.
    read_to_ms
        End of what was read before, None if nothing was.
    """

    created_ms: int
    ended_ms: int | None = None
    read_to_ms: int | None = None


def plan_reading(life: Life, now_ms: int, settle_ms: int) -> Reading:
    """Plan what to read of a job now.

    A job that is over for longer than ``settle_ms`` is read whole once more, as far as the periods
    that were read before are still stored, so that points that came late are found. Before that,
    only periods that are closed and older than ``settle_ms`` are read, each once.

    Parameters
    ----------
    life
        The job's times.
    now_ms
        The present.
    settle_ms
        How old a period must be before it no longer changes.

    Returns
    -------
    Reading
    """
    complete = life.ended_ms is not None and now_ms >= life.ended_ms + settle_ms
    if complete and life.ended_ms is not None:
        end_ms = life.ended_ms + AFTER_END_MS
        start_ms = _second_look_ms(life, now_ms)
    else:
        end_ms = _down(now_ms - settle_ms, 60)
        start_ms = life.created_ms if life.read_to_ms is None else life.read_to_ms
    windows = tuple(_tiers(start_ms, end_ms, now_ms, up=complete))
    return Reading(windows=windows, complete=complete)


def plan_awaiting(life: Life, now_ms: int, settle_ms: int) -> Reading:
    """Plan what to read of a job that is over while something is awaited that belongs to it.

    As while it went on, up to when its hosts publish no more: so waiting asks for nothing. The last
    look comes when what was awaited is there.
    """
    going = replace(life, ended_ms=None)
    until_ms = now_ms if life.ended_ms is None else life.ended_ms + AFTER_END_MS
    windows = plan_reading(going, now_ms, settle_ms).windows
    return Reading(
        windows=tuple(each for each in windows if each.start_ms < until_ms), complete=False
    )


def _second_look_ms(life: Life, now_ms: int) -> int:
    if life.read_to_ms is None:
        return life.created_ms
    finest_kept_ms = _planned_from_ms(now_ms, FINEST_PERIOD_S)
    return min(life.read_to_ms, max(life.created_ms, finest_kept_ms))


def _tiers(start_ms: int, end_ms: int, now_ms: int, *, up: bool) -> Iterator[TimeWindow]:
    """Cut a stretch into windows, coarsest first; ``up`` includes the period that ends last."""
    cursor_ms = start_ms
    for index in range(len(PERIODS_S) - 1, -1, -1):
        period_s = PERIODS_S[index]
        cursor_ms = max(cursor_ms, _planned_from_ms(now_ms, period_s))
        limit_ms = end_ms if index == 0 else _planned_from_ms(now_ms, PERIODS_S[index - 1])
        closes_ms = min(end_ms, limit_ms)
        if closes_ms <= cursor_ms:
            continue
        last_ms = _up(closes_ms, period_s) if up else _down(closes_ms, period_s)
        window = TimeWindow(_down(cursor_ms, period_s), last_ms, period_s)
        if window.end_ms > window.start_ms:
            yield window
        cursor_ms = max(cursor_ms, window.end_ms)


def kept_from_ms(now_ms: int, period_s: int) -> int:
    """Tell since when CloudWatch stores points at a period, to the millisecond.

    A request that begins earlier is answered with nothing at all, and with no error.

    Parameters
    ----------
    now_ms
        The present.
    period_s
        60, 300 or 3600.
    """
    return now_ms - _RETENTION_DAYS[period_s] * DAY_MS


def fades_ms(start_ms: int, period_s: int) -> int:
    """Tell until when CloudWatch stores points at a period that begins at a moment.

    Parameters
    ----------
    start_ms
        The moment.
    period_s
        60, 300 or 3600.
    """
    return start_ms + _RETENTION_DAYS[period_s] * DAY_MS


def _planned_from_ms(now_ms: int, period_s: int) -> int:
    """Return what will be stored for the next hour too, aligned to the next coarser period."""
    coarser_s = {60: 300, 300: 3600, 3600: 3600}[period_s]
    return _up(kept_from_ms(now_ms, period_s) + MARGIN_MS, coarser_s)


def _down(moment_ms: int, period_s: int) -> int:
    return moment_ms - moment_ms % (period_s * 1000)


def _up(moment_ms: int, period_s: int) -> int:
    return -_down(-moment_ms, period_s)
