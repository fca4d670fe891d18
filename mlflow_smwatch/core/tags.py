"""Names of the tags that code reads or writes by name; ``docs/mapping.md`` lists all."""

from __future__ import annotations

ARN = "sagemaker.arn"
CREATED = "sagemaker.created"
KIND = "sagemaker.kind"
NAME = "sagemaker.name"
REGION = "sagemaker.region"
VERSION = "smwatch.version"
SYNCED_AT = "smwatch.synced_at"
FINAL = "smwatch.final"
METRIC_SOURCE = "smwatch.metric_source"
WARNING = "smwatch.warning"
DUPLICATE_OF = "smwatch.duplicate_of"
NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
EXPERIMENT_KIND = "mlflow.experimentKind"
FACT_PREFIXES = ("sagemaker.", "mlflow.source.")
