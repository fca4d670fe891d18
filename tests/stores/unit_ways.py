"""Two ways to write units: MLflow's own calls and `BulkStore`, each with runs of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy
from mlflow.entities import (
    LoggedModelOutput,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Metric,
    Param,
    RunStatus,
    RunTag,
)
from mlflow.exceptions import MlflowException

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.record import ModelRecord
from mlflow_smwatch.tracking.dataset_inputs import dataset_input
from mlflow_smwatch.tracking.units import NewRun, RunChange

QUERIES = {
    "runs": (
        "SELECT run_uuid, name, source_type, source_name, entry_point_name, user_id, status,"
        " start_time, end_time, deleted_time, source_version, lifecycle_stage, artifact_uri"
        " FROM runs"
    ),
    "params": "SELECT run_uuid, key, value FROM params",
    "tags": "SELECT run_uuid, key, value FROM tags",
    "metrics": "SELECT run_uuid, key, value, timestamp, step, is_nan FROM metrics",
    "latest": "SELECT run_uuid, key, value, timestamp, step, is_nan FROM latest_metrics",
    "inputs": (
        "SELECT destination_id AS run_uuid, datasets.name, digest, dataset_source_type,"
        " dataset_source, dataset_schema, dataset_profile, step, input_tags.name, value"
        " FROM inputs JOIN datasets ON dataset_uuid = source_id"
        " LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid"
        " WHERE source_type = 'DATASET' AND destination_type = 'RUN'"
    ),
    "models": (
        "SELECT source_run_id AS run_uuid, logged_models.name, status, lifecycle_stage, model_type,"
        " status_message, source_type, destination_type, step, tag_key, tag_value, param_key,"
        " param_value FROM logged_models"
        " JOIN inputs ON source_id = source_run_id AND destination_id = logged_models.model_id"
        " LEFT JOIN logged_model_tags ON logged_model_tags.model_id = logged_models.model_id"
        " LEFT JOIN logged_model_params ON logged_model_params.model_id = logged_models.model_id"
    ),
}
COUNTED = ("datasets", "inputs", "input_tags", "logged_models", "logged_model_tags")


class Own:
    """What `BulkStore` does of units, by MLflow's own calls, one after the other."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def create_runs(self, new: Sequence[NewRun]) -> list[str]:
        """As ``MlflowClient.create_run`` does."""
        return [
            self.store.create_run(
                run.experiment_id,
                run.tags.get("mlflow.user", "unknown"),
                run.start_ms,
                [RunTag(*tag) for tag in run.tags.items()],
                run.name,
            ).info.run_id
            for run in new
        ]

    def write_unit(self, changes: Sequence[RunChange]) -> None:
        """As the mirror writes to any store."""
        for change in changes:
            self._write(change)

    def _write(self, change: RunChange) -> None:
        run = self.store.get_run(change.run_id)
        if change.datasets:
            self.store.log_inputs(change.run_id, [dataset_input(each) for each in change.datasets])
        metrics = [Metric(p.key, p.value, p.timestamp_ms, p.step) for p in change.points]
        params = [Param(*param) for param in change.params.items()]
        for key in change.removed_tags:
            if key in run.data.tags:
                self.store.delete_tag(change.run_id, key)
        tags = [RunTag(*tag) for tag in change.tags.items()]
        self.store.log_batch(change.run_id, metrics, params, tags)
        if change.model and not run.outputs.model_outputs:
            self._link(change, change.model)
        status = RunStatus.from_string(change.status) if change.status else None
        self.store.update_run_info(change.run_id, status, change.end_ms, None)

    def _link(self, change: RunChange, model: ModelRecord) -> None:
        tags = {names.ARN: change.arn, names.MODEL_ARTIFACT: model.uri}
        made = self.store.create_logged_model(
            change.experiment_id,
            model.name,
            change.run_id,
            [LoggedModelTag(*tag) for tag in tags.items()],
            [LoggedModelParameter(names.MODEL_ARTIFACT, model.uri)],
        )
        self.store.finalize_logged_model(made.model_id, LoggedModelStatus.READY)
        self.store.log_outputs(change.run_id, [LoggedModelOutput(made.model_id, step=0)])


class Side:
    """One way to write, with an experiment of its own."""

    def __init__(self, way: Any, store: Any) -> None:
        self.way, self.store = way, store
        self.experiment_id = store.create_experiment(uuid.uuid4().hex, "s3://bucket/place")
        self.run_ids: list[str] = []

    def create(self, new: Sequence[tuple[str, dict[str, str]]]) -> None:
        """Make runs."""
        self.run_ids += self.way.create_runs(
            [
                NewRun(experiment_id=self.experiment_id, name=name, start_ms=5, tags=tags)
                for name, tags in new
            ]
        )

    def write(self, unit: Iterable[tuple[int, dict[str, Any]]]) -> tuple[str, str] | None:
        """Write a unit; gives what was refused."""
        changes = [
            RunChange(
                arn=f"arn:{which}",
                run_id=self.run_ids[which],
                experiment_id=self.experiment_id,
                **change,
            )
            for which, change in unit
        ]
        try:
            self.way.write_unit(changes)
        except MlflowException as error:
            return error.error_code, self._nameless(str(error))
        return None

    def _nameless(self, text: str) -> str:
        for which, run_id in enumerate(self.run_ids):
            text = text.replace(run_id, f"run {which}")
        return text

    def tables(self) -> dict[str, list[str]]:
        """Read what the database holds of these runs."""
        wanted = {"runs": self.run_ids}
        held: dict[str, list[str]] = {}
        with self.store.engine.connect() as connection:
            for name, query in QUERIES.items():
                inside = f"SELECT * FROM ({query}) AS found WHERE run_uuid IN :runs"  # noqa: S608 - constants
                found = sqlalchemy.text(inside).bindparams(
                    sqlalchemy.bindparam("runs", expanding=True)
                )
                rows = connection.execute(found, wanted)
                held[name] = sorted(self._nameless(repr(tuple(row))) for row in rows)
        return held

    def counts(self) -> dict[str, int]:
        """Count the rows of tables."""
        with self.store.engine.connect() as connection:
            return {
                table: len(connection.exec_driver_sql(f"SELECT 1 FROM {table}").all())  # noqa: S608 - constants
                for table in COUNTED
            }
