"""Adds what an audit found missing in MLflow, and says what cannot be put right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlflow_smwatch.audit.audited import Audited
from mlflow_smwatch.audit.auditor import Finding, Findings
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.compare import Difference, What
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.errors import JobError, StopError, reason
from mlflow_smwatch.core.log_progress import LOGS
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import MetricPoint, comparable
from mlflow_smwatch.core.progress import NONE
from mlflow_smwatch.core.series import metric_of
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.mirror import sync
from mlflow_smwatch.engine.task import PassContext
from mlflow_smwatch.report import Failure, RunLine
from mlflow_smwatch.tracking.writer import RunUpdate

_KEPT = "MLflow keeps every point once written"
_STAYS: Mapping[What, str] = {
    "revised": f"{{}} revised by CloudWatch, not changed: {_KEPT}",
    "extra": f"{{}} that AWS does not have, not removed: {_KEPT}",
    "doubled": f"{{}} there more often than in AWS, not removed: {_KEPT}",
}


@dataclass(slots=True)
class Repair:
    """What a repair did.

    Attributes
    ----------
    repaired
        What was added, in words.
    left
        What stays different, and why, in words.
    failed
        Jobs that could not be repaired.
    """

    repaired: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


class Repairer:
    """Repairs runs, one after the other.

    Parameters
    ----------
    context
        What all jobs of the audit shared.
    """

    def __init__(self, context: PassContext) -> None:
        self._pass = context

    def repair(self, findings: Findings) -> Repair:
        """Add what is missing; nothing else of a run is touched.

        Raises
        ------
        StopError
            When nothing more can be done.
        """
        done = Repair()
        for arn, finding in sorted(findings.by_arn.items()):
            try:
                self._mend(finding, done)
            except StopError:
                raise
            except Exception as error:  # noqa: BLE001 - the border of one job: the others go on
                done.failed.append(Failure(arn, reason(error)))
        self._mirror_again(findings, done)
        return done

    def _mirror_again(self, findings: Findings, done: Repair) -> None:
        """Make the runs that are missing, remove doubled ones: what an ordinary pass does."""
        runs = {each.arn: each for each in findings.differences if each.what == "run"}
        if not runs:
            return
        report = sync(replace(self._pass.options, names=tuple(sorted(runs))))
        done.failed += report.failed
        done.repaired += [_mirrored(line, runs[line.arn]) for line in report.runs]

    def _mend(self, finding: Finding, done: Repair) -> None:
        found = [each for each in finding.differences if each.what != "run"]
        audited = finding.audited
        if audited is None or not found:
            return
        run = self._unchanged(audited)
        mending = _Mending.of(audited, found)
        name = audited.task.job.name
        self._write(run, audited, mending)
        done.repaired += [f"{name}: {each}" for each in mending.added()]
        done.left += [f"{name}: {each}" for each in mending.stays()]

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
    def of(cls, audited: Audited, differences: Sequence[Difference]) -> _Mending:
        missing = {
            (each.key, each.timestamp, each.aws) for each in differences if each.what == "missing"
        }
        points = tuple(
            point
            for point in audited.points
            if (point.key, point.timestamp_ms, comparable(point.value)) in missing
            and _fits(audited, point)
        )
        return cls(audited=audited, differences=differences, points=points)

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
        keys = {point.key for point in self.points}
        lacking = [each for each in self.differences if each.what == "missing" and each.key in keys]
        for key, count in sorted(Counter(str(each.key) for each in lacking).items()):
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
        after = before.advanced(new, keys)
        if not any(metric_of(original) is not None for original in keys):
            return after
        truth = self.audited.truth
        if truth.source == LOGS:
            after = after.read_up_to(truth.positions, {})
        return replace(after, source=truth.source if _is_open(before.source) else before.source)


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
