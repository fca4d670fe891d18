"""Turns existing experiments over to the artifact overlay, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mlflow_smwatch.core.errors import JobError, UsageError, reason
from mlflow_smwatch.tracking.store import Tracking, open_tracking, tracking_errors
from mlflow_smwatch.tracking.turning import turn
from mlflow_smwatch.tracking.uris import chosen_uri, database_uri, shown_uri


@dataclass(frozen=True, slots=True)
class TurnedExperiment:
    """An experiment that is as it was asked for.

    Attributes
    ----------
    experiment, experiment_id
        Its name and id.
    location
        Where its artifacts are, as MLflow has it now.
    changed
        How many addresses were changed: its own, its runs' and, turned back, those of models and
        traces; 0 where all were right.
    left
        How many runs stay as they were, since the overlay does not work on where they are.
    """

    experiment: str
    experiment_id: str
    location: str
    changed: int
    left: int


@dataclass(frozen=True, slots=True)
class NotTurned:
    """An experiment that stays as it was, and why."""

    experiment: str
    error: str


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What became of each experiment; none was changed in part."""

    experiments: tuple[TurnedExperiment, ...]
    failed: tuple[NotTurned, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        return {
            "experiments": [asdict(each) for each in self.experiments],
            "failed": [asdict(each) for each in self.failed],
        }


def turn_over(
    names: Sequence[str], *, tracking_uri: str | None = None, off: bool = False
) -> TurnReport:
    """Turn experiments and all their runs over to the overlay, or back.

    Each experiment is changed whole, in one transaction of the database; deleted ones too.

    Parameters
    ----------
    names
        Of experiments.
    tracking_uri
        The database; None for MLflow's own choice.
    off
        Whether to turn them back: afterwards MLflow reads all of it without this package.

    Returns
    -------
    TurnReport

    Raises
    ------
    UsageError
        When MLflow is reached through a server, which has no call for this.
    TrackingError
        When MLflow cannot be used.
    """
    chosen = chosen_uri(tracking_uri)
    database = database_uri(chosen)
    if database is None:
        message = (
            f"{shown_uri(chosen)} is no database, and no call to an MLflow server changes where an"
            " experiment or a run keeps its artifacts: run this where the server's database can be"
            " reached, with --tracking-uri DATABASE-URI (the server's --backend-store-uri)"
        )
        raise UsageError(message)
    tracking = open_tracking(chosen, create=False)
    done: list[TurnedExperiment] = []
    failed: list[NotTurned] = []
    for name in dict.fromkeys(names):
        try:
            experiment_id = _find(tracking, name)
            turned = turn(database, experiment_id, off=off)
        except JobError as error:
            failed.append(NotTurned(name, reason(error)))
        else:
            found = (name, experiment_id, turned.location)
            done.append(TurnedExperiment(*found, turned.changed, turned.left))
    return TurnReport(tuple(done), tuple(failed))


def _find(tracking: Tracking, name: str) -> str:
    with tracking_errors("looking for the experiment"):
        known = tracking.client.get_experiment_by_name(name)
    if known is None:
        message = f"no such experiment in {shown_uri(tracking.uri)}"
        raise JobError(message)
    return str(known.experiment_id)
