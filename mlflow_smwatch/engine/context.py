"""What all jobs of a pass share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.aws.endpoint_metrics import EndpointMetrics
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.logs import LogReader
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.attachments import attached, lacks_sources
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import KINDS, kind_of, name_in
from mlflow_smwatch.core.matching import JobIdentity, KnownRun
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.remembered import remembered_job
from mlflow_smwatch.core.report_files import report_folders
from mlflow_smwatch.core.reports import lacks_rules_told
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.engine.alarms import PassAlarms
from mlflow_smwatch.engine.costs import Costs
from mlflow_smwatch.engine.families import Families
from mlflow_smwatch.engine.lineage_pages import LineagePages
from mlflow_smwatch.engine.observation import Observer
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.own_runs import OwnRuns
from mlflow_smwatch.engine.registration import Registration
from mlflow_smwatch.engine.trials import TrialStates
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import RunLine, Word
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.pages import run_url
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.seals import Seals
from mlflow_smwatch.tracking.writer import RunWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class PassContext:
    """What all jobs of a pass share.

    Attributes
    ----------
    own_runs
        Which runs are the jobs' own, as far as SageMaker was asked.
    endpoints
        Lists the metrics of endpoints.
    costs
        Tells what jobs came to.
    alarms
        Reads the alarms that watch jobs.
    now_ms
        When the pass began.
    clock_ms
        Tells the present: a pass over thousands of jobs may take long.
    stopped
        Whether the pass is to end early.
    finder, describer
        Find and describe jobs; what they warn of is the pass's.
    families
        The groups that jobs belong to.
    trials
        Their states, which are those of their jobs.
    lineage
        Draws the pages of lineage.
    registration
        Collects the models that are to be registered.
    slack_ms
        How old the newest event of a live log stream may be for the stream to count as read.
    seals
        Seals runs, where that is wanted.
    address
        Where MLflow's pages are, None where they have no fixed address.
    observers
        Hear what was written of each job.
    """

    aws: Aws
    logs: LogReader
    finder: JobFinder
    describer: JobDescriber
    families: Families
    trials: TrialStates
    lineage: LineagePages
    registration: Registration
    own_runs: OwnRuns
    endpoints: EndpointMetrics
    costs: Costs
    alarms: PassAlarms
    options: SyncOptions
    now_ms: int
    clock_ms: Callable[[], int]
    stopped: Callable[[], bool]
    slack_ms: int
    experiments: Experiments
    index: RunIndex
    writer: RunWriter
    seals: Seals
    address: str | None
    observers: tuple[Observer, ...] = ()

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
            kind=found.kind,
            region=arn.region,
            created_ms=found.created_ms,
            life_end_ms=ended_ms or self.now_ms,
            own_run_id=own_run_id or (found.job.own_run_id if found.job else None),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What concerns no job alone, in words."""
        return (*self.costs.warnings, *self.endpoints.warnings, *self.alarms.warnings)

    def attach(self, job: Job) -> Job:
        """Attach to a job what the user wants of it besides."""
        return attached(job, self.options.sources, self.options.latency_percentiles)

    def unchanged(self, arn: str, run: KnownRun) -> Outcome:
        """Say that a job's run is as it should be."""
        self.registration.enter(run.run_id, run.tags)
        return Outcome(arn, "unchanged", self.known_line(run), final=True)

    def is_read(self, watermark: Watermark) -> bool:
        """Whether a job is final; metrics that an earlier pass was to leave out are read later."""
        wanted = self.options.metrics != "off"
        return watermark.final and not (wanted and watermark.source is None)

    def lacks_attached(self, found: Found, run: KnownRun) -> bool:
        """Whether the user attaches to a thing what the run does not name yet."""
        if not self.options.sources:
            return False
        job = found.job or remembered_job(
            KINDS[found.kind], run, created_ms=found.created_ms, modified_ms=found.modified_ms
        )
        facts = (f"sagemaker.{key}" for key, _ in self.attach(job).facts)
        return lacks_sources(facts, run.tags)

    def lacks_reports(self, run: KnownRun) -> bool:
        """Whether a run holds no copies of reports, or says nothing of rules, that are wanted."""
        if self.options.names and lacks_rules_told(run.tags):
            return True
        if not self.options.copies_reports or names.REPORTS in run.tags:
            return False
        facts = (
            (key.removeprefix("sagemaker."), value)
            for key, value in run.tags.items()
            if key.startswith("sagemaker.")
        )
        return bool(report_folders(facts))

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
        arn = Arn.parse(run.tags[names.ARN])
        kind = kind_of(arn)
        return RunLine(
            arn=str(arn),
            kind=run.tags.get(names.KIND, kind.word if kind else arn.resource_type),
            name=run.tags.get(names.NAME, name_in(arn)),
            run_id=run.run_id,
            experiment_id=run.experiment_id,
            experiment=self.experiments.name_of(run.experiment_id),
            status=run.status,
            points=0,
            url=run_url(self.address, run.experiment_id, run.run_id),
            word=word,
        )
