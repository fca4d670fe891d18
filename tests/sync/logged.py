"""A job of three hours ago that logs a loss, and what a test looks at in its run."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.report import SyncReport
from tests.jobs import HOUR_MS, Events, logged_job, now_ms, whole
from tests.sync.conftest import EVENTS, Mirror

LOSS = {"loss": r"loss=(\S+)"}
CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
EPOCH_S = CREATED_MS // 1000


def put_job(mirror: Mirror, name: str = "job", *, ended: bool = True, **changes: Any) -> None:
    """Put a job that took one hour, or that goes on."""
    changes = {"definitions": LOSS, "ended_ms": ENDED_MS if ended else None, **changes}
    mirror.account.put_training_job(logged_job(name, created_ms=CREATED_MS, **changes))


def put_running(mirror: Mirror, name: str = "job", **changes: Any) -> None:
    """Put a job that goes on."""
    put_job(mirror, name, ended=False, **changes)


def events(*messages: str, start_s: float = 60, every_ms: int = 1000) -> Events:
    """Give messages their times, from so many seconds after the job's creation."""
    begin_ms = CREATED_MS + round(start_s * 1000)
    return [(begin_ms + place * every_ms, text) for place, text in enumerate(messages)]


def losses(*numbers: float, start_s: float = 0, every_ms: int = 1000) -> Events:
    """Give one line per number, from so many seconds after the job's first minute."""
    return events(*(f"loss={each}" for each in numbers), start_s=60 + start_s, every_ms=every_ms)


def values(mirror: Mirror, key: str = "loss", job: str = "job") -> list[float]:
    """Give the values of a metric in order of their steps, which count from 0."""
    points = sorted(mirror.series(job).get(key, []), key=lambda point: point[1])
    assert [step for _, step, _ in points] == list(range(len(points)))
    return [value for _, _, value in points]


def source(mirror: Mirror, job: str = "job") -> str | None:
    """Give where the algorithm metrics came from; tag and watermark must agree."""
    tagged: str | None = mirror.run(job).data.tags.get("smwatch.metric_source")
    noted = mirror.watermark(job).source
    assert tagged == noted
    return tagged


def warning(mirror: Mirror, job: str = "job") -> str:
    """Give the run's warning."""
    text: str = mirror.run(job).data.tags.get("smwatch.warning", "")
    return text


class Follower:
    """One engine that makes pass after pass, as a watch does."""

    def __init__(self, mirror: Mirror, slack_s: float = 0, **options: Any) -> None:
        self._mirror = mirror
        self._engine = Engine(mirror.options(**options), slack_s=slack_s)
        self._begun = False

    def look(self) -> SyncReport:
        """Make a pass; the account's calls are those of this pass afterwards."""
        since = datetime.now(tz=timezone.utc) - timedelta(days=1)
        self._mirror.account.reset_calls()
        report = self._engine.follow(since=since, sweep=not self._begun)
        self._begun = True
        assert report.failed == []
        return report


def interrupted(mirror: Mirror, pages: int, **options: Any) -> SyncReport:
    """Make a pass that is told to stop once so many pages of logs have been asked for."""
    calls = mirror.account.calls
    limit = calls[EVENTS] + pages
    return Engine(mirror.options(**options), lambda: calls[EVENTS] >= limit).sync()
