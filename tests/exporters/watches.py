"""A watch that is played, with its exporter."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.exporters.figures import WatchFigures
from mlflow_smwatch.exporters.live_jobs import LiveJobs
from mlflow_smwatch.exporters.prometheus import WatchCollector
from mlflow_smwatch.exporters.receivers import ReceiverState
from mlflow_smwatch.report import NOT_REACHED, Failure, SyncReport, WatchReport
from tests.exporters.observations import point, written
from tests.jobs import arn

NASTY = 'a"b\\c\nd{}'
OTLP = ReceiverState(receiver="otlp metrics", reachable=False, sent=7, waiting=2, dropped=1)


@dataclass
class Book:
    """An account book."""

    calls: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)
    cost_usd: float = 0.0


@dataclass
class Mirror:
    """What is needed of a mirror."""

    ledger: Book
    open_jobs: int = 2
    following: frozenset[str] = frozenset({arn("job"), arn("other")})


class Watch:
    """A watch that is played, with its exporter."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.figures, self.live = WatchFigures(lambda: self.now), LiveJobs()
        self.mirror, self.report = Mirror(Book()), WatchReport()
        self.collector = WatchCollector(self.figures.read, self.live.view, lambda: [OTLP], 60)

    def passes(self, report: SyncReport) -> None:
        """Play a pass."""
        self.report.add(report)
        for each in (self.figures.listener, self.live.listener):
            each.begins(self.mirror)  # type: ignore[arg-type]
            each.ended(report, self.report, 60.0)


def played() -> Watch:
    """Play a watch that made two passes, the second over another connection and broken off."""
    watch = Watch()
    job = written("job", point("train:loss", math.nan), point(NASTY, 2.0), created=True)
    for observe in (watch.figures.observe, watch.live.observe):
        observe(job)
    watch.mirror.ledger.calls["sagemaker:Search"] += 3
    watch.mirror.ledger.throttled["sagemaker:Search"] += 1
    watch.mirror.ledger.cost_usd = 0.25
    watch.passes(SyncReport(counts=Counter(created=1), seconds=4.5))
    watch.now += 30
    watch.mirror = Mirror(Book(Counter({"sagemaker:Search": 1}), Counter(), 0.5))
    broken = Failure(NOT_REACHED, "no network")
    watch.passes(SyncReport(counts=Counter(updated=1), seconds=2.0, failed=[broken]))
    watch.figures.listener.waits(StopError("no network"), 1.0)
    return watch
