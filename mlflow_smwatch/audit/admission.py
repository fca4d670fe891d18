"""Admits a page of jobs to an audit: finds the run of each, plans to read its whole life."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from mlflow_smwatch.audit.auditor import Findings
from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.core.compare import Difference
from mlflow_smwatch.core.definitions import RUNAWAY
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_progress import LOGS
from mlflow_smwatch.core.matching import KnownRun, Match
from mlflow_smwatch.core.progress import CLOUDWATCH
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.endpoints import EndpointReader
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.recognition import Recognition, alone
from mlflow_smwatch.engine.run_states import is_leaving
from mlflow_smwatch.engine.task import Task

_LEAVING = "AWS is deleting this job: its run is not compared"
_ONE_RUN = "1 run"


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
        self._recognition = Recognition(context)
        self._endpoints = EndpointReader(context)

    def admit(self, page: Sequence[Found], pool: Executor) -> list[Task | Outcome]:
        """Match a page of jobs with their runs.

        Returns
        -------
        list of Task or Outcome
            A task for each job that has a run, an outcome for each other one.
        """
        runs = self._pass.index.find([self._pass.identity(found) for found in page])
        return list(pool.map(lambda found: self._admit(found, runs), page))

    def whole_life(self, job: Job) -> Reading:
        """Plan the reading of series of which nothing was read before."""
        return self._recognition.plan(job)

    def _admit(self, found: Found, runs: dict[str, tuple[KnownRun, ...]]) -> Task | Outcome:
        return alone(found.arn, lambda: self._decide(found, runs.get(found.arn, ())))

    def _decide(self, found: Found, candidates: tuple[KnownRun, ...]) -> Task | Outcome:
        matched = self._recognition.match(found, candidates)
        run, known = matched.run, matched.run.watermark if matched.run else None
        if run and not run.active:
            return self._close(found.arn, warnings=self._recognition.respect_removal(run))
        if run is None or known is None:
            return self._close(found.arn, Difference(arn=found.arn, what="run", aws=_ONE_RUN))
        if matched.duplicates or matched.displaced:
            self._findings.enter(found.arn, [_doubled(found, matched)])
        recognised = self._recognition.describe(found, run)
        job = recognised.job
        if is_leaving(job, run):
            return self._close(found.arn, warnings=(_LEAVING,))
        record = run_record(job, self._pass.options.experiment)
        if job.kind.state_from_children:
            record = replace(record, status=run.status, end_ms=run.end_ms)
        return Task(
            job=job,
            record=record,
            run=replace(run, last_steps={}),  # as if nothing were written, so that all is read
            watermark=_afresh(known),
            reading=self._whole(job, known),
            undescribed=recognised.denied,
            streams=recognised.streams,
        )

    def _whole(self, job: Job, known: Watermark) -> Reading:
        """Plan to read all that the mirror was to read."""
        reads = self._endpoints.reads(job.kind)
        return self._endpoints.plan_whole(job, known) if reads else self.whole_life(job)

    def _close(self, arn: str, *differences: Difference, warnings: tuple[str, ...] = ()) -> Outcome:
        self._findings.enter(arn, differences)
        return Outcome(arn, "unchanged", warnings=warnings)


def _doubled(found: Found, matched: Match) -> Difference:
    doubles = (*matched.duplicates, *matched.displaced)
    runs = [run.run_id for run in (matched.run, *doubles) if run]
    shown = f"{len(runs)} runs: {', '.join(runs)}"
    return Difference(arn=found.arn, what="run", aws=_ONE_RUN, mlflow=shown)


def _afresh(known: Watermark) -> Watermark:
    """Return the watermark of a run that is to be written anew, under the keys that it has.

    What the mirror stopped applying to the logs is not applied again.
    """
    return Watermark(
        made_ms=known.made_ms,
        adopted=known.adopted,
        source=known.source if known.source in {LOGS, CLOUDWATCH} else None,
        read_from_ms=None if known.read_to_ms is None else known.read_from_ms or 0,
        points=dict.fromkeys(known.points, 0),
        keys=known.keys,
        findings={
            metric: {RUNAWAY: codes[RUNAWAY]}
            for metric, codes in known.findings.items()
            if RUNAWAY in codes
        },
    )
