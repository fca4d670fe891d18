"""The trial components of a window, page by page: from ``Search``, else from a listing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlflow_smwatch.aws.components import Components, job_details
from mlflow_smwatch.aws.discovery import JobFilter
from mlflow_smwatch.aws.expected import Expected
from mlflow_smwatch.aws.search import Record
from mlflow_smwatch.core.decay import CreatedSpan
from mlflow_smwatch.core.errors import AccessDeniedError, JobError, RetriableError, SmwatchError
from mlflow_smwatch.core.moments import to_ms

_BESIDE_MS = 3_600_000
"""How far apart a job and its component may be made, so that both are found together."""

_FAILURES = (AccessDeniedError, RetriableError, JobError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentPage:
    """A page of components.

    Attributes
    ----------
    records
        Whole ones.
    summaries
        What a listing tells of components, where ``Search`` does not give them.
    """

    records: list[Record] = field(default_factory=list)
    summaries: list[Record] = field(default_factory=list)


@dataclass
class ComponentPages:
    """Finds the components of one span of CreationTime after the other.

    Attributes
    ----------
    error
        Why they cannot be had in any way; None where they can.
    """

    components: Components
    expected: Expected
    error: SmwatchError | None = None

    def of(self, wanted: JobFilter) -> Iterator[ComponentPage]:
        """Find what stands for jobs, or for itself, that was created in a span; until it fails."""
        if self.error is not None:
            return
        try:
            for page in self._pages(wanted):
                here = [each for each in page.records if is_found_in(each, wanted.created)]
                told = [each for each in page.summaries if is_found_in(each, wanted.created)]
                yield ComponentPage(records=here, summaries=told)
        except _FAILURES as error:
            self.error = error
            self.components.not_listed(error)

    def _pages(self, wanted: JobFilter) -> Iterator[ComponentPage]:
        around = replace(wanted, created=wanted.created.widened(_BESIDE_MS))
        searcher = self.components.searcher
        if searcher.works:
            try:
                yield from self._searched(around)
            except _FAILURES as error:
                searcher.give_up(error, "ListTrialComponents and DescribeTrialComponent")
            else:
                return
        for summaries in self.components.listed(around):
            yield ComponentPage(summaries=summaries)

    def _searched(self, around: JobFilter) -> Iterator[ComponentPage]:
        counts, searched = self.expected.counts_components(around), 0
        for page in self.components.modified(around):
            searched += len(page.records)
            self.expected.to_come = max(0, page.hits - searched) if counts else 0
            yield ComponentPage(records=page.records)


def is_found_in(component: Mapping[str, Any], span: CreatedSpan) -> bool:
    """Whether what a component stands for is found in a span; of spans of all times, in one.

    That is the span in which its job was created, where the component was made beside it; else,
    and where no job is known, the one in which the component was.

    Parameters
    ----------
    component
        A record of ``Search`` or an entry of ``ListTrialComponents``.
    span
        Of CreationTime.
    """
    known = job_details(component)
    own, of_job = component.get("CreationTime"), known and known[1].get("CreationTime")
    if not own:
        return not of_job or span.holds(to_ms(of_job))
    own_ms = to_ms(own)
    job_ms = to_ms(of_job) if of_job else own_ms
    return span.holds(job_ms if abs(own_ms - job_ms) <= _BESIDE_MS else own_ms)
