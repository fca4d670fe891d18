"""Checks what is to be written as MLflow's own store does, and takes it apart into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from mlflow.entities import DatasetInput, Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils import validation
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from mlflow_smwatch.core.record import DatasetRecord, ModelRecord
from mlflow_smwatch.tracking.bulk_points import (
    Point,
    Sanitize,
    has_models,
    logged_points,
    mirrored_points,
)
from mlflow_smwatch.tracking.bulk_sql import OfRun
from mlflow_smwatch.tracking.dataset_inputs import dataset_input
from mlflow_smwatch.tracking.units import RunChange

ModelOutput = tuple[str, ModelRecord]
"""The job's ARN, and its model."""

Batch = tuple[list[Metric], list[Param], list[RunTag]]

_check: Any = validation


@dataclass(slots=True, kw_only=True)
class Rows:
    """What is to be written of some runs in one transaction.

    Attributes
    ----------
    run_ids
        The runs.
    params
        By run and key, in order.
    tags, names, statuses, ends
        Values to be set; a name is never empty.
    removed_tags
        Tags to be removed, as far as they are there.
    points
        Points, as far as they are not there.
    metrics
        The metrics that the points come from, where some are of logged models.
    datasets
        Inputs by run.
    models
        Outputs by run.
    """

    run_ids: list[str] = field(default_factory=list)
    params: list[tuple[OfRun, str]] = field(default_factory=list)
    tags: dict[OfRun, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    removed_tags: list[OfRun] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    metrics: Sequence[Metric] = ()
    datasets: list[tuple[str, DatasetInput]] = field(default_factory=list)
    models: dict[str, ModelOutput] = field(default_factory=dict)

    def add_tags(self, run_id: str, tags: Iterable[tuple[str, str]]) -> None:
        """Take tags in; the one that names the run names it, unless it is empty."""
        for key, value in tags:
            if key != MLFLOW_RUN_NAME:
                self.tags[run_id, key] = value
            elif value:
                self.tags[run_id, key] = self.names[run_id] = value


def batch_rows(
    run_id: str,
    metrics: list[Metric],
    params: list[Param],
    tags: list[RunTag],
    sanitize: Sanitize,
) -> Rows | None:
    """Check a batch of one run.

    Parameters
    ----------
    run_id
        The run.
    metrics, params, tags
        The arguments of ``log_batch``.
    sanitize
        MLflow's rule for values that are no finite numbers.

    Returns
    -------
    Rows or None
        None where MLflow's own store is to write it.

    Raises
    ------
    MlflowException
        As of MLflow's own store.
    """
    _check._validate_run_id(run_id)  # noqa: SLF001 - MLflow's own
    points = logged_points(run_id, metrics, sanitize)
    if points is None:
        return None
    batch = cast("Batch", _check._validate_batch_log_data([], params, tags))  # noqa: SLF001 - MLflow's own
    _check._validate_batch_log_limits(metrics, *batch[1:])  # noqa: SLF001 - MLflow's own
    _check._validate_param_keys_unique(batch[1])  # noqa: SLF001 - MLflow's own
    rows = Rows(run_ids=[run_id], points=points)
    if has_models(metrics):
        rows.metrics = metrics
    rows.params = [((run_id, each.key), each.value) for each in batch[1]]
    rows.add_tags(run_id, ((each.key, each.value) for each in batch[2]))
    return rows


def unit_rows(changes: Sequence[RunChange], sanitize: Sanitize) -> Rows:
    """Check what is to be written of several runs.

    Parameters
    ----------
    changes
        What is to be written.
    sanitize
        MLflow's rule for values that are no finite numbers.

    Raises
    ------
    MlflowException
        As of MLflow's own store.
    """
    rows = Rows()
    for change in changes:
        run_id = change.run_id
        _check._validate_run_id(run_id)  # noqa: SLF001 - MLflow's own
        rows.run_ids.append(run_id)
        rows.points += _checked_points(change, sanitize)
        rows.params += [((run_id, key), value) for key, value in _checked_params(change.params)]
        rows.removed_tags += [(run_id, key) for key in change.removed_tags]
        rows.add_tags(run_id, _checked_tags(change.tags))
        rows.datasets += [(run_id, each) for each in _checked_datasets(change.datasets)]
        _add_fields(rows, change)
    return rows


def _add_fields(rows: Rows, change: RunChange) -> None:
    """Take in what a run has one of."""
    if change.status is not None:
        status = RunStatus.from_string(change.status)
        rows.statuses[change.run_id] = RunStatus.to_string(status)
    if change.end_ms is not None:
        rows.ends[change.run_id] = change.end_ms
    if change.model is not None:
        _check._validate_logged_model_name(change.model.name)  # noqa: SLF001 - MLflow's own
        rows.models[change.run_id] = (change.arn, change.model)


def _checked_points(change: RunChange, sanitize: Sanitize) -> list[Point]:
    points = mirrored_points(change.run_id, change.points, sanitize)
    if points is None:
        metrics = [
            Metric(each.key, each.value, each.timestamp_ms, each.step) for each in change.points
        ]
        _check._validate_batch_log_data(metrics, [], [])  # noqa: SLF001 - MLflow's own
        message = f"the points of run {change.run_id} are not plain numbers"
        raise MlflowException.invalid_parameter_value(message)
    return points


def _checked_params(params: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for index, (key, value) in enumerate(params.items()):
        if _is_plain(key) and len(value) <= validation.MAX_PARAM_VAL_LENGTH:
            yield key, value
        else:
            param: Param = _check._validate_param(key, value, f"params[{index}]")  # noqa: SLF001 - MLflow's own
            yield param.key, param.value


def _checked_tags(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for index, (key, value) in enumerate(tags.items()):
        if _is_plain(key) and len(value) <= validation.MAX_TAG_VAL_LENGTH:
            yield key, value
        else:
            tag: RunTag = _check._validate_tag(key, value, f"tags[{index}]")  # noqa: SLF001 - MLflow's own
            yield tag.key, tag.value


@lru_cache(maxsize=4096)
def _is_plain(key: str) -> bool:
    """Whether a key of a param or a tag is legal: the rule is the same."""
    try:
        _check._validate_param(key, "")  # noqa: SLF001 - MLflow's own
    except MlflowException:
        return False
    return True


def _checked_datasets(records: Iterable[DatasetRecord]) -> list[DatasetInput]:
    inputs = [dataset_input(record) for record in records]
    _check._validate_dataset_inputs(inputs)  # noqa: SLF001 - MLflow's own
    return inputs
