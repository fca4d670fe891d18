"""Writes points: those that are missing, and the latest of each series.

A point is a tuple in the order of the columns of `POINT`; what is not a number has the value 0 and
is marked. MLflow's own rules are those of ``_log_metrics_once``, ``_log_model_metrics`` and
``_update_latest_metrics_if_necessary`` in ``mlflow/store/tracking/sqlalchemy_store.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from math import isfinite
from operator import attrgetter
from typing import Any

from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlLoggedModelMetric, SqlMetric
from mlflow.utils import validation
from sqlalchemy import Connection, Table, insert, select, tuple_

from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.tracking.bulk_rows import Insertion, chunks, insert_rows

Point = tuple[str, str, int, int, float, bool]
Sanitize = Callable[[float], tuple[bool, float]]

POINT = ("run_uuid", "key", "step", "timestamp", "value", "is_nan")

NEW_POINTS = Insertion(
    table=SqlMetric.__table__,
    columns=POINT,
    if_there="DO NOTHING",
    if_there_in_mysql="run_uuid = metrics.run_uuid",
    at_once=5000,
)
_NEWER_IN_MYSQL = (
    "(VALUES(step), VALUES(`timestamp`), VALUES(`value`))"
    " > (latest_metrics.step, latest_metrics.`timestamp`, latest_metrics.`value`)"
)
_LATEST = Insertion(
    table=SqlLatestMetric.__table__,
    columns=POINT,
    if_there=(
        "(key, run_uuid) DO UPDATE SET step = excluded.step, timestamp = excluded.timestamp,"
        " value = excluded.value, is_nan = excluded.is_nan"
        " WHERE (excluded.step, excluded.timestamp, excluded.value)"
        " > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)"
    ),
    if_there_in_mysql=", ".join(  # each assignment sees those before it: what decides comes last
        f"`{name}` = IF({_NEWER_IN_MYSQL}, VALUES(`{name}`), latest_metrics.`{name}`)"
        for name in ("is_nan", "value", "timestamp", "step")
    ),
)
_MODEL_METRICS: Table = SqlLoggedModelMetric.__table__
_MODEL_KEY = ("model_id", "metric_name", "metric_timestamp_ms", "metric_step")
_MODEL_SAME = (*_MODEL_KEY, "metric_value", "dataset_name", "dataset_digest")

_OF_METRIC = attrgetter("_key", "_step", "_timestamp", "_value")
_MODEL_OF_METRIC = attrgetter("_model_id")
_OF_POINT = attrgetter("key", "step", "timestamp_ms", "value")


def has_known_fields() -> bool:
    """Whether MLflow's metrics keep their fields where they are read here."""
    return all(hasattr(Metric("key", 1.0, 1, 1), name) for name in ("_key", "_step", "_model_id"))


def logged_points(run_id: str, metrics: Sequence[Metric], sanitize: Sanitize) -> list[Point] | None:
    """Turn the metrics of a batch into points.

    Parameters
    ----------
    run_id
        Their run.
    metrics
        As MLflow's client gives them.
    sanitize
        MLflow's rule for values that are no finite numbers.

    Returns
    -------
    list of Point or None
        None where one is not plainly legal: MLflow's own store is to say what it does with it.
    """
    return _points(run_id, map(_OF_METRIC, metrics), sanitize)


def has_models(metrics: Sequence[Metric]) -> bool:
    """Whether some metrics are of logged models."""
    return any(model_id is not None for model_id in set(map(_MODEL_OF_METRIC, metrics)))


def mirrored_points(
    run_id: str, points: Sequence[MetricPoint], sanitize: Sanitize
) -> list[Point] | None:
    """Turn the mirror's points into MLflow's; None as in `logged_points`."""
    return _points(run_id, map(_OF_POINT, points), sanitize)


