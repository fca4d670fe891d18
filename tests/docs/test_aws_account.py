"""docs/aws-account.md: its policy, rates, prices and what happens when something is denied."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

import mlflow_smwatch as smwatch
from mlflow_smwatch.aws.operations import (
    ASSUME_ROLE,
    DATAPOINTS_PER_SECOND,
    DESCRIBE_LOG_STREAMS,
    GET_CALLER_IDENTITY,
    GET_LOG_EVENTS,
    GET_METRIC_DATA,
    OPERATIONS,
    RECENT_DATAPOINTS_PER_SECOND,
    Operation,
    permission,
)
from mlflow_smwatch.cli import main
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.job_series import INSTANCE_METRICS
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.docs.documents import blocks, names, read, rows
from tests.jobs import HOUR_MS, arn, curve, job_answer, now_ms, put_log, put_loss, whole

PAGE = read("docs/aws-account.md")
STS = {GET_CALLER_IDENTITY, ASSUME_ROLE}
"""What the policy's role itself does not need."""

PRICE = OPERATIONS[GET_METRIC_DATA].price_per_metric_usd


def _block(mark: str) -> str:
    (text,) = [block.text for block in blocks(PAGE) if block.mark == mark]
    return text


def _statements(page: str) -> list[dict[str, Any]]:
    (text,) = [block.text for block in blocks(page) if block.mark == "policy"]
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements


def _actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return [action] if isinstance(action, str) else action


