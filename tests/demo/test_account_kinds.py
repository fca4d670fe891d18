"""Every kind of resource: described, listed, tagged, searched for, created and deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.errors import AwsError
from tests import kinds
from tests.demo.conftest import NOW, Clients
from tests.jobs import HOUR_MS, MINUTE_MS, final_metrics, job_answer, moment

START_MS = int(NOW.timestamp() * 1000) - 24 * HOUR_MS
INVALID = "ValidationException"
NOT_FOUND = "ResourceNotFound"
Make = Callable[..., dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is to be seen of one kind.

    ``summary`` is the fields of the summary of a resource that has ended; ``default_order`` how
    five of them, created in the order of their names, are listed when nothing is asked for.
    """

    word: str
    noun: str
    make: Make
    resource_type: str
    missing: str
    summary: set[str]
    default_order: str
    status: str | None = "Failed"
    is_dated: bool = True
    described: str = ""
    ended: dict[str, Any] = field(default_factory=lambda: {"ended_ms": START_MS + HOUR_MS})

    @property
    def describe(self) -> str:
        return self.described or f"Describe{self.noun}"


def names(noun: str, *more: str) -> set[str]:
    return {f"{noun}Name", f"{noun}Arn", "CreationTime", *more}


ROWS = [
    Row(
        word="processing-job",
        noun="ProcessingJob",
        make=kinds.processing_job,
        resource_type="processing-job",
        missing=INVALID,
        summary=names(
            "ProcessingJob", "ProcessingEndTime", "LastModifiedTime", "ProcessingJobStatus"
        ),
        default_order="abcde",
    ),
    Row(
        word="transform-job",
        noun="TransformJob",
        make=kinds.transform_job,
        resource_type="transform-job",
        missing=INVALID,
        summary=names("TransformJob", "TransformEndTime", "LastModifiedTime", "TransformJobStatus"),
        default_order="edcba",
    ),
    Row(
        word="tuning-job",
        noun="HyperParameterTuningJob",
        make=kinds.tuning_job,
        resource_type="hyper-parameter-tuning-job",
        missing=NOT_FOUND,
        summary=names(
            "HyperParameterTuningJob",
            "HyperParameterTuningEndTime",
            "LastModifiedTime",
            "HyperParameterTuningJobStatus",
            "Strategy",
            "ResourceLimits",
            "TrainingJobStatusCounters",
            "ObjectiveStatusCounters",
        ),
        default_order="abcde",
    ),
    Row(
        word="automl-job",
        noun="AutoMLJob",
        make=kinds.automl_job,
        resource_type="automl-job",
        missing=NOT_FOUND,
        summary=names(
            "AutoMLJob",
            "EndTime",
            "LastModifiedTime",
            "AutoMLJobStatus",
            "AutoMLJobSecondaryStatus",
        ),
        default_order="edcba",
        described="DescribeAutoMLJobV2",
    ),
    Row(
        word="model",
        noun="Model",
        make=kinds.model,
        resource_type="model",
        missing=INVALID,
        summary=names("Model"),
        default_order="edcba",
        status=None,
        is_dated=False,
        ended={},
    ),
    Row(
        word="endpoint-config",
        noun="EndpointConfig",
        make=kinds.endpoint_config,
        resource_type="endpoint-config",
        missing=INVALID,
        summary=names("EndpointConfig"),
        default_order="edcba",
        status=None,
        is_dated=False,
        ended={},
    ),
    Row(
        word="endpoint",
        noun="Endpoint",
        make=kinds.endpoint,
        resource_type="endpoint",
        missing=INVALID,
        summary=names("Endpoint", "LastModifiedTime", "EndpointStatus"),
        default_order="edcba",
        ended={"modified_ms": START_MS + HOUR_MS},
    ),
    Row(
        word="pipeline",
        noun="Pipeline",
        make=kinds.pipeline,
        resource_type="pipeline",
        missing=NOT_FOUND,
        summary=names("Pipeline", "PipelineDisplayName", "RoleArn", "LastModifiedTime"),
        default_order="edcba",
        status=None,
        ended={},
    ),
]
each_kind = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.word)


def call(clients: Clients, operation: str, **parameters: Any) -> dict[str, Any]:
    """Carry an operation out; what it answers must be as botocore's model says."""
    client = clients.sagemaker
    answer: dict[str, Any] = getattr(client, xform_name(operation))(**parameters)
    answer.pop("ResponseMetadata")
    shape = client.meta.service_model.operation_model(operation).output_shape
    report = ParamValidator().validate(answer, shape) if shape else None
    assert not report or not report.has_errors(), report.generate_report()
    return answer


