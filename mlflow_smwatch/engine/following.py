"""What a watch needs of a mirror, and whom it tells how it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import SmwatchError
from mlflow_smwatch.report import SyncReport, WatchReport


class Book(Protocol):
    """What is needed of :class:`mlflow_smwatch.aws.ledger.Ledger`."""

    @property
    def calls(self) -> Counter[str]:
        """IAM action → number of calls."""

    @property
    def cost_usd(self) -> float:
        """What they cost."""


class Follower(Protocol):
    """What a watcher needs of a mirror, or of several: `.mirror.Mirror`, `.targets.Mirrors`."""

    @property
    def aws(self) -> Aws:
        """The clients of its one account and Region."""

    @property
    def ledger(self) -> Book:
        """What was called so far, and what it costs."""

    @property
    def open_jobs(self) -> int:
        """How many jobs are followed because they are not final."""

    def follow(
        self, *, since: datetime | None, names: Sequence[str] = (), sweep: bool
    ) -> SyncReport:
        """Mirror what was modified, what is named, and what is open."""

    def follow_changed(self, jobs: Mapping[str, str]) -> SyncReport:
        """Mirror exactly these jobs: ARN → name."""


def _nobody(*_: object) -> None:
    """Hear nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Hears how a watch goes on, in the thread of the watch.

    Attributes
    ----------
    connected
        Called once, before the first pass, with the Region, or the names of several.
    begins
        Called before each pass, with the mirror that makes it.
    passed
        Called after each pass, with its report.
    ended
        Called after that, with the report of all passes and the seconds that are left to the next.
    waits
        Called when something failed that concerns all jobs, with the error and the seconds until a
        new try.
    """

    connected: Callable[[str], None] = _nobody
    begins: Callable[[Follower], None] = _nobody
    passed: Callable[[SyncReport], None] = _nobody
    ended: Callable[[SyncReport, WatchReport, float], None] = _nobody
    waits: Callable[[SmwatchError, float], None] = _nobody
