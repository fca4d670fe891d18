"""What stands around the jobs of the demo's account is what boto3 would see of a real one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.contents import automl, notebooks, registry, reports
from mlflow_smwatch.demo.contents.filling import fill, go_on
from mlflow_smwatch.demo.recording import load_recordings
from mlflow_smwatch.demo.workloads.families import (
    CHAIN,
    EXECUTION,
    PIPELINE_NAME,
    PIPELINE_STEPS,
    TUNED,
    TUNING_JOB,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
JOBS = [each for each in load_recordings() if each.workload.kind != "trial-component"]


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Run the demo's account as of NOW, until what runs then has ended too."""
    with EmulatedAccount() as running:
        running.clock.set(NOW)
        live = fill(running, NOW)
        assert [each.name for each in live] == ["digits-mlp-running"]
        later = NOW + timedelta(hours=3)
        running.clock.set(later)
        assert go_on(running, live, later) == ()
        yield running


@pytest.fixture(scope="module")
def clients(account: EmulatedAccount) -> AccountClients:
    """Return boto3 clients of the account."""
    return AccountClients.of(account)


@pytest.fixture(scope="module")
def edges(clients: AccountClients) -> set[tuple[str, str, str]]:
    """List all associations: source and destination, artifacts by their URI, and the type."""
    uris = {
        each["ArtifactArn"]: each["Source"]["SourceUri"]
        for each in listed(clients, "list_artifacts", "ArtifactSummaries")
    }
    return {
        (
            uris.get(each["SourceArn"], each["SourceArn"]),
            uris.get(each["DestinationArn"], each["DestinationArn"]),
            each["AssociationType"],
        )
        for each in listed(clients, "list_associations", "AssociationSummaries")
    }


def listed(clients: AccountClients, operation: str, key: str) -> list[dict[str, Any]]:
    """List all pages."""
    pages = clients.sagemaker.get_paginator(operation).paginate()
    return [each for page in pages for each in page[key]]


def component_arn(clients: AccountClients, name: str, kind: str) -> str:
    """Give the ARN of the component that stands for a job."""
    return clients.arn(f"experiment-trial-component/{name}-aws-{kind}")


def test_the_tuning_job_counts_and_ranks_its_children(clients: AccountClients) -> None:
    """The best training job is the one whose objective is the highest."""
    asked = {"HyperParameterTuningJobName": TUNING_JOB}
    job = clients.sagemaker.describe_hyper_parameter_tuning_job(**asked)
    children = clients.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        **asked, MaxResults=100
    )["TrainingJobSummaries"]
    assert len(children) == len(TUNED) >= 8
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == len(TUNED)
    assert job["ObjectiveStatusCounters"]["Succeeded"] == len(TUNED)
    values = {
        each["TrainingJobName"]: each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        for each in children
    }
    assert job["BestTrainingJob"]["TrainingJobName"] == max(values, key=lambda name: values[name])
    for each in children:
        assert set(each["TunedHyperParameters"]) == {"alpha", "eta0", "penalty"}
        assert job["CreationTime"] < each["CreationTime"]
        assert each["TrainingEndTime"] < job["HyperParameterTuningEndTime"]


def test_the_pipelines_steps_are_recorded_jobs(clients: AccountClients) -> None:
    """Six steps in order; each thing that they name exists."""
    arn = clients.arn(f"pipeline/{PIPELINE_NAME}/execution/{EXECUTION}")
    answer = clients.sagemaker.list_pipeline_execution_steps(
        PipelineExecutionArn=arn, SortOrder="Ascending"
    )
    steps = answer["PipelineExecutionSteps"]
    names = ["Prepare", "Train", "CheckAccuracy", "Register", "Model", "Score"]
    assert [step["StepName"] for step in steps] == names
    for earlier, later in itertools.pairwise(steps):
        assert earlier["EndTime"] <= later["StartTime"] < later["EndTime"]
    metadata = {step["StepName"]: step["Metadata"] for step in steps}
    jobs = [
        metadata["Prepare"]["ProcessingJob"]["Arn"],
        metadata["Train"]["TrainingJob"]["Arn"],
        metadata["Score"]["TransformJob"]["Arn"],
    ]
    assert [each.rpartition("/")[2] for each in jobs] == [each.name for each in PIPELINE_STEPS]
    model = metadata["Model"]["Model"]["Arn"].rpartition("/")[2]
    assert clients.sagemaker.describe_model(ModelName=model)
    package = metadata["Register"]["RegisterModel"]["Arn"]
    assert clients.sagemaker.describe_model_package(ModelPackageName=package)
    execution = clients.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert execution["PipelineExecutionStatus"] == "Succeeded"


