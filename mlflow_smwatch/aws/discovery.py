"""Which jobs there are: ``Search`` where it is allowed, else ``List`` + ``Describe``.

``Search`` gives up to 100 whole job descriptions, tags included, in one call. Where it is denied or
keeps failing, ``ListTrainingJobs`` names the jobs and each that changed is described.
Every answer is redacted here, before anything else sees it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from mlflow_smwatch.aws.operations import (
    DESCRIBE_TRAINING_JOB,
    LIST_TAGS,
    LIST_TRAINING_JOBS,
    SEARCH,
)
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import to_ms, training_job
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    JobError,
    RetriableError,
    SmwatchError,
    UsageError,
)
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.redact import redact_answer

logger = logging.getLogger(__name__)

_Read = TypeVar("_Read")

PAGE_SIZE = 100
NAMES_PER_SEARCH = 20
_LONGEST_JOB = timedelta(days=90)
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NAME_CONTAINS = re.compile(r"[a-zA-Z0-9-]{1,63}")


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
    """

    since: datetime | None = None
    until: datetime | None = None
    name_contains: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def accepts(self, job: Job) -> bool:
        """Whether a job passes name and tags, whatever its times."""
        return self.accepts_name(job.name) and set(self.tags) <= set(job.tags)

    def accepts_name(self, name: str) -> bool:
        """Whether a job's name has the part that is wanted."""
        return self.name_contains is None or self.name_contains in name

    def in_time(self, modified_ms: int) -> bool:
        """Whether a LastModifiedTime (ms) lies within the bounds."""
        after = self.since is None or modified_ms >= to_ms(self.since)
        return after and (self.until is None or modified_ms <= to_ms(self.until))


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
class Found:
    """A job that was found.

    Attributes
    ----------
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
    job: Job | None = None
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotFound:
    """A job that was asked for, or listed, and cannot be had: what was asked, and why."""

    asked: str
    error: SmwatchError


def search_jobs(aws: Aws, wanted: JobFilter) -> Iterator[tuple[Found | NotFound, ...]]:
    """Find training jobs by ``Search``, oldest first, in pages of at most 100.

    Raises
    ------
    AccessDeniedError, RetriableError
        When the operation is denied or keeps failing.
    """
    for page in _search_pages(aws, _filters(wanted), operator="And"):
        found = (_understood(record, _searched) for record in page)
        yield tuple(each for each in found if _passes(each, wanted))


def _searched(record: Mapping[str, Any]) -> Found:
    return found_job(training_job(record))


def _understood(
    record: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Found]
) -> Found | NotFound:
    """Read one record; what is not understood is that one job's failure."""
    try:
        return _read(record, read)
    except JobError as error:
        asked = record.get("TrainingJobArn") or record.get("TrainingJobName") or "unnamed job"
        return NotFound(str(asked), error)


