from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.demo.conftest import GROUP, NOW, Clients

JobRequest = Callable[..., dict[str, Any]]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """Give code and message of an AWS error."""
    details = error.value.response["Error"]
    return details["Code"], details["Message"]


def unknown_keys(shape: Any, value: Any, path: str = "") -> list[str]:
    """List keys that botocore's model does not have."""
    if shape.type_name == "structure":
        return [
            problem
            for key, item in value.items()
            for problem in (
                unknown_keys(shape.members[key], item, f"{path}.{key}")
                if key in shape.members
                else [f"{path}.{key}"]
            )
        ]
    if shape.type_name == "list":
        return [p for item in value for p in unknown_keys(shape.member, item, path)]
    return []


def test_keeps_the_whole_request(
    account: EmulatedAccount, clients: Clients, job_request: JobRequest
) -> None:
    """Everything that Describe has of the request comes back; tags do not."""
    request = job_request(
        Environment={"A": "b"},
        ExperimentConfig={"ExperimentName": "e", "TrialName": "t"},
        CheckpointConfig={"S3Uri": "s3://checkpoints/"},
        TensorBoardOutputConfig={"S3OutputPath": "s3://boards/"},
        RetryStrategy={"MaximumRetryAttempts": 3},
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        ResourceConfig={
            "InstanceGroups": [
                {"InstanceType": "ml.m5.large", "InstanceCount": 2, "InstanceGroupName": "g"}
            ],
            "VolumeSizeInGB": 10,
        },
        Tags=[{"Key": "team", "Value": "a"}],
    )
    created = clients.sagemaker.create_training_job(**request)
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")

    assert created["TrainingJobArn"] == answer["TrainingJobArn"]
    for key in set(request) - {"Tags", "AlgorithmSpecification"}:
        assert answer[key] == request[key], key
    algorithm = answer["AlgorithmSpecification"]
    assert algorithm.pop("EnableSageMakerMetricsTimeSeries") is True
    assert algorithm == request["AlgorithmSpecification"]
    assert "Tags" not in answer
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("InProgress", "Starting")
    assert answer["CreationTime"] == answer["LastModifiedTime"] == NOW
    assert [t["Status"] for t in answer["SecondaryStatusTransitions"]] == ["Starting"]
    assert not {"TrainingStartTime", "TrainingEndTime", "FinalMetricDataList"} & set(answer)
    assert account.calls == {"sagemaker:CreateTrainingJob": 1, "sagemaker:DescribeTrainingJob": 1}


