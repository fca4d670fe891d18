"""Writes the rows of one batch: few statements, no commit.

Rows go in the order of their keys, so that two writers wait for each other and never both at once.
MLflow's own rules are those of ``_log_params``, ``_log_metrics_once``, ``_log_model_metrics``,
``_update_latest_metrics_if_necessary`` and ``_set_tags`` in
``mlflow/store/tracking/sqlalchemy_store.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlflow.entities import Metric
from mlflow.store.tracking.dbmodels.models import (
    SqlLatestMetric,
    SqlLoggedModelMetric,
    SqlMetric,
    SqlParam,
    SqlTag,
)
from sqlalchemy import Connection, Table, bindparam, insert, select, text, tuple_, update
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import Insert

Row = dict[str, Any]

PARAMS: Table = SqlParam.__table__
TAGS: Table = SqlTag.__table__
METRICS: Table = SqlMetric.__table__
LATEST: Table = SqlLatestMetric.__table__
MODEL_METRICS: Table = SqlLoggedModelMetric.__table__

_KEYS_AT_ONCE = 500
_POINT = {
    "key": "varchar",
    "value": "float8",
    "timestamp": "bigint",
    "step": "bigint",
    "is_nan": "boolean",
}
_COLUMNS = ", ".join(("run_uuid", *_POINT))
_ONE_BY_ONE = (
    f"INSERT INTO metrics ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
    " ON CONFLICT DO NOTHING"
)
"""For SQLite, which prepares it once."""

_BY_COLUMNS = text(
    f"INSERT INTO metrics ({_COLUMNS}) SELECT CAST(:run_uuid AS varchar), point.* FROM unnest("  # noqa: S608 - constants
    + ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _POINT.items())
    + ") AS point ON CONFLICT DO NOTHING"
)
"""For PostgreSQL, one array a column: the statement's text is always the same."""

_RANK = ("step", "timestamp", "value")
_MODEL_KEY = ("model_id", "metric_name", "metric_timestamp_ms", "metric_step")
_MODEL_SAME = (*_MODEL_KEY, "metric_value", "dataset_name", "dataset_digest")


