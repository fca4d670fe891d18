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


@pytest.fixture
def family(account: EmulatedAccount) -> EmulatedAccount:
    """Store experiments e and f, trials e-1, e-2, f-1, and components a to e in them."""
    store = account.experiments
    for experiment in "ef":
        store.put_experiment(experiment, description=f"about {experiment}", tags={"team": "x"})
    for i, (trial, experiment) in enumerate((("e-1", "e"), ("e-2", "e"), ("f-1", "f"))):
        store.put_trial(trial, experiment, created=NOW + i * HOUR)
    homes = {"a": ("e-1",), "b": ("e-1", "e-2"), "c": ("f-1",), "d": ("f-1", "e-2"), "e": ()}
    for i, (name, trials) in enumerate(homes.items()):
        answer = {
            "TrialComponentName": name,
            "CreationTime": NOW + timedelta(minutes=i),
            "LastModifiedTime": NOW + timedelta(hours=1, minutes=i),
            "Source": {"SourceArn": f"{ARN}training-job/job-{name}"},
            "Metrics": [{"MetricName": "loss", "Last": i / 10}],
        }
        store.put_trial_component(answer, trials=trials, tags={"kind": name})
    return account


def names(answers: list[dict[str, Any]], field: str) -> str:
    """Join names."""
    return " ".join(answer[field] for answer in answers)


