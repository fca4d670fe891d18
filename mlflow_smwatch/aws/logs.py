"""A job's log streams and their events, from CloudWatch Logs: read once, in the order of AWS.

Events carry no id, so a position in a stream is a time and a number of events. Within a process the
token of the last page leads on as well, which costs a live stream without news one call.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeAlias, TypeVar

from mlflow_smwatch.aws.further_streams import FurtherStreams
from mlflow_smwatch.aws.log_listing import (
    STREAMS_PER_PAGE,
    CallAllowance,
    StreamListings,
    log_stream,
)
from mlflow_smwatch.aws.log_names import NamedStreams
from mlflow_smwatch.aws.operations import DESCRIBE_LOG_STREAMS, GET_LOG_EVENTS
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.errors import InvalidRequestError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_streams import (
    NAMESAKE_MS,
    START,
    LogStream,
    StreamPosition,
    made_for,
)
from mlflow_smwatch.core.stream_evidence import are_all

_NOTES_KEPT = 10_000
_SHORT_PAGE = 1_000

_Note = TypeVar("_Note")
_StreamKey: TypeAlias = tuple[str, str]
_Event: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some events of a stream, at least one.

    Attributes
    ----------
    timestamps_ms, messages
        Of equal length, in the order in which AWS gives the events.
    position
        After the last of them.
    """

    timestamps_ms: Sequence[int]
    messages: Sequence[str]
    position: StreamPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """Where reading goes on.

    Attributes
    ----------
    position
        What was read.
    start_ms
        From when on the events are asked for, inclusive; None for all.
    to_skip
        How many events at the start were read before and are still to come.
    token
        Of the last answer.
    """

    position: StreamPosition
    start_ms: int | None = None
    to_skip: int = 0
    token: str | None = None

    @classmethod
    def by_time(cls, position: StreamPosition) -> _Cursor:
        """Go on after a position, without a token."""
        if position == START:
            return cls(position=position)
        return cls(position=position, start_ms=position.timestamp_ms, to_skip=position.events)

    def request(self, group: str, name: str) -> dict[str, Any]:
        """Make the arguments of ``GetLogEvents``."""
        request = {"logGroupName": group, "logStreamName": name, "startFromHead": True}
        more = {"startTime": self.start_ms, "nextToken": self.token}
        return {**request, **{key: value for key, value in more.items() if value is not None}}

    def past(self, timestamps_ms: Sequence[int], token: str) -> tuple[_Cursor, int]:
        """Go past an answer: where to go on, and how many of its events were read before."""
        skipped = _run_length(timestamps_ms[: self.to_skip], self.start_ms)
        cursor = _Cursor(
            position=_position(self.position, timestamps_ms[skipped:]),
            start_ms=self.start_ms,
            to_skip=self.to_skip - skipped if skipped == len(timestamps_ms) else 0,
            token=token,
        )
        return cursor, skipped


