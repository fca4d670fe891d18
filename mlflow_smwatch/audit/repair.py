"""Adds what an audit found missing in MLflow, and says what cannot be put right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count as numbers

from mlflow_smwatch.audit.audited import Audited, History
from mlflow_smwatch.audit.auditor import Mended
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.compare import Difference, Value, What
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import JobError, StopError
from mlflow_smwatch.core.further_logs import is_of_stream
from mlflow_smwatch.core.log_progress import LOGS
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint, comparable
from mlflow_smwatch.core.progress import NONE
from mlflow_smwatch.core.series import metric_of
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.mirror import sync
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import Failure, RunLine
from mlflow_smwatch.tracking.run_update import RunUpdate

_KEPT = "MLflow keeps every point once written"
_STAYS: Mapping[What, str] = {
    "revised": f"{{}} revised by CloudWatch, not changed: {_KEPT}",
    "extra": f"{{}} that AWS does not have, not removed: {_KEPT}",
    "doubled": f"{{}} there more often than in AWS, not removed: {_KEPT}",
    "step": f"{{}} at a wrong step, not changed: {_KEPT}",
}


def mirror_again(options: SyncOptions, runs: Mapping[str, Difference]) -> Mended:
    """Make runs that are missing, remove doubled ones: what an ordinary pass does.

    Parameters
    ----------
    options
        Of the audit.
    runs
        ARN → what was found.
    """
    try:
        report = sync(replace(options, names=tuple(sorted(runs))))
    except StopError as error:
        return not_mirrored(runs, error)
    repaired = tuple(_mirrored(line, runs[line.arn]) for line in report.runs)
    return Mended(repaired=repaired, failed=tuple(report.failed))


def not_mirrored(arns: Iterable[str], error: StopError) -> Mended:
    """Say of jobs that their runs stay as they are, because nothing more can be done."""
    return Mended(failed=tuple(Failure(arn, str(error)) for arn in sorted(arns)))


class Repairer:
    """Repairs runs, each right after it was compared; called from several threads.

    Parameters
    ----------
    context
        What all jobs of the audit share.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context

    def mend(self, audited: Audited, differences: Sequence[Difference], history: History) -> Mended:
        """Add what is missing; nothing else of the run is touched.

        Parameters
        ----------
        audited
            The job with its run.
        differences
            Those between them.
        history
            Gives what the run has.

        Raises
        ------
        JobError
            When another mirror changed the run in the meantime, or MLflow refuses.
        StopError
            When nothing more can be done.
        """
        run = self._unchanged(audited)
        mending = _Mending.of(audited, differences, history)
        self._write(run, audited, mending)
        name = audited.task.job.name
        return Mended(
            repaired=tuple(f"{name}: {each}" for each in mending.added()),
            left=tuple(f"{name}: {each}" for each in mending.stays()),
        )

    def _unchanged(self, audited: Audited) -> KnownRun:
        """Look at the run again; another mirror may have written it since it was compared."""
        run = self._pass.index.reread(audited.run)
        now, then = run.watermark, audited.known
        if not run.active or now is None or _written(now) != _written(then):
            message = "the run was changed while it was compared: verify it again"
            raise JobError(message)
        return run

    def _write(self, run: KnownRun, audited: Audited, mending: _Mending) -> None:
        update = RunUpdate(
            run=run,
            record=audited.task.record,
            status=True,
            interrupted=True,
            kept=(names.RESOURCE_TAG_PREFIX,) if audited.task.undescribed else (),
        )
        if mending.status:
            self._pass.writer.write_record(update)
        if not (mending.params or mending.points):
            return
        notes = {
            **{key: run.tags[key] for key in (names.WARNING, names.FINAL) if key in run.tags},
            names.SYNCED_AT: iso_utc(self._pass.now_ms),
        }
        if mending.points:
            after = mending.watermark(run.watermark or audited.known)
            if not run.mirrored and after.given_keys != audited.known.given_keys:
                claim = audited.known.claiming(after)
                self._pass.writer.write_tags(run, to_tags(claim))
            notes |= {**to_tags(after), names.METRIC_SOURCE: after.source or NONE}
        params = {key: value for key, value in update.params.items() if key in mending.params}
        self._pass.writer.write_points(run, mending.points, notes, params)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mending:
    """What is to be done to one run, and what cannot be.

    Attributes
    ----------
    audited
        The job with its run.
    differences
        Those of the run, its status, params and points.
    points
        The points to be added.
    """

    audited: Audited
    differences: Sequence[Difference]
    points: tuple[MetricPoint, ...]

    @classmethod
    def of(cls, audited: Audited, differences: Sequence[Difference], history: History) -> _Mending:
        lacking = Counter(
            (str(each.key), each.timestamp or 0, each.aws)
            for each in differences
            if each.what == "missing"
        )
        keys = {key for key, _, _ in lacking}
        by_key: dict[str, list[MetricPoint]] = {key: [] for key in sorted(keys)}
        for point in audited.points:
            if point.key in by_key and _fits(audited, point):
                by_key[point.key].append(point)
        points = [
            placed
            for key, series in by_key.items()
            for placed in _placed(
                series, lacking, {point.step for point in history(key)}, audited.logged
            )
        ]
        return cls(audited=audited, differences=differences, points=tuple(points))

    @property
    def status(self) -> Difference | None:
        return next((each for each in self.differences if each.what == "status"), None)

    @property
    def params(self) -> frozenset[str | None]:
        """Keys of the params that the run lacks."""
        return frozenset(
            each.key for each in self.differences if each.what == "param" and each.mlflow is None
        )

    def added(self) -> Iterator[str]:
        """Say what is added."""
        if self.status:
            record = self.audited.task.record
            ended = f", ended {iso_utc(record.end_ms)}" if record.end_ms is not None else ""
            yield f"status {record.status}{ended}"
        yield from (f"param {key}" for key in sorted(filter(None, self.params)))
        for key, count in sorted(Counter(point.key for point in self.points).items()):
            yield f"{key}: {_points(count)} added"

    def stays(self) -> Iterator[str]:
        """Say what stays as it is, and why."""
        for each in self.differences:
            if each.what == "param" and each.mlflow is not None:
                yield f"param {each.key}: MLflow does not let a param be changed"
        added = {point.key for point in self.points}
        counts = Counter((str(each.key), each.what) for each in self.differences)
        for (key, what), count in sorted(counts.items()):
            if what in _STAYS:
                yield f"{key}: {_STAYS[what].format(_points(count))}"
            if what == "missing" and key not in added:
                yield (
                    f"{key}: {_points(count)} not added: the run has the metric's final value"
                    " instead, and a curve never mixes two sources"
                )

    def watermark(self, before: Watermark) -> Watermark:
        """Return the run's watermark once the points are written."""
        counts = Counter(point.original for point in self.audited.points)
        keys = {point.original: point.key for point in self.points}
        new = {name: max(0, counts[name] - before.points.get(name, 0)) for name in keys}
        after, truth = before.advanced(new, keys), self.audited.truth
        if any(map(is_of_stream, keys)):
            after = after.read_further(truth.further_positions, {})
        if not any(metric_of(original) is not None for original in keys):
            return after
        if truth.source == LOGS:
            after = after.read_up_to(truth.positions, {})
        return replace(after, source=truth.source if _is_open(before.source) else before.source)


