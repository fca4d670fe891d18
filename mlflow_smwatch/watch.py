"""Mirrors again and again: at an interval, or as soon as a queue tells of a job.

What happened to a job is asked of AWS, whatever woke the mirror; so an event that is lost, doubled
or late changes nothing but the moment. Its place in time is kept in memory, with ten minutes of
overlap; all else stands in MLflow, so a watcher may end at any moment and another may go on.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone

from mlflow_smwatch.aws.queue import LONGEST_WAIT_S, JobQueue, QueueMessage
from mlflow_smwatch.core.arn import is_arn
from mlflow_smwatch.core.errors import (
    CredentialsError,
    JobError,
    SmwatchError,
    StopError,
    UsageError,
)
from mlflow_smwatch.core.events import JobEvent, job_event
from mlflow_smwatch.core.moments import moment
from mlflow_smwatch.engine.following import Follower, Listener
from mlflow_smwatch.engine.messages import settled, written
from mlflow_smwatch.engine.observation import Observer
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport, WatchReport

logger = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
"""How far each listing goes back behind the one before."""

SWEEP_S = 600.0
"""How often MLflow is asked for open runs of jobs that others began to mirror."""

_LONGEST_PAUSE_S = 300.0
_SHORTEST_PAUSE_S = 1.0
_MOST_DOUBLINGS = 20
_IDS_KEPT = 10_000


def watch(
    targets: Sequence[SyncOptions],
    *,
    interval_s: float,
    queue_url: str | None,
    stopped: threading.Event,
    listener: Listener,
    observers: tuple[Observer, ...] = (),
) -> WatchReport:
    """Mirror until told to stop.

    Without a queue, the jobs that were modified are listed at the interval. With one, nothing is
    listed: its messages tell which jobs changed, and the interval is that at which jobs which still
    run are looked at. What goes wrong after the first pass is waited out.

    Parameters
    ----------
    targets
        What to mirror, from where, to where; several differ in Region and role alone.
    interval_s
        Seconds from the start of a pass to the start of the next.
    queue_url
        SQS queue of SageMaker's state changes, in the Region of the jobs.
    stopped
        Set to end the watch; the jobs in hand are finished.
    listener
        Hears how it goes on.
    observers
        Hear what is written of each job.

    Returns
    -------
    WatchReport

    Raises
    ------
    UsageError
        When the options are those of a single pass, or there is a queue for several targets.
    StopError
        When the first pass cannot be made: no credentials, no access, no queue, no MLflow.
    """
    options = targets[0]
    _require_watchable(options, interval_s)

    def connect() -> Follower:
        mirror, region = _mirror(targets, stopped, interval_s, observers)
        if not watcher.has_begun:
            listener.connected(region)
        return mirror

    watcher = Watcher(
        options,
        connect,
        interval_s=interval_s,
        queue_url=queue_url,
        stopped=stopped,
        listener=listener,
    )
    return watcher.run()


def _require_watchable(options: SyncOptions, interval_s: float) -> None:
    if options.names or options.dry_run:
        message = "a watch takes no job names and makes no forecast: call sync for that"
        raise UsageError(message)
    if not interval_s > 0:
        message = f"--interval {interval_s:g}: give seconds above 0"
        raise UsageError(message)


def _mirror(
    targets: Sequence[SyncOptions],
    stopped: threading.Event,
    slack_s: float,
    observers: tuple[Observer, ...],
) -> tuple[Follower, str]:
    """Make the mirror of one or of several; name its Regions."""
    from mlflow_smwatch.engine.mirror import Mirror
    from mlflow_smwatch.engine.targets import Mirrors

    if len(targets) > 1:
        regions = dict.fromkeys(each.region or "default" for each in targets)
        return Mirrors(targets, stopped.is_set, slack_s, observers=observers), ", ".join(regions)
    mirror = Mirror(targets[0], stopped.is_set, slack_s, observers=observers)
    return mirror, mirror.aws.region


def pause_s(failures: int, interval_s: float) -> float:
    """Say how long to wait after a number of failures on end: twice as long after each."""
    doubled = max(_SHORTEST_PAUSE_S, interval_s) * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
    return min(_LONGEST_PAUSE_S, doubled)


class Watcher:
    """One watch; all but the polling of the queue happens in the thread that runs it.

    Parameters
    ----------
    options
        What is wanted.
    connect
        Makes a mirror; called again when credentials were refused.
    interval_s, queue_url, stopped, listener
        As of :func:`watch`.
    """

    def __init__(
        self,
        options: SyncOptions,
        connect: Callable[[], Follower],
        *,
        interval_s: float,
        queue_url: str | None,
        stopped: threading.Event,
        listener: Listener,
    ) -> None:
        self._options = options
        self._connect = connect
        self._interval_s = interval_s
        self._queue_url = queue_url
        self._stopped = stopped
        self._listener = listener
        self._report = WatchReport()
        self._mirror: Follower | None = None
        self._queue: JobQueue | None = None
        self._earliest = moment(options.since, datetime.now(tz=timezone.utc), "--since")
        self._since = self._earliest
        self._look_due = self._sweep_due = time.monotonic()
        self._poll_due = False
        self._retried: tuple[str, ...] = ()
        self._steps = (self._look, self._listen) if queue_url else (self._look,)
        self._begun: set[Callable[[], None]] = set()
        self._failing: set[Callable[[], None]] = set()
        self._failures = 0
        self._misread: dict[str, None] = {}

    @property
    def has_begun(self) -> bool:
        """Whether a pass was made."""
        return bool(self._begun)

    def run(self) -> WatchReport:
        """Watch until stopped."""
        started = time.monotonic()
        while not self._stopped.is_set():
            step = self._next_step()
            try:
                step()
            except SmwatchError as error:
                self._wait_out(step, error)
            else:
                self._note_success(step)
        self._disconnect()
        self._report.seconds = time.monotonic() - started
        return self._report

    def _next_step(self) -> Callable[[], None]:
        """Choose a look when it is due, but let messages be received between any two."""
        is_due = time.monotonic() >= self._look_due and not self._poll_due
        return self._look if is_due or not self._queue_url else self._listen

    def _look(self) -> None:
        """Make a pass over what changed and what is open, once its time has come."""
        if self._stopped.wait(max(0.0, self._look_due - time.monotonic())):
            return
        mirror = self._begin()
        begun, now = time.monotonic(), datetime.now(tz=timezone.utc)
        sweep = begun >= self._sweep_due
        report = mirror.follow(
            since=None if self._queue else self._since,
            names=self._retried,
            sweep=sweep,
        )
        self._begun.add(self._look)
        self._look_due, self._poll_due = begun + self._interval_s, True
        if sweep:
            self._sweep_due = begun + SWEEP_S
        if report.broken_off is None and report.listed:
            self._since = max(self._earliest, now - OVERLAP)
        self._enter(report, self._retried)
        if not self._queue:
            self._retried = tuple(each.arn for each in self._report.failed if is_arn(each.arn))
        _require_whole(report)

    def _listen(self) -> None:
        """Wait for messages, no longer than until the next look, and mirror their jobs."""
        self._connected()
        self._poll_due = False
        queue = self._queue
        if queue is None:
            return
        remaining = math.ceil(self._look_due - time.monotonic())
        messages = queue.poll(max(1, min(LONGEST_WAIT_S, remaining)), self._stopped)
        self._begun.add(self._listen)
        events = self._understood(messages)
        if events:
            report = self._mirrored(queue, events)
            queue.delete(self._settled(queue, events, report))
            _require_whole(report)

    def _mirrored(self, queue: JobQueue, events: Mapping[QueueMessage, JobEvent]) -> SyncReport:
        kinds = self._options.kinds
        wanted = {each.arn: each.name for each in events.values() if each.kind in kinds}
        with queue.held(tuple(events)):
            report = self._begin().follow_changed(wanted)
        self._enter(report, wanted)
        return report

    def _settled(
        self, queue: JobQueue, events: Mapping[QueueMessage, JobEvent], report: SyncReport
    ) -> tuple[QueueMessage, ...]:
        """Choose the messages to be deleted; at a stop the others are given back."""
        done = settled(events, report, whole=self._is_whole(report))
        if self._stopped.is_set():
            queue.release([message for message in events if message not in done])
        mirrored = written(report)
        for arn in dict.fromkeys(events[message].arn for message in done):
            if arn.lower() not in mirrored:
                logger.info("%s: not wanted by the options", arn, extra={"arn": arn})
        return done

    def _understood(self, messages: Sequence[QueueMessage]) -> dict[QueueMessage, JobEvent]:
        events = {}
        for message in messages:
            try:
                events[message] = job_event(message.body)
            except JobError as error:
                self._leave(message, error)
        return events

    def _leave(self, message: QueueMessage, error: JobError) -> None:
        """Say once that a message is left to the queue's redrive policy."""
        if message.id in self._misread:
            return
        logger.warning("message %s is left in the queue: %s", message.id, error)
        self._misread[message.id] = None
        if len(self._misread) > _IDS_KEPT:
            del self._misread[next(iter(self._misread))]

    def _enter(self, report: SyncReport, asked: Iterable[str]) -> None:
        created, updated = report.counts["created"], report.counts["updated"]
        if created or updated:
            told = "%d jobs created, %d updated, %d points"
            logger.info(told, created, updated, report.points)
        self._report.add(report, asked if self._is_whole(report) else ())
        self._listener.passed(report)
        self._listener.ended(report, self._report, self._look_due - time.monotonic())

    def _is_whole(self, report: SyncReport) -> bool:
        return report.broken_off is None and not self._stopped.is_set()

    def _begin(self) -> Follower:
        mirror = self._connected()
        self._listener.begins(mirror)
        return mirror

    def _connected(self) -> Follower:
        if self._mirror is None:
            mirror = self._connect()
            if self._queue_url:
                queue = JobQueue(mirror.aws, self._queue_url)
                logger.debug("messages are kept from others for %d s", queue.visibility_s)
                self._queue = queue
            self._mirror = mirror
        return self._mirror

    def _disconnect(self) -> None:
        """Enter what a mirror's calls have cost, and let go of it."""
        if self._mirror is not None:
            ledger = self._mirror.ledger
            self._report.aws_calls = Counter(self._report.aws_calls) + ledger.calls
            self._report.estimated_cost_usd += ledger.cost_usd
        self._mirror = self._queue = None

    def _wait_out(self, step: Callable[[], None], error: SmwatchError) -> None:
        """Wait after a failure; the next step then looks whether MLflow and AWS are there again.

        That step is never one that receives messages: each receipt counts towards the limit after
        which the queue gives a message up.
        """
        if step not in self._begun:
            self._disconnect()
            if isinstance(error, StopError | UsageError):
                raise error
            raise StopError(str(error)) from error
        if not self._failures:
            logger.warning("waiting until it works again: %s", error)
        if isinstance(error, CredentialsError):
            self._disconnect()
        self._failures += 1
        self._failing = set(self._steps)
        self._look_due = self._sweep_due = time.monotonic()
        self._poll_due = False
        pause = pause_s(self._failures, self._interval_s)
        self._listener.waits(error, pause)
        self._stopped.wait(pause)

    def _note_success(self, step: Callable[[], None]) -> None:
        self._begun.add(step)
        self._failing.discard(step)
        if self._failures and not self._failing:
            logger.warning("works again after %d failed tries", self._failures)
            self._failures = 0


def _require_whole(report: SyncReport) -> None:
    """Raise what broke a pass off after it had written some jobs."""
    if report.broken_off is not None:
        raise StopError(report.broken_off)
