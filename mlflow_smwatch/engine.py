"""The engine: discover → match → plan → read → write, each job on its own.

Joins the AWS edge and the MLflow edge. One thread coordinates and keeps all the books; a pool of
threads makes the calls. What is kept at any moment is a page of jobs and those whose requests are
open, however many jobs there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from mlflow_smwatch.admission import Admission
from mlflow_smwatch.aws.cloudwatch import SeriesReading, read_metrics
from mlflow_smwatch.aws.discovery import PAGE_SIZE, Found, JobFilter, NotFound
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.operations import GET_METRIC_DATA
from mlflow_smwatch.aws.packing import MetricRequest, Packer
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    SmwatchError,
    StopError,
    UnknownJobError,
    UsageError,
)
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.job_writer import JobWriter
from mlflow_smwatch.options import SyncOptions, moment
from mlflow_smwatch.report import Failure, SyncReport, Warned
from mlflow_smwatch.task import Outcome, PassContext, Task
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import ui_address
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import open_tracking
from mlflow_smwatch.tracking.writer import RunWriter

logger = logging.getLogger(__name__)

_NOT_LISTED = "jobs that were not reached"

Listener = Callable[[SyncReport], None]


def sync(options: SyncOptions, listener: Listener | None = None) -> SyncReport:
    """Mirror once.

    Parameters
    ----------
    options
        What to mirror, from where, to where.
    listener
        Called after each job with the report so far.

    Returns
    -------
    SyncReport

    Raises
    ------
    StopError
        When nothing can be done: no credentials, no access, no MLflow.
    """
    started = time.monotonic()
    now = datetime.now(tz=timezone.utc)
    aws = connect(options.region, options.profile, options.workers)
    context = _context(aws, options, now)
    with ThreadPoolExecutor(options.workers, thread_name_prefix="smwatch") as pool:
        one_pass = _Pass(context, pool, listener or (lambda _: None))
        try:
            one_pass.run(now)
        except StopError as error:
            pool.shutdown(wait=True, cancel_futures=True)
            if not one_pass.abandon(error):
                raise
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    report = one_pass.report
    report.seconds = time.monotonic() - started
    report.dry_run = options.dry_run
    report.aws_calls = dict(aws.ledger.calls)
    report.estimated_cost_usd = aws.ledger.cost_usd
    return report


def _context(aws: Aws, options: SyncOptions, now: datetime) -> PassContext:
    tracking = open_tracking(options.tracking_uri)
    experiments = Experiments(tracking)
    return PassContext(
        aws=aws,
        options=options,
        now_ms=to_ms(now),
        clock_ms=lambda: to_ms(datetime.now(tz=timezone.utc)),
        experiments=experiments,
        index=RunIndex(tracking, experiments),
        writer=RunWriter(tracking),
        address=ui_address(tracking.uri, options.ui_url),
    )


class _Pass:
    """One pass over the account; every attribute belongs to the coordinating thread."""

    def __init__(self, context: PassContext, pool: ThreadPoolExecutor, listener: Listener) -> None:
        self.report = SyncReport()
        self._aws = context.aws
        self._options = context.options
        self._index = context.index
        self._admission = Admission(context)
        self._writer = JobWriter(context)
        self._pool = pool
        self._listener = listener
        self._finder = JobFinder(context.aws)
        self._packer = Packer()
        self._tasks: dict[str, Task] = {}
        self._begun: dict[str, None] = {}
        self._seen: set[str] = set()
        self._account: str | None = None
        self._running: dict[Future[Any], Callable[[Future[Any]], None]] = {}

    def run(self, now: datetime) -> None:
        if self._options.names:
            self._take(self._finder.named(self._options.names))
        else:
            wanted = _job_filter(self._options, now)
            for page in self._finder.modified(wanted):
                self._take(page)
            self._take_open_runs(wanted)
        for request in self._packer.flush():
            self._read(request)
        self._wait_until(0)
        self.report.warnings += [Warned(None, warning) for warning in self._finder.warnings]

    def abandon(self, error: StopError) -> bool:
        """End the pass after an error that stops it; tell whether any job was written by then.

        Every job that was begun and is not written is a failed one; so are, in one entry, those
        that were not even listed.
        """
        for future in self._running:
            if not future.cancelled() and future.exception() is None:
                result = future.result()
                if isinstance(result, Outcome):
                    self._close(result)
        for arn in (*self._begun, _NOT_LISTED):
            self._close(Outcome(arn, "failed", error=str(error)))
        self._running.clear()
        return any(self.report.counts[word] for word in ("created", "updated"))

    def _take(self, found: Iterable[Found | NotFound]) -> None:
        """Start the work on jobs, a page at a time, however many come."""
        each = iter(found)
        while page := list(islice(each, PAGE_SIZE)):
            for missing in (one for one in page if isinstance(one, NotFound)):
                self._close(Outcome(missing.asked, "failed", error=str(missing.error)))
            jobs = {one.arn: one for one in page if isinstance(one, Found)}
            new = [found for arn, found in jobs.items() if arn not in self._seen]
            self._seen.update(jobs)
            self._account = next((Arn.parse(arn).account for arn in jobs), self._account)
            for admitted in self._admission.admit(new, self._pool) if new else ():
                if isinstance(admitted, Outcome):
                    self._close(admitted)
                else:
                    self._start(admitted)
            self._wait_until(self._options.workers * 2)

    def _take_open_runs(self, wanted: JobFilter) -> None:
        """Look at the runs that are not final, whatever the window says."""
        runs = {
            run.tags[names.ARN]: run
            for run in self._index.open_runs()
            if self._is_here(run) and run.tags[names.ARN] not in self._seen
        }
        account = self._own_account() if runs else None
        own = {arn: run for arn, run in runs.items() if Arn.parse(arn).account == account}
        self._take(self._still_there(own, wanted))

    def _own_account(self) -> str | None:
        """Tell whose jobs these are: MLflow may hold the runs of several accounts."""
        if self._account is None:
            try:
                self._account = self._aws.account
            except SmwatchError as error:
                warning = f"open runs of jobs that were not listed are left alone: {error}"
                self.report.warnings.append(Warned(None, warning))
        return self._account

    def _still_there(self, runs: Mapping[str, KnownRun], wanted: JobFilter) -> Iterator[Found]:
        for found in self._finder.named(tuple(runs)):
            if isinstance(found, NotFound):
                self._close_missing(runs[found.asked], found)
            elif found.job is None or wanted.accepts(found.job):
                yield found

    def _is_here(self, run: KnownRun) -> bool:
        try:
            arn = Arn.parse(run.tags.get(names.ARN, ""))
        except UsageError:
            logger.warning("run %s has lost its tag %s: it is left alone", run.run_id, names.ARN)
            return False
        return arn.region == self._aws.region and arn.resource_type in self._options.kinds

    def _close_missing(self, run: KnownRun, missing: NotFound) -> None:
        if isinstance(missing.error, UnknownJobError):
            self._close(self._writer.close_gone(run))
        else:
            self._close(Outcome(missing.asked, "failed", error=str(missing.error)))

    def _start(self, task: Task) -> None:
        self._begun[task.arn] = None
        queries = tuple(task.queries())
        task.waiting = len(queries)
        if self._options.dry_run:
            self._close(self._writer.forecast(task))
        elif not queries:
            self._write(task)
        else:
            self._tasks[task.arn] = task
        for query in queries:
            for request in self._packer.add(query):
                self._read(request)

    def _read(self, request: MetricRequest) -> None:
        if self._options.dry_run:
            self._aws.ledger.count(GET_METRIC_DATA)
            self._aws.ledger.charge_metrics(len(request.queries))
            return
        future = self._pool.submit(lambda: list(read_metrics(self._aws, request)))
        self._running[future] = lambda done: self._deliver(request, done)

    def _deliver(self, request: MetricRequest, done: Future[list[SeriesReading]]) -> None:
        try:
            for reading in done.result():
                self._deliver_one(reading)
        except AccessDeniedError as error:
            for task in self._tasks_of(request):
                task.denied.append(f"no metrics: {error}")
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of these jobs: the others go on
            for task in self._tasks_of(request):
                task.error = error
        for query in request.queries:
            self._tick(query.arn)

    def _tick(self, arn: str) -> None:
        """Count down a job's open queries; with the last one answered it is written."""
        task = self._tasks[arn]
        task.waiting -= 1
        if not task.waiting:
            self._write(self._tasks.pop(arn))

    def _tasks_of(self, request: MetricRequest) -> list[Task]:
        return [self._tasks[arn] for arn in dict.fromkeys(query.arn for query in request.queries)]

    def _deliver_one(self, reading: SeriesReading) -> None:
        task, original = self._tasks[reading.query.arn], reading.query.series.original
        if reading.forbidden:
            task.denied.append(f"the metric {original} is forbidden")
        else:
            points = task.series.setdefault(original, [])
            points += reading.points
            points.sort(key=lambda point: point.timestamp_ms)

    def _write(self, task: Task) -> None:
        future = self._pool.submit(self._writer.write, task)
        self._running[future] = lambda done: self._close(done.result())

    def _wait_until(self, limit: int) -> None:
        """Handle finished calls until no more than ``limit`` are running."""
        while len(self._running) > limit:
            finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in finished:
                self._running.pop(future)(future)

    def _close(self, outcome: Outcome) -> None:
        report = self.report
        self._begun.pop(outcome.arn, None)
        if outcome.error is not None:
            report.failed.append(Failure(outcome.arn, outcome.error))
            logger.warning("%s: %s", outcome.arn, outcome.error)
        else:
            report.counts[outcome.word] += 1
        if outcome.line:
            level = logging.DEBUG if outcome.word == "unchanged" else logging.INFO
            logger.log(level, "%s: %s, %d points", outcome.arn, outcome.word, outcome.line.points)
            report.runs.append(outcome.line)
            report.points += outcome.line.points
        report.warnings += [Warned(outcome.arn, warning) for warning in outcome.warnings]
        self._listener(report)


def _job_filter(options: SyncOptions, now: datetime) -> JobFilter:
    return JobFilter(
        since=moment(options.since, now, "--since"),
        until=moment(options.until, now, "--until") if options.until else None,
        name_contains=options.name_contains,
        tags=options.tags,
    )
