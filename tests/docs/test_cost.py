"""``docs/cost.md``: its prices are those of the code, its price list can be read."""

from __future__ import annotations

import json

from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.job_kinds import TRAINING_JOB
from mlflow_smwatch.core.price_table import PRICE_LISTS
from mlflow_smwatch.core.prices import cost_of, first_of, read_price_list
from mlflow_smwatch.render import UNFORESEEN
from tests.docs.documents import blocks, read, rows
from tests.jobs import arn, job_answer

PAGE = read("docs/cost.md")


def test_built_in_prices() -> None:
    """The table is the built-in list, row by row."""
    table = list(rows(PAGE, "Region", "kinds", "instance type", "USD an hour", "as of", "source"))
    assert table == [
        [str(region), str(kind), instance_type, f"{usd:g}", each.as_of, each.source]
        for each in PRICE_LISTS
        for (region, kind, instance_type), usd in each.instances.items()
    ]


def test_the_price_list_can_be_read() -> None:
    """Each line of the example has the effect that its comment says."""
    (text,) = [each.text for each in blocks(PAGE) if each.mark == "price list"]
    prices = read_price_list(text, "prices.toml")
    wanted = {
        ("us-east-1", "processing-job", "ml.m5.xlarge"): 0.2,
        ("us-east-1", "training-job", "ml.g5.xlarge"): 1.1,
        ("eu-west-1", "processing-job", "ml.m5.xlarge"): 0.23,
        ("eu-west-1", "transform-job", "ml.m5.xlarge"): 0.21,
    }
    for place, usd in wanted.items():
        found = prices.price(*place)
        assert found is not None
        assert found.usd_per_hour == usd
    assert prices.price("us-east-1", "transform-job", "ml.g5.xlarge") is None
    assert (prices.calls, prices.metrics) == (
        {"s3:GetObject": 0.0000004},
        {"cloudwatch:GetMetricData": 0.000008},
    )


def test_the_basis_is_what_is_written() -> None:
    """The example is that of a job, to the last digit that is shown."""
    (text,) = [each.text for each in blocks(PAGE) if each.mark == "basis"]
    answer = job_answer("job", created_ms=0, ended_ms=1000, hosts=2, BillableTimeInSeconds=100)
    job = job_of(TRAINING_JOB, {"TrainingJobArn": arn("job"), **answer})
    cost = cost_of(job, first_of(PRICE_LISTS))
    assert cost is not None
    basis = json.loads(cost.basis)
    assert json.loads(text) == {**basis, "usd": round(basis["usd"], 4)}


def test_what_is_not_foreseen_is_explained() -> None:
    """The line that a dry run prints names what the page explains."""
    for word in ("logs", "lineage", "retry"):
        assert word in PAGE
    assert "further pages of logs" in UNFORESEEN
