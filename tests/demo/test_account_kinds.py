"""Every kind of resource: described, listed, tagged, searched for, created and deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.errors import AwsError
from tests import kinds
from tests.demo.calls import call, code_of
from tests.demo.conftest import NOW, Clients
from tests.jobs import HOUR_MS, moment

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
    field_name = "FailureReason" if row.status else "PipelineDescription"
    changes: dict[str, Any] = {field_name: "gone"}
    account.update_job(row.word, "job-b", **changes)
    earlier = NOW - timedelta(minutes=1)
    account.update_job(row.word, "job-a", LastModifiedTime=earlier)
    described = call(clients, row.describe, **{f"{row.noun}Name": "job-b"})
    assert described[field_name] == "gone"
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


def test_an_unknown_filter_is_refused(clients: Clients) -> None:
    """The account does not overlook what it cannot filter by."""
    assert code_of(clients, "ListPipelines", ManagedBy="AWS") == INVALID
