"""Runs that are to be made → rows, as ``MlflowClient.create_run`` makes them.

The rules are those of ``create_run`` in ``mlflow/tracking/_tracking_service/client.py`` and in
``mlflow/store/tracking/sqlalchemy_store.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlflow.entities import LifecycleStage, RunStatus, SourceType
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_USER
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.uri import append_to_uri_path

from mlflow_smwatch.tracking.bulk_rows import Row
from mlflow_smwatch.tracking.bulk_sql import OfRun
from mlflow_smwatch.tracking.units import NewRun


@dataclass(slots=True, kw_only=True)
class NewRows:
    """Runs, as rows of `bulk_sql.NEW_RUNS`, and their tags."""

    runs: list[Row] = field(default_factory=list)
    tags: dict[OfRun, str] = field(default_factory=dict)


def new_rows(new: Sequence[NewRun], run_ids: Sequence[str], places: Mapping[str, str]) -> NewRows:
    """Take runs apart.

    Parameters
    ----------
    new
        The runs.
    run_ids
        Their ids.
    places
        Id of an experiment → where it keeps artifacts.

    Raises
    ------
    MlflowException
        When a run has two names.
    """
    rows = NewRows()
    for run, run_id in zip(new, run_ids, strict=True):
        name = _name(run)
        rows.runs.append(_row(run, run_id, name, places[run.experiment_id]))
        tags = {**run.tags, MLFLOW_RUN_NAME: run.tags.get(MLFLOW_RUN_NAME) or name}
        rows.tags.update(((run_id, key), value) for key, value in tags.items())
    return rows


def _name(run: NewRun) -> str:
    tagged = run.tags.get(MLFLOW_RUN_NAME)
    if run.name and tagged and run.name != tagged:
        message = (  # MLflow's own words
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different"
            f" values (run_name='{run.name}', mlflow.runName='{tagged}')."
        )
        raise MlflowException.invalid_parameter_value(message)
    return run.name or tagged or str(_generate_random_name())  # type: ignore[no-untyped-call]


def _row(run: NewRun, run_id: str, name: str, place: str) -> Row:
    source_type = SourceType.to_string(SourceType.UNKNOWN)
    status = RunStatus.to_string(RunStatus.RUNNING)
    user = run.tags.get(MLFLOW_USER, "unknown")
    start_ms = run.start_ms or get_current_time_millis()  # type: ignore[no-untyped-call]
    folders = (run_id, SqlAlchemyStore.ARTIFACTS_FOLDER_NAME)
    artifacts = append_to_uri_path(place, *folders)  # type: ignore[no-untyped-call]
    of_run = (run_id, name, source_type, "", "", user, status, start_ms, "")
    return *of_run, LifecycleStage.ACTIVE, artifacts, int(run.experiment_id)