def test_answers_have_the_models_shape(
    account: EmulatedAccount, clients: Clients, job_request: JobRequest
) -> None:
    """No answer on the wire has a key that botocore's model lacks."""
    clients.sagemaker.create_training_job(**job_request(Tags=[{"Key": "a", "Value": "b"}]))
    account.move_training_job("job-1", secondary_status="Training", at=NOW)
    account.put_log_events(GROUP, "job-1/algo-1-1", [(1_772_452_830_000, "loss=0.5")])
    account.move_training_job("job-1", status="Completed", at=NOW + timedelta(minutes=1))
    for operation, body in (
        ("DescribeTrainingJob", {"TrainingJobName": "job-1"}),
        ("ListTrainingJobs", {}),
        ("Search", {"Resource": "TrainingJob"}),
    ):
        request = urllib.request.Request(
            account.endpoint,
            data=json.dumps(body).encode(),
            headers={"X-Amz-Target": f"SageMaker.{operation}"},
        )
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        model = clients.sagemaker.meta.service_model.operation_model(operation)
        assert unknown_keys(model.output_shape, answer) == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"TrainingJobName": "no_underscore"}, "regular expression pattern"),
        ({"TrainingJobName": "x" * 64}, "less than or equal to 63"),
        ({"HyperParameters": {f"k{i}": "v" for i in range(101)}}, "less than or equal to 100"),
        ({"HyperParameters": {"k": "v" * 2501}}, "less than or equal to 2500"),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": "i",
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": f"m{i}", "Regex": "x"} for i in range(41)],
                }
            },
            "less than or equal to 40",
        ),
        ({"StoppingCondition": None}, "StoppingCondition is required"),
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds"),
        ({"ResourceConfig": {"VolumeSizeInGB": 1}}, "InstanceType and InstanceCount are required"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "either TrainingImage"),
        ({"InputDataConfig": [{"ChannelName": "a", "DataSource": {}}] * 2}, "must be unique"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_refuses_bad_requests(
    clients: Clients, job_request: JobRequest, changes: dict[str, Any], part: str
) -> None:
    """Limits of the model and of the service are enforced by the account itself."""
    with pytest.raises(ClientError) as error:
        clients.sagemaker.create_training_job(**job_request(**changes))
    code, message = code_of(error)
    assert code == "ValidationException"
    assert part in message


def test_names_are_unique_until_deleted(
    account: EmulatedAccount, clients: Clients, job_request: JobRequest
) -> None:
    """A taken name is ResourceInUse; an ended job can be deleted and its name used again."""
    clients.sagemaker.create_training_job(**job_request())
    with pytest.raises(clients.sagemaker.exceptions.ResourceInUse):
        clients.sagemaker.create_training_job(**job_request())
    with pytest.raises(clients.sagemaker.exceptions.ResourceInUse):
        clients.sagemaker.delete_training_job(TrainingJobName="job-1")
    account.move_training_job("job-1", status="Failed", failure_reason="no")
    clients.sagemaker.delete_training_job(TrainingJobName="job-1")
    with account.clock.at(NOW + timedelta(hours=1)):
        clients.sagemaker.create_training_job(**job_request())
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")
    assert answer["CreationTime"] == NOW + timedelta(hours=1)


def test_missing_job_is_a_validation_exception(clients: Clients) -> None:
    """As seen in AWS, though the model lists ResourceNotFound."""
    with pytest.raises(ClientError) as error:
        clients.sagemaker.describe_training_job(TrainingJobName="nope")
    assert code_of(error) == ("ValidationException", "Requested resource not found.")


def test_life_of_a_job(account: EmulatedAccount, clients: Clients, job_request: JobRequest) -> None:
    """Transitions, times, artifact, durations and final metrics come as the job goes on."""
    clients.sagemaker.create_training_job(**job_request())
    at = [NOW + timedelta(seconds=s) for s in (10, 30, 90, 100)]
    account.move_training_job("job-1", secondary_status="Downloading", at=at[0])
    account.move_training_job("job-1", secondary_status="Training", at=at[1])
    start_ms = int(at[1].timestamp() * 1000)
    account.put_log_events(
        GROUP,
        "job-1/algo-1-1",
        [(start_ms, "loss=0.9"), (start_ms + 1000, "loss=0.1 loss=7\nloss=0.0036\nloss=nan")],
    )
    account.move_training_job("job-1", secondary_status="Uploading", at=at[2])
    account.move_training_job("job-1", status="Completed", at=at[3])
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")

    transitions = answer["SecondaryStatusTransitions"]
    assert [t["Status"] for t in transitions] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert [t["EndTime"] for t in transitions] == [*at, at[3]]
    assert all(t["StatusMessage"] for t in transitions)
    assert answer["TrainingStartTime"] == at[0]
    assert answer["TrainingEndTime"] == answer["LastModifiedTime"] == at[3]
    assert answer["TrainingTimeInSeconds"] == answer["BillableTimeInSeconds"] == 90
    assert answer["ModelArtifacts"] == {
        "S3ModelArtifacts": "s3://models/out/job-1/output/model.tar.gz"
    }
    (final,) = answer["FinalMetricDataList"]
    assert final["MetricName"] == "loss"
    assert final["Value"] == 0.003599999938160181
    assert final["Timestamp"] == at[1] + timedelta(seconds=1)


def test_late_log_lines_reach_the_final_metrics(
    account: EmulatedAccount, clients: Clients, job_request: JobRequest
) -> None:
    """A job can be over before its last lines are in."""
    clients.sagemaker.create_training_job(**job_request())
    account.move_training_job("job-1", secondary_status="Training")
    account.move_training_job("job-1", status="Completed")
    now_ms = account.clock.now_ms()
    account.put_log_events(GROUP, "job-1/algo-1-1", [(now_ms, "loss=2")])
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")
    assert [m["Value"] for m in answer["FinalMetricDataList"]] == [2.0]


def test_spot_interruption_is_not_billed(
    account: EmulatedAccount, clients: Clients, job_request: JobRequest
) -> None:
    """Billable time leaves out what an interrupted job waits."""
    condition = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900}
    clients.sagemaker.create_training_job(
        **job_request(EnableManagedSpotTraining=True, StoppingCondition=condition)
    )
    for seconds, status in ((10, "Training"), (70, "Interrupted"), (130, "Training")):
        account.move_training_job(
            "job-1", secondary_status=status, at=NOW + timedelta(seconds=seconds)
        )
    account.move_training_job(
        "job-1", secondary_status="MaxRuntimeExceeded", at=NOW + timedelta(seconds=150)
    )
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")
    assert answer["TrainingJobStatus"] == "Stopped"
    assert (answer["TrainingTimeInSeconds"], answer["BillableTimeInSeconds"]) == (140, 80)


