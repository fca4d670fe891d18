"""What a pass wrote of a job, for those who pass it on: exporters, rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was written of one job, once it is in MLflow.

    Attributes
    ----------
    record
        The job, as MLflow shows it: identity, status, times, facts as tags.
    run_id
        Its run.
    points
        The points that were written, each with its key; may be empty.
    created
        Whether the run was made by this pass.
    final
        Whether nothing more will be read of it.
    """

    record: RunRecord
    run_id: str
    points: tuple[MetricPoint, ...]
    created: bool
    final: bool


Observer: TypeAlias = Callable[[Observation], None]
"""Hears of each job that was written, in the thread that wrote it: it neither waits nor raises."""
