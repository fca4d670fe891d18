"""Versions of one registered model, each by the S3 URI of what SageMaker made."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, assign_keys, legal_value
from mlflow_smwatch.tracking.conditions import literal
from mlflow_smwatch.tracking.store import Tracking, listing_errors, tracking_errors

_PAGE = 1000


class ModelRegistry:
    """One registered model, made when its first version is.

    Parameters
    ----------
    tracking
        The store; its registry is MLflow's own choice.
    name
        Of the registered model.

    Raises
    ------
    TrackingError
        When the registry cannot be searched.
    """

    def __init__(self, tracking: Tracking, name: str) -> None:
        self._tracking = tracking
        self._name = name
        self._sources = {each.source for each in self._versions()}

    def add(self, source: str, run_id: str | None, tags: Mapping[str, str]) -> str | None:
        """Make a version of a model artifact, unless there is one.

        Two mirrors may do so at once: of two versions the earlier one stays.

        Parameters
        ----------
        source
            S3 URI of the artifact.
        run_id
            The run of the job that made it.
        tags
            Of the version.

        Returns
        -------
        str or None
            The version's number; None where it was there.

        Raises
        ------
        JobError
            When MLflow refuses.
        """
        if source in self._sources:
            return None
        is_source = f" AND source_path = {literal(source)}"
        keys = assign_keys(tags)
        legal = {keys[tag]: legal_value(value, TAG_VALUE_LIMIT) for tag, value in tags.items()}
        client = self._tracking.client
        with tracking_errors(f"registering a version of {self._name!r}"), self._tracking.gate:
            self._make_model()
            made = client.create_model_version(self._name, source, run_id=run_id, tags=legal)
            same = self._versions(is_source)
            first = min(same, key=lambda each: int(each.version), default=made)
            if int(first.version) < int(made.version):
                client.delete_model_version(self._name, made.version)
        self._sources.add(source)
        return str(made.version) if first.version == made.version else None

    def _make_model(self) -> None:
        if self._sources:
            return
        try:
            self._tracking.client.create_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _versions(self, condition: str = "") -> list[ModelVersion]:
        found: list[ModelVersion] = []
        token = None
        while True:
            with listing_errors("looking for registered models"):
                page = self._tracking.client.search_model_versions(
                    f"name = {literal(self._name)}{condition}", max_results=_PAGE, page_token=token
                )
            found += page
            token = page.token
            if not token:
                return found
