"""The metrics that a pass reads besides logs: series of many jobs in one call.

All of it belongs to the coordinating thread; the calls alone are made by others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeAlias

from mlflow_smwatch.aws.cloudwatch import SeriesReading, read_metrics
from mlflow_smwatch.aws.metric_series import (
    COMPONENTS_PER_READING,
    ComponentSeries,
    calls_for,
    read_component_series,
)
from mlflow_smwatch.aws.operations import BATCH_GET_METRICS, GET_METRIC_DATA
from mlflow_smwatch.aws.packing import MetricRequest, Packer, Query
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.errors import AccessDeniedError, StopError
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.task import Task

Running: TypeAlias = dict[Future[Any], Callable[[Future[Any]], None]]
"""A call that is under way → what takes its answer."""

_REQUESTS_AT_ONCE = 2
"""A request for metrics may count a second's quota of datapoints, and is answered in about one."""


class OpenTasks:
    """The jobs of which something is still to be read, by ARN, and those that are read.

    Attributes
    ----------
    ready
        Jobs of which nothing is left to be read.
    """

    def __init__(self) -> None:
        self.ready: deque[Task] = deque()
        self._open: dict[str, Task] = {}

    def __getitem__(self, arn: str) -> Task:
        """Give a job of which something is still to be read."""
        return self._open[arn]

    def enter(self, task: Task) -> None:
        """Take a job, whose open readings are counted in it."""
        if task.waiting:
            self._open[task.arn] = task
        else:
            self.ready.append(task)

    def tick(self, arn: str) -> None:
        """Count down a job's open readings; with the last one answered it is ready."""
        task = self._open[arn]
        task.waiting -= 1
        if not task.waiting:
            self.ready.append(self._open.pop(arn))


class SeriesReadings:
    """Reads the series of CloudWatch; in a dry run they are counted.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    tasks
        The jobs that are read.
    pool
        Makes the calls.
    running
        Where calls under way are entered.
    """

    def __init__(
        self, context: PassContext, tasks: OpenTasks, pool: Executor, running: Running
    ) -> None:
        self._aws, self._dry_run = context.aws, context.options.dry_run
        self._tasks = tasks
        self._pool = pool
        self._running = running
        self._packer = Packer(clock_ms=context.clock_ms)
        self._requests: deque[MetricRequest] = deque()
        self._reading = 0

    @property
    def waiting(self) -> bool:
        """Whether there are requests that have not begun."""
        return bool(self._requests)

    def ask(self, queries: Iterable[Query]) -> None:
        """Take queries; they wait for others with which they share a request."""
        for query in queries:
            for request in self._packer.add(query):
                self._enter(request)

    def flush(self) -> None:
        """Let no query wait any longer."""
        for request in self._packer.flush():
            self._enter(request)

    def begin(self) -> None:
        """Begin what there is room for: few requests at once, since their answers are large."""
        for request in self._packer.overdue():
            self._enter(request)
        while self._requests and self._reading < _REQUESTS_AT_ONCE:
            request = self._requests.popleft()
            self._reading += 1
            future = self._pool.submit(_all_readings, self._aws, request)
            self._running[future] = partial(self._deliver, request)

    def _enter(self, request: MetricRequest) -> None:
        if self._dry_run:
            self._aws.ledger.count(GET_METRIC_DATA)
            self._aws.ledger.charge_metrics(len(request.queries))
        else:
            self._requests.append(request)

    def _deliver(self, request: MetricRequest, done: Future[list[SeriesReading]]) -> None:
        self._reading -= 1
        try:
            for reading in done.result():
                self._deliver_one(reading)
        except AccessDeniedError as error:
            for task in self._tasks_of(request):
                task.denied.append(f"no metrics: {error}")
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of these jobs: the others go on
            for task in self._tasks_of(request):
                task.error = error
        for query in request.queries:
            self._tasks.tick(query.arn)

    def _tasks_of(self, request: MetricRequest) -> list[Task]:
        return [self._tasks[arn] for arn in dict.fromkeys(query.arn for query in request.queries)]

    def _deliver_one(self, reading: SeriesReading) -> None:
        task, original = self._tasks[reading.query.arn], reading.query.series.original
        if reading.error is not None:
            task.error = reading.error
        elif reading.forbidden:
            task.denied.append(f"the metric {original} is forbidden")
        else:
            points = task.series.setdefault(original, [])
            points += reading.points
            points.sort(key=lambda point: point.timestamp_ms)


class ComponentReadings:
    """Reads the metric series of trial components; in a dry run they are counted.

    Parameters
    ----------
    context, tasks, pool, running
        As of :class:`SeriesReadings`.
    warn
        Is told once where series are denied, so that summaries stand for them.
    """

    def __init__(
        self,
        context: PassContext,
        tasks: OpenTasks,
        pool: Executor,
        running: Running,
        warn: Callable[[str], None],
    ) -> None:
        self._aws, self._options = context.aws, context.options
        self._tasks = tasks
        self._pool = pool
        self._running = running
        self._warn = warn
        self._denied = False

    def are_due(self, task: Task) -> bool:
        """Whether a trial component has metrics whose series are to be read."""
        wanted = self._options.metrics != "off"
        return wanted and bool(task.job.summaries) and bool(task.reading.windows)

    def begin(self, tasks: Iterable[Task]) -> None:
        """Read the series of trial components, of many in one call."""
        asked = [task for task in tasks if self.are_due(task)]
        while asked:
            some, asked = asked[:COMPONENTS_PER_READING], asked[COMPONENTS_PER_READING:]
            wanted = {
                task.arn: {each.name: task.job.created_ms for each in task.job.summaries}
                for task in some
            }
            if self._options.dry_run:
                self._aws.ledger.count(BATCH_GET_METRICS, calls_for(wanted))
                continue
            live = {task.arn for task in some if not task.job.ended}
            future = self._pool.submit(read_component_series, self._aws, wanted, live)
            self._running[future] = partial(self._deliver, some)

    def _deliver(self, tasks: Sequence[Task], done: Future[ComponentSeries]) -> None:
        try:
            read = done.result()
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of these jobs: the others go on
            for task in tasks:
                task.error = error
        else:
            for task in tasks:
                task.iterations = read.series.get(task.arn, {})
            if read.denied and not self._denied:
                self._denied = True
                self._warn(f"summaries stand for metric series: {read.denied}")
        for task in tasks:
            self._tasks.tick(task.arn)


def _all_readings(aws: Aws, request: MetricRequest) -> list[SeriesReading]:
    return list(read_metrics(aws, request))
