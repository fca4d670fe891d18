"""The CloudWatch alarms that watch the jobs of a pass.

All alarms of the account are listed once, when the first job is read that has series; of those that
watch a job the history is read where they have changed. Where alarms cannot be read, jobs are
mirrored without, and their runs keep what they show of alarms.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mlflow_smwatch.aws.alarms import list_alarms, read_history
from mlflow_smwatch.aws.operations import DESCRIBE_ALARM_HISTORY
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


@dataclass
class AlarmBook:
    """The alarms of an account and Region as they were listed last; kept between passes.

    Attributes
    ----------
    alarms
        None before the first listing.
    listed_ms
        When they were.
    """

    alarms: Alarms | None = None
    listed_ms: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


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
        self._aws, self._book, self._options = aws, book, options
        self._clock_ms, self._begun_ms = clock_ms, clock_ms()
        self._settle_ms = options.settle_s * 1000
        self._refused: AlarmReading | None = None
        self._is_history_denied = False
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
                return self._failed(error)
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
        job, book = task.job, self._book
        due_ms = self._begun_ms - _LISTED_FOR_MS
        if task.reading.complete and job.ended_ms is not None:
            due_ms = max(due_ms, job.ended_ms + self._settle_ms)
        with book.lock:
            if self._refused is None and (book.alarms is None or book.listed_ms < due_ms):
                self._refused = self._list_anew()
            return book.alarms if self._refused is None else None

    def _list_anew(self) -> AlarmReading | None:
        """List the account's alarms; where that fails, give what is to be said of every job."""
        asked_ms = self._clock_ms()
        try:
            self._book.alarms = Alarms(list_alarms(self._aws))
        except (RetriableError, AwsUnreachableError) as error:
            return self._failed(error)
        except StopError:
            raise
        except SmwatchError as error:
            self.go_without(error)
            return AlarmReading()
        self._book.listed_ms = asked_ms
        return None

    def _failed(self, error: SmwatchError) -> AlarmReading:
        """Leave it to the next pass; an ended job stays open for that."""
        self.go_without(error)
        return AlarmReading(whole=False)

    def _changes(self, task: Task, alarm: Alarm) -> tuple[StateChange, ...] | None:
        """Give the changes of a job's life that may be new; None where they are not to be had."""
        if self._options.metrics == "off" or self._is_history_denied:
            return None
        if not self._has_news(task, alarm):
            return ()
        try:
            found = read_history(self._aws, alarm.name, _since_ms(task, alarm))
        except AccessDeniedError as error:
            self._is_history_denied = True
            self.go_without(error)
            return None
        return in_life(task.job, found, self._settle_ms)

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
