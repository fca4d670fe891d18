"""docs/events.md: its template and commands make a queue that the package reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from mlflow_smwatch.aws.operations import OPERATIONS, permission
from mlflow_smwatch.aws.queue import JobQueue
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core.errors import AccessDeniedError
from mlflow_smwatch.core.events import SOURCE, job_event
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.docs.documents import ROOT, blocks, names, read, rows
from tests.jobs import arn, job_answer, now_ms

PAGE = read("docs/events.md")
BLOCKS = {block.mark: block.text for block in blocks(PAGE) if block.mark}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an account with a job in it; the environment leads there."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        account.put_training_job(job_answer("job", created_ms=now_ms()))
        yield account


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which the pages' commands find an `aws`."""
    command = tmp_path / "bin" / "aws"
    command.parent.mkdir()
    program = Path(__file__).with_name("aws.py")
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}


def run(script: str, folder: Path, shell: dict[str, str], *shown: str) -> list[str]:
    """Run a block of the page; give what stands in shell variables afterwards."""
    told = "".join(f'\necho "{name}=${name}"' for name in shown)
    done = subprocess.run(
        ["bash", "-euc", script + told],
        cwd=folder,
        env={**os.environ, **shell},
        capture_output=True,
        text=True,
        check=True,
    )
    return [re.findall(rf"^{name}=(.+)$", done.stdout, re.MULTILINE)[-1] for name in shown]


def require_events(account: EmulatedAccount, url: str) -> None:
    """Move the job, and find just that in the queue."""
    account.move_training_job("job", status="Completed")
    queue = JobQueue(connect(None, None, 2), url)
    assert queue.visibility_s == 120
    (message,) = queue.receive(5)
    assert job_event(message.body).arn == arn("job")
    queue.delete([message])
    assert queue.receive(0) == ()


def attributes(url: str) -> dict[str, str]:
    sqs = boto3.client("sqs")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {name: str(value) for name, value in found.items()}


def require_redrive(url: str, dead_url: str) -> None:
    """Messages go to the other queue after ten receipts, and stay there for two weeks."""
    dead = attributes(dead_url)
    redrive = json.loads(attributes(url)["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == dead["QueueArn"]
    assert int(redrive["maxReceiveCount"]) == 10
    assert int(dead["MessageRetentionPeriod"]) == 14 * 24 * 3600


def rule_patterns() -> list[Any]:
    found = boto3.client("events").list_rules()["Rules"]
    return [json.loads(rule["EventPattern"]) for rule in found]


TYPES = sorted(each.event_type for each in KINDS.values() if each.event_type and not each.asked_for)
WANTED = {"source": [SOURCE], "detail-type": TYPES}


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..SQS..QueuePolicy")
def test_the_template(account: EmulatedAccount, tmp_path: Path, shell: dict[str, str]) -> None:
    """The stack has what it is for; the emulator leaves out the queue's policy."""
    pytest.importorskip("openapi_spec_validator", reason="moto needs it for CloudFormation")
    (url,) = run(BLOCKS["cloudformation"], tmp_path, shell, "QUEUE_URL")
    assert rule_patterns() == [WANTED]
    stack = boto3.client("cloudformation").describe_stacks(StackName="smwatch")["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert outputs["QueueArn"] == attributes(url)["QueueArn"]
    require_redrive(url, outputs["DeadLettersUrl"])
    require_events(account, url)


def test_the_templates_policy() -> None:
    """It lets the rule alone send, and to this queue alone."""
    template = " ".join(read("docs/events.yaml").split())
    assert (
        "- Effect: Allow Principal: {Service: events.amazonaws.com} Action: sqs:SendMessage"
        " Resource: !GetAtt Jobs.Arn"
        ' Condition: ArnEquals: {"aws:SourceArn": !GetAtt StateChanges.Arn}' in template
    )


def test_the_commands(account: EmulatedAccount, tmp_path: Path, shell: dict[str, str]) -> None:
    """They make the same as the template, with the queue's policy."""
    url, dead_url, dead_arn = run(
        BLOCKS["commands"], tmp_path, shell, "QUEUE_URL", "DEAD_URL", "DEAD_ARN"
    )
    assert rule_patterns() == [WANTED]
    require_redrive(url, dead_url)
    (statement,) = json.loads(attributes(url)["Policy"])["Statement"]
    (rule,) = boto3.client("events").list_rules()["Rules"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": attributes(url)["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": rule["Arn"]}},
    }
    require_events(account, url)
    look, move = BLOCKS["dead letters"].splitlines()
    run(look, tmp_path, shell | {"DEAD_URL": dead_url})
    _, service, command, option, value = move.split()
    model = boto3.client(service).meta.service_model
    assert command == xform_name("StartMessageMoveTask", "-")  # which the emulator lacks
    assert option == f"--{xform_name('SourceArn', '-')}"
    assert "SourceArn" in model.operation_model("StartMessageMoveTask").input_shape.members
    assert value == '"$DEAD_ARN"'
    assert dead_arn == attributes(dead_url)["QueueArn"]


def test_the_policy() -> None:
    """It allows each operation on queues, and no other; the table has a row for each."""
    (statement,) = json.loads(BLOCKS["policy"])["Statement"]
    wanted = {permission(action) for action in OPERATIONS if action.startswith("sqs:")}
    assert set(statement["Action"]) == wanted
    assert len(statement["Action"]) == len(wanted)
    denied = {name for row in rows(PAGE, "denied", "what happens") for name in names(row[0])}
    assert denied == wanted


def test_without_the_right_to_delete(account: EmulatedAccount) -> None:
    """The error names the permission, which is not the operation's name."""
    url = boto3.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody="text")
    queue = JobQueue(connect(None, None, 2), url)
    messages = queue.receive(0)
    account.faults.deny("sqs:DeleteMessageBatch")
    with pytest.raises(AccessDeniedError, match="sqs:DeleteMessage is denied"):
        queue.delete(messages)
