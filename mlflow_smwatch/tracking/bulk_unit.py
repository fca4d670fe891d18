"""Units of work that a SQL store takes whole: many runs in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.tracking.run_update import RunUpdate
from mlflow_smwatch.tracking.store import Tracking, tracking_errors
from mlflow_smwatch.tracking.units import RunChange

if TYPE_CHECKING:
    from mlflow_smwatch.tracking.bulk_store import BulkStore


class BulkUnit:
    """Collects what is to be written, and writes it in one transaction.

    Parameters
    ----------
    tracking
        The store.
    bulk
        The same as one that writes units.
    """

    def __init__(self, tracking: Tracking, bulk: BulkStore) -> None:
        self._tracking = tracking
        self._bulk = bulk
        self._updates: dict[str, RunUpdate] = {}
        self._changes: list[RunChange] = []

    def write_record(self, update: RunUpdate) -> list[str]:
        """Take datasets, model, status and former facts of a run; nothing is left out."""
        self._updates[update.run.run_id] = update
        return []

    def write_points(
        self,
        run: KnownRun,
        points: Iterable[MetricPoint],
        notes: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Take points, params and tags of a run, and the watermark that vouches for them."""
        update = self._updates.pop(run.run_id, None)
        status, end_ms = update.new_status if update else (None, None)
        former = [key for key in names.PASSING if key in run.tags]
        self._changes.append(
            RunChange(
                arn=update.record.arn if update else run.tags.get(names.ARN, ""),
                run_id=run.run_id,
                experiment_id=run.experiment_id,
                status=status,
                end_ms=end_ms,
                params=params or {},
                tags={**(facts or {}), **notes},
                removed_tags=[
                    *(update.former_facts if update else ()),
                    *(key for key in former if key not in notes),
                ],
                points=list(points),
                datasets=update.new_datasets if update else (),
                model=update.new_model if update else None,
            )
        )

    def commit(self) -> None:
        """Write it.

        Raises
        ------
        JobError
            When MLflow refuses; nothing of the unit is written then.
        TrackingError
            When the database is gone.
        """
        changes, self._changes = self._changes, []
        if changes:
            with tracking_errors("writing runs"), self._tracking.gate:
                self._bulk.write_unit(changes)
