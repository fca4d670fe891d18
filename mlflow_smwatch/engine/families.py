"""Which run stands for the group that a job belongs to, and which jobs belong to which group."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import PIPELINE_EXECUTION, TRIAL, JobKind
from mlflow_smwatch.core.kinship import GroupRef
from mlflow_smwatch.tracking.runs import RunIndex


class Families:
    """The groups that a pass has met; may be asked by several threads.

    Parameters
    ----------
    index
        The runs of the store.
    kinds
        Words of the kinds that are mirrored.

    Attributes
    ----------
    experiments
        Names of the SageMaker experiments that were met.
    children
        ARNs of the jobs that changed groups name → the group's kind.
    warnings
        Which groups cannot be had, in words.
    """

    def __init__(self, index: RunIndex, kinds: Iterable[str]) -> None:
        self._index = index
        self._kinds = frozenset(kinds)
        self._lock = threading.Lock()
        self._runs: dict[GroupRef, str | None] = {}
        self._executions: dict[str, str] = {}
        self.experiments: set[str] = set()
        self.children: dict[str, JobKind] = {}
        self.warnings: list[str] = []

    def enter_run(self, kind: JobKind, arn: str, name: str, run_id: str) -> None:
        """Note the run of what may be a group."""
        with self._lock:
            self._runs[_ref(kind, arn, name)] = run_id

    def enter_group(self, job: Job) -> None:
        """Note which jobs a group that changed says are its own."""
        with self._lock:
            self.children.update(dict.fromkeys(job.children, job.kind))
            if job.kind is PIPELINE_EXECUTION:
                self._executions.update(dict.fromkeys(job.children, str(job.arn)))

    def enter_experiments(self, jobs: Iterable[Job]) -> None:
        """Note the SageMaker experiments that jobs are in."""
        self.experiments.update(each for job in jobs if (each := job.kinship.experiment))

    def execution_of(self, arn: str) -> str | None:
        """Tell the pipeline execution that says a job is one of its steps'."""
        with self._lock:
            return self._executions.get(arn)

    def missing(self, jobs: Iterable[Job]) -> list[GroupRef]:
        """Give the groups of jobs that have no run yet, as far as their kinds are mirrored."""
        places = {job.kinship.group: job.arn for job in jobs if job.kinship.group}
        return [
            group
            for group, near in places.items()
            if group and self._find(group, near) is None and group[0] in self._kinds
        ]

    def give_up(self, group: GroupRef) -> None:
        """Go without the run of a group for the rest of the pass."""
        with self._lock:
            self._runs.setdefault(group, None)

    def parent_of(self, job: Job) -> str | None:
        """Return the id of the run that a job's run is a child of; None for the top level."""
        group = job.kinship.group
        return self._find(group, job.arn) if group else None

    def trial_runs(self, names: Iterable[str]) -> dict[str, str]:
        """Return the run ids of trials that have one, by name."""
        with self._lock:
            found = {name: self._runs.get((TRIAL.word, name)) for name in names}
        return {name: run_id for name, run_id in found.items() if run_id}

    def _find(self, group: GroupRef, near: Arn) -> str | None:
        with self._lock:
            if group in self._runs:
                return self._runs[group]
        run_id = self._index.find_group(group, near)
        if run_id is not None:
            with self._lock:
                self._runs.setdefault(group, run_id)
        return run_id


def _ref(kind: JobKind, arn: str, name: str) -> GroupRef:
    return kind.word, arn if kind is PIPELINE_EXECUTION else name
