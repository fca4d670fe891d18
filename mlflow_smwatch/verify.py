"""Reads AWS and MLflow afresh and compares them: runs, status, params and points."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from mlflow_smwatch.audit import Auditor, Findings
from mlflow_smwatch.audit_admission import AuditAdmission
from mlflow_smwatch.aws.discovery import Found, JobFilter, NotFound
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.logs import LogReader
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.compare import Difference
from mlflow_smwatch.core.describe import iso_utc, to_ms
from mlflow_smwatch.core.errors import SmwatchError, UsageError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.job_pass import JobPass
from mlflow_smwatch.options import SyncOptions, moment
from mlflow_smwatch.repair import Repairer
from mlflow_smwatch.report import Failure, SyncReport, Warned
from mlflow_smwatch.task import PassContext
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import ui_address
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import open_tracking
from mlflow_smwatch.tracking.writer import RunWriter

__all__ = ["Difference", "VerifyReport", "verify"]

logger = logging.getLogger(__name__)

_REPLACED = "its name is another job's by now: the run of the earlier one is not compared"


@dataclass(slots=True)
class VerifyReport:
    """The result of a comparison.

    Attributes
    ----------
    jobs
        Jobs that were looked at, failed ones included.
    differences
        Job by job.
    failed
        Jobs that could not be compared, or not be repaired.
    warnings
        What was not compared.
    repaired
        What was added to MLflow, in words.
    left
        What stays different, and why, in words.
    repairing
        Whether a repair was asked for.
    """

    jobs: int = 0
    differences: list[Difference] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    repairing: bool = False

    @property
    def equal(self) -> int:
        """Jobs without a difference."""
        different = {each.arn for each in self.differences} | {each.arn for each in self.failed}
        return self.jobs - len(different)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        document: dict[str, Any] = {
            "jobs": self.jobs,
            "equal": self.equal,
            "differences": [asdict(each) for each in self.differences],
        }
        if self.repairing:
            document |= {"repaired": list(self.repaired), "left": list(self.left)}
        return document


Listener = Callable[[VerifyReport], None]


def verify(
    options: SyncOptions, *, repair: bool = False, listener: Listener | None = None
) -> VerifyReport:
    """Compare jobs with their runs, point by point.

    Without names: the jobs that were modified since ``options.since``, and every mirrored run of
    this account and Region whose job AWS still knows.

    Parameters
    ----------
    options
        Which jobs, from where, in which MLflow.
    repair
        Whether to add what MLflow lacks; without it nothing is written.
    listener
        Called after each job with the report so far, which goes on growing.

    Returns
    -------
    VerifyReport
        The differences as they were found, before any repair.

    Raises
    ------
    StopError
        When nothing can be done: no credentials, no access, no MLflow.
    """
    context = _context(replace(options, dry_run=False), create=repair)
    findings = Findings()
    report = VerifyReport(differences=findings.differences, repairing=repair)

    def show(so_far: SyncReport) -> None:
        _enter(report, so_far, findings)
        if listener:
            listener(report)

    admission, auditor = AuditAdmission(context, findings), Auditor(context, findings)
    with JobPass(context, admission, auditor, show) as job_pass:
        _Scope(context, job_pass).read()
    _enter(report, job_pass.report, findings)
    report.differences.sort(key=lambda each: each.arn)
    if repair:
        mended = Repairer(context).repair(findings)
        report.repaired, report.left = mended.repaired, mended.left
        report.failed += mended.failed
    return report


def _enter(report: VerifyReport, so_far: SyncReport, findings: Findings) -> None:
    report.failed, report.warnings = list(so_far.failed), list(so_far.warnings)
    failed = sum(each.arn not in findings.by_arn for each in so_far.failed)
    report.jobs = len(findings.by_arn) + failed


def _context(options: SyncOptions, *, create: bool) -> PassContext:
    aws = connect(options.region, options.profile, options.workers)
    tracking = open_tracking(options.tracking_uri, create=create)
    experiments = Experiments(tracking)
    return PassContext(
        aws=aws,
        logs=LogReader(aws),
        options=options,
        now_ms=_now_ms(),
        clock_ms=_now_ms,
        stopped=lambda: False,
        slack_ms=0,
        experiments=experiments,
        index=RunIndex(tracking, experiments),
        writer=RunWriter(tracking),
        address=ui_address(tracking.uri, options.ui_url),
    )


class _Scope:
    """Which jobs are compared."""

    def __init__(self, context: PassContext, job_pass: JobPass) -> None:
        self._context = context
        self._options = context.options
        self._job_pass = job_pass
        self._finder = JobFinder(context.aws)

    def read(self) -> None:
        """Take all jobs, and wait until they are compared."""
        if self._options.names:
            self._job_pass.take(self._finder.named(self._options.names))
        else:
            wanted = self._wanted()
            for page in self._finder.modified(wanted):
                self._job_pass.take(page)
            self._job_pass.take(self._mirrored(wanted))
        self._job_pass.finish()
        self._job_pass.report.warn(None, self._finder.warnings)

    def _wanted(self) -> JobFilter:
        options, now = self._options, datetime.now(tz=timezone.utc)
        return JobFilter(
            since=moment(options.since, now, "--since"),
            until=moment(options.until, now, "--until") if options.until else None,
            name_contains=options.name_contains,
            tags=options.tags,
        )

    def _mirrored(self, wanted: JobFilter) -> Iterator[Found]:
        """Find the jobs of the other runs that were mirrored from here."""
        runs = self._runs()
        account = self._account() if runs else None
        own = {arn: each for arn, each in runs.items() if Arn.parse(arn).account == account}
        known = {arn: each[0].tags[names.NAME] for arn, each in own.items() if _has_name(each[0])}
        same = {arn.lower(): each for arn, each in own.items()}
        for found in self._finder.named(tuple(own), known):
            if isinstance(found, NotFound):
                self._job_pass.close_missing(own[found.asked][0], found)
            elif not any(_is_of(run, found) for run in same[found.arn.lower()]):
                self._job_pass.report.warn(found.arn, [_REPLACED])
            elif found.job is None or wanted.accepts(found.job):
                yield found

    def _runs(self) -> Mapping[str, Sequence[KnownRun]]:
        """Give the mirrored runs of this Region and these kinds that no job was taken for yet."""
        runs: dict[str, list[KnownRun]] = {}
        for run in self._context.index.mirrored_runs():
            arn = run.tags.get(names.ARN, "")
            if arn not in self._job_pass.seen and self._is_here(run):
                runs.setdefault(arn, []).append(run)
        return runs

    def _is_here(self, run: KnownRun) -> bool:
        try:
            arn = Arn.parse(run.tags.get(names.ARN, ""))
        except UsageError:
            logger.warning("run %s has lost its tag %s: it is not compared", run.run_id, names.ARN)
            return False
        return arn.region == self._context.aws.region and arn.resource_type in self._options.kinds

    def _account(self) -> str | None:
        """Tell whose jobs these are: MLflow may hold the runs of several accounts."""
        for arn in self._job_pass.seen:
            return Arn.parse(arn).account
        try:
            return self._context.aws.account
        except SmwatchError as error:
            warning = f"runs of jobs that were not listed are not compared: {error}"
            self._job_pass.report.warn(None, [warning])
            return None


def _has_name(run: KnownRun) -> bool:
    return names.NAME in run.tags


def _is_of(run: KnownRun, found: Found) -> bool:
    """Whether a run stands for this job, and not for an earlier one of the same name."""
    return run.tags.get(names.CREATED) == iso_utc(found.created_ms)


def _now_ms() -> int:
    return to_ms(datetime.now(tz=timezone.utc))
