from __future__ import annotations

import json
from typing import Any

import pytest

from mlflow_smwatch.aws.grants import GRANTS
from mlflow_smwatch.aws.kinds import CALLS
from mlflow_smwatch.aws.needs import Needs
from mlflow_smwatch.aws.operations import ASSUME_ROLE, GET_CALLER_IDENTITY, OPERATIONS
from mlflow_smwatch.aws.partitions import has_sagemaker, partition_of
from mlflow_smwatch.aws.permissions import needed, statements
from mlflow_smwatch.aws.probe_requests import NOTHING, REQUESTS
from mlflow_smwatch.core.errors import JobError, TrackingError, UsageError
from mlflow_smwatch.core.findings import failed
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.policy import Place, QueueName, Statement, document, queue_name

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/smwatch"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
ALL = Needs(
    kinds=frozenset(KINDS),
    overlay=True,
    register=True,
    alarms=True,
    queue_url=QUEUE,
    asks_prices=True,
    topics=(TOPIC,),
)
LONGEST_MANAGED_POLICY = 6144
"""Characters without white space ("IAM and AWS STS quotas")."""


def allowed(needs: Needs) -> set[str]:
    return {grant.action for grant in needed(needs)}


def test_every_operation_has_its_row() -> None:
    """An operation that is called, and not in the table, would be in no policy."""
    rows = [grant.operation for grant in GRANTS]
    assert len(rows) == len(set(rows))
    assert set(rows) == {*OPERATIONS}


def test_some_policy_has_every_action() -> None:
    """But for those that the role itself does not need."""
    unsearched = Needs(
        search=False, overlay=True, queue_url=QUEUE, asks_prices=True, publish="mlflow"
    )
    actions = {grant.action for grant in GRANTS}
    assert allowed(ALL) | allowed(unsearched) == actions - {GET_CALLER_IDENTITY, ASSUME_ROLE}


def test_each_kind_is_described_and_listed() -> None:
    """Each alone; nothing of it is asked where it is left out."""
    for word, calls in CALLS.items():
        unsearched = allowed(Needs(kinds=frozenset({word}), search=False))
        assert calls.describe in unsearched
        assert calls.listing is None or calls.listing in unsearched
        others = frozenset(KINDS) - {word, "trial-component"}
        if word != "trial-component":
            assert calls.listing not in allowed(Needs(kinds=others))
        if word not in {"trial", "trial-component"}:
            assert calls.describe not in allowed(Needs(kinds=others))


