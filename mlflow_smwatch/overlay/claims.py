"""Whether a run stands for the job that it names: decided by its seal and by what AWS says."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import JobKind, kind_of
from mlflow_smwatch.core.seal import is_sealed, knowledge, sealed_creation_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What MLflow says of a run.

    Attributes
    ----------
    run_id
        The run.
    start_ms
        When it began; None where MLflow does not say.
    arn, seal
        Its tags ``sagemaker.arn`` and ``smwatch.seal``, which anyone may have edited.
    """

    run_id: str
    start_ms: int | None
    arn: str | None
    seal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """By what a process believes a run.

    Attributes
    ----------
    key
        The store's key; where there is one, only its seal counts.
    for_others
        Whether the process reads AWS with its own rights on behalf of others, as a tracking server
        does.
    """

    key: bytes | None
    for_others: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run's word for which job it stands for, as far as MLflow alone can tell.

    Attributes
    ----------
    run
        The run.
    arn, kind
        Of the job.
    created_ms
        CreationTime that its seal speaks of; None where it has no seal and needs none.
    verifier
        By what it is believed.
    """

    run: RunFacts
    arn: Arn
    kind: JobKind
    created_ms: int | None
    verifier: Verifier

    def holds(self, job: Job) -> bool:
        """Whether what AWS describes under the ARN is the job that the run was made for.

        Parameters
        ----------
        job
            What AWS describes.
        """
        if job.arn != self.arn:
            return False
        same_job = job.created_ms == self.created_ms
        if self.verifier.key is not None:
            return same_job
        known = knowledge(str(job.arn), job.created_ms, job.role_arn)
        if is_sealed(self.run.seal, known, self.run.run_id, str(job.arn), job.created_ms):
            return True
        return not self.verifier.for_others and _within_life(self.run.start_ms, job)


def claim(run: RunFacts, verifier: Verifier) -> Claim | None:
    """Read what a run claims; None where it claims no job, or is not believed.

    Parameters
    ----------
    run
        The run.
    verifier
        By what it is believed.
    """
    try:
        arn = Arn.parse(run.arn or "")
    except UsageError:
        return None
    kind, created_ms = kind_of(arn), sealed_creation_ms(run.seal)
    if kind is None or not _believable(run, arn, created_ms, verifier):
        return None
    return Claim(run=run, arn=arn, kind=kind, created_ms=created_ms, verifier=verifier)


def _believable(run: RunFacts, arn: Arn, created_ms: int | None, verifier: Verifier) -> bool:
    if created_ms is None:
        return verifier.key is None and not verifier.for_others
    if verifier.key is None:
        return True
    return is_sealed(run.seal, verifier.key, run.run_id, str(arn), created_ms)


def _within_life(start_ms: int | None, job: Job) -> bool:
    if start_ms is None or start_ms < job.created_ms:
        return False
    return job.ended_ms is None or start_ms <= job.ended_ms
