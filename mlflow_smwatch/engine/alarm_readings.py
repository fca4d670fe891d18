"""The alarms on the jobs of a pass, read beside what else is read of them.

All of it belongs to the coordinating thread; the calls alone are made by others.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from functools import partial

from mlflow_smwatch.core.alarms import AlarmReading
from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.engine.readings import OpenTasks, Running
from mlflow_smwatch.engine.task import Task


class AlarmReadings:
    """Reads alarms beside what else is read of jobs; in a dry run the calls are counted.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    tasks
        The jobs that are read.
    pool
        Makes the calls, and nothing else: alarms may be late.
    running
        Where calls under way are entered.
    """

    def __init__(
        self, context: PassContext, tasks: OpenTasks, pool: Executor, running: Running
    ) -> None:
        self._alarms, self._dry_run = context.alarms, context.options.dry_run
        self._tasks = tasks
        self._pool = pool
        self._running = running

    def ask(self, task: Task) -> bool:
        """Begin to read the alarms on a job; tell whether there is an answer to wait for.

        Raises
        ------
        StopError
            When nothing can be done.
        """
        if not self._alarms.are_due(task):
            return False
        if self._dry_run:
            self._alarms.forecast(task)
            return False
        future = self._pool.submit(self._alarms.read, task)
        self._running[future] = partial(self._deliver, task)
        return True

    def _deliver(self, task: Task, done: Future[AlarmReading]) -> None:
        try:
            task.alarms = done.result()
        except StopError:
            raise
        except Exception as error:  # noqa: BLE001 - the border of the alarms: the job goes on
            self._alarms.go_without(error)
        self._tasks.tick(task.arn)
