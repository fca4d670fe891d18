"""MLflow experiments, found or made by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import JobError, SmwatchError, StopError
from mlflow_smwatch.core.keys import EXPERIMENT_TAG_LIMIT, assign_keys, legal_value
from mlflow_smwatch.core.note import harmless
from mlflow_smwatch.tracking.overlays import Overlays, has_logs
from mlflow_smwatch.tracking.store import Tracking, listing_errors, tracking_errors
from mlflow_smwatch.tracking.uris import shown_uri

_TRAINING = "custom_model_development"
_PAGE = 1000


class Experiments:
    """All experiments of a store, read once; new ones are made when a job needs them.

    Parameters
    ----------
    tracking
        The store.
    overlays
        Makes new experiments on the overlay; None for experiments as MLflow makes them.

    Raises
    ------
    TrackingError
        When MLflow cannot list them.
    """

    def __init__(self, tracking: Tracking, overlays: Overlays | None = None) -> None:
        self._tracking = tracking
        self._overlays = overlays
        self._lock = threading.Lock()
        self._by_name: dict[str, Experiment] = {}
        token = None
        while True:
            with listing_errors("listing experiments"):
                page = tracking.client.search_experiments(
                    view_type=ViewType.ALL, max_results=_PAGE, page_token=token
                )
            self._by_name.update({each.name: each for each in page})
            token = page.token
            if not token:
                return

    @property
    def ids(self) -> list[str]:
        """Ids of all experiments, deleted ones included."""
        return [each.experiment_id for each in tuple(self._by_name.values())]

    def name_of(self, experiment_id: str) -> str | None:
        """Return the name of an experiment, None if it is not known."""
        known = self._known(experiment_id)
        return known.name if known else None

    def meet(self, experiment_id: str) -> None:
        """Take in an experiment that another process may have made.

        Raises
        ------
        JobError
            When MLflow does not have it.
        """
        if self._known(experiment_id) is None:
            with tracking_errors("looking at the experiment"):
                found = self._tracking.client.get_experiment(experiment_id)
            with self._lock:
                self._by_name[found.name] = found

    def tags_of(self, experiment_id: str) -> Mapping[str, str]:
        """Return the tags of an experiment as they were when the experiments were read."""
        known = self._known(experiment_id)
        return known.tags if known else {}

    def find(self, name: str) -> str | None:
        """Return the id of an experiment that exists and is not deleted, else None."""
        known = self._by_name.get(name)
        return known.experiment_id if known and known.lifecycle_stage == "active" else None

    def find_or_create(self, name: str) -> str:
        """Return the id of an experiment, making it if need be.

        Raises
        ------
        JobError
            When the user deleted it, with the command that restores it.
        """
        with self._lock:
            if name not in self._by_name:
                self._by_name[name] = self._create(name)
            known = self._by_name[name]
        if known.lifecycle_stage != "active":
            message = f"{self._way_back(known)}, or give --experiment"
            raise JobError(message)
        return str(known.experiment_id)

    def require_active(self, experiment_id: str) -> None:
        """Refuse to go on with a run whose experiment the user deleted.

        Raises
        ------
        JobError
            With the command that restores the experiment and its runs.
        """
        known = self._known(experiment_id)
        if known and known.lifecycle_stage != "active":
            raise JobError(self._way_back(known))

    def describe(
        self, name: str, arn: str, description: str | None, tags: Mapping[str, str]
    ) -> None:
        """Write what AWS says of an experiment, as far as it is new.

        Experiments of one name in several accounts or Regions are one here; it shows what is said
        of the first that was met, whose ARN it has.

        Parameters
        ----------
        name
            Of the experiment; one that is not there, or was deleted, is left alone.
        arn
            Of the experiment in SageMaker.
        description
            Becomes its note, unless it has one; links and images in it are text there.
        tags
            Resource tags.

        Raises
        ------
        JobError
            When MLflow refuses.
        """
        known = self._by_name.get(name)
        if known is None or known.lifecycle_stage != "active":
            return
        if known.tags.get(names.ARN, arn) != arn:
            return
        wanted = {f"{names.RESOURCE_TAG_PREFIX}{key}": value for key, value in tags.items()}
        if description and names.NOTE not in known.tags:
            wanted[names.NOTE] = harmless(description)
        if wanted:
            wanted[names.ARN] = arn
        keys = assign_keys(wanted)
        for tag, value in wanted.items():
            legal = legal_value(value, EXPERIMENT_TAG_LIMIT)
            if known.tags.get(keys[tag]) != legal:
                with tracking_errors("writing an experiment's tag"), self._tracking.gate:
                    client = self._tracking.client
                    client.set_experiment_tag(known.experiment_id, keys[tag], legal)

    def shows_job(self, experiment_id: str) -> bool | None:
        """Whether runs of an experiment show what AWS has of their jobs when somebody looks.

        Parameters
        ----------
        experiment_id
            The experiment.

        Returns
        -------
        bool or None
            None where :meth:`ask_server` can tell.
        """
        known = self._known(experiment_id)
        if self._overlays is None or known is None:
            return False
        return self._overlays.shows_job(known.artifact_location)

    def ask_server(
        self, experiment_id: str, run_id: str, kind: str, prepare: Callable[[], None]
    ) -> None:
        """Ask the server, unless that was done, whether it shows what AWS has of a run's job.

        Parameters
        ----------
        experiment_id, run_id
            A run and its experiment.
        kind
            Of its job.
        prepare
            Seals the run; called before, if the server is asked.
        """
        known = self._known(experiment_id)
        if self._overlays is not None and known is not None:
            self._overlays.ask_server(known, run_id, kind, prepare)

    def overlay_warnings(self, runs: Iterable[tuple[str, str, str]]) -> Iterator[str]:
        """Say which experiments show nothing of AWS, and whether the server can show the others.

        Parameters
        ----------
        runs
            Runs that were written: id, experiment's id and kind of job.

        Yields
        ------
        str
            A warning; also where it cannot be told.
        """
        if self._overlays is None:
            return
        telling = sorted(runs, key=lambda run: has_logs(run[2]))
        of_experiment = {experiment_id: (run_id, kind) for run_id, experiment_id, kind in telling}
        for experiment_id, (run_id, kind) in of_experiment.items():
            try:
                with tracking_errors("looking at the experiment"):
                    known = self._tracking.client.get_experiment(experiment_id)
            except SmwatchError as error:
                yield f"what runs show of their jobs is not known: {error}"
                if isinstance(error, StopError):
                    return
                continue
            self._overlays.ask_server(known, run_id, kind)
            warning = self._overlays.warning(known)
            if warning:
                yield warning
        yield from self._overlays.answers()

    def _known(self, experiment_id: str) -> Experiment | None:
        known = tuple(self._by_name.values())  # other threads add to it
        return next((each for each in known if each.experiment_id == experiment_id), None)

    def _way_back(self, deleted: Experiment) -> str:
        command = f"mlflow experiments restore --experiment-id {deleted.experiment_id}"
        return (
            f"the MLflow experiment {deleted.name!r} was deleted: restore it with"
            f" MLFLOW_TRACKING_URI='{shown_uri(self._tracking.uri)}' {command}"
        )

    def _create(self, name: str) -> Experiment:
        client = self._tracking.client
        with tracking_errors(f"making experiment {name!r}"), self._tracking.gate:
            try:
                tags = {names.EXPERIMENT_KIND: _TRAINING}
                make = self._overlays.create if self._overlays else client.create_experiment
                experiment_id = make(name, tags=tags)
            except MlflowException as error:
                made_meanwhile = client.get_experiment_by_name(name)
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or made_meanwhile is None:
                    raise
                return made_meanwhile
            return client.get_experiment(experiment_id)
