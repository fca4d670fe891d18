"""Runs as MLflow would give them."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag

from mlflow_smwatch.tracking.mirrored_run import MirroredRun


def plain_run(tags: Mapping[str, str], status: str = "FINISHED", name: str = "job") -> Run:
    """Make a run of MLflow's own."""
    info = RunInfo(
        run_id="0" * 32,
        experiment_id="1",
        user_id="me",
        status=status,
        start_time=1_000,
        end_time=2_000,
        lifecycle_stage="active",
        run_name=name,
    )
    data = RunData(
        metrics=[Metric("loss", 0.5, 1_500, 3)],
        params=[Param("lr", "0.1")],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
    return Run(info, data)


def run_with(
    tags: Mapping[str, str], status: str = "FINISHED", url: str | None = None
) -> MirroredRun:
    """Make a run as ``mirror()`` returns it."""
    return MirroredRun.of(plain_run(tags, status), url)
