"""Messages in queues: who hangs or refuses delays nobody else, and nothing grows."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from mlflow_smwatch.alerts.messenger import Messenger
from mlflow_smwatch.core.errors import JobError, RetriableError
from mlflow_smwatch.core.rule_alerts import Alert
from mlflow_smwatch.core.rule_tables import read_rules
from mlflow_smwatch.core.rule_targets import Address, read_address
from tests.alerts.receivers import until

(RULE,) = read_rules("f", [{"name": "r", "metric": "m", "above": 1}])
SLACK = read_address("f", "slack://hush")
MAIL = read_address("f", "mailto://hush")


def alert(number: int) -> Alert:
    """Make a message that is told from others."""
    return Alert(
        rule=RULE,
        word="ALARM",
        arn="arn",
        kind="training-job",
        job=f"job-{number}",
        run_id="1",
        series="m",
        at_ms=number,
    )


class Refusing:
    """A channel that fails some times before it takes a message."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.taken: list[str] = []
        self.held = threading.Lock()

    def send(self, alert: Alert) -> None:
        """Take it, or refuse it."""
        with self.held:
            if self.failures:
                self.failures -= 1
                message = "not now"
                raise RetriableError(message)
            self.taken.append(alert.job)

    def has(self, count: int) -> bool:
        """Tell whether that many messages were taken."""
        return len(self.taken) == count


class Hanging:
    """A channel that hangs until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()
        self.taken: list[str] = []

    def send(self, alert: Alert) -> None:
        """Take it, in the end."""
        self.began.set()
        self.let_go.wait(60)
        self.taken.append(alert.job)


class Broken:
    """A channel with a library that raises what it likes, secrets in it."""

    def send(self, alert: Alert) -> None:
        """Fail."""
        raise ValueError(alert.job, "hush")


def test_a_hanging_channel_delays_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Its own queue is bounded, which is said once; the oldest go."""
    hanging, other = Hanging(), Refusing()
    messenger = Messenger({SLACK: hanging, MAIL: other}, capacity=3)
    began = time.monotonic()
    messenger.send(alert(0), (SLACK, MAIL))
    assert hanging.began.wait(10)
    for number in range(1, 9):
        messenger.send(alert(number), (SLACK,))
        messenger.send(alert(number), (MAIL,))
        until(partial(other.has, number + 1), lambda: other.taken)
    assert time.monotonic() - began < 10
    assert messenger.close(0.2) == 3
    assert [each.message for each in caplog.records] == [
        "3 messages wait for slack://: the oldest are given up"
    ]
    hanging.let_go.set()
    until(lambda: len(hanging.taken) == 4, lambda: hanging.taken)
    assert hanging.taken == ["job-0", "job-6", "job-7", "job-8"]


def test_a_message_is_tried_again_in_order(caplog: pytest.LogCaptureFixture) -> None:
    """What fails and what works again is said once each."""
    channel = Refusing(2)
    messenger = Messenger({SLACK: channel})
    for number in range(3):
        messenger.send(alert(number), (SLACK,))
    until(lambda: len(channel.taken) == 3, lambda: channel.taken)
    assert messenger.close() == 0
    assert channel.taken == ["job-0", "job-1", "job-2"]
    assert [each.message for each in caplog.records] == [
        "slack:// takes no messages: not now; it is tried again",
        "slack:// takes messages again",
    ]


def test_the_end_tries_once_more_and_goes(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a library raises, and without its words, which may hold secrets."""
    messenger = Messenger({SLACK: Broken()})
    messenger.send(alert(1), (SLACK,))
    until(lambda: bool(caplog.records), lambda: caplog.text)
    assert messenger.close() == 1
    assert "slack:// takes no messages: ValueError;" in caplog.text
    assert "hush" not in caplog.text
    assert Messenger({MAIL: Refusing()}).close() == 0


def test_what_is_too_old_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """So that what follows gets its turn."""
    now = [0.0]
    channel = Refusing(1)
    messenger = Messenger({SLACK: channel}, clock=lambda: now[0])
    with channel.held:
        messenger.send(alert(0), (SLACK,))
        now[0] += 4000
        messenger.send(alert(1), (SLACK,))
    until(lambda: bool(channel.taken), lambda: caplog.text)
    assert messenger.close() == 0
    assert channel.taken == ["job-1"]
    assert "a message for slack:// is given up after an hour" in caplog.text


class Choosy:
    """A channel that takes no message of some jobs."""

    def __init__(self, *unwanted: str) -> None:
        self.unwanted = unwanted
        self.taken: list[str] = []

    def send(self, alert: Alert) -> None:
        """Take it, unless it is unwanted."""
        if alert.job in self.unwanted:
            message = "it cannot be reached, or refuses the message"
            raise RetriableError(message)
        self.taken.append(alert.job)


@pytest.mark.slow
def test_a_refused_message_keeps_nothing_back(caplog: pytest.LogCaptureFixture) -> None:
    """The others go past it; when they are taken time and again, it is given up."""
    channel = Choosy("job-0")
    messenger = Messenger({SLACK: channel})
    (line,) = messenger.lines
    messenger.send(alert(0), (SLACK,))
    messenger.send(alert(1), (SLACK,))
    until(lambda: channel.taken == ["job-1"], lambda: caplog.text)
    for number in (2, 3):
        messenger.send(alert(number), (SLACK,))
        until(partial(channel.taken.__contains__, f"job-{number}"), lambda: caplog.text)
        until(lambda: not line.standing.reachable or not line.standing.waiting, lambda: caplog.text)
    until(lambda: line.standing.waiting == 0, lambda: caplog.text)
    assert "a message for slack:// is given up after 3 refusals" in caplog.text
    standing = line.standing
    assert (standing.sent, standing.dropped) == (3, 1)
    assert messenger.close() == 0


def test_the_end_tries_each_message_once_more() -> None:
    """Also those behind one that is refused."""
    channel = Choosy("job-0")
    messenger = Messenger({SLACK: channel})
    for number in range(3):
        messenger.send(alert(number), (SLACK,))
    assert messenger.close() == 1
    assert channel.taken == ["job-1", "job-2"]
    (standing,) = (each.standing for each in messenger.lines)
    assert (standing.sent, standing.waiting, standing.dropped) == (2, 0, 1)


class Answering:
    """A channel whose service says that a message is wrong."""

    def send(self, alert: Alert) -> None:
        """Refuse it."""
        raise JobError(alert.job)


def test_who_answers_is_not_asked_for_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """A message that is wrong is given up after some tries."""
    messenger = Messenger({SLACK: Answering()})
    messenger.send(alert(0), (SLACK,))
    until(lambda: "given up" in caplog.text, lambda: caplog.text)
    assert messenger.close() == 0


def test_addresses_are_not_shown() -> None:
    """Neither by themselves nor in what holds them."""
    assert "hush" not in repr(SLACK)
    assert isinstance(SLACK, Address)
