"""Writes jobs that were read: many in one unit of work where the store takes them so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from mlflow_smwatch.core.errors import JobError, StopError, reason
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.gone import GoneJobs
from mlflow_smwatch.engine.job_recorder import JobRecorder
from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.recognition import Recognition
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.engine.telling import tell
from mlflow_smwatch.tracking.units import UnitLimits

logger = logging.getLogger(__name__)

_THREADS = 4
"""They store documents; each keeps memory of its own."""

_WRITTEN = frozenset({"created", "updated"})


class JobWriter:
    """Writes jobs, each whole or not vouched for; called from several threads.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context
        self._recorder = JobRecorder(context)
        self._gone = GoneJobs(context, self.write_gathered)
        self._recognition = Recognition(context)

    @property
    def limits(self) -> UnitLimits:
        """How many jobs MLflow takes at once."""
        return self._pass.writer.limits

    def write(self, unit: Sequence[Task]) -> list[Outcome]:
        """Write what was read of jobs; a job without news is not written at all.

        Where several are refused together, each is written by itself.
        """
        write = self._write_together if len(unit) > 1 else self._write_each
        outcomes = [self._settled(*pair) for pair in zip(unit, write(unit), strict=True)]
        for task, outcome in zip(unit, outcomes, strict=True):
            if task.run and outcome.error is None:
                self._pass.registration.enter(task.run.run_id, dict(task.record.tags))
        return outcomes

    def write_gathered(self, task: Task) -> None:
        """Write what is gathered of a job's logs, with the watermark that vouches for it.

        Raises
        ------
        JobError, TrackingError
            When MLflow refuses, or is gone.
        """
        self._tell(task, self._recorder.write_gathered(task), final=False)

    def forecast(self, task: Task) -> Outcome:
        """Say what :meth:`write` would do at most, for a dry run."""
        return self._recorder.forecast(task)

    def close_gone(self, run: KnownRun, successor_ms: int | None = None) -> Outcome:
        """Tag the run of a job that AWS has deleted, and end it if it goes on."""
        return self._gone.close(run, successor_ms)

    def _told(self, task: Task, outcome: Outcome) -> Outcome:
        """Tell the observers of a job as soon as it is written: what comes after may stop all."""
        written = outcome.word in _WRITTEN
        if written or (outcome.word == "unchanged" and not outcome.final):
            self._tell(task, task.news, final=outcome.final, written=written)
        return outcome

    def _tell(
        self, task: Task, points: Sequence[MetricPoint], *, final: bool, written: bool = True
    ) -> None:
        """Tell the observers what is in MLflow now."""
        if not self._pass.observers or task.run is None:
            return
        found = Observation(
            record=task.record,
            run_id=task.run.run_id,
            points=tuple(points) if written else (),
            created=task.made,
            final=final,
            written=written,
            noted=task.run.tags,
            status_before=None if task.made else task.run.status,
        )
        tell(self._pass, found)

    def _write_together(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Write jobs in one unit; where it is refused, those that had news one by one."""
        unit = self._pass.writer.unit()

        def put(task: Task) -> Outcome:
            return self._bordered(task, partial(self._recorder.put, task, unit))

        with ThreadPoolExecutor(min(self._pass.options.workers, _THREADS), "smwatch-unit") as pool:
            outcomes = list(pool.map(put, tasks))
        try:
            unit.commit()
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of the unit: each job follows alone
            logger.debug("%d jobs together: %s; each follows alone", len(tasks), reason(error))
        else:
            return [self._told(*pair) for pair in zip(tasks, outcomes, strict=True)]
        return [
            self._write_alone(task) if outcome.word in _WRITTEN else self._told(task, outcome)
            for task, outcome in zip(tasks, outcomes, strict=True)
        ]

    def _write_each(self, tasks: Sequence[Task]) -> list[Outcome]:
        return [self._write_alone(task) for task in tasks]

    def _write_alone(self, task: Task) -> Outcome:
        """Write a job; where it is refused, once more next to its run as that is by now."""

        def write() -> Outcome:
            unit, before = self._pass.writer.unit(), (task.run, task.watermark)
            try:
                outcome = self._recorder.put(task, unit)
                unit.commit()
            except JobError:
                if task.error:
                    raise
                unit = self._pass.writer.unit()
                again = self._recorder.put_again(task, unit, before)
                if again is None:
                    raise
                unit.commit()
                return again
            return outcome

        return self._told(task, self._bordered(task, write))

    def _bordered(self, task: Task, write: Callable[[], Outcome]) -> Outcome:
        try:
            return write()
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
            return self._recorder.failed(task, error)

    def _settled(self, task: Task, outcome: Outcome) -> Outcome:
        """Remove the runs whose place a run takes that is written now."""
        if not (task.displaced and task.run and outcome.word in _WRITTEN):
            return outcome
        try:
            self._recognition.remove(task.displaced, task.run)
        except JobError as error:
            return replace(outcome, warnings=(*outcome.warnings, str(error)), final=False)
        return outcome
