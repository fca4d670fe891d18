"""Which MLflow run stands for a job: one ARN and one CreationTime, one run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.job_kinds import PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB
from mlflow_smwatch.core.watermark import STATE_TAG, Watermark, from_tags

_WITH_SCRIPT = frozenset({TRAINING_JOB.word, PROCESSING_JOB.word, TRANSFORM_JOB.word})
"""Kinds whose containers run a script, which may log a run of its own."""

IDENTITY = (names.ARN, names.CREATED, names.KIND, names.NAME, names.ACCOUNT, names.REGION)
"""All that a note on a forgotten job tells of it."""

COMING_BACK = "over"
"""What ``smwatch.forgotten`` says of a run that is wanted again, until it is written."""


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
    artifact_uri
        Where its artifacts lie; None where that is not known.
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
    artifact_uri: str | None = None

    @property
    def watermark(self) -> Watermark | None:
        """What the mirror noted on it, None where it never wrote."""
        return from_tags(self.tags)

    @property
    def mirrored(self) -> bool:
        """Whether the mirror made this run, so that it may also remove it."""
        return names.VERSION in self.tags

    @property
    def written(self) -> bool:
        """Whether a pass has written it to the end once."""
        watermark = self.watermark
        return watermark is not None and watermark.fingerprint is not None


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
    displaced
        Runs of the mirror's own in whose place the adopted one comes, to be removed once that is
        written.
    notes
        Notes that the job is forgotten, which their maker did not get to delete.
    """

    run: KnownRun | None = None
    adopted: bool = False
    duplicates: tuple[KnownRun, ...] = ()
    displaced: tuple[KnownRun, ...] = ()
    notes: tuple[KnownRun, ...] = ()


def is_note(run: KnownRun) -> bool:
    """Whether a run holds nothing but that its job is forgotten, be it deleted yet or not."""
    facts = (key for key in run.tags if names.is_fact(key) and key not in IDENTITY)
    return run.tags.get(names.FORGOTTEN) not in {None, COMING_BACK} and not any(facts)


def match(job: JobIdentity, candidates: Iterable[KnownRun], sealed: Collection[str] = ()) -> Match:
    """Choose the run of a job among those that carry its ARN.

    A run that the job logged itself comes first, unless the mirror's own is final; then the
    mirror's own, the oldest if two mirrors made one each. Everything else is foreign and is left
    alone. Anyone may copy tags: where one of the mirror's own is sealed, no other comes in its
    place, also after the user deleted it; and where one starts when the job does, another that
    does not is a user's copy and foreign. A note that a job is forgotten is as good as deleted.

    Parameters
    ----------
    job
        The job.
    candidates
        Runs, deleted ones included.
    sealed
        Ids of those that the mirror has sealed for this job.
    """
    runs = [run for run in candidates if _is_named(run, job)]
    own = _genuine([run for run in runs if run.mirrored and _same_creation(run, job)], job)
    own.sort(key=lambda run: (run.run_id not in sealed, *_age(run)))
    alive = tuple(run for run in own if _is_alive(run))
    notes = tuple(run for run in own if run.active and is_note(run))
    logged = sorted(
        (run for run in runs if not run.mirrored and _logged_by(run, job)),
        key=lambda run: (not _is_held(run, job), run.start_ms, run.run_id),
    )
    if logged and not any(_is_settled(run, logged) for run in alive):
        return Match(run=logged[0], adopted=True, displaced=alive, notes=notes)
    removed = [run for run in (*own, *runs) if _was_removed(run, job)]
    if alive and (alive[0].run_id in sealed or not any(run.run_id in sealed for run in removed)):
        return Match(run=alive[0], duplicates=alive[1:], notes=notes)
    return Match(run=removed[0] if removed else None, notes=notes)


def may_be_logged(run: KnownRun, job: JobIdentity) -> bool:
    """Whether a run is one that the job logged itself, should SageMaker say that it is."""
    if run.mirrored or not run.active or names.PARENT in run.tags:
        return False
    return job.kind in _WITH_SCRIPT and job.created_ms <= run.start_ms <= job.life_end_ms


def _is_named(run: KnownRun, job: JobIdentity) -> bool:
    """Whether a run carries a job's ARN, which may hold its name in small letters."""
    arn = run.tags.get(names.ARN, "")
    return arn.lower() == job.arn.lower() or run.run_id == job.own_run_id


def _was_removed(run: KnownRun, job: JobIdentity) -> bool:
    """Whether the user deleted this run of the job, which the mirror had made or adopted."""
    written = not _is_alive(run) and (run.mirrored or STATE_TAG in run.tags)
    return written and _same_creation(run, job) and names.DUPLICATE_OF not in run.tags


def _is_alive(run: KnownRun) -> bool:
    return run.active and not is_note(run)


def _same_creation(run: KnownRun, job: JobIdentity) -> bool:
    return run.tags.get(names.CREATED) == iso_utc(job.created_ms)


def _genuine(own: list[KnownRun], job: JobIdentity) -> list[KnownRun]:
    """Leave out copies: the mirror starts a run when the job started, and nobody can edit that."""
    return [run for run in own if run.start_ms == job.created_ms] or own


def _age(run: KnownRun) -> tuple[bool, bool, int, str]:
    """Put the oldest first; one of unknown age is none that a mirror has just made."""
    try:
        watermark = run.watermark
    except JobError:
        watermark = None
    made_ms = watermark.made_ms if watermark else 0
    return names.DUPLICATE_OF in run.tags, watermark is None, made_ms, run.run_id


def _is_settled(run: KnownRun, logged: Iterable[KnownRun]) -> bool:
    """Whether a run of the mirror's own is never exchanged: it is final.

    It is exchanged all the same where that was begun before: another mirror did not know of it.
    """
    begun = any(each.run_id == run.tags.get(names.DUPLICATE_OF) for each in logged)
    watermark = run.watermark
    return watermark is not None and watermark.final and not begun


def _is_held(run: KnownRun, job: JobIdentity) -> bool:
    """Whether the mirror has adopted a run before."""
    return STATE_TAG in run.tags and _same_creation(run, job)


def _logged_by(run: KnownRun, job: JobIdentity) -> bool:
    """Whether the job's own script logged this run: a top-level run within the job's life.

    One that was adopted stays so, also where a user has put it below another run since.
    """
    if run.active and job.kind in _WITH_SCRIPT and _is_held(run, job):
        return True
    if not may_be_logged(run, job):
        return False
    said = {names.KIND: job.kind, names.REGION: job.region}
    tagged = all(run.tags.get(key) == value for key, value in said.items())
    same_name = run.tags.get(names.NAME, "").lower() == job.name.lower()
    return (tagged and same_name) or run.run_id == job.own_run_id
