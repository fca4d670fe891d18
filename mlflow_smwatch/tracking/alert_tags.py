"""Tags on runs that say which rules are in alarm."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow.entities import RunTag

from mlflow_smwatch.tracking.store import Tracking, tracking_errors


def write_alert_tags(tracking: Tracking, run_id: str, tags: Mapping[str, str]) -> None:
    """Write at most 100 tags of a run in one call.

    Raises
    ------
    JobError
        When MLflow does not take them.
    TrackingError
        When MLflow is gone.
    """
    with tracking_errors("writing tags of alerts"), tracking.gate:
        tracking.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