class LogReader:
    """Reads log streams; may live as long as the process.

    May be used from several threads, each stream by one of them at a time.

    Parameters
    ----------
    aws
        Account and Region.

    Attributes
    ----------
    named
        The streams of jobs whose names begin alike.
    listings
        The streams of whole log groups.
    further
        The streams of log groups that are not the jobs' own.
    """

    def __init__(self, aws: Aws) -> None:
        self.named = NamedStreams(aws)
        self.listings = StreamListings(aws)
        self.further = FurtherStreams(aws)
        self._aws = aws
        self._kept: OrderedDict[_StreamKey, _Cursor] = OrderedDict()
        self._listed: OrderedDict[_StreamKey, float] = OrderedDict()
        self._lock = threading.Lock()

    def list_streams(self, group: str, job: str) -> tuple[LogStream, ...]:
        """List the streams of a job (``DescribeLogStreams``, 50 a call).

        Parameters
        ----------
        group, job
            Names of the log group and of the job.

        Returns
        -------
        tuple[LogStream, ...]
            In the order of their names; empty as long as nothing was logged.

        Raises
        ------
        LogsGoneError
            The group does not exist.
        AccessDeniedError, RetriableError
            When the operation is denied or keeps failing.
        """
        request = {
            "logGroupName": group,
            "logStreamNamePrefix": f"{job}/",
            "limit": STREAMS_PER_PAGE,
        }
        describe = self._aws.logs.describe_log_streams
        streams: list[LogStream] = []
        for answer in answers(DESCRIBE_LOG_STREAMS, describe, request, "logStreams", "nextToken"):
            streams += [log_stream(each, job) for each in answer["logStreams"]]
        self._note(self._listed, (group, job), time.monotonic())
        return tuple(streams)

    def find_streams(
        self, job: Job, allowance: CallAllowance, stopped: Callable[[], bool]
    ) -> tuple[LogStream, ...] | None:
        """Find the streams of a job that has ended in a listing of many jobs.

        In one by name, where the names of many begin alike, else in one by the time of last events.

        Parameters
        ----------
        job
            The job.
        allowance, stopped
            As :meth:`.StreamListings.find` says.

        Returns
        -------
        tuple[LogStream, ...] or None
            As :meth:`list_streams` gives them, without those of an earlier job of the name; None
            where that has to be called.

        Raises
        ------
        StopError
            When nothing more can be done.
        """
        ended_ms = job.ended_ms or job.modified_ms
        named = self.named.find(job.log_group, job.name, ended_ms, allowance, stopped)
        if named is not None:
            self._note(self._listed, (job.log_group, job.name), time.monotonic())
            return made_for(named, job.created_ms)
        if self.named.has_failed(job.log_group):
            return None
        since_ms = job.created_ms - NAMESAKE_MS
        found = self.listings.find(job.log_group, job.name, since_ms, allowance, stopped)
        streams = made_for(found.streams, job.created_ms) if found else ()
        if found is None or not are_all(job, streams, found.listed_ms):
            return None
        self._note(self._listed, (job.log_group, job.name), time.monotonic())
        return streams

    def listed_s_ago(self, group: str, job: str) -> float | None:
        """Tell how long ago a job's streams were listed, seconds; None for never."""
        with self._lock:
            listed = self._listed.get((group, job))
        return None if listed is None else time.monotonic() - listed

    def read(
        self, group: str, job: str, stream: str, after: StreamPosition, until_ms: int | None = None
    ) -> Iterator[LogPage]:
        """Read a stream of a job from a position on, as :meth:`read_stream`.

        Parameters
        ----------
        group, job
            Names of the log group and of the job.
        stream
            Name of the stream, the part after ``<job>/``.
        after, until_ms
            As of :meth:`read_stream`.
        """
        return self.read_stream(group, f"{job}/{stream}", after, until_ms)

    def read_stream(
        self, group: str, name: str, after: StreamPosition, until_ms: int | None = None
    ) -> Iterator[LogPage]:
        """Read a stream from a position on (``GetLogEvents``, up to 10,000 events or 1 MB a call).

        The end is the token that comes back unchanged; an empty page with a new one is not.

        Parameters
        ----------
        group, name
            Names of the log group and of the stream.
        after
            How far it was read.
        until_ms
            Stop also at a page whose last event CloudWatch took in at or after this moment (ms): a
            stream that is being written may have no end.

        Yields
        ------
        LogPage

        Raises
        ------
        LogsGoneError
            The group or the stream does not exist, or no longer.
        AccessDeniedError, RetriableError
            When the operation is denied or keeps failing.
        """
        key, position = (group, name), after
        cursor = self._recall(key, after)
        while True:
            try:
                for page in self._pages(key, cursor, until_ms):
                    position = page.position
                    yield page
            except InvalidRequestError:  # tokens die after 24 hours: go on by time
                if cursor == _Cursor.by_time(position):
                    raise
                cursor = _Cursor.by_time(position)
            else:
                return

    def _pages(self, key: _StreamKey, cursor: _Cursor, until_ms: int | None) -> Iterator[LogPage]:
        while True:
            answer = self._ask(key, cursor)
            sent, events = cursor.token, answer["events"]
            timestamps_ms = [event["timestamp"] for event in events]
            cursor, skipped = cursor.past(timestamps_ms, answer["nextForwardToken"])
            self._note(self._kept, key, cursor)
            if skipped < len(events):
                yield LogPage(
                    timestamps_ms=timestamps_ms[skipped:],
                    messages=[event["message"] for event in events[skipped:]],
                    position=cursor.position,
                )
            if cursor.token == sent or _is_live(events, until_ms):
                return

    def _ask(self, key: _StreamKey, cursor: _Cursor) -> Mapping[str, Any]:
        request = cursor.request(*key)
        get = self._aws.logs.get_log_events
        return ask(GET_LOG_EVENTS, get, request, "events", "nextForwardToken")

    def _recall(self, key: _StreamKey, after: StreamPosition) -> _Cursor:
        with self._lock:
            kept = self._kept.get(key)
        return kept if kept and kept.position == after else _Cursor.by_time(after)

    def _note(self, notes: OrderedDict[_StreamKey, _Note], key: _StreamKey, note: _Note) -> None:
        """Keep a note of a stream or a job; the oldest go when there are many."""
        with self._lock:
            notes[key] = note
            notes.move_to_end(key)
            if len(notes) > _NOTES_KEPT:
                notes.popitem(last=False)


def _position(position: StreamPosition, timestamps_ms: Sequence[int]) -> StreamPosition:
    """Go past events, looking only at the last ones, those of one timestamp."""
    if not timestamps_ms:
        return position
    tail = _run_length(reversed(timestamps_ms), timestamps_ms[-1])
    return position.after(timestamps_ms[-tail:])


def _run_length(timestamps_ms: Iterable[int], value: int | None) -> int:
    """Count how many of the first timestamps have a value."""
    return sum(1 for _ in takewhile(lambda each: each == value, timestamps_ms))


def _is_live(events: Sequence[_Event], until_ms: int | None) -> bool:
    """Whether the events reach the moment at which reading may stop.

    Many events that were taken in at once, as after a time without network, are a backlog: then the
    last one's own time tells.
    """
    if until_ms is None or not events:
        return False
    last = events[-1]
    taken_in_ms = last.get("ingestionTime", last["timestamp"])
    newest_ms = last["timestamp"] if len(events) > _SHORT_PAGE else taken_in_ms
    return bool(newest_ms >= until_ms)
