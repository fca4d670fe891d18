"""Turns existing experiments over to the artifact overlay, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mlflow_smwatch.core.errors import JobError, UsageError, reason
from mlflow_smwatch.tracking.store import (
    Tracking,
    listing_errors,
    open_tracking,
    tracking_errors,
)
from mlflow_smwatch.tracking.turning import TurnedExperiment, find_overlaid, turn
from mlflow_smwatch.tracking.uris import chosen_uri, database_uri, shown_uri


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
        Of experiments; to turn back, none stands for all of which something is on the overlay.
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
        When MLflow is reached through a server, which has no call for this, or nothing is named
        that is to be turned over.
    TrackingError
        When MLflow cannot be used.
    """
    if not names and not off:
        message = "name the experiments that are to be turned over; --off alone turns back all"
        raise UsageError(message)
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
    for name, known_id in _wanted(database, names):
        try:
            done.append(turn(database, known_id or _find(tracking, name), off=off))
        except JobError as error:
            failed.append(NotTurned(name, reason(error)))
    return TurnReport(tuple(done), tuple(failed))


def _wanted(database: str, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Give the experiments that are named, or all on the overlay, with the ids that are known."""
    if names:
        return [(name, None) for name in dict.fromkeys(names)]
    with listing_errors("looking for experiments on the overlay"):
        return [(name, experiment_id) for experiment_id, name in find_overlaid(database)]


def _find(tracking: Tracking, name: str) -> str:
    with tracking_errors("looking for the experiment"):
        known = tracking.client.get_experiment_by_name(name)
    if known is None:
        message = f"no such experiment in {shown_uri(tracking.uri)}"
        raise JobError(message)
    return str(known.experiment_id)
