"""The outbox: who puts never waits; what is lost is counted and said once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from mlflow_smwatch.exporters.outbox import CAPACITY, TRIES, Delivery, Outbox

Send = Callable[[Sequence[int]], Delivery]
LONGEST_S = 30.0


class Receiver:
    """A receiver that does what is written beforehand, then takes everything."""

    def __init__(self, *script: Delivery | Exception) -> None:
        self.script: Iterator[Delivery | Exception] = iter(script)
        self.batches: list[list[int]] = []
        self.taken: list[int] = []
        self.open = threading.Event()
        self.open.set()

    def send(self, batch: Sequence[int]) -> Delivery:
        assert self.open.wait(LONGEST_S)
        self.batches.append(list(batch))
        done = next(self.script, Delivery.TAKEN)
        if isinstance(done, Exception):
            raise done
        if done is Delivery.TAKEN:
            self.taken += batch
        return done


def test_batches_in_order() -> None:
    """All of it, no batch above its size; nothing is said."""
    receiver = Receiver()
    outbox = Outbox("test", receiver.send, batch=4, linger_s=0)
    outbox.put(range(10))
    outbox.put(range(10, 13))
    state = outbox.close(LONGEST_S)
    assert receiver.taken == list(range(13))
    assert max(map(len, receiver.batches)) <= 4
    assert (state.sent, state.waiting, state.dropped, state.reachable) == (13, 0, 0, True)


def test_the_oldest_are_pushed_out(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that is slow: putting goes on at once, the newest are kept."""
    receiver = Receiver()
    receiver.open.clear()
    outbox = Outbox("slow", receiver.send, capacity=1, batch=2, linger_s=0)
    for each in range(100):
        outbox.put((each,))
    receiver.open.set()
    state = outbox.close(LONGEST_S)
    assert receiver.taken[-5:] == [95, 96, 97, 98, 99]
    assert state.sent == len(receiver.taken) <= 7
    assert state.dropped == 100 - state.sent
    assert caplog.text.count("the oldest of more than 5 are dropped") == 1
    assert f"slow: {state.dropped} of 100 were not delivered" in caplog.text


def test_nobody_is_there_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """What could not be sent is sent again, and nothing twice."""
    receiver = Receiver(Delivery.UNREACHABLE)
    outbox = Outbox("away", receiver.send, linger_s=0)
    outbox.put((1, 2))
    for _ in range(300):
        if outbox.state.sent:
            break
        threading.Event().wait(0.1)
    assert receiver.batches == [[1, 2], [1, 2]]
    assert outbox.close(LONGEST_S).dropped == 0
    assert caplog.messages == [
        "away: cannot be reached; it is tried again; the mirror goes on without it"
    ]


@pytest.mark.parametrize(
    "first", [Delivery.REFUSED, ValueError("cannot be encoded")], ids=["refused", "raises"]
)
def test_what_is_not_taken_keeps_nothing_back(
    first: Delivery | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """At the end a batch that is refused is given up, and what follows it is sent."""
    receiver = Receiver(first)
    receiver.open.clear()
    outbox = Outbox("choosy", receiver.send, batch=2, linger_s=0)
    outbox.put((1, 2))
    outbox.put((3, 4))
    outbox.finish()
    receiver.open.set()
    state = outbox.close(LONGEST_S)
    assert (receiver.taken, state.sent, state.dropped) == ([3, 4], 2, 2)
    assert "choosy: 2 of 4 were not delivered" in caplog.text
    assert TRIES > 1


def test_an_end_that_does_not_wait() -> None:
    """A receiver that never answers: what is left is dropped, and the call under way is ended."""
    receiver = Receiver()
    receiver.open.clear()
    outbox = Outbox("stuck", receiver.send, receiver.open.set, linger_s=0)
    outbox.put((1, 2, 3))
    state = outbox.close(0.2)
    assert state.waiting == 0
    assert state.sent + state.dropped == 3


def test_an_end_that_waits_as_long_as_it_gets_on() -> None:
    """A receiver that is slow, but takes batch after batch, gets them all."""
    receiver = Receiver()

    def send(batch: Sequence[int]) -> Delivery:
        threading.Event().wait(0.1)
        return receiver.send(batch)

    outbox = Outbox("slow", send, batch=1, linger_s=0)
    outbox.put(range(10))
    state = outbox.close(0.6, LONGEST_S)
    assert (state.sent, state.dropped) == (10, 0)
    assert receiver.taken == list(range(10))


def test_an_end_in_good_time() -> None:
    """Also where it would get on for long."""
    receiver = Receiver()

    def send(batch: Sequence[int]) -> Delivery:
        threading.Event().wait(0.05)
        return receiver.send(batch)

    outbox = Outbox("slow", send, batch=1, linger_s=0)
    outbox.put(range(1000))
    state = outbox.close(0.3, 0.5)
    assert 0 < state.sent < 50
    assert state.sent + state.dropped == 1000


def test_more_may_wait_for_one_who_takes() -> None:
    """Nothing is pushed out before somebody is missing; then what waits stays, but no more."""
    receiver = Receiver(Delivery.TAKEN, Delivery.UNREACHABLE)
    receiver.open.clear()
    outbox = Outbox("large", receiver.send, capacity=15, batch=1, linger_s=0)
    outbox.put(range(60))
    assert outbox.state.dropped == 0
    receiver.open.set()
    for _ in range(300):
        if not outbox.state.reachable:
            break
        threading.Event().wait(0.01)
    assert outbox.state.waiting == 59
    outbox.put(range(60, 70))
    state = outbox.state
    assert (state.waiting, state.dropped) == (59, 10)
    outbox.close(0)


def test_a_large_first_reading() -> None:
    """More at once than wait while nobody is there: a receiver that takes gets all of it."""
    receiver = Receiver()
    outbox = Outbox("healthy", receiver.send)
    outbox.put(range(2 * CAPACITY))
    assert outbox.close(5, LONGEST_S).dropped == 0
    assert len(receiver.taken) == 2 * CAPACITY
