"""Items that a thread makes ahead: bounded, in order, and never left behind."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any

import pytest

from mlflow_smwatch.engine.ahead import made_ahead

LONGEST_S = 30


class Source:
    """Makes numbers, and notes how many, by which threads, and whether it was closed."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.made = threading.Semaphore(0)
        self.count = 0
        self.threads: set[int] = set()
        self.closed = False
        self._error = error
        self.items = self._make(count)

    def _make(self, count: int) -> Generator[int]:
        try:
            for number in range(count):
                self.threads.add(threading.get_ident())
                self.count += 1
                self.made.release()
                yield number
            if self._error:
                raise self._error
        finally:
            self.closed = True


def at_once(_: Future[Any]) -> None:
    """Wait for nothing else."""


def discovering() -> list[str]:
    return [each.name for each in threading.enumerate() if "discovery" in each.name]


def test_all_items_in_their_order() -> None:
    """By one thread that is not the caller's, and ends with the block."""
    source = Source(20)
    with made_ahead(source.items, 2, at_once) as items:
        assert list(items) == list(range(20))
    assert source.threads != {threading.get_ident()}
    assert len(source.threads) == 1
    assert source.closed
    assert discovering() == []


def test_no_more_than_so_many_wait() -> None:
    """However long nobody takes one."""
    source = Source(20)
    with made_ahead(source.items, 2, at_once) as items:
        assert next(items) == 0
        for _ in range(3):  # the one that was taken, and two ahead
            assert source.made.acquire(timeout=LONGEST_S)
        assert not source.made.acquire(timeout=0.1)
    assert source.count == 3
    assert source.closed


def test_an_error_comes_after_what_was_made_before() -> None:
    """As if the caller had made the items itself."""
    source, taken = Source(3, ValueError("broken")), []
    with made_ahead(source.items, 2, at_once) as items:
        taken.extend([next(items), next(items), next(items)])
        with pytest.raises(ValueError, match="broken"):
            next(items)
    assert taken == [0, 1, 2]
    assert discovering() == []


@pytest.mark.parametrize("error", [GeneratorExit, RuntimeError])
def test_who_leaves_early_leaves_nothing(error: type[BaseException]) -> None:
    """Neither a thread nor an open generator, also where the error comes while waiting."""

    def interrupted(awaited: Future[Any]) -> None:
        awaited.result(LONGEST_S)
        raise error

    source = Source(1000)
    with pytest.raises(error), made_ahead(source.items, 2, interrupted) as items:
        next(items)
    assert source.count <= 3
    assert source.closed
    assert discovering() == []


def test_who_does_not_want_to_wait_does_not() -> None:
    """A second Ctrl-C does not wait for the page in hand; its thread holds nobody up."""
    go = threading.Event()

    def slow() -> Generator[int]:
        yield 1
        go.wait(LONGEST_S)
        yield 2

    def interrupted(_: Future[Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), made_ahead(slow(), 2, interrupted) as items:
        next(items)
    (name,) = discovering()
    (thread,) = [each for each in threading.enumerate() if each.name == name]
    assert thread.daemon
    go.set()
    thread.join(LONGEST_S)
    assert discovering() == []


def test_the_wait_is_the_callers() -> None:
    """Something else is done until the next item is there; that is given."""
    source, waited = Source(4), []

    def wait(awaited: Future[Any]) -> None:
        waited.append(awaited.result(LONGEST_S))

    with made_ahead(source.items, 2, wait) as items:
        assert list(items) == [0, 1, 2, 3]
    assert waited == [(0,), (1,), (2,), (3,), ()]
