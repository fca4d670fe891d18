"""SageMaker's operations on artifacts, contexts and actions: the entities of lineage tracking."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlflow_smwatch.demo.entities import Entity, EntityKind, EntityStore
from mlflow_smwatch.demo.entity_operations import EntityOperations
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.listings import Changes, Listing, ListRules
from mlflow_smwatch.demo.validation import Answer, Parameters

ARTIFACT = EntityKind(noun="Artifact", word="artifact", key="ArtifactArn", is_hashed=True)
CONTEXT = EntityKind(noun="Context", word="context", key="ContextName")
ACTION = EntityKind(noun="Action", word="action", key="ActionName")
SUMMARY = ("Source", "Status", "CreationTime", "LastModifiedTime")


class LineageEntities:
    """The operations on one kind of them, in one account and Region.

    Parameters
    ----------
    store
        Where they are.
    changes
        Tells whether anything has changed.
    faults
        May shorten pages.
    is_bound
        Tells whether an entity has associations, which keep it from being deleted.
    """

    def __init__(
        self,
        store: EntityStore,
        changes: Changes,
        faults: Faults,
        *,
        is_bound: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._changes = changes
        self._is_bound = is_bound
        self._listing = _listing(store.kind, faults)
        self._made = EntityOperations(store, before_delete=self._check_free)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            **self._made.operations,
            f"List{store.kind.noun}s": self.list_entities,
        }
        if store.kind is ARTIFACT:
            self.operations["DeleteArtifact"] = self.delete_artifact

    def list_entities(self, parameters: Parameters) -> Answer:
        """Answer ``ListArtifacts``, ``ListContexts`` or ``ListActions``."""
        return self._listing.page(
            parameters, version=self._changes.marker, items=lambda: self._chosen(parameters)
        )

    def delete_artifact(self, parameters: Parameters) -> Answer:
        """Answer ``DeleteArtifact``: by ARN or by source."""
        if "ArtifactArn" in parameters:
            return self._made.delete(self._store.existing(parameters["ArtifactArn"]))
        if "Source" not in parameters:
            refuse("ValidationException", "Either ArtifactArn or Source must be specified.")
        uri = parameters["Source"]["SourceUri"]
        found = (one for one in self._store if one.answer["Source"]["SourceUri"] == uri)
        artifact = next(found, None)
        if artifact is None:
            refuse("ResourceNotFound", f"No artifact has the source '{uri}'.")
        return self._made.delete(artifact)

    def _chosen(self, parameters: Parameters) -> Iterable[Answer]:
        uri = parameters.get("SourceUri")
        type_field = f"{self._store.kind.noun}Type"
        wanted = parameters.get(type_field)
        for entity in self._store:
            answer = entity.answer
            if uri in {None, answer["Source"]["SourceUri"]} and wanted in {
                None,
                answer[type_field],
            }:
                yield answer

    def _check_free(self, entity: Entity) -> None:
        if self._is_bound(entity.arn):
            refuse("ValidationException", f"'{entity.arn}' still has associations.")


def _listing(kind: EntityKind, faults: Faults) -> Listing:
    fields = (kind.name_field, kind.arn_field, f"{kind.noun}Type", *SUMMARY)
    rules = ListRules(
        operation=f"List{kind.noun}s",
        results=f"{kind.noun}Summaries",
        sort_fields={"Name": kind.name_field, "CreationTime": "CreationTime"},
        is_inclusive=True,
    )
    return Listing(
        rules, lambda answer: {field: answer[field] for field in fields if field in answer}, faults
    )
