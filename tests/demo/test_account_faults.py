from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.demo.conftest import NOW, Clients


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """Give the code of an AWS error."""
    code: str = error.value.response["Error"]["Code"]
    return code


def calls(clients: Clients) -> dict[str, Any]:
    """Give one harmless call of each service."""
    s3, sts = clients.make("s3"), clients.make("sts")
    return {
        "sagemaker:ListTrainingJobs": clients.sagemaker.list_training_jobs,
        "cloudwatch:ListMetrics": clients.cloudwatch.list_metrics,
        "logs:DescribeLogGroups": clients.logs.describe_log_groups,
        "s3:ListBuckets": s3.list_buckets,
        "sts:GetCallerIdentity": sts.get_caller_identity,
    }


LEGACY = {"cloudwatch:ListMetrics", "s3:ListBuckets", "sts:GetCallerIdentity"}


def test_all_services_are_counted(account: EmulatedAccount, clients: Clients) -> None:
    """One count for each HTTP request, by IAM's names; parameters are kept."""
    for call in calls(clients).values():
        call()
    assert account.calls == dict.fromkeys(calls(clients), 1)
    assert [request.status for request in account.requests] == [200] * 5
    clients.sagemaker.list_training_jobs(MaxResults=5)
    assert account.requests[-1].parameters == {"MaxResults": 5}
    account.reset_calls()
    assert not account.calls
    assert not account.requests


def test_denied_in_each_services_own_words(account: EmulatedAccount, clients: Clients) -> None:
    """AccessDeniedException for JSON services, AccessDenied for the older ones."""
    for operation, call in calls(clients).items():
        account.faults.deny(operation)
        with pytest.raises(ClientError) as error:
            call()
        legacy = operation in LEGACY
        assert code_of(error) == ("AccessDenied" if legacy else "AccessDeniedException")
        assert operation in error.value.response["Error"]["Message"]
        assert account.calls[operation] == 1
    account.faults.clear()
    for call in calls(clients).values():
        call()


def test_denied_by_pattern(account: EmulatedAccount, clients: Clients) -> None:
    """A pattern covers a service; one denial can be taken back."""
    account.faults.deny("logs:*")
    with pytest.raises(ClientError):
        clients.logs.describe_log_groups()
    account.faults.allow("logs:*")
    clients.logs.describe_log_groups()


@pytest.mark.parametrize(
    ("code", "status", "legacy"),
    [
        ("ThrottlingException", 400, "Throttling"),
        ("ExpiredTokenException", 400, "ExpiredToken"),
        ("InternalFailure", 500, "InternalFailure"),
        ("ServiceUnavailableException", 503, "ServiceUnavailableException"),
    ],
)
def test_failures(
    account: EmulatedAccount, clients: Clients, code: str, status: int, legacy: str
) -> None:
    """A failure comes as often as asked for, then things work again."""
    for operation, call in calls(clients).items():
        account.faults.fail(operation, times=2, code=code, status=status)
        for _ in range(2):
            with pytest.raises(ClientError) as error:
                call()
            assert code_of(error) == (legacy if operation in LEGACY else code)
            assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        call()
        assert account.calls[operation] == 3


def test_boto3_retries_what_it_should(account: EmulatedAccount) -> None:
    """Throttled and reset requests are tried again by boto3's own rules."""
    client = boto3.client(
        "sagemaker",
        endpoint_url=account.endpoint,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        region_name="us-east-1",
    )
    account.faults.fail("sagemaker:ListTrainingJobs", times=1, code=None, status=0)
    client.list_training_jobs()
    assert [request.status for request in account.requests] == [0, 200]


def test_reset_connection(account: EmulatedAccount, clients: Clients) -> None:
    """Without a code the connection is reset."""
    account.faults.fail("sagemaker:Search", code=None, status=0)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        clients.sagemaker.search(Resource="TrainingJob")
    clients.sagemaker.search(Resource="TrainingJob")


def test_broken_bodies(account: EmulatedAccount, clients: Clients) -> None:
    """Half an answer, with a fitting length or without."""
    operation = "sagemaker:DescribeTrainingJob"
    account.put_training_job(
        {
            "TrainingJobName": "j",
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "CreationTime": NOW,
        }
    )
    for code in ("MalformedBody", "TruncatedBody"):
        account.faults.fail(operation, code=code)
        answer = clients.sagemaker.describe_training_job(TrainingJobName="j")
        assert set(answer) == {"ResponseMetadata"}, "boto3 takes half an answer for an empty one"
    assert "TrainingJobStatus" in clients.sagemaker.describe_training_job(TrainingJobName="j")


def test_rate(account: EmulatedAccount, clients: Clients) -> None:
    """Beyond the rate requests are throttled, and counted all the same."""
    account.faults.rate("sagemaker:ListTrainingJobs", per_second=2)
    clients.sagemaker.list_training_jobs()
    clients.sagemaker.list_training_jobs()
    with pytest.raises(ClientError) as error:
        clients.sagemaker.list_training_jobs()
    assert code_of(error) == "ThrottlingException"
    assert account.calls["sagemaker:ListTrainingJobs"] == 3
    time.sleep(0.6)  # real time: rates are the one thing that the account's clock does not rule
    clients.sagemaker.list_training_jobs()


