"""Reads the logs of one job: its hosts in parallel, in constant memory, from where they were left.

Points are written whenever many have gathered, with a watermark that vouches for them: so memory
does not grow with the length of a stream, and a pass that is cut off goes on where it was.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import replace

from mlflow_smwatch.aws.log_listing import STREAMS_PER_PAGE, CallAllowance
from mlflow_smwatch.aws.operations import DESCRIBE_LOG_STREAMS, GET_LOG_EVENTS
from mlflow_smwatch.core.definitions import RUNAWAY, MetricReader
from mlflow_smwatch.core.errors import AccessDeniedError, LogsGoneError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_progress import LOGS, LogPart
from mlflow_smwatch.core.log_streams import START, LogStream, by_host, made_for
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.host_replay import (
    HostReplay,
    ReplayedPage,
    Stretch,
    UnappliedPage,
    hosts_of_job,
)
from mlflow_smwatch.engine.task import LogReading, Task
from mlflow_smwatch.engine.written_logs import Written, missing, recover, written_points

_MANY_POINTS = 5_000
_KEPT_POINTS = 1_000
"""Points that a job may keep in memory while it waits for its CloudWatch series."""
_LISTED_FOR_S = 300
"""A host may be restarted before the job's description tells: look for streams so often."""

_RESTART_MS = 60 * 60_000
_SECOND_MS = 1000  # names of streams carry whole seconds

Commit = Callable[[Task], None]


