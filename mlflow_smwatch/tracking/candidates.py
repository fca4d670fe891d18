"""Which runs may stand for a page of jobs, found with few searches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlflow.entities import ViewType

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import TrackingError
from mlflow_smwatch.core.matching import JobIdentity, KnownRun, may_be_logged
from mlflow_smwatch.tracking.conditions import literal
from mlflow_smwatch.tracking.run_search import RunSearch

_FEW = 3
_WITH_ARN = f"tags.`{names.ARN}` LIKE 'arn:%'"
_NOT_OURS = f"tags.`{names.VERSION}` IS NULL AND tags.`{names.PARENT}` IS NULL"
_INVALID = "INVALID_PARAMETER_VALUE"

Found = Mapping[str, tuple[KnownRun, ...]]
"""ARN → runs."""


class Candidates:
    """Finds runs for jobs.

    Parameters
    ----------
    runs
        Searches the store.
    managed
        Whether it is a SageMaker-managed server.
    """

    def __init__(self, runs: RunSearch, *, managed: bool) -> None:
        self._runs = runs
        self._managed = managed

    def find(self, jobs: Sequence[JobIdentity]) -> dict[str, tuple[KnownRun, ...]]:
        """Find the runs that carry the ARN of one of these jobs, deleted runs included.

        A database is asked for the ARNs. Elsewhere, ``search_runs`` knows neither OR nor IN on
        tags: a run of the mirror's starts at the job's CreationTime and one that the job logged
        itself within its life, so a page of jobs costs one query over a range of start times, as
        long as few other runs lie in it. Else runs that the mirror made are looked for where they
        start, and the others by another query, or by the ARN of each job whose run is not final.

        Parameters
        ----------
        jobs
            A page of jobs.

        Returns
        -------
        dict[str, tuple[KnownRun, ...]]
            ARN → runs; ARNs without a run are absent. In a SageMaker-managed server SageMaker makes
            runs for jobs, without an ARN: the top-level ones within a job's life are given too.

        Raises
        ------
        TrackingError
            When MLflow cannot search.
        """
        found = self._find(jobs)
        return self._with_unnamed(jobs, found) if self._managed else found

    def _find(self, jobs: Sequence[JobIdentity]) -> dict[str, tuple[KnownRun, ...]]:
        listed = self._runs.with_arns(job.arn for job in jobs)
        if listed is not None:
            return _by_arn(listed, jobs)
        if len(jobs) <= _FEW:
            return self._by_each_arn(jobs)
        first, last = min(job.created_ms for job in jobs), max(job.created_ms for job in jobs)
        end_ms = max(job.life_end_ms for job in jobs)
        wide = self._runs.in_range(_WITH_ARN, first, end_ms, len(jobs))
        if wide is not None:
            return _by_arn(wide, jobs)
        made = _by_arn(self._runs.in_range(_WITH_ARN, first, last, len(jobs)) or (), jobs)
        unsettled = [job for job in jobs if not _is_settled(made.get(job.arn, ()), job)]
        missing = [job for job in unsettled if not _is_mirrored(made.get(job.arn, ()), job)]
        logged = self._logged_in_range(first, end_ms, len(jobs)) if len(unsettled) > _FEW else None
        if logged is None:
            return made | self._by_each_arn(unsettled)
        return _joined(made | self._by_each_arn(missing), _by_arn(logged, jobs))

    def _by_each_arn(self, jobs: Sequence[JobIdentity]) -> dict[str, tuple[KnownRun, ...]]:
        found: dict[str, tuple[KnownRun, ...]] = {}
        for job in jobs:
            found.update(_by_arn(self._runs.search(_same_arn_filter(job.arn)), [job]))
        return found

    def _logged_in_range(self, start_ms: int, end_ms: int, jobs: int) -> list[KnownRun] | None:
        """Give the top-level runs with an ARN that the mirror did not make.

        None where there are too many, or where MLflow is too old to know IS NULL.
        """
        condition = f"{_WITH_ARN} AND {_NOT_OURS}"
        try:
            return self._runs.in_range(condition, start_ms, end_ms, jobs)
        except TrackingError as error:
            cause = error.__cause__.__cause__ if error.__cause__ else None
            if getattr(cause, "error_code", None) != _INVALID:
                raise
            return None

    def _with_unnamed(
        self, jobs: Sequence[JobIdentity], found: dict[str, tuple[KnownRun, ...]]
    ) -> dict[str, tuple[KnownRun, ...]]:
        """Add the runs without an ARN that may be a job's own, of jobs that are not settled."""
        open_jobs = [job for job in jobs if not _is_settled(found.get(job.arn, ()), job)]
        if not open_jobs:
            return found
        first = min(job.created_ms for job in open_jobs)
        end_ms = max(job.life_end_ms for job in open_jobs)
        condition = f"attributes.start_time >= {first} AND attributes.start_time <= {end_ms}"
        runs = [
            run
            for run in self._runs.search(condition, ViewType.ACTIVE_ONLY)
            if names.ARN not in run.tags
        ]
        unnamed = {
            job.arn: tuple(run for run in runs if may_be_logged(run, job)) for job in open_jobs
        }
        return _joined(found, unnamed)


def _same_arn_filter(arn: str) -> str:
    """Find an ARN in whatever letters it is written."""
    return f"tags.`{names.ARN}` ILIKE {literal(arn)}"


def _is_mirrored(runs: Iterable[KnownRun], job: JobIdentity) -> bool:
    return any(run.mirrored and run.start_ms == job.created_ms for run in runs)


def _is_settled(runs: Iterable[KnownRun], job: JobIdentity) -> bool:
    """Whether no run that the job logged itself can take the place of the mirror's own."""
    return any(
        run.active
        and run.tags.get(names.FINAL) == "true"
        and names.DUPLICATE_OF not in run.tags
        and _is_mirrored((run,), job)
        for run in runs
    )


def _joined(
    some: Mapping[str, tuple[KnownRun, ...]], others: Mapping[str, tuple[KnownRun, ...]]
) -> dict[str, tuple[KnownRun, ...]]:
    """Join what two queries found."""
    joined = dict(some)
    for arn, runs in others.items():
        have = {run.run_id for run in joined.get(arn, ())}
        joined[arn] = (*joined.get(arn, ()), *(run for run in runs if run.run_id not in have))
    return joined


def _by_arn(
    runs: Iterable[KnownRun], jobs: Sequence[JobIdentity]
) -> dict[str, tuple[KnownRun, ...]]:
    wanted = {job.arn.lower(): job.arn for job in jobs}
    found: dict[str, tuple[KnownRun, ...]] = {}
    for run in runs:
        arn = wanted.get(run.tags.get(names.ARN, "").lower())
        if arn is not None:
            found[arn] = (*found.get(arn, ()), run)
    return found