def code_of(clients: Clients, operation: str, **parameters: Any) -> str:
    """Give the code of the error that an operation must end in."""
    with pytest.raises(ClientError) as caught:
        call(clients, operation, **parameters)
    code: str = caught.value.response["Error"]["Code"]
    return code


def put_five(account: EmulatedAccount, row: Row) -> None:
    """Store a to e, an hour apart; c has another status."""
    for number, name in enumerate("abcde"):
        changes = {"status": row.status} if row.status and name == "c" else {}
        answer = row.make(f"job-{name}", created_ms=START_MS + number * HOUR_MS, **changes)
        account.put_job(row.word, answer, {"only": name})


def listed(clients: Clients, row: Row, **parameters: Any) -> str:
    """Tell which of the five are listed on one page."""
    answer = call(clients, f"List{row.noun}s", **parameters)
    (key,) = answer.keys() - {"NextToken"}
    return "".join(one[f"{row.noun}Name"].removeprefix("job-") for one in answer[key])


@each_kind
def test_described_as_it_was_put(row: Row, account: EmulatedAccount, clients: Clients) -> None:
    """Describe gives what was put and the ARN; what only the summary has is not in it."""
    put = row.make("job-a", created_ms=START_MS)
    account.put_job(row.word, put)
    answer = call(clients, row.describe, **{f"{row.noun}Name": "job-a"})
    assert answer.pop(f"{row.noun}Arn") == kinds.kind_arn(f"{row.resource_type}/job-a")
    if row.word == "transform-job":
        del put["LastModifiedTime"]
    assert answer == put


@each_kind
def test_a_summary_has_the_fields_that_the_resource_has(
    row: Row, account: EmulatedAccount, clients: Clients
) -> None:
    """Summaries carry values of Describe, and of ended jobs the end."""
    put = row.make("job-a", created_ms=START_MS, **row.ended)
    account.put_job(row.word, put)
    answer = call(clients, f"List{row.noun}s")
    (summary,) = answer[next(iter(answer))]
    assert set(summary) == row.summary
    assert all(value == put[key] for key, value in summary.items() if key in put)


@each_kind
def test_the_default_order_and_others(row: Row, account: EmulatedAccount, clients: Clients) -> None:
    """Each operation has its own default order; SortBy and SortOrder replace it."""
    put_five(account, row)
    assert listed(clients, row) == row.default_order
    assert listed(clients, row, SortBy="CreationTime", SortOrder="Ascending") == "abcde"
    assert listed(clients, row, SortBy="Name", SortOrder="Descending") == "edcba"


@each_kind
def test_pages(row: Row, account: EmulatedAccount, clients: Clients) -> None:
    """Ten on a page unless asked otherwise, at most 100; a token belongs to its query."""
    operation = f"List{row.noun}s"
    for number in range(12):
        account.put_job(row.word, row.make(f"j-{number:02}", created_ms=START_MS + number))
    first = call(clients, operation)
    key = next(key for key in first if key != "NextToken")
    rest = call(clients, operation, NextToken=first["NextToken"])
    assert [len(page[key]) for page in (first, rest)] == [10, 2]
    assert "NextToken" not in rest
    arns = {one[f"{row.noun}Arn"] for page in (first, rest) for one in page[key]}
    assert len(arns) == 12
    assert len(call(clients, operation, MaxResults=100)[key]) == 12
    assert code_of(clients, operation, MaxResults=101) == INVALID
    order = {"SortOrder": "Ascending", "SortBy": "Name"}
    assert code_of(clients, operation, NextToken=first["NextToken"], **order) == INVALID


@each_kind
def test_filters(row: Row, account: EmulatedAccount, clients: Clients) -> None:
    """Names, statuses and times; both ends of a time window are open."""
    put_five(account, row)
    ascending = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    is_pipeline = row.word == "pipeline"
    created = "Created" if is_pipeline else "CreationTime"
    name = {"PipelineNamePrefix": "job-d"} if is_pipeline else {"NameContains": "b-d"}
    assert listed(clients, row, **name) == "d"
    window = {
        f"{created}After": moment(START_MS + HOUR_MS),
        f"{created}Before": moment(START_MS + 4 * HOUR_MS),
    }
    assert listed(clients, row, **ascending, **window) == "cd"
    if row.status:
        assert listed(clients, row, StatusEquals=row.status) == "c"


