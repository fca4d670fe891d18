"""One pass over jobs: admit → read logs and metrics → write, each job on its own.

One thread coordinates and keeps all the books; pools of threads make the calls. What is kept at any
moment is a page of jobs and those whose requests are open, however many jobs there are.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mlflow_smwatch.aws.discovery import PAGE_SIZE, Found, NotFound
from mlflow_smwatch.core.errors import LimitReachedError, StopError, UnknownJobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.progress import CLOUDWATCH
from mlflow_smwatch.engine.alarm_readings import AlarmReadings
from mlflow_smwatch.engine.batches import Batches, Standing, standing
from mlflow_smwatch.engine.books import Books
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.further_reader import FurtherLogReader
from mlflow_smwatch.engine.log_reader import JobLogReader
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.pass_roles import Admits, Takes
from mlflow_smwatch.engine.pass_threads import PassThreads, next_unit
from mlflow_smwatch.engine.readings import ComponentReadings, OpenTasks, Running, SeriesReadings
from mlflow_smwatch.engine.report_readings import ReportReadings
from mlflow_smwatch.engine.task import LogReading, Task

if TYPE_CHECKING:
    from typing_extensions import Self


_LOOK_S = 60
"""How often to look whether series are about to fade that wait for others."""


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The pass is to end early; what is written by now stays."""


