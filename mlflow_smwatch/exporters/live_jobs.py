"""The jobs that are live, and the latest value of each of their metrics."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job_kinds import TRIAL
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.engine.following import Follower, Listener
from mlflow_smwatch.engine.observation import Observation

MOST_SERIES = 2_000
"""How many metrics of all jobs together are shown, and how many jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveJob:
    """A job at one moment: its place, MLflow's word for its status, metric → latest value."""

    account: str
    region: str
    kind: str
    name: str
    status: str
    values: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """All live jobs at one moment.

    Attributes
    ----------
    jobs
        Those that are shown.
    hidden_series, hidden_jobs
        How many are not, because the limit was reached.
    """

    jobs: tuple[LiveJob, ...]
    hidden_series: int
    hidden_jobs: int


@dataclass(slots=True)
class _Kept:
    """What is kept of one job: metric → moment, step and value."""

    arn: Arn
    kind: str
    name: str
    created: str
    status: str = ""
    latest: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, record: RunRecord) -> _Kept:
        """Begin to keep a job."""
        return cls(Arn.parse(record.arn), record.kind, record.name, record.created)


class LiveJobs:
    """Follows what is written of jobs until they are final or gone.

    What came first stays when there are more series than may be shown: a curve that comes and goes
    with others is of no use. What is hidden is shown from its next point on once there is room.

    Parameters
    ----------
    most
        How many series, and how many jobs, are shown.
    """

    def __init__(self, most: int = MOST_SERIES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._jobs: dict[str, _Kept] = {}
        self._series = 0
        self._hidden_jobs: set[str] = set()
        self._mirror: Follower | None = None

    def observe(self, written: Observation) -> None:
        """Take what was written of a job; the state of a trial is that of its jobs."""
        arn = written.record.arn
        if written.record.kind == TRIAL.word:
            return
        with self._lock:
            if written.final:
                self._leave(arn)
                return
            kept = self._kept(arn, written)
            if kept is None:
                return
            for key, point in _latest(written.points).items():
                self._enter(kept, key, point)

    @property
    def listener(self) -> Listener:
        """What the watch is to tell, so that jobs which are gone leave."""
        return Listener(begins=self._begins, ended=lambda *_: self._ended())

    def _begins(self, mirror: Follower) -> None:
        self._mirror = mirror

    def _ended(self) -> None:
        if self._mirror is not None:
            self.retain(self._mirror.following)

    def retain(self, arns: Collection[str]) -> None:
        """Let the jobs go that are not among these."""
        with self._lock:
            for arn in [arn for arn in self._jobs if arn not in arns]:
                self._leave(arn)
            self._hidden_jobs.intersection_update(arns)

    def view(self) -> LiveView:
        """Give the jobs of this moment, sorted."""
        with self._lock:
            jobs = tuple(_live(self._jobs[arn]) for arn in sorted(self._jobs))
            return LiveView(
                jobs=jobs,
                hidden_series=sum(len(each.hidden) for each in self._jobs.values()),
                hidden_jobs=len(self._hidden_jobs),
            )

    def _kept(self, arn: str, written: Observation) -> _Kept | None:
        kept = self._jobs.get(arn)
        if kept and kept.created != written.record.created:
            self._leave(arn)
            kept = None
        if kept is None and len(self._jobs) >= self._most:
            if len(self._hidden_jobs) < self._most:
                self._hidden_jobs.add(arn)
            return None
        if kept is None:
            kept = self._jobs[arn] = _Kept.of(written.record)
            self._hidden_jobs.discard(arn)
        kept.status = written.record.status
        return kept

    def _enter(self, kept: _Kept, key: str, point: tuple[int, int, float]) -> None:
        known = kept.latest.get(key)
        if known is None and self._series >= self._most:
            if len(kept.hidden) < self._most:
                kept.hidden.add(key)
            return
        if known is None:
            self._series += 1
            kept.hidden.discard(key)
        if known is None or point[:2] >= known[:2]:
            kept.latest[key] = point

    def _leave(self, arn: str) -> None:
        self._hidden_jobs.discard(arn)
        kept = self._jobs.pop(arn, None)
        if kept is not None:
            self._series -= len(kept.latest)


def _latest(points: Iterable[MetricPoint]) -> dict[str, tuple[int, int, float]]:
    """Choose the last point of each key, by time, then by step."""
    latest: dict[str, tuple[int, int, float]] = {}
    for each in points:
        moment = (each.timestamp_ms, each.step)
        if each.key not in latest or moment >= latest[each.key][:2]:
            latest[each.key] = (*moment, each.value)
    return latest


def _live(kept: _Kept) -> LiveJob:
    values = ((key, value) for key, (_, _, value) in sorted(kept.latest.items()))
    return LiveJob(
        account=kept.arn.account,
        region=kept.arn.region,
        kind=kept.kind,
        name=kept.name,
        status=kept.status,
        values=tuple(values),
    )
