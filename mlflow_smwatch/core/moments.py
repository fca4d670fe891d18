"""Moments in time: aware datetimes, milliseconds since the epoch, ISO text."""

from __future__ import annotations

from datetime import datetime, timezone


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
