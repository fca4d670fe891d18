"""What one pass read of one job → the points that are new and the next watermark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlflow_smwatch.core.alarm_history import alarm_points, furthest
from mlflow_smwatch.core.alarms import AlarmReading
from mlflow_smwatch.core.component_metrics import Iteration, component_points
from mlflow_smwatch.core.endpoint_bounds import pruned
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_series import steady_series
from mlflow_smwatch.core.log_progress import LogPart, advance, advance_further
from mlflow_smwatch.core.overlap import Look, fresh, unwritten
from mlflow_smwatch.core.points import (
    COST,
    DEPLOYMENT,
    MetricPoint,
    cloudwatch_points,
    cost_points,
    count_points,
    deployment_points,
    duration_points,
    final_points,
    metric_keys,
)
from mlflow_smwatch.core.series import Point, metric_of
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading

CLOUDWATCH = "cloudwatch"
FINAL = "final"
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was read of one job.

    Attributes
    ----------
    series
        Original key → points of the windows that were read, in time order; empty series included.
    reading
        The plan that was followed.
    denied
        Which metrics of the chosen source, or of the hosts, could not be read, in words.
    iterations
        Metric name → its series, of a trial component that is no job's; those that cannot be read
        are absent.
    logs
        What was read of the logs and is not written yet.
    log_hosts
        Hosts whose logs were read.
    logs_denied
        Why the logs could not be read, in words.
    further
        What was read of further logs and is not written yet.
    further_names
        Original → name of their metrics.
    further_whole
        Whether nothing of them was denied.
    further_read
        Whether nothing of them was left for a later pass.
    described
        False where a part of the job's description could not be read.
    metrics
        False where the user wants no metrics.
    cost_usd
        What the job's instances came to, None where that is not known. Prices change: what a run
        has is never written again.
    made
        Whether this pass made the run, so that it has nothing but what the watermark says.
    counts
        Original → what was counted of its reports.
    alarms
        What was read of the alarms that watch the job.
    """

    series: Mapping[str, Sequence[Point]]
    reading: Reading
    denied: tuple[str, ...] = ()
    iterations: Mapping[str, Sequence[Iteration]] = field(default_factory=dict)
    logs: LogPart = field(default_factory=lambda: LogPart(steps={}))
    log_hosts: tuple[str, ...] = ()
    logs_denied: tuple[str, ...] = ()
    further: LogPart = field(default_factory=lambda: LogPart(steps={}))
    further_names: Mapping[str, str] = field(default_factory=dict)
    further_whole: bool = True
    further_read: bool = True
    described: bool = True
    metrics: bool = True
    cost_usd: float | None = None
    made: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    alarms: AlarmReading = field(default_factory=AlarmReading)

    @property
    def whole(self) -> bool:
        """Whether nothing was denied."""
        read = self.described and self.alarms.whole and self.further_whole
        return read and not self.denied and not self.logs_denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is to be written.

    Attributes
    ----------
    points
        New points, series by series, each in time order.
    watermark
        What will be true once they are written.
    """

    points: tuple[MetricPoint, ...]
    watermark: Watermark


def progress(
    job: Job,
    before: Watermark,
    measured: Measured,
    *,
    logged_keys: frozenset[str] = frozenset(),
    written: Callable[[str], Iterable[WrittenPoint]],
    give_up_denied: bool = False,
) -> Progress:
    """Tell the new points from those that are written, and advance the watermark.

    Parameters
    ----------
    job
        The job.
    before
        The run's watermark.
    measured
        What was read.
    logged_keys
        Metric keys of a run that the job logs itself; those that the watermark does not claim are
        the script's and are never sent. Empty for a run of the mirror's own: what it holds without
        a watermark is what a pass wrote before it was cut off.
    written
        MLflow key → points that the run has of it; asked only where a window was read twice and
        holds another number of points than before, or a trial component's metric was; and of what
        the job cost, once.
    give_up_denied
        Whether a denied part no longer keeps an ended job open.

    Returns
    -------
    Progress
    """
    changes = measured.alarms.changes
    given = before.given_keys
    keys = metric_keys(
        job,
        given,
        measured.log_hosts,
        changes,
        measured.counts,
        further_names=measured.further_names,
    )
    not_sent = logged_keys - frozenset(before.given_keys.values())
    points: list[MetricPoint] = []
    logged: list[MetricPoint] = []
    undecided = NONE if before.source == NONE else None
    if undecided:
        before = replace(before, source=None)
    look = Look.at(job, before, measured.reading)
    logged, before = advance(before, measured.logs, keys, not_sent)
    further, before = advance_further(before, measured.further, keys, not_sent)
    logged += further
    for original, found in measured.series.items():
        if keys[original] not in not_sent and _is_of_source(original, before.source):
            new = fresh(original, keys[original], found, look, written)
            points += cloudwatch_points(job, keys, original, new)
    source = before.source or _source(points)
    if measured.metrics:
        points += _not_logged(_told(job, keys, before, measured, written), not_sent)
    read = measured.reading.complete and measured.further_read
    complete = read and (give_up_denied or measured.whole)
    looked = measured.metrics and (bool(measured.reading.windows) or not before.final)
    if measured.reading.complete and looked:
        points += _not_logged(duration_points(job, keys, before.measured), not_sent)
        cost, before = _cost(job, keys, before, measured, written)
        points += _not_logged(cost, not_sent)
    if complete and looked:
        have = before.measured | {point.original for point in points}
        last = () if measured.denied else final_points(job, keys, have)
        points += _not_logged(last, not_sent)
        source = source or _source(points, otherwise=FINAL) or NONE
    counts: dict[str, int] = {}
    for point in points:
        counts[point.original] = counts.get(point.original, 0) + 1
    after = replace(
        _asked(job, before.advanced(counts, keys), keys, measured),
        source=source or undecided,
        final=complete and (measured.metrics or before.read_to_ms is None),
        modified_ms=job.modified_ms,
        read_to_ms=_read_to(before, measured),
        logs_denied=bool(measured.logs_denied),
        alarms=furthest(before.alarms, changes),
    )
    return Progress(points=(*logged, *points), watermark=after)


def _told(
    job: Job,
    keys: Mapping[str, str],
    before: Watermark,
    measured: Measured,
    written: Callable[[str], Iterable[WrittenPoint]],
) -> Iterator[MetricPoint]:
    """Give the new points that neither CloudWatch's series nor logs tell."""
    iterations = component_points(job, keys, measured.iterations)
    yield from unwritten(iterations, before, measured.iterations, written)
    yield from _deployed(job, keys, before, written)
    yield from alarm_points(job, keys, measured.alarms.changes, before.alarms)
    if measured.reading.complete:
        yield from count_points(job, keys, measured.counts, before.measured)


