"""What a run has of a job's logs: where it has more than its watermark vouches for.

Steps are numbers of matches, so points that a pass wrote before it was cut off are the same points
when they are read again, unless an event with an earlier timestamp has come in between: then each
later match has another number. So they are told by timestamp and value, and keep their steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from mlflow_smwatch.core.log_progress import LogPart
from mlflow_smwatch.core.points import comparable, metric_keys
from mlflow_smwatch.core.series import Point, host_original
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.tracking.runs import RunIndex

Written = Counter[tuple[int, float | str]]
"""Timestamp and value → how many points."""


def written_points(index: RunIndex, task: Task, originals: Iterable[str]) -> dict[str, Written]:
    """Read what a run has of metrics.

    Parameters
    ----------
    index
        Asked for the history of each.
    task
        The job, whose run is known.
    originals
        The metrics.
    """
    if task.run is None:
        return {}
    given = task.watermark.given_keys
    keys = metric_keys(task.job, given, task.log_hosts, further_names=task.further_names)
    return {
        original: Counter(
            (point.timestamp_ms, comparable(point.value))
            for point in index.history(task.run.run_id, keys[original])
        )
        for original in originals
    }


def missing(points: Iterable[Point], written: Written) -> Iterator[Point]:
    """Give the points that are not written; those that are, are taken out of ``written``."""
    for point in points:
        known = (point.timestamp_ms, comparable(point.value))
        if written[known]:
            written[known] -= 1
        else:
            yield point


def recover(index: RunIndex, task: Task) -> dict[str, Written]:
    """Prepare a task whose run has points beyond its watermark to read the logs from the beginning.

    The run's own watermark stays until they are read whole (``task.recovering_from``).

    Returns
    -------
    dict
        Original → what is written of it; empty where there is nothing beyond the watermark.
    """
    keys = _log_keys(task)
    before = task.watermark
    if not any(_is_beyond(task, original, key) for original, key in keys.items()):
        return {}
    written = written_points(index, task, keys)
    counts = {original: points.total() for original, points in written.items()}
    task.recovering_from = before
    task.watermark = before.recounted(counts, keys)
    task.logs = LogPart(steps=task.watermark.points)
    return written


def _log_keys(task: Task) -> Mapping[str, str]:
    """Return original → key of the metrics from logs that the run has, except the script's own."""
    given = task.watermark.given_keys
    keys = metric_keys(task.job, given, task.log_hosts)
    have = task.run.metric_keys if task.run else frozenset()
    not_own = task.logged_keys - frozenset(given.values())
    originals = {
        host_original(definition.name, host)
        for definition in task.job.definitions
        for host in task.log_hosts
    }
    return {each: keys[each] for each in originals if keys[each] in have - not_own}


def _is_beyond(task: Task, original: str, key: str) -> bool:
    last = task.run.last_steps.get(key, -1) if task.run else -1
    return last >= task.watermark.points.get(original, 0)


def further_beyond(index: RunIndex, task: Task) -> dict[str, Written]:
    """Read what a run has of the metrics of further logs beyond its watermark.

    A pass that was cut off wrote it from events that its watermark does not vouch for.

    Parameters
    ----------
    index
        Asked for the history of each.
    task
        The job, whose streams are known.

    Returns
    -------
    dict
        Original → what is written; empty where nothing is beyond the watermark.
    """
    if task.run is None:
        return {}
    given = task.watermark.given_keys
    keys = metric_keys(task.job, given, task.log_hosts, further_names=task.further_names)
    have = task.run.metric_keys - (task.logged_keys - frozenset(given.values()))
    beyond: dict[str, Written] = {}
    for original in task.further_names:
        key, count = keys[original], task.watermark.points.get(original, 0)
        if key in have and _is_beyond(task, original, key):
            beyond[original] = Counter(
                (point.timestamp_ms, comparable(point.value))
                for point in index.history(task.run.run_id, key)
                if point.step >= count
            )
    return beyond
