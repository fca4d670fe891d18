"""SageMaker's ``Search``: up to 100 whole records a call, redacted.

Where it is denied or keeps failing it is not tried again, and the caller takes the dearer way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import islice
from threading import Lock
from typing import Any, TypeVar

from mlflow_smwatch.aws.listing import PAGE_SIZE
from mlflow_smwatch.aws.operations import SEARCH
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.decay import CreatedSpan
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    JobError,
    RetriableError,
    SmwatchError,
)
from mlflow_smwatch.core.moments import from_ms

VALUES_PER_SEARCH = 20
"""Filters in one expression ("Search", SearchExpression)."""

_SECOND = timedelta(seconds=1)
_RECORDS = {"ExperimentTrial": "Trial", "ExperimentTrialComponent": "TrialComponent"}
_Item = TypeVar("_Item")
Record = dict[str, Any]
Filter = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of an answer.

    Attributes
    ----------
    records
        Redacted, unless that was not wanted.
    hits
        How many records there are on all pages, or at least that many.
    is_exact
        Whether AWS has counted them all.
    """

    records: list[Record]
    hits: int = 0
    is_exact: bool = False


@dataclass
class Searcher:
    """Searches one account and Region as long as that is allowed.

    May be used by several threads.

    Attributes
    ----------
    works
        False once ``Search`` was denied, or kept failing.
    error
        Why it is not used, or was not at least once.
    warnings
        Why a dearer way was taken, in words; each once.
    """

    aws: Aws
    works: bool = True
    error: SmwatchError | None = None
    warnings: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def pages(
        self,
        resource: str,
        filters: list[Filter],
        operator: str = "And",
        *,
        redacted: bool = True,
    ) -> Iterator[SearchPage]:
        """Search page by page, oldest first.

        Parameters
        ----------
        resource
            What to search.
        filters, operator
            Which of them.
        redacted
            False for records to which the caller adds before it redacts the whole.

        Raises
        ------
        AccessDeniedError, RetriableError, InvalidRequestError
            When the operation is denied, keeps failing or does not take the filters.
        """
        request: dict[str, Any] = {
            "Resource": resource,
            "SortBy": "CreationTime",
            "SortOrder": "Ascending",
            "MaxResults": PAGE_SIZE,
        }
        if filters:
            request["SearchExpression"] = {"Filters": filters, "Operator": operator}
        for answer in answers(SEARCH, self.aws.sagemaker.search, request, "Results"):
            yield self._page(answer, _RECORDS.get(resource, resource), redacted=redacted)

    def count(self, resource: str, filters: list[Filter]) -> int:
        """Tell by one small call how many records there are, or at least are; 0 if it fails."""
        request: dict[str, Any] = {"Resource": resource, "MaxResults": 1}
        if filters:
            request["SearchExpression"] = {"Filters": filters, "Operator": "And"}
        try:
            answer = ask(SEARCH, self.aws.sagemaker.search, request, "Results")
        except (AccessDeniedError, RetriableError, JobError):
            return 0
        return self._page(answer, resource, redacted=False).hits

    def matching(
        self, resource: str, filters: Iterable[Filter], instead: str, *, redacted: bool = True
    ) -> list[Record] | None:
        """Search for what matches any of some filters, 20 a call.

        Parameters
        ----------
        resource
            What to search.
        filters
            Any number.
        instead
            What the caller does where ``Search`` gives nothing, for the warning.
        redacted
            As of :meth:`pages`.

        Returns
        -------
        list of dict or None
            Records; None where ``Search`` cannot be used.
        """
        if not self.works:
            return None
        found: list[Record] = []
        try:
            for some in chunks(filters, VALUES_PER_SEARCH):
                for page in self.pages(resource, list(some), "Or", redacted=redacted):
                    found += page.records
        except (AccessDeniedError, RetriableError, JobError) as error:
            self.give_up(error, instead)
            return None
        return found

    def _page(self, answer: Mapping[str, Any], record_name: str, *, redacted: bool) -> SearchPage:
        hits = answer.get("TotalHits") or {}
        records = [each[record_name] for each in answer["Results"] if record_name in each]
        return SearchPage(
            records=[self.aws.redaction.answer(each) for each in records] if redacted else records,
            hits=hits.get("Value") or 0,
            is_exact=hits.get("Relation") == "EqualTo",
        )

    def give_up(self, error: SmwatchError, instead: str) -> None:
        """Go without ``Search``: for good, or for what it does not take for this one request."""
        self.error = error
        if not isinstance(error, InvalidRequestError):
            self.works = False
            instead = "List and Describe operations"
        self.warn(f"{error}; using {instead} instead, which takes more calls")

    def warn(self, warning: str) -> None:
        """Keep a warning, each once."""
        with self._lock:
            if warning not in self.warnings:
                self.warnings.append(warning)


def equals(name: str, value: str) -> Filter:
    """Make a filter for one exact value."""
    return {"Name": name, "Operator": "Equals", "Value": value}


def contains(name: str, value: str) -> Filter:
    """Make a filter for a part of a text."""
    return {"Name": name, "Operator": "Contains", "Value": value}


def modified_between(since: datetime | None, until: datetime | None) -> list[Filter]:
    """Make the filters of a window on LastModifiedTime; they see whole seconds.

    Parameters
    ----------
    since, until
        Aware; both sides inclusive, and up to a second more.
    """
    bounds = (("GreaterThanOrEqualTo", since), ("LessThanOrEqualTo", until and until + _SECOND))
    return [
        {"Name": "LastModifiedTime", "Operator": operator, "Value": _search_time(moment)}
        for operator, moment in bounds
        if moment
    ]


def created_in(span: CreatedSpan) -> list[Filter]:
    """Make the filters of a span of CreationTime; they see whole seconds, as the span does."""
    bounds = (("GreaterThanOrEqualTo", span.begin_ms), ("LessThan", span.end_ms))
    return [
        {"Name": "CreationTime", "Operator": operator, "Value": _search_time(from_ms(bound_ms))}
        for operator, bound_ms in bounds
        if bound_ms is not None
    ]


def chunks(items: Iterable[_Item], size: int) -> Iterator[tuple[_Item, ...]]:
    """Cut items into tuples of a size; the last may be shorter."""
    remaining = iter(items)
    while chunk := tuple(islice(remaining, size)):
        yield chunk


def _search_time(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