def refused(call: Callable[..., Any], **parameters: Any) -> str:
    """Give the error code of a call."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    code: str = error.value.response["Error"]["Code"]
    return code


def test_a_component_lives_through_the_api(account: EmulatedAccount, clients: Clients) -> None:
    """Create, Describe, Update (which merges maps), associate, tag and delete."""
    client = clients.sagemaker
    client.create_experiment(ExperimentName="e", Description="d")
    client.create_trial(TrialName="t", ExperimentName="e")
    arn = client.create_trial_component(
        TrialComponentName="c",
        Status={"PrimaryStatus": "InProgress"},
        StartTime=NOW,
        Parameters={"lr": {"NumberValue": 0.1}, "opt": {"StringValue": "adam"}},
        MetadataProperties={"CommitId": "abc"},
        Tags=[{"Key": "k", "Value": "v"}],
    )["TrialComponentArn"]
    assert arn == f"{ARN}experiment-trial-component/c"
    client.associate_trial_component(TrialComponentName="c", TrialName="t")
    account.clock.set(NOW + HOUR)
    client.update_trial_component(
        TrialComponentName="c",
        DisplayName="shown",
        Status={"PrimaryStatus": "Completed"},
        Parameters={"lr": {"NumberValue": 0.2}, "new": {"NumberValue": 1}},
        ParametersToRemove=["opt"],
    )
    described = client.describe_trial_component(TrialComponentName=arn)
    del described["ResponseMetadata"]
    assert described == {
        "TrialComponentName": "c",
        "TrialComponentArn": arn,
        "DisplayName": "shown",
        "Status": {"PrimaryStatus": "Completed"},
        "StartTime": NOW,
        "CreationTime": NOW,
        "LastModifiedTime": NOW + HOUR,
        "Parameters": {"lr": {"NumberValue": 0.2}, "new": {"NumberValue": 1.0}},
        "MetadataProperties": {"CommitId": "abc"},
    }
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "l", "Value": "w"}])
    assert [tag["Key"] for tag in client.list_tags(ResourceArn=arn)["Tags"]] == ["k", "l"]
    assert refused(client.delete_experiment, ExperimentName="e") == "ValidationException"
    assert refused(client.delete_trial, TrialName="t") == "ValidationException"
    assert refused(client.delete_trial_component, TrialComponentName="c") == "ValidationException"
    client.disassociate_trial_component(TrialComponentName="c", TrialName="t")
    client.delete_trial_component(TrialComponentName="c")
    client.delete_trial(TrialName="t")
    client.delete_experiment(ExperimentName="e")
    assert client.list_experiments()["ExperimentSummaries"] == []


def test_experiments_and_trials_are_described_and_updated(
    family: EmulatedAccount, clients: Clients
) -> None:
    """The display name is the name until it is given; an update moves LastModifiedTime."""
    client = clients.sagemaker
    family.clock.set(NOW + HOUR)
    client.update_experiment(ExperimentName="e", Description="new")
    client.update_trial(TrialName="e-1", DisplayName="shown")
    experiment = client.describe_experiment(ExperimentName="e")
    assert (experiment["DisplayName"], experiment["Description"]) == ("e", "new")
    assert (experiment["CreationTime"], experiment["LastModifiedTime"]) == (NOW, NOW + HOUR)
    trial = client.describe_trial(TrialName="e-1")
    assert (trial["DisplayName"], trial["ExperimentName"]) == ("shown", "e")


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("describe_experiment", {"ExperimentName": "x"}, "ResourceNotFound"),
        ("describe_trial", {"TrialName": "x"}, "ResourceNotFound"),
        ("describe_trial_component", {"TrialComponentName": "x"}, "ResourceNotFound"),
        ("create_trial", {"TrialName": "t", "ExperimentName": "x"}, "ResourceNotFound"),
        ("create_trial", {"TrialName": "e-1", "ExperimentName": "e"}, "ValidationException"),
        ("create_experiment", {"ExperimentName": "e"}, "ValidationException"),
        ("list_trials", {"ExperimentName": "x"}, "ResourceNotFound"),
        ("list_trials", {"TrialComponentName": "x"}, "ResourceNotFound"),
        ("list_trial_components", {"TrialName": "x"}, "ResourceNotFound"),
        ("list_trial_components", {"ExperimentName": "x"}, "ResourceNotFound"),
        ("list_trial_components", {"TrialName": "e-1", "SourceArn": "s"}, "ValidationException"),
        ("list_trial_components", {"NextToken": "junk"}, "ValidationException"),
        (
            "disassociate_trial_component",
            {"TrialComponentName": "a", "TrialName": "f-1"},
            "ResourceNotFound",
        ),
        ("list_tags", {"ResourceArn": f"{ARN}experiment/x"}, "ResourceNotFound"),
    ],
)
def test_what_is_missing_or_wrong_is_refused(
    family: EmulatedAccount,
    clients: Clients,
    operation: str,
    parameters: dict[str, str],
    code: str,
) -> None:
    """Missing entities are ResourceNotFound, as the model says."""
    assert refused(getattr(clients.sagemaker, operation), **parameters) == code
    assert family.requests[-1].status == 400


@pytest.mark.usefixtures("family")
def test_no_more_than_a_hundred_on_a_page(clients: Clients) -> None:
    """MaxResults is at most 100."""
    client = clients.make("sagemaker", parameter_validation=False)
    assert refused(client.list_trial_components, MaxResults=101) == "ValidationException"


@pytest.mark.usefixtures("family")
def test_lists_filter_and_sort(clients: Clients) -> None:
    """Newest first unless asked otherwise; time filters are exclusive."""
    client = clients.sagemaker

    def trials(**parameters: Any) -> str:
        return names(client.list_trials(**parameters)["TrialSummaries"], "TrialName")

    def components(**parameters: Any) -> str:
        found = client.list_trial_components(**parameters)["TrialComponentSummaries"]
        return names(found, "TrialComponentName")

    assert trials() == "f-1 e-2 e-1"
    assert trials(ExperimentName="e", SortBy="Name", SortOrder="Ascending") == "e-1 e-2"
    assert trials(TrialComponentName="d") == "f-1 e-2"
    assert trials(CreatedAfter=NOW, CreatedBefore=NOW + 2 * HOUR) == "e-2"
    assert components() == "e d c b a"
    assert components(TrialName="e-2") == "d b"
    assert components(ExperimentName="e") == "d b a"
    assert components(SourceArn=f"{ARN}training-job/job-c") == "c"
    assert components(SourceArn="nobody") == ""


def test_lists_have_ten_on_a_page_and_tokens(account: EmulatedAccount, clients: Clients) -> None:
    """A page has ten unless asked otherwise; a token serves its own query only."""
    for i in range(25):
        account.experiments.put_experiment(f"e-{i}", created=NOW + timedelta(seconds=i))
    client = clients.sagemaker
    page = client.list_experiments()
    assert len(page["ExperimentSummaries"]) == 10
    token = page["NextToken"]
    assert refused(client.list_experiments, NextToken=token, SortBy="Name") == "ValidationException"
    pages = client.get_paginator("list_experiments").paginate(MaxResults=7)
    found = [one["ExperimentName"] for page in pages for one in page["ExperimentSummaries"]]
    assert found == [f"e-{i}" for i in reversed(range(25))]


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("Parents.TrialName", "Equals", "e-2", "b d"),
        ("Parents.TrialName", "NotExists", None, "e"),
        ("Parents.ExperimentName", "Equals", "e", "a b d"),
        ("Source.SourceArn", "Equals", f"{ARN}training-job/job-c", "c"),
        ("TrialComponentName", "In", "a,e", "a e"),
        ("LastModifiedTime", "GreaterThan", "2026-03-02T13:02:30", "d e"),
        ("Tags.kind", "Equals", "b", "b"),
        ("Metrics.loss", "LessThan", "0.15", "a b"),
    ],
)
@pytest.mark.usefixtures("family")
def test_search_looks_inside_components(
    clients: Clients, name: str, operator: str, value: str | None, expected: str
) -> None:
    """A list on the way matches with any of its elements."""
    condition = {"Name": name, "Operator": operator, **({"Value": value} if value else {})}
    found = clients.sagemaker.search(
        Resource="ExperimentTrialComponent",
        SearchExpression={"Filters": [condition]},
        SortOrder="Ascending",
    )
    records = [one["TrialComponent"] for one in found["Results"]]
    assert names(records, "TrialComponentName") == expected


@pytest.mark.usefixtures("family")
def test_a_nested_filter_wants_it_all_of_one_parent(clients: Clients) -> None:
    """Nested filters hold of one element together, plain filters of any."""
    filters = [
        {"Name": "Parents.TrialName", "Operator": "Equals", "Value": "f-1"},
        {"Name": "Parents.ExperimentName", "Operator": "Equals", "Value": "e"},
    ]
    nested = {"NestedFilters": [{"NestedPropertyName": "Parents", "Filters": filters}]}
    found = {
        name: clients.sagemaker.search(
            Resource="ExperimentTrialComponent", SearchExpression=expression
        )["TotalHits"]["Value"]
        for name, expression in (("plain", {"Filters": filters}), ("nested", nested))
    }
    assert found == {"plain": 1, "nested": 0}


def test_what_describe_cannot_give_is_not_stored(family: EmulatedAccount) -> None:
    """Fields that are not AWS's are refused, at first and later."""
    store = family.experiments
    with pytest.raises(ValueError, match="Parents"):
        store.put_trial_component({"TrialComponentName": "x", "Parents": []})
    with pytest.raises(ValueError, match="Nonsense"):
        store.update_trial_component("a", Nonsense=1)


