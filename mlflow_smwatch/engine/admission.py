"""Admits a page of jobs: finds the run of each, makes those that are missing, plans the reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from mlflow_smwatch.aws.discovery import Found, NotFound, found_job
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import StopError, UnknownJobError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import KINDS, PIPELINE_EXECUTION
from mlflow_smwatch.core.kinship import GroupRef, spelled
from mlflow_smwatch.core.matching import KnownRun, Match
from mlflow_smwatch.core.record import RunRecord, run_record
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading, TimeWindow
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.endpoints import EndpointReader
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.recognition import Recognition, alone
from mlflow_smwatch.engine.run_states import is_back, is_ended_otherwise, is_leaving, is_removed
from mlflow_smwatch.engine.task import Task

_NOTHING_TO_READ = Reading(windows=(), complete=True)


class Admission:
    """Turns jobs that were found into tasks.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context
        self._recognition = Recognition(context)
        self._endpoints = EndpointReader(context)

    def admit(self, page: Sequence[Found], pool: Executor) -> list[Task | Outcome]:
        """Match a page of jobs with their runs, and make the runs that are missing.

        Returns
        -------
        list of Task or Outcome
            A task for each job that needs work, an outcome for each other one; before them, the
            same for groups of theirs that had no run yet.
        """
        runs = self._pass.index.find([self._pass.identity(found) for found in page])
        self._pass.families.enter_experiments(found.job for found in page if found.job)
        for found in page:
            if found.kind == PIPELINE_EXECUTION.word:
                self._enter_steps(runs.get(found.arn, ()))
        admitted = list(pool.map(lambda found: self._admit(found, runs), page))
        if self._pass.options.dry_run:
            self._pass.families.foresee(_jobs_of(admitted))
        groups = self.admit_groups_of(_jobs_of(admitted), pool)
        if self._pass.options.dry_run:
            return groups + admitted
        admitted = list(pool.map(self._recorded, admitted))
        self._make_runs(admitted)
        admitted = list(pool.map(self._with_run, admitted))
        return groups + self._without_doubles(admitted)

    def admit_groups_of(self, jobs: Sequence[Job], pool: Executor) -> list[Task | Outcome]:
        """Admit the groups that jobs belong to and that no pass has met, before the jobs.

        Returns
        -------
        list of Task or Outcome
            As of :meth:`admit`, of the groups alone.
        """
        families = self._pass.families
        families.enter_experiments(jobs)
        for job in jobs:
            families.enter_group(job)
        missing = families.missing(jobs)
        found = list(self._pass.finder.groups(missing)) if missing else []
        groups = [each for each in found if isinstance(each, Found)]
        for group in missing:  # until its run is entered: groups may belong to each other
            families.give_up(group)
        result = self.admit(groups, pool) if groups else []
        for each in found:
            if isinstance(each, NotFound):
                self._go_without(each, missing)
        return result

    def _go_without(self, group: NotFound, missing: Sequence[GroupRef]) -> None:
        """Say that a group cannot be had; where it is not gone, what belongs to it stays open."""
        families = self._pass.families
        families.warnings.append(f"{group.error}; what belongs to it stands without a parent")
        if not isinstance(group.error, UnknownJobError):
            for ref in missing:
                if ref[1] == group.asked:
                    families.refuse(ref, "its parent could not be read")

    def _admit(self, found: Found, runs: dict[str, tuple[KnownRun, ...]]) -> Task | Outcome:
        return alone(found.arn, lambda: self._decide(found, runs.get(found.arn, ())))

    def _enter_steps(self, candidates: Sequence[KnownRun]) -> None:
        """Note the steps of an execution that may be settled: AWS is not asked for them then."""
        for run in candidates:
            if run.mirrored and run.active:
                self._pass.families.enter_steps(run)

    def _decide(self, found: Found, candidates: tuple[KnownRun, ...]) -> Task | Outcome:
        matched = self._recognition.match(found, candidates)
        run = matched.run
        displaced = () if self._pass.options.dry_run else self._recognition.make_place(matched)
        watermark = self._recognition.watermark_of(run) if run else None
        if run and is_removed(run):
            removed = self._recognition.respect_removal(run)
            return Outcome(found.arn, "unchanged", self._pass.known_line(run), warnings=removed)
        if run:
            run = self._pass.families.without_stray_parent(run)
            self._pass.families.enter_run(KINDS[found.kind], found.arn, found.name, run)
        if run and watermark and self._settled(found, run, watermark):
            return self._as_it_was(found, run, watermark)
        known = self._recognition.describe(found, run)
        own_run_id = known.job.own_run_id
        if found.job is None and own_run_id not in {None, run.run_id if run else None}:
            return self._decide(replace(found, job=known.job), candidates)
        reading, since_begin = self._plan(known.job, watermark)
        return Task(
            job=known.job,
            record=run_record(known.job, self._pass.options.experiment),
            run=run,
            watermark=watermark or Watermark(made_ms=self._pass.now_ms, adopted=matched.adopted),
            reading=reading,
            since_begin=since_begin,
            undescribed=known.denied,
            streams=known.streams,
            displaced=displaced,
        )

    def _as_it_was(self, found: Found, run: KnownRun, watermark: Watermark) -> Task | Outcome:
        """Leave alone what is as it was written, but for the metrics of what goes on."""
        if watermark.final or not self._endpoints.reads(KINDS[found.kind]):
            return self._pass.unchanged(found.arn, run)
        return self._endpoints.remembered(found, run, watermark)

    def _settled(self, found: Found, run: KnownRun, watermark: Watermark) -> bool:
        """Whether a run is final and its job is as it was, or is being deleted."""
        job = self._recognition.related(found.job, run) if found.job else None
        if is_leaving(job, run):
            return True
        whole = self._pass.is_read(watermark) or self._is_as_written(found, run, watermark)
        if is_back(run) or not whole:
            return False
        undocumented = self._pass.options.stores_document and not watermark.document
        lacking = undocumented or self._pass.lacks_reports(run)
        if lacking or watermark.modified_ms != found.modified_ms:
            return False
        if self._pass.families.awaits(run):
            return False
        if self._joins_execution(found.arn, run) or not self._is_sealed(found, run):
            return False
        as_recorded = job is None or self._is_as_recorded(job, run, watermark)
        return as_recorded and not self._pass.lacks_attached(found, run)

    def _is_sealed(self, found: Found, run: KnownRun) -> bool:
        if not self._recognition.may_seal(self._pass.identity(found), run):
            return True
        role_arn = found.job.role_arn if found.job else run.tags.get(names.ROLE)
        return self._pass.seals.is_right(run, found.arn, found.created_ms, role_arn)

    def _is_as_recorded(self, job: Job, run: KnownRun, watermark: Watermark) -> bool:
        record = run_record(job, self._pass.options.experiment)
        same = record.fingerprint == watermark.fingerprint
        return same and not is_ended_otherwise(run, record)

    def _joins_execution(self, arn: str, run: KnownRun) -> bool:
        """Whether a pipeline's execution tells anew that a job is one of its steps'."""
        execution = self._pass.families.execution_of(arn)
        return execution not in {None, run.tags.get(names.PIPELINE_EXECUTION)}

    @staticmethod
    def _is_as_written(found: Found, run: KnownRun, watermark: Watermark) -> bool:
        """Whether what never ends was not changed since it was written whole."""
        whole = watermark.fingerprint is not None and names.WARNING not in run.tags
        return KINDS[found.kind].endless and whole

    def whole_life(self, job: Job) -> Reading:
        """Plan the reading of series of which nothing was read before."""
        return self._recognition.plan(job)

    def _plan(
        self, job: Job, watermark: Watermark | None
    ) -> tuple[Reading, tuple[TimeWindow, ...]]:
        """Plan what to read of a job, and of those of its series that were not read before."""
        if self._endpoints.reads(job.kind):
            return self._endpoints.plan(job, watermark)
        wanted = self._pass.options.metrics != "off"
        same = watermark is not None and watermark.modified_ms == job.modified_ms
        if wanted and watermark and same and self._pass.is_read(watermark):
            return _NOTHING_TO_READ, ()
        return self._recognition.plan(job, watermark.read_to_ms if watermark else None), ()

    def _recorded(self, admitted: Task | Outcome) -> Task | Outcome:
        """Translate a job that goes on, now that the run of its group is there."""
        if isinstance(admitted, Outcome) or admitted.remembered:
            return admitted

        def record(task: Task = admitted) -> Task:
            task.record = self._record(task.job)
            if refused := self._pass.families.refused(task.job):
                task.undescribed += (refused,)
            return task

        return alone(admitted.arn, record)

    def _make_runs(self, admitted: Sequence[Task | Outcome]) -> None:
        """Make the missing runs in one transaction, where the store takes them so."""
        tasks = [each for each in admitted if isinstance(each, Task) and each.run is None]
        jobs = [(task.record, task.watermark) for task in tasks]
        runs = self._pass.index.create_together(jobs) if len(jobs) > 1 else None
        for task, run in zip(tasks, runs or (), strict=False):
            self._enter_made(task, run)

    def _with_run(self, admitted: Task | Outcome) -> Task | Outcome:
        """Make the run of a job that has none."""
        if isinstance(admitted, Outcome) or admitted.run is not None:
            return admitted

        def make(task: Task = admitted) -> Task:
            self._enter_made(task, self._pass.index.create(task.record, task.watermark))
            return task

        return alone(admitted.arn, make)

    def _enter_made(self, task: Task, run: KnownRun) -> None:
        task.run, task.made = run, True
        self._pass.families.enter_run(task.job.kind, task.arn, task.job.name, run)

    def _record(self, job: Job) -> RunRecord:
        """Translate a job below the run of its group, beside which it stands."""
        parent = self._pass.families.parent_of(job)
        experiment = self._pass.options.experiment
        if parent is None:
            return run_record(job, experiment)
        kind, name = parent.tags.get(names.KIND, ""), parent.tags.get(names.NAME, "")
        job = replace(job, kinship=spelled(job.kinship, kind, name))
        if experiment is None and job.kinship.experiment is None:
            experiment = self._pass.experiments.name_of(parent.experiment_id)
        return run_record(job, experiment, parent.run_id)

    def _without_doubles(self, admitted: list[Task | Outcome]) -> list[Task | Outcome]:
        """Look for runs that another mirror made for the same jobs at the same time."""
        made = [each for each in admitted if isinstance(each, Task) and each.made]
        identities = [self._pass.identity(found_job(task.job)) for task in made]
        runs = self._pass.index.find(identities) if made else {}
        for task, identity in zip(made, identities, strict=True):
            try:
                self._keep_one(task, self._recognition.choose(identity, runs.get(task.arn, ())))
            except StopError:
                raise
            except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
                task.error = error
        return admitted

    def _keep_one(self, task: Task, matched: Match) -> None:
        if matched.run and (matched.duplicates or matched.adopted):
            task.displaced = self._recognition.make_place(matched)
            task.run, task.made = matched.run, False
            self._pass.families.enter_run(task.job.kind, task.arn, task.job.name, task.run)
            known = matched.run.watermark
            task.watermark = known or replace(task.watermark, adopted=matched.adopted)
        elif matched.run and task.run and matched.run.run_id == task.run.run_id:
            task.run = matched.run


def _jobs_of(admitted: Iterable[Task | Outcome]) -> list[Job]:
    return [each.job for each in admitted if isinstance(each, Task)]
