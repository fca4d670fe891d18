"""docs/aws-account.md: its policy, rates, prices and what happens when something is denied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

import mlflow_smwatch as smwatch
from mlflow_smwatch.aws.operations import (
    DATAPOINTS_PER_SECOND,
    GET_CALLER_IDENTITY,
    GET_METRIC_DATA,
    OPERATIONS,
    RECENT_DATAPOINTS_PER_SECOND,
)
from mlflow_smwatch.core.series import INSTANCE_METRICS
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.docs.documents import blocks, names, read, rows
from tests.jobs import HOUR_MS, curve, job_answer, now_ms, put_loss, whole

PAGE = read("docs/aws-account.md")
PRICE = OPERATIONS[GET_METRIC_DATA].price_per_metric_usd


def test_the_policy_allows_every_operation_and_no_other() -> None:
    """All but the one that needs no permission."""
    (text,) = [block.text for block in blocks(PAGE) if block.mark == "policy"]
    allowed: list[str] = []
    for statement in json.loads(text)["Statement"]:
        action = statement["Action"]
        allowed += [action] if isinstance(action, str) else action
    assert sorted(allowed) == sorted(set(OPERATIONS) - {GET_CALLER_IDENTITY})
    explained = {row[0].strip("`") for row in rows(PAGE, "action", "when it is called")}
    assert explained == set(OPERATIONS)


def test_rates_and_prices_are_those_of_the_code() -> None:
    """The table of the page against the table of the code."""
    shown = {
        action.strip("`"): (float(rate), price)
        for action, rate, price in rows(PAGE, "action", "calls a second", "price")
    }
    assert shown == {
        action: (
            operation.rate,
            f"{operation.price_per_metric_usd * 1000:g} USD per 1,000 metrics requested"
            if operation.price_per_metric_usd
            else "free",
        )
        for action, operation in OPERATIONS.items()
    }
    assert f"{DATAPOINTS_PER_SECOND:,} data points" in PAGE
    assert f"or {RECENT_DATAPOINTS_PER_SECOND:,} where" in PAGE


def test_cost_examples_add_up() -> None:
    """Metrics requested, times the price."""
    table = [
        (int(metrics.replace(",", "")), float(usd))
        for _, metrics, usd in rows(PAGE, "example", "metrics requested", "USD")
    ]
    one_job = 3 + len(INSTANCE_METRICS)
    assert [metrics for metrics, _ in table] == [
        one_job,
        3 + 16 * len(INSTANCE_METRICS),
        1000 * one_job,
        24 * 6 * one_job,
        0,
    ]
    for metrics, usd in table:
        assert usd == pytest.approx(metrics * PRICE)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Two jobs with different tags, and the environment that leads there."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        begin_ms = now_ms() - 3 * HOUR_MS
        for name, team in (("eyes", "vision"), ("ears", "sound")):
            answer = job_answer(name, created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS)
            account.put_training_job(answer, {"team": team})
            put_loss(account, name, curve(whole(begin_ms), 5))
        yield account


def _exit_code(*jobs: str, tracking_uri: str, **options: object) -> int:
    """Return what the command line program would exit with."""
    with suppress(smwatch.StopError):
        report = smwatch.sync(*jobs, tracking_uri=tracking_uri, artifacts="none", **options)
        return 1 if report.failed else 0
    return 3


def test_denied_parts(account: EmulatedAccount, empty_database: Path) -> None:
    """Row by row: what is denied, and the exit codes."""
    uri = f"sqlite:///{empty_database}"
    table = list(rows(PAGE, "denied", "what happens", "exit code"))
    assert len(table) == 5
    for parts, what, codes in table:
        for part in names(parts) | ({"Search"} if "where it is needed" in what else set()):
            account.faults.deny(part if ":" in part else f"sagemaker:{part}")
        found = [_exit_code(tracking_uri=uri, dry_run=True)]
        if "with names" in codes:
            found.append(_exit_code("eyes", tracking_uri=uri, dry_run=True))
        account.faults.clear()
        assert found == [int(code) for code in codes.replace(" with names", "").split("; ")], parts


def test_tags_choose_jobs_also_without_search(
    account: EmulatedAccount, empty_database: Path
) -> None:
    """The listing has no tags, so the jobs are described; where that is denied, nobody can tell."""
    uri = f"sqlite:///{empty_database}"
    wanted = (("team", "vision"),)
    account.faults.deny("sagemaker:Search")
    report = smwatch.sync(tracking_uri=uri, tags=wanted, artifacts="none")
    assert [run.name for run in report.runs] == ["eyes"]

    account.faults.deny("sagemaker:ListTags")
    report = smwatch.sync(tracking_uri=uri, tags=wanted, artifacts="none")
    assert len(report.failed) == 2
    assert "--tag cannot be applied" in report.failed[0].error


def test_a_denied_part_keeps_a_job_open(account: EmulatedAccount, empty_database: Path) -> None:
    """It is tried again, and given up only on demand."""
    uri = f"sqlite:///{empty_database}"

    def final_tag() -> str | None:
        run = smwatch.mirror("ears", tracking_uri=uri, artifacts="none", give_up_denied=give_up)
        tags = MlflowClient(uri).get_run(run.info.run_id).data.tags
        assert GET_METRIC_DATA in tags["smwatch.warning"]
        final: str | None = tags.get("smwatch.final")
        return final

    account.faults.deny(GET_METRIC_DATA)
    give_up = False
    assert final_tag() is None
    assert final_tag() is None
    give_up = True
    assert final_tag() == "true"
