"""Reads the logs that the user attached to a job: stream after stream, from where they were left.

As of a job's own logs, points are written whenever many have gathered, with a watermark that
vouches for them; and an ended job's streams are read whole once more for events that came late.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from mlflow_smwatch.aws.further_streams import FRESH_S, FurtherListing
from mlflow_smwatch.aws.logs import LogPage
from mlflow_smwatch.aws.operations import DESCRIBE_LOG_STREAMS, GET_LOG_EVENTS
from mlflow_smwatch.core.definitions import RUNAWAY, MetricReader
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    InvalidRequestError,
    JobError,
    LogsGoneError,
    RetriableError,
    StopError,
    reason,
)
from mlflow_smwatch.core.further_logs import (
    FurtherReading,
    FurtherStream,
    begin_ms,
    is_named,
    names_of,
    prefixes_of,
    span_of,
    stream_original,
)
from mlflow_smwatch.core.job import FurtherLogs
from mlflow_smwatch.core.log_progress import LogPart
from mlflow_smwatch.core.log_streams import START, LogStream, StreamPosition
from mlflow_smwatch.core.moments import moment, to_ms
from mlflow_smwatch.core.stream_notes import STREAMS_LIMIT, StreamNotes, is_quiet, stream_id
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.further_recovery import Recovery
from mlflow_smwatch.engine.host_replay import HostReplay, Place, Stretch
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.engine.written_logs import Written, further_beyond, written_points

_MANY_POINTS = 5_000

Commit = Callable[[Task], None]


class FurtherLogReader:
    """Reads further logs; called from several threads, for one job by one.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    commit
        Writes what a task has gathered of its logs.
    stopped
        Tells, after each page, whether to end early.
    """

    def __init__(self, context: PassContext, commit: Commit, stopped: Callable[[], bool]) -> None:
        self._pass = context
        self._commit = commit
        self._stopped = stopped

    def read(self, task: Task) -> FurtherReading:
        """Read what is new in a job's further logs into ``task.further``.

        What fails is for the next pass: the job is mirrored without.

        Raises
        ------
        StopError
            When nothing more can be done.
        """
        try:
            return _JobLogs(self._pass, self._commit, self._stopped, task).read()
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of what is attached: the job goes on
            task.further = LogPart(steps=task.watermark.points)
            return FurtherReading(whole=False, remarks=[f"no logs of sources: {reason(error)}"])

    @staticmethod
    def forecast(task: Task) -> Counter[str]:
        """Give the AWS calls that reading a job's further logs takes, if each has one short stream.

        What one listing tells of several jobs is counted for each.
        """
        calls: Counter[str] = Counter()
        known = task.watermark.further_positions
        for logs in task.job.further_logs:
            groups = len(logs.groups)
            read = len(StreamNotes.of(logs.source, known).read)
            calls[DESCRIBE_LOG_STREAMS] += groups * len(prefixes_of(logs))
            calls[GET_LOG_EVENTS] += read or 2 * groups
        return calls


class _JobLogs:
    """The reading of one job's further logs.

    Parameters
    ----------
    context, commit, stopped
        As of :class:`FurtherLogReader`.
    task
        The job.
    """

    def __init__(
        self, context: PassContext, commit: Commit, stopped: Callable[[], bool], task: Task
    ) -> None:
        self._pass = context
        self._commit = commit
        self._stopped = stopped
        self._task = task
        self._reading = FurtherReading()
        self._recovery = Recovery({})
        now = datetime.fromtimestamp(context.now_ms / 1000, tz=timezone.utc)
        window = moment(context.options.endpoint_window, now, "--endpoint-window")
        self._span = span_of(task.job, begin_ms(task.watermark, to_ms(window)))

    def read(self) -> FurtherReading:
        """Read all streams, and write what is much."""
        task = self._task
        found = [(logs, self._streams(logs)) for logs in task.job.further_logs]
        chosen = [(logs, self._chosen(logs, streams)) for logs, streams in found]
        names: dict[str, str] = {}
        for logs, streams in chosen:
            names |= names_of(logs.definitions, streams, task.watermark.given_keys)
        task.further_names = names
        self._begin(further_beyond(self._pass.index, task))
        for logs, streams in chosen:
            for stream in streams:
                self._read_stream(logs, stream)
        if self._recovery.is_pending:
            self._reading.whole &= bool(self._reading.denied)
            task.further = LogPart(steps=task.watermark.points)
        elif self._reading == FurtherReading() and task.job.kind.endless:
            for logs, streams in found:
                self._leave_silent(logs, streams)
        return self._reading

    def _begin(self, beyond: dict[str, Written]) -> None:
        """Begin after what the run has, also beyond its watermark."""
        before = self._task.watermark.points
        steps = {each: before.get(each, 0) + points.total() for each, points in beyond.items()}
        self._task.further = LogPart(steps={**before, **steps})
        self._task.further.add(dict.fromkeys(beyond, ()), {}, {})
        self._recovery = Recovery(beyond)

    def _streams(self, logs: FurtherLogs) -> tuple[FurtherStream, ...]:
        """List the streams of a source; what cannot be listed is noted."""
        streams: list[FurtherStream] = []
        for group in logs.groups:
            try:
                streams += self._in_group(logs, group)
            except LogsGoneError:
                self._reading.remark(f"the source {logs.source}: there is no log group {group}")
            except (AccessDeniedError, RetriableError, JobError) as error:
                self._go_without(logs, error)
        return tuple(streams)

    def _chosen(
        self, logs: FurtherLogs, streams: tuple[FurtherStream, ...]
    ) -> tuple[FurtherStream, ...]:
        """Choose the streams that are read; that there are others is noted."""
        taken, left = self._notes(logs).chosen(streams, self._pass.clock_ms())
        if left:
            self._reading.remark(
                f"the source {logs.source} has more than {STREAMS_LIMIT} streams: {left} are not"
                " read; name fewer in 'streams'"
            )
        return taken

    def _notes(self, logs: FurtherLogs) -> StreamNotes:
        return StreamNotes.of(logs.source, self._task.watermark.further_positions)

    def _go_without(self, logs: FurtherLogs, error: Exception) -> None:
        """Note that a part cannot be read, now or at all."""
        text = f"no logs of the source {logs.source}: {error}"
        if isinstance(error, RetriableError):
            self._reading.whole = False
            self._reading.remark(text)
        else:
            self._reading.deny(text)

    def _leave_silent(self, logs: FurtherLogs, streams: Sequence[FurtherStream]) -> None:
        """Let the notes on streams go that will not grow, where there are too many."""
        task = self._task
        known = task.watermark.further_positions
        notes = StreamNotes.of(logs.source, {**known, **task.further.positions})
        silent = notes.silent(streams, self._pass.clock_ms())
        if silent:
            task.further.add({}, notes.left_after(silent), {})
            noted = {
                note: each
                for note, each in task.watermark.further_streams.items()
                if note not in silent
            }
            task.watermark = replace(task.watermark, further_streams=noted)

    def _in_group(self, logs: FurtherLogs, group: str) -> Iterator[FurtherStream]:
        notes = self._notes(logs)
        for prefix in prefixes_of(logs):
            for stream in self._listing(logs, group, prefix).streams:
                each = FurtherStream(group=group, stream=stream)
                named = any(is_named(parts, stream.name) for parts in logs.streams)
                if named and (self._span.touches(stream) or notes.has(each)):
                    yield each

    def _listing(self, logs: FurtherLogs, group: str, prefix: str) -> FurtherListing:
        """List streams; of an ended job the listing must be later than its last event."""
        older_s, until_ms = float(FRESH_S), self._span.until_ms
        if self._task.reading.complete and until_ms is not None:
            older_s = max(0, self._pass.clock_ms() - until_ms) / 1000
        listing = self._pass.logs.further.find(group, prefix, self._span.since_ms, older_s)
        if not listing.whole:
            self._reading.remark(
                f"the source {logs.source}: {group} has more streams than are listed; begin"
                " 'streams' with more of their names"
            )
        return listing

    def _read_stream(self, logs: FurtherLogs, stream: FurtherStream) -> None:
        """Read what is new of a stream; what cannot be read is noted."""
        task, note = self._task, stream_id(logs.source, stream)
        position = self._notes(logs).position(stream)
        again = task.reading.complete and position != START
        if not again and is_quiet(stream.stream, position, self._pass.clock_ms()):
            return
        counts = dict(task.watermark.points)
        replay = self._replay(logs, stream, position, again=again)
        try:
            if not self._take_all(stream, note, replay):
                self._reading.whole = False
                return
            self._recovery.give_up(stream)
            late = {each for each, count in replay.counted.items() if count > counts.get(each, 0)}
            if late:
                self._add_late(logs, stream, late)
        except (AccessDeniedError, RetriableError, InvalidRequestError) as error:
            self._go_without(logs, error)

    def _take_all(self, stream: FurtherStream, note: str, replay: HostReplay) -> bool:
        """Take the pages of a stream; tell whether it was read to its end."""
        further, recovery = self._task.further, self._recovery
        while not self._stopped():
            apply = replay.next_page()
            if apply is None:
                return True
            page = apply()
            position = page.positions.get(stream.stream.name)
            read_to = {note: position} if position else {}
            further.add(recovery.unwritten(page), read_to, page.findings)
            if position:
                recovery.give_up(stream, position.timestamp_ms)
            if further.size > _MANY_POINTS and not recovery.is_pending:
                self._commit(self._task)
                further = self._task.further
        return False

    def _replay(
        self,
        logs: FurtherLogs,
        stream: FurtherStream,
        position: StreamPosition,
        *,
        again: bool = False,
    ) -> HostReplay:
        findings = self._task.watermark.findings
        dropped = {metric for metric, codes in findings.items() if RUNAWAY in codes}
        now_ms, ended = self._pass.clock_ms(), self._task.job.ended
        stretch = Stretch(
            positions={stream.stream.name: position},
            again=again,
            until_ms=None if ended else now_ms - self._pass.slack_ms,
        )

        def reader() -> MetricReader:
            return MetricReader(logs.definitions, time.thread_time, dropped)

        return HostReplay(self._place(stream), (stream.stream,), stretch, reader)

    def _place(self, stream: FurtherStream) -> Place:
        """Give the place of a stream of which the events of the job's life count."""
        span = self._span

        def read(
            named: LogStream, after: StreamPosition, until_ms: int | None
        ) -> Iterator[LogPage]:
            begin = max(after, StreamPosition(span.since_ms, 0))
            pages = self._pass.logs.read_stream(stream.group, named.name, begin, until_ms)
            return _within(pages, begin, span.until_ms)

        return Place(read=read, original=lambda metric, _: stream_original(metric, stream))

    def _add_late(self, logs: FurtherLogs, stream: FurtherStream, late: set[str]) -> None:
        """Find the matches that came into a stretch that was read before; the run lacks them."""
        if self._recovery.is_pending:  # nothing can be vouched for: the next pass finds them
            self._reading.whole = False
            return
        self._commit(self._task)
        written = Recovery(written_points(self._pass.index, self._task, late))
        replay = self._replay(logs, stream, START)
        for apply in iter(replay.next_page, None):
            page = apply()
            of_late = {each: page.series[each] for each in late & page.series.keys()}
            self._task.further.add(written.unwritten(replace(page, series=of_late)), {}, {})


def _within(
    pages: Iterable[LogPage], position: StreamPosition, until_ms: int | None
) -> Iterator[LogPage]:
    """Give pages up to the first event at a moment or after it."""
    for page in pages:
        if until_ms is not None and page.timestamps_ms[-1] >= until_ms:
            count = bisect_left(page.timestamps_ms, until_ms)
            if count:
                yield LogPage(
                    timestamps_ms=page.timestamps_ms[:count],
                    messages=page.messages[:count],
                    position=position.after(page.timestamps_ms[:count]),
                )
            return
        position = page.position
        yield page
