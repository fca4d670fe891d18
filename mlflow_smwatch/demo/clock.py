"""The emulated account's clock: real time, or any instant that a test or the demo needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone


def whole_milliseconds(instant: datetime) -> datetime:
    """Cut an instant to the milliseconds that AWS answers carry.

    Parameters
    ----------
    instant
        An aware datetime.

    Returns
    -------
    datetime
        The same instant in UTC, whole milliseconds.

    Raises
    ------
    ValueError
        The datetime is naive.
    """
    if instant.tzinfo is None:
        message = f"an aware datetime is needed, not {instant!r}"
        raise ValueError(message)
    utc = instant.astimezone(timezone.utc)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def to_milliseconds(instant: datetime) -> int:
    """Give an aware datetime as milliseconds since the epoch."""
    return round(instant.timestamp() * 1000)


class Clock:
    """What time it is in the account; shared by all its services and all server threads."""

    def __init__(self) -> None:
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Tell the account's time.

        Returns
        -------
        datetime
            Aware, UTC, whole milliseconds.
        """
        return self._frozen or whole_milliseconds(datetime.now(timezone.utc))

    def now_ms(self) -> int:
        """Tell the account's time in milliseconds since the epoch."""
        return to_milliseconds(self.now())

    def set(self, instant: datetime | None) -> None:
        """Freeze the clock at an instant, or let real time run again.

        Parameters
        ----------
        instant
            An aware datetime, or None for real time.
        """
        self._frozen = None if instant is None else whole_milliseconds(instant)

    @contextmanager
    def at(self, instant: datetime) -> Iterator[None]:
        """Freeze the clock inside the block, then go back to what it was."""
        before = self._frozen
        self.set(instant)
        try:
            yield
        finally:
            self._frozen = before
