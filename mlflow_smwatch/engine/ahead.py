"""Pages that are made ahead, in a thread of their own, while earlier ones are worked on.

Never more of them wait than was said, however slowly they are taken.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

_Item = TypeVar("_Item")
_Made: TypeAlias = "Future[tuple[_Item, ...]]"


@contextmanager
def made_ahead(
    items: Generator[_Item], count: int, while_waiting: Callable[[Future[Any]], None]
) -> Iterator[Iterator[_Item]]:
    """Take items ahead in a thread that lasts as long as the block.

    When the block is left, the item in hand is waited for, unless the user does not want to wait
    (KeyboardInterrupt); the next ones are dropped, and the generator is closed.

    Parameters
    ----------
    items
        Run by that thread alone.
    count
        How many items may be made, or wait, at any moment.
    while_waiting
        Called with the future of the next item; returns once that is done, or raises.

    Yields
    ------
    iterator
        The items, in their order; what the generator raises comes after those made before.
    """
    wanted: SimpleQueue[_Made[_Item] | None] = SimpleQueue()
    thread = threading.Thread(
        target=_make, args=(items, wanted), name="smwatch-discovery", daemon=True
    )
    thread.start()
    futures = deque(_ask(wanted) for _ in range(count))
    try:
        yield _each(futures, wanted, while_waiting)
    except KeyboardInterrupt:
        _drop(futures, wanted)
        raise
    except BaseException:
        _drop(futures, wanted)
        thread.join()
        raise
    else:
        _drop(futures, wanted)
        thread.join()


def _each(
    futures: deque[_Made[_Item]],
    wanted: SimpleQueue[_Made[_Item] | None],
    while_waiting: Callable[[Future[Any]], None],
) -> Iterator[_Item]:
    while True:
        while_waiting(futures[0])
        made = futures.popleft().result()
        if not made:
            return
        futures.append(_ask(wanted))
        yield made[0]


def _ask(wanted: SimpleQueue[_Made[_Item] | None]) -> _Made[_Item]:
    future: _Made[_Item] = Future()
    wanted.put(future)
    return future


def _drop(futures: Iterable[_Made[_Item]], wanted: SimpleQueue[_Made[_Item] | None]) -> None:
    for future in futures:
        future.cancel()
    wanted.put(None)


def _make(items: Generator[_Item], wanted: SimpleQueue[_Made[_Item] | None]) -> None:
    """Make an item for each that is wanted, until none is."""
    while (future := wanted.get()) is not None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(_next(items))
            except BaseException as error:  # noqa: BLE001 - it is raised where the item is taken
                future.set_exception(error)
    items.close()


def _next(items: Iterator[_Item]) -> tuple[_Item, ...]:
    """Make the next item; none once there are no more."""
    for item in items:
        return (item,)
    return ()
