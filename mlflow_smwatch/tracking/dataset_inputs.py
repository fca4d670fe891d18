"""Datasets of a job → MLflow's inputs of a run."""

from __future__ import annotations

import json

from mlflow.entities import Dataset, DatasetInput, InputTag

from mlflow_smwatch.core.record import DatasetRecord

_CONTEXT_TAG = "mlflow.data.context"


def dataset_input(record: DatasetRecord) -> DatasetInput:
    """Return a dataset as an input, with the context that it is read in."""
    dataset = Dataset(
        name=record.name,
        digest=record.digest,
        source_type="s3",
        source=json.dumps({"uri": record.uri}),
    )
    return DatasetInput(dataset, [InputTag(_CONTEXT_TAG, record.context)])
