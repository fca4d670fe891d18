"""Answers that several viewers share for a few seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Value = TypeVar("_Value")

LASTS_S = 5.0


@dataclass(slots=True)
class _Kept(Generic[_Value]):
    """An answer, or the wait for it."""

    answer: Future[_Value] = field(default_factory=Future)
    until: float = float("inf")


class Fresh(Generic[_Value]):
    """Keeps answers for a short time; who asks while one is on its way waits for it.

    May be used by several threads. What was raised is not kept; an interruption hits the one who
    is interrupted alone.

    Parameters
    ----------
    most
        How many answers are kept, at most.
    clock
        Monotonic seconds.
    """

    def __init__(self, most: int = 256, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[Hashable, _Kept[_Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        key: Hashable,
        read: Callable[[], _Value],
        lasts_s: Callable[[_Value], float] = lambda _: LASTS_S,
    ) -> _Value:
        """Return an answer that is fresh.

        Parameters
        ----------
        key
            What is asked.
        read
            Gives the answer.
        lasts_s
            Answer → for how many seconds it is fresh.

        Returns
        -------
        object
            What ``read`` gave now, or to somebody else just before.
        """
        while True:
            with self._lock:
                kept = self._kept.get(key)
                begins = kept is None or kept.until <= self._clock()
                if kept is None or begins:
                    kept = self._begin(key)
            if begins:
                self._fill(key, kept, read, lasts_s)
                return kept.answer.result()
            with suppress(CancelledError):  # who asked was interrupted: ask oneself
                return kept.answer.result()

    def forget(self, key: Hashable) -> None:
        """Let go of an answer that is fresh no more; one on its way stays."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.until <= self._clock():
                del self._kept[key]

    def _begin(self, key: Hashable) -> _Kept[_Value]:
        kept: _Kept[_Value] = _Kept()
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return kept

    def _fill(
        self,
        key: Hashable,
        kept: _Kept[_Value],
        read: Callable[[], _Value],
        lasts_s: Callable[[_Value], float],
    ) -> None:
        try:
            value = read()
            kept.until = self._clock() + lasts_s(value)
        except Exception as error:  # noqa: BLE001 - raised again, for all who wait
            self._drop(key, kept)
            kept.answer.set_exception(error)
        except BaseException:
            self._drop(key, kept)
            kept.answer.cancel()
            raise
        else:
            kept.answer.set_result(value)

    def _drop(self, key: Hashable, kept: _Kept[_Value]) -> None:
        with self._lock:
            if self._kept.get(key) is kept:
                del self._kept[key]
