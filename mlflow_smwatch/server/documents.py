"""JSON documents that one process writes and others read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_TOO_LARGE = 10**15
_OWNER = 0o600
_READ_BY_OTHERS = 0o044


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a document: who reads it finds the old one or the new one, whole.

    Only its owner may read a new one; whom the old one's mode lets read, the new one lets too.

    Parameters
    ----------
    path
        The file; its folder must be there.
    document
        What ``json`` can write.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=1))
        Path(beside).chmod(_mode(path))
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    try:
        return _OWNER | path.stat().st_mode & _READ_BY_OTHERS
    except FileNotFoundError:
        return _OWNER


def read_document(path: Path) -> dict[str, Any]:
    """Return a document; an empty one where there is none, or none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a member that is a document itself; an empty one where it is anything else."""
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def parts(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the documents in a member that is a list of them, and nothing else of it."""
    found = document.get(key)
    members = found if isinstance(found, list) else ()
    return [each for each in members if isinstance(each, Mapping)]


def number(value: object) -> int | float | None:
    """Return a number of a size that is meant; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _TOO_LARGE else None


def counts(document: Mapping[str, Any], key: str) -> dict[str, int]:
    """Return the whole numbers by name in a member."""
    members = ((name, number(count)) for name, count in part(document, key).items())
    return {name: count for name, count in members if isinstance(count, int)}


def moment_text(seconds: float | None) -> str | None:
    """Write a moment (seconds since the epoch) as ISO 8601, UTC; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat(timespec="milliseconds")


def seconds_of(text: object) -> float | None:
    """Read what :func:`moment_text` wrote, or the same with a Z; None for anything else."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None
