from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.demo.conftest import NOW, Clients

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
HOUR = timedelta(hours=1)


def refused(call: Callable[..., Any], **parameters: Any) -> str:
    """Give the error code of a call."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    code: str = error.value.response["Error"]["Code"]
    return code


class Chain:
    """data → training job's component → model → deployment → endpoint, made an hour apart each."""

    def __init__(self, account: EmulatedAccount) -> None:
        lineage = account.lineage
        self.data = lineage.put_artifact("s3://b/data", created=NOW, properties={"etag": "1"})
        self.job = account.experiments.put_trial_component(
            {
                "TrialComponentName": "train",
                "CreationTime": NOW + HOUR,
                "Source": {
                    "SourceArn": f"{ARN}training-job/train",
                    "SourceType": "SageMakerTrainingJob",
                },
            }
        )
        self.model = lineage.put_artifact(
            "s3://b/model", kind="Model", created=NOW + 2 * HOUR, name="the-model"
        )
        self.deploy = lineage.put_action("deploy", f"{ARN}endpoint/live", created=NOW + 3 * HOUR)
        self.endpoint = lineage.put_context("live", f"{ARN}endpoint/live", created=NOW + 4 * HOUR)
        self.all = (self.data, self.job, self.model, self.deploy, self.endpoint)
        kinds = ("ContributedTo", "Produced", "ContributedTo", "AssociatedWith")
        for i, kind in enumerate(kinds):
            lineage.associate(self.all[i], self.all[i + 1], kind, NOW + (i + 5) * HOUR)


@pytest.fixture
def chain(account: EmulatedAccount) -> Chain:
    """Store a chain of lineage."""
    return Chain(account)


def test_lineage_entities_live_through_the_api(account: EmulatedAccount, clients: Clients) -> None:
    """Create, Describe, Update (which replaces properties), List by source and type, Delete."""
    client = clients.sagemaker
    arn = client.create_artifact(
        ArtifactName="data",
        Source={"SourceUri": "s3://b/x"},
        ArtifactType="DataSet",
        Properties={"a": "1", "b": "2"},
        Tags=[{"Key": "k", "Value": "v"}],
    )["ArtifactArn"]
    assert arn.startswith(f"{ARN}artifact/")
    account.clock.set(NOW + HOUR)
    client.update_artifact(ArtifactArn=arn, Properties={"c": "3", "d": "4"})
    client.update_artifact(ArtifactArn=arn, PropertiesToRemove=["d"])
    described = client.describe_artifact(ArtifactArn=arn)
    assert described["Properties"] == {"c": "3"}
    assert (described["CreationTime"], described["LastModifiedTime"]) == (NOW, NOW + HOUR)
    client.create_context(
        ContextName="ctx", Source={"SourceUri": "s3://b/x"}, ContextType="Endpoint", Description="d"
    )
    client.create_action(
        ActionName="act",
        Source={"SourceUri": "s3://b/y"},
        ActionType="ModelDeployment",
        Status="InProgress",
    )
    client.update_action(ActionName="act", Status="Completed")
    assert client.describe_action(ActionName=f"{ARN}action/act")["Status"] == "Completed"
    assert client.describe_context(ContextName="ctx")["Description"] == "d"
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    (artifact,) = client.list_artifacts(SourceUri="s3://b/x")["ArtifactSummaries"]
    assert (artifact["ArtifactName"], artifact["ArtifactType"]) == ("data", "DataSet")
    assert client.list_artifacts(ArtifactType="Model")["ArtifactSummaries"] == []
    assert client.list_actions(SourceUri="s3://b/x")["ActionSummaries"] == []
    assert len(client.list_contexts(ContextType="Endpoint")["ContextSummaries"]) == 1
    client.delete_artifact(Source={"SourceUri": "s3://b/x"})
    client.delete_context(ContextName="ctx")
    client.delete_action(ActionName="act")
    assert refused(client.describe_artifact, ArtifactArn=arn) == "ResourceNotFound"
    assert refused(client.describe_context, ContextName="ctx") == "ResourceNotFound"
    assert refused(client.describe_action, ActionName="act") == "ResourceNotFound"


def test_artifacts_are_listed_by_time_page_by_page(
    account: EmulatedAccount, clients: Clients
) -> None:
    """Ten on a page, newest first; the time filters take in their own instant."""
    for i in range(25):
        account.lineage.put_artifact(f"s3://b/{i}", created=NOW + timedelta(minutes=i))
    client = clients.sagemaker
    assert len(client.list_artifacts()["ArtifactSummaries"]) == 10
    pages = client.get_paginator("list_artifacts").paginate(
        CreatedAfter=NOW + timedelta(minutes=3), CreatedBefore=NOW + timedelta(minutes=20)
    )
    found = [one["Source"]["SourceUri"] for page in pages for one in page["ArtifactSummaries"]]
    assert found == [f"s3://b/{i}" for i in range(20, 2, -1)]


