from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.demo.conftest import NOW, Clients


def one(name: str, operator: str | None = None, value: str | None = None) -> dict[str, str]:
    """Make a filter."""
    given = {"Name": name, "Operator": operator, "Value": value}
    return {key: text for key, text in given.items() if text is not None}


@pytest.fixture
def find(account: EmulatedAccount, clients: Clients) -> Callable[..., str]:
    """Store five jobs a to e; the function names those that a search finds, oldest first."""
    for i, name in enumerate("abcde"):
        answer: dict[str, Any] = {
            "TrainingJobName": f"job-{name}",
            "TrainingJobStatus": "Completed" if i % 2 else "InProgress",
            "SecondaryStatus": "Training",
            "CreationTime": NOW + timedelta(minutes=i),
            "LastModifiedTime": NOW + timedelta(hours=1, minutes=i),
            "HyperParameters": {"lr": f"0.{i}", "depth": f"{i}.9", "optimizer": f"opt{i}"},
            "EnableManagedSpotTraining": i == 2,
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": i + 1},
            "MlflowConfig": {"MlflowResourceArn": "arn:aws:sagemaker:us-east-1:1:mlflow-app/x"},
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3Uri": f"s3://{channel}/{other}"}},
                }
                for channel, other in (("train", name), ("test", "z"))
            ],
        }
        if i:
            answer["FinalMetricDataList"] = [
                {"MetricName": "loss", "Value": i / 10, "Timestamp": NOW}
            ]
        account.put_training_job(answer, {"team": "x" if i < 2 else "y", f"only-{name}": "1"})

    def search(*filters: dict[str, str], **expression: Any) -> str:
        if filters:
            expression["Filters"] = list(filters)
        answer = clients.sagemaker.search(
            Resource="TrainingJob",
            SearchExpression=expression,
            SortBy="CreationTime",
            SortOrder="Ascending",
            MaxResults=100,
        )
        names = [r["TrainingJob"]["TrainingJobName"] for r in answer["Results"]]
        assert answer["TotalHits"] == {"Value": len(names), "Relation": "EqualTo"}
        return "".join(name.removeprefix("job-") for name in names)

    return search


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (one("TrainingJobName", "Equals", "job-b"), "b"),
        (one("TrainingJobName", value="job-b"), "b"),
        (one("TrainingJobName", "NotEquals", "job-b"), "acde"),
        (one("TrainingJobName", "Contains", "b-c"), "c"),
        (one("TrainingJobName", "In", "job-a,job-e,other"), "ae"),
        (one("TrainingJobStatus", "Equals", "Completed"), "bd"),
        (one("FinalMetricDataList", "Exists"), "bcde"),
        (one("FinalMetricDataList", "NotExists"), "a"),
        (one("TrainingEndTime", "NotExists"), "abcde"),
        (one("CreationTime", "GreaterThan", "2026-03-02T12:02:30"), "de"),
        (one("CreationTime", "GreaterThanOrEqualTo", "2026-03-02T12:02:30"), "cde"),
        (one("CreationTime", "LessThan", "2026-03-02T12:02:30Z"), "ab"),
        (one("LastModifiedTime", "LessThanOrEqualTo", "2026-03-02T13:02:30"), "abc"),
        (one("CreationTime", "Equals", "2026-03-02T12:02:30"), "c"),
        (one("ResourceConfig.InstanceCount", "GreaterThan", "3"), "de"),
        (one("ResourceConfig.InstanceCount", "Equals", "3.0"), "c"),
        (one("ResourceConfig.InstanceType", "Contains", "m5"), "abcde"),
        (one("EnableManagedSpotTraining", "Equals", "true"), "c"),
        (one("HyperParameters.optimizer", "Equals", "opt3"), "d"),
        (one("HyperParameters.lr", "LessThan", "0.2"), "ab"),
        (one("HyperParameters.depth", "LessThanOrEqualTo", "2"), "abc"),
        (one("HyperParameters.depth", "LessThanOrEqualTo", "2.0"), "ab"),
        (one("HyperParameters.none", "Exists"), ""),
        (one("Tags.team", "Equals", "y"), "cde"),
        (one("Tags.only-d", "Exists"), "d"),
        (one("Metrics.loss", "GreaterThan", "0.25"), "de"),
        (one("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "train/c"), "c"),
    ],
    ids=str,
)
def test_operators(find: Callable[..., str], condition: dict[str, str], expected: str) -> None:
    """Each operator on each type of property."""
    assert find(condition) == expected


