"""The last look at an endpoint that is gone: what came between the last pass and its end.

Metrics, the logs that the user attached to it, and the alarms that watched it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlflow_smwatch.aws.cloudwatch import read_metrics
from mlflow_smwatch.aws.operations import GET_METRIC_DATA
from mlflow_smwatch.aws.packing import MetricRequest, Packer
from mlflow_smwatch.core.errors import AccessDeniedError, StopError
from mlflow_smwatch.core.progress import Progress, progress
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.further_reader import Commit, FurtherLogReader
from mlflow_smwatch.engine.task import Task


class LastLook:
    """Reads what is left of endpoints that AWS no longer knows; CloudWatch has it still.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    commit
        Writes what a task has gathered of its logs, where that is much.
    """

    def __init__(self, context: PassContext, commit: Commit) -> None:
        self._pass = context
        self._further = FurtherLogReader(context, commit, context.stopped)

    def read(self, task: Task) -> Progress:
        """Read the series, further logs and alarms of an endpoint.

        Parameters
        ----------
        task
            The endpoint; what is denied of it is noted there.

        Returns
        -------
        Progress
            What is to be written; its watermark is final once nothing more can come.

        Raises
        ------
        RetriableError
            When CloudWatch goes on failing.
        StopError
            When nothing more can be done.
        """
        for request in self._requests(task):
            self._read(task, request)
        if task.reads_further(self._pass.options.metrics):
            task.further_reading = self._further.read(task)
        if self._pass.alarms.are_due(task):
            self._read_alarms(task)
        run_id, index = task.run.run_id if task.run else "", self._pass.index
        return progress(
            task.job,
            task.watermark,
            task.measured(self._pass.options.metrics),
            written=lambda key: index.history(run_id, key),
            give_up_denied=self._pass.options.give_up_denied,
        )

    def forecast(self, task: Task) -> None:
        """Count what :meth:`read` would ask for."""
        for request in self._requests(task):
            self._pass.aws.ledger.count(GET_METRIC_DATA)
            self._pass.aws.ledger.charge_metrics(len(request.queries))
        if task.reads_further(self._pass.options.metrics):
            for action, calls in self._further.forecast(task).items():
                self._pass.aws.ledger.count(action, calls)
        if self._pass.alarms.are_due(task):
            self._pass.alarms.forecast(task)

    def _read_alarms(self, task: Task) -> None:
        try:
            task.alarms = self._pass.alarms.read(task)
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of the alarms: the endpoint goes on
            self._pass.alarms.go_without(error)

    def _requests(self, task: Task) -> Iterator[MetricRequest]:
        packer = Packer(clock_ms=self._pass.clock_ms)
        for query in task.steady_queries():
            yield from packer.add(query)
        yield from packer.flush()

    def _read(self, task: Task, request: MetricRequest) -> None:
        try:
            readings = list(read_metrics(self._pass.aws, request))
        except AccessDeniedError as error:
            task.denied.append(f"no metrics: {error}")
            return
        for reading in readings:
            original = reading.query.series.original
            if reading.error is not None:
                raise reading.error
            if reading.forbidden:
                task.denied.append(f"the metric {original} is forbidden")
            else:
                task.series.setdefault(original, []).extend(reading.points)
        for points in task.series.values():
            points.sort(key=lambda point: point.timestamp_ms)