def test_the_endpoint_serves_the_pipelines_model(clients: AccountClients) -> None:
    """It is in service, and its model is that of the training step."""
    endpoint = clients.sagemaker.describe_endpoint(EndpointName=registry.ENDPOINT)
    assert endpoint["EndpointStatus"] == "InService"
    config = clients.sagemaker.describe_endpoint_config(
        EndpointConfigName=endpoint["EndpointConfigName"]
    )
    (variant,) = config["ProductionVariants"]
    model = clients.sagemaker.describe_model(ModelName=variant["ModelName"])
    training = PIPELINE_STEPS[1].name
    expected = clients.uri(f"{training}/output/model.tar.gz")
    assert model["PrimaryContainer"]["ModelDataUrl"] == expected


def test_synthetic_figures_say_so(clients: AccountClients) -> None:
    """The Autopilot job ran nowhere: its name and its tags tell."""
    job = clients.sagemaker.describe_auto_ml_job_v2(AutoMLJobName=automl.NAME)
    candidates = clients.sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName=automl.NAME)
    assert len(candidates["Candidates"]) == 3
    best = job["BestCandidate"]["FinalAutoMLJobObjectiveMetric"]["Value"]
    assert best == pytest.approx(max(automl.SCORES))
    tags = clients.sagemaker.list_tags(ResourceArn=job["AutoMLJobArn"])["Tags"]
    assert {"Key": "figures", "Value": "synthetic"} in tags
    assert "synthetic" in automl.NAME


@pytest.mark.parametrize("recording", JOBS, ids=lambda recording: recording.name)
def test_jobs_are_joined_with_what_they_read_and_wrote(
    recording: Any, clients: AccountClients, edges: set[tuple[str, str, str]]
) -> None:
    """Inputs contribute to the job's component, which produced the outputs; one image is each's."""
    kind = recording.workload.kind
    component = component_arn(clients, recording.name, kind)
    reads = {
        source for source, target, type_ in edges if (target, type_) == (component, "ContributedTo")
    }
    made = {target for source, target, type_ in edges if (source, type_) == (component, "Produced")}
    described = clients.sagemaker.describe_trial_component(
        TrialComponentName=component.rpartition("/")[2]
    )
    named = {each["Value"] for each in described["InputArtifacts"].values()}
    expected = named if kind == "transform-job" else named | {clients.image}
    assert reads == expected
    assert made == {each["Value"] for each in described["OutputArtifacts"].values()}
    assert bool(made) == (recording.outcome != "failed")


def test_lineage_leads_from_raw_data_to_the_endpoint(
    clients: AccountClients, edges: set[tuple[str, str, str]]
) -> None:
    """Every step of the way is an association that SageMaker would have recorded."""
    reached = {clients.uri("datasets/wine/raw/")}
    for _ in edges:
        more = {target for source, target, _ in edges if source in reached} - reached
        if not more:
            break
        reached |= more
    for workload in (*CHAIN, *PIPELINE_STEPS):
        assert component_arn(clients, workload.name, workload.kind) in reached
    contexts = listed(clients, "list_contexts", "ContextSummaries")
    found = {each["ContextType"]: each for each in contexts}
    assert set(found) == {"Endpoint", "ModelGroup"}
    assert {each["ContextArn"] for each in contexts} <= reached
    endpoint = clients.arn(f"endpoint/{registry.ENDPOINT}")
    assert found["Endpoint"]["Source"]["SourceUri"] == endpoint
    actions = listed(clients, "list_actions", "ActionSummaries")
    assert {each["ActionType"] for each in actions} == {"Approval", "ModelDeployment"}


