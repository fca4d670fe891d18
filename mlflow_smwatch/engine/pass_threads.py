"""The threads of a pass, and the tasks that wait for one."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor

from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.tracking.units import UnitLimits

POINTS_PER_UNIT = 50_000
_ALARM_THREADS = 2


class PassThreads:
    """Pools of threads: none ever waits for another's place in itself.

    Parameters
    ----------
    workers
        Threads of each pool.

    Attributes
    ----------
    calls
        For everything but logs.
    logs, pages
        For the logs of jobs, and for their pages.
    alarms
        For CloudWatch's alarms: where these are not to be had, nothing else waits for a thread.
    """

    def __init__(self, workers: int) -> None:
        self.calls = ThreadPoolExecutor(workers, "smwatch")
        self.logs = ThreadPoolExecutor(workers, "smwatch-logs")
        self.pages = ThreadPoolExecutor(workers, "smwatch-pages")
        self.alarms = ThreadPoolExecutor(_ALARM_THREADS, "smwatch-alarms")

    def shutdown(self, *, cancel: bool) -> None:
        """End the threads; what has not begun may be cancelled."""
        for pool in (self.calls, self.logs, self.pages, self.alarms):
            pool.shutdown(wait=True, cancel_futures=cancel)


def next_unit(ready: deque[Task], limits: UnitLimits) -> list[Task]:
    """Take the tasks that are written together next: as many as may be, and not too many points."""
    unit: list[Task] = []
    points = 0
    while ready and len(unit) < limits.jobs and points < POINTS_PER_UNIT:
        unit.append(ready.popleft())
        points += unit[-1].points
    return unit
