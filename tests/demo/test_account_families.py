"""What belongs to a job: children, candidates, executions, steps, variants."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.demo.calls import call, code_of
from tests.demo.conftest import NOW, Clients
from tests.jobs import HOUR_MS, MINUTE_MS, final_metrics, job_answer, moment

START_MS = int(NOW.timestamp() * 1000) - 24 * HOUR_MS
INVALID = "ValidationException"
NOT_FOUND = "ResourceNotFound"


def put_children(account: EmulatedAccount) -> None:
    """Store a tuning job with children a (0.5), b (none yet), c (0.25), and another's child."""
    for name in ("tune", "other"):
        account.put_job("tuning-job", kinds.tuning_job(name, created_ms=START_MS))
    for name, value, parent in (
        ("a", 0.5, "tune"),
        ("b", None, "tune"),
        ("c", 0.25, "tune"),
        ("d", 1.0, "other"),
    ):
        ended_ms = None if value is None else START_MS + HOUR_MS
        job = job_answer(
            name,
            created_ms=START_MS,
            ended_ms=ended_ms,
            HyperParameters={"lr": "0.1", "epochs": "10"},
            TuningJobArn=kinds.kind_arn(f"hyper-parameter-tuning-job/{parent}"),
        )
        if value is not None:
            job["FinalMetricDataList"] = final_metrics({"loss": value, "auc": 1.0}, START_MS)
        account.put_training_job(job)


def test_children_of_a_tuning_job(account: EmulatedAccount, clients: Clients) -> None:
    """Children carry what was tuned and the objective; sorted by it, those without are left out."""
    put_children(account)
    operation = "ListTrainingJobsForHyperParameterTuningJob"
    asked = {"HyperParameterTuningJobName": "tune"}

    def found(**parameters: Any) -> str:
        answer = call(clients, operation, **asked, **parameters)
        return "".join(one["TrainingJobName"] for one in answer["TrainingJobSummaries"])

    children = call(clients, operation, **asked)["TrainingJobSummaries"]
    assert [child["TunedHyperParameters"] for child in children] == [{"lr": "0.1"}] * 3
    assert [child["ObjectiveStatus"] for child in children] == ["Succeeded", "Pending", "Succeeded"]
    metric = {"Type": "Minimize", "MetricName": "loss", "Value": 0.5}
    assert children[0]["FinalHyperParameterTuningJobObjectiveMetric"] == metric
    assert {child["TuningJobName"] for child in children} == {"tune"}
    assert found() == "abc"
    assert found(StatusEquals="InProgress") == "b"
    assert found(SortBy="FinalObjectiveMetricValue") == "ca"
    assert found(SortBy="Name", SortOrder="Descending", MaxResults=2) == "cb"
    missing = code_of(clients, operation, HyperParameterTuningJobName="none")
    assert missing == NOT_FOUND


def test_children_of_one_of_several_definitions(account: EmulatedAccount, clients: Clients) -> None:
    """Objective and ranges may stand in the definitions, which have names then."""
    whole = kinds.tuning_job("tune", created_ms=START_MS)
    definition = {
        **whole.pop("TrainingJobDefinition"),
        "DefinitionName": "small",
        "TuningObjective": {"Type": "Maximize", "MetricName": "auc"},
        "HyperParameterRanges": {
            "CategoricalParameterRanges": [{"Name": "epochs", "Values": ["1"]}]
        },
    }
    limits = {"MaxParallelTrainingJobs": 1}
    config = {"Strategy": "Random", "ResourceLimits": limits}
    changes = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinitions": [definition]}
    put_children(account)
    account.put_job("tuning-job", {**whole, **changes})
    asked = {"HyperParameterTuningJobName": "tune", "MaxResults": 1}
    answer = call(clients, "ListTrainingJobsForHyperParameterTuningJob", **asked)
    (child,) = answer["TrainingJobSummaries"]
    metric = {"Type": "Maximize", "MetricName": "auc", "Value": 1.0}
    assert child["TrainingJobDefinitionName"] == "small"
    assert child["FinalHyperParameterTuningJobObjectiveMetric"] == metric
    assert child["TunedHyperParameters"] == {"epochs": "10"}


