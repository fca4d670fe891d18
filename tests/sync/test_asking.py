"""What AWS is asked, and what becomes of answers and requests that one side does not take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlflow_smwatch import RetriableError
from mlflow_smwatch.aws.cloudwatch import read_metrics
from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import JobFilter, NotFound
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.packing import MetricRequest, Query
from mlflow_smwatch.aws.session import aws_errors, connect
from mlflow_smwatch.core.errors import InvalidRequestError, JobError
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.windows import TimeWindow
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import DAY_MS, HOUR_MS, NAMESPACE, arn, job_answer, moment, now_ms, whole
from tests.sync.conftest import (
    DESCRIBE,
    DISCOVERY_OF_NOTHING,
    LIST,
    LIST_TAGS,
    METRICS,
    SEARCH,
    Mirror,
)

TRAINING_JOBS = frozenset({"training-job"})
OPEN_DEFINITION = {"TrainingImage": "image", "MetricDefinitions": [{"Name": "without a regex"}]}


def put(account: EmulatedAccount, name: str, tags: Any = None, **changes: Any) -> None:
    """Put a job without metrics that ended an hour ago."""
    created_ms = now_ms() - 2 * HOUR_MS
    answer = job_answer(name, created_ms=created_ms, ended_ms=created_ms + HOUR_MS, metrics=())
    account.put_training_job({**answer, **changes}, tags=tags or {})


def names(report: Any) -> set[str]:
    return {line.name for line in report.runs}


WAYS = [
    pytest.param((), {}, id="search"),
    pytest.param((SEARCH,), {}, id="list"),
    pytest.param((SEARCH,), {"tags": (("all", "yes"),)}, id="list-by-tag"),
    pytest.param((), {"names": ("good", "odd")}, id="named"),
    pytest.param((), {"names": (arn("good"), arn("odd"))}, id="named-by-arn"),
    pytest.param((SEARCH,), {"names": ("good", "odd")}, id="described"),
]


@pytest.mark.parametrize(("denied", "options"), WAYS)
def test_a_job_that_is_not_understood_is_one_failure(
    mirror: Mirror, denied: tuple[str, ...], options: dict[str, Any]
) -> None:
    """However the jobs are found, the others are mirrored; only a status is indispensable here."""
    put(mirror.account, "odd", {"all": "yes"}, TrainingJobStatus="")
    put(mirror.account, "good", {"all": "yes"}, AlgorithmSpecification=OPEN_DEFINITION)
    for operation in denied:
        mirror.account.faults.deny(operation)
    given = dict(options)
    asked = given.pop("names", ())
    report = mirror.sync(*asked, **given)
    assert names(report) == {"good"}
    (failure,) = report.failed
    assert failure.arn == (asked[1] if asked else arn("odd"))
    assert "TrainingJobStatus" in failure.error
    if asked and not denied:
        assert mirror.account.calls[DESCRIBE] == 0


def test_a_listed_job_that_is_not_understood_is_one_failure(account: EmulatedAccount) -> None:
    """An ARN of a form that nobody knows yet does not end the listing."""
    put(account, "odd", TrainingJobArn="arn:new-form")
    put(account, "good")
    account.faults.deny(SEARCH)
    aws = connect(None, None, 1)
    finder = JobFinder(aws, TRAINING_JOBS)
    page = [each for part in finder.modified(JobFilter()) for each in part]
    (odd,) = [each for each in page if isinstance(each, NotFound)]
    assert odd.asked == "arn:new-form"
    assert "not an ARN" in str(odd.error)
    assert len(page) == 2
    with pytest.raises(JobError, match="not understood"):
        JobDescriber(aws).describe("training-job", "odd")


@pytest.mark.parametrize("since", [moment(0), moment(0).replace(year=1)])
def test_listing_from_the_beginning_of_time(account: EmulatedAccount, since: datetime) -> None:
    """The longest job before the first moment would have begun before time does."""
    put(account, "job")
    account.faults.deny(SEARCH)
    finder = JobFinder(connect(None, None, 1), TRAINING_JOBS)
    (page,) = [each for each in finder.modified(JobFilter(since=since)) if each]
    assert len(page) == 1
    (asked,) = [each for each in account.requests if each.operation == LIST]
    assert asked.parameters["CreationTimeAfter"] == 0
    assert asked.parameters["LastModifiedTimeAfter"] == 0


@pytest.mark.parametrize("denied", [(), (SEARCH,)], ids=["search", "describe"])
def test_each_asked_text_has_its_own_answer(mirror: Mirror, denied: tuple[str, ...]) -> None:
    """A name and the ARN of another account's job of that name are two questions."""
    put(mirror.account, "job")
    for operation in denied:
        mirror.account.faults.deny(operation)
    foreign = [arn("job", account=number * 12) for number in "89"]
    unknown = ["gone", arn("gone")]
    report = mirror.sync("job", *foreign, *unknown)
    assert names(report) == {"job"}
    errors = {failure.arn: failure.error for failure in report.failed}
    assert set(errors) == {*foreign, *unknown}
    assert all("another account" in errors[each] for each in foreign)
    assert all("no training job 'gone'" in errors[each] for each in unknown)
    assert mirror.account.calls[DESCRIBE] == (2 if denied else 1)


