"""Create, Describe, Update and Delete of entities, the same for all kinds."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.entities import Entity, EntityStore
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.validation import Answer, Parameters


class EntityOperations:
    """Create, Describe, Update and Delete of one kind.

    Parameters
    ----------
    store
        Where the entities are.
    before_create
        Given a Create request; raises where it cannot be.
    before_delete
        Given an entity; raises where it cannot go.
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