def test_an_association_is_told_with_both_its_ends(chain: Chain, clients: Clients) -> None:
    """Types and names of both ends; an artifact without a name has none here."""
    client = clients.sagemaker
    (first,) = client.list_associations(SourceArn=chain.data)["AssociationSummaries"]
    assert first == {
        "SourceArn": chain.data,
        "DestinationArn": chain.job,
        "SourceType": "DataSet",
        "DestinationType": "SageMakerTrainingJob",
        "DestinationName": "train",
        "AssociationType": "ContributedTo",
        "CreationTime": NOW + 5 * HOUR,
    }


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "3210"),
        ({"SortOrder": "Ascending"}, "0123"),
        ({"DestinationType": "Model"}, "1"),
        ({"SourceType": "SageMakerTrainingJob"}, "1"),
        ({"AssociationType": "ContributedTo"}, "20"),
        ({"CreatedAfter": NOW + 6 * HOUR}, "321"),
        ({"CreatedBefore": NOW + 6 * HOUR}, "10"),
        ({"SortBy": "DestinationType", "SortOrder": "Ascending"}, "3120"),
    ],
)
def test_associations_are_filtered_and_sorted(
    chain: Chain, clients: Clients, parameters: dict[str, Any], expected: str
) -> None:
    """All filters of ListAssociations; by CreationTime, newest first, unless asked otherwise."""
    found = clients.sagemaker.list_associations(**parameters)["AssociationSummaries"]
    assert "".join(str(chain.all.index(one["SourceArn"])) for one in found) == expected


def test_associations_are_added_and_deleted(chain: Chain, clients: Clients) -> None:
    """Both ends must exist, a pair is joined once, and what is joined is not deleted."""
    client = clients.sagemaker
    pair = {"SourceArn": chain.data, "DestinationArn": chain.endpoint}
    client.add_association(**pair)
    (found,) = client.list_associations(**pair)["AssociationSummaries"]
    assert "AssociationType" not in found
    assert found["CreationTime"] == NOW
    assert refused(client.add_association, **pair) == "ValidationException"
    missing = {"SourceArn": chain.data, "DestinationArn": f"{ARN}context/x"}
    assert refused(client.add_association, **missing) == "ResourceNotFound"
    assert refused(client.delete_association, **missing) == "ResourceNotFound"
    assert refused(client.delete_context, ContextName="live") == "ValidationException"
    client.delete_association(**pair)
    assert client.list_associations(**pair)["AssociationSummaries"] == []


def test_removed_components_take_their_associations_along(
    account: EmulatedAccount, chain: Chain, clients: Clients
) -> None:
    """No association is left without its ends."""
    account.experiments.remove_trial_component("train")
    found = clients.sagemaker.list_associations()["AssociationSummaries"]
    assert [one["SourceArn"] for one in found] == [chain.deploy, chain.model]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"Direction": "Ascendants"}, "10"),
        ({"Direction": "Descendants"}, "34"),
        ({"Direction": "Both"}, "1034"),
        ({"Direction": "Descendants", "MaxDepth": 1}, "3"),
        ({"Filters": {"Types": ["DataSet", "Endpoint"]}}, "04"),
        ({"Filters": {"Types": ["TrainingJob"]}}, "1"),
        ({"Filters": {"LineageTypes": ["Action"]}}, "3"),
        ({"Filters": {"Properties": {"etag": "1", "x": "y"}}}, "0"),
        ({"Filters": {"CreatedAfter": NOW + 4 * HOUR}}, "4"),
        ({"Filters": {"ModifiedBefore": NOW + HOUR}}, "10"),
    ],
)
def test_lineage_is_queried(
    chain: Chain, clients: Clients, parameters: dict[str, Any], expected: str
) -> None:
    """From the model, nearest first, without the model itself."""
    found = clients.sagemaker.query_lineage(StartArns=[chain.model], **parameters)
    assert "".join(str(chain.all.index(one["Arn"])) for one in found["Vertices"]) == expected


def test_lineage_comes_with_what_lies_between(chain: Chain, clients: Clients) -> None:
    """With edges a filter's findings bring the way to them; without, nothing else."""
    found = clients.sagemaker.query_lineage(
        StartArns=[chain.endpoint], IncludeEdges=True, Filters={"LineageTypes": ["TrialComponent"]}
    )
    assert [chain.all.index(one["Arn"]) for one in found["Vertices"]] == [4, 3, 2, 1]
    assert found["Vertices"][3] == {
        "Arn": chain.job,
        "Type": "TrainingJob",
        "LineageType": "TrialComponent",
    }
    assert found["Edges"] == [
        {
            "SourceArn": chain.all[i],
            "DestinationArn": chain.all[i + 1],
            "AssociationType": kind,
        }
        for i, kind in ((3, "AssociatedWith"), (2, "ContributedTo"), (1, "Produced"))
    ]


