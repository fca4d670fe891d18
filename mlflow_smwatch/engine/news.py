"""Whether a run is to be written: what of its job is new to it, its points apart."""

from __future__ import annotations

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import DAY_MS
from mlflow_smwatch.engine.run_states import is_ended_otherwise
from mlflow_smwatch.engine.task import Task


def is_renewed(task: Task, run: KnownRun) -> bool:
    """Whether a run is to be written although its facts are the same.

    Its job's group may have got a run by now; its script may have ended it after the last pass; and
    what is endless was changed, if only for a while.
    """
    parent = dict(task.record.tags).get(names.PARENT)
    gains_parent = run.mirrored and parent is not None and names.PARENT not in run.tags
    changed = task.job.modified_ms != task.watermark.modified_ms
    reopened = task.watermark.final and is_ended_otherwise(run, task.record)
    return gains_parent or reopened or (task.job.kind.endless and changed)


def has_other_alarms(task: Task, run: KnownRun) -> bool:
    """Whether the alarms on a job are others, or in another state, than its run shows."""
    if task.alarms.tags is None:
        return False
    shown = {key: text for key, text in run.tags.items() if key.startswith(names.ALARM_PREFIX)}
    return dict(task.alarms.tags) != shown


def has_moved_far(before: Watermark, after: Watermark) -> bool:
    """Whether so much was read without a point that it is noted, lest each pass read it again."""
    if before.read_to_ms is None or after.read_to_ms is None:
        return False
    return after.read_to_ms - before.read_to_ms > DAY_MS


def state(watermark: Watermark) -> tuple[object, ...]:
    """Give what a user sees of a watermark, apart from its points."""
    return (
        watermark.final,
        watermark.source,
        watermark.document,
        watermark.fingerprint,
        dict(watermark.streams),
        dict(watermark.alarms),
        watermark.logs_denied,
        watermark.final and watermark.modified_ms,
    )
