"""What ``watch`` has of its own on the command line: signals, and telling of trouble once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from mlflow_smwatch.cli.diagnostics import News
from mlflow_smwatch.cli.signals import stopping
from mlflow_smwatch.report import KEPT, Failure, RunLine, SyncReport, Warned

LONGEST_S = 10


@pytest.fixture
def handlers() -> Iterator[tuple[object, object]]:
    """Give the handlers before, and check that they are there again."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = tuple(signal.getsignal(number) for number in numbers)
    yield before[0], before[1]
    assert tuple(signal.getsignal(number) for number in numbers) == before


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops(number: signal.Signals) -> None:
    """The event is set, and the user is told, within the block."""
    stopped = threading.Event()
    told: list[str] = []
    with stopping(stopped, told.append):
        os.kill(os.getpid(), number)
        assert stopped.wait(LONGEST_S)
    assert told == [number.name]


@pytest.mark.usefixtures("handlers")
def test_no_signal() -> None:
    """Without a signal nothing is set, and the thread ends."""
    stopped = threading.Event()
    told: list[str] = []
    with stopping(stopped, told.append):
        assert "smwatch-signals" in {thread.name for thread in threading.enumerate()}
    assert not stopped.is_set()
    assert told == []
    assert "smwatch-signals" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.usefixtures("handlers")
def test_a_second_ctrl_c() -> None:
    """It interrupts, as it does without us; a second SIGTERM does no more than the first."""
    stopped = threading.Event()
    with stopping(stopped, lambda _: None):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.wait(LONGEST_S)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


class Remembering(threading.Event):
    """Remembers which thread set it."""

    set_by: threading.Thread | None = None

    def set(self) -> None:
        self.set_by = threading.current_thread()
        super().set()


@pytest.mark.usefixtures("handlers")
def test_the_event_is_not_set_by_the_handler() -> None:
    """The thread that the handler interrupts may hold the event's lock at that moment."""
    stopped = Remembering()
    with stopping(stopped, lambda _: None):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.wait(LONGEST_S)
    assert stopped.set_by not in {None, threading.main_thread()}


def line(arn: str) -> RunLine:
    """Make a job's line of a report."""
    return RunLine(arn, "training-job", arn, "r", "0", "e", "RUNNING", 0, None, "unchanged")


def test_a_count_that_grows_is_no_news() -> None:
    """The same trouble with other numbers was told; one of another metric was not."""
    news = News()
    text = "metric loss_{}: {} matches are cut short; pattern 'loss=([0-9]{{1,2}})'"
    told = [
        news.of(SyncReport(warnings=[Warned("a", text.format(*numbers))], runs=[line("a")]))[1]
        for numbers in ((1, 30), (1, 31), (1, "1,031"), (2, 31))
    ]
    assert [len(each) for each in told] == [1, 0, 0, 1]


def test_jobs_long_gone_are_forgotten() -> None:
    """What is remembered does not grow without end."""
    news = News()
    for number in range(0, KEPT + 1000, 1000):
        arns = [f"job-{each}" for each in range(number, number + 1000)]
        report = SyncReport(failed=[Failure(arn, "gone") for arn in arns])
        assert news.of(report) == (report.failed, [])
    assert news.of(SyncReport(failed=[Failure("job-0", "gone")]))[0]
    assert not news.of(SyncReport(failed=[Failure("job-9999", "gone")]))[0]


def test_trouble_is_told_once() -> None:
    """Again only after it changed, or after the job was mirrored without it."""
    news = News()
    failure, other = Failure("a", "gone"), Failure("a", "denied")
    general, own = Warned(None, "slow"), Warned("b", "cut")
    trouble = SyncReport(failed=[failure], warnings=[general, own], runs=[line("b")])
    assert news.of(trouble) == ([failure], [general, own])
    assert news.of(trouble) == ([], [])
    assert news.of(SyncReport(failed=[other], runs=[line("c")])) == ([other], [])
    assert news.of(SyncReport(failed=[failure], warnings=[general, own])) == ([failure], [general])
    assert news.of(SyncReport(runs=[line("a")])) == ([], [])
    assert news.of(trouble) == ([failure], [general])