@pytest.mark.parametrize(
    ("less", "more", "actions"),
    [
        (Needs(), Needs(overlay=True), {"s3:ListBucket"}),
        (
            Needs(metrics="off"),
            Needs(metrics="off", copies=True),
            {"s3:ListBucket", "s3:GetObject"},
        ),
        (
            Needs(metrics="off"),
            Needs(),
            {
                "sagemaker:BatchGetMetrics",
                "cloudwatch:GetMetricData",
                "cloudwatch:ListMetrics",
                "s3:GetObject",
            },
        ),
        (Needs(metrics="cloudwatch"), Needs(), {"logs:GetLogEvents"}),
        (Needs(), Needs(metrics="logs"), set()),
        (Needs(), Needs(asks_prices=True), {"pricing:GetProducts"}),
        (
            Needs(),
            Needs(publish="mlflow"),
            {"cloudwatch:PutMetricData", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"},
        ),
        (Needs(), Needs(topics=(TOPIC,)), {"sns:Publish"}),
        (
            Needs(),
            Needs(alarms=True),
            {"cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"},
        ),
        (
            Needs(kinds=frozenset({"tuning-job"})),
            Needs(kinds=frozenset({"tuning-job"}), register=True),
            {"sagemaker:Search", "sagemaker:DescribeModelPackage"},
        ),
    ],
)
def test_options_add_actions(less: Needs, more: Needs, actions: set[str]) -> None:
    """What is not asked for is not allowed."""
    added = allowed(more) - allowed(less)
    assert added >= actions
    assert added <= actions | {"logs:GetLogEvents"}


def test_only_a_queue_is_written_to() -> None:
    """All else reads: names of actions say so."""
    writing = {each for each in allowed(ALL) if not each.partition(":")[2].startswith(READS)}
    assert writing == {"sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sns:Publish"}
    assert {each for each in allowed(Needs()) if each.startswith("sqs:")} == set()


READS = ("Get", "List", "Describe", "Search", "BatchGet", "Receive")


def test_statements_have_names_of_their_own_and_fit() -> None:
    """A managed policy takes the largest of them."""
    place = Place(partition="aws-us-gov", region="us-gov-west-1", account="123456789012")
    for needs in (ALL, Needs(search=False, overlay=True, queue_url=QUEUE)):
        made = document(statements(needs, [place]))
        sids = [each["Sid"] for each in made["Statement"]]
        assert len(set(sids)) == len(sids)
        assert all(each.isalnum() for each in sids)
        actions = [one for each in made["Statement"] for one in listed(each["Action"])]
        assert len(set(actions)) == len(actions)
        assert len(json.dumps(made, separators=(",", ":"))) <= LONGEST_MANAGED_POLICY


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def of(made: dict[str, Any], sid: str) -> list[str]:
    (found,) = [each for each in made["Statement"] if each["Sid"] == sid]
    return listed(found["Resource"])


def test_resources_are_narrow() -> None:
    """By kind, Region, account and partition; the queue has its own."""
    kinds = frozenset({"training-job", "transform-job"})
    needs = Needs(kinds=kinds, overlay=True, queue_url=QUEUE)
    places = [Place(partition="aws", region=region, account="1" * 12) for region in ("r-1", "r-2")]
    made = document(statements(needs, places))
    groups = ("TrainingJobs", "TransformJobs")
    assert of(made, "ReadLogs") == [
        f"arn:aws:logs:{region}:111111111111:log-group:/aws/sagemaker/{group}:*"
        for region in ("r-1", "r-2")
        for group in groups
    ]
    assert of(made, "ReadObjects") == ["arn:aws:s3:::*", "arn:aws:s3:::*/*"]
    assert of(made, "ReadQueue") == ["arn:aws:sqs:eu-west-1:123456789012:smwatch"]
    assert of(made, "FindJobs") == of(made, "ReadMetrics") == of(made, "FindLineage") == ["*"]
    assert of(made, "ReadTags") == [
        f"arn:aws:sagemaker:{region}:111111111111:{kind}/*"
        for region in ("r-1", "r-2")
        for kind in ("training-job", "transform-job")
    ]
    overall = statements(Needs(kinds=frozenset({"transform-job"}), metrics="off"))
    assert "ReadLogs" not in {each.sid for each in overall}
    (streams,) = [each for each in overall if each.sid == "ListLogStreams"]
    assert streams == Statement(
        sid="ListLogStreams",
        actions=("logs:DescribeLogStreams",),
        resources=("arn:aws:logs:*:*:log-group:/aws/sagemaker/TransformJobs:*",),
    )


@pytest.mark.parametrize(
    ("url", "region", "name"),
    [
        (QUEUE, "eu-west-1", "smwatch"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q.fifo", "cn-north-1", "q.fifo"),
        ("https://us-west-2.queue.amazonaws.com/123456789012/q", "us-west-2", "q"),
        ("https://queue.amazonaws.com/123456789012/q", "us-east-1", "q"),
        ("https://vpce-1.sqs.eu-west-3.vpce.amazonaws.com/123456789012/q", "eu-west-3", "q"),
        ("http://127.0.0.1:4566/123456789012/q", None, "q"),
        (f"{QUEUE}?", "eu-west-1", "smwatch"),
    ],
)
def test_queues(url: str, region: str | None, name: str) -> None:
    """Hosts old and new, and those that tell nothing."""
    assert queue_name(url) == QueueName(region=region, account="123456789012", name=name)


@pytest.mark.parametrize(
    "url", ["", "smwatch", "http://[", "https://sqs.eu-west-1.amazonaws.com/q"]
)
def test_what_is_no_queue(url: str) -> None:
    """A name alone, or another address, is refused."""
    with pytest.raises(UsageError, match="--queue"):
        queue_name(url)


def test_partitions() -> None:
    """As botocore knows them; what has no form of a Region is refused."""
    assert partition_of("cn-north-1") == "aws-cn"
    assert partition_of("us-gov-east-1") == "aws-us-gov"
    assert partition_of("eu-west-1") == "aws"
    assert has_sagemaker("eu-west-1")
    assert not has_sagemaker("eu-nowhere-7")
    with pytest.raises(UsageError, match="no AWS Region"):
        partition_of("earth")


def test_what_is_asked_for_has_a_legal_name() -> None:
    """Tuning and AutoML jobs have the shortest names."""
    assert len(NOTHING) <= min(calls.longest_name for calls in CALLS.values())
    others = {"logs", "s3", "sns", "sqs", "sts", "pricing"}
    publishing = {grant.operation for grant in GRANTS if grant.needed(Needs(publish="mlflow"))}
    publishing -= {grant.operation for grant in GRANTS if grant.needed(Needs())}
    services = {each for each in OPERATIONS if each.partition(":")[0] not in others} - publishing
    assert services - REQUESTS.keys() == {"sagemaker:ListTags"}


@pytest.mark.parametrize(
    ("message", "detail", "fix"),
    [
        (
            "no credentials (a; b): run 'aws configure'",
            "no credentials (a; b)",
            "run 'aws configure'",
        ),
        ("the store doubles: see; use another", "the store doubles: see", "use another"),
        ("out of words", "out of words", None),
    ],
)
def test_a_message_ends_with_what_to_do(message: str, detail: str, fix: str | None) -> None:
    """Behind the last semicolon or colon."""
    found = failed("check", TrackingError(message))
    assert (found.status, found.detail, found.fix) == ("bad", detail, fix)
    assert failed("check", JobError(message), "warn").to_dict()["status"] == "warn"


def test_only_lists_of_violations_are_read_unless_more_is_wanted() -> None:
    """By their names, in whichever bucket; nothing of S3 where no metric is wanted."""
    (usual,) = [each for each in statements(Needs()) if each.sid == "ReadObjects"]
    assert usual == Statement(
        sid="ReadObjects",
        actions=("s3:GetObject",),
        resources=(
            "arn:aws:s3:::*/*constraint_violations.json",
            "arn:aws:s3:::*/*constraints_violations.json",
        ),
    )
    (copying,) = [each for each in statements(Needs(copies=True)) if each.sid == "ReadObjects"]
    assert copying.resources == ("arn:aws:s3:::*", "arn:aws:s3:::*/*")
    training = Needs(kinds=frozenset({"training-job"}))
    for needs in (training, Needs(metrics="off")):
        assert "ReadObjects" not in {each.sid for each in statements(needs)}
