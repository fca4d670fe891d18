"""Recognises a job that was found: its run in MLflow, its description, its life."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from mlflow_smwatch.aws.discovery import Found, describe_job
from mlflow_smwatch.core.errors import AccessDeniedError, RetriableError, StopError, reason
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.matching import KnownRun, Match, match
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Life, Reading, plan_reading
from mlflow_smwatch.engine.task import ENDED, Outcome, PassContext

_Result = TypeVar("_Result")

logger = logging.getLogger(__name__)


class Recognition:
    """Answers what has to be known of a job before it is read.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context

    def match(self, found: Found, candidates: tuple[KnownRun, ...]) -> Match:
        """Choose a job's run; SageMaker is asked where a foreign run may be the job's own."""
        matched = match(self._pass.identity(found), candidates)
        if matched.run is None and any(not each.mirrored for each in candidates):
            return match(self._pass.identity(found, self._own_run_id(found)), candidates)
        return matched

    def _own_run_id(self, found: Found) -> str | None:
        try:
            return describe_job(self._pass.aws, found.name).job.own_run_id
        except (AccessDeniedError, RetriableError) as error:
            logger.warning("%s: its own run cannot be told from foreign ones: %s", found.arn, error)
            return None

    def describe(self, found: Found, watermark: Watermark | None) -> tuple[Job, tuple[str, ...]]:
        """Take the job as it was found; ask for it where the listing lacks it or lags behind.

        Returns
        -------
        tuple
            The job, and what of it could not be read, in words.
        """
        behind = watermark is not None and found.modified_ms < (watermark.modified_ms or 0)
        if found.job and not behind:
            return found.job, found.denied
        described = describe_job(self._pass.aws, found.name)
        return described.job, described.denied

    def plan(self, job: Job, read_to_ms: int | None = None) -> Reading:
        """Plan the reading of a job's series.

        Parameters
        ----------
        job
            The job.
        read_to_ms
            End of what was read before; None for its whole life.
        """
        life = Life(
            created_ms=job.created_ms,
            ended_ms=job.ended_ms if job.ended else None,
            read_to_ms=read_to_ms,
        )
        reading = plan_reading(life, self._pass.clock_ms(), self._pass.options.settle_s * 1000)
        return replace(reading, windows=()) if self._pass.options.metrics == "off" else reading

    def respect_removal(self, run: KnownRun) -> tuple[str, ...]:
        """Leave a job alone whose run the user deleted; tell who asked for it by name.

        Raises
        ------
        JobError
            When it was the whole experiment that the user deleted.
        """
        self._pass.experiments.require_active(run.experiment_id)
        if not self._pass.options.names:
            return ()
        command = f"mlflow runs restore --run-id {run.run_id}"
        return (f"its run was deleted in MLflow and stays so: '{command}' brings it back",)


def alone(arn: str, work: Callable[[], _Result]) -> _Result | Outcome:
    """Work on one job; where that fails, the job is a failed one and the others go on.

    Raises
    ------
    StopError
        When nothing more can be done.
    """
    try:
        return work()
    except StopError:
        raise
    except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
        return Outcome(arn, "failed", error=reason(error))


def is_leaving(job: Job | None, run: KnownRun) -> bool:
    """Whether AWS is deleting a job whose run has ended: its status no longer tells the outcome."""
    return job is not None and job.status not in job.kind.known_statuses and run.status in ENDED
