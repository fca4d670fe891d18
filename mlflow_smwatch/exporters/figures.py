"""How a watch goes on, in figures that may be read at any moment from any thread."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlflow_smwatch.engine.following import Book, Follower, Listener
from mlflow_smwatch.engine.observation import Observation

if TYPE_CHECKING:
    from mlflow_smwatch.core.errors import SmwatchError
    from mlflow_smwatch.report import SyncReport, WatchReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A watch at one moment.

    Attributes
    ----------
    passes, failures
        How many passes ended, and how many could not be made or were broken off.
    pass_s
        Seconds that the last pass took; None before the first has ended.
    whole_at
        When a pass last reached every job, seconds since the epoch; None before that.
    lag_s
        Seconds since then, or since the start.
    created, updated
        Jobs that passes created and updated.
    failed_jobs, open_jobs
        Jobs whose last try failed, and jobs that are followed because they are not final.
    points, writes
        Points written, and how often something of a job was written into MLflow.
    calls, throttled
        AWS calls by operation, retries included; those of them that AWS throttled.
    cost_usd
        What they cost, as estimated.
    """

    passes: int = 0
    failures: int = 0
    pass_s: float | None = None
    whole_at: float | None = None
    lag_s: float = 0.0
    created: int = 0
    updated: int = 0
    failed_jobs: int = 0
    open_jobs: int = 0
    points: int = 0
    writes: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)
    cost_usd: float = 0.0


class WatchFigures:
    """Keeps the figures of one watch, over all its connections to AWS.

    Parameters
    ----------
    clock
        Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._since = clock()
        self._lock = threading.Lock()
        self._now = Figures()
        self._book: Book | None = None
        self._mirror: Follower | None = None

    @property
    def listener(self) -> Listener:
        """What the watch is to tell how it goes on."""
        return Listener(begins=self._begins, ended=self._ended, waits=self._waits)

    def observe(self, written: Observation) -> None:
        """Count what is written of a job."""
        if not written.written:
            return
        with self._lock:
            self._now = replace(
                self._now,
                writes=self._now.writes + 1,
                points=self._now.points + len(written.points),
            )

    def read(self) -> Figures:
        """Give the figures of this moment."""
        with self._lock:
            now = self._with_book(self._now)
            mirror = self._mirror
        lag_s = max(0.0, self._clock() - (now.whole_at or self._since))
        return replace(now, lag_s=lag_s, open_jobs=mirror.open_jobs if mirror else 0)

    def _begins(self, mirror: Follower) -> None:
        with self._lock:
            self._mirror = mirror
            if mirror.ledger is not self._book:
                self._now = self._with_book(self._now)
                self._book = mirror.ledger

    def _with_book(self, figures: Figures) -> Figures:
        """Add what the connection in use has called."""
        if self._book is None:
            return figures
        return replace(
            figures,
            calls=figures.calls + Counter(self._book.calls),
            throttled=figures.throttled + Counter(self._book.throttled),
            cost_usd=figures.cost_usd + self._book.cost_usd,
        )

    def _ended(self, latest: SyncReport, report: WatchReport, _: float) -> None:
        whole = latest.broken_off is None
        with self._lock:
            self._now = replace(
                self._now,
                passes=report.passes,
                pass_s=latest.seconds,
                whole_at=self._clock() if whole else self._now.whole_at,
                created=report.jobs["created"],
                updated=report.jobs["updated"],
                failed_jobs=report.jobs["failed"],
            )

    def _waits(self, _: SmwatchError, __: float) -> None:
        with self._lock:
            self._now = replace(self._now, failures=self._now.failures + 1)
