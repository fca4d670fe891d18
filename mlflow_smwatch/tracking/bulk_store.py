"""MLflow's SQL tracking stores, with batches that are written in one transaction.

What is stored, what is refused and what is returned are MLflow's own; a batch is whole or not
there at all.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cache, cached_property, partial
from typing import Any, cast
from uuid import uuid4

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    TEMPORARILY_UNAVAILABLE,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.time import get_current_time_millis
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from mlflow_smwatch.tracking import bulk_links as links
from mlflow_smwatch.tracking import bulk_sql as sql
from mlflow_smwatch.tracking.bulk_attempts import done
from mlflow_smwatch.tracking.bulk_changes import Rows, batch_rows, unit_rows
from mlflow_smwatch.tracking.bulk_new_runs import new_rows
from mlflow_smwatch.tracking.bulk_points import write_model_points, write_points
from mlflow_smwatch.tracking.bulk_rows import insert_rows
from mlflow_smwatch.tracking.bulk_schema import unknown_part
from mlflow_smwatch.tracking.refusals import SCHEMA_CHANGED
from mlflow_smwatch.tracking.units import NewRun, RunChange
from mlflow_smwatch.tracking.uris import shown_uri

logger = logging.getLogger(__name__)

_told: set[str] = set()
_telling = threading.Lock()


class SchemaChangedError(MlflowException):
    """The database was migrated while this process ran.

    Parameters
    ----------
    before, now
        Revisions of MLflow's schema.
    """

    def __init__(self, before: str, now: str) -> None:
        super().__init__(f"{SCHEMA_CHANGED} ({before} → {now})", TEMPORARILY_UNAVAILABLE)


class BulkStore(SqlAlchemyStore):
    """MLflow's tracking store for SQL databases, but for what is written in bulk."""

    _has_workspaces = False

    @property
    def writes_units(self) -> bool:
        """Whether `create_runs` and `write_unit` may be called; if not, that is said once."""
        return not self._has_workspaces and self._is_known()

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
        rows = None
        if self._is_known():
            rows = batch_rows(run_id, metrics, params, tags, self.sanitize_metric_value)
        try:
            if rows is not None:
                done(partial(self._write, rows))
        except SchemaChangedError:
            rows = None
        if rows is None:
            super().log_batch(run_id, metrics, params, tags)  # type: ignore[no-untyped-call]

    def create_runs(self, new: Sequence[NewRun]) -> list[str]:
        """Make runs in one transaction, each as MLflow's client makes it.

        Parameters
        ----------
        new
            The runs.

        Returns
        -------
        list of str
            Their ids, in the order given.

        Raises
        ------
        MlflowException
            As of MLflow's own store, such as for an experiment that was deleted; then none is made.
        """
        run_ids = [uuid4().hex for _ in new]
        if new:
            done(partial(self._create, new, run_ids))
        return run_ids

    def write_unit(self, changes: Sequence[RunChange]) -> None:
        """Write what is new of several runs in one transaction: all of it, or nothing.

        Parameters
        ----------
        changes
            What is to be written.

        Raises
        ------
        MlflowException
            As of MLflow's own store, such as for a run that was deleted, or a param that has
            another value.
        """
        rows = unit_rows(changes, self.sanitize_metric_value)
        if rows.run_ids:
            done(partial(self._write, rows))

    def _create(self, new: Sequence[NewRun], run_ids: Sequence[str]) -> None:
        """Make runs that are not there: a connection may be lost just after it committed them."""
        with self._session() as session:
            connection = self._begun(session)
            places = self._places(connection, (run.experiment_id for run in new))
            made = new_rows(new, run_ids, places)
            insert_rows(connection, sql.NEW_RUNS, made.runs)
            sql.write_tags(connection, made.tags)

    def _write(self, rows: Rows) -> None:
        with self._session() as session:
            connection = self._begun(session)
            experiments = self._experiments(session, rows.run_ids)
            self._link_datasets(connection, experiments, rows)
            _write_params(connection, rows)
            write_points(connection, rows.points)
            if rows.metrics:
                experiment_id = experiments[rows.run_ids[0]]
                write_model_points(connection, experiment_id, rows.points, rows.metrics)
            sql.remove_tags(connection, rows.removed_tags)
            sql.write_tags(connection, rows.tags)
            self._link_models(connection, experiments, rows)
            sql.update_runs(connection, "name", rows.names)
            sql.update_runs(connection, "status", rows.statuses)
            sql.update_runs(connection, "end_time", rows.ends)

    def _begun(self, session: Session) -> Connection:
        """Begin to write, to the schema that was looked at."""
        connection = session.connection()
        sql.begin(connection)
        revision = sql.schema_revision(connection)
        if revision != self._revision:
            raise SchemaChangedError(self._revision, revision)
        return connection

    def _experiments(self, session: Session, run_ids: Iterable[str]) -> dict[str, int]:
        """Lock active runs, and give their experiments; MLflow's own errors for others."""
        if self._has_workspaces:
            for run_id in run_ids:
                self._active_run(session, run_id)
        found = sql.locked_runs(session.connection(), run_ids)
        for run_id in run_ids:
            if run_id not in found:
                found[run_id] = self._active_run(session, run_id).experiment_id
        return found

    def _active_run(self, session: Session, run_id: str) -> Any:  # noqa: ANN401 - MLflow has no types here
        run = self._get_run(session=session, run_uuid=run_id)  # type: ignore[no-untyped-call]
        self._check_run_is_active(run)  # type: ignore[no-untyped-call]
        return run

    def _places(self, connection: Connection, experiment_ids: Iterable[Any]) -> dict[str, str]:
        """Give where active experiments keep artifacts; MLflow's own errors for others."""
        wanted = {str(experiment_id) for experiment_id in experiment_ids}
        numbers = {int(each) for each in wanted if each.isdecimal()}
        found = sql.active_experiments(connection, numbers)
        places = {str(number): place for number, place in found.items()}
        for experiment_id in sorted(wanted - set(places)):
            experiment = self.get_experiment(experiment_id)  # type: ignore[no-untyped-call]
            self._check_experiment_is_active(experiment)  # type: ignore[no-untyped-call]
            places[experiment_id] = experiment.artifact_location
        return places

    def _link_datasets(
        self, connection: Connection, experiments: dict[str, int], rows: Rows
    ) -> None:
        wanted = [
            links.DatasetLink(run_id=run_id, experiment_id=experiments[run_id], input=each)
            for run_id, each in rows.datasets
        ]
        if wanted:
            links.link_datasets(connection, wanted)

    def _link_models(self, connection: Connection, experiments: dict[str, int], rows: Rows) -> None:
        if not rows.models:
            return
        places = self._places(connection, (experiments[run_id] for run_id in rows.models))
        wanted = [
            links.ModelLink(
                run_id=run_id,
                experiment_id=experiments[run_id],
                location=places[str(experiments[run_id])],
                arn=arn,
                model=model,
            )
            for run_id, (arn, model) in rows.models.items()
        ]
        links.link_models(connection, wanted, int(get_current_time_millis()))  # type: ignore[no-untyped-call]

    def _session(self) -> AbstractContextManager[Session]:
        how = {"read_only": False} if self._has_read_only_sessions else {}
        return cast("AbstractContextManager[Session]", self.ManagedSessionMaker(**how))

    @cached_property
    def _has_read_only_sessions(self) -> bool:
        return "read_only" in inspect.signature(self.ManagedSessionMaker).parameters

    def _is_known(self) -> bool:
        try:
            return self._writes_in_bulk
        except SQLAlchemyError:
            return False  # the database is out of reach: MLflow's own words for it

    @cached_property
    def _revision(self) -> str:
        with self.engine.connect() as connection:
            return sql.schema_revision(connection)

    @cached_property
    def _writes_in_bulk(self) -> bool:
        self._revision  # noqa: B018 - that of the schema which is looked at now, or an earlier one
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

        _has_workspaces = True

    return WorkspaceBulkStore


def _write_params(connection: Connection, rows: Rows) -> None:
    """Write params that are not there; one with another value is refused."""
    if not rows.params:
        return
    found = sql.read_params(connection, (run_id for (run_id, _), _ in rows.params))
    new: dict[sql.OfRun, str] = {}
    changed = defaultdict(list)
    for of_run, value in rows.params:
        held = found.get(of_run, new.get(of_run))
        if held is None:
            new[of_run] = value
        elif held != value:
            change = {"key": of_run[1], "old_value": held, "new_value": value}
            changed[of_run[0]].append(change)
    for run_id, changes in changed.items():
        message = (  # MLflow's own words
            "Changing param values is not allowed. Params were already"
            f" logged='{changes}' for run ID='{run_id}'."
        )
        raise MlflowException(message, INVALID_PARAMETER_VALUE)
    sql.write_new_params(connection, new)


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
