"""Recognises a job that was found: its run in MLflow, its description, its life."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mlflow_smwatch.aws.discovery import Described, Found
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.deployments import deployments
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    LogsGoneError,
    RetriableError,
    StopError,
    reason,
)
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import ENDPOINT, PIPELINE_EXECUTION, TRAINING_JOB
from mlflow_smwatch.core.kinship import noted, remembered
from mlflow_smwatch.core.log_streams import hosts_of, names_in
from mlflow_smwatch.core.matching import JobIdentity, KnownRun, Match, match, may_be_logged
from mlflow_smwatch.core.reports import are_rules_old, awaits_rules
from mlflow_smwatch.core.reports import remembered as reports_remembered
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Life, Reading, plan_awaiting, plan_reading
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.endpoints import EndpointReader
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.run_states import is_back, is_removed

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A job with all that is known of it.

    Attributes
    ----------
    job
        The job.
    denied
        What of it could not be read, in words.
    streams
        Full names of its log streams, where only they tell its hosts.
    """

    job: Job
    denied: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()


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
        self._endpoints = EndpointReader(context)

    def match(self, found: Found, candidates: tuple[KnownRun, ...]) -> Match:
        """Choose a job's run; SageMaker is asked where another may be the job's own."""
        identity = self._pass.identity(found)
        matched = self.choose(identity, candidates)
        asked = [run.run_id for run in candidates if may_be_logged(run, identity)]
        if (
            matched.adopted
            or not asked
            or _is_closed(matched.run)
            or not self._tells_own_run(found)
        ):
            return matched
        identity = self._pass.identity(found, self._own_run_id(found, identity, asked))
        return self.choose(identity, candidates)

    def choose(self, identity: JobIdentity, candidates: Sequence[KnownRun]) -> Match:
        """Choose a job's run, by what is known of it."""
        runs, seals = self._with_own(identity, candidates), self._pass.seals
        arn, created_ms = identity.arn, identity.created_ms
        sealed = {
            run.run_id
            for run in runs
            if seals.is_sealed(run, arn, created_ms, run.tags.get(names.ROLE))
        }
        return match(identity, runs, sealed)

    def may_seal(self, identity: JobIdentity, run: KnownRun) -> bool:
        """Whether a run is to show its job: one that the mirror made, or that SageMaker names.

        That a job's script logged a run, its tags say alone, and these anyone may write.
        """
        return run.mirrored or self._pass.own_runs.is_named(identity, run.run_id)

    def _with_own(
        self, identity: JobIdentity, candidates: Sequence[KnownRun]
    ) -> Sequence[KnownRun]:
        """Add the run that SageMaker names as the job's own, where MLflow has it."""
        own = identity.own_run_id
        if own is None or any(run.run_id == own for run in candidates):
            return candidates
        run = self._pass.index.get(own)
        return (*candidates, run) if run else candidates

    def _tells_own_run(self, found: Found) -> bool:
        """Whether a Describe may tell more of a job's own run than is known."""
        told = found.job is not None and found.job.own_run_id is not None
        return found.kind == TRAINING_JOB.word and not told and not self._pass.options.dry_run

    def _own_run_id(
        self, found: Found, identity: JobIdentity, run_ids: Sequence[str]
    ) -> str | None:
        describe, ended = self._pass.describer.describe, bool(found.job and found.job.ended)
        try:
            return self._pass.own_runs.of(
                identity,
                run_ids,
                ended=ended,
                ask=lambda: describe(found.kind, found.name).job.own_run_id,
            )
        except (AccessDeniedError, RetriableError) as error:
            logger.warning("%s: its own run cannot be told from foreign ones: %s", found.arn, error)
            return None

    def make_place(self, matched: Match) -> tuple[KnownRun, ...]:
        """Remove the mirror's further runs of a job, as far as another one holds what they do.

        Returns
        -------
        tuple of KnownRun
            Those that are to be removed once the adopted run is written; they are marked.
        """
        run, index = matched.run, self._pass.index
        for note in matched.notes:
            index.delete_note(note)
        if run is None:
            return ()
        for duplicate in matched.duplicates:
            index.remove_duplicate(duplicate, run)
        if run.written:
            self.remove(matched.displaced, run)
            return ()
        for own in matched.displaced:
            if own.tags.get(names.DUPLICATE_OF) != run.run_id:
                index.displace(own, run)
        return matched.displaced

    def remove(self, displaced: Iterable[KnownRun], adopted: KnownRun) -> None:
        """Remove the mirror's runs in whose place an adopted one has come, with their models."""
        for own in displaced:
            self._pass.writer.remove_models(own)
            self._pass.index.remove_duplicate(own, adopted)

    def related(self, job: Job, run: KnownRun | None) -> Job:
        """Say where a job belongs, also where only an earlier look, or its group, told.

        The image and the hosts of a transform job too take further looks, at its model and logs.
        What the user attaches to jobs is attached here.
        """
        before = noted(run.tags if run else {})
        kinship = remembered(job.kinship, before, component_known=job.component_known)
        execution = self._pass.families.execution_of(str(job.arn))
        if execution:
            kinship = replace(kinship, pipeline_execution=execution)
        tags = run.tags if run else {}
        job = reports_remembered(job, tags)
        if job.kind is ENDPOINT:
            job = replace(job, deployments=deployments(job.deployed, tags))
        hosts = job.hosts or _hosts_in(tags) if job.kind.hosts_in_streams else job.hosts
        image = job.image or tags.get(names.IMAGE)
        if (kinship, image, hosts) != (job.kinship, job.image, job.hosts):
            job = replace(job, kinship=kinship, image=image, hosts=hosts)
        return self._pass.attach(job)

    def describe(self, found: Found, run: KnownRun | None) -> Recognised:
        """Take the job as it was found; ask for it where the listing lacks it or lags behind.

        Raises
        ------
        UnknownJobError
            When AWS no longer has it.
        AccessDeniedError, RetriableError, JobError
            When it cannot be described.
        """
        watermark = run.watermark if run else None
        known_ms = (watermark.modified_ms if watermark else None) or 0
        if found.job and found.modified_ms >= known_ms:
            described = Described(job=found.job, denied=found.denied)
        else:
            described = self._pass.describer.describe(found.kind, _asked(found))
        completed = self._pass.describer.complete(described.job)
        told = self._told(self.related(completed.job, run))
        job = told.job
        modified_ms = max(job.modified_ms, found.modified_ms, known_ms)
        denied = tuple(dict.fromkeys((*described.denied, *completed.denied, *told.denied)))
        ended_ms = modified_ms if job.ended and job.ended_ms is None else job.ended_ms
        job = replace(job, modified_ms=modified_ms, ended_ms=ended_ms)
        return self._with_hosts(job, denied, run)

    def _told(self, job: Job) -> Described:
        """Ask what a job's rules came to, or its schedule is; of old rules, where it is wanted."""
        options = self._pass.options
        is_wanted = bool(options.names) or options.copies_reports
        if not is_wanted and are_rules_old(job, self._pass.now_ms):
            return Described(job=job)
        return self._pass.describer.tell(job)

    def _with_hosts(self, job: Job, denied: tuple[str, ...], run: KnownRun | None) -> Recognised:
        """Find what only its log streams, or its metrics, tell of a job."""
        if not job.kind.hosts_in_streams:
            return Recognised(job=self._endpoints.with_series(job, run), denied=denied)
        try:
            streams = self._pass.logs.list_streams(job.log_group, job.name)
        except LogsGoneError:
            streams = ()
        except AccessDeniedError as error:
            return Recognised(job=job, denied=(*denied, f"no hosts: {error}"))
        hosts = hosts_of(each.name for each in streams) or job.hosts
        full_names = tuple(f"{job.name}/{each.name}" for each in streams)
        return Recognised(job=replace(job, hosts=hosts), denied=denied, streams=full_names)

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
        now_ms, settle_ms = self._pass.clock_ms(), self._pass.options.settle_s * 1000
        plan = plan_awaiting if awaits_rules(job, now_ms) else plan_reading
        reading = plan(life, now_ms, settle_ms)
        return replace(reading, windows=()) if self._pass.options.metrics == "off" else reading

    @staticmethod
    def watermark_of(run: KnownRun) -> Watermark | None:
        """Tell what is written of a job, as far as that holds.

        A job that was not to be found may be there again: it is looked at to its end. A run that
        was emptied and then brought back is written anew; its points, where it has them, are not.

        Raises
        ------
        JobError
            When the mirror's note on the run is not readable.
        """
        known = run.watermark
        if known is None or not is_back(run):
            return known
        if names.FORGOTTEN in run.tags:
            return replace(known, final=False, fingerprint=None, document=False)
        return replace(known, final=False)

    def bring_back(self, found: Found, candidates: tuple[KnownRun, ...]) -> bool:
        """Restore the run of a job that the user deleted; tell whether there was one.

        What came meanwhile is read and written as after any pause: from its watermark on.

        Raises
        ------
        JobError
            When it was the whole experiment that the user deleted, or MLflow refuses.
        """
        run = self.match(found, candidates).run
        if run is None or not is_removed(run):
            return False
        self.restored(run)
        return True

    def restored(self, run: KnownRun) -> KnownRun:
        """Restore a run that the user deleted; arguments and errors as of :meth:`bring_back`."""
        self._pass.experiments.require_active(run.experiment_id)
        return self._pass.index.restore(run)

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
        if self._pass.options.restore:
            return ("its run was deleted in MLflow and would be brought back",)
        how = "removed by 'smwatch forget'" if names.FORGOTTEN in run.tags else "deleted in MLflow"
        command = f"smwatch sync {visible(_asked_for(run))} --restore"
        return (f"its run was {how} and stays so: '{command}' brings it back",)


def _asked_for(run: KnownRun) -> str:
    """Return what names the job of a run: a pipeline's execution has no name that is found."""
    arn = run.tags[names.ARN]
    is_execution = run.tags.get(names.KIND) == PIPELINE_EXECUTION.word
    return arn if is_execution else run.tags.get(names.NAME, arn)


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


def _hosts_in(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return the hosts whose log streams a run names."""
    return hosts_of(each.partition("/")[2] for each in names_in(tags.get(names.LOG_STREAMS)))


def _asked(found: Found) -> str:
    """Return what an operation takes for a job: its name, or a pipeline execution's ARN."""
    return found.arn if found.kind == PIPELINE_EXECUTION.word else found.name


def _is_closed(run: KnownRun | None) -> bool:
    """Whether a run stays a job's own, whatever else there is: it is final, or was deleted."""
    if run is None:
        return False
    watermark = run.watermark
    return not run.active or (watermark is not None and watermark.final)
