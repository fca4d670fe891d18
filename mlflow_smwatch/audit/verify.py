"""Reads AWS and MLflow afresh and compares them: runs, status, params and points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from mlflow_smwatch.audit.admission import AuditAdmission
from mlflow_smwatch.audit.auditor import Auditor, Findings
from mlflow_smwatch.audit.repair import Repairer, mirror_again, not_mirrored
from mlflow_smwatch.core.compare import Difference
from mlflow_smwatch.core.errors import StopError, UsageError
from mlflow_smwatch.core.moments import moment
from mlflow_smwatch.engine.books import Books
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.job_pass import JobPass
from mlflow_smwatch.engine.scope import Scope
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import Failure, SyncReport, Warned

__all__ = ["Difference", "VerifyReport", "verify"]


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


_LEFT_ALONE = "mirrored runs"

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
    UsageError
        When a dry run is asked for.
    """
    if options.dry_run:
        message = "verify has no dry run: without repair it writes nothing"
        raise UsageError(message)
    if options.copies_reports:
        options = replace(options, artifacts="link")  # nothing is copied here
    context = Connection.to(options, create=repair).context(replace(options, alarms=False))
    findings = Findings()
    report = VerifyReport(differences=findings.differences, repairing=repair)

    def show(so_far: SyncReport) -> None:
        _enter(report, so_far, findings)
        if listener:
            listener(report)

    auditor = Auditor(context, findings, Repairer(context).mend if repair else None)
    stopped = None
    books = Books(context.trials, show)
    with JobPass(context, AuditAdmission(context, findings), auditor, books) as job_pass:
        scope = Scope(context, job_pass)
        try:
            _take(scope, context, job_pass.books.report)
            job_pass.finish()
        except StopError as error:
            job_pass.abandon(error)
            if not findings.compared:
                raise
            stopped = error
        job_pass.books.report.warn(None, scope.warnings)
    _enter(report, job_pass.books.report, findings)
    report.differences.sort(key=lambda each: each.arn)
    if repair:
        _repair(report, findings, options, stopped)
    return report


def _enter(report: VerifyReport, so_far: SyncReport, findings: Findings) -> None:
    report.failed, report.warnings = list(so_far.failed), list(so_far.warnings)
    failed = sum(each.arn not in findings.compared for each in so_far.failed)
    report.jobs = len(findings.compared) + failed


def _repair(
    report: VerifyReport, findings: Findings, options: SyncOptions, stopped: StopError | None
) -> None:
    """Enter what was repaired job by job, and do what needs a pass of its own."""
    done = [mended for _, mended in sorted(findings.mended.items())]
    runs = {each.arn: each for each in report.differences if each.what == "run"}
    if runs:
        done.append(not_mirrored(runs, stopped) if stopped else mirror_again(options, runs))
    for mended in done:
        report.repaired += mended.repaired
        report.left += mended.left
        report.failed += mended.failed


def _take(scope: Scope, context: PassContext, report: SyncReport) -> None:
    """Take the jobs that are named or, without names, those that changed or were mirrored."""
    options = context.options
    if options.names:
        scope.take_named(options.names)
        return
    scope.take_modified(moment(options.since, datetime.now(tz=timezone.utc), "--since"))
    scope.take_runs(context.index.mirrored_runs())
    if scope.left_alone:
        _fail_left_alone(report, scope.left_alone)


def _fail_left_alone(report: SyncReport, why: str) -> None:
    """Count runs that were left alone as failed: what was not compared is not equal."""
    report.warnings = [each for each in report.warnings if each.warning != why]
    error = f"{why}; or name the jobs that are to be compared"
    report.failed.append(Failure(_LEFT_ALONE, error))
