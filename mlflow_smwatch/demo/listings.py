"""List operations: which items, in which order, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.pages import Pager, fingerprint
from mlflow_smwatch.demo.training_jobs import bad_token
from mlflow_smwatch.demo.validation import Answer, Parameters

T = TypeVar("T")
DEFAULT_PAGE = 10
QUERIES_KEPT = 8


class Changes:
    """Tells whether anything has changed: its ``marker`` is another object after each change."""

    def __init__(self) -> None:
        self.marker = object()

    def note(self) -> None:
        """Note that something has changed."""
        self.marker = object()


class FoundItems(Generic[T]):
    """What the last few queries found, so that their next pages need not search again."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, Sequence[T]]] = {}

    def of(
        self, parameters: Parameters, version: object, find: Callable[[], Sequence[T]]
    ) -> Sequence[T]:
        """Give what a query finds.

        Parameters
        ----------
        parameters
            The query; its place in the pages does not matter.
        version
            Stands for what is searched: as long as it is the same object nothing has changed.
        find
            Carries the query out.
        """
        key = fingerprint(parameters)
        known = self._kept.pop(key, None)
        if known is None or known[0] is not version:
            known = (version, find())
        self._kept[key] = known
        while len(self._kept) > QUERIES_KEPT:
            del self._kept[next(iter(self._kept))]
        return known[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRules:
    """What sets one List operation of SageMaker apart.

    Attributes
    ----------
    operation
        Its name.
    results
        Key of the list in its answer.
    sort_fields
        SortBy → field of what is listed.
    order
        Default of SortOrder; SortBy's is CreationTime.
    times
        First words of its filters on the time of creation: ``Created`` or ``CreationTime``.
    is_inclusive
        Whether these take in their own instant.
    """

    operation: str
    results: str
    sort_fields: Mapping[str, str]
    order: str = "Descending"
    times: str = "Created"
    is_inclusive: bool = False


class Listing:
    """One List operation.

    Parameters
    ----------
    rules
        Its own.
    summary
        Makes what is listed of an item.
    faults
        May shorten pages.
    """

    def __init__(
        self, rules: ListRules, summary: Callable[[Answer], Answer], faults: Faults
    ) -> None:
        self._rules = rules
        self._summary = summary
        self._pager = Pager(faults, f"sagemaker:{rules.operation}", bad_token)
        self._found: FoundItems[Answer] = FoundItems()

    def page(
        self,
        parameters: Parameters,
        *,
        version: object,
        items: Callable[[], Iterable[Answer]],
    ) -> Answer:
        """Answer the operation.

        Parameters
        ----------
        parameters
            The request's.
        version
            As for :meth:`FoundItems.of`.
        items
            Gives what passes all filters but those on the time of creation, times as seconds.
        """
        found = self._found.of(parameters, version, lambda: self._sorted(items(), parameters))
        page, token = self._pager.cut(
            found,
            parameters,
            size=parameters.get("MaxResults", DEFAULT_PAGE),
            token=parameters.get("NextToken"),
        )
        answer: Answer = {self._rules.results: [self._summary(item) for item in page]}
        if token:
            answer["NextToken"] = token
        return answer

    def _sorted(self, items: Iterable[Answer], parameters: Parameters) -> list[Answer]:
        chosen = [item for item in items if self._is_in_time(item, parameters)]
        field = self._rules.sort_fields[parameters.get("SortBy", "CreationTime")]
        order = parameters.get("SortOrder", self._rules.order)
        chosen.sort(key=lambda item: item.get(field, ""), reverse=order == "Descending")
        return chosen

    def _is_in_time(self, item: Answer, parameters: Parameters) -> bool:
        created: float = item["CreationTime"]
        after, before = (
            parameters.get(f"{self._rules.times}{word}") for word in ("After", "Before")
        )
        if after is not None and not self._is_past(after.timestamp(), created):
            return False
        return before is None or self._is_past(created, before.timestamp())

    def _is_past(self, earlier: float, later: float) -> bool:
        return earlier <= later if self._rules.is_inclusive else earlier < later