def test_failing_before_training_leaves_no_times(
    account: EmulatedAccount, clients: Clients, job_request: JobRequest
) -> None:
    """A job that never reached an instance has neither start, end nor artifact."""
    clients.sagemaker.create_training_job(**job_request())
    account.move_training_job("job-1", status="Failed", failure_reason="CapacityError")
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")
    assert answer["FailureReason"] == "CapacityError"
    assert not {"TrainingStartTime", "TrainingEndTime", "BillableTimeInSeconds"} & set(answer)
    assert answer["ModelArtifacts"] == {"S3ModelArtifacts": ""}


def test_stop(account: EmulatedAccount, clients: Clients, job_request: JobRequest) -> None:
    """Stopping at once, Stopped a second later; an ended job cannot be stopped."""
    clients.sagemaker.create_training_job(**job_request())
    account.move_training_job("job-1", secondary_status="Training")
    clients.sagemaker.stop_training_job(TrainingJobName="job-1")
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Stopping", "Stopping")
    account.clock.set(NOW + timedelta(seconds=5))
    answer = clients.sagemaker.describe_training_job(TrainingJobName="job-1")
    assert answer["TrainingJobStatus"] == "Stopped"
    assert answer["TrainingEndTime"] == NOW + timedelta(seconds=1)
    with pytest.raises(ClientError) as error:
        clients.sagemaker.stop_training_job(TrainingJobName="job-1")
    assert code_of(error)[0] == "ValidationException"


def test_tags(clients: Clients, job_request: JobRequest) -> None:
    """Tags are listed, added, replaced and deleted by ARN."""
    arn = clients.sagemaker.create_training_job(**job_request(Tags=[{"Key": "a", "Value": "1"}]))[
        "TrainingJobArn"
    ]
    clients.sagemaker.add_tags(
        ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}]
    )
    expected = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}]
    assert clients.sagemaker.list_tags(ResourceArn=arn)["Tags"] == expected
    clients.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert clients.sagemaker.list_tags(ResourceArn=arn)["Tags"] == expected[1:]
    with pytest.raises(ClientError):
        clients.sagemaker.list_tags(ResourceArn=arn + "x")


def put_jobs(account: EmulatedAccount, number: int) -> None:
    """Store jobs job-00, job-01, …, a minute apart; every third one failed."""
    for i in range(number):
        account.put_training_job(
            {
                "TrainingJobName": f"job-{i:02}",
                "TrainingJobStatus": "Failed" if i % 3 == 0 else "Completed",
                "SecondaryStatus": "Completed",
                "CreationTime": NOW + timedelta(minutes=i),
                "LastModifiedTime": NOW + timedelta(hours=1, minutes=-i),
            }
        )


def listed(clients: Clients, **parameters: Any) -> list[str]:
    """Name the jobs of one page."""
    page = clients.sagemaker.list_training_jobs(**parameters)
    return [job["TrainingJobName"] for job in page["TrainingJobSummaries"]]


