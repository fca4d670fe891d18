"""Which MLflow run stands for a job: one ARN and one CreationTime, one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.watermark import STATE_TAG, Watermark, from_tags


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run as MLflow has it.

    Attributes
    ----------
    active
        False for a run that was deleted.
    tags, params
        All of them.
    metric_keys
        Keys that have a point.
    last_steps
        Key → the highest step that it has.
    dataset_digests
        Digests of its dataset inputs.
    model_ids
        Models that are linked as its outputs.
    """

    run_id: str
    experiment_id: str
    status: str
    start_ms: int
    end_ms: int | None
    active: bool
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    metric_keys: frozenset[str] = frozenset()
    last_steps: Mapping[str, int] = field(default_factory=dict)
    dataset_digests: frozenset[str] = frozenset()
    model_ids: frozenset[str] = frozenset()

    @property
    def watermark(self) -> Watermark | None:
        """What the mirror noted on it, None where it never wrote."""
        return from_tags(self.tags)

    @property
    def mirrored(self) -> bool:
        """Whether the mirror made this run, so that it may also remove it."""
        return names.VERSION in self.tags


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIdentity:
    """What a run must agree with to stand for a job.

    Attributes
    ----------
    arn, name, kind, region
        As AWS gives them.
    created_ms
        CreationTime; a deleted name that is used again has another.
    life_end_ms
        Until when the job's own script can have started a run: its end, or the present.
    own_run_id
        The run that SageMaker says the job logged itself, if it says so.
    """

    arn: str
    name: str
    kind: str
    region: str
    created_ms: int
    life_end_ms: int
    own_run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The run of a job.

    Attributes
    ----------
    run
        The run, None where there is none yet.
    adopted
        True where the job logged it itself and the mirror takes it over.
    duplicates
        Further runs of the mirror's own for the same job, to be removed.
    """

    run: KnownRun | None = None
    adopted: bool = False
    duplicates: tuple[KnownRun, ...] = ()


def match(job: JobIdentity, candidates: Iterable[KnownRun]) -> Match:
    """Choose the run of a job among those that carry its ARN.

    The mirror's own run comes first, the oldest if two mirrors made one each; then a run that the
    job logged itself. Everything else is foreign and is left alone.

    Parameters
    ----------
    job
        The job.
    candidates
        Runs, deleted ones included.
    """
    runs = [run for run in candidates if run.tags.get(names.ARN) == job.arn]
    own = [run for run in runs if run.mirrored and _same_creation(run, job)]
    alive = sorted((run for run in own if run.active), key=_age)
    if alive:
        return Match(run=alive[0], duplicates=tuple(alive[1:]))
    logged = sorted(
        (run for run in runs if not run.mirrored and _logged_by(run, job)),
        key=lambda run: (run.start_ms, run.run_id),
    )
    if logged:
        return Match(run=logged[0], adopted=True)
    removed = [run for run in runs if _was_removed(run, job)]
    return Match(run=removed[0] if removed else None)


def _was_removed(run: KnownRun, job: JobIdentity) -> bool:
    """Whether the user deleted this run of the job, which the mirror had made or adopted."""
    written = not run.active and (run.mirrored or STATE_TAG in run.tags)
    return written and _same_creation(run, job) and names.DUPLICATE_OF not in run.tags


def _same_creation(run: KnownRun, job: JobIdentity) -> bool:
    return run.tags.get(names.CREATED) == iso_utc(job.created_ms)


def _age(run: KnownRun) -> tuple[bool, int, str]:
    watermark = run.watermark
    return names.DUPLICATE_OF in run.tags, watermark.made_ms if watermark else 0, run.run_id


def _logged_by(run: KnownRun, job: JobIdentity) -> bool:
    """Whether the job's own script logged this run: a top-level run within the job's life."""
    if not run.active or names.PARENT in run.tags:
        return False
    if not job.created_ms <= run.start_ms <= job.life_end_ms:
        return False
    said = {names.KIND: job.kind, names.NAME: job.name, names.REGION: job.region}
    tagged = all(run.tags.get(key) == value for key, value in said.items())
    return tagged or run.run_id == job.own_run_id
