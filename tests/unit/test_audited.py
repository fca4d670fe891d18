"""A job beside its run: which of its series AWS can still tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mlflow_smwatch.audit.audited import Audited
from mlflow_smwatch.core.job import MetricDefinition
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading
from mlflow_smwatch.engine.task import LogReading, Task
from tests.unit.jobs import completed_job

RUNAWAY = {"loss": {"runaway": 1}}
STREAMS = {"algo-1-1": [9, 1]}


def audited(
    *,
    known: Watermark,
    truth: Watermark,
    complete: bool = True,
    log_reading: LogReading | None = None,
    **changes: Any,
) -> Audited:
    """Build a job whose log has loss at 1 and 2; its run has these metrics."""
    job = completed_job(definitions=(MetricDefinition(name="loss", regex="(.)"),))
    run = KnownRun(
        run_id="1",
        experiment_id="0",
        status="FINISHED",
        start_ms=job.created_ms,
        end_ms=job.ended_ms,
        active=True,
        tags={},
        metric_keys=frozenset({"loss", "mine"}),
    )
    task = Task(
        job=job,
        record=run_record(job),
        run=run,
        watermark=truth,
        reading=Reading(windows=(), complete=complete),
        log_reading=log_reading or LogReading(),
    )
    base: dict[str, Any] = {
        "points": tuple(MetricPoint("loss", "loss", 1.0, at, at) for at in (1, 2)),
        "logged": frozenset({"loss"}),
        "due": True,
    }
    return Audited(task=task, run=run, known=known, truth=truth, **{**base, **changes})


def logs(**changes: Any) -> Watermark:
    """Make a watermark of a run whose source is the logs."""
    base: dict[str, Any] = {"source": "logs", "streams": STREAMS, "points": {"loss": 2}}
    return Watermark(made_ms=1, **{**base, **changes})


MORE = logs(points={"loss": 4})
"""Of a run that has more points than its logs hold now."""


def has(*times: int) -> Sequence[WrittenPoint]:
    return tuple(WrittenPoint(at, 1.0, step) for step, at in enumerate(times))


def found(job: Audited, *times: int) -> list[tuple[str, str | None, int | None]]:
    """Compare with a run that has loss at these times."""

    def history(key: str) -> Sequence[WrittenPoint]:
        assert key == "loss", "what the mirror did not write is not asked for"
        return has(*times)

    return [(each.what, each.key, each.timestamp) for each in job.point_differences(history)]


def test_series_of_logs() -> None:
    """Missing and extra points, of the mirror's own metrics only."""
    job = audited(known=logs(), truth=logs())
    assert found(job, 1, 2) == []
    assert found(job, 1, 7) == [("missing", "loss", 2), ("extra", "loss", 7)]
    assert list(job.left_out()) == []


@pytest.mark.parametrize(
    ("known", "truth", "reading", "said"),
    [
        pytest.param(logs(findings=RUNAWAY), logs(), LogReading(), "too long", id="dropped then"),
        pytest.param(MORE, logs(findings=RUNAWAY), LogReading(), "too long", id="dropped now"),
        pytest.param(logs(), logs(streams={}), LogReading(), "logs are gone", id="stream gone"),
        pytest.param(logs(), logs(), LogReading(missing=True), "logs are gone", id="all gone"),
        pytest.param(logs(), logs(), LogReading(expired=True), "logs are gone", id="expired"),
        pytest.param(logs(), logs(), LogReading(denied=("no logs",)), "no logs;", id="denied"),
    ],
)
def test_series_that_cannot_be_told(
    known: Watermark, truth: Watermark, reading: LogReading, said: str
) -> None:
    """What the logs do not hold any more, or not alike, is not compared, and is named."""
    job = audited(known=known, truth=truth, log_reading=reading)
    assert found(job, 7) == []
    (left_out,) = job.left_out()
    assert said in left_out
    assert "not compared" in left_out


def test_points_of_a_running_job() -> None:
    """What the run lacks is not due; what is as late as the reading may have come after it."""
    job = audited(known=logs(), truth=logs(), complete=False, due=False)
    assert found(job, 0, 2, 2, 3) == [("extra", "loss", 0)]


def test_beginning_of_logs_that_is_gone() -> None:
    """Where the mirror wrote more than the logs hold, what came before them is right."""
    job = audited(known=MORE, truth=logs())
    assert found(job, -2, -1, 1, 2, 3) == [("extra", "loss", 3)]
    (left_out,) = job.left_out()
    assert "the beginning of its logs is gone" in left_out
