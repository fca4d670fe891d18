"""Experiments on the overlay: makes them, and says of others why they show nothing of AWS."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Mapping

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.utils.rest_utils import http_request

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.tracking.locations import (
    BELOW_EXPERIMENT,
    LONGEST_RUN,
    is_overlaid,
    is_servers,
    overlaid,
)
from mlflow_smwatch.tracking.store import Tracking, tracking_errors
from mlflow_smwatch.tracking.turning import turn
from mlflow_smwatch.tracking.uris import database_uri, shown_uri

UNREGISTERED = "Could not find a registered artifact repository"
"""What MLflow says of a scheme for which no plug-in is installed."""

_DEFAULT = "Default"
_TIMEOUT_S = 30
_REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})


class Overlays:
    """Makes experiments whose runs show what AWS has of their jobs.

    Parameters
    ----------
    tracking
        The store.
    base
        URI or absolute path below which each new experiment has a folder of its own; None for
        MLflow's own place.
    """

    def __init__(self, tracking: Tracking, base: str | None) -> None:
        self._tracking = tracking
        self._base = base
        self._database = database_uri(tracking.uri)
        self._root: str | None = None

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Make an experiment, on the overlay where that is possible, and return its id.

        In a database MLflow chooses the place, which is then turned over. A server is told the
        place, beside that of its first experiment.

        Raises
        ------
        MlflowException
            When MLflow refuses.
        """
        client = self._tracking.client
        location = self._new_location()
        if location is None:
            experiment_id = client.create_experiment(name, tags=dict(tags))
            self._turn_over(experiment_id)
            return str(experiment_id)
        try:
            return str(client.create_experiment(name, location, dict(tags)))
        except MlflowException as error:
            if error.error_code not in _REFUSALS:
                raise
            return str(client.create_experiment(name, tags=dict(tags)))  # workspaces have one place

    def warning(self, experiment: Experiment) -> str | None:
        """Say why an experiment shows nothing of AWS, and what to do; None where it does.

        Parameters
        ----------
        experiment
            As it is now.
        """
        location = experiment.artifact_location
        if is_overlaid(location) or (self._database is None and is_servers(location)):
            return None
        begin = f"the experiment {experiment.name!r} is not on the overlay, its runs are mirrored"
        begin += " but show no logs, model and output of their jobs: "
        try:
            overlaid(location)
        except JobError as error:
            return f"{begin}{error}"
        command = f"smwatch overlay {shlex.quote(experiment.name)} --tracking-uri"
        if self._database is not None:
            return f"{begin}turn it over with: {command} '{shown_uri(self._tracking.uri)}'"
        return (
            f"{begin}no call to an MLflow server changes where an experiment's artifacts are."
            f" Where the server's database can be reached: {command} DATABASE-URI"
        )

    def server_warning(self, run_id: str, name: str) -> str | None:
        """Ask the server to list what it shows of a run's job; say so where it cannot.

        Parameters
        ----------
        run_id
            A run that is on the overlay.
        name
            Of its experiment.
        """
        if self._database is not None:
            return None
        store = self._tracking.client._tracking_client.store  # noqa: SLF001 - no public way
        with tracking_errors("asking what the server shows"):
            response = http_request(  # type: ignore[no-untyped-call]
                store.get_host_creds(),
                "/api/2.0/mlflow/artifacts/list",
                "GET",
                params={"run_id": run_id, "path": "sagemaker"},
                max_retries=0,
                timeout=_TIMEOUT_S,
                raise_on_status=False,
            )
        if response.status_code == 200 or UNREGISTERED not in response.text:
            return None
        return (
            f"the MLflow server lacks this package, so the artifacts of runs in {name!r} and in"
            " other experiments on the overlay cannot be opened through it; nothing is lost, and"
            " all else is shown. Mend it on the server with: pip install mlflow-smwatch, then start"
            " it again; or undo it where its database can be reached, with: smwatch overlay --off"
            f" {shlex.quote(name)} --tracking-uri DATABASE-URI"
        )

    def _turn_over(self, experiment_id: str) -> None:
        if self._database is not None:
            try:
                with self._tracking.gate:
                    turn(self._database, experiment_id)
            except JobError:  # it stays as MLflow made it, and `warning` says so
                return

    def _new_location(self) -> str | None:
        """Choose a new experiment's place; None where MLflow is to choose it."""
        root = self._base or (self._learned_root() if self._database is None else None)
        if root is None:
            return None
        try:
            location = overlaid(f"{_as_path(root).rstrip('/')}/{uuid.uuid4().hex}")
        except JobError:
            return None
        return location if len(location) + BELOW_EXPERIMENT <= LONGEST_RUN else None

    def _learned_root(self) -> str | None:
        """Learn from the first experiment where a server keeps artifacts.

        None where it does not say so, and where only the server knows what its address means.
        """
        if self._root is None:
            with tracking_errors("looking for the server's artifacts"):
                first = self._tracking.client.get_experiment_by_name(_DEFAULT)
            root, _, last = first.artifact_location.rpartition("/") if first else ("", "", "")
            self._root = root if first and last == first.experiment_id else ""
        return None if not self._root or is_servers(self._root) else self._root


def _as_path(root: str) -> str:
    """Give a file URI as the path that it names: both mean the same to MLflow."""
    return root.removeprefix("file://")