def test_the_notebook_instance_has_logs(clients: AccountClients) -> None:
    """Those of its lifecycle configuration and of Jupyter."""
    notebook = clients.sagemaker.describe_notebook_instance(NotebookInstanceName=notebooks.NOTEBOOK)
    assert notebook["NotebookInstanceStatus"] == "InService"
    streams = clients.logs.describe_log_streams(
        logGroupName=notebooks.GROUP, logStreamNamePrefix=f"{notebooks.NOTEBOOK}/"
    )["logStreams"]
    assert [each["logStreamName"].partition("/")[2] for each in streams] == [
        "LifecycleConfigOnStart",
        "jupyter.log",
    ]


def test_everything_that_has_tags_says_that_it_is_emulated(clients: AccountClients) -> None:
    """Nobody takes any of it for a real account's."""
    operations = {
        "list_training_jobs": ("TrainingJobSummaries", "TrainingJobArn"),
        "list_processing_jobs": ("ProcessingJobSummaries", "ProcessingJobArn"),
        "list_transform_jobs": ("TransformJobSummaries", "TransformJobArn"),
        "list_hyper_parameter_tuning_jobs": (
            "HyperParameterTuningJobSummaries",
            "HyperParameterTuningJobArn",
        ),
        "list_auto_ml_jobs": ("AutoMLJobSummaries", "AutoMLJobArn"),
        "list_models": ("Models", "ModelArn"),
        "list_endpoints": ("Endpoints", "EndpointArn"),
        "list_endpoint_configs": ("EndpointConfigs", "EndpointConfigArn"),
        "list_notebook_instances": ("NotebookInstances", "NotebookInstanceArn"),
        "list_pipelines": ("PipelineSummaries", "PipelineArn"),
        "list_experiments": ("ExperimentSummaries", "ExperimentArn"),
        "list_trials": ("TrialSummaries", "TrialArn"),
    }
    arns = [
        each[arn]
        for operation, (key, arn) in operations.items()
        for each in listed(clients, operation, key)
    ]
    assert len(arns) > 30
    for arn in arns:
        tags = clients.sagemaker.list_tags(ResourceArn=arn)["Tags"]
        assert {"Key": "emulated", "Value": "true"} in tags, arn


def test_the_endpoint_is_monitored(clients: AccountClients) -> None:
    """Two executions of its schedule, of which the second names what it found in S3."""
    schedule = clients.sagemaker.describe_monitoring_schedule(
        MonitoringScheduleName=reports.SCHEDULE
    )
    assert schedule["EndpointName"] == registry.ENDPOINT
    said = {}
    for name in reports.EXECUTIONS:
        job = clients.sagemaker.describe_processing_job(ProcessingJobName=name)
        assert job["MonitoringScheduleArn"] == schedule["MonitoringScheduleArn"]
        said[name] = job["ExitMessage"].partition(":")[0]
    assert list(said.values()) == ["Completed", "CompletedWithViolations"]
    key = f"{reports.SCHEDULE}/{reports.EXECUTIONS[1]}/constraint_violations.json"
    found = clients.s3.get_object(Bucket=clients.bucket, Key=key)["Body"].read()
    assert len(json.loads(found)["violations"]) == len(reports.VIOLATIONS)


def test_rules_left_a_report(clients: AccountClients) -> None:
    """Below the folder of the job's output, as the rule is called; Search tells no such rule."""
    job = clients.sagemaker.describe_training_job(TrainingJobName=reports.PROFILED)
    (rule,) = job["ProfilerRuleEvaluationStatuses"]
    assert rule["RuleConfigurationName"] == reports.RULE
    bucket, _, base = job["OutputDataConfig"]["S3OutputPath"].removeprefix("s3://").partition("/")
    folder = "/".join(filter(None, (base.strip("/"), reports.PROFILED, "rule-output")))
    listed_objects = clients.s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/")["Contents"]
    assert [each["Key"].rpartition("/")[2] for each in listed_objects] == [
        "profiler-report.html",
        "LowGPUUtilization.json",
    ]
