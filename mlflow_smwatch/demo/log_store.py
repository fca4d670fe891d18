"""Log events, in the streams of the underlying emulator, sorted as the service reads them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NoReturn

from moto.logs.models import LogGroup, LogsBackend, LogStream, logs_backends

from mlflow_smwatch.demo.clock import Clock, to_milliseconds
from mlflow_smwatch.demo.errors import refuse

FIRST = -(2**63)


@dataclass(frozen=True, slots=True, order=True)
class LogEvent:
    """One stored event; the order of the fields is the order of reading.

    Attributes
    ----------
    timestamp, ingestion_time
        Milliseconds since the epoch.
    event_id
        Rises with each event that is stored.
    message
        Text.
    """

    timestamp: int
    ingestion_time: int
    event_id: int
    message: str

    def to_answer(self) -> dict[str, Any]:
        """Give the event as GetLogEvents does."""
        return {
            "timestamp": self.timestamp,
            "message": self.message,
            "ingestionTime": self.ingestion_time,
        }

    def to_filter_dict(self) -> dict[str, Any]:
        """Give the event as FilterLogEvents does, but for the stream's name."""
        return {**self.to_answer(), "eventId": f"{self.event_id:056d}"}

    @property
    def size(self) -> int:
        """Bytes that the event counts for."""
        return len(self.message.encode("utf-8", "surrogatepass")) + 26


def refuse_group() -> NoReturn:
    """Raise the error for an unknown log group."""
    refuse("ResourceNotFoundException", "The specified log group does not exist.")


def refuse_stream() -> NoReturn:
    """Raise the error for an unknown log stream."""
    refuse("ResourceNotFoundException", "The specified log stream does not exist.")


class LogStore:
    """Groups, streams and events of one account and Region.

    Parameters
    ----------
    account_id, region
        Whose.
    clock
        Gives creation and ingestion times.
    """

    def __init__(self, account_id: str, region: str, clock: Clock) -> None:
        self._backend: LogsBackend = logs_backends[account_id][region]
        self._clock = clock
        self._event_ids = count(1)

    def create_group(self, name: str, tags: dict[str, str]) -> None:
        """Make a log group.

        Raises
        ------
        AwsError
            There is one of that name.
        """
        if name in self._backend.groups:
            _refuse_existing("group")
        group = self._backend.create_log_group(name, tags)
        group.creation_time = self._clock.now().replace(tzinfo=None)

    def create_stream(self, group: str, name: str) -> None:
        """Make a log stream.

        Raises
        ------
        AwsError
            The group does not exist, or the stream does.
        """
        found = self.group(group)
        if name in found.streams:
            _refuse_existing("stream")
        found.create_log_stream(name)
        found.streams[name].creation_time = self._clock.now().replace(tzinfo=None)

    def ensure_stream(self, group: str, name: str) -> None:
        """Make a log stream, and its group, where they are missing."""
        if group not in self._backend.groups:
            self.create_group(group, {})
        if name not in self._backend.groups[group].streams:
            self.create_stream(group, name)

    def group(self, name_or_arn: str) -> LogGroup:
        """Find a log group.

        Parameters
        ----------
        name_or_arn
            Its name, or its ARN with or without ``:*`` at the end.

        Raises
        ------
        AwsError
            There is none.
        """
        name = name_or_arn
        if name.startswith("arn:"):
            name = name.removesuffix(":*").rpartition(":log-group:")[2]
        found = self._backend.groups.get(name)
        if found is None:
            refuse_group()
        return found

    def stream(self, group: str, name: str) -> LogStream:
        """Find a log stream.

        Raises
        ------
        AwsError
            There is none.
        """
        found = self.group(group).streams.get(name)
        if found is None:
            refuse_stream()
        return found

    def add(self, stream: LogStream, events: Iterable[tuple[int, str]]) -> None:
        """Store events, given as timestamps in milliseconds and messages."""
        now = self._clock.now()
        now_ms = to_milliseconds(now)
        stored: list[Any] = stream.events
        for timestamp, message in events:
            event = LogEvent(timestamp, now_ms, next(self._event_ids), message)
            if stored and event < stored[-1]:
                insort(stored, event)
            else:
                stored.append(event)
        stream.last_ingestion_time = now.replace(tzinfo=None)

    def with_prefix(self, group: str, prefix: str) -> list[LogStream]:
        """List the streams of a group whose names begin so; empty where there is no group."""
        found = self._backend.groups.get(group)
        if found is None:
            return []
        return [stream for name, stream in found.streams.items() if name.startswith(prefix)]


def events_of(stream: LogStream) -> list[LogEvent]:
    """Give a stream's events, sorted; the list itself, not to be changed."""
    return stream.events  # type: ignore[return-value]


def events_between(
    events: Sequence[LogEvent], start_ms: int | None, end_ms: int | None
) -> Sequence[LogEvent]:
    """Cut sorted events to those from start (inclusive) to end (exclusive)."""
    first = 0 if start_ms is None else bisect_left(events, _least(start_ms))
    last = len(events) if end_ms is None else bisect_left(events, _least(end_ms))
    return events[first:last]


def _least(timestamp: int) -> LogEvent:
    return LogEvent(timestamp, FIRST, 0, "")


def _refuse_existing(what: str) -> NoReturn:
    message = f"The specified log {what} already exists"
    refuse("ResourceAlreadyExistsException", message)