def _printed(command: str) -> dict[str, Any]:
    """Give what a command of the page prints."""
    done = CliRunner().invoke(main, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize(
    ("command", "policy"), [("print policy", "policy"), ("print least", "least")]
)
def test_the_policies_are_what_the_command_prints(command: str, policy: str) -> None:
    """To the letter."""
    assert json.loads(_block(policy)) == _printed(_block(command))


def test_every_action_is_explained() -> None:
    """Each that some policy allows has its row, and no other; so have those that need none."""
    topic = "arn:aws:sns:eu-west-1:123456789012:alarms"
    everything = (
        "smwatch policy --artifacts overlay --register m --prices aws --alarms --publishing mlflow"
        f" --notify {topic} --queue"
    )
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
    commands = ("policy --without-search", "policy --kinds notebook-instance")
    printed = [
        _printed(each) for each in (f"{everything} {url}", *(f"smwatch {one}" for one in commands))
    ]
    allowed = {one for each in printed for part in each["Statement"] for one in _actions(part)}
    assert allowed == {permission(action) for action in OPERATIONS} - STS
    table = rows(PAGE, "action", "when it is called")
    explained = {each for actions, _ in table for each in names(actions)}
    assert explained == allowed | STS


def test_every_option_of_the_command_is_explained() -> None:
    """In the table below the policies, but for those that all commands have."""
    listed = {
        each for row in rows(PAGE, "option", "what it does to the policy") for each in names(row[0])
    }
    listed = {each.split()[0] for each in listed}
    own = {option.opts[-1] for option in main.commands["policy"].params}
    assert listed == own - {"--json", "--config", "--profile"}


def test_the_check_is_described_as_it_is(
    account: EmulatedAccount, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that fails has the shape that is shown; its words are listed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{empty_database}")
    account.faults.deny("sagemaker:ListTags")
    shown = json.loads(_block("doctor json"))
    done = CliRunner().invoke(main, [*shlex.split(_block("doctor"))[1:], "--json"])
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert {key: document[key] for key in ("ok", "reachable")} == {"ok": False, "reachable": True}
    (lacking,) = [each for each in document["checks"] if each["status"] == "bad"]
    (example,) = shown["checks"]
    assert {**lacking, "detail": ""} == {**example, "detail": ""}
    words = {each["check"] for each in document["checks"] if ":" not in each["check"]}
    assert words <= names(PAGE)


def test_the_queue_has_a_statement_of_its_own() -> None:
    """The last one, the same as on the page about events; it alone has actions of SQS."""
    *others, last = _statements(PAGE)
    assert [last] == _statements(read("docs/events.md"))
    assert {action.partition(":")[0] for action in _actions(last)} == {"sqs"}
    assert not any(action.startswith("sqs:") for each in others for action in _actions(each))


def test_logs_are_read_in_the_log_groups_of_jobs() -> None:
    """Those of the kinds of jobs and, for the overlay, of endpoints; and no other."""
    usual = [kind for kind in KINDS.values() if kind.log_group and not kind.asked_for]
    groups = {f"{each.log_group}{'/*' * each.has_own_log_group}" for each in usual}
    for sid, action in (("ListLogStreams", DESCRIBE_LOG_STREAMS), ("ReadLogs", GET_LOG_EVENTS)):
        (found,) = [each for each in _statements(PAGE) if each["Sid"] == sid]
        assert set(found["Resource"]) == {f"arn:aws:logs:*:*:log-group:{each}:*" for each in groups}
        assert _actions(found) == [action]


def test_the_smaller_policy_is_enough(account: EmulatedAccount, empty_database: Path) -> None:
    """For training jobs in trials, with lineage: all else denied, nothing is left out."""
    policy = json.loads(_block("least"))
    allowed = {action for each in policy["Statement"] for action in _actions(each)}
    for action in OPERATIONS.keys() - allowed - {GET_CALLER_IDENTITY}:
        account.faults.deny(action)
    begin_ms = now_ms() - 3 * HOUR_MS
    account.makes_components = True
    account.experiments.put_experiment("experiment")
    account.experiments.put_trial("trial", "experiment")
    answer = job_answer("job", created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS)
    account.put_training_job(
        {**answer, "ExperimentConfig": {"ExperimentName": "experiment", "TrialName": "trial"}}
    )
    data = account.lineage.put_artifact(
        "s3://bucket/train/", kind="DataSet", created=answer["CreationTime"]
    )
    component = account.experiments.component_for(arn("job"))
    assert component is not None
    account.lineage.associate(data, component.arn, "ContributedTo", answer["CreationTime"])
    uri = f"sqlite:///{empty_database}"
    for names_asked in ((), ("job",)):
        report = smwatch.sync(*names_asked, tracking_uri=uri, kinds=("training-job", "trial"))
        assert (report.failed, report.warnings) == ([], [])
    runs = {run.name: run.run_id for run in report.runs}
    tags = MlflowClient(uri).get_run(str(runs["job"])).data.tags
    assert tags["sagemaker.trial"] == "trial"
    assert "mlflow.parentRunId" in tags
    sources = smwatch.lineage("job", tracking_uri=uri).upstream()
    assert "s3://bucket/train/" in {node.id for node in sources}


def _price(operation: Operation) -> str:
    if operation.price_per_metric_usd:
        return f"{operation.price_per_metric_usd * 1000:g} USD per 1,000 metrics requested"
    if operation.price_per_call_usd:
        return f"{operation.price_per_call_usd * 1_000_000:.2f} USD per million calls"
    return "free"


def test_rates_and_prices_are_those_of_the_code() -> None:
    """The tables of the page against the table of the code."""
    table = rows(PAGE, "operation", "calls a second", "price")
    shown = {
        action.strip("`"): (float(rate.removesuffix("; see below")), price)
        for action, rate, price in table
    }
    assert shown == {
        action: (operation.rate, _price(operation)) for action, operation in OPERATIONS.items()
    }
    *some, (rest, usual) = rows(PAGE, "Region", f"`{GET_LOG_EVENTS}`, calls a second")
    regions = {region: float(rate) for each, rate in some for region in names(each)}
    reading = OPERATIONS[GET_LOG_EVENTS]
    assert (regions, rest) == (dict(reading.region_rates), "all others")
    assert float(usual) == reading.rate
    assert f"{DATAPOINTS_PER_SECOND:,} data points" in PAGE
    assert f"or {RECENT_DATAPOINTS_PER_SECOND:,} where" in PAGE


def test_cost_examples_add_up() -> None:
    """Metrics requested, times the price."""
    table = [
        (int(metrics.replace(",", "")), float(usd))
        for _, metrics, usd in rows(PAGE, "example", "metrics requested", "USD")
    ]
    one_job = len(INSTANCE_METRICS)
    assert [metrics for metrics, _ in table] == [
        one_job,
        3 + one_job,
        16 * one_job,
        1000 * one_job,
        24 * 60 * one_job,
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
    assert len(table) == 11
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


@pytest.mark.parametrize("action", [DESCRIBE_LOG_STREAMS, GET_LOG_EVENTS])
@pytest.mark.parametrize("wanted", ["auto", "logs"])
def test_denied_logs(
    account: EmulatedAccount, empty_database: Path, action: str, wanted: str
) -> None:
    """CloudWatch stands in for them, and goes on to, unless the logs alone are wanted."""
    uri = f"sqlite:///{empty_database}"

    def mirrored(metrics: str) -> tuple[str | None, str | None, bool]:
        run = smwatch.mirror("eyes", tracking_uri=uri, artifacts="none", metrics=metrics)
        tags = MlflowClient(uri).get_run(run.info.run_id).data.tags
        warned = action in tags.get("smwatch.warning", "")
        return tags.get("smwatch.metric_source"), tags.get("smwatch.final"), warned

    put_log(account, "eyes", [(now_ms() - 2 * HOUR_MS, "value=1")])
    account.faults.deny(action)
    instead = "cloudwatch" if wanted == "auto" else None
    assert mirrored(wanted) == (instead, None, True)

    account.faults.clear()
    assert mirrored("auto") == (instead or "logs", "true", False)
