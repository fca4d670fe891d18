"""Looks into MLflow databases from outside, to count and to compare."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

_CHANGE_COUNTER = slice(24, 28)
_ALL_POINTS = """
    SELECT tags.value, metrics.key, metrics.value, metrics.timestamp, metrics.step
    FROM metrics JOIN tags ON tags.run_uuid = metrics.run_uuid AND tags.key = 'mlflow.runName'
    WHERE metrics.key NOT LIKE 'sagemaker/%'
"""


def transactions(uri: str) -> int:
    """Return how many transactions have changed a SQLite database.

    The file change counter of the header ("Database File Format", 1.3.10; it counts each
    transaction in the journal mode that MLflow uses); 0 for other databases.
    """
    if not uri.startswith("sqlite"):
        return 0
    with Path(uri.removeprefix("sqlite:///")).open("rb") as file:
        return int.from_bytes(file.read(100)[_CHANGE_COUNTER], "big")


def same_points(mirrored: Path, copied: Path, names: Collection[str]) -> bool:
    """Whether two databases hold the same CloudWatch points of the named jobs, and any at all."""
    points = _points(mirrored, names)
    return bool(points) and points == _points(copied, names)


def series(path: Path) -> dict[str, dict[str, list[tuple[float, ...]]]]:
    """Return all points but the durations: job → key → (timestamp, step, value), in that order."""
    found: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    with closing(sqlite3.connect(path)) as connection:
        for job, key, value, timestamp_ms, step in connection.execute(_ALL_POINTS):
            found.setdefault(job, {}).setdefault(key, []).append((timestamp_ms, step, value))
    return {
        job: {key: sorted(points) for key, points in by_key.items()}
        for job, by_key in found.items()
    }


def _points(path: Path, names: Collection[str]) -> list[tuple[object, ...]]:
    wanted = set(names)
    with closing(sqlite3.connect(path)) as connection:
        return sorted(row for row in connection.execute(_ALL_POINTS) if row[0] in wanted)
