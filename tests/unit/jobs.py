"""Jobs as the core has them."""

from __future__ import annotations

from typing import Any

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import TRAINING_JOB


def completed_job(**changes: Any) -> Job:
    """Build a completed job."""
    base = {
        "kind": TRAINING_JOB,
        "arn": Arn.parse("arn:aws:sagemaker:eu-west-1:123456789012:training-job/job"),
        "name": "job",
        "status": "Completed",
        "created_ms": 1_790_000_000_123,
        "modified_ms": 1_790_000_600_000,
        "ended_ms": 1_790_000_500_000,
        "document": "{}",
        "instance_type": "ml.m5.large",
        "instance_count": 1,
        "hosts": ("algo-1",),
    }
    return Job(**{**base, **changes})
