"""``smwatch dashboard``, end to end: read back by GetDashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

import mlflow_smwatch
from mlflow_smwatch.cli import main
from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.cli.shapes import misfits
from tests.jobs import HOUR_MS, arn, job_answer, now_ms

SHAPE: dict[Any, Any] = {
    "name": str,
    "url": str,
    "of": str,
    "jobs": int,
    "widgets": int,
    "metrics": int,
    "left_out": int,
    "replaced": bool,
    "warnings": [str],
}
EXPERIMENT = "sagemaker/training-jobs"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve three jobs, the tuning job of one of them, an endpoint; give the store of all."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("dashboards")
    patch.chdir(folder)
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            patch.setenv(name, value)
        begin_ms = now_ms() - 3 * HOUR_MS
        life: dict[str, Any] = {"created_ms": begin_ms, "ended_ms": begin_ms + HOUR_MS}
        tuning: dict[str, Any] = {
            "TuningJobArn": kinds.kind_arn("hyper-parameter-tuning-job/tuning")
        }
        account.put_training_job(job_answer("one", **life, hosts=2))
        account.put_training_job(job_answer("two", **life, **tuning))
        account.put_training_job(job_answer("three", **life))
        account.put_job("tuning-job", kinds.tuning_job("tuning", **life))
        account.put_model(kinds.model("model", created_ms=begin_ms))
        account.put_endpoint_config(kinds.endpoint_config("config", created_ms=begin_ms))
        account.put_job("endpoint", kinds.endpoint("live", created_ms=begin_ms))
        store = f"sqlite:///{folder}/mlflow.db"
        wanted = ("training-job", "tuning-job", "endpoint")
        report = mlflow_smwatch.sync(tracking_uri=store, kinds=wanted, artifacts="none")
        assert report.failed == []
        yield store
    patch.undo()


def dashboard(uri: str, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["dashboard", "--tracking-uri", uri, *arguments])


def made(uri: str, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a dashboard; give the document and the body that CloudWatch has."""
    done = dashboard(uri, *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert misfits(document, SHAPE) == []
    client = boto3.client("cloudwatch")
    body = client.get_dashboard(DashboardName=document["name"])["DashboardBody"]
    return document, json.loads(body)


def rows(body: dict[str, Any]) -> list[list[Any]]:
    """Give the metrics of all graphs."""
    return [row for each in body["widgets"] for row in each["properties"].get("metrics", ())]


def test_a_job(uri: str) -> None:
    """Its algorithm and its hosts, with a link to its run; made anew when it is asked for again."""
    document, body = made(uri, "one")
    assert document["name"] == "smwatch-one"
    assert document["of"] == arn("one")
    assert document["url"].endswith("?region=us-east-1#dashboards/dashboard/smwatch-one")
    assert len(rows(body)) == document["metrics"] == 11
    assert "/#/experiments/" in body["widgets"][0]["properties"]["markdown"]
    assert not document["replaced"]
    again, same = made(uri, arn("one"))
    assert (again["replaced"], same) == (True, body)


def test_an_experiment(uri: str) -> None:
    """A line for each of its jobs, in one graph for each metric."""
    document, body = made(uri, EXPERIMENT, "--name", "trainings")
    assert (document["name"], document["of"], document["jobs"]) == ("trainings", EXPERIMENT, 2)
    (loss,) = [each for each in body["widgets"] if each["properties"].get("title") == "loss"]
    assert {row[-1]["label"] for row in loss["properties"]["metrics"]} == {"one", "three"}


def test_a_group(uri: str) -> None:
    """A tuning job has no metrics of its own: its jobs' are shown."""
    document, body = made(uri, "tuning")
    assert document["of"] == kinds.kind_arn("hyper-parameter-tuning-job/tuning")
    assert sorted({row[3] for row in rows(body)}) == ["two", "two/algo-1"]


def test_an_endpoint(uri: str) -> None:
    """Its invocations, and its latencies with their percentiles."""
    _, body = made(uri, "live", "--latency-percentiles", "p50,p99")
    assert body["start"] == "-P1D"
    named = {(row[1], row[-1]["stat"]) for row in rows(body)}
    assert named >= {
        ("Invocations", "Sum"),
        ("Invocation5XXErrors", "Sum"),
        ("ModelLatency", "Average"),
        ("ModelLatency", "p50"),
        ("ModelLatency", "p99"),
    }
    assert all("live" in row for row in rows(body))


def test_a_dashboard_of_somebody_elses(uri: str) -> None:
    """It stays, unless it may go; so does one of another job."""
    client = boto3.client("cloudwatch")
    client.put_dashboard(DashboardName="theirs", DashboardBody='{"widgets": []}')
    refused = dashboard(uri, "one", "--name", "theirs")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--replace" in refused.stderr
    assert client.get_dashboard(DashboardName="theirs")["DashboardBody"] == '{"widgets": []}'
    document, body = made(uri, "one", "--name", "theirs", "--replace")
    assert document["replaced"]
    assert rows(body)
    assert dashboard(uri, "two", "--name", "theirs").exit_code == 1


def test_print_writes_nothing(uri: str) -> None:
    """The body on stdout, as PutDashboard takes it."""
    shown = dashboard(uri, "two", "--name", "only-printed", "--print")
    assert shown.exit_code == 0, shown.stderr
    assert rows(json.loads(shown.stdout))
    listed = boto3.client("cloudwatch").list_dashboards()["DashboardEntries"]
    assert "only-printed" not in {each["DashboardName"] for each in listed}


def test_without_mlflow(tmp_path: Path, uri: str) -> None:
    """A job that AWS knows has a dashboard, without a link; that is said."""
    done = dashboard(f"sqlite:///{tmp_path}/none.db", "one", "--print")
    assert done.exit_code == 0, done.stderr
    assert "without links to MLflow" in done.stderr
    assert "/#/experiments/" not in done.stdout
    assert not (tmp_path / "none.db").exists()
    assert uri


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("nobody",), 1, "AWS has no job 'nobody'"),
        (("one", "--name", "a b"), 2, "--name"),
        (("one", "--region", "eu-west-1,us-east-1"), 2, "one account and Region"),
    ],
)
def test_refusals(uri: str, arguments: tuple[str, ...], code: int, reason: str) -> None:
    """One line, and the documented exit code."""
    done = dashboard(uri, *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert reason in done.stderr
