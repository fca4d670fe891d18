"""A queue of job events, over HTTP: received, held, deleted; and what goes wrong with that."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from mlflow_smwatch.aws.queue import JobQueue, QueueMessage
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.core.errors import CredentialsError, RetriableError, StopError
from mlflow_smwatch.core.events import job_event
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import arn, job_answer, now_ms

RECEIVE = "sqs:ReceiveMessage"
VISIBILITY = "sqs:ChangeMessageVisibilityBatch"
DELETE = "sqs:DeleteMessageBatch"
ATTRIBUTES = "sqs:GetQueueAttributes"


@pytest.fixture
def aws(account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Connect as the package does; a failing call is tried twice."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    assert account.endpoint
    return connect(None, None, 2)


@pytest.fixture
def sqs(account: EmulatedAccount) -> Any:
    """Make a client as others have one; its calls are the account's too."""
    assert account.endpoint
    return boto3.client("sqs")


@pytest.fixture
def make_queue(aws: Aws, sqs: Any) -> Callable[..., JobQueue]:
    """Make queues."""

    def make(name: str = "jobs", **attributes: str) -> JobQueue:
        made = sqs.create_queue(QueueName=name, Attributes=attributes)
        return JobQueue(aws, made["QueueUrl"])

    return make


def send(sqs: Any, queue: JobQueue, *bodies: str, **more: str) -> None:
    for body in bodies:
        sqs.send_message(QueueUrl=queue.url, MessageBody=body, **more)


def bodies(messages: tuple[QueueMessage, ...]) -> list[str]:
    return sorted(message.body for message in messages)


def hidden(sqs: Any, queue: JobQueue) -> tuple[int, int]:
    """Count the messages that can be received, and those that are kept from others."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def running(name: str) -> set[threading.Thread]:
    """Give the threads of one kind."""
    return {each for each in threading.enumerate() if each.name == name}


def test_a_moved_job_comes_as_a_message(
    account: EmulatedAccount, sqs: Any, make_queue: Callable[..., JobQueue]
) -> None:
    """From SageMaker through EventBridge's rule into the queue: each move is one event."""
    queue = make_queue()
    target = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
    events = boto3.client("events")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail": {"TrainingJobStatus": ["Completed", "Failed", "Stopped"]},
    }
    events.put_rule(Name="ended", EventPattern=json.dumps(pattern))
    events.put_targets(
        Rule="ended", Targets=[{"Id": "queue", "Arn": target["Attributes"]["QueueArn"]}]
    )
    account.put_training_job(job_answer("job", created_ms=now_ms() - 60_000))
    account.move_training_job("job", secondary_status="Uploading")
    assert queue.receive(0) == ()

    account.move_training_job("job", status="Completed")
    (message,) = queue.receive(0)
    assert job_event(message.body).arn == arn("job")
    envelope = json.loads(message.body)
    assert envelope["account"] == "123456789012"
    assert envelope["detail"]["TrainingJobStatus"] == "Completed"
    assert envelope["detail"]["LastModifiedTime"] == pytest.approx(now_ms(), abs=60_000)

    events.disable_rule(Name="ended")
    account.move_training_job("job", status="Failed")
    queue.delete([message])
    assert hidden(sqs, queue) == (0, 0)


