"""Pages that are made ahead, in a thread of their own, while earlier ones are worked on.

Never more of them wait than was said, however slowly they are taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

_Item = TypeVar("_Item")


@contextmanager
def made_ahead(
    items: Generator[_Item], count: int, while_waiting: Callable[[Future[Any]], None]
) -> Iterator[Iterator[_Item]]:
    """Take items ahead in a thread that lasts as long as the block.

    When the block is left, for whatever reason, the item in hand is waited for, the next ones are
    dropped, and the generator is closed.

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
    thread = ThreadPoolExecutor(1, thread_name_prefix="smwatch-discovery")
    try:
        yield _each(thread, items, count, while_waiting)
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
        items.close()


def _each(
    thread: ThreadPoolExecutor,
    items: Iterator[_Item],
    count: int,
    while_waiting: Callable[[Future[Any]], None],
) -> Iterator[_Item]:
    futures = deque(thread.submit(_next, items) for _ in range(count))
    while True:
        future = futures.popleft()
        while_waiting(future)
        made = future.result()
        if not made:
            return
        futures.append(thread.submit(_next, items))
        yield made[0]


def _next(items: Iterator[_Item]) -> tuple[_Item, ...]:
    """Make the next item; none once there are no more."""
    for item in items:
        return (item,)
    return ()
