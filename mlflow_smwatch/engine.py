"""The engine: one account and Region, one MLflow store, and the passes between them.

Joins the AWS edge and the MLflow edge: which jobs a pass takes, and in which order.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone

from mlflow_smwatch.admission import Admission
from mlflow_smwatch.aws.discovery import Found, JobFilter, NotFound
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.logs import LogReader
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import SmwatchError, StopError, UsageError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.job_pass import Interrupted, JobPass, Listener
from mlflow_smwatch.job_writer import JobWriter
from mlflow_smwatch.options import SyncOptions, moment
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.task import PassContext
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import ui_address
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import open_tracking
from mlflow_smwatch.tracking.writer import RunWriter

logger = logging.getLogger(__name__)


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
    return Mirror(options).sync(listener)


class Mirror:
    """One account and Region, mirrored into one MLflow store, pass after pass.

    What it keeps between passes only saves calls; all state is in MLflow.

    Parameters
    ----------
    options
        What to mirror, from where, to where.
    stopped
        Tells whether to end early.
    slack_s
        How old the newest event of a live log stream may be, seconds, for the stream to count as
        read: what is newer comes with the next pass.

    Attributes
    ----------
    aws
        The clients.

    Raises
    ------
    StopError
        When there are no credentials, or MLflow cannot be used.
    """

    def __init__(
        self,
        options: SyncOptions,
        stopped: Callable[[], bool] = lambda: False,
        slack_s: float = 0,
    ) -> None:
        self.aws = connect(options.region, options.profile, options.workers)
        self._options = options
        self._stopped = stopped
        self._slack_ms = round(slack_s * 1000)
        self._tracking = open_tracking(options.tracking_uri)
        self._logs = LogReader(self.aws)
        self._account: str | None = None
        self._open: dict[str, Found] = {}

    def sync(self, listener: Listener | None = None) -> SyncReport:
        """Mirror the jobs that the options name or, without names, that were modified since.

        Raises
        ------
        StopError
            When nothing can be done.
        """
        if self._options.names:
            return self._run(lambda work: work.take_named(self._options.names), listener)
        since = moment(self._options.since, datetime.now(tz=timezone.utc), "--since")
        return self.follow(since=since, sweep=True, listener=listener)

    def follow(
        self,
        *,
        since: datetime | None,
        names: Sequence[str] = (),
        sweep: bool,
        listener: Listener | None = None,
    ) -> SyncReport:
        """Mirror what changed, and look at every job that is not final.

        Parameters
        ----------
        since
            List the jobs modified since then; None lists none.
        names
            ARNs of further jobs.
        sweep
            Whether to describe anew every job whose run is not final, whoever made the run. Without
            it, the jobs that this mirror has left open are looked at as they were described last.
        listener
            Called after each job with the report so far.

        Raises
        ------
        StopError
            When nothing can be done.
        """

        def work(on: _Work) -> None:
            if since is not None:
                on.take_modified(since)
            if names:
                on.take_wanted(names)
            if sweep:
                on.take_open_runs()
            else:
                on.take_known(self._open)

        return self._run(work, listener)

    def _run(self, work: Callable[[_Work], None], listener: Listener | None) -> SyncReport:
        started = time.monotonic()
        calls, cost_usd = Counter(self.aws.ledger.calls), self.aws.ledger.cost_usd
        context = self._context()
        admission, writer = Admission(context), JobWriter(context)
        with JobPass(context, admission, writer, listener or (lambda _: None)) as job_pass:
            finder = JobFinder(self.aws)
            try:
                work(_Work(context, job_pass, finder))
                job_pass.finish()
            except Interrupted:
                job_pass.interrupt()
            except StopError as error:
                if not job_pass.abandon(error):
                    raise
        self._remember(job_pass)
        report = job_pass.report
        report.warn(None, finder.warnings)
        report.seconds = time.monotonic() - started
        report.dry_run = self._options.dry_run
        report.aws_calls = dict(Counter(self.aws.ledger.calls) - calls)
        report.estimated_cost_usd = self.aws.ledger.cost_usd - cost_usd
        return report

    def _remember(self, job_pass: JobPass) -> None:
        """Keep the jobs that are not final, as they were described."""
        for arn in job_pass.seen - {failure.arn for failure in job_pass.report.failed}:
            self._open.pop(arn, None)
        self._open.update(job_pass.open)

    def _context(self) -> PassContext:
        experiments = Experiments(self._tracking)
        return PassContext(
            aws=self.aws,
            logs=self._logs,
            options=self._options,
            now_ms=_now_ms(),
            clock_ms=_now_ms,
            stopped=self._stopped,
            slack_ms=self._slack_ms,
            experiments=experiments,
            index=RunIndex(self._tracking, experiments),
            writer=RunWriter(self._tracking),
            address=ui_address(self._tracking.uri, self._options.ui_url),
        )


class _Work:
    """The ways in which a pass comes to its jobs."""

    def __init__(self, context: PassContext, job_pass: JobPass, finder: JobFinder) -> None:
        self._aws = context.aws
        self._options = context.options
        self._index = context.index
        self._job_pass = job_pass
        self._finder = finder

    def take_modified(self, since: datetime) -> None:
        """Take the jobs that were modified since a moment."""
        for page in self._finder.modified(self._wanted(since)):
            self._job_pass.take(page)

    def take_named(self, asked: Sequence[str]) -> None:
        """Take jobs by name or ARN."""
        self._job_pass.take(self._finder.named(asked))

    def take_wanted(self, arns: Sequence[str]) -> None:
        """Take jobs by ARN, as far as the options do not leave them out."""
        wanted = self._wanted()
        self._job_pass.take(
            found
            for found in self._finder.named(arns)
            if isinstance(found, NotFound) or found.job is None or wanted.accepts(found.job)
        )

    def take_known(self, jobs: Mapping[str, Found]) -> None:
        """Take jobs as they were described before, except those that this pass has taken."""
        seen = self._job_pass.seen
        self._job_pass.take([found for arn, found in jobs.items() if arn not in seen])

    def take_open_runs(self) -> None:
        """Take the jobs whose runs are not final, whatever the window says."""
        seen = self._job_pass.seen
        runs = {
            run.tags[names.ARN]: run
            for run in self._index.open_runs()
            if self._is_here(run) and run.tags[names.ARN] not in seen
        }
        account = self._account() if runs else None
        own = {arn: run for arn, run in runs.items() if Arn.parse(arn).account == account}
        self._job_pass.take(self._still_there(own))

    def _wanted(self, since: datetime | None = None) -> JobFilter:
        options = self._options
        until = options.until and moment(options.until, datetime.now(tz=timezone.utc), "--until")
        return JobFilter(
            since=since,
            until=until or None,
            name_contains=options.name_contains,
            tags=options.tags,
        )

    def _account(self) -> str | None:
        """Tell whose jobs these are: MLflow may hold the runs of several accounts."""
        for arn in self._job_pass.seen:
            return Arn.parse(arn).account
        try:
            return self._aws.account
        except SmwatchError as error:
            warning = f"open runs of jobs that were not listed are left alone: {error}"
            self._job_pass.report.warn(None, [warning])
            return None

    def _still_there(self, runs: Mapping[str, KnownRun]) -> Iterator[Found]:
        wanted = self._wanted()
        known = {arn: run.tags[names.NAME] for arn, run in runs.items() if names.NAME in run.tags}
        for found in self._finder.named(tuple(runs), known):
            if isinstance(found, NotFound):
                self._job_pass.close_missing(runs[found.asked], found)
            elif found.job is None or wanted.accepts(found.job):
                yield found

    def _is_here(self, run: KnownRun) -> bool:
        try:
            arn = Arn.parse(run.tags.get(names.ARN, ""))
        except UsageError:
            logger.warning("run %s has lost its tag %s: it is left alone", run.run_id, names.ARN)
            return False
        return arn.region == self._aws.region and arn.resource_type in self._options.kinds


def _now_ms() -> int:
    return to_ms(datetime.now(tz=timezone.utc))
