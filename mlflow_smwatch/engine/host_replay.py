"""Replays the log streams of one host through a job's MetricDefinitions, a page at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mlflow_smwatch.aws.logs import LogPage, LogReader
from mlflow_smwatch.core.definitions import MetricReader
from mlflow_smwatch.core.errors import LogsGoneError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_progress import Findings
from mlflow_smwatch.core.log_streams import START, LogStream, StreamPosition
from mlflow_smwatch.core.series import Point, host_original

_EXPIRED_MS = 60_000
"""How much later than AWS says the first event must be to show that earlier ones have expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedPage:
    """What one page of a stream gave.

    Attributes
    ----------
    series
        Original → new points.
    positions
        How far the stream is read with them; empty for a page that was read before.
    findings
        What the definitions met in the new events.
    """

    series: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    positions: Mapping[str, StreamPosition] = field(default_factory=dict)
    findings: Findings = field(default_factory=dict)


UnappliedPage = Callable[[], ReplayedPage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Which part of a host's streams to replay.

    Attributes
    ----------
    positions
        Log stream → how far it was read before.
    again
        Whether to read from the beginning, what was read before included: its matches are counted,
        not given.
    until_ms
        Where the stream that still grows is as good as read to its end; None for the very end.
    """

    positions: Mapping[str, StreamPosition]
    again: bool = False
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where streams are, and what their metrics are.

    Attributes
    ----------
    read
        Reads a stream after a position, until it is as good as read to its end at a moment (ms).
    original
        Identifies a metric in a stream.
    """

    read: Callable[[LogStream, StreamPosition, int | None], Iterator[LogPage]]
    original: Callable[[str, LogStream], str]


def hosts_of_job(logs: LogReader, job: Job) -> Place:
    """Give the place of the streams of a job's hosts."""

    def read(stream: LogStream, after: StreamPosition, until_ms: int | None) -> Iterator[LogPage]:
        return logs.read(job.log_group, job.name, stream.name, after, until_ms)

    return Place(read=read, original=lambda metric, stream: host_original(metric, stream.host))


class HostReplay:
    """The replay of one host; used by one thread at a time.

    Parameters
    ----------
    place
        Where the streams are.
    streams
        Those of one host, in time order.
    stretch
        Which part of them.
    reader
        Makes what applies the job's MetricDefinitions.

    Attributes
    ----------
    streams
        As given.
    counted
        Original → number of matches in events that had been read before.
    expired
        Whether the beginning of a stream is gone.
    begun
        Whether its first page has come, or there is none.
    """

    def __init__(
        self,
        place: Place,
        streams: Sequence[LogStream],
        stretch: Stretch,
        reader: Callable[[], MetricReader],
    ) -> None:
        self.streams = streams
        self.counted: Counter[str] = Counter()
        self.expired = False
        self.begun = False
        self._place = place
        self._stretch = stretch
        self._metrics = reader()
        self._counting = reader() if stretch.again else self._metrics
        self._pages = self._all_pages()

    def next_page(self) -> UnappliedPage | None:
        """Read the next page; None after the last.

        Returns
        -------
        callable or None
            Puts the page through the definitions, while the next one is read: to be called once,
            page by page.

        Raises
        ------
        AccessDeniedError
            When the events may not be read.
        InvalidRequestError, RetriableError
            When AWS does not take the request, or goes on failing.
        """
        page = next(self._pages, None)
        self.begun = True
        return page

    def _all_pages(self) -> Iterator[UnappliedPage]:
        for stream in self.streams:
            try:
                yield from self._stream_pages(stream)
            except LogsGoneError:
                self.expired = True

    def _stream_pages(self, stream: LogStream) -> Iterator[UnappliedPage]:
        again = self._stretch.again
        left = self._stretch.positions.get(stream.name, START)
        after = START if again else left
        until_ms = self._stretch.until_ms if stream is self.streams[-1] else None
        pages = self._place.read(stream, after, until_ms)
        for number, page in enumerate(pages):
            if number == 0 and after == START:
                self.expired |= _is_cut(stream, page)
            known, left = _known(page.timestamps_ms, left) if again else (0, left)
            yield partial(self._replayed, stream, page, known)

    def _replayed(self, stream: LogStream, page: LogPage, known: int) -> ReplayedPage:
        original = self._place.original
        if known:
            seen = self._counting.read(page.messages[:known])
            for metric, values in seen.values.items():
                self.counted[original(metric, stream)] += len(values)
        if known == len(page.messages):
            return ReplayedPage()
        found = self._metrics.read(page.messages[known:] if known else page.messages)
        times = page.timestamps_ms
        return ReplayedPage(
            series={
                original(metric, stream): [
                    Point(times[known + index], value) for index, value in values
                ]
                for metric, values in found.values.items()
            },
            positions={stream.name: page.position},
            findings=found.findings,
        )


def _known(times_ms: Sequence[int], before: StreamPosition) -> tuple[int, StreamPosition]:
    """Count a page's events that were read before; return what is left of them for the next."""
    earlier = bisect_left(times_ms, before.timestamp_ms)
    same = min(bisect_right(times_ms, before.timestamp_ms) - earlier, before.events)
    return earlier + same, StreamPosition(before.timestamp_ms, before.events - same)


def _is_cut(stream: LogStream, page: LogPage) -> bool:
    """Whether a stream's first events are no longer there (retention)."""
    first_ms = stream.first_event_ms
    return first_ms is not None and page.timestamps_ms[0] > first_ms + _EXPIRED_MS
