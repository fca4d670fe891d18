"""Create, Describe, List and Delete of any kind in the table of resource kinds."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.list_operation import ListOperation
from mlflow_smwatch.demo.resource_kinds import IN_USE, ResourceKind
from mlflow_smwatch.demo.resource_store import Resource, ResourceStore
from mlflow_smwatch.demo.validation import Answer, Parameters, service_model

RUNNING = {"InProgress", "Stopping"}


class ResourceOperations:
    """The operations of one kind in one account and Region.

    Parameters
    ----------
    store
        Where the resources are.
    clock
        Gives the times of what happens.
    faults
        May shorten pages.
    """

    def __init__(self, store: ResourceStore, clock: Clock, faults: Faults) -> None:
        self._store = store
        self._clock = clock
        kind = store.kind
        self.listing = ListOperation(
            f"List{kind.noun}s",
            faults,
            fields=_fields(kind),
            sort_by=kind.sort_by,
            sort_order=kind.sort_order,
            of=frozenset({"PipelineName"} if kind.is_execution else ()),
        )
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            f"Describe{kind.noun}": self.describe,
            f"List{kind.noun}s": self.list_all,
        }
        if kind.is_created:
            self.operations[f"Create{kind.noun}"] = self.create
        if f"Delete{kind.noun}" in service_model("sagemaker").operation_names:
            self.operations[f"Delete{kind.noun}"] = self.delete

    def create(self, parameters: Parameters) -> Answer:
        """Answer Create: the resource is in its first status until it is moved on."""
        resource = self.created(parameters)
        return {resource.kind.arn_field: resource.arn}

    def created(self, parameters: Parameters, **fields: object) -> Resource:
        """Make and store a resource of a Create request.

        Parameters
        ----------
        parameters
            Of the request; what Describe has of it is kept.
        **fields
            Fields of Describe's answer that the kind does not begin with.

        Raises
        ------
        AwsError
            There is one of this name.
        """
        kind, name = self._store.kind, parameters[self._store.kind.name_field]
        if self._store.get(name) is not None:
            message = kind.exists_message.format(name=name, arn=self._store.arn(name))
            refuse(kind.exists, message)
        now = self._clock.now()
        kept = {key: value for key, value in parameters.items() if kind.has(key)}
        first = {
            kind.status_field: kind.first_status,
            "CreationTime": now,
            "LastModifiedTime": now if kind.has("LastModifiedTime") else None,
        }
        answer = {**kind.first_fields, **kept, **first, **fields}
        tags = {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}
        return self._store.put({k: v for k, v in answer.items() if v is not None}, tags)

    def describe(self, parameters: Parameters) -> Answer:
        """Answer Describe; tags are not in it."""
        return self._store.existing(parameters[self._store.kind.name_field]).described()

    def list_all(self, parameters: Parameters) -> Answer:
        """Answer List."""
        return self.listing.answer((one.summary() for one in self._store), parameters)

    def delete(self, parameters: Parameters) -> Answer:
        """Answer Delete: it is gone at once; a job must have ended."""
        resource = self._store.existing(parameters[self._store.kind.name_field])
        if resource.status in RUNNING:
            refuse(IN_USE, f"{resource.name} is in status {resource.status}.")
        self._store.remove(resource.arn)
        operation = service_model("sagemaker").operation_model(f"Delete{resource.kind.noun}")
        return {resource.kind.arn_field: resource.arn} if operation.output_shape else {}


def _fields(kind: ResourceKind) -> dict[str, tuple[str, ...]]:
    """Tell where a summary has what List operations filter and sort by."""
    created = "StartTime" if kind.is_execution else "CreationTime"
    return {
        "Name": (kind.name_field,),
        "Status": (kind.status_field,),
        "CreationTime": (created,),
    }
