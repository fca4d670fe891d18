"""(now, window) → the spans of CreationTime in which jobs are found, what fades first coming first.

CloudWatch gives up the finest period that it keeps of a point as that grows old: of a job that is
14 days old, the one-minute points are gone within a day. A backfill takes hours, so the jobs about
to lose points are found, read and written before all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from mlflow_smwatch.core.windows import DAY_MS, MINUTE_MS, PERIODS_S, kept_from_ms

_FADES_WITHIN_MS = DAY_MS
_RUNS_FOR_MS = DAY_MS
"""How long a job runs at most where it does not say (``StoppingCondition``, MaxRuntimeInSeconds):
one that began before a period faded may still have younger points."""

_WORTH_A_SPAN_MS = 60 * MINUTE_MS
_SECOND_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedSpan:
    """A span of CreationTime.

    Attributes
    ----------
    begin_ms, end_ms
        Whole seconds, begin inclusive and end exclusive; None leaves a side open.
    """

    begin_ms: int | None = None
    end_ms: int | None = None

    def holds(self, created_ms: int) -> bool:
        """Whether a CreationTime (ms) lies within."""
        after = self.begin_ms is None or created_ms >= self.begin_ms
        return after and (self.end_ms is None or created_ms < self.end_ms)

    def widened(self, margin_ms: int) -> CreatedSpan:
        """Return the span with a margin at both ends (ms); open sides stay open."""
        return CreatedSpan(
            begin_ms=None if self.begin_ms is None else self.begin_ms - margin_ms,
            end_ms=None if self.end_ms is None else self.end_ms + margin_ms,
        )


WHOLE = CreatedSpan()
"""All times."""


def created_spans(
    now_ms: int, since_ms: int | None, until_ms: int | None
) -> tuple[CreatedSpan, ...]:
    """Cut a window into the spans in which its jobs are found.

    First those whose points fade within a day, oldest first; then the others, with the finest
    periods first. A window that reaches back by less than two weeks is not cut, and the jobs that
    were created before a window, but modified in it, are in its oldest span.

    Parameters
    ----------
    now_ms
        The present.
    since_ms, until_ms
        The window on LastModifiedTime; None leaves a side open.

    Returns
    -------
    tuple of CreatedSpan
        At least one; each CreationTime lies in exactly one of them.
    """
    edges = [edge for period_s in reversed(PERIODS_S) for edge in _fading(now_ms, period_s)]
    early = [edge for edge in edges if since_ms is not None and edge <= since_ms + _WORTH_A_SPAN_MS]
    cuts = [edge for edge in edges[len(early) :] if until_ms is None or edge <= until_ms]
    spans = [
        CreatedSpan(begin_ms=begin, end_ms=end) for begin, end in pairwise((None, *cuts, None))
    ]
    is_second = len(early) % 2  # of the spans between all edges, every second one fades
    fading, others = spans[1 - is_second :: 2], spans[is_second::2]
    return (*fading, *reversed(others))


def _fading(now_ms: int, period_s: int) -> tuple[int, int]:
    """Tell when the jobs were created whose points at a period are about to fade."""
    edge_ms = kept_from_ms(now_ms, period_s)
    return _whole(edge_ms - _RUNS_FOR_MS), _whole(edge_ms + _FADES_WITHIN_MS)


def _whole(moment_ms: int) -> int:
    return moment_ms - moment_ms % _SECOND_MS
