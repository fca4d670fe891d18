"""How many series of an endpoint's instances are mirrored, and when its run may forget one.

Instances come and go with automatic scaling, and with them the series that name them: a run that
goes on for months would note ever more of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TypeAlias

from mlflow_smwatch.core.endpoint_series import PASSING, remembered_series
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_series import steady_series
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.watermark import Watermark

INSTANCE_METRICS_LIMIT = 500
"""How many metrics of instances and their containers are mirrored of one endpoint, each with all
its statistics: five of a hundred instances."""

_Metric: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]


def bounded(
    series: Iterable[Series], remembered: Collection[str], limit: int = INSTANCE_METRICS_LIMIT
) -> tuple[tuple[Series, ...], int]:
    """Leave out what is too much of an endpoint's instances.

    Parameters
    ----------
    series
        Of one endpoint.
    remembered
        Originals that its run knows; these stay before others come.
    limit
        How many metrics of instances there may be.

    Returns
    -------
    tuple
        The series that are left, in their order, and how many metrics are left out.
    """
    given, known = tuple(series), frozenset(remembered)
    metrics: dict[_Metric, tuple[bool, str]] = {}
    for each in given:
        if not PASSING.isdisjoint(dict(each.dimensions)):
            rank = (each.original not in known, each.original)
            metrics[_metric(each)] = min(rank, metrics.get(_metric(each), rank))
    left_out = frozenset(sorted(metrics, key=metrics.__getitem__)[limit:])
    return tuple(each for each in given if _metric(each) not in left_out), len(left_out)


def pruned(job: Job, watermark: Watermark) -> Watermark:
    """Forget the series of an endpoint that are not asked for any more; their points stay.

    Should one be asked for again, it is read from the beginning next to what the run has of it.

    Parameters
    ----------
    job
        The endpoint, with all series that are asked for.
    watermark
        Of its run.
    """
    asked = frozenset(each.original for each in steady_series(job))
    past = {
        original
        for original in watermark.points.keys() - asked
        if remembered_series(job.name, original)
    }
    if not past:
        return watermark
    return replace(
        watermark,
        points={key: count for key, count in watermark.points.items() if key not in past},
        keys={original: key for original, key in watermark.keys.items() if original not in past},
    )


def _metric(series: Series) -> _Metric:
    return series.namespace, series.metric_name, series.dimensions
