"""The bill: forecasts that come true, limits that hold, and what jobs cost."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import mlflow_smwatch
from mlflow_smwatch.aws.pricing import PriceListApi
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core.errors import LimitReachedError, UsageError
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import MINUTE_MS, Points, curve, job_answer, now_ms, put_log, put_loss
from tests.sync.conftest import EVENTS, METRICS, SEARCH, Mirror
from tests.sync.every_kind import EVERY_KIND, LIFE, sync
from tests.sync.test_kinds import put_every_kind

COST = "sagemaker/cost_usd"
BASIS = "sagemaker.cost_basis"
PRODUCTS = "pricing:GetProducts"
LIST = """
as_of = "2026-11-01"
source = "our contract"
[instances]
"ml.m5.large" = {usd}
"""


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    """Write a price list."""
    path = tmp_path / "prices.toml"
    path.write_text(LIST.format(usd=0.36))
    return path


def put_ended(mirror: Mirror, *names: str, **changes: Any) -> tuple[int, int]:
    """Put training jobs that took an hour and are over; give their life."""
    created_ms, ended_ms = LIFE["created_ms"], LIFE["ended_ms"]
    fields = {"BillableTimeInSeconds": 100, **changes}
    for name in names:
        answer = job_answer(name, created_ms=created_ms, ended_ms=ended_ms, **fields)
        mirror.account.put_training_job(answer)
    return created_ms, ended_ms


def cost(mirror: Mirror, name: str) -> Points:
    """Give the points of a job's cost."""
    return mirror.points(name).get(COST, [])


def basis(mirror: Mirror, name: str) -> dict[str, Any]:
    """Give what a job's cost was made of."""
    document: dict[str, Any] = json.loads(mirror.run(name).data.tags[BASIS])
    return document


@pytest.mark.parametrize("metrics", ["cloudwatch", "auto", "logs", "off"])
def test_a_forecast_comes_true(mirror: Mirror, metrics: str) -> None:
    """Of every kind: each call and each dollar, first of a new account, then of one mirrored."""
    put_every_kind(mirror)
    put_log(mirror.account, "training", [(LIFE["created_ms"], "value=1")])
    for _ in ("new", "mirrored"):
        settled = 180 + int(time.time()) % 60  # a minute of the endpoint was settled just now
        forecast = sync(mirror, dry_run=True, metrics=metrics, settle_s=settled)
        real = sync(mirror, metrics=metrics, settle_s=settled)
        pages = {EVENTS} if metrics in {"auto", "logs"} else set()
        assert _without(forecast.aws_calls, pages) == _without(real.aws_calls, pages)
        assert forecast.estimated_cost_usd == real.estimated_cost_usd
        assert forecast.jobs == real.jobs
        assert dict(real.aws_calls) == dict(mirror.account.calls)


def _without(calls: Any, left_out: set[str]) -> dict[str, int]:
    return {action: count for action, count in calls.items() if action not in left_out}


def test_a_forecast_of_one_job_counts_what_it_belongs_to(mirror: Mirror) -> None:
    """The pass finds the run of its tuning job too; so does the forecast."""
    tuning = kinds.tuning_job("tuning", **LIFE)
    mirror.account.put_job("tuning-job", tuning)
    arn = kinds.kind_arn("hyper-parameter-tuning-job/tuning")
    put_ended(mirror, "child", TuningJobArn=arn)
    forecast = sync(mirror, "child", dry_run=True, metrics="cloudwatch")
    real = sync(mirror, "child", metrics="cloudwatch")
    assert dict(forecast.aws_calls) == dict(real.aws_calls)
    assert forecast.jobs == real.jobs
    assert real.jobs["created"] == 2


def test_a_job_has_its_cost_and_says_what_it_is_made_of(mirror: Mirror, price_file: Path) -> None:
    """Seconds × instances × price ÷ 3,600, at step 0 and the job's end, once."""
    _, ended_ms = put_ended(mirror, "job", hosts=2)
    for _ in range(2):
        mirror.sync(prices=str(price_file))
    assert cost(mirror, "job") == [(ended_ms, 0, 100 * 2 * 0.36 / 3600)]
    (instance,) = basis(mirror, "job")["instances"]
    assert (instance["as_of"], instance["source"]) == ("2026-11-01", "our contract")


def test_built_in_prices_are_those_of_their_region(mirror: Mirror) -> None:
    """The list says of when it is; what it does not have is no cost, and no warning."""
    _, ended_ms = put_ended(mirror, "job")
    put_ended(
        mirror, "unpriced", ResourceConfig={"InstanceType": "ml.c5.large", "InstanceCount": 1}
    )
    report = mirror.sync()
    assert cost(mirror, "job") == [(ended_ms, 0, 100 * 0.115 / 3600)]
    assert basis(mirror, "job")["instances"][0]["as_of"] == "2026-08-11"
    assert cost(mirror, "unpriced") == []
    assert BASIS not in mirror.run("unpriced").data.tags
    assert mirror.is_final("unpriced")
    assert report.warnings == []


