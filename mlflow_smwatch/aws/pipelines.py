"""Executions of pipelines: which there are, and all that AWS tells of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from mlflow_smwatch.aws.discovery import Answer, Found, JobFilter, NotFound, listed, no_tags
from mlflow_smwatch.aws.listing import describe, has_any, list_all, list_pages, list_tags
from mlflow_smwatch.aws.operations import (
    DESCRIBE_PIPELINE_EXECUTION,
    LIST_PIPELINE_EXECUTIONS,
    LIST_PIPELINE_PARAMETERS,
    LIST_PIPELINE_STEPS,
    LIST_PIPELINES,
)
from mlflow_smwatch.aws.search import Filter, Record, Searcher, contains, equals
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    RetriableError,
    SmwatchError,
    UnknownJobError,
)
from mlflow_smwatch.core.job_kinds import PIPELINE_EXECUTION, name_in

EXECUTIONS = "PipelineExecution"
"""What ``Search`` calls them."""

_ARN = "PipelineExecutionArn"
_TITLE = "PipelineExecutionDisplayName"
_KEPT = 1000
"""Records at hand for those who describe: some pages more than are found ahead of them."""

_ID_LENGTH = 12
"""The last part of an execution's ARN, letters and digits."""


@dataclass
class Executions:
    """The executions of the pipelines of one account and Region.

    May be used by several threads. What is kept of them is not redacted: :meth:`describe` does that
    with the whole, since steps repeat what parameters hold.
    """

    searcher: Searcher
    _records: dict[str, Record] = field(default_factory=dict)
    _without_parameters: set[str] = field(default_factory=set)
    _tags: dict[str, list[dict[str, str]] | SmwatchError] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def exist(self) -> bool:
        """Tell by one small call whether there is any pipeline (``ListPipelines``).

        Raises
        ------
        AccessDeniedError, RetriableError
            When the operation is denied or keeps failing.
        """
        return has_any(self.searcher.aws, LIST_PIPELINES, "PipelineSummaries")

    def modified(self, wanted: JobFilter) -> Iterator[list[Found | NotFound]]:
        """Search for executions by their window.

        Raises
        ------
        AccessDeniedError, RetriableError, InvalidRequestError
            When ``Search`` is denied or keeps failing.
        """
        for page in self.searcher.pages(EXECUTIONS, wanted.search_filters(), redacted=False):
            yield self._wanted(page.records, wanted)

    def listed(self, wanted: JobFilter) -> Iterator[list[Found | NotFound]]:
        """List executions pipeline by pipeline instead, and describe each.

        ``ListPipelineExecutions`` tells neither when one was modified nor takes bounds on that.
        """
        aws, begun = self.searcher.aws, wanted.created_after
        for pipeline in list_all(aws, LIST_PIPELINES, {}, "PipelineSummaries"):
            last = pipeline.get("LastExecutionTime")
            if begun and last and last < begun:
                continue
            request: dict[str, Any] = {"PipelineName": pipeline["PipelineName"]}
            if begun:
                request["CreatedAfter"] = begun
            for page in list_pages(
                aws, LIST_PIPELINE_EXECUTIONS, request, "PipelineExecutionSummaries"
            ):
                records = [self._record(each[_ARN]) for each in page]
                with self._lock:
                    self._without_parameters.update(each[_ARN].lower() for each in records)
                yield self._wanted(records, wanted)

    def search(self, asked: Iterable[str]) -> dict[str, list[str]]:
        """Find executions by ARN, display name, or the last part of the ARN.

        Returns
        -------
        dict
            What was asked → ARNs; without those that ``Search`` does not give.
        """
        texts = list(dict.fromkeys(asked))
        filters = [equals(_ARN if is_arn(each) else _TITLE, each) for each in texts]
        found = self._matching(filters, "DescribePipelineExecution")
        for text in texts:
            if len(text) == _ID_LENGTH and text.isalnum():  # one Contains a call is allowed
                by_id = [contains(_ARN, f"/execution/{text}")]
                found += self._matching(by_id, "names")
        self._remember(found)
        named = {text: [each[_ARN] for each in found if _is_meant(text, each)] for text in texts}
        return {text: list(dict.fromkeys(arns)) for text, arns in named.items() if arns}

    def describe(self, arn: str) -> Answer:
        """Tell all of one execution: itself, its parameters, its steps, its pipeline's tags.

        What the last listing gave of it is not asked for again, once.

        Raises
        ------
        UnknownJobError
            When AWS has no such execution, or its ARN is not given.
        AccessDeniedError, RetriableError
            When ``DescribePipelineExecution`` is denied or keeps failing.
        """
        if not is_arn(arn):
            message = f"AWS knows the execution of a pipeline by its ARN alone, not by {arn!r}"
            raise UnknownJobError(message)
        with self._lock:
            known = self._records.pop(arn.lower(), None)
            is_whole = known is not None and arn.lower() not in self._without_parameters
        denied: list[str] = []
        record = dict(known or self._record(arn))
        if not is_whole:
            self._add(record, LIST_PIPELINE_PARAMETERS, "PipelineParameters", denied)
        self._add(record, LIST_PIPELINE_STEPS, "PipelineExecutionSteps", denied)
        self._add_tags(record, denied)
        content = self.searcher.aws.redaction.answer(record)
        return Answer(word=PIPELINE_EXECUTION.word, content=content, denied=tuple(denied))

    def _record(self, arn: str) -> Record:
        return describe(self.searcher.aws, DESCRIBE_PIPELINE_EXECUTION, {_ARN: arn}, _ARN)

    def _matching(self, filters: list[Filter], instead: str) -> list[Record]:
        return self.searcher.matching(EXECUTIONS, filters, instead, redacted=False) or []

    def _add(self, record: Record, action: str, member: str, denied: list[str]) -> None:
        """Add what a list tells of an execution."""
        request = {_ARN: record[_ARN]}
        try:
            record[member] = list_all(self.searcher.aws, action, request, member)
        except UnknownJobError:
            return
        except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
            denied.append(f"no {member}: {error}")

    def _add_tags(self, record: Record, denied: list[str]) -> None:
        """Add the tags of the pipeline: its executions have none of their own."""
        pipeline = record.get("PipelineArn")
        if not pipeline:
            return
        with self._lock:
            known = self._tags.get(pipeline)
        if known is None:
            try:
                known = list_tags(self.searcher.aws, pipeline)
            except UnknownJobError:  # the pipeline is gone
                known = []
            except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
                known = error
            with self._lock:
                self._tags[pipeline] = known
        if isinstance(known, SmwatchError):
            denied.append(no_tags(known))
        else:
            record["Tags"] = known

    def _remember(self, records: Iterable[Record]) -> None:
        with self._lock:
            for each in records:
                self._records[each[_ARN].lower()] = each
            while len(self._records) > _KEPT:
                del self._records[next(iter(self._records))]

    def _wanted(self, records: list[Record], wanted: JobFilter) -> list[Found | NotFound]:
        named = [
            each
            for each in records
            if wanted.accepts_name(name_in(Arn.parse(each[_ARN])), each.get(_TITLE))
        ]
        self._remember(named)
        return [_found(each) for each in named]


def _found(record: Record) -> Found | NotFound:
    """Take what a listing tells: the steps are asked for where the execution changed."""
    name = name_in(Arn.parse(record[_ARN]))
    return listed(PIPELINE_EXECUTION.word, {**record, _TITLE: name})


def _is_meant(text: str, record: Record) -> bool:
    arn = str(record[_ARN])
    if is_arn(text):
        return arn.lower() == text.lower()
    return text in {record.get(_TITLE), name_in(Arn.parse(arn))}
