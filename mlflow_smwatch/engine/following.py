"""What a watch needs of a mirror, and whom it tells how it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ParamSpec, Protocol

from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import SmwatchError
from mlflow_smwatch.report import SyncReport, WatchReport

_P = ParamSpec("_P")


class Book(Protocol):
    """What is needed of :class:`mlflow_smwatch.aws.ledger.Ledger`."""

    @property
    def calls(self) -> Counter[str]:
        """IAM action → number of calls."""

    @property
    def throttled(self) -> Counter[str]:
        """IAM action → how many of them AWS throttled."""

    @property
    def cost_usd(self) -> float:
        """What they cost."""

    def enter(self, calls: Mapping[str, int], cost_usd: float) -> None:
        """Enter what was spent elsewhere for the same purpose."""


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

    @property
    def following(self) -> frozenset[str]:
        """Their ARNs."""

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


def together(*listeners: Listener) -> Listener:
    """Make one listener of several: each is told, in this order.

    Parameters
    ----------
    *listeners
        Those who want to hear.

    Returns
    -------
    Listener
    """
    return Listener(
        connected=_each(one.connected for one in listeners),
        begins=_each(one.begins for one in listeners),
        passed=_each(one.passed for one in listeners),
        ended=_each(one.ended for one in listeners),
        waits=_each(one.waits for one in listeners),
    )


def _each(calls: Iterable[Callable[_P, None]]) -> Callable[_P, None]:
    """Make one call of several."""
    every = tuple(calls)

    def call_each(*positional: _P.args, **named: _P.kwargs) -> None:
        for call in every:
            call(*positional, **named)

    return call_each
