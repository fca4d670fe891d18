"""Puts MLflow metrics of runs into CloudWatch: what is new, each point once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fnmatch import fnmatchcase

from mlflow_smwatch.aws.publishing import put_metrics
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import JobError, StopError, reason
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.published import (
    Destination,
    advanced,
    published_tags,
    read_published,
    require_room,
)
from mlflow_smwatch.core.publishing import (
    Batch,
    Datum,
    PublishWindow,
    batches,
    data_of,
    request,
    select,
)
from mlflow_smwatch.core.publishing_names import (
    DEFAULT_DIMENSIONS,
    DEFAULT_NAMESPACE,
    Dimensions,
    dimensions_of,
    metrics_apart,
    require_dimensions,
    require_namespace,
)
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.publish_report import PublishedRun, PublishReport, remarks, why_nothing
from mlflow_smwatch.report import Failure, Warned
from mlflow_smwatch.tracking.publication import RunsToPublish, mirrored_keys, run_name
from mlflow_smwatch.tracking.store import open_tracking

_UTILISATION = ("system/", "sagemaker/")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """What is published, and where to.

    Attributes
    ----------
    namespace
        Of CloudWatch; none of AWS's own.
    dimensions
        Names and values; a value may have ``{run_id}``, ``{run_name}`` and ``{experiment}`` in it.
    metrics
        Patterns of the keys that are published; empty for all but those below ``system/``.
    all_metrics
        Publish those too.
    dry_run
        Put nothing, and say what would be.

    Raises
    ------
    UsageError
        When CloudWatch does not take a value.
    """

    namespace: str = DEFAULT_NAMESPACE
    dimensions: Dimensions = DEFAULT_DIMENSIONS
    metrics: tuple[str, ...] = ()
    all_metrics: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse what CloudWatch does not take."""
        require_namespace(self.namespace)
        require_dimensions(self.dimensions)

    def wants(self, key: str) -> bool:
        """Tell whether a metric is published."""
        if self.metrics:
            return any(fnmatchcase(key, pattern) for pattern in self.metrics)
        return self.all_metrics or not key.startswith(_UTILISATION)


def publish(
    things: Sequence[str],
    options: PublishOptions,
    place: SyncOptions,
    clock: Callable[[], datetime] = lambda: datetime.now(tz=timezone.utc),
) -> PublishReport:
    """Publish the metrics of runs that are not published yet.

    Parameters
    ----------
    things
        Run ids, names of runs, names or ARNs of jobs.
    options
        What is published, and where to.
    place
        MLflow, and the account and Region: its tracking URI, Region, profile and role.
    clock
        Tells the time, aware.

    Returns
    -------
    PublishReport

    Raises
    ------
    UsageError
        When a value cannot be understood.
    StopError
        When MLflow or AWS cannot be used.
    """
    aws = connect(place.region, place.profile, place.workers, place.assume_role)
    tracking = open_tracking(place.tracking_uri, create=False)
    work = _Publication(
        aws=aws,
        runs=RunsToPublish(tracking),
        options=options,
        report=PublishReport(
            namespace=options.namespace, region=aws.region, dry_run=options.dry_run
        ),
        window=lambda: PublishWindow.at(to_ms(clock())),
    )
    for run in work.find(things):
        work.attempt(run)
    return work.closed()


