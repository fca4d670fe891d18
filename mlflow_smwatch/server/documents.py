"""JSON documents that one process writes and others read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a document: who reads it finds the old one or the new one, whole.

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
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(document, indent=1), encoding="utf-8")
    beside.replace(path)


def read_document(path: Path) -> dict[str, Any]:
    """Return a document; an empty one where there is none, or none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def moment_text(seconds: float | None) -> str | None:
    """Write a moment (seconds since the epoch) as ISO 8601, UTC; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat(timespec="milliseconds")


def seconds_of(text: object) -> float | None:
    """Read what :func:`moment_text` wrote, or the same with a Z; None for anything else."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
