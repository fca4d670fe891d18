"""The CloudWatch alarms that watch the jobs of a pass.

All alarms of the account are listed once, when the first job is read that has series; of those that
watch a job the history is read where they have changed. Where alarms cannot be read, or not soon,
jobs are mirrored without, and their runs keep what they show of alarms.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

from mlflow_smwatch.aws.alarms import alarm_pages, hasty, read_history
from mlflow_smwatch.aws.operations import DESCRIBE_ALARM_HISTORY, DESCRIBE_ALARMS
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.alarm_history import AlarmChanges, StateChange, in_life, read_changes
from mlflow_smwatch.core.alarms import (
    Alarm,
    AlarmReading,
    Alarms,
    alarm_original,
    alarm_tags,
    as_of_job,
    shown,
)
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    AwsUnreachableError,
    RetriableError,
    SmwatchError,
    StopError,
    reason,
)
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_series import algorithm_series, steady_series
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.options import SyncOptions

_LISTED_FOR_MS = 60_000
_PATIENCE_S = 5
_LONGEST_S = 30


class Listing:
    """The alarms of an account and Region, for which a thread of its own asks.

    Nobody waits for that thread: where AWS answers late, a later pass may take what it says.

    Parameters
    ----------
    aws
        The clients, which soon give up.
    asked_ms
        When it is asked for.
    """

    def __init__(self, aws: Aws, asked_ms: int) -> None:
        self.asked_ms = asked_ms
        self._alarms: Future[Alarms] = Future()
        self._pages = 0
        threading.Thread(target=self._read, args=(aws,), name="smwatch-alarms", daemon=True).start()

    @property
    def failed(self) -> bool:
        """Whether AWS has answered with an error."""
        return self._alarms.done() and self._alarms.exception() is not None

    def result(self) -> Alarms:
        """Wait for the alarms, a few seconds for each answer, and not long for all.

        Raises
        ------
        RetriableError
            When they are late.
        SmwatchError
            When they cannot be listed.
        """
        for _ in range(_LONGEST_S // _PATIENCE_S):
            before = self._pages
            wait([self._alarms], _PATIENCE_S)
            if self._alarms.done():
                return self._alarms.result()
            if self._pages == before:
                break
        message = f"{DESCRIBE_ALARMS} does not answer soon; run again later"
        raise RetriableError(message)

    def _read(self, aws: Aws) -> None:
        found: list[Alarm] = []
        try:
            for page in alarm_pages(aws):
                found += page
                self._pages += 1
            self._alarms.set_result(Alarms(found))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is taken
            self._alarms.set_exception(error)


@dataclass
class AlarmBook:
    """The alarms of an account and Region as they were listed last; kept between passes.

    Attributes
    ----------
    latest
        None before the first listing.
    """

    latest: Listing | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    _aws: Aws | None = None

    def clients(self, aws: Aws) -> Aws:
        """Give clients that soon give up, the same in each pass."""
        with self.lock:
            self._aws = self._aws or hasty(aws)
            return self._aws


class PassAlarms:
    """Reads the alarms on the jobs of one pass; called from several threads.

    Parameters
    ----------
    aws
        The clients.
    book
        What an earlier pass listed; it counts for a minute.
    options
        Whether alarms are wanted, and histories.
    clock_ms
        Tells the present.
    """

    def __init__(
        self, aws: Aws, book: AlarmBook, options: SyncOptions, clock_ms: Callable[[], int]
    ) -> None:
        self._aws, self._book, self._options = book.clients(aws), book, options
        self._clock_ms, self._begun_ms = clock_ms, clock_ms()
        self._settle_ms = options.settle_s * 1000
        self._refused: AlarmReading | None = None
        self._is_history_denied = False
        self._unread: SmwatchError | None = None
        self._lock = threading.Lock()
        self._warnings: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why alarms could not be read, in words."""
        return tuple(self._warnings)

    def are_due(self, task: Task) -> bool:
        """Whether the alarms on a job are to be read: of one that is final nothing more is.

        What is endless may not have been described: its series are known where they are read.
        """
        goes_on = not (task.watermark.final or task.job.kind.endless)
        due = self._options.alarms and (goes_on or bool(task.reading.windows))
        return due and any(True for _ in _series(task.job))

    def read(self, task: Task) -> AlarmReading:
        """Read the alarms that watch a job.

        Raises
        ------
        StopError
            When nothing can be done, such as where the user's limit on calls is reached.
        """
        alarms = self._listed(task)
        if alarms is None:
            return self._refused or AlarmReading()
        chosen, left_out = shown(alarms.on(_series(task.job)), task.watermark.alarms)
        told: list[tuple[Alarm, Alarm | None]] = []
        read: dict[str, AlarmChanges] = {}
        for alarm in chosen:
            try:
                changes = self._changes(task, alarm)
            except (RetriableError, AwsUnreachableError) as error:
                return self._failed(self._first(error))
            told.append((alarm, as_of_job(task.job, alarm, changes or (), self._settle_ms)))
            if changes is not None:
                read[alarm_original(alarm)] = self._as_read(task, alarm, changes)
        return AlarmReading(tags=alarm_tags(task.job, told), changes=read, left_out=left_out)

    def forecast(self, task: Task) -> None:
        """Count the calls that :meth:`read` would make; alarms are listed for that.

        Raises
        ------
        StopError
            When nothing can be done.
        """
        alarms = self._listed(task) or Alarms()
        chosen, _ = shown(alarms.on(_series(task.job)), task.watermark.alarms)
        calls = sum(self._has_news(task, alarm) for alarm in chosen)
        if calls:
            self._aws.ledger.count(DESCRIBE_ALARM_HISTORY, calls)

    def go_without(self, error: BaseException) -> None:
        """Note why something of alarms is not shown."""
        self._warnings[f"alarms are not shown: {reason(error)}"] = None

    def _listed(self, task: Task) -> Alarms | None:
        """Give the account's alarms; None where they cannot be listed in this pass.

        The last look at a job takes a list in which all that belongs to its life has happened.
        """
        job = task.job
        due_ms = self._begun_ms - _LISTED_FOR_MS
        if task.reading.complete and job.ended_ms is not None:
            due_ms = max(due_ms, job.ended_ms + self._settle_ms)
        if self._refused is not None:
            return None
        try:
            return self._listing(due_ms).result()
        except (RetriableError, AwsUnreachableError) as error:
            self._refused = self._failed(error)
        except StopError:
            raise
        except SmwatchError as error:
            self.go_without(error)
            self._refused = AlarmReading()
        return None

    def _listing(self, due_ms: int) -> Listing:
        """Give the latest listing, or begin one; where one of this pass failed, no other is."""
        with self._book.lock:
            latest = self._book.latest
            if latest is None or latest.asked_ms < (self._begun_ms if latest.failed else due_ms):
                latest = self._book.latest = Listing(self._aws, self._clock_ms())
            return latest

    def _failed(self, error: SmwatchError) -> AlarmReading:
        """Leave it to the next pass; an ended job stays open for that."""
        self.go_without(error)
        return AlarmReading(whole=False)

    def _first(self, error: SmwatchError) -> SmwatchError:
        """Note why histories are not read any more in this pass: what went wrong first."""
        with self._lock:
            self._unread = self._unread or error
            return self._unread

    def _changes(self, task: Task, alarm: Alarm) -> tuple[StateChange, ...] | None:
        """Give the changes of a job's life that may be new; None where they are not to be had."""
        if self._options.metrics == "off" or self._is_history_denied:
            return None
        if not self._has_news(task, alarm):
            return ()
        try:
            found = self._read_history(alarm, _since_ms(task, alarm))
        except AccessDeniedError as error:
            self._is_history_denied = True
            self.go_without(error)
            return None
        return in_life(task.job, found, self._settle_ms)

    def _read_history(self, alarm: Alarm, since_ms: int) -> tuple[StateChange, ...]:
        """Read a history, unless another one failed in this pass, or took long."""
        if self._unread is not None:
            raise self._unread
        begun_s = time.monotonic()
        found = read_history(self._aws, alarm.name, since_ms)
        if time.monotonic() - begun_s > _PATIENCE_S:
            message = f"{DESCRIBE_ALARM_HISTORY} answers slowly; run again later"
            self._first(RetriableError(message))
        return found

    def _has_news(self, task: Task, alarm: Alarm) -> bool:
        """Whether an alarm has changed since its history was read, or since the job began."""
        if self._options.metrics == "off" or self._is_history_denied:
            return False
        read_to_ms = task.watermark.alarms.get(alarm_original(alarm))
        changed_ms = alarm.changed_ms
        if changed_ms is None or (read_to_ms is None and changed_ms >= task.job.created_ms):
            return True
        return changed_ms > _since_ms(task, alarm)

    def _as_read(self, task: Task, alarm: Alarm, changes: tuple[StateChange, ...]) -> AlarmChanges:
        return read_changes(
            changes,
            since_ms=_since_ms(task, alarm),
            changed_ms=alarm.changed_ms,
            believed_ms=self._clock_ms() - self._settle_ms,
        )


def _since_ms(task: Task, alarm: Alarm) -> int:
    """Tell from when on an alarm's history is read; of an ended job, its whole life once more."""
    created_ms = task.job.created_ms
    if task.job.ended:
        return created_ms
    return task.watermark.alarms.get(alarm_original(alarm), created_ms)


def _series(job: Job) -> Iterator[Series]:
    yield from steady_series(job)
    yield from algorithm_series(job)
