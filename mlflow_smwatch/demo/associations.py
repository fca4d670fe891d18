"""SageMaker's operations on associations: the edges of lineage tracking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mlflow_smwatch.demo.entities import Entity
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.listings import Changes, Listing, ListRules
from mlflow_smwatch.demo.validation import Answer, Parameters

SORT_FIELDS = ("SourceArn", "DestinationArn", "SourceType", "DestinationType", "CreationTime")
EXACT_FILTERS = ("AssociationType", "SourceType", "DestinationType")
LIST_RULES = ListRules(
    operation="ListAssociations",
    results="AssociationSummaries",
    sort_fields={field: field for field in SORT_FIELDS},
    is_inclusive=True,
)


class AssociationStore:
    """The associations of one account and Region, in the order of their making.

    Parameters
    ----------
    find
        Gives the entity of an ARN; None where there is none.
    changes
        Is told of each change.
    """

    def __init__(self, find: Callable[[str], Entity | None], changes: Changes) -> None:
        self._find = find
        self._changes = changes
        self._from: dict[str, dict[str, Answer]] = {}
        self._to: dict[str, dict[str, Answer]] = {}

    def add(self, source: str, destination: str, kind: str | None, created: float) -> None:
        """Join two entities.

        Parameters
        ----------
        source, destination
            ARNs.
        kind
            AssociationType.
        created
            Seconds since the epoch.

        Raises
        ------
        AwsError
            One of them does not exist, or they are joined already.
        """
        ends = self.existing(source), self.existing(destination)
        if destination in self._from.get(source, ()):
            message = f"Association from '{source}' to '{destination}' already exists."
            refuse("ValidationException", message)
        fields = {
            "SourceArn": source,
            "DestinationArn": destination,
            "SourceType": type_of(ends[0]),
            "DestinationType": type_of(ends[1]),
            "AssociationType": kind,
            "CreationTime": created,
        }
        association = {key: value for key, value in fields.items() if value is not None}
        self._from.setdefault(source, {})[destination] = association
        self._to.setdefault(destination, {})[source] = association
        self._changes.note()

    def remove(self, source: str, destination: str) -> None:
        """Part two entities.

        Raises
        ------
        AwsError
            They are not joined.
        """
        if destination not in self._from.get(source, ()):
            message = f"Association from '{source}' to '{destination}' does not exist."
            refuse("ResourceNotFound", message)
        del self._from[source][destination]
        del self._to[destination][source]
        self._changes.note()

    def remove_all(self, arn: str) -> None:
        """Part an entity from all others."""
        for destination in tuple(self._from.get(arn, ())):
            self.remove(arn, destination)
        for source in tuple(self._to.get(arn, ())):
            self.remove(source, arn)

    def existing(self, arn: str) -> Entity:
        """Find an entity that must exist.

        Raises
        ------
        AwsError
            It does not.
        """
        entity = self._find(arn)
        if entity is None:
            refuse("ResourceNotFound", f"'{arn}' does not exist.")
        return entity

    def leaving(self, arn: str) -> Iterable[Answer]:
        """Give the associations whose source is an entity."""
        return tuple(self._from.get(arn, {}).values())

    def reaching(self, arn: str) -> Iterable[Answer]:
        """Give the associations whose destination is an entity."""
        return tuple(self._to.get(arn, {}).values())

    def is_bound(self, arn: str) -> bool:
        """Tell whether an entity has associations."""
        return bool(self._from.get(arn) or self._to.get(arn))

    def __iter__(self) -> Iterator[Answer]:
        """Iterate over all of them, source by source."""
        return (one for targets in self._from.values() for one in targets.values())


class Associations:
    """The operations of one account and Region.

    Parameters
    ----------
    store
        Where the associations are.
    changes
        Tells whether any of them, or an entity, has changed.
    faults
        May shorten pages.
    now
        Gives the account's time, seconds since the epoch.
    """

    def __init__(
        self, store: AssociationStore, changes: Changes, faults: Faults, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._changes = changes
        self._now = now
        self._listing = Listing(LIST_RULES, self._summary, faults)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "AddAssociation": self.add_association,
            "DeleteAssociation": self.delete_association,
            "ListAssociations": self.list_associations,
        }

    def add_association(self, parameters: Parameters) -> Answer:
        """Answer ``AddAssociation``."""
        source, destination = parameters["SourceArn"], parameters["DestinationArn"]
        self._store.add(source, destination, parameters.get("AssociationType"), self._now())
        return {"SourceArn": source, "DestinationArn": destination}

    def delete_association(self, parameters: Parameters) -> Answer:
        """Answer ``DeleteAssociation``."""
        source, destination = parameters["SourceArn"], parameters["DestinationArn"]
        self._store.remove(source, destination)
        return {"SourceArn": source, "DestinationArn": destination}

    def list_associations(self, parameters: Parameters) -> Answer:
        """Answer ``ListAssociations``."""
        return self._listing.page(
            parameters, version=self._changes.marker, items=lambda: self._chosen(parameters)
        )

    def _chosen(self, parameters: Parameters) -> Iterable[Answer]:
        source, destination = parameters.get("SourceArn"), parameters.get("DestinationArn")
        candidates: Iterable[Answer] = iter(self._store)
        if source is not None:
            candidates = self._store.leaving(source)
        elif destination is not None:
            candidates = self._store.reaching(destination)
        exact = [(name, parameters[name]) for name in EXACT_FILTERS if name in parameters]
        for one in candidates:
            if destination in {None, one["DestinationArn"]} and all(
                one.get(name) == wanted for name, wanted in exact
            ):
                yield one

    def _summary(self, association: Answer) -> Answer:
        names = {
            f"{end}Name": name_of(self._store.existing(association[f"{end}Arn"]))
            for end in ("Source", "Destination")
        }
        return association | {key: name for key, name in names.items() if name is not None}


def type_of(entity: Entity) -> str | None:
    """Give an entity's type, as associations tell it; that of a component is its source's."""
    answer = entity.answer
    for field in ("ArtifactType", "ContextType", "ActionType"):
        if field in answer:
            kind: str = answer[field]
            return kind
    source_type: str | None = answer.get("Source", {}).get("SourceType")
    return source_type


def name_of(entity: Entity) -> str | None:
    """Give an entity's name; None for an artifact without one."""
    answer = entity.answer
    names = ("ArtifactName", "ContextName", "ActionName", "TrialComponentName", "ExperimentName")
    return next((answer[field] for field in names if field in answer), None)
