"""What AWS measured of a job → the points of its MLflow run, with their keys and steps."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_series import steady_series
from mlflow_smwatch.core.keys import assign_keys
from mlflow_smwatch.core.series import (
    FIRST_HOST,
    Point,
    host_original,
    metric_of,
    metric_original,
    name_of,
    step_of,
)

_LARGEST = sys.float_info.max
_BILLABLE = "sagemaker/billable_seconds"
_PHASE = "sagemaker/phase_seconds/"
COST = "sagemaker/cost_usd"
"""Original of the series that holds what a job's instances came to."""

DEPLOYMENT = "sagemaker/deployment"
"""Original of the series that numbers an endpoint's deployments."""

_STATS = ("min", "max", "avg", "stddev")


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One point of an MLflow metric.

    Attributes
    ----------
    original
        The key before MLflow's rules were applied; names the series in the watermark.
    key
        The MLflow metric key.
    value
        As AWS gave it.
    timestamp_ms
        Milliseconds since the epoch, as AWS gave it.
    step
        MLflow's step.
    """

    original: str
    key: str
    value: float
    timestamp_ms: int
    step: int


def metric_keys(
    job: Job,
    given: Mapping[str, str],
    log_hosts: Iterable[str] = (),
    alarms: Iterable[str] = (),
    counted: Iterable[str] = (),
    further_names: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Assign MLflow keys to every metric that a job may have.

    Metric names are settled first, over all definitions and summaries, then names that carry a host
    or a statistic.

    Parameters
    ----------
    job
        The job.
    given
        Original → key of the series that already have points; these stay.
    log_hosts
        Hosts whose logs are read for algorithm metrics.
    alarms
        Originals of the series that show alarms.
    counted
        Originals of what was counted of its reports.
    further_names
        Original → name of the metrics of further logs.

    Returns
    -------
    dict[str, str]
        Original → key.
    """
    keys = dict(given)
    metrics = (*job.metric_names, *(summary.name for summary in job.summaries))
    keys.update(_assigned({metric_original(name): name for name in metrics}, keys))
    with_host = {
        host_original(name, host): f"{name}/{host}"
        for host in log_hosts
        if host != FIRST_HOST
        for name in job.metric_names
    }
    steady = (each.original for each in steady_series(job))
    with_host.update({original: name_of(original) for original in (*steady, *alarms)})
    with_host.update(
        {f"{each.name}\n{stat}": f"{each.name}/{stat}" for each in job.summaries for stat in _STATS}
    )
    with_host.update(further_names or {})
    keys.update(_assigned(with_host, keys))
    durations = {original: original for original, _ in _durations(job)}
    deployed = {DEPLOYMENT: DEPLOYMENT} if job.deployments.known else {}
    keys.update(_assigned(durations | deployed | ({COST: COST} if job.usage else {}), keys))
    keys.update(_assigned({original: original for original in counted}, keys))
    return keys


