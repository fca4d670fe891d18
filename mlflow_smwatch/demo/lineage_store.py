"""Artifacts, contexts, actions, associations, model packages and metric series of one Region."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from mlflow_smwatch.demo.associations import Associations, AssociationStore
from mlflow_smwatch.demo.clock import Clock, whole_milliseconds
from mlflow_smwatch.demo.entities import Entity, EntityStore
from mlflow_smwatch.demo.experiment_store import ExperimentStore
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.lineage_entities import ACTION, ARTIFACT, CONTEXT, LineageEntities
from mlflow_smwatch.demo.lineage_query import LineageQuery
from mlflow_smwatch.demo.metric_series import MetricSeries, Point
from mlflow_smwatch.demo.model_packages import ModelPackages
from mlflow_smwatch.demo.validation import Answer, Json, Parameters


class LineageStore:
    """What an account holds of them: stored at will, and served to clients.

    Parameters
    ----------
    arn_prefix
        Of all ARNs of the account's SageMaker in the Region, up to the resource.
    clock, faults
        The account's.
    lock
        Held while anything changes.
    experiments
        Has the trial components.

    Attributes
    ----------
    operations
        Of the service ``sagemaker``, by name.
    series
        SageMaker Metrics; its operations are those of ``sagemaker-metrics``.
    registry
        Model package groups and model packages.
    stores
        Of all that carries tags.
    """

    def __init__(
        self,
        arn_prefix: str,
        clock: Clock,
        faults: Faults,
        *,
        lock: threading.RLock,
        experiments: ExperimentStore,
    ) -> None:
        self._clock = clock
        self._lock = lock
        self._experiments = experiments
        changes = experiments.changes
        self.artifacts = EntityStore(ARTIFACT, arn_prefix, clock, changes)
        self.contexts = EntityStore(CONTEXT, arn_prefix, clock, changes)
        self.actions = EntityStore(ACTION, arn_prefix, clock, changes)
        self.registry = ModelPackages(arn_prefix, clock, faults, changes)
        self.series = MetricSeries(experiments.component, experiments.component_for)
        self.associations = AssociationStore(self._find, changes)
        for store in (experiments.experiments, experiments.components):
            store.removed.append(self.associations.remove_all)
        own = (self.artifacts, self.contexts, self.actions)
        self.stores = (*own, self.registry.groups, self.registry.packages)
        self._finders = {
            **{store.prefix: store.get for store in (*own, experiments.experiments)},
            experiments.components.prefix: experiments.component,
        }
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            **Associations(
                self.associations, changes, faults, lambda: _seconds(clock.now())
            ).operations,
            **LineageQuery(self.associations, changes, faults).operations,
            **self.registry.operations,
        }
        for store in own:
            self.operations |= LineageEntities(
                store, changes, faults, is_bound=self.associations.is_bound
            ).operations

    def put_artifact(
        self,
        uri: str,
        *,
        kind: str = "DataSet",
        created: datetime | None = None,
        name: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> str:
        """Store an artifact; one of the same URI and kind is replaced.

        Parameters
        ----------
        uri
            SourceUri: of an S3 object or prefix, or of an image.
        kind
            ArtifactType.
        created
            When; the account's time if None.
        name
            Artifacts may have one.
        properties
            Its Properties.

        Returns
        -------
        str
            Its ARN.
        """
        fields = {
            "ArtifactName": name,
            "Source": {"SourceUri": uri, "SourceTypes": []},
            "ArtifactType": kind,
        }
        return self._put(self.artifacts, fields, properties, created)

    def put_context(
        self,
        name: str,
        uri: str,
        *,
        kind: str = "Endpoint",
        created: datetime | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> str:
        """Store a context; one of the same name is replaced.

        Parameters
        ----------
        name
            Its name.
        uri
            SourceUri: the ARN of an endpoint or of a model package group.
        kind
            ContextType.
        created
            When; the account's time if None.
        properties
            Its Properties.

        Returns
        -------
        str
            Its ARN.
        """
        fields = {"ContextName": name, "Source": {"SourceUri": uri}, "ContextType": kind}
        return self._put(self.contexts, fields, properties, created)

    def put_action(
        self,
        name: str,
        uri: str,
        *,
        kind: str = "ModelDeployment",
        created: datetime | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> str:
        """Store a completed action; one of the same name is replaced.

        Parameters
        ----------
        name
            Its name.
        uri
            SourceUri: the ARN of an endpoint or of a model package.
        kind
            ActionType.
        created
            When; the account's time if None.
        properties
            Its Properties.

        Returns
        -------
        str
            Its ARN.
        """
        fields = {
            "ActionName": name,
            "Source": {"SourceUri": uri},
            "ActionType": kind,
            "Status": "Completed",
        }
        return self._put(self.actions, fields, properties, created)

    def associate(
        self,
        source_arn: str,
        destination_arn: str,
        kind: str | None = "ContributedTo",
        created: datetime | None = None,
    ) -> None:
        """Store an association.

        Parameters
        ----------
        source_arn, destination_arn
            Of trial components, artifacts, contexts, actions or experiments.
        kind
            AssociationType; None for none.
        created
            When; the account's time if None.

        Raises
        ------
        AwsError
            One of the two does not exist, or they are associated already.
        """
        at = _seconds(created or self._clock.now())
        with self._lock:
            self.associations.add(source_arn, destination_arn, kind, at)

    def dissociate(self, source_arn: str, destination_arn: str) -> None:
        """Remove an association."""
        with self._lock:
            self.associations.remove(source_arn, destination_arn)

    def put_metric_series(self, component_name: str, metric: str, points: Iterable[Point]) -> None:
        """Add points to a component's series, and bring its summary of the metric up to date.

        Parameters
        ----------
        component_name
            Of a trial component.
        metric
            Its name.
        points
            Step or None, timestamp in milliseconds since the epoch, and finite value of each.

        Raises
        ------
        AwsError
            There is no such component.
        """
        with self._lock:
            self.series.add(self._experiments.existing(component_name), metric, points)

    def put_model_package_group(
        self, name: str, *, created: datetime | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Store a model package group; the ARN is given back."""
        with self._lock:
            return self.registry.put_group(name, {"CreationTime": created}, tags or {}).arn

    def put_model_package(
        self, fields: Mapping[str, Json], tags: Mapping[str, str] | None = None
    ) -> str:
        """Store a model package.

        Parameters
        ----------
        fields
            Of DescribeModelPackage's answer; with a ModelPackageGroupName it is the group's next
            version.
        tags
            Resource tags.

        Returns
        -------
        str
            Its ARN.
        """
        with self._lock:
            return self.registry.put_package(dict(fields), tags or {}).arn

    def _put(
        self,
        store: EntityStore,
        fields: Answer,
        properties: Mapping[str, str] | None,
        created: datetime | None,
    ) -> str:
        held = dict(properties) if properties else None
        with self._lock:
            return store.put({**fields, "Properties": held, "CreationTime": created}).arn

    def _find(self, arn: str) -> Entity | None:
        find = self._finders.get(f"{arn.partition('/')[0]}/")
        return None if find is None else find(arn)


def _seconds(instant: datetime) -> float:
    return round(whole_milliseconds(instant).timestamp(), 3)
