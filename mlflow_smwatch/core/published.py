"""What of a run is published to where: a note on the run, so that no point is put twice.

It is kept in the run's tag ``smwatch.published`` (continued in ``smwatch.published.1``, …). It is
JSON with its own schema version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.publishing import Mark
from mlflow_smwatch.core.publishing_names import Dimensions

PUBLISHED_TAG = "smwatch.published"

_VERSION = 1
_MOST_PARTS = 90
"""A request of MLflow's takes a hundred tags."""

_WAY_OUT = "delete this tag, and all points are published anew, beside those that are there"
_LONGEST_MARK = Mark(count=10**12, timestamp_ms=10**14, step=-(10**18), value=-1.0 / 3e100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where metrics of a run are published.

    Attributes
    ----------
    account, region, namespace, dimensions
        As CloudWatch knows them.
    """

    account: str
    region: str
    namespace: str
    dimensions: Dimensions


Published: TypeAlias = Mapping[Destination, Mapping[str, Mark]]
"""Destination → key of a metric → how far it is published there."""


def advanced(published: Published, to: Destination, marks: Mapping[str, Mark]) -> Published:
    """Give what is published after some more was."""
    return {**published, to: {**published.get(to, {}), **marks}}


def require_room(published: Published, to: Destination, keys: Iterable[str]) -> None:
    """Refuse more metrics than the note on a run can name.

    Raises
    ------
    JobError
        With the next step.
    """
    full = advanced(published, to, dict.fromkeys(keys, _LONGEST_MARK))
    if len(published_tags(full)) > _MOST_PARTS:
        message = "it has more metrics than can be noted on a run: choose some with --metric"
        raise JobError(message)


def published_tags(published: Published) -> dict[str, str]:
    """Write the note as tags, each within MLflow's limit for values."""
    text = json.dumps(
        {"version": _VERSION, "to": [_entry(to, marks) for to, marks in published.items()]},
        separators=(",", ":"),
    )
    parts = [text[at : at + TAG_VALUE_LIMIT] for at in range(0, len(text), TAG_VALUE_LIMIT)]
    names = [PUBLISHED_TAG, *(f"{PUBLISHED_TAG}.{number}" for number in range(1, len(parts)))]
    return dict(zip(names, parts, strict=True))


def read_published(tags: Mapping[str, str]) -> Published:
    """Read the note of a run; what an earlier, longer one left behind its end is not read.

    Raises
    ------
    JobError
        When it is not readable, or of another version of this package.
    """
    if PUBLISHED_TAG not in tags:
        return {}
    text, number = tags[PUBLISHED_TAG], 1
    while (part := tags.get(f"{PUBLISHED_TAG}.{number}")) is not None:
        text, number = text + part, number + 1
    try:
        content, _ = json.JSONDecoder().raw_decode(text)
        if content["version"] != _VERSION:
            message = f"the run's tag {PUBLISHED_TAG} is of another smwatch: use that, or upgrade"
            raise JobError(message)
        return dict(_read(each) for each in content["to"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        message = f"the run's tag {PUBLISHED_TAG} is not readable: {_WAY_OUT}"
        raise JobError(message) from error


def _entry(to: Destination, marks: Mapping[str, Mark]) -> dict[str, Any]:
    return {
        "account": to.account,
        "region": to.region,
        "namespace": to.namespace,
        "dimensions": dict(to.dimensions),
        "metrics": {
            key: [mark.count, mark.timestamp_ms, mark.step, mark.value]
            for key, mark in sorted(marks.items())
        },
    }


def _read(entry: Any) -> tuple[Destination, dict[str, Mark]]:  # noqa: ANN401 - what JSON gives
    to = Destination(
        account=str(entry["account"]),
        region=str(entry["region"]),
        namespace=str(entry["namespace"]),
        dimensions=tuple((str(name), str(value)) for name, value in entry["dimensions"].items()),
    )
    return to, {str(key): _mark(each) for key, each in entry["metrics"].items()}


def _mark(entry: Any) -> Mark:  # noqa: ANN401 - what JSON gives
    count, timestamp_ms, step, value = entry
    if not all(type(each) is int for each in (count, timestamp_ms, step)):
        message = "a mark is not what it was"
        raise TypeError(message)
    return Mark(count=count, timestamp_ms=timestamp_ms, step=step, value=float(value))