def _read(record: Mapping[str, Any], read: Callable[[Mapping[str, Any]], _Read]) -> _Read:
    try:
        return read(record)
    except (JobError, UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"AWS described the job in a way that is not understood: {error!r}"
        raise JobError(message) from error


def _passes(found: Found | NotFound, wanted: JobFilter) -> bool:
    if isinstance(found, NotFound):
        return True
    named = wanted.accepts(found.job) if found.job else wanted.accepts_name(found.name)
    return named and wanted.in_time(found.modified_ms)


def search_names(aws: Aws, names: tuple[str, ...]) -> dict[str, Found | NotFound]:
    """Find at most 20 training jobs by exact name with one ``Search``.

    Returns
    -------
    dict
        Name → job, or why it is not understood; without the names that AWS does not know.
    """
    filters = [_filter("TrainingJobName", "Equals", name) for name in names]
    pages = _search_pages(aws, filters, operator="Or")
    records = {record.get("TrainingJobName"): record for page in pages for record in page}
    return {name: _understood(records[name], _searched) for name in names if name in records}


def search_arn(aws: Aws, arn: str) -> Found | NotFound | None:
    """Find a training job by its ARN with one ``Search``; None where there is none."""
    pages = _search_pages(aws, [_filter("TrainingJobArn", "Equals", arn)], operator="And")
    record = next((record for page in pages for record in page), None)
    return None if record is None else _understood(record, _searched)


def list_jobs(aws: Aws, wanted: JobFilter) -> Iterator[tuple[Found | NotFound, ...]]:
    """Find training jobs by ``ListTrainingJobs``, oldest first; tags are not looked at.

    CreationTimeAfter is sent as well: with LastModifiedTimeAfter alone the service pages through
    the account's whole history (aws/aws-cli issue 7596).
    """
    request: dict[str, Any] = {
        "MaxResults": PAGE_SIZE,
        "SortBy": "CreationTime",
        "SortOrder": "Ascending",
    }
    if wanted.since:
        request["LastModifiedTimeAfter"] = _before(wanted.since, _SECOND)
        request["CreationTimeAfter"] = _before(wanted.since, _LONGEST_JOB)
    if wanted.until:
        request["LastModifiedTimeBefore"] = wanted.until + _SECOND
    if wanted.name_contains and _NAME_CONTAINS.fullmatch(wanted.name_contains):
        request["NameContains"] = wanted.name_contains
    while True:
        answer = ask(
            LIST_TRAINING_JOBS, aws.sagemaker.list_training_jobs, request, "TrainingJobSummaries"
        )
        page = (_understood(summary, _listed) for summary in answer["TrainingJobSummaries"])
        yield tuple(found for found in page if _passes(found, wanted))
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def describe_job(aws: Aws, name: str) -> Described:
    """Describe one training job, its tags included (``DescribeTrainingJob``, ``ListTags``).

    Raises
    ------
    UnknownJobError
        When AWS has no job of that name.
    JobError
        When what AWS says of it is not understood.
    """
    request = {"TrainingJobName": name}
    describe = aws.sagemaker.describe_training_job
    answer = ask(DESCRIBE_TRAINING_JOB, describe, request, "TrainingJobArn")
    try:
        tags = _tags(aws, answer["TrainingJobArn"])
    except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
        job = _read(redact_answer(answer), training_job)
        return Described(job=job, denied=(f"no tags: {error}",))
    return Described(job=_read(redact_answer({**answer, "Tags": tags}), training_job))


def _tags(aws: Aws, arn: str) -> list[dict[str, str]]:
    tags: list[dict[str, str]] = []
    request: dict[str, Any] = {"ResourceArn": arn, "MaxResults": PAGE_SIZE}
    while True:
        answer = ask(LIST_TAGS, aws.sagemaker.list_tags, request, "Tags")
        tags += answer["Tags"]
        if not answer.get("NextToken"):
            return tags
        request["NextToken"] = answer["NextToken"]


def _search_pages(
    aws: Aws, filters: list[dict[str, str]], operator: str
) -> Iterator[list[dict[str, Any]]]:
    request: dict[str, Any] = {
        "Resource": "TrainingJob",
        "SortBy": "CreationTime",
        "SortOrder": "Ascending",
        "MaxResults": PAGE_SIZE,
    }
    if filters:
        request["SearchExpression"] = {"Filters": filters, "Operator": operator}
    while True:
        answer = ask(SEARCH, aws.sagemaker.search, request, "Results")
        found = (each["TrainingJob"] for each in answer["Results"] if "TrainingJob" in each)
        yield [redact_answer(record) for record in found]
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def _filters(wanted: JobFilter) -> list[dict[str, str]]:
    filters = []
    if wanted.since:
        filters.append(
            _filter("LastModifiedTime", "GreaterThanOrEqualTo", _search_time(wanted.since))
        )
    if wanted.until:
        up = wanted.until + _SECOND
        filters.append(_filter("LastModifiedTime", "LessThanOrEqualTo", _search_time(up)))
    if wanted.name_contains:
        filters.append(_filter("TrainingJobName", "Contains", wanted.name_contains))
    # AWS takes no empty Value: that a tag is empty is seen in the answer.
    filters += [_filter(f"Tags.{key}", "Equals", value) for key, value in wanted.tags if value]
    return filters


def _filter(name: str, operator: str, value: str) -> dict[str, str]:
    return {"Name": name, "Operator": operator, "Value": value}


def _before(moment: datetime, span: timedelta) -> datetime:
    """Go back in time, to the epoch at most."""
    return max(moment, _EPOCH + span) - span


def _search_time(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def found_job(job: Job, denied: tuple[str, ...] = ()) -> Found:
    """Wrap a job whose whole description is at hand."""
    return Found(
        denied=denied,
        arn=str(job.arn),
        name=job.name,
        created_ms=job.created_ms,
        modified_ms=job.modified_ms,
        job=job,
    )


def _listed(summary: Mapping[str, Any]) -> Found:
    created = summary["CreationTime"]
    return Found(
        arn=str(Arn.parse(summary["TrainingJobArn"])),
        name=summary["TrainingJobName"],
        created_ms=to_ms(created),
        modified_ms=to_ms(summary.get("LastModifiedTime") or created),
    )
