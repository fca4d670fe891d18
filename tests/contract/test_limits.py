"""Our limits against those of the MLflow that is installed."""

from __future__ import annotations

import pytest
from mlflow.utils import validation
from mlflow.utils.validation import (
    _validate_metric_name,
    _validate_param_name,
    _validate_tag_name,
)

from mlflow_smwatch.core import keys, record
from mlflow_smwatch.tracking import batches


def test_batches() -> None:
    """A batch of ours is a batch that MLflow takes."""
    assert batches.MAX_ENTITIES == validation.MAX_ENTITIES_PER_BATCH
    assert batches.MAX_PARAMS == validation.MAX_PARAMS_TAGS_PER_BATCH
    assert batches.MAX_TAGS == validation.MAX_PARAMS_TAGS_PER_BATCH
    assert validation.MAX_METRICS_PER_BATCH >= batches.MAX_ENTITIES
    assert validation.MAX_BATCH_LOG_REQUEST_SIZE >= batches.MAX_BYTES


def test_keys_and_values() -> None:
    """No key and no value of ours is too long, and none is cut without need."""
    assert keys.KEY_LIMIT == validation.MAX_ENTITY_KEY_LENGTH
    assert keys.TAG_VALUE_LIMIT == validation.MAX_TAG_VAL_LENGTH
    assert keys.PARAM_VALUE_LIMIT == validation.MAX_PARAM_VAL_LENGTH
    assert keys.DATASET_TAG_LIMIT == validation.MAX_INPUT_TAG_VALUE_SIZE
    assert record._DATASET_NAME_LIMIT <= validation.MAX_DATASET_NAME_SIZE


@pytest.mark.parametrize(
    "name",
    [
        "validation:auc",
        "loss (train) %",
        "損失",
        "a//b",
        "/a/",
        "../up",
        "a/./b",
        "..",
        ".",
        "",
        "x" * 300,
        "a\x00b\nc",
        "tab\there",
        "😀",
    ],
    ids=ascii,
)
def test_mlflow_takes_our_keys(name: str) -> None:
    """What MLflow's own checks refuse becomes a key that they take."""
    key = keys.legal_key(name)
    for check in (_validate_metric_name, _validate_param_name, _validate_tag_name):
        check(key)  # type: ignore[no-untyped-call]
