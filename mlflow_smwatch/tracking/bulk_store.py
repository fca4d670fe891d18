"""MLflow's SQL tracking stores, with batches that are written in one transaction.

What is stored, what is refused and what is returned are MLflow's own; a batch is whole or not
there at all.
"""

from __future__ import annotations

import inspect
import logging
import threading
from contextlib import AbstractContextManager
from functools import cache, cached_property
from typing import Any, cast

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.tracking.dbmodels.models import SqlRun
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils import validation
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from mlflow_smwatch.tracking import bulk_sql as sql
from mlflow_smwatch.tracking.bulk_schema import unknown_part
from mlflow_smwatch.tracking.uris import shown_uri

logger = logging.getLogger(__name__)

_ATTEMPTS = 5
_told: set[str] = set()
_telling = threading.Lock()


class BulkStore(SqlAlchemyStore):
    """MLflow's tracking store for SQL databases, but for `log_batch`."""

    def log_batch(
        self, run_id: str, metrics: list[Metric], params: list[Param], tags: list[RunTag]
    ) -> None:
        """Log metrics, params and tags of a run in one transaction.

        Parameters
        ----------
        run_id
            An active run.
        metrics
            At most 1,000; those that the run has are passed over.
        params
            At most 100; one that the run has with another value is refused, and the batch with it.
        tags
            At most 100; they replace those of the same key.

        Raises
        ------
        MlflowException
            As of MLflow's own store.
        """
        if self._is_known() and _are_plain(metrics):
            self._write_again(run_id, *_checked(run_id, metrics, params, tags))
        else:
            super().log_batch(run_id, metrics, params, tags)  # type: ignore[no-untyped-call]

    def _write_again(self, run_id: str, *batch: Any) -> None:
        """Write a batch; where another writer was quicker, all of it once more."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._write(run_id, *batch)
            except MlflowException as error:
                if not left or not _lost_a_race(error):
                    raise
            else:
                return

    def _write(
        self, run_id: str, metrics: list[Metric], params: list[Param], tags: list[RunTag]
    ) -> None:
        with self._session() as session:
            connection = session.connection()
            sql.begin(connection)
            run = self._get_run(session=session, run_uuid=run_id)  # type: ignore[no-untyped-call]
            self._check_run_is_active(run)  # type: ignore[no-untyped-call]
            self._write_params(connection, run_id, params)
            points = [self._point(run_id, metric) for metric in metrics]
            sql.write_metrics(connection, points)
            sql.write_model_metrics(
                connection,
                [
                    sql.model_point_row(run.experiment_id, point, metric)
                    for point, metric in zip(points, metrics, strict=True)
                    if metric.model_id is not None
                ],
            )
            _write_tags(connection, run_id, run, tags)

    def _session(self) -> AbstractContextManager[Session]:
        how = {"read_only": False} if self._has_read_only_sessions else {}
        return cast("AbstractContextManager[Session]", self.ManagedSessionMaker(**how))

    def _write_params(self, connection: Connection, run_id: str, params: list[Param]) -> None:
        values = {param.key: param.value for param in params}
        found = sql.read_values(connection, sql.PARAMS, run_id, values)
        changed = [
            {"key": key, "old_value": found[key], "new_value": value}
            for key, value in values.items()
            if found.get(key, value) != value
        ]
        if changed:
            message = (  # MLflow's own words
                "Changing param values is not allowed. Params were already"
                f" logged='{changed}' for run ID='{run_id}'."
            )
            raise MlflowException(message, INVALID_PARAMETER_VALUE)
        sql.write_values(connection, sql.PARAMS, run_id, values, found)

    def _point(self, run_id: str, metric: Metric) -> sql.Row:
        is_nan, value = self.sanitize_metric_value(metric.value)
        return sql.point_row(run_id, metric, float(value), is_nan=is_nan)

    @cached_property
    def _has_read_only_sessions(self) -> bool:
        return "read_only" in inspect.signature(self.ManagedSessionMaker).parameters

    def _is_known(self) -> bool:
        try:
            return self._writes_in_bulk
        except SQLAlchemyError:
            return False  # the database is out of reach: MLflow's own words for it

    @cached_property
    def _writes_in_bulk(self) -> bool:
        unknown = unknown_part(self.engine)
        if unknown is not None:
            _tell_once(shown_uri(self.db_uri), unknown)
        return unknown is None


@cache
def bulk_store_class(*, workspaces: bool) -> type[BulkStore]:
    """Return the class of the store.

    Parameters
    ----------
    workspaces
        Whether it keeps MLflow's workspaces apart.
    """
    if not workspaces:
        return BulkStore
    from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

    class WorkspaceBulkStore(BulkStore, WorkspaceAwareSqlAlchemyStore):
        """The same, for MLflow's store with workspaces."""

    return WorkspaceBulkStore


def _write_tags(connection: Connection, run_id: str, run: SqlRun, tags: list[RunTag]) -> None:
    """Write tags; the one that names the run names it, unless it is empty."""
    values = {tag.key: tag.value for tag in tags if tag.value or tag.key != MLFLOW_RUN_NAME}
    if MLFLOW_RUN_NAME in values:
        run.name = values[MLFLOW_RUN_NAME]  # type: ignore[assignment]
    found = sql.read_values(connection, sql.TAGS, run_id, values)
    sql.write_values(connection, sql.TAGS, run_id, values, found)


def _are_plain(metrics: list[Metric]) -> bool:
    """Whether numbers are Python's own; others, such as NumPy's, each driver takes in its way."""
    return all(
        type(each.value) in {float, int} and type(each.step) is int and type(each.timestamp) is int
        for each in metrics
    )


def _checked(
    run_id: str, metrics: list[Metric], params: list[Param], tags: list[RunTag]
) -> tuple[list[Metric], list[Param], list[RunTag]]:
    """Check a batch as MLflow's own store does."""
    check: Any = validation
    check._validate_run_id(run_id)  # noqa: SLF001 - MLflow's own
    batch = check._validate_batch_log_data(metrics, params, tags)  # noqa: SLF001 - MLflow's own
    check._validate_batch_log_limits(*batch)  # noqa: SLF001 - MLflow's own
    check._validate_param_keys_unique(batch[1])  # noqa: SLF001 - MLflow's own
    return cast("tuple[list[Metric], list[Param], list[RunTag]]", batch)


def _lost_a_race(error: MlflowException) -> bool:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OperationalError):
        return "deadlock" in str(cause).lower()
    return isinstance(cause, IntegrityError)


def _tell_once(database: str, unknown: str) -> None:
    with _telling:
        if database not in _told:
            logger.warning(
                "%s: %s, which this mlflow-smwatch does not know: batches are written by MLflow's"
                " own log_batch, slower and as correct",
                database,
                unknown,
            )
        _told.add(database)