@pytest.mark.parametrize(
    "condition",
    [
        one("TrainingJobName", "GreaterThan", "job-b"),
        one("CreationTime", "Contains", "2026"),
        one("CreationTime", "In", "2026-03-02T12:02:30"),
        one("CreationTime", "GreaterThan", "1772452950"),
        one("CreationTime", "GreaterThan", "2026-03-02"),
        one("CreationTime", "GreaterThan", "2026-03-02T12:02:30.5"),
        one("CreationTime", "GreaterThan", "2026-13-02T12:02:30"),
        one("CreationTime", "GreaterThan"),
        one("BillableTimeInSeconds", "GreaterThan", "many"),
        one("EnableManagedSpotTraining", "Equals", "yes"),
        one("EnableManagedSpotTraining", "GreaterThan", "true"),
        one("ResourceConfig", "Equals", "x"),
        one("MlflowConfig", "Exists"),
        one("TrainingJobname", "Exists"),
        one("CreationTime.Day", "Exists"),
        one("TrainingJobName", "StartsWith", "job"),
        one("TrainingJobName", "Equals", "x" * 1025),
    ],
    ids=lambda condition: str(condition)[:90],
)
def test_refused_filters(find: Callable[..., str], condition: dict[str, str]) -> None:
    """Operators and values that do not fit the property are errors, never empty results."""
    with pytest.raises(ClientError) as error:
        find(condition)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_expressions(find: Callable[..., str]) -> None:
    """And is the default; Or, sub-expressions and nested filters combine."""
    in_progress = one("TrainingJobStatus", "Equals", "InProgress")
    late = one("CreationTime", "GreaterThan", "2026-03-02T12:01:30")
    assert find(in_progress, late) == "ce"
    assert find(in_progress, late, Operator="Or") == "acde"
    both = {"Filters": [in_progress, late], "Operator": "And"}
    named = {"Filters": [one("TrainingJobName", "Equals", "job-b")]}
    assert find(SubExpressions=[both, named], Operator="Or") == "bce"
    assert find(late, SubExpressions=[both]) == "ce"

    def nested(channel: str) -> dict[str, Any]:
        return {
            "NestedPropertyName": "InputDataConfig",
            "Filters": [
                one("InputDataConfig.ChannelName", "Equals", channel),
                one("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "/c"),
            ],
        }

    assert find(NestedFilters=[nested("train")]) == "c"
    assert find(NestedFilters=[nested("test")]) == ""


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ({}, "At least one"),
        ({"Filters": [one("TrainingJobName", "Exists")] * 21}, "less than or equal to 20"),
        (
            {"SubExpressions": [{"Filters": [one("TrainingJobName", "Exists")] * 17}] * 3},
            "the limit is 50",
        ),
        (
            {
                "Filters": [one("TrainingJobName", "Contains", "a")],
                "SubExpressions": [{"Filters": [one("Tags.team", "Contains", "a")]}],
            },
            "'CONTAINS' operator usage limit of 1 exceeded.",
        ),
    ],
)
def test_limits(find: Callable[..., str], expression: dict[str, Any], part: str) -> None:
    """At most 20 of a kind, 50 in all, and one Contains."""
    with pytest.raises(ClientError) as error:
        find(**expression)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert part in error.value.response["Error"]["Message"]


