"""Logs besides those of a job's hosts: which streams count, and what their metrics are called."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from mlflow_smwatch.core.job import FurtherLogs, Job, MetricDefinition
from mlflow_smwatch.core.log_streams import LAG_MS, LogStream
from mlflow_smwatch.core.series import further_original, name_of, told_of
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import AFTER_END_MS

_PLACE = re.compile(r"[.\-_/#A-Za-z0-9]+:")
"""A log group's name, and what parts it from its stream's."""


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
        over = last_ms is not None and last_ms + LAG_MS < self.since_ms
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


def begin_ms(watermark: Watermark, window_from_ms: int) -> int:
    """Tell since when the events of what is endless are read: since the first reading began.

    The window moves with the clock, so it counts only while nothing was read.

    Parameters
    ----------
    watermark
        Of the run.
    window_from_ms
        Where the window begins now.
    """
    if watermark.read_to_ms is not None or watermark.read_from_ms is not None:
        return watermark.read_from_ms or 0
    read = (each.timestamp_ms for each in watermark.further_positions.values())
    return min((window_from_ms, *read))


def span_of(job: Job, from_ms: int) -> Span:
    """Tell which events are a job's: those of its life.

    What is endless is read from a moment on, up to when it was found gone, or another has its name.

    Parameters
    ----------
    job
        The job.
    from_ms
        Since when what is endless is read (:func:`begin_ms`).
    """
    ended_ms = job.ended_ms if job.ended else None
    if job.kind.endless:
        return Span(since_ms=max(job.created_ms, from_ms), until_ms=ended_ms)
    until_ms = None if ended_ms is None else ended_ms + AFTER_END_MS
    return Span(since_ms=job.created_ms, until_ms=until_ms)


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


def definitions_of(job: Job) -> tuple[MetricDefinition, ...]:
    """List the definitions of all further logs of a job."""
    return tuple(each for logs in job.further_logs for each in logs.definitions)


def prefixes_of(logs: FurtherLogs) -> tuple[str, ...]:
    """Give what the names of the streams begin with: one for each choice, each once."""
    return tuple(dict.fromkeys(parts[0] for parts in logs.streams))
