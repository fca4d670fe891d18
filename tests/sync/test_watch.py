"""Watching: when passes are made, what wakes them, and how trouble is waited out.

What a pass does is tested elsewhere; here a stand-in takes the engine's place, but for the last
tests. Queues and messages are the emulated account's.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import boto3
import pytest

from mlflow_smwatch.aws.ledger import Ledger
from mlflow_smwatch.aws.queue import QueueMessage
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    CredentialsError,
    RetriableError,
    StopError,
    TrackingError,
    UsageError,
)
from mlflow_smwatch.core.events import JobEvent
from mlflow_smwatch.core.job_kinds import TRAINING_JOB
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.engine.following import Listener
from mlflow_smwatch.engine.messages import settled
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import (
    KEPT,
    NOT_REACHED,
    Failure,
    RunLine,
    SyncReport,
    Warned,
    WatchReport,
    Word,
)
from mlflow_smwatch.watch import Watcher, pause_s, watch
from tests.jobs import HOUR_MS, MINUTE_MS, arn, job_answer, now_ms
from tests.sync.conftest import Mirror

RECEIVE = "sqs:ReceiveMessage"
DELETE = "sqs:DeleteMessageBatch"
LOGGER = "mlflow_smwatch.watch"
LONGEST_S = 20

Step = SyncReport | Exception | Callable[[], SyncReport]


def line(name: str) -> RunLine:
    return RunLine(arn(name), "training-job", name, "r", "0", "e", "RUNNING", 0, None, "updated")


def pass_of(*written: str, failed: Sequence[str] = (), points: int = 0) -> SyncReport:
    """Make the report of a pass: names of jobs that are written, and what failed."""
    report = SyncReport(points=points, runs=[line(name) for name in written])
    report.counts["updated"] = len(written)
    report.failed += [Failure(each, "no luck") for each in failed]
    return report


@dataclass(frozen=True, slots=True)
class Follow:
    """One call of the stand-in: what was asked, and when; no sweep for jobs that changed."""

    since: datetime | None
    names: tuple[str, ...]
    sweep: bool | None
    at: float = field(compare=False)


@dataclass
class StandIn:
    """A mirror whose passes are written beforehand; with the last one the watch is stopped."""

    aws: Aws
    script: list[Step]
    stopped: threading.Event
    calls: list[Follow] = field(default_factory=list)
    made: int = 0
    open_jobs: int = 0
    following: frozenset[str] = frozenset()

    @property
    def ledger(self) -> Ledger:
        return self.aws.ledger

    def connect(self) -> StandIn:
        self.made += 1
        return self

    def follow(
        self, *, since: datetime | None, names: Sequence[str] = (), sweep: bool
    ) -> SyncReport:
        return self._next(Follow(since, tuple(names), sweep, time.monotonic()))

    def follow_changed(self, jobs: Mapping[str, str]) -> SyncReport:
        return self._next(Follow(None, tuple(jobs), None, time.monotonic()))

    def _next(self, call: Follow) -> SyncReport:
        self.calls.append(call)
        step = self.script.pop(0)
        if not self.script:
            self.stopped.set()
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, SyncReport) else step()


@dataclass
class Watch:
    """A watcher of a stand-in, and what it told."""

    mirror: StandIn
    passes: list[SyncReport] = field(default_factory=list)

    def run(
        self, *, interval_s: float = 0.01, queue_url: str | None = None, **options: Any
    ) -> WatchReport:
        watcher = Watcher(
            SyncOptions(**options),
            self.mirror.connect,
            interval_s=interval_s,
            queue_url=queue_url,
            stopped=self.mirror.stopped,
            listener=Listener(passed=self.passes.append),
        )
        return watcher.run()


@pytest.fixture
def watching(account: EmulatedAccount) -> Callable[..., Watch]:
    """Make watches whose passes are given."""
    assert account.endpoint

    def make(*script: Step) -> Watch:
        stand_in = StandIn(connect(None, None, 2), list(script), threading.Event())
        return Watch(stand_in)

    return make


def ago(given: datetime | None) -> timedelta:
    """Say how long ago a moment was."""
    assert given is not None
    return datetime.now(tz=timezone.utc) - given


Making = Callable[..., Watch]
MINUTE = timedelta(minutes=1)


def test_the_place_moves_on(watching: Making) -> None:
    """The first pass goes back as the user says, later ones ten minutes behind the last."""
    made = watching(pass_of("a", points=3), pass_of("a", points=4), pass_of())
    report = made.run(since="7d")
    first, second, third = made.mirror.calls
    assert abs(ago(first.since) - timedelta(days=7)) < MINUTE
    assert abs(ago(second.since) - timedelta(minutes=10)) < MINUTE
    assert second.since is not None
    assert third.since is not None
    assert third.since > second.since
    assert [call.sweep for call in made.mirror.calls] == [True, False, False]
    assert [call.names for call in made.mirror.calls] == [(), (), ()]
    assert made.passes == [pass_of("a", points=3), pass_of("a", points=4), pass_of()]
    assert (report.passes, report.points, report.counts["updated"]) == (3, 7, 2)


def test_never_before_the_place_that_the_user_set(watching: Making) -> None:
    """The overlap does not reach behind --since."""
    made = watching(pass_of(), pass_of())
    made.run(since="90s")
    first, second = made.mirror.calls
    assert first.since == second.since


def test_from_start_to_start(watching: Making) -> None:
    """A pass that takes long shortens the wait; one that takes longer is followed at once."""

    def after(seconds: float) -> Callable[[], SyncReport]:
        def wait() -> SyncReport:
            time.sleep(seconds)
            return pass_of()

        return wait

    made = watching(after(0.25), after(0.6), after(0), pass_of())
    made.run(interval_s=0.4)
    at = [call.at for call in made.mirror.calls]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert gaps == pytest.approx([0.4, 0.6, 0.4], abs=0.15)


def test_what_was_not_reached_is_listed_again(watching: Making) -> None:
    """The place stays after a pass that was broken off, in whichever way."""
    broken_off = pass_of("a", failed=[NOT_REACHED, arn("b")])
    made = watching(pass_of(), broken_off, TrackingError("gone"), pass_of("b"), pass_of())
    report = made.run()
    _, second, third, fourth, fifth = made.mirror.calls
    assert second.since == third.since == fourth.since
    assert fifth.since is not None
    assert fourth.since is not None
    assert fifth.since > fourth.since
    assert report.failed == []


def test_a_failed_job_is_tried_again(watching: Making) -> None:
    """By name, so that the place moves on; another job's success is not its own."""
    made = watching(pass_of(failed=[arn("b")]), pass_of("a", failed=[arn("b")]), pass_of("b"))
    report = made.run(since="7d")
    assert [call.names for call in made.mirror.calls] == [(), (arn("b"),), (arn("b"),)]
    assert ago(made.mirror.calls[1].since) < timedelta(minutes=11)
    assert report.failed == []

    made = watching(pass_of(failed=[arn("b")]), pass_of("a"))
    report = made.run()
    assert report.failed == [Failure(arn("b"), "no luck")]
    assert report.jobs == {"created": 0, "updated": 1, "failed": 1}


