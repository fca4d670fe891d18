"""What is told of one job, pass by pass, and what its run is marked with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlflow_smwatch.alerts.evaluator import Evaluator
from mlflow_smwatch.alerts.followed_job import NEWS_MS, FollowedJob
from mlflow_smwatch.alerts.marks import RunMarks
from mlflow_smwatch.alerts.messenger import Messenger
from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_tables import read_rules
from mlflow_smwatch.core.rules import Rule
from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.report import RunLine, SyncReport
from tests.jobs import MINUTE_MS, arn, job_answer

BEGAN_MS = 1_800_000_000_000
FLOOR_MS = BEGAN_MS - NEWS_MS


def rule(**given: Any) -> Rule:
    """Read one rule; underscores stand for hyphens."""
    (read,) = read_rules("f", [{"name": "r", **given}])
    return read


IDLE = rule(metric="loss*", below=10, **{"for": "2m"}, repeat="1h")
SILENT = rule(no_data="10m")
FAILED = rule(name="failed", status="FAILED")


def points(*values: float, minute: int = 0, key: str = "loss") -> tuple[MetricPoint, ...]:
    """Give a point a minute, from a minute after the watch began on."""
    return tuple(
        MetricPoint(key, key, value, BEGAN_MS + (minute + n) * MINUTE_MS, n)
        for n, value in enumerate(values)
    )


def seen(
    *found: MetricPoint,
    created: bool = False,
    final: bool = False,
    noted: dict[str, str] | None = None,
    before: str | None = None,
    **changes: Any,
) -> Observation:
    """Give what a pass found of the job."""
    answer = job_answer(
        "job", created_ms=BEGAN_MS - 10 * MINUTE_MS, TrainingJobArn=arn("job"), **changes
    )
    return Observation(
        record=run_record(training_job(answer)),
        run_id="1" * 32,
        points=found,
        created=created,
        final=final,
        written=bool(found),
        noted=noted or {},
        status_before=before,
    )


class Watched:
    """One job under some rules."""

    def __init__(self, *rules: Rule, **noted: str) -> None:
        tags = {f"smwatch.alert.{name}": value for name, value in noted.items()}
        self.job = FollowedJob(rules, seen(noted=tags), FLOOR_MS, BEGAN_MS)
        self.tags: dict[str, str] = {}

    def after(self, *found: Observation, minute: int, whole: bool = True) -> list[str]:
        """Make a pass; give the words that are told, with their series."""
        for each in found:
            self.job.take(each)
        alerts, tags = self.job.judge(BEGAN_MS + minute * MINUTE_MS, whole=whole)
        self.tags |= {name.removeprefix("smwatch.alert."): text for name, text in tags.items()}
        return [f"{each.word} {each.series}" for each in alerts]


def test_each_series_is_told_once() -> None:
    """However many passes an alarm goes on; the mark names them all."""
    job = Watched(IDLE)
    other = points(*[50] * 3, key="loss-2")
    assert job.after(seen(*points(5, 5), *other), seen(*points(5, minute=2)), minute=3) == [
        "ALARM loss"
    ]
    low = points(*[5] * 3, minute=3, key="loss-2")
    assert job.after(seen(*points(5, 5, minute=3), *low), minute=6) == ["ALARM loss-2"]
    assert job.tags["r"].endswith(": loss, loss-2")
    assert job.after(seen(), minute=7) == []
    assert job.after(seen(*points(50, minute=7)), minute=8) == ["OK loss"]
    assert job.after(seen(*points(50, minute=7, key="loss-2")), minute=9) == ["OK loss-2"]
    assert job.tags["r"].startswith("OK since ")


def test_an_alarm_that_came_and_went_between_two_passes() -> None:
    """Is told with its end, unless it is history."""
    assert Watched(IDLE).after(seen(*points(5, 5, 5, 50)), minute=9) == ["ALARM loss", "OK loss"]
    old = points(5, 5, 5, 50, minute=-70)
    assert Watched(IDLE).after(seen(*old), minute=9) == []


def test_it_is_told_again_where_that_is_wanted() -> None:
    """And only as long as the job goes on."""
    job = Watched(IDLE)
    assert job.after(seen(*points(5, 5, 5)), minute=3) == ["ALARM loss"]
    assert job.after(seen(), minute=62) == []
    assert job.after(seen(), minute=63) == ["STILL loss"]
    assert job.after(seen(), minute=64) == []
    assert job.after(seen(), minute=123) == ["STILL loss"]


def test_no_data_is_known_only_after_whole_passes() -> None:
    """What could not be read may be there; the job's end is no silence."""
    job = Watched(SILENT)
    assert job.after(seen(*points(1)), minute=1) == []
    assert job.after(seen(), minute=12, whole=False) == []
    assert job.after(seen(*points(1, minute=8)), minute=13) == []
    assert job.after(seen(), minute=18) == ["ALARM no data"]
    assert job.after(seen(), minute=30) == []
    assert job.after(seen(*points(1, minute=30)), minute=31) == ["OK no data"]
    ended = seen(status="Completed", ended_ms=BEGAN_MS + 32 * MINUTE_MS)
    assert job.after(ended, minute=90) == []


