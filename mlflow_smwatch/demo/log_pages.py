"""GetLogEvents' pages: tokens that lead both ways, and end where they repeat."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NoReturn

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.log_store import LogEvent
from mlflow_smwatch.demo.metrics import DAY_MS
from mlflow_smwatch.demo.validation import Answer

OPERATION = "logs:GetLogEvents"
BYTES_PER_PAGE = 1_048_576
TOKEN = re.compile(r"([fb])/(\d{14})(\d{14})(\d{14})(\d{14})/([st])")


class LogPages:
    """Cuts a stream's events into pages.

    A token holds the event that it stands at, so events that come later do not shift it.

    Parameters
    ----------
    faults
        May shorten pages, or put empty ones between them.
    clock
        Tokens die after 24 hours.
    """

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._faults = faults
        self._clock = clock

    def page(
        self, events: Sequence[LogEvent], *, token: str | None, limit: int, from_head: bool
    ) -> Answer:
        """Give one page.

        Parameters
        ----------
        events
            Of the wanted time range, sorted.
        token
            Of the request.
        limit
            Most events of a page.
        from_head
            Whether the first page is the oldest; must be true with a forward token.

        Returns
        -------
        dict
            GetLogEvents' answer. A token that is given back unchanged marks the end.

        Raises
        ------
        AwsError
            The token is junk, too old, or forward without ``from_head``.
        """
        limit = self._faults.page_limit(OPERATION, limit)
        if token is None:
            start, end = (0, _forward(events, 0, limit))
            if not from_head:
                start, end = _backward(events, len(events), limit), len(events)
            return self._answer(events, start, end)
        direction, key, was_empty = self._read(token)
        if direction == "f" and not from_head:
            _refuse("startFromHead must be true with a nextForwardToken.")
        if direction == "f":
            start = bisect_right(events, key, key=_key)
            end = _forward(events, start, limit)
        else:
            end = bisect_left(events, key, key=_key)
            start = _backward(events, end, limit)
        if start < end and not was_empty and self._faults.has_empty_pages(OPERATION):
            return _empty(token[:-1] + "t")
        if start == end:
            return _empty(token)
        return self._answer(events, start, end)

    def _read(self, token: str) -> tuple[str, tuple[int, int, int], bool]:
        match = TOKEN.fullmatch(token)
        if match is None:
            _refuse("The specified nextToken is invalid.")
        direction, timestamp, ingestion, event_id, issued, mark = match.groups()
        if self._clock.now_ms() - int(issued) > DAY_MS:
            _refuse("The specified nextToken is expired.")
        return direction, (int(timestamp), int(ingestion), int(event_id)), mark == "t"

    def _answer(self, events: Sequence[LogEvent], start: int, end: int) -> Answer:
        page = events[start:end]
        first, last = (_key(page[0]), _key(page[-1])) if page else ((0, 0, 0), (0, 0, 0))
        return {
            "events": [event.to_answer() for event in page],
            "nextForwardToken": self._token("f", last),
            "nextBackwardToken": self._token("b", first),
        }

    def _token(self, direction: str, key: tuple[int, int, int]) -> str:
        digits = "".join(f"{part:014d}" for part in (*key, self._clock.now_ms()))
        return f"{direction}/{digits}/s"


def _refuse(message: str) -> NoReturn:
    refuse("InvalidParameterException", message)


def _key(event: LogEvent) -> tuple[int, int, int]:
    return event.timestamp, event.ingestion_time, event.event_id


def _empty(token: str) -> Answer:
    """Give an empty page; both directions go on from the same place."""
    return {
        "events": [],
        "nextForwardToken": f"f{token[1:]}",
        "nextBackwardToken": f"b{token[1:]}",
    }


def _forward(events: Sequence[LogEvent], start: int, limit: int) -> int:
    """Find the end of the page that begins at start; a page holds at most 1 MB."""
    size, end = 0, start
    while end < len(events) and end - start < limit:
        size += events[end].size
        if size > BYTES_PER_PAGE and end > start:
            break
        end += 1
    return end


def _backward(events: Sequence[LogEvent], end: int, limit: int) -> int:
    """Find the begin of the page that ends there."""
    size, start = 0, end
    while start > 0 and end - start < limit:
        size += events[start - 1].size
        if size > BYTES_PER_PAGE and start < end:
            break
        start -= 1
    return start