def test_search_tells_what_describe_does_not(family: EmulatedAccount, clients: Clients) -> None:
    """Parents, Tags, RunName and the whole job with its tags are in Search only."""
    family.put_training_job(
        {
            "TrainingJobName": "job-b",
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Training",
            "CreationTime": NOW,
            "HyperParameters": {"lr": "1"},
        },
        {"team": "y"},
    )
    answer = {
        "TrialComponentName": "b",
        "Source": {"SourceArn": f"{ARN}training-job/job-b"},
    }
    family.experiments.put_trial_component(
        answer, trials=("e-2", "f-1"), tags={"k": "v"}, run_name="run"
    )

    def record() -> dict[str, Any]:
        found = clients.sagemaker.search(
            Resource="ExperimentTrialComponent",
            SearchExpression={"Filters": [{"Name": "TrialComponentName", "Value": "b"}]},
        )
        (result,) = found["Results"]
        component: dict[str, Any] = result["TrialComponent"]
        return component

    component = record()
    assert component["Parents"] == [
        {"TrialName": "e-2", "ExperimentName": "e"},
        {"TrialName": "f-1", "ExperimentName": "f"},
    ]
    assert component["Tags"] == [{"Key": "k", "Value": "v"}]
    assert component["RunName"] == "run"
    job = component["SourceDetail"]["TrainingJob"]
    assert (job["TrainingJobName"], job["HyperParameters"]) == ("job-b", {"lr": "1"})
    assert job["Tags"] == [{"Key": "team", "Value": "y"}]
    described = clients.sagemaker.describe_trial_component(TrialComponentName="b")
    assert not {"Parents", "Tags", "RunName", "SourceDetail"} & set(described)
    family.move_training_job("job-b", status="Completed")
    family.experiments.move_trial_component("b", trials=("e-1",))
    component = record()
    assert component["SourceDetail"]["TrainingJob"]["TrainingJobStatus"] == "Completed"
    assert component["Parents"] == [{"TrialName": "e-1", "ExperimentName": "e"}]
    family.experiments.put_trial("e-1", "f")
    assert record()["Parents"] == [{"TrialName": "e-1", "ExperimentName": "f"}]


