"""A job on its way through a pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlflow_smwatch.aws.discovery import Found, found_job
from mlflow_smwatch.aws.packing import Query
from mlflow_smwatch.core.alarms import AlarmReading
from mlflow_smwatch.core.attachments import lacks_sources
from mlflow_smwatch.core.component_metrics import Iteration
from mlflow_smwatch.core.further_logs import FurtherReading
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_series import algorithm_series, steady_series
from mlflow_smwatch.core.log_progress import LOGS, LogPart, advance, advance_further
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint, metric_keys
from mlflow_smwatch.core.progress import CLOUDWATCH, FINAL, NONE, Measured
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading, TimeWindow

ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
"""MLflow's statuses of a run that has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReading:
    """What became of a job's logs in one pass; what was read of them is in its task.

    Attributes
    ----------
    whole
        Whether the streams were read to their end; also where there are none.
    missing
        Whether there is no stream.
    expired
        Whether the beginning of a stream is gone, so that nothing was taken of the logs.
    denied
        Why they could not be read, in words.
    """

    whole: bool = True
    missing: bool = False
    expired: bool = False
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReading:
    """What became of a job's reports in one pass.

    Attributes
    ----------
    counts
        Original of a series → what was counted.
    copied
        How many were copied; None where none were to be, or not all could be.
    denied
        What could not be read, in words.
    left_out
        What was not copied, and will not be, in words.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    copied: int | None = None
    denied: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Task:
    """A job that has something to read or to write.

    Attributes
    ----------
    run
        Its run, None before it is made.
    watermark
        What is written so far.
    reading
        What to read of it.
    since_begin
        Windows of the whole life, for the series of an endpoint that were not asked for before;
        empty where all series are read alike.
    remembered
        Whether the job is what its run tells of it, so that nothing but points is new.
    made
        Whether this pass made the run.
    waiting
        Number of queries that are not answered yet; logs that are being read count as one.
    series
        Original key → points read so far.
    logs
        What was read of the logs and is not written yet.
    log_reading
        How far the logs could be read, None where they were not looked at.
    further
        What was read of its further logs and is not written yet.
    further_names
        Original → name of the metrics of these logs.
    further_reading
        How far they could be read, None where they were not looked at.
    iterations
        Metric name → its series, of a trial component that is no job's.
    streams
        Full names of its log streams, where only they tell its hosts.
    log_hosts
        Hosts whose logs were read.
    logged
        Number of points from the logs that this pass has written already.
    recovering_from
        The run's watermark where the run has points beyond it: it stays until the logs are read
        whole. None where there is nothing to be recovered.
    undescribed
        What of its description could not be read, in words.
    denied
        Which metrics could not be read, in words.
    error
        Why the job cannot be finished in this pass.
    displaced
        Runs of the mirror's own, to be removed once this one is written.
    news
        The points that were put into the latest unit of work.
    reports
        What became of its reports in S3.
    alarms
        What was read of the alarms that watch it.
    """

    job: Job
    record: RunRecord
    run: KnownRun | None
    watermark: Watermark
    reading: Reading
    since_begin: tuple[TimeWindow, ...] = ()
    remembered: bool = False
    undescribed: tuple[str, ...] = ()
    made: bool = False
    waiting: int = 0
    series: dict[str, list[Point]] = field(default_factory=dict)
    logs: LogPart = field(default_factory=lambda: LogPart(steps={}))
    log_reading: LogReading | None = None
    further: LogPart = field(default_factory=lambda: LogPart(steps={}))
    further_names: Mapping[str, str] = field(default_factory=dict)
    further_reading: FurtherReading | None = None
    iterations: Mapping[str, Sequence[Iteration]] = field(default_factory=dict)
    streams: tuple[str, ...] = ()
    log_hosts: tuple[str, ...] = ()
    logged: int = 0
    recovering_from: Watermark | None = None
    denied: list[str] = field(default_factory=list)
    error: Exception | None = None
    displaced: tuple[KnownRun, ...] = ()
    news: tuple[MetricPoint, ...] = ()
    reports: ReportReading = field(default_factory=ReportReading)
    alarms: AlarmReading = field(default_factory=AlarmReading)

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return self.record.arn

    @property
    def found(self) -> Found:
        """The job as a later pass may find it."""
        if not self.remembered:
            return found_job(self.job, self.undescribed)
        job = self.job
        return Found(
            kind=job.kind.word,
            arn=self.arn,
            name=job.name,
            created_ms=job.created_ms,
            modified_ms=job.modified_ms,
        )

    @property
    def points(self) -> int:
        """How many points it holds that may have to be written."""
        read = (*self.series.values(), *self.iterations.values())
        return self.logs.size + self.further.size + sum(map(len, read))

    @property
    def shown(self) -> RunRecord:
        """Its record with what its run is to say of alarms."""
        alarms = self.alarms.tags or {}
        return replace(self.record, tags=(*self.record.tags, *alarms.items()))

    def is_new_to(self, run: KnownRun) -> bool:
        """Whether a run is to be described anew: its job is another, or has more attached."""
        lacking = lacks_sources((key for key, _ in self.record.tags), run.tags)
        return lacking or self.record.fingerprint != self.watermark.fingerprint

    def source(self, wanted: str) -> str | None:
        """Tell where its algorithm metrics come from.

        Parameters
        ----------
        wanted
            What the user wants, a word of :data:`mlflow_smwatch.options.METRIC_SOURCES`; a run
            whose source is chosen keeps it.

        Returns
        -------
        str or None
            ``logs``, which in ``auto`` are a first try, or ``cloudwatch``; None for neither.
        """
        chosen = self.watermark.source
        if wanted == "off" or chosen == FINAL or self._is_withheld:
            return None
        if chosen in {LOGS, CLOUDWATCH}:
            return chosen
        if self.job.definitions and wanted in {"auto", LOGS}:
            return LOGS
        return None if wanted == LOGS else CLOUDWATCH

    @property
    def _is_withheld(self) -> bool:
        """Whether its algorithm metrics wait for the job's end.

        Until then its own script may begin to log any of them to the run.
        """
        return self.watermark.adopted and not self.job.ended

    @property
    def begins_late(self) -> bool:
        """Whether its algorithm metrics are to be read from its beginning, unlike the hosts'."""
        late = self.watermark.adopted and self.watermark.read_to_ms is not None
        return late and self.watermark.source is None

    def takes_logs(self, wanted: str) -> bool:
        """Whether its algorithm metrics come from the logs, or may do so, and are to be read."""
        return self._reads and self.source(wanted) == LOGS

    def reads_logs(self, wanted: str) -> bool:
        """Whether to look at its logs: to take them, or to see whether they are denied still."""
        return self.takes_logs(wanted) or (
            self.watermark.logs_denied and self._reads and wanted in {"auto", LOGS}
        )

    def reads_further(self, wanted: str) -> bool:
        """Whether to look at its further logs; ``wanted`` is as of :meth:`source`."""
        return bool(self.job.further_logs) and self._reads and wanted != "off"

    @property
    def _reads(self) -> bool:
        return bool(self.reading.windows) or not self.watermark.final

    def falls_back(self, wanted: str) -> bool:
        """Whether CloudWatch is to be asked for what the logs were asked for, and do not give."""
        logs = self.log_reading
        undecided = self.watermark.source in {None, NONE} and not self.logs.size
        if logs is None or wanted != "auto" or not undecided:
            return False
        unreadable = bool(logs.denied) or logs.missing or logs.expired
        return unreadable or (self.reading.complete and logs.whole)

    @property
    def logged_keys(self) -> frozenset[str]:
        """Metric keys of a run that its job logs itself; empty for a run of the mirror's own."""
        return self.run.metric_keys if self.run and not self.run.mirrored else frozenset()

    def measured(self, wanted: str, cost_usd: float | None = None) -> Measured:
        """Give what was read of it, and what it came to; ``wanted`` is as of :meth:`source`."""
        denied = self.log_reading.denied if self.log_reading else ()
        chosen = self.takes_logs(wanted) and not self.falls_back(wanted)
        further = self.further_reading or FurtherReading()
        return Measured(
            series=self.series,
            reading=self.reading,
            iterations=self.iterations,
            denied=(*self.denied, *(denied if chosen else ())),
            logs=self.logs,
            log_hosts=self.log_hosts,
            logs_denied=denied,
            further=self.further,
            further_names=self.further_names,
            further_whole=not further.denied,
            further_read=further.whole,
            described=not (self.undescribed or self.reports.denied),
            metrics=wanted != "off",
            cost_usd=cost_usd,
            made=self.made,
            counts=self.reports.counts,
            alarms=self.alarms,
        )

    def gathered(self) -> tuple[list[MetricPoint], Watermark]:
        """Give the points gathered of its logs, and the watermark once they are written."""
        given = self.watermark.given_keys
        keys = metric_keys(self.job, given, self.log_hosts, further_names=self.further_names)
        not_sent = self.logged_keys - frozenset(given.values())
        points, after = advance(self.watermark, self.logs, keys, not_sent)
        further, after = advance_further(after, self.further, keys, not_sent)
        return [*points, *further], after

    def move_on(self, after: Watermark) -> None:
        """Go on after what was gathered, which is written now."""
        self.watermark = after
        self.logs = self.logs.rest()
        self.further = self.further.rest()

    def yield_to_other(self, run: KnownRun) -> None:
        """Give up a recovery: another mirror writes the run, which was not cut off."""
        self.run = run
        self.watermark = run.watermark or self.watermark
        self.recovering_from = None
        self.logs = LogPart(steps=self.watermark.points)
        self.further = LogPart(steps=self.watermark.points)

    def steady_queries(self) -> Iterator[Query]:
        """Give what is to be asked whatever gives the algorithm metrics, window by window."""
        series = steady_series(self.job)
        known = self.watermark.points
        is_new = [bool(self.since_begin) and each.original not in known for each in series]
        for windows, new in ((self.reading.windows, False), (self.since_begin, True)):
            for window in windows:
                for each in (one for one, late in zip(series, is_new, strict=True) if late is new):
                    yield Query(self.arn, each, window, since_ms=self.job.created_ms)

    def algorithm_queries(self, windows: Iterable[TimeWindow]) -> Iterator[Query]:
        """Give what is to be asked of the algorithm metrics, window by window."""
        for window in windows:
            for each in algorithm_series(self.job):
                yield Query(self.arn, each, window, since_ms=self.job.created_ms)
