"""Logs besides those of a job's hosts: which streams count, and what their metrics are called."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from mlflow_smwatch.core.job import FurtherLogs, Job, MetricDefinition
from mlflow_smwatch.core.log_streams import START, LogStream, StreamPosition
from mlflow_smwatch.core.series import further_original, name_of, told_of
from mlflow_smwatch.core.windows import AFTER_END_MS

_PLACE = re.compile(r"[.\-_/#A-Za-z0-9]+:")
"""A log group's name, and what parts it from its stream's."""

STREAMS_LIMIT = 100
"""How many streams of one source are read for one run: so much a run's notes and curves grow."""

_LAG_MS = 2 * 60 * 60_000
"""How much later than its last event a stream may be said to have one; AWS says "less than an hour"
("LogStream" in the API reference of CloudWatch Logs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherStream:
    """One stream of further logs.

    Attributes
    ----------
    group
        Name of its log group.
    stream
        The stream, by its whole name.
    """

    group: str
    stream: LogStream

    @property
    def place(self) -> str:
        """What tells it from the streams of other groups; no name of a group holds a colon."""
        return f"{self.group}:{self.stream.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The stretch of time in which the events of a stream are a job's.

    Attributes
    ----------
    since_ms
        From when on, inclusive.
    until_ms
        Until when, exclusive; None while the job goes on.
    """

    since_ms: int
    until_ms: int | None = None

    def touches(self, stream: LogStream) -> bool:
        """Whether a stream may hold an event within it, as far as AWS tells."""
        last_ms = stream.last_event_ms
        over = last_ms is not None and last_ms + _LAG_MS < self.since_ms
        first_ms = stream.first_event_ms
        early = self.until_ms is None or first_ms is None or first_ms < self.until_ms
        return early and not over


@dataclass(slots=True, kw_only=True)
class FurtherReading:
    """What became of a job's further logs in one pass; what was read of them is in its task.

    Attributes
    ----------
    whole
        Whether the streams were read to their end.
    denied
        What could not be read, in words.
    remarks
        What else is to be said, in words.
    """

    whole: bool = True
    denied: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def deny(self, why: str) -> None:
        """Note that a part was denied."""
        if why not in self.denied:
            self.denied.append(why)

    def remark(self, text: str) -> None:
        """Note something, once."""
        if text not in self.remarks:
            self.remarks.append(text)


def span_of(job: Job, window_from_ms: int) -> Span:
    """Tell which events are a job's: those of its life; what is endless is read from a window on.

    Parameters
    ----------
    job
        The job.
    window_from_ms
        Where the window of what is endless begins.
    """
    ended_ms = job.ended_ms if job.ended else None
    since_ms = max(job.created_ms, window_from_ms) if job.kind.endless else job.created_ms
    return Span(since_ms=since_ms, until_ms=None if ended_ms is None else ended_ms + AFTER_END_MS)


def stream_id(source: str, stream: FurtherStream) -> str:
    """Name a stream in the mirror's notes."""
    return f"{source}:{stream.place}"


def stream_original(metric: str, stream: FurtherStream) -> str:
    """Identify a metric of a stream, apart from every metric of another name or stream."""
    return further_original(metric, stream.place)


def is_of_stream(original: str) -> bool:
    """Whether an original stands for a metric of further logs."""
    told = told_of(original)
    return told is not None and _PLACE.match(told) is not None


def is_metric_of_stream(original: str, metric: str) -> bool:
    """Whether an original stands for a metric in whichever stream of further logs."""
    return is_of_stream(original) and name_of(original) == metric


def is_in_stream(original: str, stream: FurtherStream) -> bool:
    """Whether an original stands for a metric of a stream."""
    return is_of_stream(original) and original.endswith(f"\n{stream.place}")


def is_named(parts: Sequence[str], name: str) -> bool:
    """Whether a stream's name is one of those that a pattern means.

    Parameters
    ----------
    parts
        What stands between the pattern's stars; a single part is a whole name.
    name
        Of the stream.
    """
    first, *rest = parts
    if not rest:
        return name == first
    last = rest.pop()
    if not name.startswith(first):
        return False
    at = len(first)
    for part in rest:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - len(last) >= at and name.endswith(last)


def chosen(
    source: str, streams: Iterable[FurtherStream], known: Collection[str]
) -> tuple[tuple[FurtherStream, ...], int]:
    """Choose the streams that are read: those that were, then the others from the earliest.

    Parameters
    ----------
    source
        Name of the source.
    streams
        Those that it means.
    known
        Ids of the streams that were read before.

    Returns
    -------
    tuple
        The streams, the earliest first, and how many are left out.
    """
    ordered = sorted(
        {each.place: each for each in streams}.values(),
        key=lambda each: (each.stream.created_ms, each.place),
    )
    before = {each for each in known if each.startswith(f"{source}:")}
    room = STREAMS_LIMIT - len(before)
    taken: list[FurtherStream] = []
    for each in ordered:
        if stream_id(source, each) in before:
            taken.append(each)
        elif room > 0:
            room -= 1
            taken.append(each)
    return tuple(taken), len(ordered) - len(taken)


def names_of(
    definitions: Iterable[MetricDefinition],
    streams: Sequence[FurtherStream],
    given: Collection[str],
) -> dict[str, str]:
    """Say what the keys of metrics are made of: the first stream's of the metric's name alone.

    Parameters
    ----------
    definitions
        The metrics.
    streams
        Of their source, the earliest first.
    given
        Originals that have a key, and keep it.

    Returns
    -------
    dict[str, str]
        Original → name.
    """
    names: dict[str, str] = {}
    for metric in dict.fromkeys(each.name for each in definitions):
        begun = any(is_metric_of_stream(each, metric) for each in given)
        for number, stream in enumerate(streams):
            bare = number == 0 and not begun
            name = metric if bare else f"{metric}/{stream.stream.name}"
            names[stream_original(metric, stream)] = name
    return names


def is_quiet(stream: LogStream, read: StreamPosition, now_ms: int) -> bool:
    """Whether a stream has had no event for long since it was read, as far as AWS tells."""
    if read == START or stream.last_event_ms is None:
        return False
    return stream.last_event_ms <= read.timestamp_ms < now_ms - _LAG_MS


def definitions_of(job: Job) -> tuple[MetricDefinition, ...]:
    """List the definitions of all further logs of a job."""
    return tuple(each for logs in job.further_logs for each in logs.definitions)


def prefixes_of(logs: FurtherLogs) -> tuple[str, ...]:
    """Give what the names of the streams begin with: one for each choice, each once."""
    return tuple(dict.fromkeys(parts[0] for parts in logs.streams))