@pytest.mark.usefixtures("family")
def test_search_finds_experiments_and_trials(clients: Clients) -> None:
    """Trials tell their components, both tell their tags."""
    client = clients.sagemaker
    found = client.search(
        Resource="ExperimentTrial",
        SearchExpression={
            "Filters": [{"Name": "TrialName", "Value": name} for name in ("e-2", "f-1")],
            "Operator": "Or",
        },
    )["Results"]
    trials = [one["Trial"] for one in found]
    assert names(trials, "TrialName") == "f-1 e-2"
    assert names(trials[1]["TrialComponentSummaries"], "TrialComponentName") == "b d"
    (result,) = client.search(
        Resource="Experiment",
        SearchExpression={"Filters": [{"Name": "ExperimentName", "Value": "f"}]},
    )["Results"]
    assert result["Experiment"]["Description"] == "about f"
    assert result["Experiment"]["Tags"] == [{"Key": "team", "Value": "x"}]


def test_pages_of_search_see_what_has_changed(family: EmulatedAccount, clients: Clients) -> None:
    """What is found once is not found again by the next query if it has changed."""
    query = {
        "Resource": "ExperimentTrialComponent",
        "SearchExpression": {"Filters": [{"Name": "Status.PrimaryStatus", "Value": "Failed"}]},
    }
    assert clients.sagemaker.search(**query)["TotalHits"]["Value"] == 0
    family.experiments.update_trial_component("a", Status={"PrimaryStatus": "Failed"})
    assert clients.sagemaker.search(**query)["TotalHits"]["Value"] == 1
    family.experiments.remove_trial_component("a")
    assert clients.sagemaker.search(**query)["TotalHits"]["Value"] == 0


def test_removed_experiments_leave_their_components(
    family: EmulatedAccount, clients: Clients
) -> None:
    """With an experiment its trials go; the components are only taken out of them."""
    family.experiments.remove_experiment("e")
    client = clients.sagemaker
    assert names(client.list_trials()["TrialSummaries"], "TrialName") == "f-1"
    assert names(client.list_trials(TrialComponentName="d")["TrialSummaries"], "TrialName") == "f-1"
    assert len(client.list_trial_components()["TrialComponentSummaries"]) == 5


