"""What docs/promise.md says of watermarks and periods, shown on values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest

from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.progress import Measured, progress
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Life, Reading, plan_reading
from tests.jobs import arn, job_answer

MINUTE_MS = 60_000
SETTLE_MS = 3 * MINUTE_MS
CREATED = datetime(2026, 3, 2, 10, 1, tzinfo=timezone.utc)
LAST_MINUTE = 26
CREATED_MS = round(CREATED.timestamp() * 1000)
ENDED_MS = CREATED_MS + LAST_MINUTE * MINUTE_MS
CPU = "system/algo-1/cpu_utilization_percentage"


def _later(**delta: float) -> int:
    return round((CREATED + timedelta(**delta)).timestamp() * 1000)


def _job(ended_ms: int | None = None) -> Job:
    answer = job_answer("curve", created_ms=CREATED_MS, ended_ms=ended_ms)
    return training_job({**answer, "TrainingJobArn": arn("curve")})


def _stored(reading: Reading) -> list[Point]:
    """Give one point for each period that a reading covers, as long as the job ran."""
    return [
        Point(moment_ms, moment_ms / 1000)
        for window in reading.windows
        for moment_ms in range(window.start_ms, window.end_ms, window.period_s * 1000)
        if moment_ms < ENDED_MS
    ]


@dataclass
class _Run:
    """A run and the passes over its job."""

    watermark: Watermark = field(default_factory=lambda: Watermark(made_ms=0))
    written: dict[str, list[int]] = field(default_factory=dict)

    def look(
        self, now_ms: int, ended_ms: int | None = None, forbidden: str | None = None
    ) -> dict[str, list[int]]:
        """Make one pass and give the timestamps that are new, by key."""
        job = _job(ended_ms)
        life = Life(created_ms=CREATED_MS, ended_ms=ended_ms, read_to_ms=self.watermark.read_to_ms)
        reading = plan_reading(life, now_ms, SETTLE_MS)
        keys = [key for key in ("loss", CPU) if key != forbidden]
        asked = forbidden if reading.windows else None
        found = progress(
            job,
            self.watermark,
            Measured(
                series={key: _stored(reading) for key in keys} if reading.windows else {},
                reading=reading,
                denied=(f"the metric {asked} is forbidden",) if asked else (),
            ),
            written_ms=lambda key: self.written[key],
        )
        self.watermark = found.watermark
        fresh = {
            key: [point.timestamp_ms for point in found.points if point.key == key] for key in keys
        }
        for key, moments in fresh.items():
            self.written.setdefault(key, []).extend(moments)
        return fresh


def test_resumed_at_a_coarser_period_nothing_is_taken_for_written() -> None:
    """A job seen while it ran and again after 20 days: as many points as before, but others."""
    run = _Run()
    assert run.look(_later(minutes=8))["loss"] == [_later(minutes=minute) for minute in range(5)]

    last = run.look(_later(days=20), ENDED_MS)

    assert last["loss"] == [_later(minutes=minute) for minute in (9, 14, 19, 24)]
    assert run.watermark.final


@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(days=20)], ids=str)
def test_a_forbidden_metric_keeps_the_job_open_until_it_can_be_read(age: timedelta) -> None:
    """However often it is refused, and also where CloudWatch has merged the minutes by then."""
    run = _Run()
    now_ms = CREATED_MS + round(age.total_seconds() * 1000)
    first = run.look(now_ms, ENDED_MS, forbidden="loss")
    assert first[CPU]
    for _ in range(2):
        assert run.look(now_ms, ENDED_MS, forbidden="loss") == {CPU: []}
        assert not run.watermark.final

    assert run.look(now_ms, ENDED_MS) == {"loss": first[CPU], CPU: []}
    assert run.watermark.final
    assert run.watermark.points[CPU] == len(first[CPU])


def test_last_look_at_an_unchanged_job_writes_nothing() -> None:
    """The whole life is read once more; equal numbers of points need no question to MLflow."""
    run = _Run()
    assert len(run.look(_later(minutes=30))["loss"]) == LAST_MINUTE
    run.written.clear()

    assert run.look(_later(hours=1), ENDED_MS) == {"loss": [], CPU: []}
    assert run.watermark.final
