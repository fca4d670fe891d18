"""Moments in time: aware datetimes, milliseconds since the epoch, ISO text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from mlflow_smwatch.core.errors import UsageError

_AGO = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EARLIEST = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST = datetime(9998, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


def to_ms(moment: datetime) -> int:
    """Turn an aware datetime into whole milliseconds since the epoch."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(aware.timestamp() * 1000)


def from_ms(moment_ms: int) -> datetime:
    """Turn milliseconds since the epoch into an aware datetime in UTC."""
    return datetime.fromtimestamp(moment_ms / 1000, tz=timezone.utc)


def iso_utc(moment_ms: int) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds: ``2026-01-31T12:00:00.000Z``."""
    return from_ms(moment_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str, now: datetime, option: str) -> datetime:
    """Read a moment: ISO 8601, or how long before now.

    Parameters
    ----------
    text
        ``2026-01-31``, ``2026-01-31T12:00:00Z``, ``90m``, ``36h``, ``7d``; of the years 1970 to
        9998.
    now
        Aware UTC.
    option
        The option's name, for the message.

    Returns
    -------
    datetime
        Aware UTC.

    Raises
    ------
    UsageError
        When it is neither.
    """
    try:
        return _moment(text.strip(), now)
    except (ValueError, OverflowError) as error:
        message = (
            f"{option} {text!r}: give an ISO time such as 2026-01-31T12:00:00Z, or 90m, 36h, 7d"
            " (years 1970 to 9998)"
        )
        raise UsageError(message) from error


def _moment(text: str, now: datetime) -> datetime:
    ago = _AGO.fullmatch(text)
    if ago:
        found = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    else:
        iso = datetime.fromisoformat(text.replace("Z", "+00:00"))
        found = (iso if iso.tzinfo else iso.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    if not _EARLIEST <= found <= _LATEST:
        message = f"{found} lies outside the years 1970 to 9998"
        raise ValueError(message)
    return found
