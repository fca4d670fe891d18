"""What is read of endpoints: series that only CloudWatch tells, for as long as they are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timezone

from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.core.endpoint_bounds import bounded
from mlflow_smwatch.core.endpoint_series import Discovered, all_series
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import ENDPOINT, KINDS, JobKind
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.moments import moment, to_ms
from mlflow_smwatch.core.remembered import (
    remembered_job,
    written_record,
)
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import DAY_MS, Life, Reading, TimeWindow, plan_reading
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.task import Task

_LISTED_MS = 13 * DAY_MS
"""``ListMetrics`` knows what had a point within two weeks: with a day to spare."""


class EndpointReader:
    """Finds and plans the series of endpoints.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context

    def reads(self, kind: JobKind) -> bool:
        """Whether something of a kind has metrics as long as it is there, and they are wanted."""
        return kind is ENDPOINT and self._pass.options.metrics != "off"

    def has_rest(self, kind: JobKind, run: KnownRun) -> bool:
        """Whether something may be left to be read of what is gone.

        That is so of what has metrics, and of what else is endless where the user attaches some.
        """
        if self.reads(kind):
            return True
        if not kind.endless or self._pass.options.metrics == "off":
            return False
        job = remembered_job(kind, run, created_ms=run.start_ms, modified_ms=run.start_ms)
        job = self._pass.attach(job)
        return bool(job.further or job.further_logs)

    def with_series(self, job: Job, run: KnownRun | None) -> Job:
        """Add to an endpoint the series that are listed, and those that its run remembers."""
        if not self.reads(job.kind):
            return job
        watermark = run.watermark if run else None
        components = [one.name for each in job.variants for one in each.components]
        named = bool(self._pass.options.names)
        listed = self._pass.endpoints.of(job.name, components, alone=named)
        discovered = Discovered(
            listed=listed.metrics,
            remembered=tuple(watermark.points) if watermark else (),
            present=frozenset((*components, *(each.name for each in job.variants))),
            quiet=listed.whole and self._is_recent(watermark),
        )
        series = all_series(job.name, job.further, discovered)
        further, left_out = bounded(series, discovered.remembered)
        self._pass.endpoints.leave_out(job.name, left_out)
        return self._pass.attach(replace(job, further=further))

    def plan(self, job: Job, watermark: Watermark | None) -> tuple[Reading, tuple[TimeWindow, ...]]:
        """Plan the reading of an endpoint that is there.

        Parameters
        ----------
        job
            The endpoint.
        watermark
            Of its run; None where nothing was read.

        Returns
        -------
        tuple
            What is new, and the windows of series that were not asked for before; these end where
            the others end.
        """
        read_to_ms = watermark.read_to_ms if watermark else None
        now_ms, begin_ms = self._pass.clock_ms(), self._begin_ms(job, watermark)
        reading = self._planned(Life(created_ms=begin_ms, read_to_ms=read_to_ms), now_ms)
        if read_to_ms is None or not reading.windows:
            return reading, ()
        return reading, self._planned(Life(created_ms=begin_ms), now_ms).windows

    def plan_whole(self, job: Job, watermark: Watermark) -> Reading:
        """Plan to read all that is mirrored of an endpoint once more."""
        life = Life(created_ms=self._begin_ms(job, watermark))
        return self._planned(life, self._pass.clock_ms())

    def plan_last(self, job: Job, watermark: Watermark, successor_ms: int | None) -> Reading:
        """Plan the reading of an endpoint that is gone since a moment, at the latest.

        CloudWatch tells endpoints apart by their names alone: the period in which another of the
        same name was made is that one's, and so is all that comes after it.
        """
        begin_ms = self._begin_ms(job, watermark)
        life = Life(created_ms=begin_ms, ended_ms=job.ended_ms, read_to_ms=watermark.read_to_ms)
        reading = self._planned(life, self._pass.clock_ms())
        if successor_ms is None:
            return reading
        return replace(reading, windows=tuple(_before(successor_ms, reading.windows)))

    def remembered(self, found: Found, run: KnownRun, watermark: Watermark) -> Task:
        """Make a task of an endpoint that is as it was described last: its metrics alone are new.

        Parameters
        ----------
        found
            The endpoint.
        run
            Its run, which was written whole.
        watermark
            Of that run.
        """
        job = remembered_job(
            KINDS[found.kind], run, created_ms=found.created_ms, modified_ms=found.modified_ms
        )
        job = self._pass.attach(job)
        reading, since_begin = self.plan(job, watermark)
        if reading.windows:
            job = self.with_series(job, run)
        return self._task(job, run, watermark, reading, since_begin)

    def left(
        self,
        kind: JobKind,
        run: KnownRun,
        watermark: Watermark,
        *,
        ended_ms: int,
        successor_ms: int | None,
    ) -> Task:
        """Make a task of what is left to be read of an endpoint, or the like, that is gone.

        Parameters
        ----------
        kind
            What it is.
        run
            Its run.
        watermark
            Of that run.
        ended_ms
            Since when it is gone, at the latest.
        successor_ms
            When another was made under its name; None where none was.
        """
        modified_ms = watermark.modified_ms or run.start_ms
        job = remembered_job(kind, run, created_ms=run.start_ms, modified_ms=modified_ms)
        job = self._pass.attach(replace(job, ended_ms=ended_ms))
        reading = self.plan_last(job, watermark, successor_ms)
        if reading.windows:
            job = self.with_series(job, run)
        return self._task(job, run, watermark, reading, ())

    def _task(
        self,
        job: Job,
        run: KnownRun,
        watermark: Watermark,
        reading: Reading,
        since_begin: tuple[TimeWindow, ...],
    ) -> Task:
        home = self._pass.experiments.name_of(run.experiment_id) or job.kind.experiment
        return Task(
            job=job,
            record=written_record(job, run, watermark.fingerprint or "", home),
            run=run,
            watermark=watermark,
            reading=reading,
            since_begin=since_begin,
            remembered=True,
        )

    def _planned(self, life: Life, now_ms: int) -> Reading:
        reading = plan_reading(life, now_ms, self._pass.options.settle_s * 1000)
        wanted = self._pass.options.metrics != "off"
        return reading if wanted else replace(reading, windows=())

    def _begin_ms(self, job: Job, watermark: Watermark | None) -> int:
        """Tell where the metrics of an endpoint begin: where the first reading has begun."""
        if watermark and watermark.read_to_ms is not None:
            return max(job.created_ms, watermark.read_from_ms or 0)
        now = datetime.fromtimestamp(self._pass.now_ms / 1000, tz=timezone.utc)
        since = moment(self._pass.options.endpoint_window, now, "--endpoint-window")
        return max(job.created_ms, to_ms(since))

    def _is_recent(self, watermark: Watermark | None) -> bool:
        read_to_ms = watermark.read_to_ms if watermark else None
        return read_to_ms is not None and read_to_ms > self._pass.now_ms - _LISTED_MS


def _before(moment_ms: int, windows: Iterable[TimeWindow]) -> Iterator[TimeWindow]:
    """Give the periods that end before a moment, or then."""
    for each in windows:
        last_ms = moment_ms - moment_ms % (each.period_s * 1000)
        if each.start_ms < last_ms:
            yield replace(each, end_ms=min(each.end_ms, last_ms))
