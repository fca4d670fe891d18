"""``docs/publishing.md``: its commands run, its report is one, its options are all there are."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities import Metric

import mlflow_smwatch
from mlflow_smwatch.cli import main
from mlflow_smwatch.core.publishing import Skipped
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.publish_report import METRIC_USD_A_MONTH
from tests.cli.shapes import misfits
from tests.docs.documents import blocks, names, prose, read, rows
from tests.jobs import HOUR_MS, job_answer, now_ms

PAGE = read("docs/publishing.md")
MARKED = {block.mark: block.text for block in blocks(PAGE) if block.mark}
EVERYWHERE = {"--config", "--json", "--verbose", "--tracking-uri"}


@pytest.fixture
def run_id(empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the job that the page names; give the run that it names."""
    uri = f"sqlite:///{empty_database}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(empty_database.parent)
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        begin_ms = now_ms() - 3 * HOUR_MS
        answer = job_answer("my-training-job", created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS)
        account.put_training_job(answer)
        mlflow_smwatch.sync(tracking_uri=uri, kinds=("training-job",), artifacts="none")
        client = MlflowClient(tracking_uri=uri)
        run_id = client.create_run("0", run_name="my-run").info.run_id
        points = [Metric("loss", 1 / (n + 1), begin_ms + 1000 * n, n) for n in range(100)]
        client.log_batch(run_id, points)
        yield str(run_id)


def done(command: str) -> str:
    """Run a command of the page well; what it prints."""
    ended = CliRunner().invoke(main, shlex.split(command)[1:])
    assert ended.exit_code == 0, ended.stderr
    return ended.stdout


def shape(value: Any) -> Any:
    """Give the shape of a document."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else [object]
    return (int, float) if isinstance(value, int | float) else type(value)


def test_the_commands_run(run_id: str) -> None:
    """In their order; the report of the publication is the one that is shown, but for the id."""
    forecast, publication = MARKED["publish"].splitlines()
    assert "would be published  my-run" in done(forecast)
    shown = json.loads(MARKED["report"].replace("0a1b2c3d4e5f60718293a4b5c6d7e8f9", run_id))
    assert json.loads(done(f"{publication} --json")) == shown
    assert misfits(shown, shape(shown)) == []
    for command in MARKED["dashboard"].splitlines():
        done(command)
    listed = boto3.client("cloudwatch").list_dashboards()["DashboardEntries"]
    assert {each["DashboardName"] for each in listed} == {"smwatch-my-training-job", "trainings"}


def test_the_policy_is_as_described() -> None:
    """Its actions are on the page."""
    statements = json.loads(done(MARKED["policy"]))["Statement"]
    added = [each for each in statements if each["Sid"] in {"PublishMetrics", "MakeDashboards"}]
    actions = {
        one
        for each in added
        for one in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert actions | {"cloudwatch:namespace"} <= names(PAGE)
    assert len(actions) == 3


@pytest.mark.parametrize("command", ["publish", "dashboard"])
def test_every_option_is_explained(command: str) -> None:
    """In the table of its command; no other."""
    tables = [section for section in PAGE.split("\n## ") if f"<!-- {command} -->" in section]
    table = rows(tables[0], "option", "what it does")
    listed = {each.split()[0] for first, _ in table for each in names(first)}
    own = {option.opts[-1] for option in main.commands[command].params if option.opts[-1][0] == "-"}
    shared = {"--region", "--profile", "--assume-role"}
    assert listed - EVERYWHERE - shared == own - EVERYWHERE - shared


def test_what_is_skipped_and_what_it_costs() -> None:
    """The words of the report, and the price of the code."""
    table = rows(PAGE, "`skipped`", "which points")
    assert [word.strip("`") for word, _ in table] == list(Skipped.__dataclass_fields__)
    assert f"{METRIC_USD_A_MONTH:.2f} USD a month" in prose(PAGE)
