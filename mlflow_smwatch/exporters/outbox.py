"""A bounded queue with a thread that sends what is in it: who puts never waits."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import islice
from typing import Generic, TypeVar

from mlflow_smwatch.core.errors import reason
from mlflow_smwatch.exporters.receivers import ReceiverState

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

CAPACITY = 200_000
"""How many wait at most while nobody is there."""

WHILE_TAKING = 5
"""How many times as many wait for a receiver that takes what it is sent: of points some 250 MB."""

BATCH = 1_000
LINGER_S = 0.5
"""How long a batch waits for more, seconds."""

TRIES = 5
"""How often a batch is sent that a receiver answers without taking it."""

LONGEST_PAUSE_S = 30.0
_ABORT_S = 0.5


class Delivery(Enum):
    """What became of a batch: taken, answered but not taken, or nobody was there."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class Outbox(Generic[Item]):
    """Holds what is to be sent to one receiver.

    While nobody is there, a batch is sent again and again, and what is put beyond the capacity
    pushes out the oldest. For a receiver that takes what it is sent, more may wait. A batch that is
    answered but not taken is given up after some tries, so that it does not keep back what follows.

    Parameters
    ----------
    receiver
        What the receiver is called in messages.
    send
        Sends a batch; called in the thread of the outbox alone. What it raises gives the batch up.
    abort
        Ends a call of ``send`` that is under way.
    capacity, batch
        How many items wait at most while nobody is there, and are sent at once.
    linger_s
        How long a batch waits for more, seconds.
    """

    def __init__(
        self,
        receiver: str,
        send: Callable[[Sequence[Item]], Delivery],
        abort: Callable[[], None] = lambda: None,
        *,
        capacity: int = CAPACITY,
        batch: int = BATCH,
        linger_s: float = LINGER_S,
    ) -> None:
        self._receiver, self._send, self._abort = receiver, send, abort
        self._batch, self._linger_s = batch, linger_s
        self._capacity, self._most = capacity, WHILE_TAKING * capacity
        self._items: deque[Item] = deque()
        self._in_hand: list[Item] = []
        self._changed = threading.Condition()
        self._closing = False
        self._reachable = True
        self._sent = self._dropped = 0
        self._moved = time.monotonic()
        self._told: set[object] = set()
        self._thread = threading.Thread(target=self._run, name=f"smwatch-{receiver}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> ReceiverState:
        """How it stands with the receiver."""
        with self._changed:
            return ReceiverState(
                receiver=self._receiver,
                reachable=self._reachable,
                sent=self._sent,
                waiting=len(self._items) + len(self._in_hand),
                dropped=self._dropped,
            )

    def put(self, items: Iterable[Item]) -> None:
        """Take items to be sent, in this order; neither waits nor raises."""
        with self._changed:
            waiting = len(self._items)
            limit = self._most if self._reachable else max(self._capacity, waiting)
            self._items.extend(items)
            pushed_out = max(0, len(self._items) - limit)
            for _ in range(pushed_out):
                self._items.popleft()
            self._dropped += pushed_out
            self._changed.notify_all()
        if pushed_out:
            self._tell(
                "full", f"takes less than there is: the oldest of more than {limit:,} are dropped"
            )

    def finish(self) -> None:
        """Send what is left without waiting for more; what is refused now is not sent again."""
        with self._changed:
            if not self._closing:
                self._moved = time.monotonic()
            self._closing = True
            self._changed.notify_all()

    def close(self, idle_s: float, at_most_s: float | None = None) -> ReceiverState:
        """Send what is left, and end; what cannot be sent is dropped.

        Parameters
        ----------
        idle_s
            How long to wait for the next batch to be taken, seconds.
        at_most_s
            How long to wait in all, seconds from now; None for ``idle_s``.

        Returns
        -------
        ReceiverState
            How it ended; nothing waits.
        """
        self.finish()
        self._wait(idle_s, time.monotonic() + max(0.0, idle_s if at_most_s is None else at_most_s))
        self._abort()
        self._thread.join(_ABORT_S)
        with self._changed:
            self._dropped += len(self._items) + len(self._in_hand)
            self._items.clear()
            self._in_hand = []
        state = self.state
        if state.dropped:
            logger.warning("%s: %d of %d were not delivered", self._receiver, *_of(state))
        return state

    def _wait(self, idle_s: float, until: float) -> None:
        """Wait for the end of the thread as long as it gets on."""
        while self._thread.is_alive():
            with self._changed:
                end = min(until, self._moved + idle_s)
            left_s = end - time.monotonic()
            if left_s <= 0:
                return
            self._thread.join(left_s)

    def _run(self) -> None:
        tries, pause_s = 0, 1.0
        while self._take():
            delivery = self._deliver()
            tries += 1
            if delivery is Delivery.TAKEN:
                tries, pause_s = 0, 1.0
                continue
            if delivery is Delivery.UNREACHABLE and self._closing:
                return
            if delivery is Delivery.REFUSED and (tries >= TRIES or self._closing):
                self._give_up()
                tries = 0
            self._pause(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def _take(self) -> bool:
        """Take a batch in hand, unless one is; False where all is done."""
        with self._changed:
            if self._in_hand:
                return True
            self._changed.wait_for(lambda: self._items or self._closing)
            self._changed.wait_for(
                lambda: self._closing or len(self._items) >= self._batch, self._linger_s
            )
            self._in_hand = list(islice(self._items, self._batch))
            for _ in self._in_hand:
                self._items.popleft()
            return bool(self._in_hand)

    def _deliver(self) -> Delivery:
        batch = self._in_hand
        try:
            delivery = self._send(batch)
        except Exception as error:  # noqa: BLE001 - the border to the receiver's library
            self._tell(type(error), f"a batch could not be sent: {reason(error)}")
            self._give_up()
            return Delivery.TAKEN
        with self._changed:
            self._reachable = delivery is Delivery.TAKEN
            if delivery is Delivery.TAKEN and self._in_hand:
                self._sent += len(batch)
                self._moved = time.monotonic()
                self._in_hand = []
        if delivery is not Delivery.TAKEN:
            self._tell(delivery, f"{_WORDS[delivery]}; the mirror goes on without it")
        return delivery

    def _give_up(self) -> None:
        with self._changed:
            self._dropped += len(self._in_hand)
            self._in_hand = []

    def _pause(self, pause_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, pause_s)

    def _tell(self, trouble: object, message: str) -> None:
        """Say once that there is a trouble of a kind."""
        if trouble not in self._told:
            self._told.add(trouble)
            logger.warning("%s: %s", self._receiver, message)


_WORDS = {
    Delivery.REFUSED: "what is sent is answered but not taken (-v shows the answers)",
    Delivery.UNREACHABLE: "cannot be reached; it is tried again",
}


def _of(state: ReceiverState) -> tuple[int, int]:
    return state.dropped, state.dropped + state.sent
