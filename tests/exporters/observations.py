"""What was written of jobs, made up."""

from __future__ import annotations

from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.engine.observation import Observation
from tests.jobs import arn

CREATED_MS = 1_790_000_000_000


def point(key: str, value: float, step: int = 0) -> MetricPoint:
    """Make a point, a minute for each step."""
    return MetricPoint(key, key, value, CREATED_MS + 60_000 * step, step)


def written(
    name: str,
    *points: MetricPoint,
    status: str = "RUNNING",
    kind: str = "training-job",
    created: bool = False,
    final: bool = False,
    **tags: str,
) -> Observation:
    """Make what is told of a job."""
    record = RunRecord(
        arn=arn(name),
        created="2026-09-21T14:13:20.000Z",
        kind=kind,
        name=name,
        title=name,
        experiment="sagemaker/training-jobs",
        status=status,
        start_ms=CREATED_MS,
        end_ms=None if status == "RUNNING" else CREATED_MS + 3_600_000,
        tags=tuple((f"sagemaker.{key}", value) for key, value in tags.items()),
        params=(),
        datasets=(),
        model=None,
        note="",
        document="{}",
    )
    return Observation(
        record=record, run_id=f"run-of-{name}", points=points, created=created, final=final
    )
