"""Entities that SageMaker keeps by name or ARN: experiments, trials, artifacts and the like.

An entity is its Describe answer, times as seconds, and its tags.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.job_store import to_wire
from mlflow_smwatch.demo.listings import Changes
from mlflow_smwatch.demo.validation import Answer, Json, service_model

HASH_DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityKind:
    """One kind of entity.

    Attributes
    ----------
    noun
        As in the names of its operations and fields: ``TrialComponent``.
    word
        As in its ARNs: ``experiment-trial-component``.
    key
        The parameter by which its operations find it.
    shown_as
        ``DisplayName`` where it has one, which is its name unless another is given.
    merged
        Fields whose entries an update adds to the old ones; others it replaces.
    is_hashed
        Whether its ARN ends in a hash of its source and type instead of its name.
    missing_code
        Error code for one that does not exist.
    """

    noun: str
    word: str
    key: str
    shown_as: str | None = None
    merged: frozenset[str] = frozenset()
    is_hashed: bool = False
    missing_code: str = "ResourceNotFound"

    @property
    def name_field(self) -> str:
        """Field that holds its name."""
        return f"{self.noun}Name"

    @property
    def arn_field(self) -> str:
        """Field that holds its ARN."""
        return f"{self.noun}Arn"


@cache
def describe_members(noun: str) -> frozenset[str]:
    """Name the fields of a Describe answer, from botocore's model."""
    model = service_model("sagemaker").operation_model(f"Describe{noun}")
    return frozenset(model.output_shape.members)


@cache
def record_members(name: str) -> frozenset[str]:
    """Name the fields of a Search record, from botocore's model."""
    return frozenset(service_model("sagemaker").shape_for(name).members)


@dataclass(slots=True, eq=False)
class Entity:
    """One entity.

    Attributes
    ----------
    arn
        Its ARN.
    answer
        Its Describe answer, times as seconds; replaced, never changed.
    tags
        Resource tags.
    changed
        Called after each change.
    """

    arn: str
    answer: Answer
    changed: Callable[[], None]
    tags: dict[str, str] = field(default_factory=dict)

    def update(self, **changes: Json) -> None:
        """Set fields of the answer; a value of None takes a field away."""
        whole = {**self.answer, **to_wire(changes)}
        self.answer = {key: value for key, value in whole.items() if value is not None}
        self.changed()

    def set_tags(self, tags: Mapping[str, str], *, removed: tuple[str, ...] = ()) -> None:
        """Add and remove tags."""
        self.tags = {k: v for k, v in {**self.tags, **tags}.items() if k not in removed}
        self.changed()

    def tag_list(self) -> list[dict[str, str]]:
        """Give the tags as AWS lists them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


class EntityStore:
    """The entities of one kind, of one account and Region, as they were first put.

    Parameters
    ----------
    kind
        Theirs.
    arn_prefix
        Of all ARNs of the account's SageMaker in the Region, up to the resource.
    clock
        Gives the times of what happens.
    changes
        Is told of each change.

    Attributes
    ----------
    removed
        Called with the ARN of each entity that is removed.
    """

    def __init__(self, kind: EntityKind, arn_prefix: str, clock: Clock, changes: Changes) -> None:
        self.kind = kind
        self.prefix = f"{arn_prefix}{kind.word}/"
        self._clock = clock
        self._changes = changes
        self._entities: dict[str, Entity] = {}
        self.removed: list[Callable[[str], None]] = []

    def __iter__(self) -> Iterator[Entity]:
        """Iterate over the entities."""
        return iter(tuple(self._entities.values()))

    def get(self, name_or_arn: str) -> Entity | None:
        """Find an entity."""
        arn = name_or_arn if name_or_arn.startswith("arn:") else self.prefix + name_or_arn
        return self._entities.get(arn)

    def existing(self, name_or_arn: str) -> Entity:
        """Find an entity that must exist.

        Raises
        ------
        AwsError
            It does not.
        """
        entity = self.get(name_or_arn)
        if entity is None:
            refuse(self.kind.missing_code, f"{self.kind.noun} '{name_or_arn}' does not exist.")
        return entity

    def tagged(self, arn: str) -> Entity | None:
        """Find the entity of an ARN; None for an ARN of another kind.

        Raises
        ------
        AwsError
            There is no such entity.
        """
        return self.existing(arn) if arn.startswith(self.prefix) else None

    def arn(self, answer: Answer) -> str:
        """Give the ARN of what a Describe answer, or a Create request, tells of."""
        if not self.kind.is_hashed:
            return f"{self.prefix}{answer[self.kind.name_field]}"
        text = f"{answer['Source']['SourceUri']}\n{answer[f'{self.kind.noun}Type']}"
        return self.prefix + hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]

    def put(self, answer: Answer, tags: Mapping[str, str] | None = None) -> Entity:
        """Store an entity; one of the same name is replaced.

        Parameters
        ----------
        answer
            Its Describe answer; dates as aware datetimes. A value of None is none; the ARN, the
            display name and the times are added if missing.
        tags
            Resource tags.

        Raises
        ------
        ValueError
            The answer has a field that Describe does not have.
        """
        kind, members = self.kind, describe_members(self.kind.noun)
        created = answer.get("CreationTime") or self._clock.now()
        added: Answer = {"CreationTime": created, "LastModifiedTime": created}
        if kind.shown_as:
            added[kind.shown_as] = answer[kind.name_field]
        added[kind.arn_field] = self.arn(answer)
        whole = {key: value for key, value in added.items() if key in members}
        whole |= {key: value for key, value in answer.items() if value is not None}
        self._check_fields(whole)
        arn: str = whole[kind.arn_field]
        entity = Entity(
            arn=arn, answer=to_wire(whole), tags=dict(tags or {}), changed=self._changes.note
        )
        self._entities[arn] = entity
        self._changes.note()
        return entity

    def remove(self, entity: Entity) -> None:
        """Forget an entity, and tell of it."""
        del self._entities[entity.arn]
        for tell in self.removed:
            tell(entity.arn)
        self._changes.note()

    def modify(self, entity: Entity, **changes: Json) -> None:
        """Set fields of an entity, LastModifiedTime with them; None takes a field away.

        Raises
        ------
        ValueError
            Describe does not have such a field.
        """
        self._check_fields(changes)
        entity.update(**{"LastModifiedTime": self._clock.now(), **changes})

    def _check_fields(self, answer: Answer) -> None:
        if unknown := set(answer) - describe_members(self.kind.noun):
            message = f"not in a Describe{self.kind.noun} answer: {sorted(unknown)}"
            raise ValueError(message)


def search_record(entity: Entity, name: str) -> Answer:
    """Make Search's record of an entity, tags and all; not to be changed.

    Parameters
    ----------
    entity
        The entity.
    name
        Of the record, such as ``Trial``.
    """
    members = record_members(name)
    shown = {key: value for key, value in entity.answer.items() if key in members}
    return {**shown, "Tags": entity.tag_list()}
