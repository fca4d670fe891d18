"""Finds the runs of jobs, a page of jobs at a time, and makes new ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlflow.entities import Run, ViewType

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import JobError, UsageError
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.kinship import GroupRef, noted
from mlflow_smwatch.core.matching import JobIdentity, KnownRun
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.watermark import OPEN_MARK, STATE_TAG, Watermark, to_tags
from mlflow_smwatch.tracking.conditions import literal
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.store import Tracking, listing_errors, tracking_errors

_PAGE = 1000
_FEW = 3
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

    def find(self, jobs: Sequence[JobIdentity]) -> dict[str, tuple[KnownRun, ...]]:
        """Find the runs that carry the ARN of one of these jobs, deleted runs included.

        ``search_runs`` knows neither OR nor IN on tags. A run of the mirror's starts at the job's
        CreationTime and one that the job logged itself within its life, so a page of jobs costs one
        query over a range of start times, as long as few other runs lie in it.

        Parameters
        ----------
        jobs
            A page of jobs.

        Returns
        -------
        dict[str, tuple[KnownRun, ...]]
            ARN → runs; ARNs without a run are absent.

        Raises
        ------
        TrackingError
            When MLflow cannot search.
        """
        if len(jobs) > _FEW:
            first, last = min(job.created_ms for job in jobs), max(job.created_ms for job in jobs)
            wide = self._in_range(first, max(job.life_end_ms for job in jobs), len(jobs))
            if wide is not None:
                return _by_arn(wide, jobs)
            narrow = self._in_range(first, last, len(jobs)) or ()
            found = _by_arn(narrow, jobs)
        else:
            found = {}
        for job in jobs:
            if not any(_is_mirror_of(run, job) for run in found.get(job.arn, ())):
                found.update(_by_arn(self._search(_arn_filter(job.arn)), [job]))
        return found

    def open_runs(self) -> Iterator[KnownRun]:
        """Give the mirrored runs that are not final yet."""
        return self._search(f"tags.`{STATE_TAG}` LIKE '%{OPEN_MARK}%'", ViewType.ACTIVE_ONLY)

    def mirrored_runs(self) -> Iterator[KnownRun]:
        """Give all active runs that the mirror has written."""
        return self._search(f"tags.`{STATE_TAG}` LIKE '{{%'", ViewType.ACTIVE_ONLY)

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
            for run in self._search(same_kind, ViewType.ACTIVE_ONLY):
                if run.mirrored and _is_beside(run, near):
                    return run
        return None

    def in_execution(self, arn: str) -> bool:
        """Whether a job has a run that says of which pipeline execution it is a step."""
        runs = self._search(_arn_filter(arn), ViewType.ACTIVE_ONLY)
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
        return tuple(_known(run) for run in page)

    def create(self, record: RunRecord, watermark: Watermark) -> KnownRun:
        """Make the run of a job with all its tags in one call.

        Raises
        ------
        JobError
            When the experiment was deleted, or MLflow refuses.
        """
        experiment_id = self._experiments.find_or_create(record.experiment)
        tags = {
            **dict(record.tags),
            names.NOTE: record.note,
            names.VERSION: __version__,
            **to_tags(watermark),
        }
        with tracking_errors("making the run"), self._tracking.gate:
            run = self._tracking.client.create_run(
                experiment_id, start_time=record.start_ms, tags=tags, run_name=record.title
            )
        return _known(run)

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

    def reread(self, run: KnownRun) -> KnownRun:
        """Read a run as it is now."""
        with tracking_errors("looking at the run"):
            return _known(self._tracking.client.get_run(run.run_id))

    def is_active(self, run_id: str) -> bool:
        """Whether a run is there and not deleted."""
        with tracking_errors("looking at the run"):
            return _known(self._tracking.client.get_run(run_id)).active

    def is_duplicate(self, run_id: str) -> bool:
        """Whether a run was removed because another stands for the same."""
        with tracking_errors("looking at the run"):
            run = _known(self._tracking.client.get_run(run_id))
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

    def _in_range(self, start_ms: int, end_ms: int, jobs: int) -> list[KnownRun] | None:
        """Give the runs with an ARN that start in a range; None where there are too many."""
        condition = (
            f"tags.`{names.ARN}` LIKE 'arn:%' AND attributes.start_time >= {start_ms}"
            f" AND attributes.start_time <= {end_ms}"
        )
        with listing_errors("looking for runs"):
            page = self._tracking.client.search_runs(
                self._experiments.ids,
                condition,
                ViewType.ALL,
                max_results=min(_PAGE, 3 * jobs + 50),
            )
        return None if page.token else [_known(run) for run in page]

    def _search(self, condition: str, view: int = ViewType.ALL) -> Iterator[KnownRun]:
        token = None
        while True:
            with listing_errors("looking for runs"):
                page = self._tracking.client.search_runs(
                    self._experiments.ids, condition, view, max_results=_PAGE, page_token=token
                )
            yield from (_known(run) for run in page)
            token = page.token
            if not token:
                return


def _is_beside(run: KnownRun, near: Arn) -> bool:
    """Whether a run stands for something of the same account and Region."""
    try:
        arn = Arn.parse(run.tags.get(names.ARN, ""))
    except UsageError:
        return False
    return (arn.account, arn.region) == (near.account, near.region)


def _arn_filter(arn: str) -> str:
    return f"tags.`{names.ARN}` = {literal(arn)}"


def _is_mirror_of(run: KnownRun, job: JobIdentity) -> bool:
    return run.mirrored and run.start_ms == job.created_ms


def _by_arn(
    runs: Iterable[KnownRun], jobs: Sequence[JobIdentity]
) -> dict[str, tuple[KnownRun, ...]]:
    wanted = {job.arn for job in jobs}
    found: dict[str, tuple[KnownRun, ...]] = {}
    for run in runs:
        arn = run.tags.get(names.ARN, "")
        if arn in wanted:
            found[arn] = (*found.get(arn, ()), run)
    return found


def _known(run: Run) -> KnownRun:
    tags: Mapping[str, str] = run.data.tags
    inputs = run.inputs.dataset_inputs if run.inputs else ()
    outputs = getattr(run, "outputs", None)
    return KnownRun(
        run_id=run.info.run_id,
        experiment_id=str(run.info.experiment_id),
        status=run.info.status,
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        active=run.info.lifecycle_stage == "active",
        tags=tags,
        params=run.data.params,
        metric_keys=frozenset(run.data.metrics),
        last_steps={each.key: each.step for each in run.data._metric_objs},  # noqa: SLF001 - nowhere else
        dataset_digests=frozenset(each.dataset.digest for each in inputs),
        model_ids=frozenset(each.model_id for each in outputs.model_outputs)
        if outputs
        else frozenset(),
    )
