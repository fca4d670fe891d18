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
from mlflow_smwatch.demo.validation import Answer, Json, Parameters, service_model

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
    """

    def __init__(self, kind: EntityKind, arn_prefix: str, clock: Clock, changes: Changes) -> None:
        self.kind = kind
        self.prefix = f"{arn_prefix}{kind.word}/"
        self._clock = clock
        self._changes = changes
        self._entities: dict[str, Entity] = {}

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
            Its Describe answer; dates as aware datetimes. The ARN, the display name and the times
            are added if missing.
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
        whole = {key: value for key, value in added.items() if key in members} | answer
        if unknown := set(whole) - members:
            message = f"not a Describe{kind.noun} answer: unknown {sorted(unknown)}"
            raise ValueError(message)
        arn: str = whole[kind.arn_field]
        entity = Entity(
            arn=arn, answer=to_wire(whole), tags=dict(tags or {}), changed=self._changes.note
        )
        self._entities[arn] = entity
        self._changes.note()
        return entity

    def remove(self, entity: Entity) -> None:
        """Forget an entity."""
        del self._entities[entity.arn]
        self._changes.note()

    def modify(self, entity: Entity, **changes: Json) -> None:
        """Set fields of an entity, LastModifiedTime with them."""
        entity.update(**{"LastModifiedTime": self._clock.now(), **changes})


class EntityOperations:
    """Create, Describe, Update and Delete of one kind.

    Parameters
    ----------
    store
        Where the entities are.
    before_create
        Given a Create request; raises where it cannot be.
    before_delete
        Given an entity; raises where it cannot go, and clears up after it.
    """

    def __init__(
        self,
        store: EntityStore,
        *,
        before_create: Callable[[Parameters], None] = lambda _parameters: None,
        before_delete: Callable[[Entity], None] = lambda _entity: None,
    ) -> None:
        self._store = store
        self._before_create = before_create
        self._before_delete = before_delete
        noun = store.kind.noun
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            f"Create{noun}": self.create,
            f"Describe{noun}": lambda parameters: self._asked(parameters).answer,
            f"Update{noun}": self.update,
            f"Delete{noun}": lambda parameters: self.delete(self._asked(parameters)),
        }

    def create(self, parameters: Parameters) -> Answer:
        """Answer a Create operation; names are unique."""
        self._before_create(parameters)
        kind = self._store.kind
        arn = self._store.arn(parameters)
        if self._store.get(arn) is not None:
            message = (
                f"{kind.noun} names must be unique within an AWS account and region. "
                f"{kind.noun} with name ({arn.removeprefix(self._store.prefix)}) already exists."
            )
            refuse("ValidationException", message)
        tags = {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}
        answer = {key: value for key, value in parameters.items() if key != "Tags"}
        return {kind.arn_field: self._store.put(answer, tags).arn}

    def update(self, parameters: Parameters) -> Answer:
        """Answer an Update operation."""
        entity = self._asked(parameters)
        changes: Answer = {}
        for name in sorted(parameters, key=lambda name: name.endswith("ToRemove")):
            value = parameters[name]
            target = name.removesuffix("ToRemove")
            if target != name:
                before: Answer = changes.get(target) or entity.answer.get(target, {})
                changes[target] = {k: v for k, v in before.items() if k not in value}
            elif name in self._store.kind.merged:
                changes[name] = {**entity.answer.get(name, {}), **value}
            elif name != self._store.kind.key:
                changes[name] = value
        self._store.modify(entity, **changes)
        return {self._store.kind.arn_field: entity.arn}

    def delete(self, entity: Entity) -> Answer:
        """Answer a Delete operation."""
        self._before_delete(entity)
        self._store.remove(entity)
        return {self._store.kind.arn_field: entity.arn}

    def _asked(self, parameters: Parameters) -> Entity:
        return self._store.existing(parameters[self._store.kind.key])
