"""Delivers messages in threads of its own: a target that is down or slow delays nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mlflow_smwatch.core.errors import JobError, SmwatchError
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_targets import Address

logger = logging.getLogger(__name__)

CAPACITY = 500
"""Most messages that wait for one address."""

KEPT_S = 3600.0
"""For how long a message is tried."""

GRACE_S = 5.0
"""How long the end of a watch waits for what is not delivered yet."""

TURN = 3
"""After how many tries a message lets the others go first."""

REFUSALS = 3
"""How often a message may be refused by who takes others."""

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
            address: Line(address.shown, channel, capacity, clock)
            for address, channel in channels.items()
        }

    @property
    def lines(self) -> tuple[Line, ...]:
        """The queues, for what says how it stands with them."""
        return tuple(self._lines.values())

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


@dataclass(slots=True, kw_only=True, eq=False)
class _Message:
    """A message on its way to one address.

    Attributes
    ----------
    since
        When it was queued, monotonic seconds.
    tries, refusals
        How often it was tried, and how often it was refused by who took others.
    taken_before
        How many messages had been taken when it was tried last.
    is_last
        Whether it has had its last try.
    """

    alert: Alert
    since: float
    tries: int = 0
    refusals: int = 0
    taken_before: int | None = None
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with one address at one moment; `shown` is what may be shown of it."""

    shown: str
    reachable: bool
    sent: int
    waiting: int
    dropped: int


class Line:
    """The queue of one address, with the thread that empties it.

    Nobody tells for every service whether it was not there or did not want a message. So a message
    that fails lets the others go first after some tries; if they are taken, it is refused.
    """

    def __init__(
        self, shown: str, channel: Channel, capacity: int, clock: Callable[[], float]
    ) -> None:
        self._shown = shown
        self._channel = channel
        self._capacity = capacity
        self._clock = clock
        self._waiting: list[_Message] = []
        self._changed = threading.Condition()
        self._ending = False
        self._is_full = False
        self._failures = 0
        self._taken = self._lost = 0
        self._thread: threading.Thread | None = None

    @property
    def standing(self) -> Standing:
        """How it stands now; after the end nothing waits."""
        with self._changed:
            over = self._ending and not (self._thread and self._thread.is_alive())
            left = len(self._waiting)
            return Standing(
                shown=self._shown,
                reachable=not self._failures,
                sent=self._taken,
                waiting=0 if over else left,
                dropped=self._lost + (left if over else 0),
            )

    def put(self, alert: Alert) -> None:
        """Queue a message; begin to deliver with the first."""
        with self._changed:
            if len(self._waiting) >= self._capacity:
                del self._waiting[0]
                self._lost += 1
                self._complain_of_room()
            self._waiting.append(_Message(alert=alert, since=self._clock()))
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
        while (message := self._next()) is not None:
            error = self._tried(message.alert)
            with self._changed:
                if error is None:
                    self._take(message)
                else:
                    self._refuse(message, error)
                    self._pause(error)

    def _next(self) -> _Message | None:
        """Wait for a message whose turn it is; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            left = [each for each in self._waiting if not each.is_last]
            if not left:
                return None
            message = min(left, key=lambda each: each.tries // TURN)
            message.is_last = self._ending
            return message

    def _tried(self, alert: Alert) -> Exception | None:
        """Deliver a message; give why it cannot be."""
        try:
            self._channel.send(alert)
        except Exception as error:  # noqa: BLE001 - the border of a library with an error for each service
            return error
        return None

    def _take(self, message: _Message) -> None:
        if not self._leave(message):
            self._lost -= 1
        self._taken += 1
        if self._failures:
            logger.warning("%s takes messages again", self._shown)
        self._failures, self._is_full = 0, False

    def _refuse(self, message: _Message, error: Exception) -> None:
        """Count a try that failed; give the message up where more tries are of no use."""
        message.tries += 1
        took_others = message.taken_before not in {None, self._taken}
        message.refusals += took_others or isinstance(error, JobError)
        message.taken_before = self._taken
        if message.refusals >= REFUSALS:
            self._give_up(message, f"{REFUSALS} refusals")
        elif self._clock() - message.since > KEPT_S:
            self._give_up(message, "an hour")

    def _give_up(self, message: _Message, what: str) -> None:
        self._lost += self._leave(message)
        logger.warning("a message for %s is given up after %s", self._shown, what)

    def _leave(self, message: _Message) -> bool:
        """Take a message out, unless newer ones have pushed it out."""
        if message not in self._waiting:
            return False
        self._waiting.remove(message)
        return True

    def _pause(self, error: Exception) -> None:
        """Wait before a new try, twice as long each time."""
        if not self._failures:
            told = "%s takes no messages: %s; it is tried again"
            logger.warning(told, self._shown, _reason(error))
        self._failures += 1
        pause_s = min(_LONGEST_PAUSE_S, 2.0 ** min(self._failures - 1, _MOST_DOUBLINGS))
        self._changed.wait_for(lambda: self._ending, pause_s)

    def _complain_of_room(self) -> None:
        if not self._is_full:
            told = "%d messages wait for %s: the oldest are given up"
            logger.warning(told, self._capacity, self._shown)
        self._is_full = True


def _reason(error: Exception) -> str:
    """Say why in words of our own alone: those of others may hold secrets."""
    return str(error) if isinstance(error, SmwatchError) else type(error).__name__