def _points(
    run_id: str, fields: Iterable[tuple[Any, ...]], sanitize: Sanitize
) -> list[Point] | None:
    columns = list(zip(*fields, strict=True))
    if not columns:
        return []
    keys, steps, times, given = columns
    if not _are_plain(keys, steps, times, given):
        return None
    try:
        values: Iterable[float] = list(map(float, given))
    except OverflowError:
        return None
    marks: Iterable[bool] = repeat(False)  # noqa: FBT003 - no argument of its own
    if not all(map(isfinite, values)):
        marks, kept = zip(*map(sanitize, values), strict=True)
        values = map(float, kept)
    return list(zip(repeat(run_id), keys, steps, times, values, marks, strict=False))


def _are_plain(
    keys: Sequence[Any], steps: Sequence[Any], times: Sequence[Any], values: Sequence[Any]
) -> bool:
    """Whether numbers are Python's own, and keys and timestamps legal.

    Other numbers, such as NumPy's, each driver takes in its way; whole ones may be too large.
    """
    return (
        {*map(type, steps), *map(type, times)} == {int}
        and {*map(type, keys)} == {str}
        and {*map(type, values)} <= {int, float}
        and min(times) >= 0
        and all(map(_is_legal, set(keys)))
    )


def _is_legal(key: str) -> bool:
    check: Any = validation._validate_metric  # noqa: SLF001 - MLflow's own
    try:
        check(key, 0.0, 0, 0)
    except MlflowException:
        return False
    return True


def write_points(connection: Connection, points: Sequence[Point]) -> None:
    """Write the points that are not there, of one or several runs, and keep the latest of each key.

    The latest point is that of the highest step, then timestamp, then value; the first among
    equals. Where no point is new it stays as it is.
    """
    if insert_rows(connection, NEW_POINTS, points):
        insert_rows(connection, _LATEST, _latest(points))


def _latest(points: Iterable[Point]) -> list[Point]:
    latest: dict[tuple[str, str], Point] = {}
    for point in points:
        series = point[:2]
        held = latest.get(series)
        if held is None or point[2:5] > held[2:5]:
            latest[series] = point
    return [latest[series] for series in sorted(latest)]


def write_model_points(
    connection: Connection, experiment_id: int, points: Sequence[Point], metrics: Sequence[Metric]
) -> None:
    """Write the points of logged models that are not there.

    A point is there if its value and data set are the same too; with others the primary key stands
    against it, as it does in MLflow.

    Parameters
    ----------
    connection
        Within a transaction.
    experiment_id
        Of the run.
    points, metrics
        A batch's points, and the metrics that they come from.
    """
    rows = [
        _model_row(experiment_id, point, metric)
        for point, metric in zip(points, metrics, strict=True)
        if metric.model_id is not None
    ]
    if not rows:
        return
    wanted = {tuple(row[name] for name in _MODEL_SAME): row for row in rows}
    there = set(_model_points(connection, rows))
    new = [row for key, row in wanted.items() if key not in there]
    if new:
        new.sort(key=lambda row: tuple(row[name] for name in _MODEL_KEY))
        connection.execute(insert(_MODEL_METRICS), new)


def _model_row(experiment_id: int, point: Point, metric: Metric) -> dict[str, Any]:
    run_id, key, step, timestamp, value, _ = point
    return {
        "model_id": metric.model_id,
        "metric_name": key,
        "metric_timestamp_ms": timestamp,
        "metric_step": step,
        "metric_value": value,
        "experiment_id": experiment_id,
        "run_id": run_id,
        "dataset_name": metric.dataset_name,
        "dataset_digest": metric.dataset_digest,
    }


def _model_points(connection: Connection, rows: Sequence[dict[str, Any]]) -> Iterator[Any]:
    """Read the points of the same run, models, names and steps."""
    table, steps = _MODEL_METRICS.c, [row["metric_step"] for row in rows]
    names = sorted({(row["model_id"], row["metric_name"]) for row in rows})
    for some in chunks(names):
        query = select(*(table[name] for name in _MODEL_SAME)).where(
            tuple_(table.model_id, table.metric_name).in_(some),
            table.metric_step.between(min(steps), max(steps)),
            table.run_id == rows[0]["run_id"],
        )
        yield from (tuple(row) for row in connection.execute(query))