@pytest.mark.parametrize("name", ["", "a b!", "x" * 64, "a/b"])
def test_an_arn_without_a_job_name_is_refused_alone(mirror: Mirror, name: str) -> None:
    """It reaches no request, so that Search goes on for the others."""
    put(mirror.account, "job")
    report = mirror.sync("job", arn(name))
    assert names(report) == {"job"}
    (failure,) = report.failed
    assert failure.arn == arn(name)
    assert "no job name" in failure.error
    assert report.warnings == []
    assert set(mirror.account.calls) <= {SEARCH, METRICS}


@pytest.mark.parametrize("denied", [(), (SEARCH,)], ids=["search", "list"])
def test_an_empty_tag_value_is_looked_for(mirror: Mirror, denied: tuple[str, ...]) -> None:
    """AWS allows a tag without a value, yet its Search no filter without one."""
    put(mirror.account, "empty", {"env": ""})
    put(mirror.account, "full", {"env": "live"})
    put(mirror.account, "none")
    for operation in denied:
        mirror.account.faults.deny(operation)
    report = mirror.sync(tags=(("env", ""),))
    assert names(report) == {"empty"}
    assert report.failed == []
    assert len(report.warnings) == len(denied)
    assert mirror.account.calls[LIST] == len(denied)


@pytest.mark.parametrize("text", ["a b", "x" * 64, "job_1"])
def test_a_part_that_no_name_has_finds_nothing(mirror: Mirror, text: str) -> None:
    """ListTrainingJobs refuses what no job is called; the names are looked at here then."""
    put(mirror.account, "job-1")
    mirror.account.faults.deny(SEARCH)
    report = mirror.sync(name_contains=text)
    assert report.jobs["seen"] == 0
    assert mirror.account.calls[LIST] == 1


def test_what_search_does_not_take_is_listed(mirror: Mirror) -> None:
    """The warning is one line that promises no better luck later."""
    put(mirror.account, "job")
    report = mirror.sync(tags=(("env", "x" * 2000),))
    assert report.jobs["seen"] == 0
    (warning,) = [each.warning for each in report.warnings]
    assert "sagemaker:Search does not take the request" in warning
    assert "later" not in warning
    assert "\n" not in warning
    assert mirror.account.calls == {
        **DISCOVERY_OF_NOTHING,
        LIST: 1,
        DESCRIBE: 1,
        LIST_TAGS: 1,
    }


def test_what_botocore_does_not_take_is_said_in_one_line(account: EmulatedAccount) -> None:
    """Its report of wrong parameters has several lines."""
    aws = connect(None, None, 1)
    with (
        pytest.raises(InvalidRequestError, match="does not take the request") as raised,
        aws_errors(DESCRIBE),
    ):
        aws.sagemaker.describe_training_job(TrainingJobName="")
    assert "\n" not in str(raised.value)
    assert "later" not in str(raised.value)
    assert account.calls == {}


def test_what_aws_says_cannot_do_anything_to_a_terminal() -> None:
    """Its texts may repeat a user's."""
    error = {"Code": "Odd\x9b", "Message": "no \x1b[2J\u202e\nplace"}
    with pytest.raises(RetriableError, match="Odd") as raised, aws_errors(DESCRIBE):
        raise ClientError({"Error": error}, "DescribeTrainingJob")
    assert str(raised.value).isprintable()


@pytest.mark.usefixtures("account")
def test_nobody_waits_long_for_a_network_that_swallows_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Longer than a queue takes for its answer; a defaults mode connects in its own time."""
    config = connect(None, None, 1).sqs.meta.config
    assert (config.connect_timeout, config.read_timeout) == (10, 30)
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "standard")
    config = connect(None, None, 1).sqs.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3.1, 30)


def test_threads_share_one_client(account: EmulatedAccount) -> None:
    """boto3's session is not made for threads: whoever comes first makes the client for all."""
    aws = connect(None, None, 8)
    together = Barrier(8)

    def client(_: int) -> int:
        together.wait(timeout=30)
        return id(aws.cloudwatch)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(client, range(8)))) == 1
    assert account.calls == {}


def request(start_ms: int, period_s: int, queries: int) -> MetricRequest:
    """Ask for the hour after a moment, in a request that goes on until now."""
    end_ms = start_ms + HOUR_MS
    made = MetricRequest(period_s, start_ms, whole(now_ms(), 3600))
    series = Series(
        original="loss",
        namespace=NAMESPACE,
        metric_name="loss",
        dimensions=(("TrainingJobName", "job"),),
    )
    for _ in range(queries):
        made.add(Query(arn("job"), series, TimeWindow(start_ms, end_ms, period_s)))
    return made


@pytest.mark.parametrize("queries", [1, 500])
@pytest.mark.parametrize(("period_s", "days"), [(60, 15), (300, 63), (3600, 455)])
def test_a_start_that_has_faded_is_not_asked_for(
    account: EmulatedAccount, period_s: int, days: int, queries: int
) -> None:
    """CloudWatch would say that there are no points; the pass is to be repeated, not halved."""
    aws = connect(None, None, 1)
    faded_ms = whole(now_ms() - days * DAY_MS, 3600)
    kept = request(faded_ms + 2 * HOUR_MS, period_s, 1)
    assert [each.points for each in read_metrics(aws, kept)] == [()]
    assert account.calls == {METRICS: 1}
    cost_usd = aws.ledger.cost_usd
    with pytest.raises(RetriableError, match="outlived what CloudWatch stores"):
        list(read_metrics(aws, request(faded_ms - HOUR_MS, period_s, queries)))
    assert account.calls == {METRICS: 1}
    assert aws.ledger.cost_usd == cost_usd
