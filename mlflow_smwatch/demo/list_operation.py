"""List operations of SageMaker: filters, order, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.resource_kinds import list_field, value_at
from mlflow_smwatch.demo.training_jobs import bad_token
from mlflow_smwatch.demo.validation import Answer, Json, Parameters

DEFAULT_PAGE = 10
TIME_FILTERS = {
    "CreationTime": "CreationTime",
    "LastModifiedTime": "LastModifiedTime",
    "Created": "CreationTime",
}
VALUE_FILTERS: dict[str, tuple[str, Callable[[str, str], bool]]] = {
    "NameContains": ("Name", lambda value, wanted: wanted in value),
    "PipelineNamePrefix": ("Name", str.startswith),
    "CandidateNameEquals": ("Name", str.__eq__),
    "StatusEquals": ("Status", str.__eq__),
    "EndpointNameEquals": ("EndpointName", str.__eq__),
    "VariantNameEquals": ("VariantName", str.__eq__),
}
NOT_FILTERS = {"SortBy", "SortOrder", "NextToken", "MaxResults"}


class ListOperation:
    """One List operation.

    Parameters
    ----------
    operation
        Its name.
    faults
        May shorten pages.
    fields
        What the operation calls Name, Status, CreationTime and the like → path in a summary; a
        word that is not here is a field itself.
    sort_by, sort_order
        Defaults.
    of
        Parameters that say whose summaries are listed.
    """

    def __init__(
        self,
        operation: str,
        faults: Faults,
        *,
        fields: Mapping[str, tuple[str, ...]],
        sort_by: str = "CreationTime",
        sort_order: str = "Ascending",
        of: frozenset[str] = frozenset(),
    ) -> None:
        self._operation = operation
        self._field = list_field(operation)
        self._fields = fields
        self._sort_by = sort_by
        self._sort_order = sort_order
        self._not_filters = NOT_FILTERS | of
        self._pager = Pager(faults, f"sagemaker:{operation}", bad_token)

    def answer(self, summaries: Iterable[Answer], parameters: Parameters) -> Answer:
        """Answer the operation: one page of the summaries that its filters let through.

        Parameters
        ----------
        summaries
            All there are, times as seconds.
        parameters
            Of the request.

        Raises
        ------
        AwsError
            The token is not one of this query, or the account does not know a filter.
        """
        tests = list(self._tests(parameters))
        chosen = [one for one in summaries if all(test(one) for test in tests)]
        page, token = self._pager.cut(
            self._sorted(chosen, parameters),
            parameters,
            size=parameters.get("MaxResults", DEFAULT_PAGE),
            token=parameters.get("NextToken"),
        )
        return {self._field: list(page), **({"NextToken": token} if token else {})}

    def _value(self, summary: Answer, word: str) -> Json:
        return value_at(summary, self._fields.get(word, (word,)))

    def _tests(self, parameters: Parameters) -> Iterator[Callable[[Answer], bool]]:
        for name, wanted in parameters.items():
            if name in VALUE_FILTERS:
                yield self._value_test(*VALUE_FILTERS[name], wanted)
            elif isinstance(wanted, datetime):
                yield self._time_test(name, wanted.timestamp())
            elif name not in self._not_filters:
                message = f"The emulated account has no {name} for {self._operation}."
                refuse("ValidationException", message)

    def _value_test(
        self, word: str, compare: Callable[[str, str], bool], wanted: str
    ) -> Callable[[Answer], bool]:
        return lambda summary: compare(self._value(summary, word) or "", wanted)

    def _time_test(self, name: str, limit: float) -> Callable[[Answer], bool]:
        """Both limits are exclusive; what lacks the time is not listed."""
        is_after = name.endswith("After")
        word = TIME_FILTERS[name.removesuffix("After").removesuffix("Before")]

        def test(summary: Answer) -> bool:
            time = self._value(summary, word)
            return time is not None and (time > limit if is_after else time < limit)

        return test

    def _sorted(self, summaries: list[Answer], parameters: Parameters) -> list[Answer]:
        """Sort; what lacks the value comes last."""
        word = parameters.get("SortBy", self._sort_by)
        is_descending = parameters.get("SortOrder", self._sort_order) == "Descending"
        having = [one for one in summaries if self._value(one, word) is not None]
        lacking = [one for one in summaries if self._value(one, word) is None]
        having.sort(key=lambda one: self._value(one, word), reverse=is_descending)
        return having + lacking
