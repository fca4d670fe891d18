"""Which run stands for the group that a job belongs to, and which jobs belong to which group."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import PIPELINE_EXECUTION, JobKind
from mlflow_smwatch.core.kinship import GROUP_KINDS, GroupRef, noted
from mlflow_smwatch.core.log_streams import names_in
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.runs import RunIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFacts:
    """What a pass knows of the groups of some jobs and a look at these jobs does not tell.

    Attributes
    ----------
    executions
        ARN of a job → ARN of the pipeline execution that says the job is one of its steps'.
    given_up
        Groups that stay without a run.
    refused
        Groups that could not be had, and why, in words.
    """

    executions: Mapping[str, str] = field(default_factory=dict)
    given_up: tuple[GroupRef, ...] = ()
    refused: Mapping[GroupRef, str] = field(default_factory=dict)


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
        self._runs: dict[GroupRef, KnownRun | None] = {}
        self._executions: dict[str, str] = {}
        self._refused: dict[GroupRef, str] = {}
        self._sought: dict[GroupRef, KnownRun | None] = {}
        self.experiments: set[str] = set()
        self.children: dict[str, JobKind] = {}
        self.warnings: list[str] = []

    def enter_run(self, kind: JobKind, arn: str, name: str, run: KnownRun) -> None:
        """Note the run of what may be a group."""
        if kind in GROUP_KINDS:
            with self._lock:
                self._runs[_key((kind.word, arn if kind is PIPELINE_EXECUTION else name))] = run

    def enter_group(self, job: Job) -> None:
        """Note which jobs a group that changed says are its own."""
        with self._lock:
            self.children.update(dict.fromkeys(job.children, job.kind))
            if job.kind is PIPELINE_EXECUTION:
                self._executions.update(dict.fromkeys(job.children, str(job.arn)))

    def enter_steps(self, run: KnownRun) -> None:
        """Note which jobs the run of a pipeline's execution says are its steps'."""
        steps = names_in(run.tags.get(names.STEP_JOBS))
        with self._lock:
            for arn in steps:
                self._executions.setdefault(arn, run.tags[names.ARN])

    def enter_experiments(self, jobs: Iterable[Job]) -> None:
        """Note the SageMaker experiments that jobs are in."""
        self.experiments.update(each for job in jobs if (each := job.kinship.experiment))

    def execution_of(self, arn: str) -> str | None:
        """Tell the pipeline execution that says a job is one of its steps'."""
        with self._lock:
            return self._executions.get(arn)

    def missing(self, jobs: Iterable[Job]) -> list[GroupRef]:
        """Give the groups of jobs that have no run yet, as far as their kinds are mirrored."""
        places = {group: job.arn for job in jobs if (group := job.kinship.group)}
        return [
            group
            for group, near in places.items()
            if group[0] in self._kinds
            and not self._is_known(group)
            and not self.run_of(group, near)
        ]

    def foresee(self, jobs: Iterable[Job]) -> None:
        """Note the groups that would get a run, for a pass that makes none."""
        for job in jobs:
            if job.kind in GROUP_KINDS:
                self.give_up(
                    (job.kind.word, str(job.arn) if job.kind is PIPELINE_EXECUTION else job.name)
                )

    def give_up(self, group: GroupRef) -> None:
        """Go without the run of a group for the rest of the pass."""
        with self._lock:
            self._runs.setdefault(_key(group), None)

    def refuse(self, group: GroupRef, why: str) -> None:
        """Note that AWS did not tell of a group; another pass may find it."""
        with self._lock:
            self._refused[_key(group)] = why

    def refused(self, job: Job) -> str | None:
        """Say why a job's group cannot be had now; None where it can, or is gone."""
        group = job.kinship.group
        with self._lock:
            return self._refused.get(_key(group)) if group else None

    def facts_of(self, jobs: Iterable[Job]) -> FamilyFacts:
        """Say what another pass over these jobs has to know."""
        jobs = list(jobs)
        groups = {group for job in jobs if (group := job.kinship.group)}
        arns = [str(job.arn) for job in jobs]
        with self._lock:
            return FamilyFacts(
                executions={arn: self._executions[arn] for arn in arns if arn in self._executions},
                given_up=tuple(
                    sorted(group for group in groups if self._runs.get(_key(group), group) is None)
                ),
                refused={
                    group: self._refused[_key(group)]
                    for group in groups
                    if _key(group) in self._refused
                },
            )

    def take_over(self, facts: FamilyFacts) -> None:
        """Go on from what another pass knows."""
        with self._lock:
            self._executions.update(facts.executions)
        for group in facts.given_up:
            self.give_up(group)
        for group, why in facts.refused.items():
            self.refuse(group, why)

    def awaits(self, run: KnownRun) -> bool:
        """Whether a run of the mirror's has no parent, and the run of its group is there by now."""
        group = noted(run.tags).group
        if group is None or group[0] not in self._kinds or names.PARENT in run.tags:
            return False
        with self._lock:
            if self._runs.get(_key(group)):
                return run.mirrored
            sought = _key(group) in self._sought
        if not sought:
            found = self._index.find_group(group, Arn.parse(run.tags[names.ARN]))
            with self._lock:
                self._sought.setdefault(_key(group), found)
        with self._lock:
            return run.mirrored and self._sought[_key(group)] is not None

    def without_stray_parent(self, run: KnownRun) -> KnownRun:
        """Take the parent from a run where that was removed: two mirrors made one each at once."""
        parent, group = run.tags.get(names.PARENT), noted(run.tags).group
        with self._lock:
            known = self._runs.get(_key(group)) if group else None
        if parent is None or known is None or parent == known.run_id or not run.mirrored:
            return run
        if not self._index.is_duplicate(parent):
            return run
        kept = {key: value for key, value in run.tags.items() if key != names.PARENT}
        return replace(run, tags=kept)

    def parent_of(self, job: Job) -> KnownRun | None:
        """Return the run that a job's run is a child of; None for the top level."""
        group = job.kinship.group
        return self.run_of(group, job.arn) if group else None

    def run_of(self, group: GroupRef, near: Arn) -> KnownRun | None:
        """Return the run of a group that lies beside a job; None where it has none.

        Parameters
        ----------
        group
            Kind, and name or ARN.
        near
            ARN of the job, or the group's own.
        """
        with self._lock:
            if _key(group) in self._runs:
                return self._runs[_key(group)]
        run = self._index.find_group(group, near)
        if run is not None:
            with self._lock:
                self._runs.setdefault(_key(group), run)
        return run

    def _is_known(self, group: GroupRef) -> bool:
        """Whether a group has a run, or was given up."""
        with self._lock:
            return _key(group) in self._runs


def _key(group: GroupRef) -> GroupRef:
    """Return what is the same for all spellings: an ARN may hold a name in small letters."""
    kind, name = group
    return kind, name.lower()