def test_creation_and_stop_are_events_too(
    account: EmulatedAccount, sqs: Any, make_queue: Callable[..., JobQueue]
) -> None:
    """Whatever changes a job's state in the account, in the order in which it happens."""
    queue = make_queue()
    target = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
    events, sagemaker = boto3.client("events"), boto3.client("sagemaker")
    events.put_rule(Name="jobs", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(
        Rule="jobs", Targets=[{"Id": "queue", "Arn": target["Attributes"]["QueueArn"]}]
    )
    sagemaker.create_training_job(
        TrainingJobName="job",
        RoleArn="arn:aws:iam::123456789012:role/training",
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://models"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        Tags=[{"Key": "team", "Value": "vision"}],
    )
    sagemaker.stop_training_job(TrainingJobName="job")
    with account.clock.at(account.clock.now() + timedelta(seconds=2)):
        sagemaker.describe_training_job(TrainingJobName="job")
    details = [json.loads(message.body)["detail"] for message in queue.receive(0)]
    assert [detail["TrainingJobStatus"] for detail in details] == [
        "InProgress",
        "Stopping",
        "Stopped",
    ]
    assert {detail["Tags"]["team"] for detail in details} == {"vision"}
    assert details[-1]["SecondaryStatusTransitions"][0]["StartTime"] == details[0]["CreationTime"]


def test_ten_at_a_time(
    account: EmulatedAccount, sqs: Any, make_queue: Callable[..., JobQueue]
) -> None:
    """A batch is what AWS gives at once; its messages are kept from others, then deleted."""
    queue = make_queue()
    send(sqs, queue, *(f"{number:02}" for number in range(12)))
    account.reset_calls()
    first, second = queue.receive(0), queue.receive(0)
    assert (len(first), len(second)) == (10, 2)
    assert bodies(first + second) == [f"{number:02}" for number in range(12)]
    assert queue.receive(0) == ()
    queue.delete(first + second)
    assert hidden(sqs, queue) == (0, 0)
    assert account.calls[DELETE] == 2
    assert account.calls[ATTRIBUTES] == 2  # one is the test's own
    (asked,) = {
        json.dumps({key: value for key, value in each.parameters.items() if key != "QueueUrl"})
        for each in account.requests
        if each.operation == RECEIVE
    }
    assert json.loads(asked) == {
        "MaxNumberOfMessages": 10,
        "WaitTimeSeconds": 0,
        "VisibilityTimeout": 30,
    }


def test_a_long_poll_ends_with_the_first_message(
    account: EmulatedAccount, sqs: Any, make_queue: Callable[..., JobQueue]
) -> None:
    """One call waits; the account does its other work in the meantime."""
    queue = make_queue()
    threading.Timer(0.5, send, (sqs, queue, "late")).start()
    began = time.monotonic()
    found = queue.poll(20, threading.Event())
    assert bodies(found) == ["late"]
    assert 0.4 < time.monotonic() - began < 5
    assert account.calls[RECEIVE] == 1


def test_a_stop_ends_a_poll(sqs: Any, make_queue: Callable[..., JobQueue]) -> None:
    """Soon, and a message that came too late for it is given back to the queue at once."""
    queue, stopped = make_queue(VisibilityTimeout="600"), threading.Event()
    before = running("smwatch-poll")
    threading.Timer(0.3, stopped.set).start()
    began = time.monotonic()
    assert queue.poll(5, stopped) == ()
    assert time.monotonic() - began < 2

    send(sqs, queue, "for others")
    deadline = time.monotonic() + 10
    while hidden(sqs, queue) != (1, 0) or running("smwatch-poll") - before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert bodies(queue.receive(5)) == ["for others"]


@pytest.mark.slow
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_held_messages_stay_hidden(
    *, fifo: bool, sqs: Any, make_queue: Callable[..., JobQueue]
) -> None:
    """Longer than the queue's own time; afterwards nothing goes on."""
    more = {"MessageGroupId": "all", "MessageDeduplicationId": "1"} if fifo else {}
    attributes = {"FifoQueue": "true"} if fifo else {}
    name = "jobs.fifo" if fifo else "jobs"
    queue = make_queue(name, VisibilityTimeout="1", **attributes)
    send(sqs, queue, "job", **more)
    messages = queue.receive(0)
    with queue.held(messages):
        time.sleep(2.2)
        assert queue.receive(0) == ()
    queue.delete(messages)
    time.sleep(1.2)
    assert queue.receive(0) == ()
    assert not running("smwatch-hold")


def test_a_message_that_is_left_goes_to_the_dead_letters(
    sqs: Any, make_queue: Callable[..., JobQueue]
) -> None:
    """After the queue's own limit; nothing is deleted."""
    dead = make_queue("dead")
    target = sqs.get_queue_attributes(QueueUrl=dead.url, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": target["Attributes"]["QueueArn"], "maxReceiveCount": "2"}
    queue = make_queue(VisibilityTimeout="1", RedrivePolicy=json.dumps(policy))
    send(sqs, queue, "poison")
    ids = {message.id for _ in range(3) for message in queue.receive(2)}
    assert len(ids) == 1
    assert bodies(dead.receive(0)) == ["poison"]
    assert hidden(sqs, queue) == (0, 0)


def test_entries_that_fail(
    account: EmulatedAccount,
    sqs: Any,
    make_queue: Callable[..., JobQueue],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The good ones are done; a bad one is tried once more, then named, and is no error."""
    queue = make_queue()
    send(sqs, queue, "job")
    messages = queue.receive(0)
    bad = QueueMessage(id="old", receipt="expired", body="")
    with caplog.at_level(logging.WARNING):
        assert queue.keep([bad, *messages]) == messages
        queue.delete([bad, *messages])
    kept, deleted = caplog.messages
    assert kept.startswith("message old is not kept from others any more: ReceiptHandleIsInvalid")
    assert deleted.startswith("message old is not deleted and comes again: ReceiptHandleIsInvalid")
    assert account.calls[DELETE] == 2
    assert hidden(sqs, queue) == (0, 0)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/123456789012/none", "none", ""])
def test_there_is_no_such_queue(aws: Aws, url: str) -> None:
    """One line that says what to check, whichever operation comes first."""
    queue = JobQueue(aws, url)
    with pytest.raises(StopError, match=f"there is no queue {url} in us-east-1: check the URL"):
        queue.receive(0)
    with pytest.raises(StopError, match="there is no queue"):
        queue.delete([QueueMessage(id="1", receipt="r", body="")])


def test_denied(account: EmulatedAccount, make_queue: Callable[..., JobQueue], sqs: Any) -> None:
    """Without the right to look, the usual time is taken; without the right to read, nothing is."""
    queue = make_queue(VisibilityTimeout="600")
    send(sqs, queue, "job")
    account.faults.deny(ATTRIBUTES)
    assert queue.visibility_s == 30
    account.faults.deny(RECEIVE)
    with pytest.raises(StopError, match="sqs:ReceiveMessage is denied: allow this action"):
        queue.receive(0)
    account.faults.clear()
    messages = queue.receive(0)
    account.faults.deny(VISIBILITY)
    queue.release(messages)
    with queue.held(messages):
        pass
    assert hidden(sqs, queue) == (0, 1)


def test_faults_of_the_account(
    account: EmulatedAccount, make_queue: Callable[..., JobQueue]
) -> None:
    """They are the package's errors, also out of the thread that polls."""
    queue = make_queue()
    assert queue.visibility_s == 30
    account.faults.fail(RECEIVE, times=None, code="ExpiredTokenException")
    with pytest.raises(CredentialsError):
        queue.poll(1, threading.Event())
    account.faults.clear()
    account.faults.fail(RECEIVE, times=None, code="InternalError", status=500)
    with pytest.raises(RetriableError):
        queue.receive(1)
