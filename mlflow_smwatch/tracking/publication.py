"""The runs whose metrics are published, and the note on them of what is."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow.entities import RunTag, ViewType

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import JobError, UnknownJobError
from mlflow_smwatch.core.job_kinds import ENDPOINT
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.remembered import variants_in
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.core.watermark import STATE_TAG
from mlflow_smwatch.tracking.conditions import literal
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.run_search import RunSearch
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import Tracking, tracking_errors

_RUN_NAME = "mlflow.runName"
_SHOWN = 5


class RunsToPublish:
    """The runs of a store, whoever made them.

    Parameters
    ----------
    tracking
        The store.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking
        self._experiments = Experiments(tracking)
        self._index = RunIndex(tracking, self._experiments)
        self._search = RunSearch(tracking, self._experiments)

    def named(self, text: str) -> tuple[KnownRun, ...]:
        """Find the runs that a user means, deleted ones left out.

        Parameters
        ----------
        text
            A run id; the name or ARN of a job, which means all runs that stand for it; or the name
            of one run.

        Raises
        ------
        JobError
            When there is none, or several have this name that stand for no job.
        """
        found = tuple(run for run in self._index.named(text) if run.active)
        if found:
            return found
        called = self._called(text)
        if not called:
            message = f"no run of this name, ARN or run id is in MLflow: {visible(text)}"
            raise UnknownJobError(message)
        if len(called) > 1:
            ids = ", ".join(run.run_id for run in called[:_SHOWN])
            message = f"{len(called)} runs have this name: name one by its run id, such as {ids}"
            raise JobError(message)
        return called

    def reread(self, run: KnownRun) -> KnownRun:
        """Read a run as it is now, with all of its metrics."""
        return self._index.reread(run)

    def experiment_of(self, run: KnownRun) -> str:
        """Tell the name of a run's experiment."""
        return self._experiments.name_of(run.experiment_id) or run.experiment_id

    def history(self, run: KnownRun, key: str) -> tuple[WrittenPoint, ...]:
        """Give every point that a run has under a key."""
        return self._index.history(run.run_id, key)

    def note(self, run: KnownRun, tags: Mapping[str, str]) -> None:
        """Write tags on a run, in one request.

        Raises
        ------
        JobError, TrackingError
            When MLflow does not take them.
        """
        noted = [RunTag(key, value) for key, value in tags.items()]
        with tracking_errors("noting what is published"), self._tracking.gate:
            self._tracking.client.log_batch(run.run_id, tags=noted)

    def _called(self, name: str) -> tuple[KnownRun, ...]:
        if not name.isprintable():
            return ()
        condition = f"attributes.run_name = {literal(name)}"
        found = self._search.search(condition, ViewType.ACTIVE_ONLY)
        return tuple(run for run in found if run_name(run) == name)


def run_name(run: KnownRun) -> str:
    """Tell what a run is called."""
    return run.tags.get(_RUN_NAME) or run.tags.get(names.NAME, "")


def mirrored_keys(run: KnownRun) -> frozenset[str]:
    """Tell which metrics of a run the mirror wrote, and not its user.

    The note on an endpoint's run does not name series of instances that are gone for long: what
    begins as they do is the mirror's.

    Raises
    ------
    JobError
        When the mirror's note on the run is not readable, so that nobody can tell.
    """
    watermark = run.watermark
    if watermark is None:
        return run.metric_keys if run.mirrored or STATE_TAG in run.tags else frozenset()
    given = {*watermark.given_keys.values(), *watermark.keys.values()}
    own: tuple[str, ...] = ("sagemaker/",)
    if run.tags.get(names.KIND) == ENDPOINT.word:
        own += ("system/", *(f"{each.name}/" for each in variants_in(run.tags)))
    return frozenset(key for key in run.metric_keys if key in given or key.startswith(own))
