"""What was read of a job's logs and is not written yet → points, with the watermark after them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mlflow_smwatch.core.log_streams import StreamPosition
from mlflow_smwatch.core.points import MetricPoint, log_points
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.watermark import Watermark

LOGS = "logs"

Findings = Mapping[str, Mapping[str, int]]


@dataclass(slots=True)
class LogSeries:
    """New points of one metric on one host.

    Attributes
    ----------
    first_step
        Step of the first of them.
    points
        In the order of the host's streams.
    """

    first_step: int
    points: list[Point] = field(default_factory=list)

    @property
    def next_step(self) -> int:
        """Step of the point after the last."""
        return self.first_step + len(self.points)


@dataclass(slots=True, kw_only=True)
class LogPart:
    """A stretch of a job's logs that is read and not written yet.

    Attributes
    ----------
    steps
        Original → number of its points before this stretch.
    series
        Original → its new points.
    positions
        Log stream → how far it is read with them.
    findings
        What the definitions met, by metric and code.
    """

    steps: Mapping[str, int]
    series: dict[str, LogSeries] = field(default_factory=dict)
    positions: dict[str, StreamPosition] = field(default_factory=dict)
    findings: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of points."""
        return sum(len(each.points) for each in self.series.values())

    def add(
        self,
        series: Mapping[str, Iterable[Point]],
        positions: Mapping[str, StreamPosition],
        findings: Findings,
    ) -> None:
        """Take in what follows in the same streams."""
        for original, points in series.items():
            if original not in self.series:
                self.series[original] = LogSeries(self.steps.get(original, 0))
            self.series[original].points += points
        self.positions.update(positions)
        for metric, codes in findings.items():
            met = self.findings.setdefault(metric, {})
            for code, count in codes.items():
                met[code] = met.get(code, 0) + count

    def rest(self) -> LogPart:
        """Return the empty stretch that follows this one."""
        steps = {original: each.next_step for original, each in self.series.items()}
        return LogPart(steps={**self.steps, **steps})


def advance(
    before: Watermark, part: LogPart, keys: Mapping[str, str], not_sent: Collection[str]
) -> tuple[list[MetricPoint], Watermark]:
    """Give the points of a stretch that are not written, and the watermark once they are.

    Parameters
    ----------
    before
        The run's watermark; another mirror may have moved it since the stretch was begun.
    part
        What was read.
    keys
        Original → key.
    not_sent
        Keys that the job's own script logs to the run.

    Returns
    -------
    tuple
        The points, series by series, and the watermark; none for a run that has another source.
    """
    if before.source not in {None, LOGS}:
        return [], before
    points, counted = _unwritten(before, part, keys, not_sent)
    after = counted.read_up_to(part.positions, part.findings)
    return points, replace(after, source=before.source or (LOGS if points else None))


def advance_further(
    before: Watermark, part: LogPart, keys: Mapping[str, str], not_sent: Collection[str]
) -> tuple[list[MetricPoint], Watermark]:
    """Do the same as :func:`advance` for a stretch of logs that are not those of a job's hosts.

    Their metrics are no algorithm metrics: they do not hang on the source of these.
    """
    points, counted = _unwritten(before, part, keys, not_sent)
    return points, counted.read_further(part.positions, part.findings)


def _unwritten(
    before: Watermark, part: LogPart, keys: Mapping[str, str], not_sent: Collection[str]
) -> tuple[list[MetricPoint], Watermark]:
    """Give the points that are not written, and the watermark with them counted."""
    points: list[MetricPoint] = []
    counts: dict[str, int] = {}
    for original, found in part.series.items():
        if keys[original] in not_sent:
            continue
        written = max(before.points.get(original, 0), found.first_step)
        new = found.points[written - found.first_step :]
        points += log_points(keys, original, new, written)
        counts[original] = max(0, found.next_step - before.points.get(original, 0))
    return points, before.advanced(counts, keys)