def _asked(
    job: Job, watermark: Watermark, keys: Mapping[str, str], measured: Measured
) -> Watermark:
    """Note which series of what never ends are read as far as all its others, and no others.

    Where nothing was to be read yet, all are; one that was refused is not.
    """
    if not (job.kind.endless and measured.metrics):
        return watermark
    series = measured.series.keys()
    if watermark.read_to_ms is None and not measured.reading.windows:
        series = {each.original: None for each in steady_series(job)}.keys()
    asked = watermark.asked(series, keys)
    if measured.series and measured.reading.windows:
        asked = pruned(job, asked)
    return _begun(job, asked, measured)


def _begun(job: Job, watermark: Watermark, measured: Measured) -> Watermark:
    """Note where the first reading begins that leaves out a part of the life."""
    first = next(iter(measured.reading.windows), None)
    if first is None or watermark.read_to_ms is not None or first.start_ms <= job.created_ms:
        return watermark
    return replace(watermark, read_from_ms=first.start_ms)


def _cost(
    job: Job,
    keys: Mapping[str, str],
    before: Watermark,
    measured: Measured,
    written: Callable[[str], Iterable[WrittenPoint]],
) -> tuple[list[MetricPoint], Watermark]:
    """Give what the job came to, unless the run has it.

    A pass that was cut off may have written it, at another price: that stays.
    """
    usd = measured.cost_usd
    if usd is None or COST in before.measured:
        return [], before
    have = set() if measured.made else {each.value for each in written(keys[COST])}
    if have <= {usd}:
        return list(cost_points(job, keys, usd)), before
    return [], before.advanced({COST: 1}, keys)


def _deployed(
    job: Job,
    keys: Mapping[str, str],
    before: Watermark,
    written: Callable[[str], Iterable[WrittenPoint]],
) -> Iterable[MetricPoint]:
    """Give the deployments of an endpoint that its run does not number yet."""
    count = before.points.get(DEPLOYMENT, 0)
    if not job.deployments.known or count == job.deployments.count:
        return ()
    have = {each.timestamp_ms for each in written(keys[DEPLOYMENT])} if count else set()
    return deployment_points(job, keys, have)


def _not_logged(points: Iterable[MetricPoint], logged: frozenset[str]) -> list[MetricPoint]:
    return [point for point in points if point.key not in logged]


def _is_of_source(original: str, source: str | None) -> bool:
    """Whether CloudWatch may give points of a series: one curve never mixes two sources."""
    return metric_of(original) is None or source in {None, CLOUDWATCH}


def _source(points: Iterable[MetricPoint], otherwise: str = CLOUDWATCH) -> str | None:
    return otherwise if any(metric_of(point.original) is not None for point in points) else None


def _read_to(before: Watermark, measured: Measured) -> int | None:
    """Move on also past a series that was refused: the last look reads the whole life again.

    A last look of which a part was refused is planned once more from where it began.
    """
    reading = measured.reading
    if not measured.series or not reading.windows or (reading.complete and measured.denied):
        return before.read_to_ms
    return reading.windows[-1].end_ms