def _assigned(names: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    """Assign keys to the originals that have none; names are what the keys are made of."""
    waiting = {original: name for original, name in names.items() if original not in keys}
    assigned: dict[str, str] = {}
    while waiting:
        originals: dict[str, str] = {}
        for original, name in sorted(waiting.items()):
            originals.setdefault(name, original)
        taken = (*keys.values(), *assigned.values())
        for name, key in assign_keys(originals, taken=taken).items():
            assigned[originals[name]] = key
            del waiting[originals[name]]
    return assigned


def cloudwatch_points(
    job: Job, keys: Mapping[str, str], original: str, points: Iterable[Point]
) -> Iterator[MetricPoint]:
    """Turn the points of one CloudWatch series into metric points."""
    for point in points:
        step = step_of(point.timestamp_ms, job.created_ms)
        yield MetricPoint(original, keys[original], point.value, point.timestamp_ms, step)


def comparable(value: float) -> float | str:
    """Return a value as MLflow's SQL stores keep it, NaN as a word, so that equal values are equal.

    They keep an infinity as the largest number of its sign.
    """
    return "NaN" if math.isnan(value) else max(-_LARGEST, min(_LARGEST, value))


def log_points(
    keys: Mapping[str, str], original: str, points: Iterable[Point], first_step: int
) -> Iterator[MetricPoint]:
    """Turn the matches of one metric on one host into metric points, numbered on from a step."""
    for step, point in enumerate(points, first_step):
        yield MetricPoint(original, keys[original], point.value, point.timestamp_ms, step)


def final_points(
    job: Job, keys: Mapping[str, str], measured: Iterable[str]
) -> Iterator[MetricPoint]:
    """Take ``FinalMetricDataList`` for the metrics that the chosen source has no point of.

    Parameters
    ----------
    job
        A job whose source was read to the end.
    keys
        Original → key.
    measured
        Originals of the series that have a point, on whichever host.
    """
    have = {metric_of(original) for original in measured}
    for final in job.final_metrics:
        original = metric_original(final.name)
        if final.name not in have:
            have.add(final.name)
            step = step_of(final.timestamp_ms, job.created_ms)
            yield MetricPoint(original, keys[original], final.value, final.timestamp_ms, step)


def series_points(
    keys: Mapping[str, str], name: str, series: Iterable[tuple[int, int, float]]
) -> Iterator[MetricPoint]:
    """Turn the series of a trial component's metric into metric points.

    Parameters
    ----------
    keys
        Original → key.
    name
        Of the metric.
    series
        Iteration number, timestamp (ms) and value of each point; the number is the step.
    """
    original = metric_original(name)
    for iteration, timestamp_ms, value in series:
        yield MetricPoint(original, keys[original], value, timestamp_ms, iteration)


def summary_points(job: Job, keys: Mapping[str, str]) -> Iterator[MetricPoint]:
    """Give what a trial component's summaries tell: the last value, of several the extremes too.

    All are at the time of the last value and at step 0.
    """
    for summary in job.summaries:
        values = {metric_original(summary.name): summary.last}
        if summary.count > 1:
            spread = (summary.minimum, summary.maximum, summary.average, summary.deviation)
            stats = zip(_STATS, spread, strict=True)
            values.update({f"{summary.name}\n{stat}": value for stat, value in stats})
        for original, value in values.items():
            if value is not None:
                yield MetricPoint(original, keys[original], value, summary.timestamp_ms, 0)


def duration_points(
    job: Job, keys: Mapping[str, str], written: Collection[str]
) -> Iterator[MetricPoint]:
    """Give the durations of an ended job in seconds, each once, at step 0 and the job's end."""
    if job.ended_ms is None:
        return
    for original, seconds in _durations(job):
        if original not in written:
            yield MetricPoint(original, keys[original], seconds, job.ended_ms, 0)


def cost_points(job: Job, keys: Mapping[str, str], usd: float) -> Iterator[MetricPoint]:
    """Give what an ended job's instances came to, at step 0 and the job's end."""
    if job.ended_ms is not None:
        yield MetricPoint(COST, keys[COST], usd, job.ended_ms, 0)


def deployment_points(
    job: Job, keys: Mapping[str, str], written: Collection[int]
) -> Iterator[MetricPoint]:
    """Give the numbers of an endpoint's deployments, each at the time since when it is in service.

    Parameters
    ----------
    job
        An endpoint.
    keys
        Original → key.
    written
        Times (ms) of those that the run has.
    """
    for number, each in job.deployments.numbered():
        if each.at_ms not in written:
            step = step_of(each.at_ms, job.created_ms)
            yield MetricPoint(DEPLOYMENT, keys[DEPLOYMENT], float(number), each.at_ms, step)


def count_points(
    job: Job, keys: Mapping[str, str], counts: Mapping[str, int], written: Collection[str]
) -> Iterator[MetricPoint]:
    """Give what was counted of an ended job's reports, each once, at step 0 and the job's end."""
    if job.ended_ms is not None:
        for original, count in counts.items():
            if original not in written:
                yield MetricPoint(original, keys[original], float(count), job.ended_ms, 0)


def _durations(job: Job) -> Iterator[tuple[str, float]]:
    if job.billable_s is not None:
        yield _BILLABLE, float(job.billable_s)
    for phase in job.phases:
        yield f"{_PHASE}{phase.status}", phase.duration_ms / 1000
