"""CloudWatch Logs' operations on events and streams, with the limits of its API reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeAlias

from moto.logs.models import LogStream
from moto.logs.utils import EventMessageFilter

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.errors import AwsError, refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.log_pages import LogPages
from mlflow_smwatch.demo.log_store import (
    LogEvent,
    LogStore,
    events_between,
    events_of,
    refuse_stream,
)
from mlflow_smwatch.demo.metrics import DAY_MS, HOUR_MS
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.validation import Answer, Parameters

Points: TypeAlias = "Sequence[tuple[int, str]]"

BATCH_BYTES = 1_048_576
EVENT_BYTES = 1_048_576
EVENTS_PER_PAGE = 10_000
BYTES_PER_PAGE = 1_048_576
STREAMS_PER_PAGE = 50
FILTER_FROM_TAIL_SINCE_MS = 1_704_067_200_000


class Logs:
    """The operations of one account and Region.

    Parameters
    ----------
    store
        Where the events are.
    clock
        Timestamps are judged by it.
    faults
        May shorten pages, and let times of last events lag behind.
    published
        Called with group, stream and the events that were taken.
    """

    def __init__(
        self,
        store: LogStore,
        clock: Clock,
        faults: Faults,
        published: Callable[[str, str, Points], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._faults = faults
        self._published = published
        self._event_pages = LogPages(faults, clock)
        self._filter_pager = Pager(faults, "logs:FilterLogEvents", _bad_token)
        self._stream_pager = Pager(faults, "logs:DescribeLogStreams", _bad_token)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "CreateLogGroup": self.create_log_group,
            "CreateLogStream": self.create_log_stream,
            "DescribeLogStreams": self.describe_log_streams,
            "PutLogEvents": self.put_log_events,
            "GetLogEvents": self.get_log_events,
            "FilterLogEvents": self.filter_log_events,
        }

    def create_log_group(self, parameters: Parameters) -> Answer:
        """Answer ``CreateLogGroup``."""
        self._store.create_group(parameters["logGroupName"], parameters.get("tags", {}))
        return {}

    def create_log_stream(self, parameters: Parameters) -> Answer:
        """Answer ``CreateLogStream``."""
        self._store.create_stream(parameters["logGroupName"], parameters["logStreamName"])
        return {}

    def describe_log_streams(self, parameters: Parameters) -> Answer:
        """Answer ``DescribeLogStreams``: at most 50 a page; prefix only in order of names."""
        prefix = parameters.get("logStreamNamePrefix")
        by_time = parameters.get("orderBy") == "LastEventTime"
        if by_time and prefix is not None:
            _refuse("Cannot order by LastEventTime with a logStreamNamePrefix.")
        group = self._store.group(_group_of(parameters))
        chosen = [s for name, s in group.streams.items() if name.startswith(prefix or "")]
        chosen.sort(
            key=lambda s: ((self._last_event_ms(s) or 0) if by_time else 0, s.log_stream_name),
            reverse=parameters.get("descending", False),
        )
        page, token = self._stream_pager.cut(
            chosen,
            parameters,
            size=parameters.get("limit", STREAMS_PER_PAGE),
            token=parameters.get("nextToken"),
        )
        answer: Answer = {"logStreams": [self._described(stream) for stream in page]}
        if token:
            answer["nextToken"] = token
        return answer

    def put_log_events(self, parameters: Parameters) -> Answer:
        """Answer ``PutLogEvents``: a chronological batch; too old or new events are rejected."""
        group, name = parameters["logGroupName"], parameters["logStreamName"]
        stream = self._store.stream(group, name)
        events = [(event["timestamp"], event["message"]) for event in parameters["logEvents"]]
        _check_batch(events)
        taken, rejected = _judge(events, self._clock.now_ms())
        self._store.add(stream, taken)
        self._published(group, name, taken)
        answer: Answer = {"nextSequenceToken": f"{len(stream.events):056d}"}
        if rejected:
            answer["rejectedLogEventsInfo"] = rejected
        return answer

    def get_log_events(self, parameters: Parameters) -> Answer:
        """Answer ``GetLogEvents``; the newest page comes first unless ``startFromHead``."""
        stream = self._store.stream(_group_of(parameters), parameters["logStreamName"])
        events = events_between(
            events_of(stream), parameters.get("startTime"), parameters.get("endTime")
        )
        return self._event_pages.page(
            events,
            token=parameters.get("nextToken"),
            limit=parameters.get("limit", EVENTS_PER_PAGE),
            from_head=parameters.get("startFromHead", False),
        )

    def filter_log_events(self, parameters: Parameters) -> Answer:
        """Answer ``FilterLogEvents``: events of many streams, by time."""
        streams = self._chosen_streams(parameters)
        end_ms = parameters.get("endTime")
        start_ms = parameters.get("startTime")
        matches = EventMessageFilter(parameters.get("filterPattern", "")).matches
        found = [
            (event, stream.log_stream_name)
            for stream in streams
            for event in events_between(
                events_of(stream), start_ms, None if end_ms is None else end_ms + 1
            )
            if matches(event.message)
        ]
        found.sort(reverse=not _is_from_head(parameters))
        limit = _fitting(
            [event for event, _ in found],
            self._filter_pager.position(parameters, parameters.get("nextToken")).get("o", 0),
            parameters.get("limit", EVENTS_PER_PAGE),
        )
        page, token = self._filter_pager.cut(
            found, parameters, size=limit, token=parameters.get("nextToken")
        )
        events = [{"logStreamName": name, **event.to_filter_dict()} for event, name in page]
        answer: Answer = {"events": events, "searchedLogStreams": []}
        if token:
            answer["nextToken"] = token
        return answer

    def _last_event_ms(self, stream: LogStream) -> int | None:
        last_ms = stream.events[-1].timestamp if stream.events else None
        return self._faults.known_last_event(stream.log_stream_name, last_ms)

    def _described(self, stream: LogStream) -> Answer:
        answer = {**stream.to_describe_dict(), "storedBytes": 0}
        answer.pop("lastEventTimestamp", None)
        known_ms = self._last_event_ms(stream)
        return answer if known_ms is None else {**answer, "lastEventTimestamp": known_ms}

    def _chosen_streams(self, parameters: Parameters) -> Iterable[LogStream]:
        names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            _refuse("logStreamNames and logStreamNamePrefix cannot be used together.")
        streams: dict[str, LogStream] = self._store.group(_group_of(parameters)).streams
        if names is None:
            return [s for name, s in streams.items() if name.startswith(prefix or "")]
        if any(name not in streams for name in names):
            refuse_stream()
        return [streams[name] for name in names]


def _refuse(message: str) -> NoReturn:
    refuse("InvalidParameterException", message)


def _bad_token() -> AwsError:
    return AwsError("InvalidParameterException", "The specified nextToken is invalid.")


def _group_of(parameters: Parameters) -> str:
    given = [parameters[k] for k in ("logGroupName", "logGroupIdentifier") if k in parameters]
    if len(given) != 1:
        _refuse("Exactly one of logGroupName and logGroupIdentifier is required.")
    name: str = given[0]
    return name


def _is_from_head(parameters: Parameters) -> bool:
    if parameters.get("startFromHead", True):
        return True
    if parameters.get("startTime", 0) < FILTER_FROM_TAIL_SINCE_MS:
        _refuse("startFromHead can be false only for a startTime since 2024-01-01.")
    return False


def _fitting(events: Sequence[LogEvent], start: int, limit: int) -> int:
    """Count the events that fit on a page of 1 MB; at least one."""
    size = 0
    for number, event in enumerate(events[start : start + limit]):
        size += event.size
        if size > BYTES_PER_PAGE:
            return max(1, number)
    return limit


def _check_batch(events: Points) -> None:
    times = [timestamp for timestamp, _ in events]
    if times != sorted(times):
        _refuse("Log events in a single PutLogEvents request must be in chronological order.")
    if times[-1] - times[0] > DAY_MS:
        _refuse(
            "The batch of log events in a single PutLogEvents request cannot span more than "
            "24 hours."
        )
    sizes = [len(message.encode()) for _, message in events]
    if max(sizes) > EVENT_BYTES:
        _refuse(f"Log event too large: {max(sizes)} bytes exceeds limit of {EVENT_BYTES}")
    total = sum(sizes) + 26 * len(sizes)
    if total > BATCH_BYTES:
        _refuse(f"Upload too large: {total} bytes exceeds limit of {BATCH_BYTES}")


def _judge(events: Points, now_ms: int) -> tuple[Points, Answer]:
    """Part the events into those that are taken, and what is said of the others."""
    oldest, newest = now_ms - 14 * DAY_MS, now_ms + 2 * HOUR_MS
    first = next((i for i, (t, _) in enumerate(events) if t >= oldest), len(events))
    last = next((i for i, (t, _) in enumerate(events) if t > newest), len(events))
    rejected = {}
    if first:
        rejected["tooOldLogEventEndIndex"] = first
    if last < len(events):
        rejected["tooNewLogEventStartIndex"] = last
    return events[first:last], rejected
