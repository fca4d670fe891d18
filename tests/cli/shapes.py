"""The documented shapes of ``--json``: exact keys, types of values."""

from __future__ import annotations

from typing import Any

TEXT_OR_NONE = (str, type(None))
NUMBER = (int, float)

SYNC: dict[Any, Any] = {
    "jobs": {"seen": int, "created": int, "updated": int, "unchanged": int, "failed": int},
    "points": int,
    "aws_calls": {str: int},
    "estimated_cost_usd": NUMBER,
    "seconds": NUMBER,
    "runs": [
        {
            "arn": str,
            "kind": str,
            "name": str,
            "run_id": str,
            "experiment_id": str,
            "experiment": str,
            "status": str,
            "points": int,
            "url": TEXT_OR_NONE,
        }
    ],
    "failed": [{"arn": str, "error": str}],
    "warnings": [{"arn": TEXT_OR_NONE, "warning": str}],
}

FORECAST = {
    **SYNC,
    "dry_run": bool,
    "runs": [
        {**SYNC["runs"][0], "run_id": TEXT_OR_NONE, "experiment_id": TEXT_OR_NONE},
    ],
}

STATUS: dict[Any, Any] = {
    "tracking_uri": str,
    "runs": int,
    "final": int,
    "open": int,
    "points": int,
    "synced_at": TEXT_OR_NONE,
    "kinds": {str: int},
    "statuses": {str: int},
    "metric_sources": {str: int},
    "experiments": [{"experiment": str, "experiment_id": str, "runs": int, "url": TEXT_OR_NONE}],
    "attention": [
        {
            "arn": str,
            "name": str,
            "run_id": str,
            "status": str,
            "final": bool,
            "synced_at": TEXT_OR_NONE,
            "warning": TEXT_OR_NONE,
            "url": TEXT_OR_NONE,
        }
    ],
}


def misfits(value: Any, shape: Any, where: str = "document") -> list[str]:
    """Name every place where a value differs from a shape.

    A shape is a type, a tuple of types, a list of one shape, a mapping of exact keys, or a mapping
    of one type to a shape for keys that are free.
    """
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [
            m for at, item in enumerate(value) for m in misfits(item, shape[0], f"{where}[{at}]")
        ]
    if isinstance(shape, dict):
        return _mapping_misfits(value, shape, where)
    types = shape if isinstance(shape, tuple) else (shape,)
    fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    return [] if fits else [f"{where} is {value!r}"]


def _mapping_misfits(value: Any, shape: dict[Any, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is no mapping"]
    if set(shape) == {str}:
        return [
            m for key, item in value.items() for m in misfits(item, shape[str], f"{where}.{key}")
        ]
    if set(value) != set(shape):
        return [f"{where} has the keys {sorted(value)}"]
    return [m for key in shape for m in misfits(value[key], shape[key], f"{where}.{key}")]
