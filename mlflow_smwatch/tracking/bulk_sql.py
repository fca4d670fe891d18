"""Reads and writes runs, their params and their tags: few statements for many runs, no commit.

MLflow's own rules are those of ``_log_params``, ``_set_tags``, ``delete_tag``, ``update_run_info``
and ``create_run`` in ``mlflow/store/tracking/sqlalchemy_store.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlflow.entities import LifecycleStage
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlParam, SqlRun, SqlTag
from sqlalchemy import Connection, Table, bindparam, delete, select, update

from mlflow_smwatch.tracking.bulk_rows import Insertion, Row, chunks, insert_rows

OfRun = tuple[str, str]
"""A run's id and a key."""

_RUNS: Table = SqlRun.__table__
_EXPERIMENTS: Table = SqlExperiment.__table__
_PARAMS: Table = SqlParam.__table__
_TAGS: Table = SqlTag.__table__
_KEYED = ("run_uuid", "key", "value")

NEW_RUNS = Insertion(
    table=_RUNS,
    columns=(
        "run_uuid",
        "name",
        "source_type",
        "source_name",
        "entry_point_name",
        "user_id",
        "status",
        "start_time",
        "source_version",
        "lifecycle_stage",
        "artifact_uri",
        "experiment_id",
    ),
    if_there="DO NOTHING",
    if_there_in_mysql="run_uuid = runs.run_uuid",
)
_NEW_PARAMS = Insertion(table=_PARAMS, columns=_KEYED)
_NEW_TAGS = Insertion(
    table=_TAGS,
    columns=_KEYED,
    if_there="(key, run_uuid) DO UPDATE SET value = excluded.value"
    " WHERE tags.value IS NULL OR tags.value <> excluded.value",
    if_there_in_mysql="`value` = VALUES(`value`)",
)


def begin(connection: Connection) -> None:
    """Take the right to write before anything is read: SQLite gives it to one at a time."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def schema_revision(connection: Connection) -> str:
    """Tell which revision of MLflow's schema the database has by now."""
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())


def locked_runs(connection: Connection, run_ids: Iterable[str]) -> dict[str, int]:
    """Find active runs, and keep others from writing them in bulk until the end.

    Rows are locked in the order of their ids, so that two writers wait for each other and never
    both at once; points may still refer to them (``FOR NO KEY UPDATE``).

    Parameters
    ----------
    connection
        Within a transaction.
    run_ids
        The runs.

    Returns
    -------
    dict
        Run id → experiment id, of those that are there and active.
    """
    found: dict[str, int] = {}
    for some in chunks(sorted(set(run_ids))):
        query = (
            select(_RUNS.c.run_uuid, _RUNS.c.experiment_id)
            .where(_RUNS.c.run_uuid.in_(some), _RUNS.c.lifecycle_stage == LifecycleStage.ACTIVE)
            .order_by(_RUNS.c.run_uuid)
            .with_for_update(key_share=True)
        )
        found.update((row.run_uuid, row.experiment_id) for row in connection.execute(query))
    return found


def active_experiments(connection: Connection, experiment_ids: Iterable[int]) -> dict[int, str]:
    """Find active experiments: id → where they keep artifacts."""
    found: dict[int, str] = {}
    for some in chunks(sorted(set(experiment_ids))):
        query = select(_EXPERIMENTS.c.experiment_id, _EXPERIMENTS.c.artifact_location).where(
            _EXPERIMENTS.c.experiment_id.in_(some),
            _EXPERIMENTS.c.lifecycle_stage == LifecycleStage.ACTIVE,
        )
        found.update(
            (row.experiment_id, row.artifact_location) for row in connection.execute(query)
        )
    return found


def read_params(connection: Connection, run_ids: Iterable[str]) -> dict[OfRun, str]:
    """Read the params of runs."""
    found: dict[OfRun, str] = {}
    for some in chunks(sorted(set(run_ids))):
        query = select(*(_PARAMS.c[name] for name in _KEYED)).where(_PARAMS.c.run_uuid.in_(some))
        found.update(((row.run_uuid, row.key), row.value) for row in connection.execute(query))
    return found


def write_new_params(connection: Connection, values: Mapping[OfRun, str]) -> None:
    """Write params that are not there."""
    insert_rows(connection, _NEW_PARAMS, _rows(values))


def write_tags(connection: Connection, values: Mapping[OfRun, str]) -> None:
    """Write tags that are new or have another value."""
    insert_rows(connection, _NEW_TAGS, _rows(values))


def remove_tags(connection: Connection, keys: Iterable[OfRun]) -> None:
    """Remove tags, as far as they are there."""
    rows = [{"run": run_id, "name": key} for run_id, key in sorted(set(keys))]
    if rows:
        of_run = (_TAGS.c.run_uuid == bindparam("run"), _TAGS.c.key == bindparam("name"))
        connection.execute(delete(_TAGS).where(*of_run), rows)


def update_runs(connection: Connection, column: str, values: Mapping[str, Any]) -> None:
    """Write a column of runs: run id → value."""
    rows = [{"run": run_id, "new": values[run_id]} for run_id in sorted(values)]
    if rows:
        change: dict[str, Any] = {column: bindparam("new")}
        query = update(_RUNS).where(_RUNS.c.run_uuid == bindparam("run")).values(**change)
        connection.execute(query, rows)


def _rows(values: Mapping[OfRun, str]) -> Sequence[Row]:
    return [(*of_run, values[of_run]) for of_run in sorted(values)]
