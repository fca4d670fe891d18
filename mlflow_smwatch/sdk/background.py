"""Follows jobs in the background, one thread for all jobs that go the same way."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - its exit handler has to be set up before ours
import contextlib
import logging
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlflow_smwatch.core.errors import JobError, SmwatchError, reason
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.sdk.job_mirror import JobMirror, mirrored_run
from mlflow_smwatch.sdk.pursuit import Pursuit
from mlflow_smwatch.sdk.references import JobReference

logger = logging.getLogger(__name__)

_MOST_FAILURES = 10
_LONGEST_PAUSE_S = 300.0
_NAMED_AT_EXIT = 10
_THREAD_NAME = "smwatch-autolog"
_PASSES = logging.getLogger("mlflow_smwatch.engine.books")
"""Tells of each job in each pass; here a trouble is told once."""


@dataclass(eq=False, slots=True)
class _Followed:
    """One job that is followed.

    Attributes
    ----------
    reference, pursuit
        Which, and how far it has come.
    due_s
        When it is looked at next (monotonic).
    text
        What names it; empty until the first look.
    seen
        Set after each look that began after it was cleared.
    failures
        How many looks on end have failed.
    """

    reference: JobReference
    pursuit: Pursuit
    due_s: float = 0.0
    text: str = ""
    seen: threading.Event = field(default_factory=threading.Event)
    failures: int = 0


class Background:
    """Follows jobs, in as many threads as there are sets of options."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[SyncOptions, _Thread] = {}
        self._process = os.getpid()
        self._registered = False

    def begin_anew(self) -> None:
        """Take a free lock, in a process that was just forked.

        The parent's threads are forgotten later, and only where jobs are followed: a connection of
        theirs that is closed here may be closed for the parent.
        """
        self._lock = threading.Lock()

    def follow(self, options: SyncOptions, reference: JobReference, interval_s: float) -> None:
        """Follow a job until its run is final; one that is followed already stays so.

        Parameters
        ----------
        options
            Where from and where to.
        reference
            The job.
        interval_s
            Seconds from one look to the next.
        """
        with self._lock:
            self._forget_a_parent()
            thread = self._threads.get(options)
            if thread is None or not thread.take(reference, interval_s):
                thread = self._threads[options] = _Thread(options)
                thread.take(reference, interval_s)
                thread.start()

    def bring_up_to_date(
        self, jobs: Iterable[tuple[SyncOptions, JobReference]], longest_s: float
    ) -> None:
        """Look at jobs now, and wait until that is done.

        Parameters
        ----------
        jobs
            As they were given to :meth:`follow`.
        longest_s
            How long to wait in all, seconds.
        """
        deadline_s = time.monotonic() + longest_s
        threads = self._own_threads()
        hurried = [
            seen
            for options, reference in jobs
            if (thread := threads.get(options)) and (seen := thread.hurry(reference))
        ]
        for seen in hurried:
            seen.wait(max(0.0, deadline_s - time.monotonic()))

    def open_jobs(self) -> list[tuple[SyncOptions, JobReference]]:
        """List the jobs that are followed by this process."""
        with self._lock:
            threads = list(self._own_threads().items())
        return [(options, job) for options, thread in threads for job in thread.jobs()]

    def _own_threads(self) -> dict[SyncOptions, _Thread]:
        """Return the threads that run in this process, not those of the one it was forked from."""
        return self._threads if self._process == os.getpid() else {}

    def _forget_a_parent(self) -> None:
        """Drop the threads of the process from which this one was forked."""
        if self._process != os.getpid():
            self._process, self._threads = os.getpid(), {}
        if not self._registered:
            self._registered = True
            _before_exit(self._stop)

    def _stop(self) -> None:
        """End the passes in hand at the next batch, and say how to finish what is open."""
        left = self.open_jobs()
        for thread in self._own_threads().values():
            thread.stopped.set()
        if left:
            logger.warning("%s", _how_to_finish(left))