@pytest.mark.parametrize(
    "error",
    [
        CredentialsError("none"),
        TrackingError("none"),
        RetriableError("x"),
        AccessDeniedError("a", "b"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_first_pass_that_fails(watching: Making, error: Exception) -> None:
    """It ends the watch: a typo must not be waited out."""
    made = watching(error, pass_of())
    with pytest.raises(StopError, match=str(error)[:4]):
        made.run()
    assert len(made.mirror.calls) == 1


@pytest.mark.slow
def test_trouble_is_waited_out(watching: Making, caplog: pytest.LogCaptureFixture) -> None:
    """Twice as long each time; said once, and once more when it is over."""
    gone = TrackingError("MLflow is gone")
    made = watching(pass_of(), gone, gone, RetriableError("throttled"), pass_of("a"), pass_of())
    with caplog.at_level(logging.INFO, LOGGER):
        began = time.monotonic()
        made.run()
    at = [call.at - began for call in made.mirror.calls]
    assert [round(later - earlier) for earlier, later in pairwise(at[1:5])] == [1, 2, 4]
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("WARNING", "waiting until it works again: MLflow is gone"),
        ("INFO", "0 jobs created, 1 updated, 0 points"),
        ("WARNING", "works again after 3 failed tries"),
    ]
    assert made.mirror.made == 1
    assert [call.sweep for call in made.mirror.calls] == [True, False, True, True, True, False]


def test_renewed_credentials_are_found(watching: Making) -> None:
    """After credentials were refused the mirror is made anew, and looks for its open jobs."""
    made = watching(pass_of(), CredentialsError("expired"), pass_of())
    made.mirror.aws.ledger.count("sagemaker:Search")
    report = made.run()
    assert made.mirror.made == 2
    assert made.mirror.calls[-1].sweep
    assert report.aws_calls == {"sagemaker:Search": 2}  # of two mirrors, which share a ledger here


def test_a_stop_ends_the_waiting(watching: Making) -> None:
    """At once: between passes, and while trouble is waited out."""
    for script in ([pass_of(), pass_of()], [pass_of(), TrackingError("gone"), pass_of()]):
        made = watching(*script)
        threading.Timer(0.4, made.mirror.stopped.set).start()
        began = time.monotonic()
        made.run(interval_s=0.1 if len(script) == 3 else 60)
        assert time.monotonic() - began < 0.9
        assert len(made.mirror.script) == 1


@pytest.mark.parametrize(
    ("failures", "interval_s", "pause"),
    [
        (1, 0.1, 1),
        (3, 0.1, 4),
        (1, 60, 60),
        (2, 60, 120),
        (3, 60, 240),
        (4, 60, 300),
        (10_000, 60, 300),
        (1, 3600, 300),
    ],
)
def test_pauses(failures: int, interval_s: float, pause: float) -> None:
    """From the interval, at least a second, doubled to at most five minutes."""
    assert pause_s(failures, interval_s) == pause


def test_options_of_a_single_pass(watching: Making) -> None:
    """They are refused rather than ignored."""
    made = watching(pass_of())
    stopped, listener = made.mirror.stopped, Listener(passed=made.passes.append)
    for options, interval_s, why in (
        (SyncOptions(names=("job",)), 60.0, "no job names"),
        (SyncOptions(dry_run=True), 60.0, "no forecast: call sync"),
        (SyncOptions(), 0.0, "--interval 0: give seconds above 0"),
    ):
        with pytest.raises(UsageError, match=why):
            watch(
                (options,),
                interval_s=interval_s,
                queue_url=None,
                stopped=stopped,
                listener=listener,
            )


def test_the_document() -> None:
    """What --json prints; a warning that comes in each pass stands there once."""
    report = WatchReport(aws_calls={"b:B": 1, "a:A": 2}, estimated_cost_usd=1e-7, seconds=1.23456)
    noted = pass_of("a", failed=[arn("b")], points=2)
    noted.warnings.append(Warned(None, "slow"))
    noted.counts["created"] = 1
    report.add(noted)
    report.add(noted)
    assert json.loads(json.dumps(report.to_dict())) == {
        "passes": 2,
        "jobs": {"created": 2, "updated": 2, "failed": 1},
        "points": 4,
        "aws_calls": {"a:A": 2, "b:B": 1},
        "estimated_cost_usd": 0.0,
        "seconds": 1.235,
        "failed": [{"arn": arn("b"), "error": "no luck"}],
        "warnings": [{"arn": None, "warning": "slow"}],
    }


def warned(word: Word, *warnings: Warned) -> SyncReport:
    """Make the report of a pass over job a."""
    return SyncReport(runs=[replace(line("a"), word=word)], warnings=list(warnings))


def test_warnings_are_those_of_now() -> None:
    """Of each job what was said last; a pass that found nothing to do says nothing."""
    report = WatchReport()
    slow, cut, more = (
        Warned(None, "took 3 s"),
        Warned(arn("a"), "30 cut"),
        Warned(arn("a"), "31 cut"),
    )
    other = Warned(arn("b"), "30 cut")
    report.add(warned("updated", slow, cut, other))
    report.add(warned("updated", Warned(None, "took 4 s"), more))
    assert report.warnings == [Warned(None, "took 4 s"), other, more]
    report.add(warned("unchanged"))
    assert more in report.warnings
    report.add(warned("updated"))
    assert report.warnings == [Warned(None, "took 4 s"), other]


def test_a_long_watch_keeps_no_end_of_troubles() -> None:
    """The latest of very many."""
    report = WatchReport()
    for begin in range(0, KEPT + 2000, 1000):
        arns = [arn(f"job-{begin + number}") for number in range(1000)]
        report.add(
            SyncReport(
                failed=[Failure(each, "no luck") for each in arns],
                warnings=[Warned(each, "cut") for each in arns],
            )
        )
    assert (len(report.failed), len(report.warnings)) == (KEPT, KEPT)
    assert report.failed[-1].arn == report.warnings[-1].arn == arn(f"job-{KEPT + 1999}")


def test_a_failed_job_that_is_gone_is_let_go(watching: Making) -> None:
    """A whole pass that does not mention it any more ends the tries; a broken-off one does not."""
    broken_off = pass_of("a", failed=[NOT_REACHED])
    made = watching(pass_of(failed=[arn("b")]), broken_off, pass_of("a"), pass_of())
    report = made.run()
    asked = [call.names for call in made.mirror.calls]
    assert asked == [(), (arn("b"),), (arn("b"),), ()]
    assert report.failed == []


def test_a_record_without_an_arn_does_not_hold_the_place(watching: Making) -> None:
    """It counts as failed; the passes go on."""
    made = watching(pass_of(failed=["unnamed job"]), pass_of())
    report = made.run(since="7d")
    assert ago(made.mirror.calls[1].since) < timedelta(minutes=11)
    assert made.mirror.calls[1].names == ()
    assert [each.arn for each in report.failed] == ["unnamed job"]


def test_a_pass_that_was_broken_off_is_trouble(
    watching: Making, caplog: pytest.LogCaptureFixture
) -> None:
    """Waited out even if it is the first one, for it did mirror something."""
    made = watching(pass_of("a", failed=[NOT_REACHED]), pass_of(), pass_of())
    with caplog.at_level(logging.WARNING, LOGGER):
        report = made.run()
    assert caplog.messages == [
        "waiting until it works again: no luck",
        "works again after 1 failed tries",
    ]
    first, second, _ = made.mirror.calls
    assert second.at - first.at > 0.9
    assert second.sweep
    assert report.passes == 3


def test_wrong_usage_stays_wrong_usage(watching: Making) -> None:
    """Such as a profile that does not exist, which only the first connection shows."""
    with pytest.raises(UsageError, match="profile"):
        watching(UsageError("no such profile"), pass_of()).run()


MESSAGES = {
    name: QueueMessage(id=name, receipt=name, body="") for name in ("a", "a again", "b", "c")
}


@pytest.mark.parametrize(
    ("report", "whole", "done"),
    [
        (pass_of("a", "b", "c"), True, {"a", "a again", "b", "c"}),
        (pass_of("a"), True, {"a", "a again", "b", "c"}),
        (pass_of("a", failed=[arn("b")]), True, {"a", "a again", "c"}),
        (pass_of("a", failed=[arn("b")]), False, {"a", "a again"}),
        (pass_of("a", failed=[arn("a")]), False, set()),
        (pass_of(), False, set()),
        (pass_of("A", failed=[arn("B")]), False, {"a", "a again"}),
        (pass_of(failed=[arn("B")]), True, {"a", "a again", "c"}),
    ],
    ids=["written", "not wanted", "failed", "not reached", "both", "nothing", "case", "case too"],
)
def test_which_messages_are_done(*, report: SyncReport, whole: bool, done: set[str]) -> None:
    """Those of jobs that are written or not wanted; what a pass did not reach stays."""
    events = {
        message: JobEvent(arn=arn(name[0]), name=name[0], kind="training-job")
        for name, message in MESSAGES.items()
    }
    assert {message.id for message in settled(events, report, whole=whole)} == done


@dataclass
class Inbox:
    """A queue of the account, as its owner has it."""

    sqs: Any
    url: str

    def send(self, *names: str) -> None:
        for name in names:
            event = {
                "source": "aws.sagemaker",
                "detail-type": TRAINING_JOB.event_type,
                "detail": {"TrainingJobArn": arn(name)},
            }
            self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(event))

    def count(self) -> tuple[int, int]:
        """Count the messages that can be received, and those that are kept from others."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return int(found["Attributes"][names[0]]), int(found["Attributes"][names[1]])


@pytest.fixture
def inbox(account: EmulatedAccount) -> Iterator[Inbox]:
    """Make a queue in which a message that was received stays hidden for ten minutes."""
    assert account.endpoint
    sqs = boto3.client("sqs")
    made = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "600"})
    yield Inbox(sqs, made["QueueUrl"])
    sqs.close()


def test_messages_wake_the_mirror(
    watching: Making, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is listed; each job of a batch is asked for once; what is done is deleted."""
    inbox.send("a", "b", "a", "unwanted")
    inbox.sqs.send_message(QueueUrl=inbox.url, MessageBody="poison")
    made = watching(pass_of(), pass_of("a", failed=[arn("b")]), pass_of())
    with caplog.at_level(logging.INFO, LOGGER):
        report = made.run(queue_url=inbox.url, interval_s=2)
    first, woken, looked = made.mirror.calls
    assert (first.since, first.names, first.sweep) == (None, (), True)
    assert (woken.since, set(woken.names), woken.sweep) == (
        None,
        {arn("a"), arn("b"), arn("unwanted")},
        None,
    )
    assert len(woken.names) == 3
    assert (looked.since, looked.names, looked.sweep) == (None, (), False)
    assert looked.at - first.at == pytest.approx(2, abs=1.2)
    assert inbox.count() == (0, 2)
    assert report.failed == [Failure(arn("b"), "no luck")]
    (misread,) = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert misread.endswith("is left in the queue: not JSON: 'poison'")
    (unwanted,) = [each for each in caplog.records if "not wanted" in each.message]
    assert unwanted.__dict__["arn"] == arn("unwanted")
    assert set(report.aws_calls) == {"sqs:GetQueueAttributes", RECEIVE, DELETE}


def test_looks_that_take_long_leave_room_for_messages(watching: Making, inbox: Inbox) -> None:
    """A look that takes longer than the interval is followed by a poll, not by the next look."""

    def slow() -> SyncReport:
        time.sleep(0.3)
        return pass_of()

    inbox.send("a")
    made = watching(slow, pass_of("a"), slow, slow)
    made.run(queue_url=inbox.url, interval_s=0.1)
    assert [call.names for call in made.mirror.calls] == [(), (arn("a"),), (), ()]
    assert inbox.count() == (0, 0)


def test_no_message_is_received_after_a_pass_that_was_broken_off(
    watching: Making, inbox: Inbox, account: EmulatedAccount
) -> None:
    """What is written is deleted; then it waits, and looks, before the next message."""
    inbox.send("a", "b")
    seen: list[int] = []

    def look() -> SyncReport:
        seen.append(account.calls[RECEIVE])
        return pass_of()

    broken_off = pass_of("a", failed=[NOT_REACHED])
    made = watching(pass_of(), broken_off, look, pass_of())
    made.run(queue_url=inbox.url, interval_s=1)
    assert seen == [1]
    assert made.mirror.calls[2].sweep
    assert inbox.count() == (0, 1)


def test_messages_of_a_pass_that_a_stop_cut_short(watching: Making, inbox: Inbox) -> None:
    """What the pass did not reach is neither deleted nor kept from other watchers."""
    inbox.send("a", "b", "c")
    made = watching(pass_of(), pass_of("a"))
    made.run(queue_url=inbox.url)
    assert inbox.count() == (2, 0)


def test_messages_of_a_pass_that_failed(
    watching: Making, inbox: Inbox, account: EmulatedAccount
) -> None:
    """They stay, and none is received before MLflow was found to be there again."""
    inbox.send("a")
    at: list[int] = []

    def look(step: Exception | SyncReport) -> Callable[[], SyncReport]:
        def follow() -> SyncReport:
            at.append(account.calls[RECEIVE])
            if isinstance(step, Exception):
                raise step
            return step

        return follow

    gone = TrackingError("gone")
    made = watching(*(look(step) for step in (pass_of(), gone, gone, pass_of(), pass_of())))
    made.run(queue_url=inbox.url, interval_s=0.5)
    assert at[:4] == [0, 1, 1, 1]
    assert inbox.count() == (0, 1)
    assert account.calls[DELETE] == 0


def test_a_queue_that_fails_later(
    watching: Making,
    inbox: Inbox,
    account: EmulatedAccount,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is waited out like all else, and said once although the passes between succeed."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    made = watching(*(pass_of() for _ in range(6)))

    def fail() -> SyncReport:
        account.faults.fail(RECEIVE, times=2, code="InternalError", status=500)
        return pass_of("a")

    made.mirror.script[1] = fail
    inbox.send("a")
    with caplog.at_level(logging.INFO, LOGGER):
        made.run(queue_url=inbox.url, interval_s=1)
    assert [each.message.split(":")[0] for each in caplog.records if "job" not in each.message] == [
        "waiting until it works again",
        "works again after 2 failed tries",
    ]
    assert inbox.count() == (0, 0)


def test_without_the_right_to_delete(
    watching: Making, inbox: Inbox, account: EmulatedAccount, caplog: pytest.LogCaptureFixture
) -> None:
    """No further message is received until it is given: they would all come again and again."""
    inbox.send("a", "b")
    account.faults.deny(DELETE)
    made = watching(pass_of(), pass_of("a", "b"), pass_of(), pass_of())
    with caplog.at_level(logging.WARNING, LOGGER):
        made.run(queue_url=inbox.url, interval_s=0.5)
    warning, _ = caplog.messages
    assert warning.startswith("waiting until it works again: sqs:DeleteMessage is denied")
    assert inbox.count() == (0, 2)


def test_there_is_no_such_queue(watching: Making, account: EmulatedAccount) -> None:
    """Said before anything is mirrored."""
    made = watching(pass_of())
    with pytest.raises(StopError, match="there is no queue"):
        made.run(queue_url=f"{account.endpoint}/123456789012/none")
    assert made.mirror.calls == []


def test_a_queue_that_may_not_be_read(
    watching: Making, inbox: Inbox, account: EmulatedAccount
) -> None:
    """That ends the watch too, after a first pass over what is open."""
    account.faults.deny(RECEIVE)
    made = watching(pass_of(), pass_of())
    with pytest.raises(StopError, match="sqs:ReceiveMessage is denied"):
        made.run(queue_url=inbox.url)


def test_an_event_reaches_mlflow(mirror: Mirror, inbox: Inbox) -> None:
    """From SageMaker through EventBridge and the queue into the run, within seconds."""
    account = mirror.account
    jobs = inbox.sqs.get_queue_attributes(QueueUrl=inbox.url, AttributeNames=["QueueArn"])
    events = boto3.client("events")
    events.put_rule(Name="jobs", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    target = {"Id": "queue", "Arn": jobs["Attributes"]["QueueArn"]}
    events.put_targets(Rule="jobs", Targets=[target])
    for name in ("unheard", "job"):
        account.put_training_job(job_answer(name, created_ms=now_ms() - HOUR_MS))
    account.reset_calls()

    with watched(mirror, queue_url=inbox.url, interval_s=60) as passes:
        assert passes.get(timeout=LONGEST_S).runs == []
        account.move_training_job("job", secondary_status="Uploading")
        (seen,) = passes.get(timeout=LONGEST_S).runs
        assert (seen.name, seen.status) == ("job", "RUNNING")
        account.move_training_job("job", status="Completed")
        assert passes.get(timeout=LONGEST_S).runs[0].status == "FINISHED"
    assert mirror.run("job").info.status == "FINISHED"
    assert len(mirror.runs()) == 1
    assert inbox.count() == (0, 0)
    assert {"sagemaker:ListTrainingJobs", DELETE} & set(account.calls) == {DELETE}


def test_watchers_share_a_queue(mirror: Mirror, inbox: Inbox) -> None:
    """Two on one queue: each job is mirrored, in one run, and nothing is left in the queue."""
    jobs = [f"job-{number:02}" for number in range(24)]
    for name in jobs:
        created_ms = now_ms() - HOUR_MS
        mirror.account.put_training_job(
            job_answer(name, created_ms=created_ms, ended_ms=created_ms + MINUTE_MS)
        )
    with (
        watched(mirror, queue_url=inbox.url, interval_s=60) as first,
        watched(mirror, queue_url=inbox.url, interval_s=60) as second,
    ):
        inbox.send(*jobs, *jobs)
        deadline = time.monotonic() + LONGEST_S
        while inbox.count() != (0, 0):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert sorted(run.data.tags["sagemaker.name"] for run in mirror.runs()) == jobs
    for passes in (first, second):
        assert sum(len(passes.get().runs) for _ in range(passes.qsize()))


def test_running_jobs_are_followed(mirror: Mirror) -> None:
    """At the interval: new jobs, and what becomes of known ones."""
    account = mirror.account
    account.put_training_job(job_answer("first", created_ms=now_ms() - HOUR_MS))
    with watched(mirror, queue_url=None, interval_s=0.2) as passes:
        assert [run.name for run in passes.get(timeout=LONGEST_S).runs] == ["first"]
        account.put_training_job(job_answer("second", created_ms=now_ms()))
        account.move_training_job("first", status="Stopped")
        deadline = time.monotonic() + LONGEST_S
        while {run.data.tags["sagemaker.status"] for run in mirror.runs()} != {
            "Stopped",
            "InProgress",
        }:
            assert time.monotonic() < deadline
            passes.get(timeout=LONGEST_S)
    assert mirror.run("first").info.status == "KILLED"
    assert len(mirror.runs()) == 2


@contextmanager
def watched(
    mirror: Mirror, *, queue_url: str | None, interval_s: float
) -> Iterator[queue.Queue[SyncReport]]:
    """Watch in a thread; a stop ends it within two seconds."""
    stopped: threading.Event = threading.Event()
    passes: queue.Queue[SyncReport] = queue.Queue()
    options = mirror.options(since="1d", artifacts="none")
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(
            watch,
            (options,),
            interval_s=interval_s,
            queue_url=queue_url,
            stopped=stopped,
            listener=Listener(passed=passes.put),
        )
        try:
            yield passes
        finally:
            stopped.set()
            began = time.monotonic()
            report = watching.result(timeout=LONGEST_S)
        assert time.monotonic() - began < 2
        assert report.failed == []
