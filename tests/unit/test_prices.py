"""Price lists, and what a job came to by them."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws.budget import Budget
from mlflow_smwatch.aws.operations import OPERATIONS
from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.errors import LimitReachedError, UsageError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.price_table import PRICE_LISTS
from mlflow_smwatch.core.prices import (
    BILLED_KINDS,
    Price,
    PriceList,
    cost_of,
    first_of,
    noted_usd,
    read_price_list,
)
from mlflow_smwatch.engine.batches import Batches, Standing
from tests import kinds
from tests.jobs import job_answer

CREATED_MS = 1_780_000_000_000
ENDED_MS = CREATED_MS + 600_000
HEAD = 'as_of = "2026-11-01"\nsource = "our contract"\n'


def flat(usd: float) -> Any:
    """Give one price to all."""
    return lambda *_: Price(usd_per_hour=usd, as_of="2026-11-01", source="test")


def training(**changes: Any) -> Job:
    answer = job_answer("job", created_ms=CREATED_MS, ended_ms=ENDED_MS, **changes)
    return _job("training-job", "training-job/job", answer)


def _job(word: str, resource: str, answer: dict[str, Any]) -> Job:
    noun = {"training-job": "TrainingJob", "processing-job": "ProcessingJob"}.get(
        word, "TransformJob"
    )
    return job_of(KINDS[word], {f"{noun}Arn": kinds.kind_arn(resource), **answer})


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=timezone.utc)


def test_a_job_costs_seconds_times_instances_times_price() -> None:
    """Billable seconds are those of each instance."""
    cost = cost_of(training(BillableTimeInSeconds=900, hosts=4), flat(2.0))
    assert cost is not None
    assert cost.usd == 900 * 4 * 2.0 / 3600
    assert json.loads(cost.basis) == {
        "usd": 2.0,
        "billable_seconds": 900.0,
        "region": "us-east-1",
        "instances": [
            {
                "type": "ml.m5.large",
                "count": 4,
                "usd_per_hour": 2.0,
                "as_of": "2026-11-01",
                "source": "test",
            }
        ],
    }
    assert noted_usd(cost.basis) == cost.usd


@pytest.mark.parametrize("basis", [None, "", "[" * 7_000, "7", '{"usd": 1' + "0" * 400 + "}"])
def test_a_basis_that_somebody_has_edited_tells_nothing(basis: str | None) -> None:
    """Nor does it raise anything."""
    assert noted_usd(basis) is None


def test_instance_groups_are_summed() -> None:
    """Each group has its type, its number and its price."""
    groups = [
        {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 2},
        {"InstanceGroupName": "b", "InstanceType": "ml.p4d.24xlarge", "InstanceCount": 1},
    ]
    job = training(BillableTimeInSeconds=3600, ResourceConfig={"InstanceGroups": groups})
    prices = PriceList(
        as_of="today",
        source="test",
        instances={(None, None, "ml.m5.large"): 0.5, (None, None, "ml.p4d.24xlarge"): 30.0},
    )
    cost = cost_of(job, prices.price)
    assert cost is not None
    assert cost.usd == 2 * 0.5 + 30.0
    assert cost_of(job, PriceList(as_of="", source="", instances={}).price) is None


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"EnableManagedSpotTraining": True}, "spot"),
        ({"WarmPoolStatus": {"ResourceRetainedBillableTimeInSeconds": 60}}, "60 s"),
    ],
    ids=["spot", "warm pool"],
)
def test_the_basis_says_what_is_in_it(changes: dict[str, Any], note: str) -> None:
    """The seconds of spot jobs have the discount in them; a warm pool is billed besides."""
    cost = cost_of(training(BillableTimeInSeconds=10, **changes), flat(1.0))
    assert cost is not None
    (said,) = json.loads(cost.basis)["notes"]
    assert note in said
    assert cost.usd == 10 / 3600


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(training(), id="no billable time"),
        pytest.param(
            training(
                BillableTimeInSeconds=9,
                ResourceConfig={
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "TrainingPlanArn": "arn:aws:sagemaker:us-east-1:1:training-plan/plan",
                },
            ),
            id="training plan",
        ),
        pytest.param(training(BillableTimeInSeconds=9, status="InProgress"), id="goes on"),
        pytest.param(training(BillableTimeInSeconds=9, ResourceConfig={}), id="no instances"),
    ],
)
def test_what_is_not_billed_by_the_second_has_no_cost(job: Job) -> None:
    """No number is made up."""
    assert cost_of(job, flat(1.0)) is None


def test_processing_and_transform_jobs_are_billed_from_start_to_end() -> None:
    """Their answers have no billable time; a Debugger rule's job may be free, so it has no cost."""
    life: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS}
    start, end = moment(CREATED_MS + 100_000), moment(ENDED_MS)
    processing = kinds.processing_job("job", **life) | {
        "ProcessingStartTime": start,
        "ProcessingEndTime": end,
    }
    job = _job("processing-job", "processing-job/job", processing)
    cost = cost_of(job, flat(3.6))
    assert cost is not None
    count = processing["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
    assert cost.usd == pytest.approx(500 * count * 3.6 / 3600)
    rule = {**processing, "TrainingJobArn": kinds.kind_arn("training-job/job")}
    assert cost_of(_job("processing-job", "processing-job/job", rule), flat(3.6)) is None
    transform = kinds.transform_job("job", hosts=2, **life) | {
        "TransformStartTime": start,
        "TransformEndTime": end,
    }
    cost = cost_of(_job("transform-job", "transform-job/job", transform), flat(3.6))
    assert cost is not None
    assert cost.usd == pytest.approx(500 * 2 * 3.6 / 3600)


LIST = (
    HEAD
    + """
[aws]
"s3:GetObject" = 0.5
"cloudwatch:GetMetricData" = {metric = 0.25}

[instances]
"ml.m5.large" = 1
[instances.training-job]
"ml.m5.large" = 2
[instances.eu-west-1]
"ml.m5.large" = 3
[instances.eu-west-1.transform-job]
"ml.m5.large" = 4
"""
)


@pytest.mark.parametrize(
    ("region", "kind", "usd"),
    [
        ("us-east-1", "processing-job", 1),
        ("us-east-1", "training-job", 2),
        ("eu-west-1", "training-job", 3),
        ("eu-west-1", "transform-job", 4),
    ],
)
def test_the_most_particular_price_counts(region: str, kind: str, usd: float) -> None:
    """Region and kind, then Region, then kind, then any."""
    prices = read_price_list(LIST, "prices.toml")
    price = prices.price(region, kind, "ml.m5.large")
    assert price == Price(usd_per_hour=usd, as_of="2026-11-01", source="our contract")
    assert prices.price(region, kind, "ml.m5.xlarge") is None
    assert prices.calls == {"s3:GetObject": 0.5}
    assert prices.metrics == {"cloudwatch:GetMetricData": 0.25}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("as_of = ", "no TOML"),
        ('source = "x"', "as_of is missing"),
        (HEAD + "euro = 3", "unknown key euro"),
        (HEAD + "instances = 3", "instances is no table"),
        (HEAD + '[instances]\n"m5.large" = 1', "instances.m5.large: give an instance type"),
        (HEAD + '[instances]\n"ml.m5.large" = "1"', "instances.ml.m5.large: give dollars"),
        (HEAD + '[instances]\n"ml.m5.large" = -1', "give dollars, 0 or more"),
        (HEAD + '[instances]\n"ml.m5.large" = nan', "give dollars, 0 or more"),
        (HEAD + "[instances.mars]\n", "instances.mars: give a Region"),
        (HEAD + "[instances.eu-west-1.endpoint]\n", "instances.eu-west-1.endpoint: give"),
        (HEAD + "[aws]\nGetObject = 1", "aws.GetObject: give an operation"),
        (HEAD + '[aws]\n"s3:GetObject" = {metric = 1}', "alone is paid by the metric"),
        (HEAD + '[aws]\n"s3:GetObject" = {each = 1}', "unknown key aws.s3:GetObject.each"),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused_in_one_line(text: str, said: str) -> None:
    """The line names the file and the key."""
    with pytest.raises(UsageError, match=re.escape(said)) as refused:
        read_price_list(text, "prices.toml")
    assert str(refused.value).startswith("--prices prices.toml: ")
    assert "\n" not in str(refused.value)


def test_built_in_prices_say_of_when_and_from_where_they_are() -> None:
    """Each is of one Region and one kind, and is a sum of money."""
    for each in PRICE_LISTS:
        assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", each.as_of)
        assert each.source
        for (region, kind, instance_type), usd in each.instances.items():
            assert region is not None
            assert kind in BILLED_KINDS
            assert instance_type.startswith("ml.")
            assert 0 < usd < 1000
    price_of = first_of(PRICE_LISTS)
    assert price_of("eu-west-1", "training-job", "ml.m5.xlarge") is not None
    assert price_of("eu-west-2", "training-job", "ml.m5.xlarge") is None


@given(st.lists(st.sampled_from([0.0, 0.001, 0.25]), max_size=30), st.integers(1, 20))
def test_a_budget_is_never_exceeded(prices: list[float], most: int) -> None:
    """Calls are refused before they are sent, free ones by their number alone."""
    budget, calls, cost = Budget(max_calls=most, max_cost=1.0), 0, 0.0
    for price in prices:
        try:
            budget.spend(price)
        except LimitReachedError:
            assert calls == most or cost + price > 1.0
        else:
            calls, cost = calls + 1, cost + price
    assert calls <= most
    assert cost <= 1.0 + 1e-9


def test_batches_grow_as_far_as_what_is_left_will_do() -> None:
    """First what is free, then one job, then twice as many, as far as the rest will do."""
    jobs: list[Any] = list(range(50))
    free = [Standing(free=job >= 40) for job in jobs]
    budget, sizes = Budget(max_calls=100), []
    for batch in Batches(budget).of(jobs, lambda _: free):
        sizes.append(len(batch))
        for _ in range(4 * len(batch) if sizes[1:] else 0):
            budget.spend(0)
        if not budget.left:
            break
    assert sizes == [10, 1, 2, 4, 8, 10]
    assert list(Batches(Budget()).of(jobs, lambda _: [])) == [jobs]


def test_jobs_that_are_held_back_have_their_turn() -> None:
    """Those without news are not written, and are not first for ever; each comes once a pass."""
    written_at = {f"job-{number}": "2026-11-20" for number in range(20)}
    quiet = {f"job-{number}" for number in range(10)}
    page: list[Any] = [SimpleNamespace(arn=name) for name in (*written_at, "new")]
    for now_ms in range(40):
        batches = Batches(Budget(max_calls=1000))
        standings = [Standing(written_at=each) for each in (*written_at.values(), None)]
        first = list(batches.of(page, lambda _: standings))  # noqa: B023 - called at once
        order = [each.arn for batch in batches.of_held(now_ms) for each in batch]
        assert first == [[page[-1]]]
        assert sorted(order) == sorted(written_at)
        written_at |= dict.fromkeys(set(order[:3]) - quiet, f"2026-11-21T{now_ms:02}")
    assert {name for name, at in written_at.items() if at == "2026-11-20"} == quiet


def test_operations_that_cost_have_a_price_in_one_table() -> None:
    """All others are free."""
    paid = {
        action
        for action, each in OPERATIONS.items()
        if each.price_per_call_usd or each.price_per_metric_usd
    }
    assert {action.split(":")[0] for action in paid} == {"cloudwatch", "sns", "sqs", "s3"}
