"""Experiments on the overlay: makes them, and says of others why they show nothing of AWS."""

from __future__ import annotations

import json
import shlex
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from mlflow_smwatch.core.errors import JobError, SmwatchError
from mlflow_smwatch.core.job_files import parts_of
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.shown_paths import FOLDER, LOGS
from mlflow_smwatch.tracking.locations import (
    is_overlaid,
    is_servers,
    overlaid,
    overlaid_below,
    server_destination,
)
from mlflow_smwatch.tracking.seals import KEY_VARIABLE
from mlflow_smwatch.tracking.store import Tracking, ask_server, tracking_errors
from mlflow_smwatch.tracking.turning import turn
from mlflow_smwatch.tracking.uris import database_uri, shown_uri

UNREGISTERED = "Could not find a registered artifact repository"
"""What MLflow says of a scheme for which no plug-in is installed."""

_DEFAULT = "Default"
_LISTING = "/api/2.0/mlflow/artifacts/list"
_TIMEOUT_S = 30
_REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})


class Overlays:
    """Makes experiments whose runs show what AWS has of their jobs; one for all passes.

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
        self._lock = threading.Lock()
        self._asked: dict[bool, bool] = {}
        self._untold: list[str] = []

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

    def shows_job(self, location: str) -> bool | None:
        """Whether runs of an experiment show what AWS has of their jobs when somebody looks.

        Parameters
        ----------
        location
            Where the experiment is.

        Returns
        -------
        bool or None
            None where only the server knows, and was not asked yet.
        """
        if is_overlaid(location) or not is_servers(location):
            return is_overlaid(location)
        if self._database is None:
            return self._asked.get(is_servers(location))
        return is_overlaid(server_destination() or "")

    def warning(self, experiment: Experiment) -> str | None:
        """Say why an experiment shows nothing of AWS, and what to do; None where it does.

        What a server keeps is not judged here: it is asked.

        Parameters
        ----------
        experiment
            As it is now.
        """
        location = experiment.artifact_location
        if self.shows_job(location) or self._is_asked_for(location):
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

    def ask_server(
        self,
        experiment: Experiment,
        run_id: str,
        kind: str,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask the server to list what it shows of a run's job; it is asked once.

        Its plug-in decides for experiments on the overlay, its destination for those whose
        artifacts it keeps itself: that is asked of a job with logs, which are always listed.

        Parameters
        ----------
        experiment
            One whose runs the server shows; of others nothing is asked.
        run_id
            A run of it, which the server believes with its seal only.
        kind
            Of its job.
        prepare
            Called before, if the server is asked.
        """
        location = experiment.artifact_location
        if not self._is_asked_for(location) or (is_servers(location) and not has_logs(kind)):
            return
        with self._lock:
            if is_servers(location) not in self._asked:
                prepare()
                self._asked[is_servers(location)] = self._ask(experiment, run_id, kind)

    def answers(self) -> Iterator[str]:
        """Say what the server does not show, each once."""
        with self._lock:
            told, self._untold = self._untold, []
        yield from told

    def _is_asked_for(self, location: str) -> bool:
        return self._database is None and (is_overlaid(location) or is_servers(location))

    def _ask(self, experiment: Experiment, run_id: str, kind: str) -> bool:
        """Ask; False also where the server did not say, or could not be asked."""
        query = {"run_id": run_id, "path": FOLDER}
        try:
            with tracking_errors("asking what the server shows"):
                answer = ask_server(self._tracking.client, _LISTING, query, _TIMEOUT_S)
        except SmwatchError as error:
            self._untold.append(f"what the MLflow server shows of jobs is not known: {error}")
            return False
        if answer is None:
            return False
        shows = answer.status_code == 200 and (not has_logs(kind) or _lists_logs(answer.text))
        if not shows:
            self._untold.append(_not_shown(experiment, answer.status_code, answer.text))
        return shows

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
            return overlaid_below(root, uuid.uuid4().hex)
        except JobError:
            return None

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


def has_logs(kind: str) -> bool:
    """Whether what is read through of a job of a kind has a folder of logs, come what may."""
    known = KINDS.get(kind)
    return known is not None and LOGS in parts_of(known)


def _lists_logs(listing: str) -> bool:
    """Whether MLflow's listing of ``sagemaker`` has the folder that nobody stores."""
    try:
        files = json.loads(listing).get("files", ())
        return any(each.get("is_dir") and each["path"] == f"{FOLDER}/{LOGS}" for each in files)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _not_shown(experiment: Experiment, status: int, text: str) -> str:
    """Say what a server does not show, and what to do."""
    name, kept = experiment.name, is_servers(experiment.artifact_location)
    if UNREGISTERED in text:
        undo = (
            "start it with a plain --artifacts-destination"
            if kept
            else "undo it where its database can be reached, with: smwatch overlay --off"
            f" {shlex.quote(name)} --tracking-uri DATABASE-URI"
        )
        return (
            f"the MLflow server lacks this package, so the artifacts of runs in {name!r} and in"
            " other experiments on the overlay cannot be opened through it; nothing is lost, and"
            " all else is shown. Mend it on the server with: pip install mlflow-smwatch, then start"
            f" it again; or {undo}"
        )
    if status != 200:
        return f"what the MLflow server shows of runs in {name!r} is not known: HTTP {status}"
    same_key = f"give it and the mirror the same {KEY_VARIABLE}"
    if not kept:
        return (
            f"the MLflow server does not believe the seals of runs in {name!r}: runs on the overlay"
            f" show only what is stored with them; {same_key}"
        )
    return (
        f"the MLflow server shows no logs, model and output of jobs: runs in {name!r}, and in all"
        " other experiments whose artifacts it keeps, show job.json and lineage.html only. To"
        " change that, start it with --artifacts-destination smwatch+<its destination>, with this"
        f" package installed beside it; where that is so already, {same_key}"
    )
