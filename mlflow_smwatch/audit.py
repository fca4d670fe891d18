"""Reads jobs as a pass does, whole and afresh, and compares them with their runs; writes nothing.

:class:`AuditAdmission` plans the reading, :class:`Auditor` takes what was read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from mlflow_smwatch.aws.discovery import Found, describe_job
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.compare import (
    Difference,
    PointDifference,
    compare_cloudwatch,
    compare_described,
    compare_points,
    settled,
)
from mlflow_smwatch.core.definitions import RUNAWAY
from mlflow_smwatch.core.errors import AccessDeniedError, RetriableError, StopError, reason
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_progress import LOGS, advance
from mlflow_smwatch.core.matching import KnownRun, Match, match
from mlflow_smwatch.core.points import MetricPoint, metric_keys
from mlflow_smwatch.core.progress import CLOUDWATCH, Measured, progress
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.series import Point, instance_series, metric_of
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Life, Reading, plan_reading
from mlflow_smwatch.task import ENDED, Outcome, PassContext, Task

logger = logging.getLogger(__name__)

_GONE = "AWS no longer knows this job: its run is not compared"
_LEAVING = "AWS is deleting this job: its run is not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What AWS has of a job.

    Attributes
    ----------
    points
        Every point that its run is to have.
    watermark
        What would be true if a first pass wrote them now.
    """

    points: tuple[MetricPoint, ...]
    watermark: Watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the audit of one job found.

    Attributes
    ----------
    differences
        In the order in which they are shown.
    task
        The job as it was read; None where it has no run, or no reading was needed.
    truth
        What AWS has; None where no points were compared.
    """

    differences: tuple[Difference, ...] = ()
    task: Task | None = None
    truth: Truth | None = None


@dataclass(slots=True)
class Findings:
    """The findings of an audit, by ARN; each job is entered by one thread at a time.

    Attributes
    ----------
    by_arn
        ARN → finding, of the jobs that were compared.
    """

    by_arn: dict[str, Finding] = field(default_factory=dict)

    def enter(self, arn: str, finding: Finding) -> None:
        """Enter what was found of a job, besides what was found of it before."""
        before = self.by_arn.get(arn, Finding())
        differences = (*before.differences, *finding.differences)
        self.by_arn[arn] = replace(finding, differences=differences)


class AuditAdmission:
    """Turns jobs that were found into tasks that read their whole life; makes no runs.

    Parameters
    ----------
    context
        What all jobs of the audit share.
    findings
        Takes what shows without a reading.
    """

    def __init__(self, context: PassContext, findings: Findings) -> None:
        self._pass = context
        self._findings = findings

    def admit(self, page: Sequence[Found], pool: Executor) -> list[Task | Outcome]:
        """Match a page of jobs with their runs.

        Returns
        -------
        list of Task or Outcome
            A task for each job that has a run, an outcome for each other one.
        """
        runs = self._pass.index.find([self._pass.identity(found) for found in page])
        return list(pool.map(lambda found: self._admit(found, runs.get(found.arn, ())), page))

    def whole_life(self, job: Job) -> Reading:
        """Plan the reading of series of which nothing was read before."""
        life = Life(created_ms=job.created_ms, ended_ms=job.ended_ms if job.ended else None)
        reading = plan_reading(life, self._pass.clock_ms(), self._pass.options.settle_s * 1000)
        return replace(reading, windows=()) if self._pass.options.metrics == "off" else reading

    def _admit(self, found: Found, candidates: tuple[KnownRun, ...]) -> Task | Outcome:
        try:
            return self._decide(found, candidates)
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return Outcome(found.arn, "failed", error=reason(error))

    def _decide(self, found: Found, candidates: tuple[KnownRun, ...]) -> Task | Outcome:
        matched = self._match(found, candidates)
        run = matched.run
        if run is None or (run.active and run.watermark is None):
            return self._close(found.arn, Difference(arn=found.arn, what="run", aws="1 run"))
        if not run.active:
            self._pass.experiments.require_active(run.experiment_id)
            return self._close(found.arn, warnings=self._removed(run))
        if matched.duplicates:
            self._findings.enter(found.arn, Finding(differences=(_doubled(found, matched),)))
        job, denied = self._described(found, run.watermark)
        if job.status not in job.kind.known_statuses and run.status in ENDED:
            return self._close(found.arn, warnings=(_LEAVING,))
        return Task(
            job=job,
            record=run_record(job, self._pass.options.experiment),
            run=run,
            watermark=_afresh(run.watermark or Watermark(made_ms=self._pass.now_ms)),
            reading=self.whole_life(job),
            undescribed=denied,
        )

    def _close(self, arn: str, *differences: Difference, warnings: tuple[str, ...] = ()) -> Outcome:
        self._findings.enter(arn, Finding(differences=differences))
        return Outcome(arn, "unchanged", warnings=warnings)

    def _match(self, found: Found, candidates: tuple[KnownRun, ...]) -> Match:
        matched = match(self._pass.identity(found), candidates)
        if matched.run is None and any(not each.mirrored for each in candidates):
            return match(self._pass.identity(found, self._own_run_id(found)), candidates)
        return matched

    def _own_run_id(self, found: Found) -> str | None:
        """Ask SageMaker which run the job logged itself; a foreign run is there that may be it."""
        try:
            return describe_job(self._pass.aws, found.name).job.own_run_id
        except (AccessDeniedError, RetriableError) as error:
            logger.warning("%s: its own run cannot be told from foreign ones: %s", found.arn, error)
            return None

    def _removed(self, run: KnownRun) -> tuple[str, ...]:
        """Tell who asked for a job by name that the user deleted its run."""
        if not self._pass.options.names:
            return ()
        command = f"mlflow runs restore --run-id {run.run_id}"
        return (f"its run was deleted in MLflow, so nothing is compared: '{command}' restores it",)

    def _described(self, found: Found, watermark: Watermark | None) -> tuple[Job, tuple[str, ...]]:
        """Take the job as it was found; ask for it where the listing lacks it or lags behind."""
        behind = watermark is not None and found.modified_ms < (watermark.modified_ms or 0)
        if found.job and not behind:
            return found.job, found.denied
        described = describe_job(self._pass.aws, found.name)
        return described.job, described.denied


class Auditor:
    """Compares jobs that are read with their runs; called from several threads.

    Parameters
    ----------
    context
        What all jobs of the audit share.
    findings
        Takes what is found.
    """

    def __init__(self, context: PassContext, findings: Findings) -> None:
        self._pass = context
        self._findings = findings
        self._gathered: dict[str, list[MetricPoint]] = {}

    def write(self, task: Task) -> Outcome:
        """Compare a job that is read whole."""
        try:
            return self._compare(task)
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return Outcome(task.arn, "failed", error=reason(error))

    def write_gathered(self, task: Task) -> None:
        """Keep what is gathered of a job's logs so far."""
        keys = metric_keys(task.job, task.watermark.given_keys, task.log_hosts)
        not_sent = _logged_keys(task) - frozenset(task.watermark.given_keys.values())
        points, task.watermark = advance(task.watermark, task.logs, keys, not_sent)
        task.logs = task.logs.rest()
        self._gathered.setdefault(task.arn, []).extend(points)

    def forecast(self, task: Task) -> Outcome:
        """Say that nothing is written."""
        return Outcome(task.arn, "unchanged")

    def close_gone(self, run: KnownRun) -> Outcome:
        """Leave alone a run whose job AWS has deleted."""
        return Outcome(run.tags[names.ARN], "unchanged", warnings=(_GONE,))

    def _compare(self, task: Task) -> Outcome:
        if task.error:
            raise task.error
        run, known = task.run, task.run.watermark if task.run else None
        if run is None or known is None:
            return Outcome(task.arn, "unchanged")
        due = self._pass.is_read(known)
        as_written = due or known.fingerprint == task.record.fingerprint
        differences = list(compare_described(task.record, run, as_written=as_written))
        truth = self._truth(task)
        comparison = _Comparison(task=task, run=run, known=known, truth=truth)
        if self._pass.options.metrics != "off":
            for key, aws, rule in comparison.series():
                mlflow = self._pass.index.history(run.run_id, key) if key in run.metric_keys else ()
                found = rule(aws, mlflow)
                differences += [_placed(task.arn, key, each) for each in found]
        self._findings.enter(
            task.arn, Finding(differences=tuple(differences), task=task, truth=truth)
        )
        return Outcome(task.arn, "unchanged", warnings=tuple(comparison.left_out()))