@dataclass(slots=True, kw_only=True)
class _Publication:
    """One publication on its way."""

    aws: Aws
    runs: RunsToPublish
    options: PublishOptions
    report: PublishReport
    window: Callable[[], PublishWindow]
    metrics: set[tuple[Dimensions, str]] = field(default_factory=set)

    def find(self, things: Sequence[str]) -> list[KnownRun]:
        """Find each run once; what stands for none is a failure."""
        found: dict[str, KnownRun] = {}
        for text in dict.fromkeys(things):
            try:
                found |= {run.run_id: run for run in self.runs.named(text)}
            except JobError as error:
                self.report.failed.append(Failure(text, str(error)))
        return list(found.values())

    def attempt(self, run: KnownRun) -> None:
        """Publish a run; its failure does not stop the others."""
        name = run_name(run) or run.run_id
        try:
            self._publish(self.runs.reread(run), name)
        except StopError as error:
            if not self.report.points:
                raise
            self.report.failed.append(Failure(name, f"run {run.run_id}: {error}"))
        except Exception as error:  # noqa: BLE001 - the border of one run: the others go on
            self.report.failed.append(Failure(name, f"run {run.run_id}: {reason(error)}"))

    def closed(self) -> PublishReport:
        """Give the report, with what was spent."""
        calls, cost = self.aws.ledger.settle()
        if self.report.dry_run:
            calls, cost = self.report.forecast_calls()
        self.report.aws_calls, self.report.estimated_cost_usd = calls, cost
        self.report.metrics = len(self.metrics)
        return self.report

    def _publish(self, run: KnownRun, name: str) -> None:
        facts = {
            "run_id": run.run_id,
            "run_name": name,
            "experiment": self.runs.experiment_of(run),
        }
        to = Destination(
            account=self.aws.account,
            region=self.aws.region,
            namespace=self.options.namespace,
            dimensions=dimensions_of(self.options.dimensions, facts),
        )
        mirrored = mirrored_keys(run)
        wanted = sorted(key for key in run.metric_keys - mirrored if self.options.wants(key))
        line = PublishedRun(
            run_id=run.run_id,
            name=name,
            experiment_id=run.experiment_id,
            experiment=facts["experiment"],
            dimensions=dict(to.dimensions),
            mirrored=len([key for key in mirrored if self.options.wants(key)]),
        )
        self.report.runs.append(line)
        run_at_work = _RunAtWork(self, run, to, line)
        try:
            run_at_work.put(wanted)
        finally:
            line.metrics = metrics_apart(run_at_work.keys)
            self.metrics |= {(to.dimensions, key) for key in run_at_work.keys}
        if why := why_nothing(line, known=run_at_work.known):
            self.report.failed.append(Failure(name, f"run {run.run_id}: {why}"))
        else:
            self.report.warnings += [Warned(name, each) for each in remarks(line)]


class _RunAtWork:
    """Publishes one run, batch by batch; the note on the run follows each."""

    def __init__(
        self, work: _Publication, run: KnownRun, to: Destination, line: PublishedRun
    ) -> None:
        self._work, self._run, self._to, self._line = work, run, to, line
        self._published = read_published(run.tags)
        self._window = work.window()
        self.keys: set[str] = set()

    @property
    def known(self) -> bool:
        """Whether something of the run was published there, now or earlier."""
        return bool(self._published.get(self._to)) or self._line.points > 0

    def put(self, wanted: Sequence[str]) -> None:
        """Put what is new of some metrics."""
        require_room(self._published, self._to, wanted)
        data = self._data(wanted)
        for number, batch in enumerate(
            batches(data, self._to.namespace, self._to.dimensions), start=1
        ):
            if not self._work.options.dry_run:
                if number == 1:  # nothing is put of a run that cannot be noted on
                    self._note()
                self._put(batch)
            self._line.points += batch.points
            self._line.calls += 1
            self._work.report.points += batch.points

    def _data(self, wanted: Sequence[str]) -> Iterator[Datum]:
        marks = self._published.get(self._to, {})
        for key in wanted:
            history = self._work.runs.history(self._run, key)
            selection = select(history, marks.get(key), self._window)
            self._line.skipped += selection.skipped
            if selection.points:
                self.keys.add(key)
            yield from data_of(key, selection)

    def _put(self, batch: Batch) -> None:
        put_metrics(self._work.aws, request(batch, self._to.namespace, self._to.dimensions))
        self._published = advanced(self._published, self._to, batch.marks)
        self._note()

    def _note(self) -> None:
        self._work.runs.note(self._run, published_tags(self._published))
