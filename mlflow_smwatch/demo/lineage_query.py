"""SageMaker's QueryLineage operation.

Source: SageMaker API reference, QueryLineage. What it does not say: a query without edges leaves
its start out; Both is ascendants and descendants together; edges come with the later of their ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mlflow_smwatch.demo.associations import AssociationStore, type_of
from mlflow_smwatch.demo.entities import Entity
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.listings import DEFAULT_PAGE, Changes, FoundItems
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.training_jobs import bad_token
from mlflow_smwatch.demo.validation import Answer, Parameters

MAX_DEPTH = 10
SOURCE_TYPE_PREFIX = "SageMaker"
LINEAGE_TYPES = {
    "experiment-trial-component": "TrialComponent",
    "artifact": "Artifact",
    "context": "Context",
    "action": "Action",
}
TIME_FILTERS: Mapping[str, tuple[str, int]] = {
    "CreatedBefore": ("CreationTime", -1),
    "CreatedAfter": ("CreationTime", 1),
    "ModifiedBefore": ("LastModifiedTime", -1),
    "ModifiedAfter": ("LastModifiedTime", 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One vertex, and the edges that come with it."""

    vertex: Answer
    edges: tuple[Answer, ...] = ()


class LineageQuery:
    """The operation for one account and Region.

    Parameters
    ----------
    store
        Where the associations are.
    changes
        Tells whether any of them, or an entity, has changed.
    faults
        May shorten pages.
    """

    def __init__(self, store: AssociationStore, changes: Changes, faults: Faults) -> None:
        self._store = store
        self._changes = changes
        self._pager = Pager(faults, "sagemaker:QueryLineage", bad_token)
        self._found: FoundItems[_Found] = FoundItems()
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "QueryLineage": self.query_lineage
        }

    def query_lineage(self, parameters: Parameters) -> Answer:
        """Answer ``QueryLineage``, nearest vertices first."""
        if not parameters.get("StartArns"):
            refuse("ValidationException", "One StartArn is needed.")
        found = self._found.of(parameters, self._changes.marker, lambda: self._search(parameters))
        page, token = self._pager.cut(
            found,
            parameters,
            size=parameters.get("MaxResults", DEFAULT_PAGE),
            token=parameters.get("NextToken"),
        )
        answer: Answer = {"Vertices": [one.vertex for one in page]}
        if parameters.get("IncludeEdges"):
            answer["Edges"] = [edge for one in page for edge in one.edges]
        return {**answer, **({"NextToken": token} if token else {})}

    def _search(self, parameters: Parameters) -> list[_Found]:
        start = self._store.existing(parameters["StartArns"][0]).arn
        depth = parameters.get("MaxDepth", MAX_DEPTH)
        direction = parameters.get("Direction", "Both")
        edges: dict[tuple[str, str], Answer] = {}
        order = {start: None}
        if direction != "Descendants":
            order |= self._walk(start, depth, self._store.reaching, "SourceArn", edges)
        if direction != "Ascendants":
            order |= self._walk(start, depth, self._store.leaving, "DestinationArn", edges)
        matching = {arn for arn in order if arn != start and self._matches(arn, parameters)}
        if not parameters.get("IncludeEdges"):
            return [_Found(vertex=self._vertex(arn)) for arn in order if arn in matching]
        return self._with_edges(start, matching, tuple(edges.values()), tuple(order))

    def _walk(
        self,
        start: str,
        depth: int,
        steps: Callable[[str], Iterable[Answer]],
        end: str,
        edges: dict[tuple[str, str], Answer],
    ) -> dict[str, None]:
        """Go one way, breadth first; note the edges on the way."""
        seen: dict[str, None] = {start: None}
        border = [start]
        for _ in range(depth):
            following: dict[str, None] = {}
            for arn in border:
                for one in steps(arn):
                    edges[one["SourceArn"], one["DestinationArn"]] = one
                    following[one[end]] = None
            border = [arn for arn in following if arn not in seen]
            seen |= following
        return seen

    def _with_edges(
        self,
        start: str,
        matching: set[str],
        edges: tuple[Answer, ...],
        order: tuple[str, ...],
    ) -> list[_Found]:
        """Give what matches and all that lies between it and the start, with the edges there."""
        on_path = _on_paths(start, matching, edges)
        place = {arn: i for i, arn in enumerate(order)}
        coming: dict[str, list[Answer]] = {}
        for one in edges:
            ends = one["SourceArn"], one["DestinationArn"]
            if on_path.issuperset(ends):
                fields = ("SourceArn", "DestinationArn", "AssociationType")
                edge = {field: one[field] for field in fields if field in one}
                coming.setdefault(max(ends, key=place.__getitem__), []).append(edge)
        return [
            _Found(vertex=self._vertex(arn), edges=tuple(coming.get(arn, ())))
            for arn in order
            if arn in on_path
        ]

    def _matches(self, arn: str, parameters: Parameters) -> bool:
        filters = parameters.get("Filters", {})
        entity, vertex = self._store.existing(arn), self._vertex(arn)
        for name, field in (("Types", "Type"), ("LineageTypes", "LineageType")):
            if filters.get(name) and vertex.get(field) not in filters[name]:
                return False
        properties = filters.get("Properties")
        if properties and not properties.items() & entity.answer.get("Properties", {}).items():
            return False
        return "LineageType" in vertex and _is_in_time(entity, filters)

    def _vertex(self, arn: str) -> Answer:
        kind = type_of(self._store.existing(arn))
        lineage_type = LINEAGE_TYPES.get(arn.split(":", 5)[5].partition("/")[0])
        fields = {
            "Arn": arn,
            "Type": kind.removeprefix(SOURCE_TYPE_PREFIX) if kind else None,
            "LineageType": lineage_type,
        }
        return {key: value for key, value in fields.items() if value is not None}


def _is_in_time(entity: Entity, filters: Parameters) -> bool:
    for name, (field, sign) in TIME_FILTERS.items():
        if name in filters and sign * (entity.answer[field] - filters[name].timestamp()) < 0:
            return False
    return True


def _on_paths(start: str, matching: set[str], edges: tuple[Answer, ...]) -> set[str]:
    """Give what lies on a directed way between the start and something that matches."""
    ahead: dict[str, set[str]] = {}
    back: dict[str, set[str]] = {}
    for one in edges:
        ahead.setdefault(one["SourceArn"], set()).add(one["DestinationArn"])
        back.setdefault(one["DestinationArn"], set()).add(one["SourceArn"])
    descend = _reached({start}, ahead) & _reached(matching, back)
    ascend = _reached({start}, back) & _reached(matching, ahead)
    return descend | ascend | {start}


def _reached(starts: set[str], steps: Mapping[str, set[str]]) -> set[str]:
    seen, border = set(starts), set(starts)
    while border:
        border = {other for arn in border for other in steps.get(arn, ())} - seen
        seen |= border
    return seen