@pytest.mark.parametrize("row", [row for row in ROWS if row.is_dated], ids=lambda row: row.word)
def test_an_update_changes_the_time_of_modification(
    row: Row, account: EmulatedAccount, clients: Clients
) -> None:
    """LastModifiedTime is the account's time unless it is given; lists filter by it."""
    put_five(account, row)
    field_name, value = ("FailureReason", "gone") if row.status else ("PipelineDescription", "x")
    account.update_job(row.word, "job-b", **{field_name: value})
    earlier = NOW - timedelta(minutes=1)
    account.update_job(row.word, "job-a", LastModifiedTime=earlier)
    described = call(clients, row.describe, **{f"{row.noun}Name": "job-b"})
    assert described[field_name] == value
    summaries = call(clients, f"List{row.noun}s", SortBy="Name", SortOrder="Ascending")
    modified = [one["LastModifiedTime"] for one in next(iter(summaries.values()))]
    assert modified[:2] == [earlier.replace(microsecond=0), NOW]
    if row.word != "pipeline":
        after = moment(START_MS + 5 * HOUR_MS)
        assert sorted(listed(clients, row, LastModifiedTimeAfter=after)) == ["a", "b"]
        assert listed(clients, row, LastModifiedTimeAfter=after, LastModifiedTimeBefore=NOW) == "a"


@each_kind
def test_what_is_missing(row: Row, account: EmulatedAccount, clients: Clients) -> None:
    """Each kind has its own error code; what was removed is missing."""
    name = {f"{row.noun}Name": "job-a"}
    arn = kinds.kind_arn(f"{row.resource_type}/job-a")
    assert code_of(clients, row.describe, **name) == row.missing
    assert code_of(clients, "ListTags", ResourceArn=arn) == row.missing
    account.put_job(row.word, row.make("job-a", created_ms=START_MS))
    assert call(clients, row.describe, **name)
    account.remove_job(row.word, "job-a")
    assert code_of(clients, row.describe, **name) == row.missing
    with pytest.raises(AwsError, match=row.missing):
        account.update_job(row.word, "job-a")


@each_kind
def test_tags(row: Row, account: EmulatedAccount, clients: Clients) -> None:
    """Tags are put, added, replaced and deleted."""
    account.put_job(row.word, row.make("job-a", created_ms=START_MS), {"team": "x", "old": "1"})
    arn = kinds.kind_arn(f"{row.resource_type}/job-a")
    call(clients, "AddTags", ResourceArn=arn, Tags=[{"Key": "team", "Value": "y"}])
    call(clients, "DeleteTags", ResourceArn=arn, TagKeys=["old"])
    tags = call(clients, "ListTags", ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "y"}]


@each_kind
def test_an_impossible_answer_is_refused(row: Row, account: EmulatedAccount) -> None:
    """Unknown fields, missing ones and wrong types are mistakes of the one who puts them."""
    whole = row.make("job-a", created_ms=START_MS)
    nameless = {key: value for key, value in whole.items() if key != f"{row.noun}Name"}
    for answer in ({**whole, "Colour": "red"}, {**whole, "CreationTime": []}, nameless):
        with pytest.raises(ValueError, match=f"Describe{row.noun}"):
            account.put_job(row.word, answer)
    account.put_job(row.word, whole)
    with pytest.raises(ValueError, match="Colour"):
        account.update_job(row.word, "job-a", Colour="red")


def test_unknown_kinds_and_parts_are_refused(account: EmulatedAccount) -> None:
    """Only kinds of the table can be put, and only AutoML jobs and executions have parts."""
    with pytest.raises(ValueError, match="no 'trial'"):
        account.put_job("trial", {})
    job = kinds.processing_job("job", created_ms=START_MS)
    with pytest.raises(ValueError, match="has no parts"):
        account.put_job("processing-job", job, steps=[{"StepName": "s"}])
    automl = kinds.automl_job("job", created_ms=START_MS)
    with pytest.raises(ValueError, match="CandidateStatus"):
        account.put_job("automl-job", automl, candidates=[{"CandidateName": "c"}])


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


def test_both_versions_of_automl_jobs(account: EmulatedAccount, clients: Clients) -> None:
    """Lists and DescribeAutoMLJobV2 know both; DescribeAutoMLJob refuses what is not its own."""
    account.put_job("automl-job", kinds.automl_job("new", created_ms=START_MS))
    v1 = kinds.automl_job_v1("old", created_ms=START_MS)
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
    account.put_job("pipeline-execution", other)
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