def test_every_kind_that_runs_on_instances_has_a_cost(mirror: Mirror, price_file: Path) -> None:
    """Training, processing and transform jobs; their groups have none."""
    put_every_kind(mirror)
    put_ended(mirror, "training")
    sync(mirror, prices=str(price_file))
    with_cost = {
        run.data.tags["sagemaker.kind"] for run in mirror.runs() if COST in run.data.metrics
    }
    assert with_cost == {"training-job", "processing-job", "transform-job"}


def test_prices_that_change_change_no_cost(mirror: Mirror, price_file: Path) -> None:
    """What was written stays, is never doubled, and is no difference to verify."""
    put_ended(mirror, "job", "other")
    mirror.sync("job", prices=str(price_file))
    before = cost(mirror, "job")
    price_file.write_text(LIST.format(usd=99))
    mirror.sync(prices=str(price_file))
    assert cost(mirror, "job") == before
    ((_, _, usd),) = cost(mirror, "other")
    assert usd == 100 * 99 / 3600
    report = mlflow_smwatch.verify(tracking_uri=mirror.uri, kinds=("training-job",))
    assert (report.jobs, report.equal, report.differences) == (2, 2, [])


def test_verify_does_not_miss_a_cost_that_was_not_known(mirror: Mirror, price_file: Path) -> None:
    """A run that is final without a cost is equal, whatever list is given later."""
    put_ended(mirror, "job", ResourceConfig={"InstanceType": "ml.c5.large", "InstanceCount": 1})
    mirror.sync()
    price_file.write_text(LIST.format(usd=1).replace("m5", "c5"))
    options: dict[str, Any] = {"tracking_uri": mirror.uri, "prices": str(price_file)}
    report = mlflow_smwatch.verify(**options)
    assert (report.equal, report.differences) == (1, [])
    assert mirror.sync(prices=str(price_file)).jobs["unchanged"] == 1


def test_verify_misses_a_cost_that_is_gone(mirror: Mirror, price_file: Path) -> None:
    """What the run notes as its cost is what it has to have; a repair brings it back."""
    put_ended(mirror, "job")
    mirror.sync(prices=str(price_file))
    before = cost(mirror, "job")
    run_id = mirror.run("job").info.run_id
    with closing(sqlite3.connect(mirror.database)) as store, store:
        store.execute("DELETE FROM metrics WHERE key = ?", (COST,))
        store.execute("DELETE FROM latest_metrics WHERE key = ?", (COST,))
    options: dict[str, Any] = {"tracking_uri": mirror.uri, "kinds": ("training-job",)}
    report = mlflow_smwatch.verify(**options)
    assert [(each.what, each.key) for each in report.differences] == [("missing", COST)]
    mlflow_smwatch.verify(**options, repair=True)
    assert cost(mirror, "job") == before
    assert mirror.run("job").info.run_id == run_id


def test_a_cost_of_a_pass_that_was_cut_off_is_not_doubled(mirror: Mirror, price_file: Path) -> None:
    """The point may be there before the watermark that vouches for it, and the price change."""
    mirror.refuse_units()
    _, ended_ms = put_ended(mirror, "job", status="InProgress", TrainingEndTime=None)
    mirror.sync(prices=str(price_file), metrics="cloudwatch")
    run_id = mirror.run("job").info.run_id
    mirror.client.log_metric(run_id, COST, 7.5, timestamp=ended_ms, step=0)
    put_ended(mirror, "job")
    mirror.sync(prices=str(price_file))
    assert cost(mirror, "job") == [(ended_ms, 0, 7.5)]
    assert mirror.watermark("job").points[COST] == 1


def test_prices_of_aws_are_asked_for_once_a_type(mirror: Mirror) -> None:
    """The Price List API tells each type and component; a fee is no hourly rate."""
    prices = mirror.account.prices
    prices.put_fee("us-east-1", "ml.m5.large", 0.0001)
    prices.put_instance("us-east-1", "ml.m5.large", 9.0, ["Hosting", "Notebook"])
    prices.put_instance("us-east-1", "ml.m5.large", 0.5, ["Training"])
    prices.put_instance("eu-west-1", "ml.m5.large", 0.7, ["Training"])
    _, ended_ms = put_ended(mirror, "one", "two", "three")
    report = mirror.sync(prices="aws")
    assert report.aws_calls[PRODUCTS] == mirror.account.calls[PRODUCTS] == 1
    assert cost(mirror, "two") == [(ended_ms, 0, 100 * 0.5 / 3600)]
    (instance,) = basis(mirror, "two")["instances"]
    assert (instance["as_of"], instance["source"]) == ("2026-11-01", "AWS Price List API")


