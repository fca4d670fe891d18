"""What a pass found of a job, for those who pass it on: exporters, rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was written of one job, once it is in MLflow; of an open one also that nothing was.

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
    written
        Whether anything was new; if not, there are no points.
    noted
        The tags that its run had before.
    status_before
        The status that its run had before; None where it had none.
    """

    record: RunRecord
    run_id: str
    points: tuple[MetricPoint, ...]
    created: bool
    final: bool
    written: bool = True
    noted: Mapping[str, str] = field(default_factory=dict)
    status_before: str | None = None


Observer: TypeAlias = Callable[[Observation], None]
"""Hears of each job that was written or is open, in the thread that did it: it does not wait."""
