"""Judges rules: hears what a pass finds of jobs, and tells at its end what that means."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from mlflow_smwatch.alerts.followed_job import NEWS_MS, FollowedJob, is_history
from mlflow_smwatch.alerts.marks import RunMarks
from mlflow_smwatch.alerts.messenger import Messenger
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_targets import Address
from mlflow_smwatch.core.rules import Rule
from mlflow_smwatch.engine.following import Follower, Listener
from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.engine.task import ENDED
from mlflow_smwatch.report import SyncReport

logger = logging.getLogger(__name__)


class Evaluator:
    """The rules of a watch.

    Parameters
    ----------
    rules
        What is looked out for.
    whom
        Name of a rule → whom it tells.
    messenger
        Takes the messages.
    marks
        Takes the tags of runs.
    say
        Says an alert on the spot, for the log.
    clock_ms
        Milliseconds since the epoch.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        whom: Mapping[str, tuple[Address, ...]],
        *,
        messenger: Messenger,
        marks: RunMarks,
        say: Callable[[Alert], None],
        clock_ms: Callable[[], int],
    ) -> None:
        self._rules = tuple(rules)
        self._whom = whom
        self._messenger = messenger
        self._marks = marks
        self._say = say
        self._clock_ms = clock_ms
        self._floor_ms = clock_ms() - NEWS_MS
        self._lock = threading.Lock()
        self._jobs: dict[str, FollowedJob] = {}
        self._met: set[str] = set()
        self._mirror: Follower | None = None

    @property
    def listener(self) -> Listener:
        """What the watch is to tell."""
        return Listener(begins=self._begins, ended=lambda latest, *_: self.judge(latest))

    def observe(self, observed: Observation) -> None:
        """Take what a pass found of a job."""
        with self._lock:
            self._take(observed)

    def judge(self, latest: SyncReport) -> None:
        """Judge the jobs that a pass has looked at; tell, and mark runs, where something changed.

        Parameters
        ----------
        latest
            The report of the pass.
        """
        try:
            with self._lock:
                alerts = self._judged(latest)
            self._tell(alerts)
            self._marks.flush()
        except Exception:  # what is told at the end must not disturb the mirror
            logger.exception("rules are not judged")

    def _begins(self, mirror: Follower) -> None:
        self._mirror = mirror

    def _take(self, observed: Observation) -> None:
        arn = observed.record.arn
        job = self._jobs.get(arn)
        if job is None:
            if is_history(observed, self._floor_ms):
                return
            rules = [rule for rule in self._rules if rule.wants(observed.record)]
            if not rules:
                return
            job = FollowedJob(rules, observed, self._floor_ms, self._clock_ms())
            self._jobs[arn] = job
        job.take(observed)
        self._met.add(arn)

    def _judged(self, latest: SyncReport) -> list[Alert]:
        now_ms, whole = self._clock_ms(), latest.broken_off is None
        met, self._met = self._met, set()
        alerts: list[Alert] = []
        for arn in sorted(met):
            job = self._jobs[arn]
            alerts += self._entered(job, job.judge(now_ms, whole=whole))
        for line in latest.runs:
            if line.arn not in met and line.arn in self._jobs and line.status in ENDED:
                job = self._jobs[line.arn]
                alerts += self._entered(job, job.end(line.status, now_ms))
        self._forget(met)
        return alerts

    def _entered(
        self, job: FollowedJob, found: tuple[Iterable[Alert], Mapping[str, str]]
    ) -> Iterable[Alert]:
        alerts, tags = found
        if tags:
            self._marks.mark(job.run_id, tags)
        return alerts

    def _forget(self, met: set[str]) -> None:
        """Let go of jobs that are over, and of those that the mirror follows no more."""
        followed = met | (self._mirror.following if self._mirror else frozenset())
        for arn in [arn for arn, job in self._jobs.items() if job.is_over or arn not in followed]:
            del self._jobs[arn]

    def _tell(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._say(alert)
            self._messenger.send(alert, self._whom[alert.rule.name])