class JobPass:
    """One pass; every attribute belongs to the coordinating thread.

    A context manager: leaving it ends the threads.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    admission
        Makes tasks of the jobs that are found.
    writer
        Takes the tasks once they are read.
    books
        Where it is entered what becomes of each job.

    Attributes
    ----------
    books
        As given.
    """

    def __init__(
        self, context: PassContext, admission: Admits, writer: Takes, books: Books
    ) -> None:
        self.books = books
        self._pass = context
        self._options = context.options
        self._pools = PassThreads(context.options.workers)
        self._batches = Batches(context.aws.ledger.budget)
        self._admission = admission
        self._writer = writer
        self._over = threading.Event()
        self._logs = JobLogReader(
            context, self._pools.pages, self._writer.write_gathered, self._is_over
        )
        self._further = FurtherLogReader(context, self._writer.write_gathered, self._is_over)
        self._writing = 0
        self._running: Running = {}
        self._tasks = OpenTasks()
        place = context, self._tasks, self._pools.calls, self._running
        self._series = SeriesReadings(*place)
        self._reports = ReportReadings(*place)
        self._alarms = AlarmReadings(context, self._tasks, self._pools.alarms, self._running)
        self._components = ComponentReadings(
            *place, lambda warning: books.report.warn(None, [warning])
        )

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads; after an error what has not begun is dropped."""
        if error is not None:
            self._over.set()
        self._pools.shutdown(cancel=error is not None)

    def take(self, found: Iterable[Found | NotFound]) -> None:
        """Start the work on jobs, a page at a time, however many come.

        Raises
        ------
        Interrupted
            When the pass is to end.
        StopError
            When nothing more can be done.
        """
        each = iter(found)
        while page := list(islice(each, PAGE_SIZE)):
            self._require_going()
            for missing in (one for one in page if isinstance(one, NotFound)):
                self.books.close(Outcome(missing.asked, "failed", error=str(missing.error)))
            new = self.books.meet([one for one in page if isinstance(one, Found)])
            self._take_batches(self._batches.of(new, self._standings) if new else ())
            if self._batches.is_turn_of_held:
                self.take_held()
            self._wait_until(self._options.workers * 2)

    def take_held(self) -> None:
        """Start the work on jobs that were held back for others; errors as of :meth:`take`."""
        self._take_batches(self._batches.of_held(self._pass.now_ms))

    def _take_batches(self, batches: Iterable[list[Found]]) -> None:
        for batch in batches:
            self.take_admitted(partial(self._admission.admit, batch))
            if self._batches.limited:
                self._finish_taken()

    def _standings(self, found: Sequence[Found]) -> list[Standing]:
        runs = self._pass.index.find([self._pass.identity(each) for each in found])
        return [standing(each, runs.get(each.arn, ())) for each in found]

    def take_admitted(self, admit: Callable[[Executor], list[Task | Outcome]]) -> None:
        """Start the work on jobs that are admitted by a function, which may use these threads."""
        work = admit(self._pools.calls)
        self.books.seen.update(each.arn for each in work)
        self._batches.drop(each.arn for each in work)
        self._logs.expect(each for each in work if isinstance(each, Task))
        for admitted in work:
            if isinstance(admitted, Outcome):
                self.books.close(admitted)
            else:
                self._start(admitted)
        self._components.begin(each for each in work if isinstance(each, Task))
        self._reports.begin()

    def close_missing(self, run: KnownRun, missing: NotFound) -> None:
        """End the run of a job that AWS has deleted; report one that cannot be asked for."""
        if not isinstance(missing.error, UnknownJobError):
            failed = Outcome(missing.asked, "failed", error=str(missing.error))
            self.books.close(failed)
        else:
            self.books.close_replaced(self._writer.close_gone(run, missing.successor_ms))

    def finish(self) -> None:
        """Read and write all that was taken.

        Raises
        ------
        Interrupted
            When the pass is to end.
        StopError
            When nothing more can be done.
        """
        self.take_held()
        self._finish_taken()

    def _finish_taken(self) -> None:
        self._wait_until(0)
        self._series.flush()
        self._wait_until(0)

    def interrupt(self) -> None:
        """End early: what is being written is finished, nothing else is begun."""
        self._over.set()
        self.books.seen.difference_update(self._batches.held)
        self._pools.shutdown(cancel=True)
        self._close_written()

    def abandon(self, error: StopError) -> bool:
        """End after an error that stops everything; tell whether any job was written by then.

        Where it is a limit that is reached, MLflow still takes what is read whole.
        """
        if isinstance(error, LimitReachedError):
            self._write_what_is_read()
            counts = self.books.report.counts
            done = counts["created"] + counts["updated"]
            error = LimitReachedError(f"{error}: {done} jobs written; run again to go on")
        self.interrupt()
        return self.books.abandon(error)

    def wait_for(self, awaited: Future[Any]) -> None:
        """Handle finished calls until something else is done.

        Raises
        ------
        Interrupted
            When the pass is to end.
        StopError
            When nothing more can be done.
        """
        self._begin_more()
        while not awaited.done():
            self.serve((awaited,), _LOOK_S)

    def serve(self, others: Iterable[Future[Any]] = (), timeout_s: float | None = None) -> None:
        """Handle the calls that have finished, once one has, or one of the others.

        Parameters
        ----------
        others
            What may be finished besides.
        timeout_s
            For how long to wait at most; None for as long as it takes.

        Raises
        ------
        Interrupted
            When the pass is to end.
        StopError
            When nothing more can be done.
        """
        awaited = {*others, *self._running}
        finished, _ = wait(awaited, timeout=timeout_s, return_when=FIRST_COMPLETED)
        self._require_going()
        for future in finished & self._running.keys():
            self._running.pop(future)(future)
        self._begin_more()

    def _is_over(self) -> bool:
        return self._over.is_set() or self._pass.stopped()

    def _require_going(self) -> None:
        if self._pass.stopped():
            raise Interrupted

    def _start(self, task: Task) -> None:
        self.books.begun[task.arn] = task.found
        wanted = self._options.metrics
        reads_logs = task.reads_logs(wanted) or task.reads_further(wanted)
        queries = list(task.steady_queries())
        if task.source(wanted) == CLOUDWATCH:
            late = task.begins_late and bool(task.reading.windows)
            reading = self._admission.whole_life(task.job) if late else task.reading
            queries += task.algorithm_queries(reading.windows)
        task.waiting = len(queries) + reads_logs + self._components.are_due(task)
        task.waiting += self._reports.ask(task) + self._alarms.ask(task)
        if self._options.dry_run:
            self.books.close(self._writer.forecast(task))
        else:
            self._tasks.enter(task)
        if reads_logs:
            self._read_logs(task)
        self._series.ask(queries)

    def _read_logs(self, task: Task) -> None:
        if self._options.dry_run:
            for action, calls in self._log_forecast(task).items():
                self._pass.aws.ledger.count(action, calls)
            return
        future = self._pools.logs.submit(self._read_all_logs, task)
        self._running[future] = lambda done: self._deliver_logs(task, done)

    def _read_all_logs(self, task: Task) -> LogReading | None:
        """Read a job's own logs, then those that the user attached to it."""
        wanted = self._options.metrics
        reading = self._logs.read(task) if task.reads_logs(wanted) else None
        if task.reads_further(wanted):
            task.further_reading = self._further.read(task)
        return reading

    def _log_forecast(self, task: Task) -> Counter[str]:
        wanted, calls = self._options.metrics, Counter[str]()
        if task.reads_logs(wanted):
            calls += self._logs.forecast(task)
        if task.reads_further(wanted):
            calls += self._further.forecast(task)
        return calls

    def _deliver_logs(self, task: Task, done: Future[LogReading | None]) -> None:
        try:
            task.log_reading = done.result()
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of this job: the others go on
            task.error = error
        if task.error is None and task.falls_back(self._options.metrics):
            queries = list(task.algorithm_queries(self._admission.whole_life(task.job).windows))
            task.waiting += len(queries)
            self._series.ask(queries)
        self._tasks.tick(task.arn)

    def _begin_more(self) -> None:
        """Begin what there is room for: readings, and the writing of jobs that are read."""
        self._series.begin()
        limits = self._writer.limits
        while self._tasks.ready and self._writing < limits.at_once:
            self._writing += 1
            future = self._pools.calls.submit(
                self._writer.write, next_unit(self._tasks.ready, limits)
            )
            self._running[future] = self._deliver_written

    def _deliver_written(self, done: Future[list[Outcome]]) -> None:
        self._writing -= 1
        self.books.close_all(done.result())

    def _wait_until(self, limit: int) -> None:
        """Handle calls until at most ``limit`` are running and no job waits to be written."""
        self._begin_more()
        while len(self._running) > limit or self._tasks.ready or self._series.waiting:
            self.serve(timeout_s=_LOOK_S)
        self._require_going()

    def _write_what_is_read(self) -> None:
        """Let the calls under way end, and write the jobs of which nothing is left to be read."""
        self._pools.shutdown(cancel=True)
        for future, deliver in self._running.items():
            if not future.cancelled():
                with suppress(StopError):
                    deliver(future)
        self._running.clear()
        with suppress(StopError):
            while self._tasks.ready:
                unit = next_unit(self._tasks.ready, self._writer.limits)
                self.books.close_all(self._writer.write(unit))

    def _close_written(self) -> None:
        """Enter the jobs whose writing was finished after the pass had ended."""
        for future, deliver in self._running.items():
            written = deliver == self._deliver_written
            if written and not future.cancelled() and future.exception() is None:
                self._deliver_written(future)
        self._running.clear()