def test_smaller_and_empty_pages(account: EmulatedAccount, clients: Clients) -> None:
    """Pages may be smaller than asked for, and empty in between; nothing is lost."""
    for i in range(5):
        account.put_training_job(
            {
                "TrainingJobName": f"j{i}",
                "TrainingJobStatus": "Completed",
                "SecondaryStatus": "Completed",
                "CreationTime": NOW,
                "LastModifiedTime": NOW + timedelta(seconds=i),
            }
        )
    minute_ms = round(NOW.timestamp() // 60 * 60_000)
    account.put_metric("mine", "m", {}, [(minute_ms - i * 60_000, float(i)) for i in range(5)])
    account.faults.page_size("sagemaker:*", 2)
    account.faults.page_size("cloudwatch:GetMetricData", 2)
    account.faults.empty_pages("*")
    sizes = [
        len(page["Results"])
        for page in clients.sagemaker.get_paginator("search").paginate(Resource="TrainingJob")
    ]
    assert sizes == [0, 2, 0, 2, 0, 1]
    metric = {"Namespace": "mine", "MetricName": "m"}
    pages = clients.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[
            {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        ],
        StartTime=NOW - timedelta(hours=1),
        EndTime=NOW,
    )
    results = [page["MetricDataResults"][0] for page in pages]
    assert [r["Values"] for r in results] == [[], [0, 1], [], [2, 3], [], [4]]
    assert [r["StatusCode"] for r in results] == ["PartialData"] * 5 + ["Complete"]


def test_clock(account: EmulatedAccount) -> None:
    """Frozen, moved for a block, or real."""
    past = datetime(2020, 1, 1, tzinfo=timezone.utc)
    with account.clock.at(past):
        assert account.clock.now() == past
    assert account.clock.now() == NOW
    account.clock.set(None)
    assert abs(account.clock.now() - datetime.now(timezone.utc)) < timedelta(seconds=5)
    with pytest.raises(ValueError, match="aware"):
        account.clock.set(datetime(2020, 1, 1))  # noqa: DTZ001  what is refused


def test_accounts_follow_one_another() -> None:
    """Each is empty at first, moto's part included; a closed one answers no more."""
    with EmulatedAccount(region="eu-west-1") as first:
        clients = Clients(first)
        clients.sagemaker.create_experiment(ExperimentName="e")
        clients.logs.create_log_group(logGroupName="g")
        first.put_metric("n", "m", {}, [(first.clock.now_ms(), 1.0)])
        assert clients.cloudwatch.list_metrics()["Metrics"]
        assert first.environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    with pytest.raises(botocore.exceptions.ConnectionError):
        clients.sagemaker.list_experiments()
    with pytest.raises(RuntimeError, match="with block"):
        _ = first.endpoint
    with EmulatedAccount(region="eu-west-1") as second:
        clients = Clients(second)
        assert clients.sagemaker.list_experiments()["ExperimentSummaries"] == []
        assert clients.logs.describe_log_groups()["logGroups"] == []
        assert clients.cloudwatch.list_metrics()["Metrics"] == []


def test_regions_are_apart(account: EmulatedAccount, clients: Clients) -> None:
    """What is put lies in the account's Region; ARNs carry Region and partition."""
    answer = {
        "TrainingJobName": "j",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": NOW,
    }
    account.put_training_job(answer)
    described = clients.sagemaker.describe_training_job(TrainingJobName="j")
    assert described["TrainingJobArn"] == (
        "arn:aws:sagemaker:us-east-1:123456789012:training-job/j"
    )
    elsewhere = Clients(account, "cn-north-1")
    with pytest.raises(ClientError):
        elsewhere.sagemaker.describe_training_job(TrainingJobName="j")


def test_many_clients_at_once(account: EmulatedAccount) -> None:
    """Threads with connections of their own lose no request and no count."""
    every = [Clients(account) for _ in range(8)]
    for clients in every:
        assert clients.logs

    def work(number: int) -> None:
        logs = every[number].logs
        stream = {"logGroupName": "g", "logStreamName": f"s{number % 2}"}
        for i in range(25):
            event = {"timestamp": account.clock.now_ms(), "message": f"{number}-{i}"}
            logs.put_log_events(**stream, logEvents=[event])

    for name in ("s0", "s1"):
        account.put_log_events("g", name, [])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert account.calls == {"logs:PutLogEvents": 200}
    found = every[0].logs.filter_log_events(logGroupName="g")["events"]
    assert len({event["message"] for event in found}) == 200


def test_unknown_operation_is_not_retried(account: EmulatedAccount, clients: Clients) -> None:
    """What nobody emulates is HTTP 501, with the operation's name."""
    with pytest.raises(ClientError) as error:
        clients.sagemaker.list_labeling_jobs()
    assert code_of(error) == "UnknownOperationException"
    assert account.requests[-1].status == 501


def test_object_storage(clients: Clients) -> None:
    """S3 is moto's: objects come back whole."""
    s3 = clients.make("s3")
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="a b/ü.bin", Body=b"x" * 300_000)
    assert s3.get_object(Bucket="models", Key="a b/ü.bin")["Body"].read() == b"x" * 300_000
    assert s3.head_object(Bucket="models", Key="a b/ü.bin")["ContentLength"] == 300_000
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="models")["Contents"]] == ["a b/ü.bin"]
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="models", Key="none")
