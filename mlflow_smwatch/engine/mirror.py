"""The mirror: which jobs a pass takes, and what is kept between passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timezone

from mlflow_smwatch.aws.budget import Budget
from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.aws.ledger import Ledger
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import LimitReachedError, StopError, UsageError
from mlflow_smwatch.core.moments import moment
from mlflow_smwatch.engine.admission import Admission
from mlflow_smwatch.engine.bill import Bill
from mlflow_smwatch.engine.books import Books, Listener
from mlflow_smwatch.engine.cluster import ClusterPass
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.experiment_notes import write_experiments
from mlflow_smwatch.engine.job_pass import Interrupted, JobPass
from mlflow_smwatch.engine.job_writer import JobWriter
from mlflow_smwatch.engine.observation import Observer
from mlflow_smwatch.engine.registration import is_model_package
from mlflow_smwatch.engine.scope import Scope
from mlflow_smwatch.engine.shipment import Cluster
from mlflow_smwatch.options import DASK, SyncOptions
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.tracking.lineage import forget
from mlflow_smwatch.tracking.writer import LINEAGE_PAGE


def sync(
    options: SyncOptions,
    listener: Listener | None = None,
    observers: tuple[Observer, ...] = (),
) -> SyncReport:
    """Mirror once.

    Parameters
    ----------
    options
        What to mirror, from where, to where.
    listener
        Called after each job with the report so far.
    observers
        Hear what is written of each job.

    Returns
    -------
    SyncReport

    Raises
    ------
    StopError
        When nothing can be done: no credentials, no access, no MLflow.
    """
    with cluster_of(options) as cluster:
        return Mirror(options, cluster=cluster, observers=observers).sync(listener)


def cluster_of(options: SyncOptions) -> AbstractContextManager[Cluster | None]:
    """Connect to the cluster that is to read and write; None where that is done here.

    Parameters
    ----------
    options
        What is wanted; a dry run needs no cluster.

    Raises
    ------
    StopError
        When the cluster cannot be had.
    """
    if options.executor != DASK or options.dry_run:
        return nullcontext()
    from mlflow_smwatch.engine.dask_cluster import open_cluster

    return open_cluster(options.scheduler or "")


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
    connection
        Of another mirror with the same place to go to; None to connect.
    cluster
        Reads and writes jobs that have series; None to do that here.
    observers
        Hear what is written of each job.

    Attributes
    ----------
    budget
        What a pass may spend together with other mirrors; None for what the options say.

    Raises
    ------
    UsageError
        When the options ask for a cluster and there is none.
    StopError
        When there are no credentials, or MLflow cannot be used.
    """

    def __init__(
        self,
        options: SyncOptions,
        stopped: Callable[[], bool] = lambda: False,
        slack_s: float = 0,
        connection: Connection | None = None,
        cluster: Cluster | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        if options.executor == DASK and not (cluster or options.dry_run):
            message = "--executor dask is for sync: what follows jobs reads them with threads"
            raise UsageError(message)
        self._cluster = cluster
        self._observers = observers
        self._options = options
        self._stopped = stopped
        self._slack_s = slack_s
        self._connection = connection or Connection.to(options)
        self._open: dict[str, Found] = {}
        self.budget: Budget | None = None

    @property
    def aws(self) -> Aws:
        """The clients, with the ledger of all passes."""
        return self._connection.aws

    @property
    def ledger(self) -> Ledger:
        """What all passes have called."""
        return self.aws.ledger

    @property
    def open_jobs(self) -> int:
        """How many jobs are followed because they are not final."""
        return len(self._open)

    @property
    def following(self) -> frozenset[str]:
        """Their ARNs."""
        return frozenset(self._open)

    def naming(self, names: Sequence[str]) -> Mirror:
        """Return a mirror of these jobs alone, over the same connection; it follows its own."""
        options = replace(self._options, names=tuple(names))
        return Mirror(
            options,
            self._stopped,
            self._slack_s,
            self._connection,
            observers=self._observers,
        )

    def sync(self, listener: Listener | None = None) -> SyncReport:
        """Mirror the jobs that the options name or, without names, that were modified since.

        Raises
        ------
        StopError
            When nothing can be done.
        """
        if self._options.names:
            return self._run(lambda scope: scope.take_named(self._jobs, keep_gone=True), listener)
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
            ARNs of jobs that failed before: they are tried again, unless they are gone.
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

        def take(scope: Scope) -> None:
            if since is not None:
                scope.take_modified(since)
            if names:
                scope.take_again(names)
            if sweep and since is None:
                scope.take_associations()
            if sweep:
                scope.take_open_runs()
            else:
                scope.take_known(self._open)

        return self._run(take, listener)

    def follow_changed(self, jobs: Mapping[str, str]) -> SyncReport:
        """Mirror exactly these jobs, as they are now; those that are not final stay followed.

        Parameters
        ----------
        jobs
            ARN → name.

        Raises
        ------
        StopError
            When nothing can be done.
        """
        return self._run(lambda scope: scope.take_changed(jobs), None)

    def _run(self, take: Callable[[Scope], None], listener: Listener | None) -> SyncReport:
        options = self._options
        own = Budget(max_calls=options.max_calls, max_cost=options.max_cost)
        with self.aws.ledger.within(self.budget or own):
            return self._pass(take, listener)

    def _pass(self, take: Callable[[Scope], None], listener: Listener | None) -> SyncReport:
        started, bill = time.monotonic(), Bill(self.aws.ledger)
        slack_ms = round(self._slack_s * 1000)
        context = self._connection.context(self._options, self._stopped, slack_ms)
        context = replace(context, observers=self._observers)
        admission, writer = Admission(context), JobWriter(context)
        books = Books(context.trials, bill.telling(listener))
        local = JobPass(context, admission, writer, books)
        with self._spread(context, local) as job_pass:
            scope = Scope(context, job_pass, self._connection.associations(context))
            try:
                take(scope)
                local.take_held()
                scope.take_children()
                job_pass.finish()
                if not self._options.dry_run:
                    job_pass.books.report.warn(None, context.trials.finish())
                job_pass.books.report.warn(None, write_experiments(context))
                self._draw(context)
                self._look_at_overlay(context, job_pass.books.report, scope.gone)
                self._register(context, job_pass.books.report)
            except Interrupted:
                job_pass.interrupt()
            except StopError as error:
                if not job_pass.abandon(error):
                    raise _told(error) from error
        self._remember(job_pass, scope.gone)
        report = job_pass.books.report
        if report.counts["created"] or report.counts["updated"]:
            forget(self._connection.tracking.uri)
        report.warn(None, [*scope.warnings, *context.warnings])
        report.reword(self.aws.redaction.own)
        report.listed = context.finder.is_whole
        report.seconds = time.monotonic() - started
        report.dry_run = self._options.dry_run
        bill.enter(report)
        return report

    def _spread(self, context: PassContext, local: JobPass) -> JobPass | ClusterPass:
        """Choose the pass: here, or with the cluster's workers too."""
        if self._cluster is None:
            return local
        place = {"region": self.aws.region, "tracking_uri": self._connection.tracking.uri}
        return ClusterPass(context, local, self._cluster, **place)

    def _draw(self, context: PassContext) -> None:
        """Draw the pages of lineage again that show less than what the pass found."""
        if not self._options.stores_document or self._options.dry_run:
            return
        for run_id, page in context.lineage.outdated():
            run = context.index.get(run_id)
            if run and run.active and not context.experiments.shows_job(run.experiment_id):
                context.writer.write_texts(run, {LINEAGE_PAGE: page})

    def _look_at_overlay(self, context: PassContext, report: SyncReport, gone: set[str]) -> None:
        """Say which of the runs that were written show nothing of AWS, and why."""
        report.warn(None, context.seals.warnings)
        written = [
            (line.run_id, line.experiment_id, line.kind)
            for line in report.runs
            if line.run_id
            and line.experiment_id
            and line.word != "unchanged"
            and line.arn not in gone
        ]
        if not self._options.dry_run:
            report.warn(None, context.experiments.overlay_warnings(written))

    @property
    def _jobs(self) -> list[str]:
        """The names that are to stand for jobs."""
        registers = self._options.register is not None
        return [name for name in self._options.names if not (registers and is_model_package(name))]

    def _register(self, context: PassContext, report: SyncReport) -> None:
        """Make versions of the models that the pass met, and of model packages."""
        options, registration = self._options, context.registration
        if options.register is None or options.dry_run:
            return
        if options.names:
            asked = [name for name in options.names if is_model_package(name)]
            registration.enter_named(self.aws, asked)
        else:
            since = moment(options.since, datetime.now(tz=timezone.utc), "--since")
            registration.enter_packages(self.aws, since)
        report.failed += registration.failed
        report.registered = list(registration.finish(self._connection.tracking))
        report.warn(None, registration.warnings)

    def _remember(self, job_pass: JobPass | ClusterPass, gone: set[str]) -> None:
        """Keep the jobs that are not final, as they were described."""
        done = job_pass.books.seen - {failure.arn for failure in job_pass.books.report.failed}
        for arn in done | gone:
            self._open.pop(arn, None)
        self._open.update(job_pass.books.open)


def _told(error: StopError) -> StopError:
    """Say of a limit that it is too small for anything; other errors say what to do."""
    if not isinstance(error, LimitReachedError):
        return error
    return LimitReachedError(f"{error} before anything was written: allow more")
