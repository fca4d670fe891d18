"""Delivers messages in threads of its own: a target that is down or slow delays nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from mlflow_smwatch.core.errors import SmwatchError
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_targets import Address

logger = logging.getLogger(__name__)

CAPACITY = 500
"""Most messages that wait for one address."""

KEPT_S = 3600.0
"""For how long a message is tried."""

GRACE_S = 5.0
"""How long the end of a watch waits for what is not delivered yet."""

_LONGEST_PAUSE_S = 60.0
_MOST_DOUBLINGS = 10


class Channel(Protocol):
    """What takes messages to one address."""

    def send(self, alert: Alert) -> None:
        """Deliver one message, or raise."""


class Messenger:
    """Queues of messages, one for each address.

    Parameters
    ----------
    channels
        Address → what takes messages there.
    capacity
        Most messages that wait for one address; the oldest go first.
    clock
        Monotonic seconds.
    """

    def __init__(
        self,
        channels: Mapping[Address, Channel],
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._lines = {
            address: _Line(address.shown, channel, capacity, clock)
            for address, channel in channels.items()
        }

    def send(self, alert: Alert, addresses: Iterable[Address]) -> None:
        """Queue a message; this never waits."""
        for address in addresses:
            self._lines[address].put(alert)

    def close(self, grace_s: float = GRACE_S) -> int:
        """Deliver what waits, each once more at most, and end.

        Parameters
        ----------
        grace_s
            How long that may take, seconds.

        Returns
        -------
        int
            How many messages are lost.
        """
        until = self._clock() + grace_s
        for line in self._lines.values():
            line.end()
        return sum(line.wait(until) for line in self._lines.values())


class _Line:
    """The queue of one address, with the thread that empties it."""

    def __init__(
        self, shown: str, channel: Channel, capacity: int, clock: Callable[[], float]
    ) -> None:
        self._shown = shown
        self._channel = channel
        self._capacity = capacity
        self._clock = clock
        self._waiting: deque[tuple[float, Alert]] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._is_full = False
        self._failures = 0
        self._thread: threading.Thread | None = None

    def put(self, alert: Alert) -> None:
        """Queue a message; begin to deliver with the first."""
        with self._changed:
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self._complain_of_room()
            self._waiting.append((self._clock(), alert))
            self._changed.notify_all()
            if self._thread is None:
                name = f"smwatch-notify-{self._shown.partition(':')[0]}"
                self._thread = threading.Thread(target=self._deliver, name=name, daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Let the thread end when it has tried what waits."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def wait(self, until: float) -> int:
        """Wait for the thread's end; give the number of messages that it leaves."""
        if self._thread is not None:
            self._thread.join(max(0.0, until - self._clock()))
        with self._changed:
            return len(self._waiting)

    def _deliver(self) -> None:
        while (first := self._first()) is not None:
            error = self._tried(first[1])
            with self._changed:
                if error is None or self._clock() - first[0] > KEPT_S:
                    self._settle(first, error)
                if error is not None and self._ending:
                    return
                if error is not None:
                    self._pause(error)

    def _first(self) -> tuple[float, Alert] | None:
        """Wait for a message; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            return self._waiting[0] if self._waiting else None

    def _tried(self, alert: Alert) -> str | None:
        """Deliver a message; give the reason where it cannot be, without what may be a secret."""
        try:
            self._channel.send(alert)
        except SmwatchError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the border of a library with an error for each service
            return type(error).__name__
        return None

    def _settle(self, first: tuple[float, Alert], error: str | None) -> None:
        if self._waiting and self._waiting[0] is first:
            self._waiting.popleft()
        if error is not None:
            logger.warning("a message for %s is given up after an hour", self._shown)
        elif self._failures:
            logger.warning("%s takes messages again", self._shown)
            self._failures, self._is_full = 0, False

    def _pause(self, error: str) -> None:
        """Wait before a new try, twice as long each time."""
        if not self._failures:
            logger.warning("%s takes no messages: %s; it is tried again", self._shown, error)
        self._failures += 1
        pause_s = min(_LONGEST_PAUSE_S, 2.0 ** min(self._failures - 1, _MOST_DOUBLINGS))
        self._changed.wait_for(lambda: self._ending, pause_s)

    def _complain_of_room(self) -> None:
        if not self._is_full:
            told = "%d messages wait for %s: the oldest are given up"
            logger.warning(told, self._capacity, self._shown)
        self._is_full = True
