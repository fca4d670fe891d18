"""A job that was read whole and afresh, beside its run: what differs, what is not compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mlflow_smwatch.core.alarms import is_alarm
from mlflow_smwatch.core.compare import (
    Difference,
    PointDifference,
    compare_cloudwatch,
    compare_described,
    compare_final,
    compare_logs,
    compare_points,
    settled,
)
from mlflow_smwatch.core.definitions import RUNAWAY
from mlflow_smwatch.core.further_logs import FurtherReading, is_metric_of_stream, is_of_stream
from mlflow_smwatch.core.job_kinds import TRIAL_COMPONENT
from mlflow_smwatch.core.job_series import steady_series
from mlflow_smwatch.core.log_progress import LOGS
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import COST, DEPLOYMENT, MetricPoint
from mlflow_smwatch.core.report_files import VIOLATIONS
from mlflow_smwatch.core.series import metric_of, step_of
from mlflow_smwatch.core.steps import WrittenPoint, compare_numbers, compare_steps
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.engine.task import Task

History = Callable[[str], Sequence[WrittenPoint]]
"""MLflow key → the points that a run has of it, none where it has no such key."""

_LOGS_GONE = "its logs are gone, all or some: the metrics that were read from them are not compared"
_LOGS_CUT = (
    "the beginning of its logs is gone: the points that were read from there are not compared"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A job that was compared with its run.

    Attributes
    ----------
    task
        The job as it was read.
    run
        Its run.
    known
        The run's watermark.
    points
        Every point that the run is to have, as far as AWS still tells.
    logged
        Originals of the series that have points from logs.
    truth
        The watermark that a first pass would write with them.
    due
        Whether the run is to have all of them by now.
    """

    task: Task
    run: KnownRun
    known: Watermark
    points: tuple[MetricPoint, ...]
    logged: frozenset[str]
    truth: Watermark
    due: bool

    def described_differences(self) -> Iterator[Difference]:
        """Compare status and params; what a run that is not final lacks is not due yet."""
        as_written = self.due or (
            self.run.mirrored and self.known.fingerprint == self.task.record.fingerprint
        )
        return compare_described(self.task.record, self.run, as_written=as_written)

    def point_differences(self, history: History) -> Iterator[Difference]:
        """Compare the series that AWS can still tell, except what others logged to the run.

        Parameters
        ----------
        history
            Gives what the run has.
        """
        series: dict[str, list[MetricPoint]] = {original: [] for original in self.known.points}
        keys = dict(self.known.given_keys)
        for point in self.points:
            series.setdefault(point.original, []).append(point)
            keys[point.original] = point.key
        for original, points in sorted(series.items()):
            is_told = self._is_told(original, told=bool(points))
            if self._has_stream(original) if is_of_stream(original) else is_told:
                key = keys[original]
                for each in self._compare(original, points, history(key)):
                    yield _placed(self.task.arn, key, each)

    def left_out(self) -> Iterator[str]:
        """Say what could not be compared."""
        reading = self.task.log_reading
        attached = self.task.further_reading or FurtherReading()
        own = reading.denied if reading else ()
        for denied in (*own, *self.task.denied, *attached.denied):
            yield f"{denied}; what depends on it is not compared"
        if reading and not reading.denied and self.known.source == LOGS and not self._has_logs:
            yield _LOGS_GONE
        elif self._is_cut:
            yield _LOGS_CUT
        for metric in sorted(self._runaways):
            yield f"the metric {metric} is not compared: its regular expression takes too long"

    @property
    def _from_logs(self) -> bool:
        return self.truth.source == LOGS

    @property
    def _has_logs(self) -> bool:
        """Whether all that the run was given from logs is still there to be read."""
        reading = self.task.log_reading
        there = self.known.streams.keys() <= self.truth.streams.keys()
        gone = reading is None or reading.denied or reading.expired or reading.missing
        return there and not gone

    @property
    def _is_cut(self) -> bool:
        """Whether the logs hold fewer points of a metric than the mirror has read from them."""
        counts = Counter(point.original for point in self.points)
        written = self.known.points.items() if self.known.source == LOGS else ()
        left_out = {None, *self._runaways}
        return self._has_logs and any(
            metric_of(original) not in left_out and count > counts[original]
            for original, count in written
        )

    @property
    def _runaways(self) -> set[str]:
        found = (self.known.findings, self.truth.findings)
        return {metric for each in found for metric, codes in each.items() if RUNAWAY in codes}

    def _is_told(self, original: str, *, told: bool) -> bool:
        """Whether AWS could be asked for a series, so that what it lacks is not there."""
        metric, complete = metric_of(original), self.task.reading.complete
        if self._is_component or original == DEPLOYMENT:  # AWS tells the present one alone
            return told and self._is_component
        if metric is None and not self._is_measured(original):
            noted = original == COST or original.startswith(VIOLATIONS) or is_alarm(original)
            return complete and (told or not noted)  # prices change, lists go: the note counts
        if metric in self._runaways:
            return False
        if metric is not None and not told and not self._has_final_metrics:
            return False
        if metric is not None and self._from_logs:
            return self._has_logs
        return original in self.task.series or not self.task.reading.windows

    def _has_stream(self, original: str) -> bool:
        """Whether the stream of a metric of further logs was read to its end."""
        attached = self.task.further_reading
        whole = attached is not None and attached.whole and not attached.denied
        dropped = (each for each in self._runaways if is_metric_of_stream(original, each))
        return whole and original in self.task.further_names and not any(dropped)

    @property
    def _has_final_metrics(self) -> bool:
        """Whether FinalMetricDataList stands for its series without points, as in the run."""
        return not self.task.denied and (self.task.reading.complete or not self.known.final)

    @property
    def _is_component(self) -> bool:
        """Whether the metrics are those of a trial component that is no job's."""
        return self.task.job.kind is TRIAL_COMPONENT

    def _is_measured(self, original: str) -> bool:
        return any(each.original == original for each in steady_series(self.task.job))

    def _compare(
        self, original: str, aws: Sequence[MetricPoint], mlflow: Sequence[WrittenPoint]
    ) -> Sequence[PointDifference]:
        metric, reading = metric_of(original), self.task.reading
        read_to_ms = None
        if self._is_component:
            found = compare_points(aws, mlflow, revisable=True)
        elif is_of_stream(original) or (metric is not None and self._from_logs):
            found = self._compare_logged(original, aws, mlflow)
            if not reading.complete:
                read_to_ms = max((point.timestamp_ms for point in aws), default=0)
        elif metric is None and not self._is_measured(original):
            found = compare_points(aws, mlflow, revisable=True)
            found += compare_steps(mlflow, found, lambda _: 0)
        else:
            found = compare_cloudwatch(aws, mlflow, reading, self.task.job.created_ms)
            found += compare_steps(mlflow, found, self._second)
        if self.task.job.kind.endless and self._is_measured(original):
            return self._read_by_now(original, found)
        return settled(found, due=self.due, read_to_ms=read_to_ms)

    def _read_by_now(
        self, original: str, found: Sequence[PointDifference]
    ) -> Sequence[PointDifference]:
        """Leave out what of a thing without an end is still to be read."""
        read_to_ms = self.known.read_to_ms if original in self.known.points else None
        return [
            each
            for each in found
            if each.what != "missing" or (read_to_ms and each.timestamp_ms < read_to_ms)
        ]

    def _compare_logged(
        self, original: str, aws: Sequence[MetricPoint], mlflow: Sequence[WrittenPoint]
    ) -> list[PointDifference]:
        """Compare a metric of a job whose metrics come from the logs; it may be a final value."""
        if aws and original not in self.logged:
            found = compare_final(aws, mlflow)
            at = {point.timestamp_ms for point in aws}
            final = [point for point in mlflow if point.timestamp_ms in at]
            return [*found, *compare_steps(final, found, self._second)]
        written = self.known.points.get(original, 0)
        found = compare_logs(aws, mlflow, written)
        return [*found, *(compare_numbers(aws, mlflow, found, written) if aws else ())]

    def _second(self, timestamp_ms: int) -> int:
        return step_of(timestamp_ms, self.task.job.created_ms)


def _placed(arn: str, key: str, found: PointDifference) -> Difference:
    return Difference(
        arn=arn,
        what=found.what,
        key=key,
        timestamp=found.timestamp_ms,
        aws=found.aws,
        mlflow=found.mlflow,
    )
