"""What MLflow knows of the things that a dashboard is made of."""

from __future__ import annotations

from mlflow.entities import ViewType

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import experiment_url, run_url, ui_address
from mlflow_smwatch.tracking.run_search import RunSearch, known_run
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import Tracking, listing_errors, open_tracking

_MOST = 1_000


class MirroredThings:
    """The mirrored runs of a store, by what a user calls them.

    Parameters
    ----------
    tracking
        The store.
    address
        Of MLflow's pages; None where they have no fixed one.
    """

    def __init__(self, tracking: Tracking, address: str | None) -> None:
        self._tracking, self._address = tracking, address
        self._experiments = Experiments(tracking)
        self._index = RunIndex(tracking, self._experiments)
        self._search = RunSearch(tracking, self._experiments)

    def named(self, text: str) -> tuple[KnownRun, ...]:
        """Find the runs of jobs of a name, an ARN or a run id, deleted ones left out."""
        found = self._index.named(text)
        return tuple(run for run in found if run.active and names.ARN in run.tags)

    def in_experiment(self, name: str) -> tuple[KnownRun, ...] | None:
        """Find the runs of jobs in an experiment, the latest first; None for no such experiment."""
        with listing_errors("looking for the experiment"):
            experiment = self._tracking.client.get_experiment_by_name(name)
            if experiment is None:
                return None
            page = self._tracking.client.search_runs(
                [experiment.experiment_id],
                f"tags.`{names.ARN}` LIKE 'arn:%'",
                ViewType.ACTIVE_ONLY,
                max_results=_MOST,
                order_by=["attributes.start_time DESC"],
            )
        return tuple(known_run(run) for run in page)

    def children(self, run: KnownRun) -> tuple[KnownRun, ...]:
        """Find the runs of jobs that belong to a run."""
        condition = f"tags.`{names.PARENT}` = '{run.run_id}'"
        found = self._search.search(condition, ViewType.ACTIVE_ONLY)
        return tuple(each for each in found if names.ARN in each.tags)

    def page(self, run: KnownRun) -> str | None:
        """Give the page of a run."""
        return run_url(self._address, run.experiment_id, run.run_id)

    def experiment_page(self, name: str) -> str | None:
        """Give the page of an experiment."""
        with listing_errors("looking for the experiment"):
            experiment = self._tracking.client.get_experiment_by_name(name)
        return experiment_url(self._address, experiment.experiment_id) if experiment else None


def open_things(tracking_uri: str | None, ui_url: str | None) -> MirroredThings:
    """Open a store that is there.

    Raises
    ------
    TrackingError
        When MLflow cannot be used.
    """
    tracking = open_tracking(tracking_uri, create=False)
    return MirroredThings(tracking, ui_address(tracking.uri, ui_url))
