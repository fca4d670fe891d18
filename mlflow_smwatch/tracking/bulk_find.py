"""Finds the runs of many jobs in a SQL store by their ARNs, in a few queries.

MLflow's ``search_runs`` knows neither OR nor IN on tags, and loads each run as an object graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow.entities import LifecycleStage
from mlflow.store.tracking.dbmodels.models import (
    SqlDataset,
    SqlInput,
    SqlLatestMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)
from sqlalchemy import ColumnClause, Connection, Select, Table, func, literal_column, select

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.tracking.bulk_rows import chunks
from mlflow_smwatch.tracking.store import listing_errors

if TYPE_CHECKING:
    from mlflow_smwatch.tracking.bulk_store import BulkStore

_COLUMNS = (
    "run_uuid",
    "experiment_id",
    "status",
    "start_time",
    "end_time",
    "lifecycle_stage",
    "artifact_uri",
)
_ARN: ColumnClause[str] = literal_column(f"'{names.ARN}'")
"""In the statement itself, so that a database may use an index of these tags alone."""

_RUNS: Table = SqlRun.__table__
_TAGS: Table = SqlTag.__table__
_PARAMS: Table = SqlParam.__table__
_LATEST: Table = SqlLatestMetric.__table__
_INPUTS: Table = SqlInput.__table__
_DATASETS: Table = SqlDataset.__table__


@dataclass(slots=True)
class _Parts:
    """What belongs to one run."""

    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    last_steps: dict[str, int] = field(default_factory=dict)
    digests: set[str] = field(default_factory=set)
    model_ids: set[str] = field(default_factory=set)


def runs_of(bulk: BulkStore, arns: Iterable[str]) -> list[KnownRun]:
    """Give the runs that carry one of these ARNs, in whatever letters; deleted ones too.

    Parameters
    ----------
    bulk
        A database whose tables are as MLflow makes them.
    arns
        ARNs of jobs.

    Raises
    ------
    TrackingError
        When the database does not answer.
    """
    wanted = sorted({arn.lower() for arn in arns})
    with listing_errors("looking for runs"), bulk.ManagedSessionMaker() as session:
        connection = session.connection()
        return [run for some in chunks(wanted) for run in _runs_of(connection, some)]


def active_runs_like(bulk: BulkStore, key: str, pattern: str) -> Iterator[KnownRun]:
    """Give the runs that are not deleted and have a tag like a pattern of SQL's, some at a time.

    Parameters
    ----------
    bulk
        A database whose tables are as MLflow makes them.
    key, pattern
        Of the tag.

    Raises
    ------
    TrackingError
        When the database does not answer.
    """
    wanted = (
        select(_TAGS.c.run_uuid)
        .join(_RUNS, _RUNS.c.run_uuid == _TAGS.c.run_uuid)
        .where(_TAGS.c.key == key, _TAGS.c.value.like(pattern))
        .where(_RUNS.c.lifecycle_stage == LifecycleStage.ACTIVE)
    )
    with listing_errors("looking for runs"), bulk.ManagedSessionMaker() as session:
        run_ids = list(session.connection().execute(wanted).scalars())
    for some in chunks(run_ids):
        with listing_errors("looking for runs"), bulk.ManagedSessionMaker() as session:
            found = list(_runs(session.connection(), some))
        yield from found


def _runs_of(connection: Connection, arns: Sequence[str]) -> Iterator[KnownRun]:
    with_arn = select(_TAGS.c.run_uuid).where(
        _TAGS.c.key == _ARN, func.lower(_TAGS.c.value).in_(arns)
    )
    return _runs(connection, list(connection.execute(with_arn).scalars()))


def _runs(connection: Connection, run_ids: Sequence[str]) -> Iterator[KnownRun]:
    for some in chunks(run_ids):
        parts = _parts(connection, some)
        query = select(*(_RUNS.c[name] for name in _COLUMNS)).where(_RUNS.c.run_uuid.in_(some))
        for row in connection.execute(query):
            yield _known(row, parts[row.run_uuid])


def _known(row: Any, parts: _Parts) -> KnownRun:  # noqa: ANN401 - a row
    return KnownRun(
        run_id=row.run_uuid,
        experiment_id=str(row.experiment_id),
        status=row.status,
        start_ms=row.start_time,
        end_ms=row.end_time,
        active=row.lifecycle_stage == LifecycleStage.ACTIVE,
        tags=parts.tags,
        params=parts.params,
        metric_keys=frozenset(parts.last_steps),
        last_steps=parts.last_steps,
        dataset_digests=frozenset(parts.digests),
        model_ids=frozenset(parts.model_ids),
        artifact_uri=row.artifact_uri,
    )


def _parts(connection: Connection, run_ids: Sequence[str]) -> dict[str, _Parts]:
    """Read what belongs to runs, each kind of it in one query."""
    parts: dict[str, _Parts] = defaultdict(_Parts)
    for run_id, key, value in connection.execute(_of(_TAGS, "value", run_ids)):
        parts[run_id].tags[key] = value
    for run_id, key, value in connection.execute(_of(_PARAMS, "value", run_ids)):
        parts[run_id].params[key] = value
    for run_id, key, step in connection.execute(_of(_LATEST, "step", run_ids)):
        parts[run_id].last_steps[key] = step
    for run_id, digest in connection.execute(_digests(run_ids)):
        parts[run_id].digests.add(digest)
    for run_id, model_id in connection.execute(_models(run_ids)):
        parts[run_id].model_ids.add(model_id)
    return parts


def _of(table: Table, value: str, run_ids: Sequence[str]) -> Select[Any]:
    columns = table.c
    return select(columns.run_uuid, columns.key, columns[value]).where(
        columns.run_uuid.in_(run_ids)
    )


def _digests(run_ids: Sequence[str]) -> Select[Any]:
    linked = _INPUTS.c.source_id == _DATASETS.c.dataset_uuid
    return select(_INPUTS.c.destination_id, _DATASETS.c.digest).where(
        linked,
        _INPUTS.c.source_type == "DATASET",
        _INPUTS.c.destination_type == "RUN",
        _INPUTS.c.destination_id.in_(run_ids),
    )


def _models(run_ids: Sequence[str]) -> Select[Any]:
    return select(_INPUTS.c.source_id, _INPUTS.c.destination_id).where(
        _INPUTS.c.source_type == "RUN_OUTPUT",
        _INPUTS.c.destination_type == "MODEL_OUTPUT",
        _INPUTS.c.source_id.in_(run_ids),
    )