def _placed(
    series: Iterable[MetricPoint],
    lacking: Counter[tuple[str, int, Value | None]],
    taken: set[int],
    logged: Collection[str],
) -> Iterator[MetricPoint]:
    """Choose as many points of a series as the run lacks, each at a step of its own.

    A point whose step the run has is rather there than one whose step it has not. The step of a
    match in a log is its number, which may be another match's in the run; then the first free one
    is taken.

    Parameters
    ----------
    series
        What the run is to have under one key.
    lacking
        Key, timestamp (ms) and value → how many points it lacks.
    taken
        Steps that it has.
    logged
        Originals of the series from logs.
    """
    free = (step for step in numbers() if step not in taken)
    for point in sorted(series, key=lambda each: each.step in taken):
        stamped = (point.key, point.timestamp_ms, comparable(point.value))
        if not lacking[stamped]:
            continue
        lacking[stamped] -= 1
        step = point.step
        if point.original in logged and step in taken:
            step = next(free)
        taken.add(step)
        yield replace(point, step=step)


def _fits(audited: Audited, point: MetricPoint) -> bool:
    """Whether a point is of the run's own source: one curve never mixes two."""
    source = audited.known.source
    return metric_of(point.original) is None or _is_open(source) or source == audited.truth.source


def _is_open(source: str | None) -> bool:
    return source is None or source == NONE


def _written(watermark: Watermark) -> tuple[object, ...]:
    streams = {name: tuple(position) for name, position in watermark.streams.items()}
    return dict(watermark.points), streams, watermark.source, watermark.final


def _mirrored(line: RunLine, found: Difference) -> str:
    if found.mlflow is None:
        return f"{line.name}: run made, {_points(line.points)}"
    return f"{line.name}: {found.mlflow}: all but one removed"


def _points(count: int) -> str:
    return f"{count} point" if count == 1 else f"{count} points"
