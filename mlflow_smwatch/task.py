"""A job on its way through a pass, and what all jobs of a pass share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.aws.packing import Query
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.matching import JobIdentity, KnownRun
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.series import Point, algorithm_series, instance_series
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import RunLine, Word
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import run_url
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.writer import RunWriter

ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
"""MLflow's statuses of a run that has ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job.

    Attributes
    ----------
    arn
        The job, or what was typed for it.
    word
        ``created``, ``updated``, ``unchanged`` or ``failed``.
    line
        Its run; None for a failed job.
    error
        Why it failed.
    warnings
        What was left out of it.
    """

    arn: str
    word: Word
    line: RunLine | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Task:
    """A job that has something to read or to write.

    Attributes
    ----------
    run
        Its run, None before it is made.
    watermark
        What is written so far.
    reading
        What to read of it.
    made
        Whether this pass made the run.
    waiting
        Number of queries that are not answered yet.
    series
        Original key → points read so far.
    undescribed
        What of its description could not be read, in words.
    denied
        Which metrics could not be read, in words.
    error
        Why the job cannot be finished in this pass.
    """

    job: Job
    record: RunRecord
    run: KnownRun | None
    watermark: Watermark
    reading: Reading
    undescribed: tuple[str, ...] = ()
    made: bool = False
    waiting: int = 0
    series: dict[str, list[Point]] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)
    error: Exception | None = None

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return self.record.arn

    def queries(self) -> Iterator[Query]:
        """Give what is to be asked of CloudWatch, window by window."""
        series = (*algorithm_series(self.job), *instance_series(self.job))
        for window in self.reading.windows:
            for each in series:
                yield Query(self.arn, each, window)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassContext:
    """What all jobs of a pass share.

    Attributes
    ----------
    now_ms
        When the pass began.
    clock_ms
        Tells the present: a pass over thousands of jobs may take long.
    address
        Where MLflow's pages are, None where they have no fixed address.
    """

    aws: Aws
    options: SyncOptions
    now_ms: int
    clock_ms: Callable[[], int]
    experiments: Experiments
    index: RunIndex
    writer: RunWriter
    address: str | None

    def identity(self, found: Found, own_run_id: str | None = None) -> JobIdentity:
        """Say what a run must agree with to stand for a job.

        Parameters
        ----------
        found
            The job.
        own_run_id
            The run that SageMaker names as the job's own, where that was asked for.
        """
        arn = Arn.parse(found.arn)
        ended_ms = found.job.ended_ms if found.job else None
        return JobIdentity(
            arn=found.arn,
            name=found.name,
            kind=arn.resource_type,
            region=arn.region,
            created_ms=found.created_ms,
            life_end_ms=ended_ms or self.now_ms,
            own_run_id=own_run_id or (found.job.own_run_id if found.job else None),
        )

    def is_read(self, watermark: Watermark) -> bool:
        """Whether a job is final; metrics that an earlier pass was to leave out are read later."""
        wanted = self.options.metrics != "off"
        return watermark.final and not (wanted and watermark.source is None)

    def line(self, record: RunRecord, run: KnownRun | None, points: int, word: Word) -> RunLine:
        """Report a job with its run; without one in a forecast."""
        experiment_id = run.experiment_id if run else self.experiments.find(record.experiment)
        name = self.experiments.name_of(run.experiment_id) if run else None
        return RunLine(
            arn=record.arn,
            kind=record.kind,
            name=record.name,
            run_id=run.run_id if run else None,
            experiment_id=experiment_id,
            experiment=name or record.experiment,
            status=record.status,
            points=points,
            url=run_url(self.address, run.experiment_id, run.run_id) if run else None,
            word=word,
        )

    def known_line(self, run: KnownRun, word: Word = "unchanged") -> RunLine:
        """Report a run as MLflow has it, without a look at its job."""
        arn = run.tags[names.ARN]
        return RunLine(
            arn=arn,
            kind=run.tags.get(names.KIND, Arn.parse(arn).resource_type),
            name=run.tags.get(names.NAME, Arn.parse(arn).resource_name),
            run_id=run.run_id,
            experiment_id=run.experiment_id,
            experiment=self.experiments.name_of(run.experiment_id),
            status=run.status,
            points=0,
            url=run_url(self.address, run.experiment_id, run.run_id),
            word=word,
        )
