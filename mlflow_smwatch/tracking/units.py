"""Units of work: what is written of many runs, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import DatasetRecord, ModelRecord

if TYPE_CHECKING:
    from mlflow_smwatch.tracking.run_update import RunUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLimits:
    """How jobs are written.

    Attributes
    ----------
    jobs
        How many in one unit, at most.
    at_once
        How many units at the same time, at most.
    """

    jobs: int
    at_once: int


class Unit(Protocol):
    """Takes what is to be written of several runs."""

    def write_record(self, update: RunUpdate) -> list[str]:
        """Take what stands beside the points; say what cannot be written, in words."""

    def write_points(
        self,
        run: KnownRun,
        points: Iterable[MetricPoint],
        notes: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Take points, params and tags, and the watermark that vouches for them."""

    def commit(self) -> None:
        """Write what was taken and is not written yet: all of it, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is to be made.

    Attributes
    ----------
    experiment_id
        Its experiment.
    name
        Its name.
    start_ms
        Its start.
    tags
        All its tags.
    """

    experiment_id: str
    name: str
    start_ms: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """What is to be written of one run that is there.

    Attributes
    ----------
    arn
        The job, which the model is tagged with.
    run_id, experiment_id
        The run.
    status, end_ms
        Its new status and end; None where they stay.
    params
        Params that it lacks.
    tags
        Tags that are new or changed.
    removed_tags
        Keys of tags to be removed, as far as they are there.
    points
        Points; those that the run has are passed over.
    datasets
        Inputs to be linked, as far as they are not.
    model
        The model to be made and linked as its output; None for none.
    """

    arn: str
    run_id: str
    experiment_id: str
    status: str | None = None
    end_ms: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    removed_tags: Sequence[str] = ()
    points: Sequence[MetricPoint] = ()
    datasets: Sequence[DatasetRecord] = ()
    model: ModelRecord | None = None
