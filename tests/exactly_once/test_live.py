"""A job that runs while a watch looks on: seen soon, complete at the end, then left alone."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import environment
from tests.exactly_once.programs import LONGEST_S, Program, Programs, programs
from tests.exactly_once.stories import Author, messages, now
from tests.exactly_once.truth import UTILISATION, TrueJob, active_runs, are_final, check
from tests.jobs import BEGIN, LISTS, MINUTE_MS, arn, now_ms, whole
from tests.sync.conftest import EVENTS, METRICS, STREAMS

ACCOUNT = "sts:GetCallerIdentity"
MOST_PASSES = 5
"""Two by rights; more on a machine that has other things to do."""

LIFE = (
    (0.1, "Downloading"),
    (0.2, "Training"),
    (0.5, "Restarting"),
    (0.55, "Training"),
    (0.95, "Uploading"),
    (1.0, "Completed"),
)
"""When, in parts of a job's life, which secondary status begins; before the first is Starting."""


@dataclass
class Onlooker:
    """Looks at the run of a job again and again.

    Attributes
    ----------
    statuses
        The statuses that the run had, one after the other.
    passes
        For each stretch of log: how many passes had begun until its points were seen.
    """

    account: EmulatedAccount
    uri: str
    job: TrueJob
    statuses: list[str] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    _awaited: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def expect(self) -> None:
        """Note how many points each log metric should soon have."""
        for key, points in Counter(row[0] for row in self.job.rows()).items():
            if not key.startswith(("system/", "sagemaker/")):
                self._awaited[key].append((points, self.account.calls[BEGIN]))

    def look(self) -> None:
        """Note what has been seen by now."""
        runs = active_runs(self.uri, self.job.name).get(arn(self.job.name), [])
        if not runs:
            return
        info, client = runs[0].info, MlflowClient(tracking_uri=self.uri)
        if self.statuses[-1:] != [info.status]:
            self.statuses.append(info.status)
        begun = self.account.calls[BEGIN]
        for key, awaited in self._awaited.items():
            while awaited and self._seen(client, info.run_id, key) >= awaited[0][0]:
                self.passes.append(begun - awaited.pop(0)[1])

    def sees_it_wait(self) -> bool:
        """Whether the run stands for a job that waits for its hosts; MLflow makes runs running."""
        self.look()
        return self.statuses[-1:] == ["SCHEDULED"]

    def look_for(self, seconds: float) -> None:
        """Go on looking for some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))
            self.look()

    def _seen(self, client: MlflowClient, run_id: str, key: str) -> int:
        return len(client.get_metric_history(run_id, key))


class LiveJob:
    """The life of a job of two hosts in real time, from the end of its wait for them on.

    Parameters
    ----------
    job
        Whose; it is starting.
    seconds
        How long.
    settle_s
        Until how long after its end its utilisation may come.
    """

    def __init__(self, job: TrueJob, seconds: float, settle_s: int) -> None:
        self.job = job
        self._chance = Random(5)
        self._begun = time.monotonic()
        self._seconds = seconds
        self._life = [(self._begun + part * seconds, status) for part, status in LIFE]
        self._late = sorted(self._points(settle_s))

    @property
    def lives(self) -> bool:
        """Whether anything is still to come."""
        return bool(self._life or self._late)

    def go_on(self) -> None:
        """Tell what has come about since."""
        present = time.monotonic()
        while self._life and self._life[0][0] <= present:
            self._enter(self._life.pop(0)[1])
        while self._late and self._late[0][0] <= present:
            _, host, metric, at_ms = self._late.pop(0)
            self.job.sample(host, metric, [(at_ms, self._chance.randrange(800) / 8)])
        if self.job.phases[-1][0] == "Training":
            for host in self.job.host_names:
                self._write(host)

    def _enter(self, status: str) -> None:
        self.job.move(status, now())
        if status == "Training":
            for host in self.job.host_names:
                self.job.begin_stream(host, now_ms())

    def _write(self, host: str) -> None:
        written = messages(self._chance, self._chance.randrange(4))
        self.job.log(host, [(now_ms(), message) for message in written])

    def _points(self, settle_s: int) -> Iterator[tuple[float, str, str, int]]:
        """Say when each point of the utilisation comes: one to four minutes after its minute."""
        offset_s = self._begun - now_ms() / 1000
        last = self._begun + self._seconds + settle_s * 0.8
        first_ms = whole(self.job.created_ms)
        until_ms = now_ms() + round(self._seconds * 1000)
        for at_ms in range(first_ms, until_ms, MINUTE_MS):
            for host in self.job.host_names:
                for metric in UTILISATION:
                    comes = at_ms / 1000 + offset_s + self._chance.uniform(60, 240)
                    yield min(last, comes), host, metric, at_ms


def see_passes(account: EmulatedAccount, program: Program, count: int) -> None:
    """Wait until so many passes more have begun."""
    enough = account.calls[BEGIN] + count
    assert program.wait_until(lambda: account.calls[BEGIN] >= enough), program.log.read_text()


def live(running: Programs, account: EmulatedAccount, *, seconds: float, settle_s: int) -> None:
    """Let a job live under the eyes of a watch; compare, and see that it is then left alone."""
    watch = running.start("watch", "--interval", "1", "--settle", str(settle_s))
    see_passes(account, watch, 1)
    created_ms = now_ms() - 5 * MINUTE_MS
    job = TrueJob(account=account, name="live", created_ms=created_ms, hosts=2)
    job.put([("Starting", created_ms)])
    onlooker = Onlooker(account, running.uri, job)
    assert watch.wait_until(onlooker.sees_it_wait), watch.log.read_text()
    alive, chance = LiveJob(job, seconds, settle_s), Random(6)
    while alive.lives:
        alive.go_on()
        onlooker.expect()
        onlooker.look_for(chance.uniform(0, 2))
    end = time.monotonic() + settle_s + LONGEST_S
    while not are_final(running.uri, [job]) and time.monotonic() < end:
        onlooker.look_for(1)
    onlooker.look()
    check(running.uri, [job])
    assert onlooker.statuses[-3:] == ["SCHEDULED", "RUNNING", "FINISHED"]
    assert len(onlooker.passes) > seconds
    assert max(onlooker.passes) <= MOST_PASSES, onlooker.passes
    see_passes(account, watch, 1)
    account.reset_calls()
    see_passes(account, watch, 3)
    assert set(account.calls) <= set(LISTS)
    assert watch.stop() == 0


@pytest.mark.slow
def test_live_for_half_a_minute(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """Log metrics come at once, utilisation once it is settled, each once; then it is final."""
    with programs(store, tmp_path, environment(tmp_path, account.environment)) as running:
        live(running, account, seconds=15, settle_s=5)


@pytest.mark.slow
def test_live_for_minutes(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """The same with the times of real jobs: points of utilisation come minutes late."""
    with programs(store, tmp_path, environment(tmp_path, account.environment)) as running:
        live(running, account, seconds=200, settle_s=180)


def test_idle_passes(account: EmulatedAccount, store: str, tmp_path: Path) -> None:
    """A pass over running jobs without news asks once for each stream and once for all metrics.

    Beside these it lists; whose the jobs are is asked once by each program.
    """
    author = Author(account, seed=7)
    for hosts in (1, 2, 3):
        author.begin(hosts=hosts, lines=20)
    with programs(store, tmp_path, environment(tmp_path, account.environment)) as running:
        watch = running.start("watch", "--interval", "1", "--settle", "5")
        see_passes(account, watch, 4)
        account.reset_calls()
        see_passes(account, watch, 4)
        calls = Counter(account.calls)
        watch.kill()
    passes = calls[BEGIN]
    assert calls[METRICS] <= passes
    assert calls[STREAMS] == 0
    assert (passes - 2) * 6 <= calls[EVENTS] <= passes * 6
    assert calls[ACCOUNT] <= 1
    for listing, count in LISTS.items():
        assert abs(calls[listing] - passes * count) <= count, calls
    assert set(calls) <= {EVENTS, METRICS, STREAMS, ACCOUNT, *LISTS}