def test_prices_of_aws_that_are_denied_are_the_built_in_ones(mirror: Mirror) -> None:
    """One warning names the action that is missing."""
    mirror.account.faults.deny(PRODUCTS)
    _, ended_ms = put_ended(mirror, "one", "two")
    report = mirror.sync(prices="aws")
    assert cost(mirror, "one") == [(ended_ms, 0, 100 * 0.115 / 3600)]
    (warned,) = report.warnings
    assert "pricing:GetProducts is denied" in warned.warning
    assert report.aws_calls[PRODUCTS] == 1


def test_prices_of_aws_that_are_not_understood_are_the_built_in_ones(mirror: Mirror) -> None:
    """A product without the members that tell its price is a warning, in a forecast too."""
    place = {"regionCode": "us-east-1", "instanceName": "ml.m5.large"}
    product = {
        "product": {"attributes": {**place, "servicecode": "AmazonSageMaker"}},
        "terms": {"OnDemand": {"term": {}}},
    }
    mirror.account.prices.products.append(json.dumps(product))
    _, ended_ms = put_ended(mirror, "job")
    for dry_run in (True, False):
        report = mirror.sync(prices="aws", dry_run=dry_run)
        assert report.failed == []
        (warned,) = report.warnings
        assert "pricing:GetProducts answered in a way" in warned.warning
    assert cost(mirror, "job") == [(ended_ms, 0, 100 * 0.115 / 3600)]


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "nowhere"])
def test_aws_is_asked_for_prices_in_its_own_partition_alone(mirror: Mirror, region: str) -> None:
    """Elsewhere it would refuse the credentials, which would end the pass."""
    mirror.account.reset_calls()
    aws = connect(region, None, 1)
    prices = PriceListApi(aws)
    assert prices.price(region, "training-job", "ml.m5.large") is None
    assert "prices are those that are built in" in str(prices.refused)
    assert dict(aws.ledger.calls) == {}


def test_a_forecast_counts_the_prices_that_are_asked_for(mirror: Mirror) -> None:
    """As many as the pass makes."""
    mirror.account.prices.put_instance("us-east-1", "ml.m5.large", 0.5)
    put_ended(mirror, "one", "two")
    forecast = mirror.sync(prices="aws", dry_run=True, metrics="cloudwatch")
    real = mirror.sync(prices="aws", metrics="cloudwatch")
    assert dict(forecast.aws_calls) == dict(real.aws_calls)


def test_prices_of_calls_can_be_given(mirror: Mirror, price_file: Path) -> None:
    """They are what the ledger charges."""
    put_ended(mirror, "job")
    with price_file.open("a") as file:
        file.write('[aws]\n"sagemaker:Search" = 0.5\n"cloudwatch:GetMetricData" = {metric = 2}\n')
    options: dict[str, Any] = {"prices": str(price_file), "metrics": "cloudwatch"}
    forecast = mirror.sync(**options, dry_run=True)
    report = mirror.sync(**options)
    (asked,) = [
        len(each.parameters["MetricDataQueries"])
        for each in mirror.account.requests
        if each.operation == METRICS
    ]
    assert report.estimated_cost_usd == 2 * 0.5 + asked * 2
    assert forecast.estimated_cost_usd == report.estimated_cost_usd


@pytest.mark.slow
@pytest.mark.parametrize(("metrics", "most"), [("cloudwatch", 6), ("logs", 14)])
def test_passes_with_few_calls_get_to_the_end(mirror: Mirror, metrics: str, most: int) -> None:
    """No pass exceeds its limit, each writes some jobs, and together they write all, once."""
    names = [f"job-{number}" for number in range(7)]
    created_ms, _ = put_ended(mirror, *names)
    for name in names:
        put_loss(mirror.account, name, curve(created_ms, 5))
        put_log(mirror.account, name, [(at, f"value={x}") for at, x in curve(created_ms, 5)])
    reports: list[SyncReport] = []
    while not reports or reports[-1].broken_off:
        reports.append(mirror.sync(max_calls=most, metrics=metrics))
        assert mirror.account.calls.total() <= most
        assert sum(reports[-1].aws_calls.values()) == mirror.account.calls.total()
        assert len(reports) <= len(names)
    assert len(reports) > 1
    first = reports[0]
    assert first.counts["created"] >= 1
    assert first.broken_off is not None
    done = first.counts["created"] + first.counts["updated"]
    assert (
        first.broken_off == f"--max-calls {most} reached: {done} jobs written; run again to go on"
    )
    other = mirror.beside()
    other.sync(metrics=metrics)
    assert mirror.content() == other.content()


