"""Removes runs for good: run, artifacts and models, as ``mlflow gc`` does where MLflow lets us.

MLflow's SQL stores can erase a run (``_hard_delete_run``, of which ``mlflow gc`` is made); its REST
API only deletes one, as MLflow's pages do. An erased run leaves nothing that says so: a deleted run
without contents is put in its place, so that its job is known for one that is not wanted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import JobError, TrackingError
from mlflow_smwatch.core.matching import IDENTITY, KnownRun
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.tracking.artifacts import remove_artifacts
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.store import Tracking, tracking_errors

_NOT_THERE = frozenset({"RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"})
_NO_MEMORY = (
    "its experiment is deleted and takes no note: a later sync may mirror the job again, once the"
    " experiment is restored"
)


class Remover:
    """Removes runs that the mirror made.

    Parameters
    ----------
    tracking
        The store.
    experiments
        Its experiments.
    now_ms
        The present.
    """

    def __init__(self, tracking: Tracking, experiments: Experiments, now_ms: int) -> None:
        self._tracking = tracking
        self._experiments = experiments
        self._now_ms = now_ms
        self._store: Any = getattr(
            getattr(tracking.client, "_tracking_client", None), "store", None
        )

    @property
    def erases(self) -> bool:
        """Whether nothing of a run is left; else it is deleted as MLflow's pages do it."""
        return hasattr(self._store, "_hard_delete_run")

    def remove(self, run: KnownRun, *, noted: bool) -> tuple[str, ...]:
        """Remove a run.

        Each step may be done again: after a crash, or an error, the same call goes on.

        Parameters
        ----------
        run
            A run of the mirror's own.
        noted
            Whether a note on its job is there already.

        Returns
        -------
        tuple of str
            What is left of it, in words.

        Raises
        ------
        JobError
            When MLflow, or an artifact store, refuses; by then the run may be deleted as MLflow's
            pages do it.
        TrackingError
            When MLflow is gone.
        """
        left = self._versions(run)
        self._delete(run)
        remove_artifacts(self._tracking, run.run_id, run.artifact_uri)
        left += self._remove_models(run)
        if self.erases:
            if not noted:
                left += self._note(run)
            with tracking_errors("erasing the run"), self._tracking.gate:
                self._store._hard_delete_run(run.run_id)  # noqa: SLF001 - as mlflow gc
        return tuple(left)

    def _delete(self, run: KnownRun) -> None:
        if run.active:
            client, now = self._tracking.client, iso_utc(self._now_ms)
            with tracking_errors("deleting the run"), self._tracking.gate:
                client.set_tag(run.run_id, names.FORGOTTEN, now)
                client.delete_run(run.run_id)

    def _note(self, run: KnownRun) -> list[str]:
        """Make a deleted run that holds nothing but which job it stands for."""
        if self._experiments.name_of(run.experiment_id) is None or not self._takes_runs(run):
            return [_NO_MEMORY]
        tags = {key: run.tags[key] for key in IDENTITY if key in run.tags} | {
            names.VERSION: __version__,
            names.FORGOTTEN: iso_utc(self._now_ms),
            **to_tags(Watermark(made_ms=self._now_ms)),
        }
        client = self._tracking.client
        with tracking_errors("noting that the run is forgotten"), self._tracking.gate:
            made = client.create_run(
                run.experiment_id, run.start_ms, tags, run_name=tags.get(names.NAME)
            )
            client.delete_run(made.info.run_id)
        return []

    def _takes_runs(self, run: KnownRun) -> bool:
        try:
            self._experiments.require_active(run.experiment_id)
        except JobError:
            return False
        return True

    def _remove_models(self, run: KnownRun) -> list[str]:
        """Remove the models that the mirror made for a run; tell how many others there are."""
        own, others = [], 0
        for model in self._models(run):
            if model.tags.get(names.ARN) == run.tags.get(names.ARN):
                own.append(model)
            else:
                others += 1
        for model in own:
            self._remove_model(model)
        if not others:
            return []
        noun = "model that was" if others == 1 else "models that were"
        return [f"{others} logged {noun} made in it by others: MLflow keeps them"]

    def _models(self, run: KnownRun) -> list[LoggedModel]:
        """Give the models of a run that are not deleted; none where a server has no models."""
        condition = f"source_run_id = '{run.run_id}'"
        search = self._tracking.client.search_logged_models
        found = self._unless_absent(
            "looking for models", lambda: list(search([run.experiment_id], condition))
        )
        return found or []

    def _remove_model(self, model: LoggedModel) -> None:
        client, model_id = self._tracking.client, model.model_id
        remove_artifacts(self._tracking, model_id, model.artifact_location, of="logged_model")
        self._unless_absent("removing a model", lambda: client.delete_logged_model(model_id))
        if hasattr(self._store, "_hard_delete_logged_model"):
            with tracking_errors("erasing a model"), self._tracking.gate:
                self._store._hard_delete_logged_model(model_id)  # noqa: SLF001 - as mlflow gc

    def _versions(self, run: KnownRun) -> list[str]:
        """Tell which registered versions name a run: they stay."""
        registry = os.environ.get("MLFLOW_REGISTRY_URI") or self._tracking.uri
        client = MlflowClient(self._tracking.uri, registry_uri=registry)
        search = client.search_model_versions
        try:
            found = self._unless_absent(
                "looking for registered versions", lambda: search(f"run_id = '{run.run_id}'")
            )
        except (JobError, TrackingError) as error:
            return [f"whether versions of registered models name it is not known: {error}"]
        return [
            f"version {each.version} of the registered model {each.name}: versions are not removed"
            for each in found or ()
        ]

    def _unless_absent(self, what: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the call
        """Call MLflow; None where there is no such thing, or a server has nothing of the kind."""
        try:
            with tracking_errors(what), self._tracking.gate:
                return call()
        except JobError as error:
            cause = error.__cause__
            if isinstance(cause, MlflowException) and cause.error_code in _NOT_THERE:
                return None
            raise
