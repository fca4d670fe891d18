"""What is found of the jobs of an account: whole jobs, or what a listing tells of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from mlflow_smwatch.aws.kinds import CALLS, KindCalls
from mlflow_smwatch.aws.search import Filter, contains, created_in, equals, modified_between
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.decay import WHOLE, CreatedSpan
from mlflow_smwatch.core.describe import job_of, to_ms
from mlflow_smwatch.core.errors import JobError, SmwatchError, UsageError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import KINDS, TRAINING_JOB
from mlflow_smwatch.core.moments import from_ms

PAGE_SIZE = 100
"""Jobs on a page, at most."""

_LONGEST_JOB = timedelta(days=90)
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NAME_CONTAINS = re.compile(r"[a-zA-Z0-9-]{1,63}")
_NO_TAGS = "no tags: "


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to find.

    Attributes
    ----------
    since, until
        Bounds on LastModifiedTime, aware UTC, both inclusive; None leaves a side open.
    name_contains
        A part of the job's name, or None.
    tags
        Resource tags that a job must have.
    created
        Bounds on CreationTime.
    """

    since: datetime | None = None
    until: datetime | None = None
    name_contains: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    created: CreatedSpan = WHOLE

    def accepts(self, job: Job) -> bool:
        """Whether a job passes name and tags, whatever its times."""
        return self.accepts_name(job.name, job.title) and set(self.tags) <= set(job.tags)

    def accepts_name(self, *names: str | None) -> bool:
        """Whether one of a job's names has the part that is wanted."""
        part = self.name_contains
        return part is None or any(part in name for name in names if name)

    def in_time(self, modified_ms: int) -> bool:
        """Whether a LastModifiedTime (ms) lies within the bounds."""
        after = self.since is None or modified_ms >= to_ms(self.since)
        return after and (self.until is None or modified_ms <= to_ms(self.until))

    def in_search_time(self, modified_ms: int) -> bool:
        """Whether ``Search`` finds a LastModifiedTime (ms): it sees the bounds in whole seconds."""
        after = self.since is None or modified_ms >= to_ms(self.since.replace(microsecond=0))
        up = self.until and (self.until + _SECOND).replace(microsecond=0)
        return after and (up is None or modified_ms <= to_ms(up))

    def search_filters(self, name: str | None = None) -> list[Filter]:
        """Say the same to ``Search``; name and tags only where the field of the name is given.

        AWS takes no empty Value: that a tag is empty is seen in the answer.
        """
        filters = modified_between(self.since, self.until) + created_in(self.created)
        if name and self.name_contains:
            filters.append(contains(name, self.name_contains))
        tags = self.tags if name else ()
        return filters + [equals(f"Tags.{key}", value) for key, value in tags if value]

    def list_request(self, calls: KindCalls) -> dict[str, Any]:
        """Say the same to a ``List`` operation, oldest first; tags cannot be said.

        CreationTimeAfter is sent as well: with LastModifiedTimeAfter alone the service pages
        through the account's whole history (aws/aws-cli issue 7596).
        """
        request: dict[str, Any] = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
        if calls.listed_whole:
            return request
        named = self.name_contains and _NAME_CONTAINS.fullmatch(self.name_contains)
        bounds = {
            "LastModifiedTimeAfter": _before(self.since, _SECOND) if self.since else None,
            "LastModifiedTimeBefore": self.until + _SECOND if self.until else None,
            "CreationTimeAfter": self.created_after,
            "CreationTimeBefore": self.created_before,
            "NameContains": self.name_contains if named else None,
        }
        return request | {key: value for key, value in bounds.items() if value is not None}

    @property
    def created_after(self) -> datetime | None:
        """When the oldest job may have begun, but for a second; None where that is open."""
        begin_ms = self.created.begin_ms
        bounds = (
            _before(self.since, _LONGEST_JOB) if self.since else None,
            None if begin_ms is None else _before(from_ms(begin_ms), _SECOND),
        )
        return max((each for each in bounds if each), default=None)

    @property
    def created_before(self) -> datetime | None:
        """When the youngest job may have begun, but for a second; None where that is open."""
        end_ms = self.created.end_ms
        return None if end_ms is None else from_ms(end_ms) + _SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A job that was described by name.

    Attributes
    ----------
    job
        The job.
    denied
        What of it could not be read, in words.
    """

    job: Job
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What AWS said of one job, before it is understood.

    Attributes
    ----------
    word
        The kind.
    content
        The description, redacted, with what further operations tell under keys of their own.
    denied
        What of it could not be read, in words.
    """

    word: str
    content: dict[str, Any] = field(repr=False)
    denied: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """The job's ARN; empty where AWS does not say it."""
        return str(self.content.get(CALLS[self.word].arn) or "")

    def described(self) -> Described:
        """Understand it.

        Raises
        ------
        JobError
            When it is not understood.
        """
        try:
            return Described(job=job_of(KINDS[self.word], self.content), denied=self.denied)
        except (JobError, UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_understood(error) from error

    def found(self) -> Found | NotFound:
        """Understand it; what is not understood is that one job's failure."""
        try:
            described = self.described()
        except JobError as error:
            name = self.arn or self.content.get(CALLS[self.word].name) or f"unnamed {self.word}"
            return NotFound(str(name), error)
        return found_job(described.job, described.denied)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A job that was found.

    Attributes
    ----------
    kind
        Word of its kind.
    arn, name, created_ms, modified_ms
        What every listing tells.
    job
        The whole job, or None where the listing does not carry it.
    denied
        What of the job could not be read, in words.
    """

    arn: str
    name: str
    created_ms: int
    modified_ms: int
    kind: str = TRAINING_JOB.word
    job: Job | None = None
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotFound:
    """A job that was asked for, or listed, and cannot be had.

    Attributes
    ----------
    asked
        What was asked.
    error
        Why it cannot be had.
    successor_ms
        CreationTime of the one that has its name by now; None where there is none.
    """

    asked: str
    error: SmwatchError
    successor_ms: int | None = None


Page = tuple[Found | NotFound, ...]


def found_job(job: Job, denied: tuple[str, ...] = ()) -> Found:
    """Wrap a job whose whole description is at hand."""
    return Found(
        kind=job.kind.word,
        denied=denied,
        arn=str(job.arn),
        name=job.name,
        created_ms=job.created_ms,
        modified_ms=job.modified_ms,
        job=job,
    )


def listed(word: str, summary: Mapping[str, Any]) -> Found | NotFound:
    """Take what a listing tells of a job; what is not understood is that one job's failure."""
    calls = CALLS[word]
    try:
        created = summary["CreationTime"]
        return Found(
            kind=word,
            arn=str(Arn.parse(summary[calls.arn])),
            name=summary[calls.name],
            created_ms=to_ms(created),
            modified_ms=to_ms(summary.get("LastModifiedTime") or created),
        )
    except (UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
        asked = summary.get(calls.arn) or summary.get(calls.name) or f"unnamed {word}"
        return NotFound(str(asked), _not_understood(error))


def passing(page: Iterable[Found | NotFound], wanted: JobFilter) -> Page:
    """Keep what a filter wants of a page, as far as its listing tells."""
    return tuple(each for each in page if _passes(each, wanted))


def _passes(found: Found | NotFound, wanted: JobFilter) -> bool:
    if isinstance(found, NotFound):
        return True
    if not wanted.created.holds(found.created_ms):
        return False
    named = wanted.accepts(found.job) if found.job else wanted.accepts_name(found.name)
    return named and wanted.in_time(found.modified_ms)


def no_tags(error: SmwatchError) -> str:
    """Say that a job's tags could not be read."""
    return f"{_NO_TAGS}{error}"


def without_tags(answer: Answer) -> bool:
    """Whether a job's tags could not be read."""
    return any(text.startswith(_NO_TAGS) for text in answer.denied)


def with_tags(found: Found | NotFound) -> Found | NotFound:
    """Refuse a job of which nobody can say whether it has the tags that are wanted.

    Parameters
    ----------
    found
        A job.

    Returns
    -------
    Found or NotFound
        The job itself, if its tags are known.
    """
    unknown = [text for text in getattr(found, "denied", ()) if text.startswith(_NO_TAGS)]
    if unknown and isinstance(found, Found):
        message = f"--tag cannot be applied: {'; '.join(unknown)}"
        return NotFound(found.arn, JobError(message))
    return found


def _not_understood(error: Exception) -> JobError:
    return JobError(f"AWS described the job in a way that is not understood: {error!r}")


def _before(moment: datetime, span: timedelta) -> datetime:
    """Go back in time, to the epoch at most."""
    return max(moment, _EPOCH + span) - span
