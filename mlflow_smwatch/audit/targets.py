"""Compares several accounts and Regions with one MLflow store, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mlflow_smwatch.audit import verify as one
from mlflow_smwatch.audit.verify import VerifyReport
from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.engine.places import divided, failures, found_in, one_of, place
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import NOT_REACHED, Failure

Listener = Callable[[VerifyReport], None]


def verify(
    targets: Sequence[SyncOptions], *, repair: bool = False, listener: Listener | None = None
) -> VerifyReport:
    """Compare jobs with their runs, account by account and Region by Region.

    Parameters
    ----------
    targets
        Which jobs, from where, in which MLflow; they differ in Region and role alone.
    repair, listener
        As of :func:`mlflow_smwatch.audit.verify.verify`.

    Returns
    -------
    VerifyReport
        Of all; a target that could not be compared is one of the failed.

    Raises
    ------
    StopError
        When nothing can be done anywhere: no credentials, no access, no MLflow.
    """
    if len(targets) == 1:
        return one.verify(targets[0], repair=repair, listener=listener)
    total, found, errors = VerifyReport(repairing=repair), set[str](), list[StopError]()

    def tell(so_far: VerifyReport) -> None:
        if listener is not None:
            listener(_sum(total, so_far))

    asked = list(divided(targets))
    for target in asked:
        try:
            report = one.verify(target, repair=repair, listener=tell)
        except StopError as error:
            errors.append(error)
            total = _sum(total, VerifyReport(jobs=1, failed=[Failure(place(target), str(error))]))
        else:
            found |= found_in(target.names, report.failed)
            total = _sum(total, _named(report, target))
    if len(errors) == len(asked):
        raise one_of(errors)
    missing = len(total.failed)
    total.failed, doubts = failures(total.failed, found)
    total.jobs -= missing - len(total.failed)
    total.warnings += doubts
    return total


def _named(report: VerifyReport, target: SyncOptions) -> VerifyReport:
    """Say of which account and Region something was not reached."""
    name = place(target)
    failed = [
        replace(each, arn=name) if each.arn == NOT_REACHED else each for each in report.failed
    ]
    return replace(report, failed=failed)


def _sum(some: VerifyReport, others: VerifyReport) -> VerifyReport:
    return VerifyReport(
        jobs=some.jobs + others.jobs,
        differences=[*some.differences, *others.differences],
        failed=[*some.failed, *others.failed],
        warnings=[*some.warnings, *others.warnings],
        repaired=[*some.repaired, *others.repaired],
        left=[*some.left, *others.left],
        repairing=some.repairing,
    )