@pytest.mark.parametrize("page", [100, 4])
def test_jobs_that_go_on_leave_something_to_the_others(mirror: Mirror, page: int) -> None:
    """Each pass goes on where the last one stopped, though live jobs have news each time."""
    mirror.account.faults.page_size(SEARCH, page)
    live = [f"live-{number}" for number in range(12)]
    ended = [f"ended-{number}" for number in range(6)]
    started_ms = now_ms() - 40 * MINUTE_MS
    for name in live:
        mirror.account.put_training_job(job_answer(name, created_ms=started_ms))
    put_ended(mirror, *ended)
    whole = 0
    for number in range(8):
        for name in live:
            put_log(mirror.account, name, [(started_ms + number * MINUTE_MS, f"value={number}")])
        report = mirror.sync(max_calls=22, metrics="logs", artifacts="none")
        assert report.counts["created"] + report.counts["updated"] >= 1
        whole = sum(run.data.metrics != {} for run in mirror.runs())
        if whole == len(live) + len(ended):
            break
    assert whole == len(live) + len(ended)
    assert all(mirror.is_final(name) for name in ended)


def test_a_limit_that_is_too_small_for_anything_says_so(mirror: Mirror) -> None:
    """Nothing is written then, and nothing is sent beyond it."""
    put_ended(mirror, "job")
    with pytest.raises(LimitReachedError, match="--max-calls 1 reached before anything"):
        mirror.sync(max_calls=1)
    assert mirror.account.calls.total() == 1
    assert mirror.runs("job") == []


def test_a_limit_on_dollars_is_checked_before_metrics_are_asked_for(mirror: Mirror) -> None:
    """Jobs are written as far as the money goes."""
    put_ended(mirror, "one", "two", "three")
    whole = mirror.beside().sync(metrics="cloudwatch").estimated_cost_usd
    limit = whole * 0.7
    report = mirror.sync(metrics="cloudwatch", max_cost=limit)
    assert 0 < report.estimated_cost_usd <= limit
    assert report.counts["created"] == 2
    assert report.broken_off == f"--max-cost {limit:g} reached: 2 jobs written; run again to go on"
    assert mirror.sync(metrics="cloudwatch", max_cost=limit).broken_off is None
    assert all(mirror.is_final(name) for name in ("one", "two", "three"))


def test_retries_count_towards_a_limit(mirror: Mirror) -> None:
    """Each HTTP request is a call."""
    put_ended(mirror, "job")
    mirror.account.faults.fail(METRICS, times=50)
    with pytest.raises(LimitReachedError):
        mirror.sync(metrics="cloudwatch", max_calls=6)
    assert mirror.account.calls.total() == 6


def test_a_request_that_is_sent_again_is_charged_once(mirror: Mirror) -> None:
    """What AWS throttles it does not answer."""
    put_ended(mirror, "job")
    calm = mirror.beside().sync(metrics="cloudwatch").estimated_cost_usd
    mirror.account.faults.fail(METRICS, times=2)
    report = mirror.sync(metrics="cloudwatch")
    assert report.aws_calls[METRICS] == 3
    assert report.estimated_cost_usd == calm > 0


def test_several_regions_share_a_limit(mirror: Mirror) -> None:
    """What the first spends the second does not have."""
    put_ended(mirror, "job")
    options: dict[str, Any] = {"tracking_uri": mirror.uri, "kinds": ("training-job",)}
    report = mlflow_smwatch.sync(region=("us-east-1", "eu-west-1"), max_calls=8, **options)
    assert sum(report.aws_calls.values()) == 8
    assert Counter(each.word for each in report.runs) == {"created": 1}
    assert "--max-calls 8 reached" in report.failed[-1].error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_calls": 0}, "--max-calls 0: give 1 or more"),
        ({"max_cost": -1.0}, "--max-cost -1.0: give dollars"),
        ({"prices": "no-such-file.toml"}, "--prices no-such-file.toml: No such file"),
        (
            {"max_calls": 5, "executor": "dask", "scheduler": "tcp://127.0.0.1:1"},
            "are not for --executor dask",
        ),
    ],
)
def test_limits_and_lists_that_cannot_be_are_refused(
    mirror: Mirror, options: dict[str, Any], said: str
) -> None:
    """One line says which and why."""
    with pytest.raises(UsageError, match=said):
        mirror.sync(**options)


def test_kinds_are_all_there() -> None:
    """The forecast is proved over each of them."""
    assert len(EVERY_KIND) == 10