@pytest.mark.parametrize(
    ("resource", "word", "answer"),
    [
        ("HyperParameterTuningJob", "tuning-job", kinds.tuning_job("job", created_ms=START_MS)),
        ("Endpoint", "endpoint", kinds.endpoint("job", created_ms=START_MS)),
        ("Pipeline", "pipeline", kinds.pipeline("job", created_ms=START_MS)),
        (
            "PipelineExecution",
            "pipeline-execution",
            kinds.pipeline_execution(
                "job", created_ms=START_MS, PipelineParameters=[{"Name": "p", "Value": "1"}]
            ),
        ),
    ],
)
def test_search(
    resource: str,
    word: str,
    answer: dict[str, Any],
    account: EmulatedAccount,
    clients: Clients,
) -> None:
    """Search finds by fields and tags; its record has fields that Describe lacks."""
    account.put_job(word, answer, {"team": "x"})
    is_execution = word == "pipeline-execution"
    condition = {"Name": "CreationTime", "Operator": "LessThan", "Value": "2026-03-02T12:00:00"}
    tagged = {"Name": "Tags.team", "Value": "x"}
    found = call(
        clients,
        "Search",
        Resource=resource,
        SearchExpression={"Filters": [condition] if is_execution else [condition, tagged]},
    )
    (result,) = found["Results"]
    record = result[resource]
    extra = "PipelineParameters" if is_execution else "Tags"
    assert record[extra] == (answer[extra] if is_execution else [{"Key": "team", "Value": "x"}])
    assert all(value == answer[key] for key, value in record.items() if key in answer)
    assert record[f"{resource}Arn"]
    described = call(
        clients,
        f"Describe{resource}",
        **(
            {"PipelineExecutionArn": answer["PipelineExecutionArn"]}
            if is_execution
            else {f"{resource}Name": "job"}
        ),
    )
    assert extra not in described


CREATED = [
    (
        row,
        {
            "ProcessingJob": ("ProcessingResources", "AppSpecification", "RoleArn"),
            "TransformJob": (
                "ModelName",
                "TransformInput",
                "TransformOutput",
                "TransformResources",
            ),
            "HyperParameterTuningJob": ("HyperParameterTuningJobConfig", "TrainingJobDefinition"),
            "AutoMLJob": (
                "AutoMLJobInputDataConfig",
                "OutputDataConfig",
                "AutoMLProblemTypeConfig",
                "RoleArn",
            ),
            "Model": ("PrimaryContainer", "ExecutionRoleArn"),
            "EndpointConfig": ("ProductionVariants",),
            "Pipeline": ("PipelineDefinition", "RoleArn"),
        }[row.noun],
    )
    for row in ROWS
    if row.word != "endpoint"
]


@pytest.mark.parametrize(("row", "fields"), CREATED, ids=[row.word for row, _ in CREATED])
def test_create(row: Row, fields: tuple[str, ...], clients: Clients) -> None:
    """What is created is kept, tagged, in progress until it is moved, and unique."""
    whole = row.make("job-a", created_ms=START_MS)
    request = {
        f"{row.noun}Name": "job-a",
        "Tags": [{"Key": "team", "Value": "x"}],
        **{name: whole[name] for name in fields},
    }
    if row.word == "pipeline":
        request["ClientRequestToken"] = "t" * 32
    create = f"Create{row.noun}{'V2' if row.word == 'automl-job' else ''}"
    arn = call(clients, create, **request)[f"{row.noun}Arn"]
    answer = call(clients, row.describe, **{f"{row.noun}Name": "job-a"})
    assert answer.items() >= {name: whole[name] for name in fields}.items()
    assert answer["CreationTime"] == NOW
    first = {"pipeline": "Active"}.get(row.word, "InProgress" if row.status else None)
    assert answer.get(f"{row.noun}Status") == first
    assert call(clients, "ListTags", ResourceArn=arn)["Tags"] == request["Tags"]
    in_use = row.status is not None
    assert code_of(clients, create, **request) == ("ResourceInUse" if in_use else INVALID)


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


def test_an_unknown_filter_is_refused(clients: Clients) -> None:
    """The account does not overlook what it cannot filter by."""
    assert code_of(clients, "ListPipelines", ManagedBy="AWS") == INVALID
