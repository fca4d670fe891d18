"""Whether a database and the MLflow installed are such that a batch may be written in bulk."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils import validation
from sqlalchemy import Engine

from mlflow_smwatch.tracking.bulk_points import has_known_fields
from mlflow_smwatch.tracking.bulk_sql import schema_revision

_RUN = ("run_uuid",)
_POINT = ("key", "timestamp", "step", "value", "is_nan")
_MODEL_POINT = ("model_id", "metric_name", "metric_timestamp_ms", "metric_step", "run_id")
_DATASET = ("experiment_id", "name", "digest")
_LINK = ("source_type", "source_id", "destination_type", "destination_id")
_MODEL_MORE = ("metric_value", "experiment_id", "dataset_uuid", "dataset_name", "dataset_digest")

_SHAPES: dict[str, tuple[Iterable[str], Iterable[str]]] = {
    "runs": (
        (
            *(*_RUN, "name", "source_type", "source_name", "entry_point_name", "user_id"),
            *("status", "start_time", "end_time", "deleted_time", "source_version"),
            *("lifecycle_stage", "artifact_uri", "experiment_id"),
        ),
        _RUN,
    ),
    "params": ((*_RUN, "key", "value"), (*_RUN, "key")),
    "tags": ((*_RUN, "key", "value"), (*_RUN, "key")),
    "metrics": ((*_RUN, *_POINT), (*_RUN, *_POINT)),
    "latest_metrics": ((*_RUN, *_POINT), (*_RUN, "key")),
    "logged_model_metrics": ((*_MODEL_POINT, *_MODEL_MORE), _MODEL_POINT),
    "experiments": (
        (
            *("experiment_id", "name", "artifact_location", "lifecycle_stage"),
            *("creation_time", "last_update_time"),
        ),
        ("experiment_id",),
    ),
    "datasets": (
        (
            *("dataset_uuid", "dataset_source_type", "dataset_source"),
            *(*_DATASET, "dataset_schema", "dataset_profile"),
        ),
        _DATASET,
    ),
    "inputs": (("input_uuid", *_LINK), _LINK),
    "input_tags": (("input_uuid", "name", "value"), ("input_uuid", "name")),
    "logged_models": (
        (
            *("model_id", "experiment_id", "name", "artifact_location", "status"),
            *("creation_timestamp_ms", "last_updated_timestamp_ms", "lifecycle_stage"),
            *("model_type", "source_run_id", "status_message"),
        ),
        ("model_id",),
    ),
    "logged_model_tags": (
        ("model_id", "experiment_id", "tag_key", "tag_value"),
        ("model_id", "tag_key"),
    ),
    "logged_model_params": (
        ("model_id", "experiment_id", "param_key", "param_value"),
        ("model_id", "param_key"),
    ),
}
"""Columns and primary key of each table that is written to, or read before."""

_LATER_COLUMNS = {"inputs": {"step"}, "experiments": {"workspace"}}
"""Columns that a known revision may lack; each has a default."""

_STORE_PARTS = (
    "_get_run",
    "_check_run_is_active",
    "_check_experiment_is_active",
    "get_experiment",
    "sanitize_metric_value",
    "log_batch",
    "ARTIFACTS_FOLDER_NAME",
    "MODELS_FOLDER_NAME",
)
_CHECKS = (
    "_validate_run_id",
    "_validate_batch_log_data",
    "_validate_batch_log_limits",
    "_validate_param_keys_unique",
    "_validate_metric",
    "_validate_param",
    "_validate_tag",
    "_validate_dataset_inputs",
    "_validate_logged_model_name",
    "MAX_PARAM_VAL_LENGTH",
    "MAX_TAG_VAL_LENGTH",
)

KNOWN_REVISIONS = frozenset(
    {
        "400f98739977",
        "6953534de441",
        "bda7b8c39065",
        "cbc13b556ace",
        "770bee3ae1dd",
        "a1b2c3d4e5f6",
        "de4033877273",
        "1a0cddfcaa16",
        "534353b11cbc",
        "71994744cf8e",
        "3da73c924c2f",
        "bf29a5ff90ea",
        "1bd49d398cd23",
        "b7c8d9e0f1a2",
        "5d2d30f0abce",
        "c9d4e5f6a7b8",
        "2c33131f4dae",
        "d3e4f5a6b7c8",
        "d0e1f2a3b4c5",
        "c8d9e0f1a2b3",
        "1b5f0d9ad7c1",
        "e1f2a3b4c5d6",
        "76601a5f987d",
        "c3d6457b6d8a",
        "a5b4c3d2e1f0",
        "ae8bbe7743c9",
        "7d34483879f0",
        "da6fb0208061",
        "89d3d66ed43f",
        "b7e4c1a90f23",
        "a8b9c0d1e2f3",
        "c1d2e3f4a5b6",
        "c3d9e7f1a2b4",
        "6f8d9c3b2a1e",
        "1971f2d9a75b",
        "17e22815139b",
        "b7e2c1a4d9f3",
        "75868b020152",
        "dc11669786a5",
    }
)
"""Revisions of MLflow's schema, from the first of 3.0 to that of 3.17, in their order.

None of them changes what is written here (``mlflow/store/db_migrations/versions``).
"""


def unknown_part(engine: Engine) -> str | None:
    """Say what of a database, or of the MLflow installed, is not as it is known.

    Parameters
    ----------
    engine
        Of a database that MLflow's own store has opened and checked.

    Returns
    -------
    str or None
        None if all is known.
    """
    if engine.dialect.name not in {"sqlite", "postgresql", "mysql", "mariadb"}:
        return f"the database is {engine.dialect.name}"
    missing = [name for name in _STORE_PARTS if not hasattr(SqlAlchemyStore, name)]
    missing += [name for name in _CHECKS if not hasattr(validation, name)]
    if not has_known_fields():
        missing.append("metrics of the known kind")
    if missing:
        return f"this MLflow has no {missing[0]}"
    with engine.connect() as connection:
        revision = schema_revision(connection)
    if revision not in KNOWN_REVISIONS:
        return f"its schema has revision {revision}"
    return _odd_table(engine)


def _odd_table(engine: Engine) -> str | None:
    inspector = sqlalchemy.inspect(engine)
    for table, (columns, key) in _SHAPES.items():
        found = {column["name"] for column in inspector.get_columns(table)}
        if found - _LATER_COLUMNS.get(table, set()) != set(columns):
            return f"table {table} has the columns {', '.join(sorted(found))}"
        if set(inspector.get_pk_constraint(table)["constrained_columns"]) != set(key):
            return f"table {table} has another primary key"
    return None
