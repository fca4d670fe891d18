"""docs/alarms.md: its example runs, its names and numbers are those of the code."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_smwatch.cli import main
from mlflow_smwatch.core.alarm_history import STATES
from mlflow_smwatch.core.alarms import SHOWN_ALARMS
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.docs.documents import blocks, names, read, rows
from tests.jobs import MINUTE_MS, NAMESPACE, job_answer, moment, now_ms

PAGE = read("docs/alarms.md")
MARKED = {block.mark: block.text for block in blocks(PAGE) if block.mark}


def test_the_example_lists_what_is_raised(
    empty_database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After the command of the page; each member of the tag is explained."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{empty_database}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    created_ms = now_ms() - 20 * MINUTE_MS
    host = {"Name": "Host", "Value": "alarmed/algo-1"}
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        account.put_training_job(job_answer("alarmed", created_ms=created_ms))
        cloudwatch = boto3.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="hot",
            Namespace=NAMESPACE,
            MetricName="CPUUtilization",
            Dimensions=[host],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=3,
            DatapointsToAlarm=2,
            Threshold=90.0,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(hot)")
        with account.clock.at(moment(created_ms + 5 * MINUTE_MS)):
            cloudwatch.set_alarm_state(
                AlarmName="hot", StateValue="ALARM", StateReason="Threshold Crossed"
            )
        done = CliRunner().invoke(main, shlex.split(MARKED["sync"])[1:])
        assert done.exit_code == 0, done.output
    exec(MARKED["raised"], {})  # noqa: S102 - the page's own text
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("alarmed: CPUUtilization since 20")
    assert line.endswith("Z, Threshold Crossed")
    client = MlflowClient(uri)
    ids = [each.experiment_id for each in client.search_experiments()]
    (run,) = [each for each in client.search_runs(ids) if each.info.run_name == "alarmed"]
    members = {
        member
        for key, text in run.data.tags.items()
        if key.startswith("sagemaker.alarm.")
        for member in json.loads(text)
    }
    explained = {one for row in rows(PAGE, "member", "value") for one in names(row[0])}
    assert members == explained


def test_the_statement_is_what_the_command_prints() -> None:
    """To the letter; without the option there is none."""

    def printed(*options: str) -> list[object]:
        done = CliRunner().invoke(main, ["policy", *options])
        return [each for each in json.loads(done.stdout)["Statement"] if "Alarms" in each["Sid"]]

    assert printed("--alarms") == [json.loads(MARKED["statement"])]
    assert printed() == []


def test_numbers_and_states_are_those_of_the_code() -> None:
    """As the page words them."""
    assert f"A run shows {SHOWN_ALARMS} alarms" in PAGE
    for state, value in STATES.items():
        assert f"{value:g} for `{state}`" in PAGE
