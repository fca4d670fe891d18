"""Params, tags and points → batches that MLflow takes whole.

A batch holds at most 1,000 entities in all, 100 of them params and 100 tags, in at most 1 MB of
JSON. ``MlflowClient.log_batch`` splits a larger one silently and sends the tags with its *first*
part; a crash would then leave a watermark ahead of its points. So batches are cut here, and the
watermark goes with the last one; one that is too large for that is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlflow.entities import Metric, Param, RunTag

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.points import MetricPoint

MAX_ENTITIES = 1000
MAX_PARAMS = 100
MAX_TAGS = 100
MAX_NOTES = 90
"""The watermark and other notes: what is sent at once, with room for what MLflow adds."""

MAX_BYTES = 900_000
_ENTITY_BYTES = 160
_TOO_MANY = (
    "the mirror's notes on this run take {count} tags, more than MLflow's API writes at once"
    f" ({MAX_NOTES}): fewer series, percentiles or sources of it, or a store that is a database"
)


@dataclass(slots=True)
class Batch:
    """The arguments of one ``log_batch`` call."""

    params: list[Param] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    tags: list[RunTag] = field(default_factory=list)
    size_bytes: int = 0

    def takes(self, entity: Param | Metric | RunTag) -> bool:
        """Whether one more entity is within every limit."""
        count = len(self.params) + len(self.metrics) + len(self.tags)
        return (
            count < MAX_ENTITIES
            and self.size_bytes + _json_bytes(entity) <= MAX_BYTES
            and not (isinstance(entity, Param) and len(self.params) == MAX_PARAMS)
            and not (isinstance(entity, RunTag) and len(self.tags) == MAX_TAGS)
        )

    def add(self, entity: Param | Metric | RunTag) -> None:
        """Take an entity in."""
        self.size_bytes += _json_bytes(entity)
        if isinstance(entity, Param):
            self.params.append(entity)
        elif isinstance(entity, Metric):
            self.metrics.append(entity)
        else:
            self.tags.append(entity)


def batches(
    params: Mapping[str, str],
    points: Iterable[MetricPoint],
    facts: Mapping[str, str],
    notes: Mapping[str, str],
) -> Iterator[Batch]:
    """Cut what is to be written of one run into batches.

    Parameters
    ----------
    params
        New params.
    points
        New points.
    facts
        Changed tags, in any batch.
    notes
        The watermark and the mirror's other notes; they stand together in the last batch, after
        every param, point and fact.

    Yields
    ------
    Batch
        At least one if there is anything to write.

    Raises
    ------
    JobError
        When the notes are more than can be sent at once; nothing is to be written then.
    """
    if len(notes) > MAX_NOTES:
        raise JobError(_TOO_MANY.format(count=len(notes)))
    batch = Batch()
    for entity in _entities(params, points, facts):
        if not batch.takes(entity):
            yield batch
            batch = Batch()
        batch.add(entity)
    last = [RunTag(key, value) for key, value in notes.items()]
    if not _takes_all(batch, last):
        yield batch
        batch = Batch()
    for tag in last:
        batch.add(tag)
    if batch.size_bytes:
        yield batch


def _entities(
    params: Mapping[str, str], points: Iterable[MetricPoint], facts: Mapping[str, str]
) -> Iterator[Param | Metric | RunTag]:
    yield from (Param(key, value) for key, value in params.items())
    yield from (RunTag(key, value) for key, value in facts.items())
    yield from (Metric(each.key, each.value, each.timestamp_ms, each.step) for each in points)


def _takes_all(batch: Batch, tags: list[RunTag]) -> bool:
    count = len(batch.params) + len(batch.metrics) + len(batch.tags) + len(tags)
    size = batch.size_bytes + sum(_json_bytes(tag) for tag in tags)
    return count <= MAX_ENTITIES and len(batch.tags) + len(tags) <= MAX_TAGS and size <= MAX_BYTES


def _json_bytes(entity: Param | Metric | RunTag) -> int:
    text = entity.key if isinstance(entity, Metric) else entity.key + entity.value
    return len(json.dumps(text)) + _ENTITY_BYTES
