"""Makes a CloudWatch dashboard of a job, an endpoint, or the jobs of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mlflow_smwatch.aws.discovery import Found, NotFound
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.partitions import partition_of
from mlflow_smwatch.aws.publishing import put_dashboard, read_dashboard
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core import console
from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.attachments import attached
from mlflow_smwatch.core.dashboard import (
    Body,
    Shown,
    dashboard_body,
    made_of,
    subject_mark,
)
from mlflow_smwatch.core.dashboard_names import dashboard_name, require_dashboard_name
from mlflow_smwatch.core.errors import JobError, SmwatchError, StopError, UnknownJobError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_streams import hosts_of, names_in
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.tracking.boards import MirroredThings, open_things

_MOST_JOBS = 500
"""As many as a graph has lines."""


@dataclass(slots=True, kw_only=True)
class DashboardReport:
    """What was made.

    Attributes
    ----------
    name, url
        The dashboard; the address is empty where the partition has no public console.
    of
        What it is of: an ARN, or the name of an experiment.
    jobs, widgets, metrics
        How many are on it.
    left_out
        How many metrics are not, since CloudWatch takes no more.
    replaced
        Whether there was one of that name.
    warnings
        What is amiss, in words.
    """

    name: str
    url: str
    of: str
    jobs: int
    widgets: int
    metrics: int
    left_out: int
    replaced: bool = False
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A dashboard that is not made yet."""

    aws: Aws
    body: Body
    report: DashboardReport


def draw(thing: str, place: SyncOptions, *, name: str | None = None) -> Drawn:
    """Draw the dashboard of a thing; nothing is written.

    Parameters
    ----------
    thing
        Name or ARN of a job or endpoint, or name of an MLflow experiment.
    place
        MLflow, the account and Region, and what else is attached to jobs.
    name
        Of the dashboard; None for one that is made of the thing's.

    Returns
    -------
    Drawn

    Raises
    ------
    JobError
        When there is no such thing, or CloudWatch has no metrics of it.
    UsageError
        When a value cannot be understood.
    StopError
        When AWS cannot be used.
    """
    if name is not None:
        require_dashboard_name(name)
    aws = connect(place.region, place.profile, place.workers, place.assume_role, place.redaction)
    things, warnings = _things(place)
    drawing = _Drawing(aws, things, place, warnings)
    subject, page, shown = drawing.find(thing)
    body = dashboard_body(subject, shown, page)
    if not body.metrics:
        message = f"CloudWatch has no metrics of {visible(thing)} that a dashboard could show"
        raise JobError(message)
    if body.left_out:
        warnings.append(f"{body.left_out} metrics are left out: CloudWatch takes no more")
    called = name or dashboard_name(_short(subject))
    report = DashboardReport(
        name=called,
        url=console.dashboard_url(partition_of(aws.region), aws.region, called),
        of=subject,
        jobs=len(shown),
        widgets=body.widgets,
        metrics=body.metrics,
        left_out=body.left_out,
        warnings=warnings,
    )
    return Drawn(aws=aws, body=body, report=report)


def put(drawn: Drawn, *, replace: bool = False) -> DashboardReport:
    """Make a dashboard that was drawn.

    Parameters
    ----------
    drawn
        The dashboard.
    replace
        Whether one of that name may go that was not made here of the same thing.

    Raises
    ------
    JobError
        When there is such a one, and it may not, or CloudWatch does not take the body.
    SmwatchError
        When CloudWatch cannot be asked.
    """
    report = drawn.report
    there = read_dashboard(drawn.aws, report.name)
    if there is not None and not replace and made_of(there) != subject_mark(report.of):
        message = (
            f"there is a dashboard {report.name} already, which was not made of"
            f" {visible(report.of)}: give another --name, or --replace it"
        )
        raise JobError(message)
    report.replaced = there is not None
    report.warnings += put_dashboard(drawn.aws, report.name, drawn.body.text)
    return report


class _Drawing:
    """Finds what a dashboard shows."""

    def __init__(
        self, aws: Aws, things: MirroredThings | None, place: SyncOptions, warnings: list[str]
    ) -> None:
        self._finder = JobFinder(aws, frozenset(place.kinds))
        self._things, self._place, self._warnings = things, place, warnings

    def find(self, thing: str) -> tuple[str, str | None, list[Shown]]:
        """Give what a thing is, its page if it is an experiment, and its jobs."""
        runs = self._things.named(thing) if self._things else ()
        if not runs and self._things and not is_arn(thing):
            found = self._things.in_experiment(thing)
            if found is not None:
                return thing, self._things.experiment_page(thing), self._shown(found)
        asked = [run.tags[names.ARN] for run in runs] or [thing]
        shown = self._shown_arns(asked, {run.tags[names.ARN]: run for run in runs})
        first = str(shown[0].job.arn)
        members = self._members(runs)
        return first, None, [*shown, *members]

    def _members(self, runs: Sequence[KnownRun]) -> list[Shown]:
        """Give the jobs of a group: a tuning job's, a trial's, a pipeline execution's."""
        if self._things is None:
            return []
        children = [child for run in runs for child in self._things.children(run)]
        return self._shown(children) if children else []

    def _shown(self, runs: Sequence[KnownRun]) -> list[Shown]:
        """Describe the jobs of runs as AWS knows them; what it does not is left out, and said."""
        if len(runs) > _MOST_JOBS:
            left = len(runs) - _MOST_JOBS
            self._warnings.append(f"{left} jobs are left out: the latest {_MOST_JOBS} are shown")
        by_arn = {run.tags[names.ARN]: run for run in runs[:_MOST_JOBS]}
        return self._shown_arns(list(by_arn), by_arn)

    def _shown_arns(self, asked: list[str], runs: dict[str, KnownRun]) -> list[Shown]:
        shown: list[Shown] = []
        failures: list[SmwatchError] = []
        known = {arn: run.tags[names.NAME] for arn, run in runs.items() if names.NAME in run.tags}
        for each in self._finder.named(asked, known):
            try:
                job = self._job(each)
            except StopError:
                raise
            except SmwatchError as error:
                failures.append(error)
                continue
            run = runs.get(str(job.arn))
            page = self._things.page(run) if self._things and run else None
            shown.append(Shown(job=_with_hosts(job, run), page=page))
        if not shown:
            raise failures[0] if failures else UnknownJobError("there is no job in it")
        self._warnings += [f"a job is left out: {error}" for error in failures]
        return shown

    def _job(self, found: Found | NotFound) -> Job:
        if isinstance(found, NotFound):
            raise found.error
        job = found.job or self._finder.describer.describe(found.kind, found.arn).job
        return attached(job, self._place.sources, self._place.latency_percentiles)


def _things(place: SyncOptions) -> tuple[MirroredThings | None, list[str]]:
    """Open MLflow; a dashboard can do without."""
    try:
        return open_things(place.tracking_uri, place.ui_url), []
    except StopError as error:
        return None, [f"without links to MLflow: {error}"]


def _with_hosts(job: Job, run: KnownRun | None) -> Job:
    """Add the hosts that only the names of log streams tell, as far as the run has them."""
    if job.hosts or run is None or not job.kind.hosts_in_streams:
        return job
    return replace(job, hosts=hosts_of(names_in(run.tags.get(names.LOG_STREAMS))))


def _short(subject: str) -> str:
    return Arn.parse(subject).resource_name if is_arn(subject) else subject
