"""What docs/reliability.md says of watermarks and periods, shown on values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from mlflow import MlflowClient

import mlflow_smwatch as smwatch
from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_progress import LogPart, advance
from mlflow_smwatch.core.log_streams import StreamPosition
from mlflow_smwatch.core.progress import Measured, progress
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Life, Reading, plan_reading
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import HOUR_MS, Points, arn, job_answer, now_ms, put_log

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
            written=lambda key: [WrittenPoint(each, 0.0, 0) for each in self.written[key]],
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


def _stretch(watermark: Watermark, begin: int, end: int) -> LogPart:
    """Read the matches of one host from one number to another, a millisecond apart."""
    part = LogPart(steps=watermark.points)
    points = [Point(number, number / 8) for number in range(begin, end)]
    part.add({"loss": points}, {"algo-1-1": StreamPosition(end - 1, 1)}, {})
    return part


def test_a_log_that_is_sent_again_is_the_same_rows() -> None:
    """Until the watermark is there; the steps are the numbers of the matches."""
    before = Watermark(made_ms=0)
    first, after = advance(before, _stretch(before, 0, 5), {"loss": "loss"}, ())
    again, _ = advance(before, _stretch(before, 0, 5), {"loss": "loss"}, ())
    assert again == first
    assert [point.step for point in first] == [0, 1, 2, 3, 4]
    assert after.positions == {"algo-1-1": StreamPosition(4, 1)}
    assert after.source == "logs"


def test_what_another_mirror_has_written_is_not_sent_again() -> None:
    """Its watermark went further; it does not go back."""
    start = Watermark(made_ms=0)
    slow = _stretch(start, 0, 5)
    _, fast = advance(start, _stretch(start, 0, 8), {"loss": "loss"}, ())
    assert advance(fast, slow, {"loss": "loss"}, ()) == ([], fast)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an account, and lead there."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        yield account


def test_late_log_events_get_the_next_free_step(
    account: EmulatedAccount, empty_database: Path
) -> None:
    """The last look finds them, once; nothing else is written again."""
    uri = f"sqlite:///{empty_database}"
    begin_ms = now_ms() - HOUR_MS

    def mirrored() -> Points:
        run = smwatch.mirror("job", tracking_uri=uri, artifacts="none")
        history = MlflowClient(uri).get_metric_history(run.info.run_id, "loss")
        return sorted((each.timestamp, each.step, each.value) for each in history)

    account.put_training_job(job_answer("job", created_ms=begin_ms))
    put_log(account, "job", [(begin_ms, "value=1"), (begin_ms + 2000, "value=3")])
    on_time = [(begin_ms, 0, 1.0), (begin_ms + 2000, 1, 3.0)]
    assert mirrored() == on_time

    put_log(account, "job", [(begin_ms + 1000, "value=2")])
    assert mirrored() == on_time
    account.put_training_job(job_answer("job", created_ms=begin_ms, ended_ms=begin_ms + 5000))
    assert mirrored() == sorted([*on_time, (begin_ms + 1000, 2, 2.0)])
    assert smwatch.sync("job", tracking_uri=uri, artifacts="none").points == 0
