"""What a user typed, or an ARN that MLflow holds → which kinds of jobs it may stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlflow_smwatch.aws.kinds import BY_ARN, CALLS
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import JobError, UsageError
from mlflow_smwatch.core.job_kinds import KINDS, PIPELINE_EXECUTION, JobKind, kind_of, name_in
from mlflow_smwatch.core.not_mirrored import why_not

_NAME = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9])*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One kind of job that a text may stand for.

    Attributes
    ----------
    text
        What was asked.
    word
        The kind.
    key
        Name, or ARN where the kind is found by that.
    """

    text: str
    word: str
    key: str

    @property
    def name(self) -> str:
        """What people call it."""
        return name_in(Arn.parse(self.key)) if is_arn(self.key) else self.key


def questions_of(
    text: str, kinds: frozenset[str], region: str, known_name: str | None = None
) -> tuple[Question, ...]:
    """Say which kinds of jobs a text may stand for: an ARN for its own, a bare name for all.

    Parameters
    ----------
    text
        Name or ARN.
    kinds
        Words of the kinds that a bare name may stand for.
    region
        Where the jobs are.
    known_name
        Name of the job: SageMaker may write a name in small letters into its ARN (boto/boto3 issue
        4606), so that the name cannot be told from the ARN alone.

    Raises
    ------
    UsageError, JobError
        When it can be none.
    """
    if is_arn(text):
        return (_question_of_arn(text, region, known_name),)
    fitting = [word for word in CALLS if word in kinds and _is_name(text, word)]
    if not fitting:
        raise _no_name(text, max((CALLS[word].longest_name for word in kinds), default=0))
    return tuple(Question(text=text, word=word, key=text) for word in fitting)


def _question_of_arn(text: str, region: str, known_name: str | None) -> Question:
    arn = Arn.parse(text)
    kind = kind_of(arn)
    if kind is None:
        known = ", ".join(KINDS)
        message = why_not(text) or f"{text} is not the ARN of what is mirrored: {known}"
        raise JobError(message)
    if arn.region != region:
        message = f"{text} lies in {arn.region}, not in {region}: --region {arn.region}"
        raise JobError(message)
    name = name_in(arn)
    _require_name(name, kind)
    known = known_name or name
    spelled = known if known.lower() == name.lower() else name
    return Question(text=text, word=kind.word, key=text if kind.word in BY_ARN else spelled)


def _require_name(name: str, kind: JobKind) -> None:
    if kind is not PIPELINE_EXECUTION and not _is_name(name, kind.word):
        raise _no_name(name, CALLS[kind.word].longest_name)


def _is_name(text: str, word: str) -> bool:
    return len(text) <= CALLS[word].longest_name and _NAME.fullmatch(text) is not None


def _no_name(text: str, longest: int) -> UsageError:
    message = f"{text!r} is no job name: letters, digits and hyphens, {longest} at most"
    return UsageError(message)