def test_the_end_of_a_job_in_alarm() -> None:
    """It is told once, at the first pass that sees it; late points have nothing more told."""
    job = Watched(IDLE, FAILED)
    assert job.after(seen(*points(5, 5, 5)), minute=3) == ["ALARM loss"]
    end: dict[str, Any] = {"status": "Failed", "ended_ms": BEGAN_MS + 4 * MINUTE_MS}
    assert job.after(seen(**end), minute=5) == ["ENDED loss", "ALARM status"]
    assert job.tags["r"].startswith("ended in ALARM since ")
    assert job.after(seen(*points(5, 50, minute=3), **end), minute=6) == []
    assert not job.job.is_over
    assert job.after(seen(final=True, **end), minute=90) == []
    assert job.job.is_over


def test_marks_of_an_earlier_watch() -> None:
    """Have an alarm go on: no second message, but one of its end."""
    since = "ALARM since 2027-01-15T08:00:00.000Z: "
    job = Watched(IDLE, r=f"{since}loss, gone")
    assert job.after(seen(*points(5, 5, 5)), minute=3) == []
    assert job.after(seen(*points(50, minute=3)), minute=4) == ["OK loss"]
    silent = Watched(SILENT, r=f"{since}no data")
    assert silent.after(seen(), minute=1) == []
    assert silent.after(seen(*points(1, minute=1)), minute=2) == ["OK no data"]
    failed = Watched(FAILED, failed=f"{since}status")
    assert failed.after(seen(status="Failed", ended_ms=BEGAN_MS), minute=1) == []


def test_a_series_that_is_gone() -> None:
    """Its alarm ends a day after its last point, if others come; it is kept no longer."""
    job = Watched(IDLE)
    day = 24 * 60
    other = "loss-2"
    assert job.after(seen(*points(5, 5, 5), *points(5, 5, 5, key=other)), minute=3) == [
        "ALARM loss",
        "ALARM loss-2",
    ]
    rest = points(50, minute=3, key=other)
    assert job.after(seen(*rest), minute=4) == ["OK loss-2"]
    assert job.after(seen(), minute=5 * day) == ["STILL loss"]
    later = points(50, minute=day, key=other)
    assert job.after(seen(*later), minute=5 * day) == []
    last = points(50, minute=day + 3, key=other)
    assert job.after(seen(*last), minute=5 * day + 1) == ["ENDED loss"]
    assert job.tags["r"].startswith("OK since ")
    assert job.after(seen(), minute=9 * day) == []
    assert list(job.job._standings[IDLE]) == [other]


@pytest.mark.parametrize(
    ("before", "told"), [("FAILED", []), ("RUNNING", ["ALARM"]), (None, ["ALARM"])]
)
def test_what_is_history(tmp_path: Path, before: str | None, told: list[str]) -> None:
    """An old failure whose run is written again; not one that came while nobody looked."""
    said: list[str] = []
    evaluator = Evaluator(
        [FAILED],
        {"failed": ()},
        messenger=Messenger({}),
        marks=RunMarks(f"sqlite:///{tmp_path}/none.db"),
        say=lambda alert: said.append(alert.word),
        clock_ms=lambda: BEGAN_MS,
    )
    day = BEGAN_MS - 24 * 60 * MINUTE_MS
    old = seen(final=True, status="Failed", ended_ms=day, before=before)
    evaluator.observe(old)
    evaluator.judge(report(old, "FAILED"))
    assert said == told


class Recorded:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def send(self, alert: Alert) -> None:
        """Keep it."""
        self.alerts.append(alert)


def report(observed: Observation, status: str = "RUNNING") -> SyncReport:
    """Give the report of a pass that looked at one job."""
    record = observed.record
    line = RunLine(
        arn=record.arn,
        kind=record.kind,
        name=record.name,
        run_id=observed.run_id,
        experiment_id="1",
        experiment="e",
        status=status,
        points=0,
        url=None,
        word="updated",
    )
    return SyncReport(runs=[line])


def test_the_evaluator_disturbs_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is not there is said once; of old jobs nothing; a job that is gone ends."""
    said: list[str] = []
    now = [BEGAN_MS]
    evaluator = Evaluator(
        [IDLE, FAILED],
        {"r": (), "failed": ()},
        messenger=Messenger({}),
        marks=RunMarks(f"sqlite:///{tmp_path}/none.db"),
        say=lambda alert: said.append(alert.line),
        clock_ms=lambda: now[0],
    )
    day = BEGAN_MS - 24 * 60 * MINUTE_MS
    old = seen(created=True, final=True, status="Failed", ended_ms=day)
    evaluator.observe(old)
    evaluator.judge(report(old, "FAILED"))
    assert said == []
    for minute in (3, 6):
        now[0] = BEGAN_MS + minute * MINUTE_MS
        low = seen(*points(5, 5, 5, minute=minute - 3))
        evaluator.observe(low)
        evaluator.judge(report(low))
    assert [each.partition(": loss")[0] for each in said] == ["ALARM: r: training job job"]
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert "runs cannot be marked with their alerts" in caplog.text
    evaluator.judge(report(low, "FINISHED"))
    assert [each.partition(":")[0] for each in said] == ["ALARM", "ENDED"]
    evaluator.judge(report(low, "FINISHED"))
    assert len(said) == 2
