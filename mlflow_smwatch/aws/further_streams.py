"""The streams of log groups that many jobs may share, listed once for all of them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_smwatch.aws.log_listing import STREAMS_PER_PAGE
from mlflow_smwatch.aws.operations import DESCRIBE_LOG_STREAMS
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.log_streams import LAG_MS, LogStream

PAGES_LIMIT = 200
"""Pages of one listing: 10,000 streams. What lies beyond is left out, and said to be."""

_LISTINGS_KEPT = 100
FRESH_S = 300
"""How long a listing serves for jobs that go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherListing:
    """Some streams of a log group.

    Attributes
    ----------
    streams
        By their whole names.
    whole
        Whether there are no others; those without an event since long may be left out.
    listed_s
        When they were listed, by the monotonic clock.
    since_ms
        From when on a stream with an event is in it.
    """

    streams: tuple[LogStream, ...]
    whole: bool
    listed_s: float
    since_ms: int


@dataclass(slots=True)
class _Kept:
    """A listing and the lock of who makes it."""

    listing: FurtherListing | None = None
    turning: threading.Lock = field(default_factory=threading.Lock)


class FurtherStreams:
    """Lists streams; may live as long as the process, and be used from several threads.

    Parameters
    ----------
    aws
        Account and Region.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(
        self, group: str, prefix: str, since_ms: int, older_s: float = FRESH_S
    ) -> FurtherListing:
        """List the streams of a group whose names begin alike (``DescribeLogStreams``, 50 a call).

        Without a prefix the group is listed from its newest events back: other streams than those
        with events since a moment are not looked for.

        Parameters
        ----------
        group
            Name of the log group.
        prefix
            What the names begin with; may be empty.
        since_ms
            The moment.
        older_s
            How old a listing may be that was made before, seconds.

        Raises
        ------
        LogsGoneError
            The group does not exist.
        AccessDeniedError, RetriableError
            When the operation is denied or keeps failing.
        """
        kept = self._entry((group, prefix))
        with kept.turning:
            known = kept.listing
            new_enough = known is not None and time.monotonic() - known.listed_s < older_s
            if known is None or not new_enough:
                known = self._listed(group, prefix, since_ms)
            elif known.since_ms > since_ms:  # others may ask for what is earlier still
                known = self._listed(group, prefix, 0)
            kept.listing = known
        return known

    def _entry(self, key: tuple[str, str]) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            if len(self._kept) > _LISTINGS_KEPT:
                self._kept.popitem(last=False)
        return kept

    def _listed(self, group: str, prefix: str, since_ms: int) -> FurtherListing:
        listed_s = time.monotonic()
        request: dict[str, Any] = {"logGroupName": group, "limit": STREAMS_PER_PAGE}
        if prefix:
            request["logStreamNamePrefix"] = prefix
        else:
            request |= {"orderBy": "LastEventTime", "descending": True}
        streams: list[LogStream] = []
        whole = False
        for _ in range(PAGES_LIMIT):
            answer = ask(
                DESCRIBE_LOG_STREAMS, self._aws.logs.describe_log_streams, request, "logStreams"
            )
            streams += map(_stream, answer["logStreams"])
            token = answer.get("nextToken")
            if not token or (not prefix and _is_past(streams, since_ms)):
                whole = True
                break
            request["nextToken"] = token
        return FurtherListing(
            streams=tuple(streams),
            whole=whole,
            listed_s=listed_s,
            since_ms=0 if prefix else since_ms,
        )


def _is_past(streams: list[LogStream], since_ms: int) -> bool:
    last_ms = streams[-1].last_event_ms if streams else None
    return last_ms is not None and last_ms + LAG_MS < since_ms


def _stream(described: Mapping[str, Any]) -> LogStream:
    return LogStream(
        name=described["logStreamName"],
        created_ms=described.get("creationTime", 0),
        first_event_ms=described.get("firstEventTimestamp"),
        last_event_ms=described.get("lastEventTimestamp"),
    )