def test_list_pages(account: EmulatedAccount, clients: Clients) -> None:
    """Ten a page by default, oldest first; the paginator gets all."""
    put_jobs(account, 25)
    assert listed(clients) == [f"job-{i:02}" for i in range(10)]
    pages = clients.sagemaker.get_paginator("list_training_jobs").paginate(
        SortOrder="Descending", PaginationConfig={"PageSize": 7}
    )
    names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
    assert names == [f"job-{i:02}" for i in reversed(range(25))]


@pytest.mark.parametrize("size", [0, 101])
def test_list_page_size_is_checked(clients: Clients, size: int) -> None:
    """MaxResults lies between 1 and 100."""
    client = clients.make("sagemaker", parameter_validation=False)
    with pytest.raises(ClientError) as error:
        client.list_training_jobs(MaxResults=size)
    assert code_of(error)[0] == "ValidationException"


def test_list_filters_and_order(account: EmulatedAccount, clients: Clients) -> None:
    """Times are exclusive; names, status and order are honoured."""
    put_jobs(account, 12)
    minute = timedelta(minutes=1)
    assert listed(clients, CreationTimeAfter=NOW + 9 * minute) == ["job-10", "job-11"]
    assert listed(clients, CreationTimeBefore=NOW + minute) == ["job-00"]
    assert listed(clients, LastModifiedTimeAfter=NOW + 58 * minute) == ["job-00", "job-01"]
    assert listed(clients, NameContains="b-1") == ["job-10", "job-11"]
    assert listed(clients, StatusEquals="Failed") == ["job-00", "job-03", "job-06", "job-09"]
    assert listed(clients, SortBy="Name", SortOrder="Descending", MaxResults=1) == ["job-11"]


def test_list_cuts_before_it_filters_by_status(account: EmulatedAccount, clients: Clients) -> None:
    """With StatusEquals and MaxResults pages may be short or empty while a token is there."""
    put_jobs(account, 6)
    first = clients.sagemaker.list_training_jobs(StatusEquals="Failed", MaxResults=2)
    assert first["TrainingJobSummaries"] == []
    second = clients.sagemaker.list_training_jobs(
        StatusEquals="Failed", MaxResults=2, NextToken=first["NextToken"]
    )
    assert [j["TrainingJobName"] for j in second["TrainingJobSummaries"]] == ["job-03"]


@pytest.mark.parametrize("token", ["10", "bm9uc2Vuc2U="])
def test_list_refuses_junk_tokens(clients: Clients, token: str) -> None:
    """Tokens are opaque and are no indexes."""
    with pytest.raises(ClientError) as error:
        clients.sagemaker.list_training_jobs(NextToken=token)
    assert code_of(error)[0] == "ValidationException"


def test_list_refuses_the_token_of_another_query(
    account: EmulatedAccount, clients: Clients
) -> None:
    """A token serves its own query only."""
    put_jobs(account, 12)
    token = clients.sagemaker.list_training_jobs()["NextToken"]
    with pytest.raises(ClientError):
        clients.sagemaker.list_training_jobs(NextToken=token, SortOrder="Descending")


def test_put_again_replaces(account: EmulatedAccount, clients: Clients) -> None:
    """Raw answers are answered as they are, cut to milliseconds."""
    answer = {
        "TrainingJobName": "raw",
        "TrainingJobStatus": "Stopping",
        "SecondaryStatus": "Stopping",
        "CreationTime": NOW + timedelta(microseconds=1999),
    }
    account.put_training_job(answer, {"a": "b"})
    account.put_training_job({**answer, "TrainingJobStatus": "Stopped"})
    got = clients.sagemaker.describe_training_job(TrainingJobName="raw")
    assert got["TrainingJobStatus"] == "Stopped"
    assert got["CreationTime"] == NOW + timedelta(milliseconds=1)
    assert clients.sagemaker.list_tags(ResourceArn=got["TrainingJobArn"])["Tags"] == []
    account.remove_training_job("raw")
    with pytest.raises(ClientError):
        clients.sagemaker.describe_training_job(TrainingJobName="raw")


def test_put_refuses_what_describe_cannot_answer(account: EmulatedAccount) -> None:
    """A misspelt or missing field is the caller's mistake."""
    with pytest.raises(ValueError, match=r"unknown \['Tags'\], missing \['CreationTime'"):
        account.put_training_job({"TrainingJobName": "x", "Tags": []})
