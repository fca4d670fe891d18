"""A mirror whose run is taken away by another one never goes on at the other's run in the middle.

What it had read of the logs was written to its own run; only the rest of it would come to the other
run, and the watermark with it would vouch for points that are not there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from mlflow.entities import ViewType

from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.wire import Call, HttpRequest, Reply
from mlflow_smwatch.engine.admission import Admission
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.engine.task import Task
from mlflow_smwatch.options import SyncOptions
from tests.jobs import HOUR_MS, MINUTE_MS, job_answer, now_ms, put_log
from tests.sync.conftest import EVENTS, METRICS, Mirror

LINES, A_PAGE = 5500, 5200
"""A page gives more points than a mirror keeps: they are written before the next page is read."""

LONGEST_S = 60


@contextmanager
def held(
    account: EmulatedAccount, operation: str
) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Keep back the answers to an operation; gives what tells of the first, and what frees all."""
    asked, free = threading.Event(), threading.Event()
    answer = account._operate

    def operate(call: Call, request: HttpRequest) -> Reply:
        if call.name == operation:
            asked.set()
            free.wait(LONGEST_S)
        return answer(call, request)

    account._operate = operate  # type: ignore[method-assign]
    try:
        yield asked, free
    finally:
        free.set()


class SlowMirror:
    """A mirror that begins before another one, and makes its runs after it.

    Parameters
    ----------
    options
        As the other's.
    """

    def __init__(self, options: SyncOptions) -> None:
        connection = Connection.to(options)
        context = connection.context(options)
        self._admission = Admission(context)
        named = JobFinder(connection.aws).named(("job",))
        page = [each for each in named if isinstance(each, Found)]
        found = context.index.find([context.identity(each) for each in page])
        self._tasks = [self._admission._admit(each, found) for each in page]

    def make_runs(self) -> None:
        """Make its runs, which are the older ones by its note; remove the other's; be killed."""
        made = [self._admission._with_run(each) for each in self._tasks]
        assert all(isinstance(each, Task) and each.made for each in made)
        self._admission._without_doubles(made)


@pytest.fixture
def options(mirror: Mirror) -> SyncOptions:
    """Put a job that ended, with more log than a page, and say how to mirror it."""
    account, created_ms = mirror.account, now_ms() - HOUR_MS
    account.faults.page_size(EVENTS, A_PAGE)
    ended_ms = created_ms + 30 * MINUTE_MS
    account.put_training_job(job_answer("job", created_ms=created_ms, ended_ms=ended_ms))
    put_log(account, "job", [(created_ms + n * 100, f"value={n}") for n in range(LINES)])
    return mirror.options(artifacts="none", settle_s=5)


def test_the_run_that_stays_is_filled_from_the_beginning(
    mirror: Mirror, options: SyncOptions
) -> None:
    """The mirror that lost its run fails for this job; the next pass fills the run that stays."""
    slow = SlowMirror(options)
    with held(mirror.account, METRICS) as (asked, free), ThreadPoolExecutor(1) as pool:
        quick = pool.submit(Engine(options).sync)
        assert asked.wait(LONGEST_S)
        assert len(mirror.series("job")["loss"]) == A_PAGE
        slow.make_runs()
        free.set()
        report = quick.result()
    (failure,) = report.failed
    assert "another mirror has made the run that stays" in failure.error
    assert Engine(options).sync().jobs["updated"] == 1
    (run,) = mirror.runs(view=ViewType.ACTIVE_ONLY)
    points = mirror.points(run)["loss"]
    assert [(step, value) for _, step, value in points] == [(n, float(n)) for n in range(LINES)]
    assert run.data.tags["smwatch.final"] == "true"
    assert Engine(options).sync().jobs["unchanged"] == 1