def test_pages_of_lineage_have_each_edge_once(chain: Chain, clients: Clients) -> None:
    """A token leads to the next vertices; no edge is told twice or left out."""
    client = clients.sagemaker
    query: dict[str, Any] = {
        "StartArns": [chain.model],
        "IncludeEdges": True,
        "MaxResults": 2,
    }
    vertices, edges, pages = [], [], 0
    while True:
        page = client.query_lineage(**query)
        vertices += [one["Arn"] for one in page["Vertices"]]
        edges += [chain.all.index(one["SourceArn"]) for one in page["Edges"]]
        pages += 1
        if "NextToken" not in page:
            break
        query["NextToken"] = page["NextToken"]
    assert pages == 3
    assert sorted(vertices) == sorted(chain.all)
    assert sorted(edges) == [0, 1, 2, 3]


def test_lineage_has_its_limits(chain: Chain, clients: Clients) -> None:
    """One start, ten steps, fifty vertices a page, and the start must exist."""
    client = clients.make("sagemaker", parameter_validation=False)
    start = {"StartArns": [chain.model]}
    assert refused(client.query_lineage, StartArns=list(chain.all[:2])) == "ValidationException"
    assert refused(client.query_lineage) == "ValidationException"
    assert refused(client.query_lineage, MaxDepth=11, **start) == "ValidationException"
    assert refused(client.query_lineage, MaxResults=51, **start) == "ValidationException"
    assert refused(client.query_lineage, StartArns=[f"{ARN}context/x"]) == "ResourceNotFound"
    job = f"{ARN}training-job/train"
    assert refused(client.query_lineage, StartArns=[job]) == "ValidationException"


def test_models_are_registered_in_versions(account: EmulatedAccount, clients: Clients) -> None:
    """A group numbers its packages; they are listed, searched, approved and deleted."""
    client = clients.sagemaker
    client.create_model_package_group(ModelPackageGroupName="g", ModelPackageGroupDescription="d")
    group = client.describe_model_package_group(ModelPackageGroupName="g")
    assert group["ModelPackageGroupStatus"] == "Completed"
    container = {"Image": "image:1", "ModelDataUrl": "s3://b/model"}
    arns = [
        client.create_model_package(
            ModelPackageGroupName="g",
            InferenceSpecification={"Containers": [container]},
            MetadataProperties={"GeneratedBy": "me"},
        )["ModelPackageArn"]
        for _ in range(2)
    ]
    assert arns == [f"{ARN}model-package/g/1", f"{ARN}model-package/g/2"]
    account.clock.set(NOW + HOUR)
    client.update_model_package(
        ModelPackageArn=arns[1],
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={"k": "v"},
    )
    package = client.describe_model_package(ModelPackageName=arns[1])
    assert (package["ModelPackageGroupName"], package["ModelPackageVersion"]) == ("g", 2)
    assert package["InferenceSpecification"]["Containers"] == [container]
    assert (package["ModelApprovalStatus"], package["LastModifiedTime"]) == ("Approved", NOW + HOUR)
    assert client.list_model_packages()["ModelPackageSummaryList"] == []
    listed = client.list_model_packages(ModelPackageGroupName="g")["ModelPackageSummaryList"]
    assert [one["ModelPackageVersion"] for one in listed] == [1, 2]
    (result,) = client.search(
        Resource="ModelPackage",
        SearchExpression={"Filters": [{"Name": "ModelApprovalStatus", "Value": "Approved"}]},
    )["Results"]
    assert result["ModelPackage"]["ModelPackageArn"] == arns[1]
    busy = refused(client.delete_model_package_group, ModelPackageGroupName="g")
    assert busy == "ConflictException"
    for arn in arns:
        client.delete_model_package(ModelPackageName=arn)
    assert refused(client.describe_model_package, ModelPackageName=arns[0]) == "ValidationException"
    client.delete_model_package_group(ModelPackageGroupName="g")
    assert client.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_registered_models_can_be_put(account: EmulatedAccount, clients: Clients) -> None:
    """Packages are stored without the API too, with times and tags of their own."""
    account.lineage.put_model_package_group("g", created=NOW - HOUR, tags={"k": "v"})
    arn = account.lineage.put_model_package({"ModelPackageGroupName": "g", "CreationTime": NOW})
    client = clients.sagemaker
    assert client.describe_model_package(ModelPackageName=arn)["CreationTime"] == NOW
    group = client.list_model_package_groups()["ModelPackageGroupSummaryList"][0]
    assert group["CreationTime"] == NOW - HOUR
    tags = client.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"]
    assert tags == [{"Key": "k", "Value": "v"}]


