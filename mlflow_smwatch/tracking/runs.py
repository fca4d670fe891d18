"""Finds the runs of jobs, a page of jobs at a time, and makes new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mlflow.entities import ViewType
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import JobError, StopError, UsageError
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.kinship import GroupRef, noted
from mlflow_smwatch.core.matching import COMING_BACK, JobIdentity, KnownRun
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.watermark import OPEN_MARK, STATE_TAG, Watermark, to_tags
from mlflow_smwatch.tracking.candidates import Candidates
from mlflow_smwatch.tracking.conditions import literal
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.named import is_run_id, named_runs
from mlflow_smwatch.tracking.run_search import RunSearch, known_run
from mlflow_smwatch.tracking.store import Tracking, listing_errors, tracking_errors
from mlflow_smwatch.tracking.units import NewRun

_GROUP_NAME = re.compile(r"[A-Za-z0-9:/._-]+")
_GOING = ("RUNNING", "SCHEDULED")


class RunIndex:
    """The runs of a store that stand for SageMaker jobs.

    Parameters
    ----------
    tracking
        The store.
    experiments
        Its experiments; runs are looked for in all of them.
    """

    def __init__(self, tracking: Tracking, experiments: Experiments) -> None:
        self._tracking = tracking
        self._experiments = experiments
        self._runs = RunSearch(tracking, experiments)
        self._candidates = Candidates(self._runs, managed=tracking.managed)

    def find(self, jobs: Sequence[JobIdentity]) -> dict[str, tuple[KnownRun, ...]]:
        """Find the runs that may stand for one of these jobs, as :class:`.Candidates` does."""
        return self._candidates.find(jobs)

    def open_runs(self) -> Iterator[KnownRun]:
        """Give the mirrored runs that are not final yet."""
        return self._runs.active_like(STATE_TAG, f"%{OPEN_MARK}%")

    def mirrored_runs(self) -> Iterator[KnownRun]:
        """Give all active runs that the mirror has written."""
        return self._runs.active_like(STATE_TAG, "{%")

    def named(self, text: str) -> tuple[KnownRun, ...]:
        """Find the runs of what a user calls so: a run id, or as of :func:`.named_runs`."""
        run = self.get(text) if is_run_id(text) else None
        return (run,) if run else named_runs(self._runs, text)

    def find_group(self, group: GroupRef, near: Arn) -> KnownRun | None:
        """Find the mirror's run of a group that lies in the account and Region of a job of its own.

        Parameters
        ----------
        group
            Kind, and name or ARN.
        near
            ARN of the job.

        Returns
        -------
        KnownRun or None
            The run.
        """
        kind, name = group
        if not _GROUP_NAME.fullmatch(name):
            return None  # no name of AWS's: somebody has edited a tag
        arn = Arn.parse(name) if is_arn(name) else near.beside(KINDS[kind].resource_type, name)
        by_name = f"tags.`{names.NAME}` = {literal(name)}"
        for condition in (_arn_filter(str(arn)), by_name):
            same_kind = f"{condition} AND tags.`{names.KIND}` = '{kind}'"
            for run in self._runs.search(same_kind, ViewType.ACTIVE_ONLY):
                if run.mirrored and _is_beside(run, near):
                    return run
        return None

    def in_execution(self, arn: str) -> bool:
        """Whether a job has a run that says of which pipeline execution it is a step."""
        runs = self._runs.search(_arn_filter(arn), ViewType.ACTIVE_ONLY)
        return any(noted(run.tags).pipeline_execution for run in runs)

    def state_of_members(self, trial: KnownRun) -> tuple[bool, int | None]:
        """Tell how far the jobs and trial components in a trial are, by their runs.

        Parameters
        ----------
        trial
            The trial's run.

        Returns
        -------
        tuple
            Whether one of them goes on, and when the last of the others ended (ms).
        """
        going = any(self._members(trial, f"attributes.status = '{each}'") for each in _GOING)
        ended = () if going else self._members(trial, "attributes.end_time > 0")
        return going, ended[0].end_ms if ended else None

    def _members(self, trial: KnownRun, condition: str) -> tuple[KnownRun, ...]:
        """Give the member of a trial that ended last, of those that meet a condition."""
        arn = Arn.parse(trial.tags[names.ARN])
        name = trial.tags.get(names.NAME, arn.resource_name)
        if not _GROUP_NAME.fullmatch(name):
            name = arn.resource_name
        same = (
            f"tags.`{names.ACCOUNT}` = '{arn.account}' AND tags.`{names.REGION}` = '{arn.region}'"
        )
        listed = f"tags.`{names.TRIALS}` LIKE '%\"{name}\"%'"
        with listing_errors("looking for runs"):
            page = self._tracking.client.search_runs(
                self._experiments.ids,
                f"{listed} AND {same} AND {condition}",
                max_results=1,
                order_by=["attributes.end_time DESC"],
            )
        return tuple(known_run(run) for run in page)

    def create(self, record: RunRecord, watermark: Watermark) -> KnownRun:
        """Make the run of a job with all its tags in one call.

        Raises
        ------
        JobError
            When the experiment was deleted, or MLflow refuses.
        """
        new = self._new_run(record, watermark)
        with tracking_errors("making the run"), self._tracking.gate:
            run = self._tracking.client.create_run(
                new.experiment_id, start_time=new.start_ms, tags=dict(new.tags), run_name=new.name
            )
        return known_run(run)

    def create_together(self, jobs: Sequence[tuple[RunRecord, Watermark]]) -> list[KnownRun] | None:
        """Make the runs of jobs in one transaction, as :meth:`create` does one by one.

        Returns
        -------
        list of KnownRun or None
            None where the store makes no several at once, or refuses one of them: none is made.
        """
        bulk = self._tracking.bulk
        if bulk is None:
            return None
        try:
            new = [self._new_run(record, watermark) for record, watermark in jobs]
            with tracking_errors("making runs"), self._tracking.gate:
                run_ids = bulk.create_runs(new)
        except StopError:
            raise
        except Exception:  # noqa: BLE001 - the border of all: each is made alone, and says why not
            return None
        return [_as_made(run, run_id) for run, run_id in zip(new, run_ids, strict=True)]

    def _new_run(self, record: RunRecord, watermark: Watermark) -> NewRun:
        return NewRun(
            experiment_id=self._experiments.find_or_create(record.experiment),
            name=record.title,
            start_ms=record.start_ms,
            tags={
                **dict(record.tags),
                names.NOTE: record.note,
                names.VERSION: __version__,
                **to_tags(watermark),
            },
        )

    def remove_duplicate(self, duplicate: KnownRun, kept: KnownRun) -> None:
        """Delete a run of the mirror's own that stands for the same job as another.

        It is marked first, so that it is never taken for a run that the user deleted, and so that a
        pass after a crash can finish the work. Where another mirror does the same at once, its mark
        may make this one fail; the second try finds it there.
        """
        try:
            self._mark_and_delete(duplicate, kept)
        except JobError:
            self._finish_removal(duplicate, kept)

    def displace(self, own: KnownRun, adopted: KnownRun) -> None:
        """Mark a run of the mirror's own whose place a run takes that the job logged itself.

        It is removed later, by :meth:`remove_duplicate`; the mark says that this was begun.
        """
        with tracking_errors("marking a doubled run"), self._tracking.gate:
            self._tracking.client.set_tag(own.run_id, names.DUPLICATE_OF, adopted.run_id)

    def get(self, run_id: str) -> KnownRun | None:
        """Read a run by its id; None where there is none."""
        try:
            with tracking_errors("looking for a run"):
                return known_run(self._tracking.client.get_run(run_id))
        except JobError:
            return None

    def delete_note(self, note: KnownRun) -> None:
        """Delete a note that a job is forgotten, whose maker was cut short."""
        with tracking_errors("deleting a note"), self._tracking.gate:
            self._tracking.client.delete_run(note.run_id)

    def restore(self, run: KnownRun) -> KnownRun:
        """Bring back a run that was deleted, as it was; return it as it is now."""
        client = self._tracking.client
        with tracking_errors("bringing back the run"), self._tracking.gate:
            client.restore_run(run.run_id)
            if names.FORGOTTEN in run.tags:
                client.set_tag(run.run_id, names.FORGOTTEN, COMING_BACK)
        return self.reread(run)

    def reread(self, run: KnownRun) -> KnownRun:
        """Read a run as it is now."""
        with tracking_errors("looking at the run"):
            return known_run(self._tracking.client.get_run(run.run_id))

    def is_duplicate(self, run_id: str) -> bool:
        """Whether a run was removed because another stands for the same."""
        with tracking_errors("looking at the run"):
            run = known_run(self._tracking.client.get_run(run_id))
        return names.DUPLICATE_OF in run.tags

    def history(self, run_id: str, key: str) -> tuple[WrittenPoint, ...]:
        """Give every point that a run has under a key."""
        with tracking_errors(f"reading the metric {key}"):
            history = self._tracking.client.get_metric_history(run_id, key)
        return tuple(WrittenPoint(each.timestamp, each.value, each.step) for each in history)

    def _mark_and_delete(self, duplicate: KnownRun, kept: KnownRun) -> None:
        client = self._tracking.client
        with tracking_errors("removing a doubled run"), self._tracking.gate:
            client.set_tag(duplicate.run_id, names.DUPLICATE_OF, kept.run_id)
            client.delete_run(duplicate.run_id)

    def _finish_removal(self, duplicate: KnownRun, kept: KnownRun) -> None:
        """Try once more; what the other mirror has deleted by now is done."""
        try:
            self._mark_and_delete(duplicate, kept)
        except JobError:
            if self.reread(duplicate).active:
                raise


def _as_made(new: NewRun, run_id: str) -> KnownRun:
    return KnownRun(
        run_id=run_id,
        experiment_id=new.experiment_id,
        status="RUNNING",
        start_ms=new.start_ms,
        end_ms=None,
        active=True,
        tags={**new.tags, MLFLOW_RUN_NAME: new.name},
    )


def _is_beside(run: KnownRun, near: Arn) -> bool:
    """Whether a run stands for something of the same account and Region."""
    try:
        arn = Arn.parse(run.tags.get(names.ARN, ""))
    except UsageError:
        return False
    return (arn.account, arn.region) == (near.account, near.region)


def _arn_filter(arn: str) -> str:
    return f"tags.`{names.ARN}` = {literal(arn)}"