def test_both_versions_of_automl_jobs(account: EmulatedAccount, clients: Clients) -> None:
    """Lists and DescribeAutoMLJobV2 know both; DescribeAutoMLJob refuses what is not its own."""
    account.put_job("automl-job", kinds.automl_job("new", created_ms=START_MS))
    v1 = kinds.automl_job_v1(
        "old",
        created_ms=START_MS,
        AutoMLJobConfig={
            "Mode": "ENSEMBLING",
            "DataSplitConfig": {"ValidationFraction": 0.25},
            "CandidateGenerationConfig": {
                "FeatureSpecificationS3Uri": "s3://data/features.json",
                "AlgorithmsConfig": [{"AutoMLAlgorithms": ["xgboost"]}],
            },
        },
        ResolvedAttributes={"ProblemType": "Regression"},
    )
    account.put_job("automl-job", v1)
    jobs = call(clients, "ListAutoMLJobs")["AutoMLJobSummaries"]
    assert [job["AutoMLJobName"] for job in jobs] == ["old", "new"]
    assert call(clients, "DescribeAutoMLJob", AutoMLJobName="old").items() >= v1.items()
    assert code_of(clients, "DescribeAutoMLJob", AutoMLJobName="new") == INVALID
    answer = call(clients, "DescribeAutoMLJobV2", AutoMLJobName="old")
    (channel,) = answer["AutoMLJobInputDataConfig"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == "s3://data/v1/"
    assert answer["AutoMLProblemTypeConfig"]["TabularJobConfig"] == {
        "TargetAttributeName": "label",
        "ProblemType": "Regression",
        "Mode": "ENSEMBLING",
        "FeatureSpecificationS3Uri": "s3://data/features.json",
        "CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": ["xgboost"]}]},
    }
    assert answer["DataSplitConfig"] == {"ValidationFraction": 0.25}
    assert answer["ResolvedAttributes"] == {
        "AutoMLProblemTypeResolvedAttributes": {
            "TabularResolvedAttributes": {"ProblemType": "Regression"}
        }
    }


def test_candidates(account: EmulatedAccount, clients: Clients) -> None:
    """Candidates come in their own order, up to 300 on a page."""
    candidates = [
        kinds.candidate(f"c-{name}", created_ms=START_MS + number, value=value, status=status)
        for number, (name, value, status) in enumerate(
            (("a", 0.5, "Completed"), ("b", None, "InProgress"), ("c", 0.25, "Completed"))
        )
    ]
    job = kinds.automl_job("job", created_ms=START_MS)
    account.put_job("automl-job", job, candidates=candidates)

    def found(**parameters: Any) -> str:
        answer = call(clients, "ListCandidatesForAutoMLJob", AutoMLJobName="job", **parameters)
        return "".join(one["CandidateName"].removeprefix("c-") for one in answer["Candidates"])

    assert found() == "abc"
    assert found(SortBy="FinalObjectiveMetricValue", SortOrder="Descending")[:2] == "ac"
    assert found(StatusEquals="InProgress") == "b"
    assert found(CandidateNameEquals="c-c") == "c"
    account.update_job("automl-job", "job", candidates=candidates[:1])
    assert found(MaxResults=300) == "a"
    too_many = code_of(clients, "ListCandidatesForAutoMLJob", AutoMLJobName="job", MaxResults=301)
    assert too_many == INVALID
    missing = code_of(clients, "ListCandidatesForAutoMLJob", AutoMLJobName="none")
    assert missing == NOT_FOUND


