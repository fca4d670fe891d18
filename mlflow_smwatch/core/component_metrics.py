"""Metrics of a trial component that is no job's: series where they can be read, else summaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.points import MetricPoint, series_points, summary_points

Iteration: TypeAlias = tuple[int, int, float]
"""Iteration number, timestamp (ms) and value (``BatchGetMetrics``)."""


def component_points(
    job: Job, keys: Mapping[str, str], iterations: Mapping[str, Sequence[Iteration]]
) -> Iterator[MetricPoint]:
    """Give every point of a trial component's metrics; of a summary, only once it is settled.

    Parameters
    ----------
    job
        The component; other jobs have none.
    keys
        Original → key.
    iterations
        Metric name → its series; those that cannot be read are absent.
    """
    for name, series in iterations.items():
        yield from series_points(keys, name, series)
    if job.ended:
        summed = tuple(each for each in job.summaries if each.name not in iterations)
        yield from summary_points(replace(job, summaries=summed), keys)