def test_pages(account: EmulatedAccount, clients: Clients) -> None:
    """The newest change comes first; pages join without gap or overlap; hits are counted."""
    for i in range(230):
        account.put_training_job(
            {
                "TrainingJobName": f"job-{i:03}",
                "TrainingJobStatus": "Completed",
                "SecondaryStatus": "Completed",
                "CreationTime": NOW,
                "LastModifiedTime": NOW + timedelta(seconds=i),
            }
        )
    pages = list(
        clients.sagemaker.get_paginator("search").paginate(
            Resource="TrainingJob", PaginationConfig={"PageSize": 100}
        )
    )
    names = [r["TrainingJob"]["TrainingJobName"] for page in pages for r in page["Results"]]
    assert [len(page["Results"]) for page in pages] == [100, 100, 30]
    assert names == [f"job-{i:03}" for i in reversed(range(230))]
    assert {page["TotalHits"]["Value"] for page in pages} == {230}
    assert "NextToken" not in pages[-1]
    assert account.calls["sagemaker:Search"] == 3


@pytest.mark.parametrize(
    "parameters",
    [
        {"MaxResults": 101},
        {"NextToken": "100"},
        {"SortBy": "Nothing"},
        {"SortBy": "ResourceConfig"},
        {"SortOrder": "Up"},
        {"Resource": "ProcessingJob"},
    ],
    ids=str,
)
def test_refused_parameters(clients: Clients, parameters: dict[str, Any]) -> None:
    """Pages, tokens, order and resource are checked."""
    with pytest.raises(ClientError) as error:
        clients.sagemaker.search(**{"Resource": "TrainingJob", **parameters})
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_record_has_tags_but_not_all_of_describe(
    account: EmulatedAccount, clients: Clients, find: Callable[..., str]
) -> None:
    """Search carries Tags, and lacks MlflowConfig."""
    assert find(one("TrainingJobName", "Equals", "job-a")) == "a"
    (result,) = clients.sagemaker.search(
        Resource="TrainingJob",
        SearchExpression={"Filters": [one("TrainingJobName", "Equals", "job-a")]},
    )["Results"]
    record = result["TrainingJob"]
    assert record["Tags"] == [{"Key": "team", "Value": "x"}, {"Key": "only-a", "Value": "1"}]
    assert record["CreationTime"] == NOW
    described = clients.sagemaker.describe_training_job(TrainingJobName="job-a")
    assert set(described) - set(record) == {"MlflowConfig", "ResponseMetadata"}
    account.move_training_job("job-a", status="Failed", failure_reason="why")
    assert find(one("FailureReason", "Equals", "why")) == "a"


def test_missing_values_sort_last(
    clients: Clients, account: EmulatedAccount, find: Callable[..., str]
) -> None:
    """A record without the property comes last in both orders."""
    assert find(one("TrainingJobName", "Exists")) == "abcde"
    account.move_training_job("job-b", secondary_status="Training")
    for order in ("Ascending", "Descending"):
        results = clients.sagemaker.search(
            Resource="TrainingJob", SortBy="TrainingStartTime", SortOrder=order
        )["Results"]
        assert results[0]["TrainingJob"]["TrainingJobName"] == "job-b"


def test_other_resources_are_searched_by_the_same_rules(clients: Clients) -> None:
    """Experiments come from the underlying emulator, filters and pages are the account's."""
    for name in ("one", "two", "three"):
        clients.sagemaker.create_experiment(ExperimentName=name)
    expression = {
        "Filters": [
            one("ExperimentName", "Contains", "o"),
            one("CreationTime", "GreaterThan", "2020-01-01T00:00:00"),
        ]
    }
    first = clients.sagemaker.search(
        Resource="Experiment",
        SearchExpression=expression,
        SortBy="ExperimentName",
        SortOrder="Ascending",
        MaxResults=1,
    )
    assert [r["Experiment"]["ExperimentName"] for r in first["Results"]] == ["one"]
    assert first["TotalHits"]["Value"] == 2
    assert "NextToken" in first