def begin(connection: Connection) -> None:
    """Take the right to write before anything is read: SQLite gives it to one at a time."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def read_values(connection: Connection, table: Table, run_id: str, keys: Iterable[str]) -> Row:
    """Read values of params or tags by key, those of the keys that the run has."""
    found: Row = {}
    for some in _chunks(sorted(keys)):
        query = select(table.c.key, table.c.value).where(
            table.c.run_uuid == run_id, table.c.key.in_(some)
        )
        found.update((row.key, row.value) for row in connection.execute(query))
    return found


def write_values(
    connection: Connection, table: Table, run_id: str, values: Mapping[str, str], found: Row
) -> None:
    """Write params or tags: those that are new, and those whose value is another than was found."""
    new = [key for key in sorted(values) if key not in found]
    other = [key for key in sorted(values) if key in found and found[key] != values[key]]
    if other:
        statement = (
            update(table)
            .where(table.c.run_uuid == bindparam("run"), table.c.key == bindparam("name"))
            .values(value=bindparam("text"))
        )
        rows = [{"run": run_id, "name": key, "text": values[key]} for key in other]
        connection.execute(statement, rows)
    if new:
        rows = [{"run_uuid": run_id, "key": key, "value": values[key]} for key in new]
        connection.execute(insert(table), rows)


def point_row(run_id: str, metric: Metric, value: float, *, is_nan: bool) -> Row:
    """Return a point as a row of the table ``metrics``; its value is 0 where it is not a number."""
    return {
        "run_uuid": run_id,
        "key": metric.key,
        "value": value,
        "timestamp": metric.timestamp,
        "step": metric.step,
        "is_nan": is_nan,
    }


def model_point_row(experiment_id: int, point: Row, metric: Metric) -> Row:
    """Return a point as a row of the table ``logged_model_metrics``."""
    return {
        "model_id": metric.model_id,
        "metric_name": metric.key,
        "metric_timestamp_ms": metric.timestamp,
        "metric_step": metric.step,
        "metric_value": point["value"],
        "experiment_id": experiment_id,
        "run_id": point["run_uuid"],
        "dataset_name": metric.dataset_name,
        "dataset_digest": metric.dataset_digest,
    }


def write_metrics(connection: Connection, points: Sequence[Row]) -> None:
    """Write the points of one run that are not there, and keep the latest of each key.

    Parameters
    ----------
    connection
        Within a transaction.
    points
        Rows of the table ``metrics`` as `point_row` makes them, in the batch's order.
    """
    if not points:
        return
    distinct = {_point_key(point): point for point in reversed(points)}
    _insert_missing(connection, [distinct[key] for key in sorted(distinct)])
    _keep_latest(connection, points)


def write_model_metrics(connection: Connection, points: Sequence[Row]) -> None:
    """Write the points of logged models that are not there.

    A point is there if its value and data set are the same too; with others the primary key stands
    against it, as it does in MLflow.
    """
    if not points:
        return
    wanted = {tuple(point[name] for name in _MODEL_SAME): point for point in points}
    there = set(_model_metrics(connection, points))
    new = [point for key, point in wanted.items() if key not in there]
    if new:
        new.sort(key=lambda point: tuple(point[name] for name in _MODEL_KEY))
        connection.execute(insert(MODEL_METRICS), new)


def _model_metrics(connection: Connection, points: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
    """Read the points of the same run, models, names and steps."""
    table, steps = MODEL_METRICS.c, [point["metric_step"] for point in points]
    names = sorted({(point["model_id"], point["metric_name"]) for point in points})
    for some in _chunks(names):
        query = select(*(table[name] for name in _MODEL_SAME)).where(
            tuple_(table.model_id, table.metric_name).in_(some),
            table.metric_step.between(min(steps), max(steps)),
            table.run_id == points[0]["run_id"],
        )
        yield from (tuple(row) for row in connection.execute(query))


def _keep_latest(connection: Connection, points: Sequence[Row]) -> None:
    """Keep the point of the highest step, then timestamp, then value; the first among equals."""
    run_id = points[0]["run_uuid"]
    stored = _locked_latest(connection, run_id, {point["key"] for point in points})
    latest: dict[str, Row] = {}
    for point in points:
        held = latest.get(point["key"]) or stored.get(point["key"])
        if held is None or _rank(point) > _rank(held):
            latest[point["key"]] = point
    new = [latest[key] for key in sorted(latest) if key not in stored]
    moved = [latest[key] for key in sorted(latest) if key in stored]
    if moved:
        changed: Row = {name: bindparam(f"new_{name}") for name in (*_RANK, "is_nan")}
        statement = (
            update(LATEST)
            .where(LATEST.c.run_uuid == bindparam("run"), LATEST.c.key == bindparam("name"))
            .values(**changed)
        )
        connection.execute(statement, [_moved(point) for point in moved])
    if new:
        connection.execute(insert(LATEST), new)


def _moved(point: Row) -> Row:
    changed = {f"new_{name}": point[name] for name in (*_RANK, "is_nan")}
    return {"run": point["run_uuid"], "name": point["key"], **changed}


def _locked_latest(connection: Connection, run_id: str, keys: set[str]) -> dict[str, Row]:
    """Read the latest points and lock their rows until the end of the transaction.

    Only rows that are there: MySQL would lock the gaps between them too.
    """
    locked: dict[str, Row] = {}
    for some in _chunks(sorted(keys)):
        if connection.dialect.name == "mysql":
            query = select(LATEST.c.key).where(LATEST.c.run_uuid == run_id, LATEST.c.key.in_(some))
            some = list(connection.execute(query).scalars())  # noqa: PLW2901 - those there
        rows = (
            select(LATEST)
            .where(LATEST.c.run_uuid == run_id, LATEST.c.key.in_(some))
            .order_by(LATEST.c.key)
            .with_for_update()
        )
        locked.update((row["key"], dict(row)) for row in connection.execute(rows).mappings())
    return locked


def _insert_missing(connection: Connection, points: list[Row]) -> None:
    """Insert points of one run, passing over those that are there.

    MySQL's ``INSERT IGNORE`` would pass over other errors too.
    """
    if connection.dialect.name == "postgresql":
        columns = {name: [point[name] for point in points] for name in _POINT}
        connection.execute(_BY_COLUMNS, {**columns, "run_uuid": points[0]["run_uuid"]})
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_ONE_BY_ONE, [tuple(point.values()) for point in points])
    else:
        connection.execute(passing_over_in_mysql(), points)


def passing_over_in_mysql() -> Insert:
    """Return the statement that inserts a point unless its primary key is there."""
    return mysql.insert(METRICS).on_duplicate_key_update(run_uuid=METRICS.c.run_uuid)


def _point_key(point: Row) -> tuple[Any, ...]:
    return point["key"], point["timestamp"], point["step"], point["value"], point["is_nan"]


def _rank(point: Row) -> tuple[Any, ...]:
    return point["step"], point["timestamp"], point["value"]


def _chunks(keys: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]
