"""Several accounts and Regions, mirrored one after the other into one MLflow store.

Each has its own credentials, ledger and memory; what they share is MLflow, where runs are told
apart by the ARNs of their jobs.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mlflow_smwatch.aws.budget import Budget
from mlflow_smwatch.aws.ledger import Ledger
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import CredentialsError, SmwatchError, TrackingError, UsageError
from mlflow_smwatch.engine import mirror as one
from mlflow_smwatch.engine.books import Listener
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.engine.observation import Observer
from mlflow_smwatch.engine.places import divided, failures, found_in, one_of, place
from mlflow_smwatch.engine.shipment import Cluster
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import NOT_REACHED, Failure, SyncReport


def sync(
    targets: Sequence[SyncOptions],
    listener: Listener | None = None,
    observers: tuple[Observer, ...] = (),
) -> SyncReport:
    """Mirror once, account by account and Region by Region.

    Parameters
    ----------
    targets
        What to mirror, from where, to where; they differ in Region and role alone.
    listener
        Called after each job with the report so far, whose ``runs`` are those of one target.
    observers
        Hear what is written of each job.

    Returns
    -------
    SyncReport
        Of all; a target that could not be mirrored is one of the failed.

    Raises
    ------
    StopError
        When nothing can be done anywhere: no credentials, no access, no MLflow.
    """
    if len(targets) == 1:
        return one.sync(targets[0], listener, observers)
    with one.cluster_of(targets[0]) as cluster:
        return Mirrors(targets, cluster=cluster, observers=observers).sync(listener)


@dataclass
class Ledgers:
    """The account books of several connections as one."""

    _open: list[Ledger] = field(default_factory=list)
    _calls: Counter[str] = field(default_factory=Counter)
    _throttled: Counter[str] = field(default_factory=Counter)
    _cost_usd: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, ledger: Ledger) -> None:
        """Count what a connection does from now on."""
        with self._lock:
            self._open.append(ledger)

    def close(self, ledger: Ledger) -> None:
        """Keep what a connection has done; who reads at this moment reads it once."""
        with self._lock:
            self._calls += ledger.calls
            self._throttled += ledger.throttled
            self._cost_usd += ledger.cost_usd
            self._open.remove(ledger)

    def enter(self, calls: Mapping[str, int], cost_usd: float) -> None:
        """Enter what was spent elsewhere for the same purpose."""
        with self._lock:
            self._calls.update(calls)
            self._cost_usd += cost_usd

    @property
    def calls(self) -> Counter[str]:
        """IAM action → number of calls."""
        with self._lock:
            return sum((Counter(each.calls) for each in self._open), Counter(self._calls))

    @property
    def throttled(self) -> Counter[str]:
        """IAM action → how many of them AWS throttled."""
        with self._lock:
            return sum((Counter(each.throttled) for each in self._open), Counter(self._throttled))

    @property
    def cost_usd(self) -> float:
        """What they cost."""
        with self._lock:
            return sum((ledger.cost_usd for ledger in self._open), self._cost_usd)


@dataclass
class _Target:
    """One account and Region, and what is kept of it from pass to pass.

    Attributes
    ----------
    options
        Which.
    mirror
        None until the first pass, and after credentials were refused.
    since
        From when on jobs are still to be listed, of a pass that did not get through; else None.
    failed
        What failed in the last pass that got through.
    swept
        Whether the mirror has looked for open runs.
    """

    options: SyncOptions
    mirror: Mirror | None = None
    since: datetime | None = None
    failed: frozenset[str] = frozenset()
    swept: bool = False

    def follow(
        self, mirror: Mirror, since: datetime | None, names: Sequence[str], *, sweep: bool
    ) -> Callable[[Listener], SyncReport]:
        """Prepare a pass that makes up for what the last one did not get to."""
        begin = min((each for each in (since, self.since) if each is not None), default=None)
        again = [name for name in names if name in self.failed]
        sweeps = sweep or not self.swept
        self.since = begin

        def look(listener: Listener) -> SyncReport:
            report = mirror.follow(since=begin, names=again, sweep=sweeps, listener=listener)
            if report.broken_off is None:
                self.since, self.swept = None, True
            self.failed = frozenset(each.arn for each in report.failed)
            return report

        return look


_Pass = Callable[[_Target, Mirror], Callable[[Listener], SyncReport]]


class Mirrors:
    """Several accounts and Regions, pass after pass; to a watch they are one mirror.

    Parameters
    ----------
    targets
        What to mirror, from where, to where.
    stopped
        Tells whether to end early.
    slack_s, cluster, observers
        As of :class:`.Mirror`.

    Attributes
    ----------
    ledger
        What was called so far.
    """

    def __init__(
        self,
        targets: Sequence[SyncOptions],
        stopped: Callable[[], bool] = lambda: False,
        slack_s: float = 0,
        cluster: Cluster | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._cluster = cluster
        self._observers = observers
        self._targets = [_Target(each) for each in divided(targets)]
        self._stopped = stopped
        self._slack_s = slack_s
        self._budget = Budget()
        self.ledger = Ledgers()

    @property
    def aws(self) -> Aws:
        """Refuse to read a queue.

        Raises
        ------
        UsageError
            Always.
        """
        raise _for_one()

    @property
    def open_jobs(self) -> int:
        """How many jobs are followed because they are not final."""
        return sum(each.mirror.open_jobs for each in self._targets if each.mirror)

    @property
    def following(self) -> frozenset[str]:
        """Their ARNs."""
        mirrors = (each.mirror for each in self._targets if each.mirror)
        return frozenset(arn for mirror in mirrors for arn in mirror.following)

    def sync(self, listener: Listener | None = None) -> SyncReport:
        """Mirror the jobs that the options name or, without names, that were modified since.

        Raises
        ------
        StopError
            When nothing can be done anywhere.
        """
        return self._visit(lambda _, mirror: mirror.sync, listener)

    def follow(
        self,
        *,
        since: datetime | None,
        names: Sequence[str] = (),
        sweep: bool,
        listener: Listener | None = None,
    ) -> SyncReport:
        """Mirror everywhere what changed, and look at every job that is not final.

        Parameters
        ----------
        since, names, sweep, listener
            As of :meth:`.Mirror.follow`. Where the last pass did not get through, this one takes
            what that one left.

        Raises
        ------
        StopError
            When nothing can be done anywhere.
        """
        return self._visit(
            lambda target, mirror: target.follow(mirror, since, names, sweep=sweep), listener
        )

    def follow_changed(self, jobs: Mapping[str, str]) -> SyncReport:  # noqa: ARG002 - of a follower
        """Refuse what a queue tells, as :attr:`aws` does."""
        raise _for_one()

    def _visit(self, make: _Pass, listener: Listener | None) -> SyncReport:
        started, calls, cost_usd = time.monotonic(), self.ledger.calls, self.ledger.cost_usd
        joined = _Joined(listener or (lambda _: None))
        options = self._targets[0].options
        self._budget = Budget(max_calls=options.max_calls, max_cost=options.max_cost)
        for target in self._targets:
            if self._stopped():
                break
            joined.enter(target, joined.gone or self._pass(target, make, joined.tell))
        if len(joined.errors) == len(self._targets):
            raise one_of(joined.errors)
        report = joined.report()
        report.dry_run = options.dry_run
        report.seconds = time.monotonic() - started
        report.aws_calls = dict(self.ledger.calls - calls)
        report.estimated_cost_usd = self.ledger.cost_usd - cost_usd
        return report

    def _pass(self, target: _Target, make: _Pass, tell: Listener) -> SyncReport | SmwatchError:
        """Make one pass; return its report, or what kept it from being made."""
        try:
            mirror = self._connected(target)
            mirror.budget = self._budget
            return make(target, mirror)(tell)
        except UsageError:
            raise
        except SmwatchError as error:
            if isinstance(error, CredentialsError) and target.mirror is not None:
                self.ledger.close(target.mirror.ledger)
                target.mirror, target.swept = None, False
            return error

    def _connected(self, target: _Target) -> Mirror:
        if target.mirror is None:
            target.mirror = Mirror(
                target.options,
                self._stopped,
                self._slack_s,
                cluster=self._cluster,
                observers=self._observers,
            )
            self.ledger.open(target.mirror.ledger)
        return target.mirror


@dataclass
class _Joined:
    """The reports of one pass over all accounts and Regions."""

    listener: Listener
    errors: list[SmwatchError] = field(default_factory=list)
    _total: SyncReport = field(default_factory=SyncReport)
    _found: set[str] = field(default_factory=set)

    @property
    def gone(self) -> TrackingError | None:
        """Why MLflow cannot be reached: then nothing more is tried."""
        return next((each for each in self.errors if isinstance(each, TrackingError)), None)

    def tell(self, so_far: SyncReport) -> None:
        """Tell the numbers of all, with the runs of the one under way."""
        done = self._total.jobs["seen"]
        self.listener(
            replace(
                so_far,
                counts=self._total.counts + so_far.counts,
                points=self._total.points + so_far.points,
                failed=[*self._total.failed, *so_far.failed],
                found=done + so_far.found,
                expected=done + so_far.expected if so_far.expected else 0,
            )
        )

    def enter(self, target: _Target, done: SyncReport | SmwatchError) -> None:
        """Enter what came of one of them."""
        name = place(target.options)
        if isinstance(done, SmwatchError):
            self.errors.append(done)
            self._total.failed.append(Failure(name, str(done)))
            return
        self._found |= found_in(target.options.names, done.failed)
        done.failed = [
            replace(each, arn=name) if each.arn == NOT_REACHED else each for each in done.failed
        ]
        self._total.add(done)

    def report(self) -> SyncReport:
        """Give the report of all."""
        failed, doubts = failures(self._total.failed, self._found)
        return replace(self._total, failed=failed, warnings=[*self._total.warnings, *doubts])


def _for_one() -> UsageError:
    message = "--queue is for one account and Region: give one --region and one --assume-role"
    return UsageError(message)