class _Thread(threading.Thread):
    """Looks at its jobs, each when it is due, until none is left."""

    def __init__(self, options: SyncOptions) -> None:
        super().__init__(name=_THREAD_NAME, daemon=True)
        self.stopped = threading.Event()
        self._options = options
        self._jobs: dict[tuple[str, str], _Followed] = {}
        self._changed = threading.Condition()
        self._mirror: JobMirror | None = None
        self._failures = 0
        self._is_over = False

    def take(self, reference: JobReference, interval_s: float) -> bool:
        """Take a job on; False where the thread has ended."""
        with self._changed:
            if self._is_over or self.stopped.is_set():
                return False
            pursuit = Pursuit(interval_s=interval_s, settle_s=self._options.settle_s)
            self._jobs.setdefault(_key(reference), _Followed(reference, pursuit))
            self._changed.notify()
            return True

    def hurry(self, reference: JobReference) -> threading.Event | None:
        """Let a job be looked at now; return what tells when that is done."""
        with self._changed:
            job = self._jobs.get(_key(reference))
            if job is None:
                return None
            job.due_s, job.seen = 0.0, threading.Event()
            self._changed.notify()
            return job.seen

    def jobs(self) -> list[JobReference]:
        """List the jobs that are not done; none once it was stopped."""
        with self._changed:
            jobs = () if self.stopped.is_set() else self._jobs.values()
            return [job.reference for job in jobs]

    def run(self) -> None:
        """Look at jobs until none is left."""
        _PASSES.addFilter(self._is_not_mine)
        try:
            self._look_on()
        finally:
            _PASSES.removeFilter(self._is_not_mine)

    def _look_on(self) -> None:
        while due := self._next():
            waiting = [(job, job.seen) for job in due]
            try:
                self._look(due)
            except Exception as error:  # noqa: BLE001 - nobody else would hear of it
                self._note_failure(error, due)
            for _, seen in waiting:
                seen.set()

    def _next(self) -> list[_Followed]:
        """Wait for jobs that are due; none where there are no more."""
        with self._changed:
            while self._jobs and not self.stopped.is_set():
                now_s = time.monotonic()
                due = [job for job in self._jobs.values() if job.due_s <= now_s]
                if due:
                    for job in due:
                        job.due_s = now_s + job.pursuit.interval_s
                    return due
                self._changed.wait(min(job.due_s for job in self._jobs.values()) - now_s)
            self._is_over = True
            for job in self._jobs.values():
                job.seen.set()
            return []

    def _look(self, due: Sequence[_Followed]) -> None:
        """Make a pass over jobs."""
        mirror = self._mirror = self._mirror or JobMirror(self._options, self.stopped.is_set)
        for job in due:
            job.text = job.text or mirror.text_of(job.reference)
        report = mirror.sync(job.text for job in due)
        if self._failures:
            logger.warning("autolog: works again after %d failed tries", self._failures)
        self._failures = 0
        for job in due:
            self._note(job, report)

    def _note(self, job: _Followed, report: SyncReport) -> None:
        """Decide when a job is looked at again, if at all."""
        try:
            kind_word = job.reference.kind.word
            run = mirrored_run(report, job.text, kind_word, self._options.tracking_uri)
        except JobError as error:
            self._note_job_failure(job, error)
            return
        job.failures = 0
        now_s = time.monotonic()
        if job.pursuit.is_over(run, now_s):
            self._leave(job)
            return
        self._put_off(job, job.pursuit.pause_s(now_s))

    def _note_job_failure(self, job: _Followed, error: SmwatchError) -> None:
        job.failures += 1
        if self.stopped.is_set():
            return
        if job.failures == 1:
            logger.warning("autolog: %s: %s", job.reference.title, error)
        if job.failures == _MOST_FAILURES:
            self._leave(job)
            logger.warning("autolog: %s", _how_to_finish([(self._options, job.reference)]))

    def _note_failure(self, error: Exception, due: Sequence[_Followed]) -> None:
        """Wait after what concerns all jobs: twice as long after each failure."""
        if self.stopped.is_set():
            return
        if not self._failures:
            logger.warning("autolog: waiting until it works again: %s", reason(error))
        self._failures += 1
        self._mirror = None
        for job in due:
            pause_s = job.pursuit.interval_s * 2.0 ** min(self._failures - 1, 20)
            self._put_off(job, min(_LONGEST_PAUSE_S, pause_s))

    def _put_off(self, job: _Followed, pause_s: float) -> None:
        """Look at a job again after a pause, unless somebody is in a hurry since the last look."""
        with self._changed:
            if job.due_s:
                job.due_s = time.monotonic() + pause_s

    def _is_not_mine(self, _: logging.LogRecord) -> bool:
        return threading.current_thread() is not self

    def _leave(self, job: _Followed) -> None:
        with self._changed:
            self._jobs.pop(_key(job.reference), None)
            job.seen.set()


def _key(reference: JobReference) -> tuple[str, str]:
    return reference.kind.word, reference.name


def _how_to_finish(jobs: Sequence[tuple[SyncOptions, JobReference]]) -> str:
    """Say in one line what brings the runs of jobs to their end."""
    names = list(dict.fromkeys(job.name for _, job in jobs))
    words = ["smwatch", "sync", *names[:_NAMED_AT_EXIT]]
    regions = {options.region for options, _ in jobs}
    if len(regions) == 1 and None not in regions:
        words += ["--region", *(region for region in regions if region)]
    more = f" (and {len(names) - _NAMED_AT_EXIT} more)" if len(names) > _NAMED_AT_EXIT else ""
    what = "a job is" if len(names) == 1 else f"{len(names)} jobs are"
    return f"{what} not mirrored to the end; to finish: {shlex.join(words)}{more}"


def _before_exit(stop: Callable[[], None]) -> None:
    """Call a function when the interpreter begins to end.

    At ``atexit`` it would be too late: before that, Python waits for the threads of all executors,
    so for all that a pass has still queued (``concurrent.futures.thread._python_exit``).
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    with contextlib.suppress(RuntimeError):  # it has begun to end
        register(stop)