class JobLogReader:
    """Reads the logs of jobs; called from several threads, for one job by one.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    pages
        Reads pages; not the executor that runs :meth:`read`.
    commit
        Writes what a task has gathered of its logs.
    stopped
        Tells, after each page, whether to end early.
    """

    def __init__(
        self, context: PassContext, pages: Executor, commit: Commit, stopped: Callable[[], bool]
    ) -> None:
        self._pass = context
        self._pages = pages
        self._commit = commit
        self._stopped = stopped
        self._allowance = CallAllowance()
        self._forecast_streams = 0

    def expect(self, tasks: Iterable[Task]) -> None:
        """Tell which jobs are about to be read, so that many may have their streams listed at once.

        To be called by one thread, before :meth:`read` and :meth:`forecast` of these jobs.
        """
        if self._pass.options.names:
            return
        jobs: dict[str, dict[str, int]] = {}
        for job in (each.job for each in tasks if self._is_in_bulk(each)):
            jobs.setdefault(job.log_group, {})[job.name] = job.ended_ms or job.modified_ms
        for group, ended_ms in jobs.items():
            self._pass.logs.named.prepare(group, ended_ms)
            self._pass.logs.listings.prepare(group, ended_ms.values())
            self._allowance.jobs += len(ended_ms)

    def _is_in_bulk(self, task: Task) -> bool:
        """Whether a listing of all streams may be used: for a job that nobody has read before."""
        job = task.job
        described = job.ended and job.hosts and not job.kind.hosts_in_streams
        new = not task.watermark.streams and task.takes_logs(self._pass.options.metrics)
        return bool(described and new)

    def read(self, task: Task) -> LogReading:
        """Read what is new in a job's logs into ``task.logs``.

        Raises
        ------
        RetriableError
            When AWS goes on failing; the next pass goes on from what is written.
        """
        task.log_hosts = task.job.hosts
        try:
            if not task.takes_logs(self._pass.options.metrics):
                return self._tried(task)
            written = recover(self._pass.index, task)
            streams = self._streams(task)
            if not streams:
                return _unread(task, LogReading(missing=True))
            reading = self._read(task, by_host(streams), written)
        except LogsGoneError:
            return _unread(task, LogReading(missing=True))
        except AccessDeniedError as error:
            return _unread(task, LogReading(whole=False, denied=(f"no logs: {error}",)))
        if task.logs.size > (0 if self._stopped() else _KEPT_POINTS):
            self._commit(task)
        return reading

    def _tried(self, task: Task) -> LogReading:
        """Look whether logs that were denied can be read by now; nothing is taken of them."""
        group, job = task.job.log_group, task.job.name
        for stream in self._pass.logs.list_streams(group, job)[:1]:
            next(self._pass.logs.read(group, job, stream.name, START), None)
        return LogReading()

    def forecast(self, task: Task) -> Counter[str]:
        """Give the AWS calls that reading a job's logs takes, if each stream has one page.

        Of many jobs, as if their log group held their streams alone.
        """
        live = self._live_streams(task)
        if live:
            return Counter({GET_LOG_EVENTS: len(live)})
        hosts, listings = len(task.job.hosts), 1
        if self._allowance.worthwhile and self._is_in_bulk(task):
            pages = -(-self._forecast_streams // STREAMS_PER_PAGE)
            self._forecast_streams += hosts
            listings = -(-self._forecast_streams // STREAMS_PER_PAGE) - pages
        return Counter({DESCRIBE_LOG_STREAMS: listings, GET_LOG_EVENTS: 2 * hosts})

    def _streams(self, task: Task) -> tuple[LogStream, ...]:
        live = self._live_streams(task)
        if live:
            return live
        job, streams = task.job, None
        if self._allowance.worthwhile and self._is_in_bulk(task):
            streams = self._pass.logs.find_streams(job, self._allowance, self._stopped)
        if streams is None:
            streams = self._pass.logs.list_streams(job.log_group, job.name)
        return made_for(streams, job.created_ms)

    def _live_streams(self, task: Task) -> tuple[LogStream, ...]:
        """Give the streams that may have grown, where nothing tells of new ones; else none.

        Of a host with several, only the latest still grows, once it is begun.
        """
        job, watermark = task.job, task.watermark
        if task.reading.complete or job.modified_ms != watermark.modified_ms:
            return ()
        known = by_host(LogStream(name=name) for name in watermark.streams)
        latest = [streams[-1] for streams in known.values()]
        listed_s = self._pass.logs.listed_s_ago(job.log_group, job.name)
        if len(latest) < len(job.hosts) or listed_s is None or listed_s > _LISTED_FOR_S:
            return ()
        if self._restarts(job, latest):
            return ()
        positions = watermark.positions
        return tuple(
            stream
            for streams in known.values()
            for stream in (streams if positions[streams[-1].name] == START else streams[-1:])
        )

    def _restarts(self, job: Job, latest: Iterable[LogStream]) -> bool:
        """Whether hosts were started again of late, and a stream of the new start is not there."""
        launched_ms = job.launched_ms or 0
        late = self._pass.clock_ms() - launched_ms < _RESTART_MS
        return late and any(each.began_ms + _SECOND_MS <= launched_ms for each in latest)

    def _read(
        self, task: Task, hosts: Mapping[str, tuple[LogStream, ...]], written: dict[str, Written]
    ) -> LogReading:
        task.logs = LogPart(steps=task.watermark.points)
        task.log_hosts = tuple(dict.fromkeys((*task.job.hosts, *hosts)))
        again = task.reading.complete and bool(task.watermark.streams)
        counts = dict(task.watermark.points)
        replays = [self._replay(task, streams, again=again) for streams in hosts.values()]
        whole = self._gather(task, replays, written)
        listed = {each.name for streams in hosts.values() for each in streams}
        empty = listed - task.watermark.streams.keys() - task.logs.positions.keys()
        task.logs.add({}, dict.fromkeys(empty, START), {})
        if again and whole:
            for replay in replays:
                late = {each for each, n in replay.counted.items() if n > counts.get(each, 0)}
                self._add_late(task, replay.streams, late)
        if self._is_cut(task, replays):
            task.logs = LogPart(steps=task.watermark.points)
            return _unread(task, LogReading(whole=whole, expired=True))
        if task.recovering_from and task.watermark.source is None:
            return _recovered(task, LogReading(whole=whole), written)
        return LogReading(whole=whole)

    def _replay(
        self, task: Task, streams: Sequence[LogStream], *, again: bool = False, anew: bool = False
    ) -> HostReplay:
        watermark = task.watermark
        dropped = {metric for metric, codes in watermark.findings.items() if RUNAWAY in codes}
        stretch = Stretch(
            positions={} if anew else watermark.positions,
            again=again,
            until_ms=None if task.job.ended else self._pass.clock_ms() - self._pass.slack_ms,
        )

        def reader() -> MetricReader:
            return MetricReader(task.job.definitions, time.thread_time, dropped)

        return HostReplay(hosts_of_job(self._pass.logs, task.job), streams, stretch, reader)

    def _gather(
        self, task: Task, replays: Sequence[HostReplay], written: dict[str, Written]
    ) -> bool:
        """Take pages from all hosts as they come; tell whether all were read to the end."""
        waiting = {self._next_page(each): each for each in replays}
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    replay = waiting.pop(future)
                    apply = future.result()
                    if apply is None:
                        continue
                    if not (self._stopped() or self._is_cut(task, replays)):
                        waiting[self._next_page(replay)] = replay
                    page = apply()
                    task.logs.add(_unwritten(page, written), page.positions, page.findings)
                if task.logs.size > _MANY_POINTS and all(each.begun for each in replays):
                    self._commit(task)
        finally:
            wait(waiting)
        return not self._stopped()

    def _next_page(self, replay: HostReplay) -> Future[UnappliedPage | None]:
        return self._pages.submit(replay.next_page)

    def _is_cut(self, task: Task, replays: Iterable[HostReplay]) -> bool:
        """Whether CloudWatch is to be taken instead of logs whose beginning has expired."""
        undecided = task.watermark.source is None and self._pass.options.metrics == "auto"
        return undecided and any(replay.expired for replay in replays)

    def _add_late(self, task: Task, streams: Sequence[LogStream], late: set[str]) -> None:
        """Find the matches that came into a stretch that was read before; the run lacks them."""
        if task.watermark.adopted:
            late &= task.watermark.measured
        if not late:
            return
        self._commit(task)
        replay = self._replay(task, streams, anew=True)
        written = written_points(self._pass.index, task, late)
        for apply in iter(replay.next_page, None):
            page = apply()
            of_late = {name: page.series[name] for name in late & page.series.keys()}
            task.logs.add(_unwritten(replace(page, series=of_late), written), {}, {})


def _unread(task: Task, reading: LogReading) -> LogReading:
    """Leave a recovery to the pass that can read the logs."""
    if task.recovering_from:
        task.watermark, task.recovering_from = task.recovering_from, None
        task.logs = LogPart(steps=task.watermark.points)
    return reading


def _recovered(task: Task, reading: LogReading, written: Mapping[str, Written]) -> LogReading:
    """Tell where the points that a run without a source has are from: the logs, if they are there.

    Those that are not were written from CloudWatch by a pass that was cut off.
    """
    counted = sum(task.watermark.points.get(original, 0) for original in written)
    if sum(points.total() for points in written.values()) < counted:
        task.watermark = replace(task.watermark, source=LOGS)
    elif not task.logs.size:
        return _unread(task, reading)
    return reading


def _unwritten(page: ReplayedPage, written: Mapping[str, Written]) -> dict[str, Sequence[Point]]:
    """Give a page's points without those that are known to be written."""
    return {
        original: list(missing(points, written[original])) if original in written else points
        for original, points in page.series.items()
    }