def test_jobs_get_components_that_follow_them(
    account: EmulatedAccount, clients: Clients, job_request: Callable[..., dict[str, Any]]
) -> None:
    """With the switch on, a job's component is in its trial and ends when the job ends."""
    client = clients.sagemaker
    client.create_training_job(**job_request("other"))
    assert client.list_trial_components()["TrialComponentSummaries"] == []
    account.experiments.put_experiment("e")
    account.experiments.put_trial("t", "e")
    account.makes_components = True
    config = {
        "ExperimentName": "e",
        "TrialName": "t",
        "TrialComponentDisplayName": "shown",
        "RunName": "run",
    }
    client.create_training_job(**job_request("job", ExperimentConfig=config))
    name = "job-aws-training-job"
    made = client.describe_trial_component(TrialComponentName=name)
    arn = f"{ARN}training-job/job"
    assert made["Source"] == {"SourceArn": arn, "SourceType": "SageMakerTrainingJob"}
    assert made["DisplayName"] == "shown"
    assert made["Status"]["PrimaryStatus"] == "InProgress"
    assert made["Parameters"]["lr"] == {"NumberValue": 0.25}
    assert made["Parameters"]["optimizer"] == {"StringValue": '"adam"'}
    assert made["InputArtifacts"]["train"] == {"Value": "s3://data/train/"}
    account.move_training_job("job", secondary_status="Training")
    account.clock.set(NOW + HOUR)
    account.move_training_job("job", status="Failed", failure_reason="Out of luck")
    (result,) = client.search(
        Resource="ExperimentTrialComponent",
        SearchExpression={"Filters": [{"Name": "Source.SourceArn", "Value": arn}]},
    )["Results"]
    component = result["TrialComponent"]
    assert component["Status"]["PrimaryStatus"] == "Failed"
    assert "Out of luck" in component["Status"]["Message"]
    assert component["LastModifiedTime"] == component["EndTime"] == NOW + HOUR
    assert component["Parents"] == [{"TrialName": "t", "ExperimentName": "e"}]
    assert component["RunName"] == "run"
    job = component["SourceDetail"]["TrainingJob"]
    assert job["FailureReason"] == "Out of luck"


def test_other_jobs_get_components_too(account: EmulatedAccount, clients: Clients) -> None:
    """Processing and transform jobs have components of their own, which outlive them."""
    account.makes_components = True
    common = {"CreationTime": NOW}
    account.put_job(
        "processing-job",
        {
            "ProcessingJobName": "p",
            "ProcessingJobStatus": "InProgress",
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 30,
                }
            },
            "AppSpecification": {"ImageUri": "image:1"},
            "ProcessingInputs": [
                {
                    "InputName": "in",
                    "S3Input": {"S3Uri": "s3://b/in", "S3DataType": "S3Prefix"},
                }
            ],
            **common,
        },
        {"team": "z"},
    )
    account.put_job(
        "transform-job",
        {
            "TransformJobName": "t",
            "TransformJobStatus": "Completed",
            "ModelName": "m",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}}
            },
            "TransformOutput": {"S3OutputPath": "s3://b/out"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **common,
        },
    )

    def found() -> dict[str, dict[str, Any]]:
        results = clients.sagemaker.search(Resource="ExperimentTrialComponent")["Results"]
        records = [one["TrialComponent"] for one in results]
        return {one["TrialComponentName"]: one for one in records}

    components = found()
    processing = components["p-aws-processing-job"]
    assert processing["InputArtifacts"]["SageMaker.ImageUri"] == {"Value": "image:1"}
    assert processing["SourceDetail"]["ProcessingJob"]["Tags"] == [{"Key": "team", "Value": "z"}]
    transform = components["t-aws-transform-job"]
    assert transform["OutputArtifacts"] == {"SageMaker.TransformOutput": {"Value": "s3://b/out"}}
    assert transform["SourceDetail"]["TransformJob"]["ModelName"] == "m"
    account.clock.set(NOW + HOUR)
    account.update_job("processing-job", "p", ProcessingJobStatus="Completed")
    account.remove_job("transform-job", "t")
    components = found()
    assert components["p-aws-processing-job"]["Status"]["PrimaryStatus"] == "Completed"
    assert components["p-aws-processing-job"]["LastModifiedTime"] == NOW + HOUR
    assert "SourceDetail" not in components["t-aws-transform-job"]
