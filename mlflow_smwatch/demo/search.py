"""SageMaker's Search operation on any kind of record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy

from botocore.model import Shape

from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.listings import FoundItems
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.search_filters import Condition, Property, find_property, refuse_search
from mlflow_smwatch.demo.training_jobs import bad_token
from mlflow_smwatch.demo.validation import Answer, Json, Parameters, service_model

OPERATION = "sagemaker:Search"
DEFAULT_PAGE = 10
COUNTED_HITS = 10_000
RECORD_NAMES = {
    "ExperimentTrial": "Trial",
    "ExperimentTrialComponent": "TrialComponent",
}


class Search:
    """The operation for one account and Region.

    Parameters
    ----------
    records
        Gives all records of a Resource, times as seconds; the same object only if none has
        changed.
    faults
        May shorten pages.
    """

    def __init__(self, records: Callable[[str], Iterable[Answer]], faults: Faults) -> None:
        self._records = records
        self._faults = faults
        self._frozen: dict[str, list[Answer]] = {}
        self._pager = Pager(faults, OPERATION, bad_token)
        self._found: FoundItems[Answer] = FoundItems()
        self.operations: dict[str, Callable[[Parameters], Answer]] = {"Search": self.search}

    def search(self, parameters: Parameters) -> Answer:
        """Answer ``Search``: one page of the records that match, newest change first."""
        resource: str = parameters["Resource"]
        record_name: str = RECORD_NAMES.get(resource, resource)
        records = self._indexed(resource)
        found = self._found.of(
            parameters, records, lambda: _ordered(_record_shape(record_name), records, parameters)
        )
        page, token = self._pager.cut(
            found,
            parameters,
            size=parameters.get("MaxResults", DEFAULT_PAGE),
            token=parameters.get("NextToken"),
        )
        answer: Answer = {
            "Results": [{record_name: record} for record in page],
            "TotalHits": _hits(len(found)),
        }
        if token:
            answer["NextToken"] = token
        return answer

    def _indexed(self, resource: str) -> Iterable[Answer]:
        """Give the records as the index knows them: it may lag behind."""
        if not self._faults.is_frozen(OPERATION):
            self._frozen.clear()
            records = self._records(resource)
        else:
            if resource not in self._frozen:
                self._frozen[resource] = deepcopy(list(self._records(resource)))
            records = self._frozen[resource]
        name = f"{RECORD_NAMES.get(resource, resource)}Name"
        if not self._faults.hides(OPERATION):
            return records
        return [one for one in records if not self._faults.is_hidden(OPERATION, one.get(name, ""))]


def _ordered(shape: Shape, records: Iterable[Answer], parameters: Parameters) -> list[Answer]:
    condition = Condition(parameters["Resource"], shape, parameters.get("SearchExpression"))
    matching = [record for record in records if condition.matches(record)]
    key = find_property(shape, parameters.get("SortBy", "LastModifiedTime"))
    return _sorted(matching, key, is_descending=parameters.get("SortOrder") != "Ascending")


def _record_shape(name: str) -> Shape:
    members: dict[str, Shape] = service_model("sagemaker").shape_for("SearchRecord").members
    if name not in members:
        refuse_search(f"The emulated account has no {name} to search for.")
    return members[name]


def _hits(number: int) -> Answer:
    relation = "EqualTo" if number <= COUNTED_HITS else "GreaterThanOrEqualTo"
    return {"Value": min(number, COUNTED_HITS), "Relation": relation}


def _sorted(records: list[Answer], key: Property, *, is_descending: bool) -> list[Answer]:
    """Sort by a property; records without it come last."""
    if key.kind == "structure":
        refuse_search(f"{key.name} cannot be sorted by.")
    having: list[tuple[Json, Answer]] = []
    lacking: list[Answer] = []
    for record in records:
        values = key.values(record)
        if values:
            having.append((values[0], record))
        else:
            lacking.append(record)
    having.sort(key=lambda pair: pair[0], reverse=is_descending)
    return [record for _, record in having] + lacking
