"""What a pass needs of those who admit jobs and of those who take them once they are read."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Protocol

from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.windows import Reading
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.tracking.units import UnitLimits


class Admits(Protocol):
    """Makes tasks of the jobs that are found."""

    def admit(self, page: Sequence[Found], pool: Executor) -> list[Task | Outcome]:
        """Make a task of each job that has something to read; say what becomes of the others."""

    def whole_life(self, job: Job) -> Reading:
        """Plan the reading of series of which nothing was read before."""


class Takes(Protocol):
    """Takes the tasks once they are read; called from several threads."""

    @property
    def limits(self) -> UnitLimits:
        """How many jobs are taken at once."""

    def write(self, unit: Sequence[Task]) -> list[Outcome]:
        """Take jobs that are read whole."""

    def write_gathered(self, task: Task) -> None:
        """Take what is gathered of a job's logs so far."""

    def forecast(self, task: Task) -> Outcome:
        """Say what :meth:`write` would do."""

    def close_gone(self, run: KnownRun, successor_ms: int | None = None) -> Outcome:
        """Take a run whose job AWS has deleted; the job's name may be another's since a moment."""
