"""Log streams of a job: which host wrote one, in which order they come, how far one was read.

A training job's streams are named ``<job>/algo-<n>-<epoch>``; a restart of the same host gives a
further stream with a later epoch ("CloudWatch Logs for Amazon SageMaker AI").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT

_NAMED_BY_HOST = re.compile(r"(?P<host>.+)-(?P<epoch>\d+)")
_DATA_LOG = "data-log"
_MILLISECONDS_FROM = 10**11
"""Epochs from here on are milliseconds: as seconds this is the year 5138."""


@dataclass(frozen=True, slots=True, order=True)
class StreamPosition:
    """How far a stream was read.

    ``GetLogEvents`` tokens die after 24 hours, so a position is a time.

    Attributes
    ----------
    timestamp_ms
        Timestamp of the last event that was read.
    events
        How many events of exactly that timestamp were read.
    """

    timestamp_ms: int
    events: int

    def after(self, timestamps_ms: Iterable[int]) -> StreamPosition:
        """Return the position after further events, given in the order of the stream."""
        last_ms, events = self.timestamp_ms, self.events
        for timestamp_ms in timestamps_ms:
            events = events + 1 if timestamp_ms == last_ms else 1
            last_ms = timestamp_ms
        return StreamPosition(last_ms, events)


START = StreamPosition(-1, 0)
"""Before the first event of any stream."""

LAG_MS = 2 * 60 * 60_000
"""How much later than its last event a stream may be said to have one; AWS says "typically less
than an hour" (``LogStream`` in the API reference of CloudWatch Logs)."""

NAMESAKE_MS = 60_000
"""A stream that is so much older than its job is that of an earlier job of the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStream:
    """One log stream of a job.

    Attributes
    ----------
    name
        The part after ``<job>/``.
    created_ms
        When the stream was made.
    first_event_ms
        Timestamp of its first event, which may have expired by now; None if AWS does not say.
    last_event_ms
        Timestamp of its last event as far as AWS knows, which lags behind; None if it does not say.
    """

    name: str
    created_ms: int = 0
    first_event_ms: int | None = None
    last_event_ms: int | None = None

    @property
    def host(self) -> str:
        """The host that wrote it, such as ``algo-1``; also of a stream below the host's."""
        first = self.name.partition("/")[0]
        named = _NAMED_BY_HOST.fullmatch(first)
        return named["host"] if named else first

    @property
    def began_ms(self) -> int:
        """When its host started to write: the epoch of its name, else when it was made."""
        named = _NAMED_BY_HOST.fullmatch(self.name.partition("/")[0])
        if named is None:
            return self.created_ms
        epoch = int(named["epoch"])
        return epoch if epoch >= _MILLISECONDS_FROM else epoch * 1000


def made_for(streams: Iterable[LogStream], created_ms: int) -> tuple[LogStream, ...]:
    """Return a job's streams without those of an earlier job of its name, which AWS has deleted.

    Parameters
    ----------
    streams
        All whose names begin with the job's.
    created_ms
        CreationTime of the job, milliseconds since the epoch.
    """
    oldest_ms = created_ms - NAMESAKE_MS
    return tuple(each for each in streams if not 0 < each.created_ms < oldest_ms)


def by_host(streams: Iterable[LogStream]) -> dict[str, tuple[LogStream, ...]]:
    """Group streams by host, the streams of each host in time order.

    Returns
    -------
    dict[str, tuple[LogStream, ...]]
        Host → streams; hosts in the order of their names.
    """
    hosts: dict[str, list[LogStream]] = {}
    for stream in sorted(streams, key=lambda each: (each.host, each.began_ms, each.name)):
        hosts.setdefault(stream.host, []).append(stream)
    return {host: tuple(each) for host, each in hosts.items()}


def hosts_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts that wrote streams, given by the parts of their names after ``<job>/``.

    A transform job's data log may stand beside its hosts' streams, under a name of its own.
    """
    hosts = (LogStream(name=name).host for name in names if name != _DATA_LOG)
    return tuple(dict.fromkeys(hosts))


def names_in(text: str | None) -> tuple[str, ...]:
    """Read a list of names that :func:`listed` wrote; empty where it is not one."""
    try:
        names = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return ()
    return tuple(str(each) for each in names) if isinstance(names, list) else ()


def full_names(job: str, names: Iterable[str]) -> list[str]:
    """Return the full names of a job's streams, host by host, in time order.

    Parameters
    ----------
    job
        Name of the job.
    names
        Names of its streams, after ``<job>/``.
    """
    streams = by_host(LogStream(name=name) for name in names).values()
    return [f"{job}/{each.name}" for host in streams for each in host]


def listed(names: Iterable[str]) -> str:
    """Write names as a JSON list that fits in a tag; whole names are dropped at its end if not."""
    fitting = list(names)
    while len(text := json.dumps(fitting)) > TAG_VALUE_LIMIT:
        fitting.pop()
    return text
