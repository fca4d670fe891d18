"""An emulated account whose jobs live on their own, in a process of its own.

``python -m benchmarks.soak_account JOBS LIFE_S TRUTH`` fills an account with jobs that run, prints
its environment as one line of JSON, and lets every job log and be measured. Jobs end one after the
other, each followed by a new one. A line on stdin ends all jobs, and none follows; what a mirror
must hold of them is written to the file TRUTH, and the number of jobs that there were is printed.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from benchmarks.jobs import NAMESPACE
from benchmarks.log_jobs import HOST, LOG_GROUP, LoggedJob
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.demo.account import EmulatedAccount

TICK_S = 1.0
"""How often jobs go on."""

_STARTED = timedelta(minutes=2)
"""How long after its CreationTime a ``LoggedJob`` begins to log."""

_LINE_EVERY_S = 5.0
_MINUTE_MS = 60_000
_METRICS = {
    "CPUUtilization": "cpu_utilization_percentage",
    "MemoryUtilization": "system_memory_usage_percentage",
}
_DEFINITIONS = {"loss": r"loss=(\S+)"}

Point = tuple[int, int, float]
"""Timestamp in milliseconds, step, value."""


class LivingJob:
    """A job that logs a line every few seconds and is measured every minute.

    Parameters
    ----------
    account
        Where it runs.
    number
        Part of its name.
    started
        When it began to log, aware; what it has done since is made up for at the first move.
    ends
        When it is to end.

    Attributes
    ----------
    series
        Key in MLflow → the points that a mirror must have.
    """

    def __init__(
        self, account: EmulatedAccount, number: int, started: datetime, ends: datetime
    ) -> None:
        self._account = account
        created, name = started - _STARTED, f"soak-{number:05d}"
        self._job = LoggedJob(name=name, definitions=_DEFINITIONS, created=created, running=True)
        self._created_ms = to_ms(created)
        self._next_line_ms = self._job.first_ms
        self._next_minute_ms = self._job.first_ms - self._job.first_ms % _MINUTE_MS + _MINUTE_MS
        self.ends = ends
        self.series: dict[str, list[Point]] = {}
        account.put_training_job(self._job.answer())

    @property
    def name(self) -> str:
        """TrainingJobName."""
        return self._job.name

    def move(self, now: datetime) -> None:
        """Let it do what it does up to a moment."""
        now_ms = to_ms(now)
        events = [(at_ms, f"epoch {at_ms} loss={value!r}") for at_ms, value in self._lines(now_ms)]
        if events:
            self._account.put_log_events(LOG_GROUP, self._job.stream, events, publish=False)
        while self._next_minute_ms + _MINUTE_MS <= now_ms:
            self._measure(self._next_minute_ms)
            self._next_minute_ms += _MINUTE_MS

    def end(self, now: datetime) -> None:
        """Let it complete; the minute in which it ends is measured too."""
        self.move(now)
        if self._next_minute_ms <= to_ms(now):
            self._measure(self._next_minute_ms)
        self._account.move_training_job(self.name, status="Completed", at=now)

    def _lines(self, now_ms: int) -> Iterator[tuple[int, float]]:
        points = self.series.setdefault("loss", [])
        while self._next_line_ms <= now_ms:
            value = 1 / (1 + len(points))
            points.append((self._next_line_ms, len(points), value))
            yield self._next_line_ms, value
            self._next_line_ms += int(_LINE_EVERY_S * 1000)

    def _measure(self, minute_ms: int) -> None:
        step = (minute_ms - self._created_ms) // 1000
        for metric, key in _METRICS.items():
            points = self.series.setdefault(f"system/{HOST}/{key}", [])
            value = 50.0 + len(points) % 7
            points.append((minute_ms, step, value))
            dimensions = {"Host": f"{self.name}/{HOST}"}
            self._account.put_metric(NAMESPACE, metric, dimensions, [(minute_ms, value)])


class Life:
    """Jobs that come and go, always the same number of them.

    Parameters
    ----------
    account
        Where they run.
    jobs
        How many run at a time.
    life
        How long each runs; their beginnings are spread over it.
    """

    def __init__(self, account: EmulatedAccount, jobs: int, life: timedelta) -> None:
        self._account = account
        self._life = life
        self._all: list[LivingJob] = []
        now = _now()
        begun = [now - life * (jobs - number) / (jobs + 1) for number in range(jobs)]
        self._running = deque(self._begin(started) for started in begun)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    @property
    def jobs(self) -> int:
        """How many there have been so far."""
        return len(self._all)

    def end(self) -> None:
        """End all jobs."""
        self._stopped.set()
        self._thread.join()
        while self._running:
            self._running.popleft().end(_now())

    def truth(self) -> dict[str, dict[str, list[Point]]]:
        """Give what a mirror must hold: name of the job → key → points."""
        return {job.name: job.series for job in self._all}

    def _begin(self, started: datetime) -> LivingJob:
        job = LivingJob(self._account, len(self._all), started, started + self._life)
        self._all.append(job)
        return job

    def _go_on(self) -> None:
        while not self._stopped.wait(TICK_S):
            now = _now()
            while self._running[0].ends <= now:
                self._running.popleft().end(now)
                self._running.append(self._begin(now))
            for job in self._running:
                job.move(now)
            self._account.reset_calls()


def main() -> None:
    """Serve the account until stdin ends."""
    jobs, life_s, truth = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    with EmulatedAccount() as account:
        life = Life(account, jobs, timedelta(seconds=life_s))
        print(json.dumps(account.environment), flush=True)
        for _ in sys.stdin:
            life.end()
            truth.write_text(json.dumps(life.truth()))
            print(life.jobs, flush=True)


def _now() -> datetime:
    return datetime.now(tz=timezone.utc)


if __name__ == "__main__":
    main()
