"""Compares jobs that were read whole and afresh with their runs, and has them mended if asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from mlflow_smwatch.audit.audited import Audited, History
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.compare import Difference
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.points import COST, MetricPoint
from mlflow_smwatch.core.prices import noted_usd
from mlflow_smwatch.core.progress import progress
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.recognition import alone
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.report import Failure
from mlflow_smwatch.tracking.units import UnitLimits

_GONE = "AWS no longer knows this job: its run is not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What a repair did about one job or several.

    Attributes
    ----------
    repaired
        What was added, in words.
    left
        What stays different, and why, in words.
    failed
        Jobs that could not be repaired.
    """

    repaired: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()


Mend = Callable[[Audited, Sequence[Difference], History], Mended]
"""Repairs a run; the history tells what it has."""


@dataclass(slots=True)
class Findings:
    """The findings of an audit; each job is entered by one thread at a time.

    Attributes
    ----------
    compared
        ARNs of the jobs that were compared.
    differences
        All of them, those of one job together.
    mended
        ARN → what was done about its differences.
    """

    compared: set[str] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    mended: dict[str, Mended] = field(default_factory=dict)

    def enter(self, arn: str, differences: Iterable[Difference]) -> None:
        """Enter what was found of a job, after what was found of it before."""
        self.compared.add(arn)
        self.differences.extend(differences)


class Auditor:
    """Compares jobs that are read with their runs; called from several threads.

    Of a job nothing is kept but what differs, however many jobs and points there are.

    Parameters
    ----------
    context
        What all jobs of the audit share.
    findings
        Takes what is found.
    mend
        Called for each run that differs, as soon as that is found; None leaves them as they are.
    """

    def __init__(self, context: PassContext, findings: Findings, mend: Mend | None) -> None:
        self._pass = context
        self._findings = findings
        self._mend = mend
        self._gathered: dict[str, list[MetricPoint]] = {}

    @property
    def limits(self) -> UnitLimits:
        """Each job by itself, as many at once as there are threads."""
        return UnitLimits(jobs=1, at_once=self._pass.options.workers)

    def write(self, unit: Sequence[Task]) -> list[Outcome]:
        """Compare jobs that are read whole."""
        return [alone(task.arn, partial(self._compare, task)) for task in unit]

    def write_gathered(self, task: Task) -> None:
        """Keep what is gathered of a job's logs so far."""
        points, after = task.gathered()
        task.move_on(after)
        self._gathered.setdefault(task.arn, []).extend(points)

    def forecast(self, task: Task) -> Outcome:
        """Say that nothing is written."""
        return Outcome(task.arn, "unchanged")

    def close_gone(self, run: KnownRun, _successor_ms: int | None = None) -> Outcome:
        """Leave alone a run whose job AWS has deleted."""
        return Outcome(run.tags[names.ARN], "unchanged", warnings=(_GONE,))

    def _compare(self, task: Task) -> Outcome:
        gathered = self._gathered.pop(task.arn, [])
        if task.error:
            raise task.error
        audited = self._audited(task, gathered)
        history = self._history(audited.run)
        differences = list(audited.described_differences())
        if self._pass.options.metrics != "off":
            differences += audited.point_differences(history)
        self._findings.enter(task.arn, differences)
        if self._mend and differences:
            self._findings.mended[task.arn] = self._mend(audited, differences, history)
        return Outcome(task.arn, "unchanged", warnings=tuple(audited.left_out()))

    def _history(self, run: KnownRun) -> History:
        @cache
        def history(key: str) -> Sequence[WrittenPoint]:
            return self._pass.index.history(run.run_id, key) if key in run.metric_keys else ()

        return history

    def _audited(self, task: Task, gathered: Sequence[MetricPoint]) -> Audited:
        run, known = task.run, task.run.watermark if task.run else None
        if run is None or known is None:
            message = f"no run is there for {task.arn}"
            raise JobError(message)
        read = (*task.logs.series.items(), *task.further.series.items())
        logged = {original for original, each in read if each.points}
        truth = progress(
            task.job,
            task.watermark,
            task.measured(
                self._pass.options.metrics,
                noted_usd(run.tags.get(names.COST_BASIS)) if COST in known.measured else None,
            ),
            logged_keys=task.logged_keys,
            written=lambda _: (),
            give_up_denied=True,
        )
        return Audited(
            task=task,
            run=run,
            known=known,
            points=(*gathered, *truth.points),
            logged=frozenset(logged | {point.original for point in gathered}),
            truth=truth.watermark,
            due=self._pass.is_read(known),
        )