@pytest.fixture
def metrics(chain: Chain, clients: Clients) -> Any:
    """Make a client of SageMaker Metrics, of an account that has the component train."""
    assert chain.job
    return clients.make("sagemaker-metrics")


def query(metric: str = "loss", **changes: Any) -> dict[str, Any]:
    """Make a query for the values of each step of the component."""
    return {
        "MetricName": metric,
        "ResourceArn": f"{ARN}experiment-trial-component/train",
        "MetricStat": "Last",
        "Period": "IterationNumber",
        "XAxisType": "IterationNumber",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "xs", "values"),
    [
        ({}, [0, 1, 2], [4.0, 2.0, 1.0]),
        ({"MetricStat": "Avg"}, [0, 1, 2], [4.0, 2.5, 1.0]),
        ({"MetricStat": "Count"}, [0, 1, 2], [1.0, 2.0, 1.0]),
        ({"Start": 1, "End": 1}, [1], [2.0]),
        ({"ResourceArn": f"{ARN}training-job/train"}, [0, 1, 2], [4.0, 2.0, 1.0]),
        (
            {"Period": "OneMinute", "XAxisType": "Timestamp", "MetricStat": "Max"},
            [1772452800, 1772452860],
            [4.0, 2.0],
        ),
        ({"Period": "OneHour", "XAxisType": "Timestamp"}, [1772452800], [1.0]),
    ],
)
def test_series_are_read_back(
    account: EmulatedAccount, metrics: Any, changes: dict[str, Any], xs: list[int], values: Any
) -> None:
    """By step or by period, condensed by the statistic that is asked for."""
    start = round(NOW.replace(second=0).timestamp() * 1000)
    points = [(0, start, 4), (1, start + 1000, 3), (1, start + 60_000, 2), (2, start + 61_000, 1)]
    account.lineage.put_metric_series("train", "loss", points)
    (result,) = metrics.batch_get_metrics(MetricQueries=[query(**changes)])["MetricQueryResults"]
    assert result == {"Status": "Complete", "XAxisValues": xs, "MetricValues": values}


def test_results_stand_in_the_order_of_the_queries(account: EmulatedAccount, metrics: Any) -> None:
    """Each query has its own status: complete, cut, or wrong."""
    account.lineage.put_metric_series("train", "loss", [(i, i, i) for i in range(10)])
    account.lineage.put_metric_series("train", "short", [(0, 0, 0)])
    account.lineage.series.points_per_query = 4
    queries = [
        query("nothing"),
        query(),
        query("short"),
        query(Start=4),
        query(Period="OneMinute"),
        query(ResourceArn=f"{ARN}training-job/other"),
    ]
    results = metrics.batch_get_metrics(MetricQueries=queries)["MetricQueryResults"]
    assert [(one["Status"], one["XAxisValues"]) for one in results] == [
        ("ValidationError", []),
        ("Truncated", [0, 1, 2, 3]),
        ("Complete", [0]),
        ("Truncated", [4, 5, 6, 7]),
        ("ValidationError", []),
        ("ValidationError", []),
    ]
    many = [query()] * 101
    assert refused(metrics.batch_get_metrics, MetricQueries=many) == "ValidationException"
    assert account.calls["sagemaker-metrics:BatchGetMetrics"] == 2


def test_metrics_that_are_put_are_summed_up(metrics: Any, clients: Clients) -> None:
    """BatchPutMetrics stores points and brings the component's summary up to date."""
    data = [
        {"MetricName": "acc", "Timestamp": NOW + i * HOUR, "Step": i, "Value": value}
        for i, value in enumerate((1.0, 2.0, 6.0))
    ]
    assert "Errors" not in metrics.batch_put_metrics(TrialComponentName="train", MetricData=data)
    (summary,) = clients.sagemaker.describe_trial_component(TrialComponentName="train")["Metrics"]
    deviation = summary.pop("StdDev")
    assert deviation == pytest.approx(2.1602468994692865)
    assert summary == {
        "MetricName": "acc",
        "SourceArn": f"{ARN}experiment-trial-component/train",
        "TimeStamp": NOW + 2 * HOUR,
        "Max": 6.0,
        "Min": 1.0,
        "Last": 6.0,
        "Count": 3,
        "Avg": 3.0,
    }
    (result,) = metrics.batch_get_metrics(MetricQueries=[query("acc")])["MetricQueryResults"]
    assert result["MetricValues"] == [1.0, 2.0, 6.0]
    errors = metrics.batch_put_metrics(TrialComponentName="nobody", MetricData=data)["Errors"]
    assert errors == [{"Code": "VALIDATION_ERROR", "MetricIndex": i} for i in range(3)]
    assert refused(
        metrics.batch_put_metrics, TrialComponentName="train", MetricData=[*data] * 4
    ) == ("ValidationException")