def test_pipeline_executions_and_their_steps(account: EmulatedAccount, clients: Clients) -> None:
    """An execution brings its pipeline; executions and steps are listed newest first."""
    steps = [
        kinds.pipeline_step(
            f"step-{number}",
            started_ms=START_MS + number * MINUTE_MS,
            metadata={"TrainingJob": {"Arn": kinds.kind_arn(f"training-job/t-{number}")}},
        )
        for number in range(3)
    ]
    for number, name in enumerate(("one", "two")):
        answer = kinds.pipeline_execution(name, created_ms=START_MS + number * HOUR_MS)
        account.put_job("pipeline-execution", answer, steps=steps if name == "two" else ())
    other = kinds.pipeline_execution("three", created_ms=START_MS, pipeline_name="else")
    account.put_job("pipeline-execution", other, {"team": "x"})
    for resource, tags in (("else/execution/three", [{"Key": "team", "Value": "x"}]), ("else", [])):
        arn = kinds.kind_arn(f"pipeline/{resource}")
        assert call(clients, "ListTags", ResourceArn=arn)["Tags"] == tags
    (pipe,) = call(clients, "ListPipelines", PipelineNamePrefix="pip")["PipelineSummaries"]
    assert pipe["LastExecutionTime"] == moment(START_MS + HOUR_MS)

    def found(operation: str, key: str, item: str, **parameters: Any) -> list[str]:
        return [one[item] for one in call(clients, operation, **parameters)[key]]

    executions = ("ListPipelineExecutions", "PipelineExecutionSummaries", "PipelineExecutionArn")
    arns = [kinds.execution_arn(name) for name in ("two", "one")]
    assert found(*executions, PipelineName="pipe") == arns
    assert found(*executions, PipelineName=kinds.kind_arn("pipeline/pipe")) == arns
    assert found(*executions, PipelineName="pipe", CreatedAfter=moment(START_MS)) == arns[:1]
    assert found(*executions, PipelineName="pipe", SortBy="PipelineExecutionArn") == arns
    listed_steps = ("ListPipelineExecutionSteps", "PipelineExecutionSteps", "StepName")
    asked = {"PipelineExecutionArn": arns[0]}
    assert found(*listed_steps, **asked) == ["step-2", "step-1", "step-0"]
    assert found(*listed_steps, **asked, SortOrder="Ascending", MaxResults=1) == ["step-0"]
    account.update_job("pipeline-execution", "two", PipelineExecutionStatus="Succeeded", steps=[])
    assert found(*listed_steps, **asked) == []
    described = call(clients, "DescribePipelineExecution", **asked)
    assert described["PipelineExecutionStatus"] == "Succeeded"
    assert described["LastModifiedTime"] == NOW
    none = {"PipelineExecutionArn": kinds.execution_arn("none0")}
    assert code_of(clients, "DescribePipelineExecution", **none) == NOT_FOUND
    assert code_of(clients, "ListPipelineExecutions", PipelineName="none") == NOT_FOUND


def test_the_life_of_an_endpoint(account: EmulatedAccount, clients: Clients) -> None:
    """An endpoint shows its variants and their images, changes its configuration, and goes."""
    name = {"EndpointName": "end"}
    config = {"EndpointConfigName": "config"}
    assert code_of(clients, "CreateEndpoint", **name, **config) == INVALID
    account.put_model(kinds.model("model", created_ms=START_MS))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=START_MS))
    variants = {"blue": "model", "green": "unknown"}
    second = kinds.endpoint_config("second", created_ms=START_MS, variants=variants)
    account.put_endpoint_config(second)
    call(clients, "CreateEndpoint", **name, **config)
    created = call(clients, "DescribeEndpoint", **name)
    assert created["EndpointStatus"] == "Creating"
    (variant,) = created["ProductionVariants"]
    assert variant["DeployedImages"][0]["ResolvedImage"] == kinds.IMAGE
    account.update_job("endpoint", "end", EndpointStatus="InService")
    account.clock.set(NOW + timedelta(minutes=1))
    call(clients, "UpdateEndpoint", **name, EndpointConfigName="second")
    updated = call(clients, "DescribeEndpoint", **name)
    assert updated["EndpointStatus"] == "Updating"
    assert updated["EndpointConfigName"] == "second"
    assert [one["VariantName"] for one in updated["ProductionVariants"]] == ["blue", "green"]
    assert updated["LastModifiedTime"] == NOW + timedelta(minutes=1)
    for operation, asked in (
        ("DeleteEndpoint", name),
        ("DeleteEndpointConfig", config),
        ("DeleteModel", {"ModelName": "model"}),
    ):
        call(clients, operation, **asked)
        assert code_of(clients, operation, **asked) == INVALID
    assert code_of(clients, "DescribeEndpoint", **name) == INVALID


def test_a_running_tuning_job_is_not_deleted(account: EmulatedAccount, clients: Clients) -> None:
    """Jobs are deleted when they have ended."""
    account.put_job("tuning-job", kinds.tuning_job("job", created_ms=START_MS))
    asked = {"HyperParameterTuningJobName": "job"}
    assert code_of(clients, "DeleteHyperParameterTuningJob", **asked) == "ResourceInUse"
    account.update_job("tuning-job", "job", HyperParameterTuningJobStatus="Completed")
    call(clients, "DeleteHyperParameterTuningJob", **asked)
    assert call(clients, "ListHyperParameterTuningJobs") == {"HyperParameterTuningJobSummaries": []}
