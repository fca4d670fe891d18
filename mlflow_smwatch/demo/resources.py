"""All resources of one Region that the table of resource kinds names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mlflow_smwatch.demo.automl import AutoML
from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.endpoints import Endpoints
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.inference_components import InferenceComponents
from mlflow_smwatch.demo.notebook_instances import NotebookInstances
from mlflow_smwatch.demo.pipelines import Pipelines
from mlflow_smwatch.demo.resource_kinds import (
    AUTOML_JOB,
    ENDPOINT,
    ENDPOINT_CONFIG,
    INFERENCE_COMPONENT,
    MODEL,
    NOTEBOOK_INSTANCE,
    PIPELINE,
    PIPELINE_EXECUTION,
    RESOURCE_KINDS,
    TUNING_JOB,
    ResourceKind,
)
from mlflow_smwatch.demo.resource_operations import ResourceOperations
from mlflow_smwatch.demo.resource_store import Resource, ResourceStore, checked_parts
from mlflow_smwatch.demo.tuning_children import TuningChildren
from mlflow_smwatch.demo.validation import Answer, Json, Parameters


class Resources:
    """Stores and operations of one Region.

    Parameters
    ----------
    root
        Beginning of the ARNs, up to and with the colon before the resource.
    clock, faults
        Shared by the whole account.
    training_jobs
        Gives DescribeTrainingJob's answers of all training jobs, times as seconds.

    Attributes
    ----------
    stores
        Word of the kind → the resources of that kind.
    operations
        Name → what answers it.
    records
        Search's Resource → what gives all of its records.
    """

    def __init__(
        self,
        root: str,
        clock: Clock,
        faults: Faults,
        training_jobs: Callable[[], Iterable[Answer]],
    ) -> None:
        self._region = root.split(":")[3]
        self._clock = clock
        self._faults = faults
        self.stores = {kind.word: ResourceStore(kind, root) for kind in RESOURCE_KINDS}
        self._likes = {
            word: ResourceOperations(store, clock, faults) for word, store in self.stores.items()
        }
        self._pipelines = Pipelines(
            self._of(PIPELINE),
            self._of(PIPELINE_EXECUTION),
            self._likes[PIPELINE_EXECUTION.word],
            faults,
        )
        self.operations: dict[str, Callable[[Parameters], Answer]] = {}
        for like in self._likes.values():
            self.operations |= like.operations
        self.operations |= self._special_operations(training_jobs)
        self.records: dict[str, Callable[[], Iterable[Answer]]] = {
            store.kind.noun: store.found for store in self.stores.values() if store.kind.is_searched
        }

    def put(
        self,
        word: str,
        answer: Mapping[str, Json],
        tags: Mapping[str, str],
        parts: Sequence[Answer] = (),
    ) -> None:
        """Store a resource; an execution is noted with its pipeline.

        Parameters
        ----------
        word
            Of the kind.
        answer
            Describe's answer; CreationTime and LastModifiedTime are the account's time if missing.
        tags
            Resource tags.
        parts
            What a List operation of its own gives.

        Raises
        ------
        ValueError
            AWS cannot give such an answer, or there is no such kind.
        """
        store = self._known(word)
        now = self._clock.now()
        created = answer.get("CreationTime", now)
        times = {"CreationTime": created}
        if store.kind.has("LastModifiedTime"):
            times["LastModifiedTime"] = created
        resource = store.put({**times, **answer}, tags, parts)
        if store.kind is PIPELINE_EXECUTION:
            self._pipelines.started(resource)

    def update(
        self, word: str, name: str, parts: Sequence[Answer] | None, changes: Mapping[str, Json]
    ) -> None:
        """Change a resource.

        Parameters
        ----------
        word
            Of the kind.
        name
            Name or ARN.
        parts
            In place of what a List operation of its own gives; None leaves it.
        changes
            Fields; None takes one out. LastModifiedTime is the account's time unless given.

        Raises
        ------
        AwsError
            There is no such resource.
        ValueError
            AWS cannot give such an answer.
        """
        store = self._known(word)
        resource = store.existing(name)
        if parts is not None:
            resource.parts = checked_parts(store.kind, parts)
        is_dated = store.kind.has("LastModifiedTime")
        modified = {"LastModifiedTime": self._clock.now()} if is_dated else {}
        resource.update(**{**modified, **changes})

    def remove(self, word: str, name: str) -> None:
        """Remove a resource, whatever its status."""
        self._known(word).remove(name)

    def tagged(self, arn: str) -> Resource | None:
        """Find the resource of an ARN; None for an ARN of something else.

        Raises
        ------
        AwsError
            There is no such resource.
        """
        return next((one for store in self.stores.values() if (one := store.tagged(arn))), None)

    def _known(self, word: str) -> ResourceStore:
        if word not in self.stores:
            message = f"the account holds no {word!r}, only {', '.join(self.stores)}"
            raise ValueError(message)
        return self.stores[word]

    def _of(self, kind: ResourceKind) -> ResourceStore:
        return self.stores[kind.word]

    def _special_operations(
        self, training_jobs: Callable[[], Iterable[Answer]]
    ) -> dict[str, Callable[[Parameters], Answer]]:
        automl = AutoML(self._of(AUTOML_JOB), self._likes[AUTOML_JOB.word], self._faults)
        children = TuningChildren(self._of(TUNING_JOB), training_jobs, self._faults)
        endpoints = Endpoints(
            self._of(ENDPOINT),
            self._of(ENDPOINT_CONFIG),
            self._of(MODEL),
            self._likes[ENDPOINT.word],
            self._clock,
        )
        components = InferenceComponents(self._of(ENDPOINT), self._likes[INFERENCE_COMPONENT.word])
        notebooks = NotebookInstances(
            self._region,
            self._of(NOTEBOOK_INSTANCE),
            self._likes[NOTEBOOK_INSTANCE.word],
            self._clock,
        )
        return {
            **automl.operations,
            **children.operations,
            **endpoints.operations,
            **components.operations,
            **notebooks.operations,
            **self._pipelines.operations,
        }
