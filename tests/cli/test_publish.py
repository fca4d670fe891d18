"""``smwatch publish``, end to end: MLflow's points, read back from CloudWatch."""

from __future__ import annotations

import json
import math
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient
from mlflow.entities import Metric

import mlflow_smwatch
from mlflow_smwatch.cli import main
from mlflow_smwatch.core.published import PUBLISHED_TAG
from tests.cli.program import PROGRAM, environment
from tests.cli.shapes import misfits
from tests.guarded import GuardedAccount
from tests.jobs import DAY_MS, HOUR_MS, MINUTE_MS, now_ms, whole
from tests.stores.jobs import put_jobs

PUT = "cloudwatch:PutMetricData"
SHAPE: dict[Any, Any] = {
    "namespace": str,
    "region": str,
    "metrics": int,
    "points": int,
    "aws_calls": {str: int},
    "estimated_cost_usd": (int, float),
    "usd_a_month": (int, float),
    "runs": [
        {
            "run_id": str,
            "name": str,
            "experiment_id": str,
            "experiment": str,
            "dimensions": {str: str},
            "metrics": int,
            "points": int,
            "skipped": {"unstorable": int, "too_old": int, "too_new": int, "late": int},
            "mirrored": int,
        }
    ],
    "failed": [{"arn": str, "error": str}],
    "warnings": [{"arn": (str, type(None)), "warning": str}],
}

Samples = Sequence[tuple[int, float]]


@dataclass
class Store:
    """An account, and a database of MLflow's."""

    account: GuardedAccount
    database: Path

    @property
    def uri(self) -> str:
        """Its tracking URI."""
        return f"sqlite:///{self.database}"

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client of it."""
        return MlflowClient(tracking_uri=self.uri)

    def log(self, series: Mapping[str, Samples], name: str = "mine") -> str:
        """Log a run as a user does; its id."""
        run_id = str(self.client.create_run("0", run_name=name).info.run_id)
        self.log_more(run_id, series)
        return run_id

    def log_more(self, run_id: str, series: Mapping[str, Samples]) -> None:
        """Log points of a run, timestamp and value."""
        for key, samples in series.items():
            points = [Metric(key, value, at_ms, n) for n, (at_ms, value) in enumerate(samples)]
            for at in range(0, len(points), 1000):
                self.client.log_batch(run_id, points[at : at + 1000])

    def publish(self, *arguments: str) -> Result:
        """Run the command; the account's calls are its own afterwards."""
        self.account.reset_calls()
        return CliRunner().invoke(main, ["publish", "--tracking-uri", self.uri, *arguments])

    def published(self, *arguments: str) -> dict[str, Any]:
        """Publish well, and give the document."""
        done = self.publish(*arguments, "--json")
        assert done.exit_code == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@pytest.fixture(scope="module")
def account() -> Iterator[GuardedAccount]:
    """Serve an account for all tests here."""
    with GuardedAccount() as account:
        yield account


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does, once."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(
    account: GuardedAccount, empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Give the account with a store of the test's own; the environment leads to the account."""
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield Store(account, Path(shutil.copy(empty, tmp_path / "mlflow.db")))
    account.faults.clear()
    account.policy = None


def read_back(
    name: str, dimensions: Mapping[str, str], namespace: str = "mlflow"
) -> dict[int, tuple[float, float, float, float]]:
    """Read a metric: begin of a minute → number of points, sum, smallest, largest."""
    found: dict[int, list[float]] = {}
    end_ms = now_ms() + 3 * HOUR_MS
    statistics = ("SampleCount", "Sum", "Minimum", "Maximum")
    listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": listed}
    queries = [
        {"Id": stat.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
        for stat in statistics
    ]
    pages = boto3.client("cloudwatch").get_paginator("get_metric_data")
    for page in pages.paginate(
        MetricDataQueries=queries,
        StartTime=(end_ms - 14 * DAY_MS - 5 * HOUR_MS) / 1000,
        EndTime=end_ms / 1000,
    ):
        for result in page["MetricDataResults"]:
            place = [stat.lower() for stat in statistics].index(result["Id"])
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                row = found.setdefault(round(at.timestamp() * 1000), [math.nan] * 4)
                row[place] = value
    return {at: tuple(row) for at, row in found.items()}  # type: ignore[misc]


def truth(samples: Samples, times: int = 1) -> dict[int, tuple[Any, ...]]:
    """Say what CloudWatch must have of points."""
    minutes: dict[int, list[float]] = {}
    for at_ms, value in samples:
        minutes.setdefault(whole(at_ms), []).append(value)
    return {
        at: (times * len(each), pytest.approx(times * sum(each)), min(each), max(each))
        for at, each in minutes.items()
    }


def ours(run_id: str, experiment: str = "Default") -> dict[str, str]:
    """Give the dimensions that are used by default."""
    return {"RunId": run_id, "Experiment": experiment}


def curve(count: int, every_ms: int, start_ms: int | None = None) -> list[tuple[int, float]]:
    """Give points up to now, or from a moment on."""
    begin_ms = now_ms() - count * every_ms if start_ms is None else start_ms
    return [(begin_ms + n * every_ms, n / 3 - 50) for n in range(count)]


def test_any_run_is_published(store: Store) -> None:
    """Every point once, in its minute; what CloudWatch does not take is counted and said."""
    loss, accuracy = curve(2_500, 2_000), curve(50, 6 * HOUR_MS)
    odd = [(now_ms(), math.nan), (now_ms(), math.inf), (now_ms() - 20 * DAY_MS, 1.0)]
    ahead = [(now_ms() + 5 * HOUR_MS, 1.0), (now_ms(), 2.0)]
    run_id = store.log({"loss": loss, "val/größe": accuracy, "odd": odd, "ahead": ahead})
    document = store.published(run_id)
    assert misfits(document, SHAPE) == []
    assert (document["metrics"], document["points"]) == (3, 2_551)
    assert document["aws_calls"] == {"sts:GetCallerIdentity": 1, PUT: store.account.calls[PUT]}
    assert document["estimated_cost_usd"] == pytest.approx(store.account.calls[PUT] * 0.00001)
    assert document["usd_a_month"] == pytest.approx(0.90)
    (run,) = document["runs"]
    assert run["dimensions"] == ours(run_id)
    assert run["skipped"] == {"unstorable": 2, "too_old": 1, "too_new": 1, "late": 0}
    assert read_back("loss", ours(run_id)) == truth(loss)
    named = [
        each["MetricName"]
        for each in boto3.client("cloudwatch").list_metrics(Namespace="mlflow")["Metrics"]
        if {"Name": "RunId", "Value": run_id} in each["Dimensions"]
    ]
    (other,) = set(named) - {"loss", "ahead"}
    assert other.startswith("val/gr__e_")
    assert read_back(other, ours(run_id)) == truth(accuracy)
    assert "over two weeks old" in " ".join(each["warning"] for each in document["warnings"])


def test_again_publishes_only_what_is_new(store: Store) -> None:
    """Nothing, then the points that were logged since; a new destination gets all."""
    first = curve(30, MINUTE_MS)
    run_id = store.log({"loss": first})
    store.published("mine")
    again = store.published("mine")
    assert (again["points"], store.account.calls[PUT]) == (0, 0)
    further = curve(20, 1_000, first[-1][0] + 1)
    store.log_more(run_id, {"loss": further})
    assert store.published(run_id)["points"] == 20
    assert read_back("loss", ours(run_id)) == truth([*first, *further])
    moved = store.published(run_id, "--namespace", "My Team", "--dimension", "Run={run_name}")
    assert moved["points"] == 50
    assert read_back("loss", {"Run": "mine"}, "My Team") == truth([*first, *further])
    late = [(first[0][0] - 1, 1.0)]
    store.client.log_batch(run_id, [Metric("loss", late[0][1], late[0][0], 99)])
    told = store.published(run_id)
    assert (told["points"], told["runs"][0]["skipped"]["late"]) == (0, 1)
    assert read_back("loss", ours(run_id)) == truth([*first, *further])


def test_dry_run_forecasts(store: Store) -> None:
    """As many metrics, points and calls as are made then; nothing is put, nothing is noted."""
    run_id = store.log({"loss": curve(3_000, MINUTE_MS), "a/b": curve(5, 1)})
    shown = store.publish(run_id, "--dry-run")
    assert (shown.exit_code, store.account.calls[PUT]) == (0, 0)
    forecast = store.published(run_id, "--dry-run")
    assert PUBLISHED_TAG not in store.client.get_run(run_id).data.tags
    done = store.published(run_id)
    assert forecast["dry_run"]
    for key in ("metrics", "points", "estimated_cost_usd", "usd_a_month"):
        assert forecast[key] == done[key]
    assert forecast["aws_calls"] == {PUT: done["aws_calls"][PUT]}
    assert "0.60 USD for a month" in shown.stdout


def test_which_metrics(store: Store) -> None:
    """By pattern; utilisation only where it is wanted."""
    series = {key: curve(2, 1_000) for key in ("loss", "val/loss", "system/cpu")}
    run_id = store.log(series)
    assert store.published(run_id, "--metric", "val*")["metrics"] == 1
    assert store.published(run_id, "--dry-run")["metrics"] == 1
    assert store.published(run_id, "--dry-run", "--all-metrics")["metrics"] == 2
    assert store.published(run_id, "--dry-run", "--metric", "system/*")["metrics"] == 1
    refused = store.publish(run_id, "--metric", "none*", "--namespace", "other")
    assert refused.exit_code == 1
    assert "no metrics that are to be published" in refused.stderr


def test_a_crash_after_a_batch_is_put(store: Store) -> None:
    """What was put and could not be noted is put again, and that is one batch, no more."""
    series = curve(2_600, 2 * MINUTE_MS)
    run_id = store.log({"loss": series})
    with closing(sqlite3.connect(store.database)) as connection:
        connection.executescript(
            "CREATE TRIGGER broken BEFORE INSERT ON tags WHEN NEW.key = 'smwatch.published'"
            " AND NEW.value LIKE '%[2000,%' BEGIN SELECT json('{broken'); END;"
            "CREATE TRIGGER broken_too BEFORE UPDATE ON tags WHEN NEW.key = 'smwatch.published'"
            " AND NEW.value LIKE '%[2000,%' BEGIN SELECT json('{broken'); END;"
        )
    broken = store.publish(run_id)
    assert (broken.exit_code, store.account.calls[PUT]) == (1, 2)
    assert "noting what is published" in broken.stderr
    with closing(sqlite3.connect(store.database)) as connection:
        connection.executescript("DROP TRIGGER broken; DROP TRIGGER broken_too;")
    assert store.published(run_id)["points"] == 1_600
    expected = {**truth(series), **truth(series[1_000:2_000], times=2)}
    assert read_back("loss", ours(run_id)) == expected


def test_a_run_that_cannot_be_noted_on(store: Store) -> None:
    """Of it nothing is put; and a failing CloudWatch doubles nothing."""
    run_id = store.log({"loss": curve(10, MINUTE_MS)})
    with closing(sqlite3.connect(store.database)) as connection:
        connection.executescript(
            "CREATE TRIGGER broken BEFORE INSERT ON tags WHEN NEW.key = 'smwatch.published'"
            " BEGIN SELECT json('{broken'); END;"
        )
    assert store.publish(run_id).exit_code == 1
    assert store.account.calls[PUT] == 0
    with closing(sqlite3.connect(store.database)) as connection:
        connection.executescript("DROP TRIGGER broken")
    store.account.faults.deny(PUT)
    denied = store.publish(run_id)
    assert denied.exit_code == 1
    assert f"{PUT} is denied" in denied.stderr
    store.account.faults.clear()
    assert store.published(run_id)["points"] == 10


@pytest.mark.slow
def test_a_killed_program_goes_on(store: Store, tmp_path: Path) -> None:
    """After ``kill -9`` at any moment: every point is there, those of one batch twice at most."""
    series = curve(9_000, 2 * MINUTE_MS)
    run_id = store.log({"loss": series})
    env = {**environment(tmp_path, store.account.environment), "MLFLOW_TRACKING_URI": store.uri}
    command = (*PROGRAM, "publish", run_id)
    store.account.reset_calls()
    program = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 100
    while store.account.calls[PUT] < 3 and program.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    program.send_signal(signal.SIGKILL)
    program.wait(timeout=30)
    store.published(run_id)
    found, once = read_back("loss", ours(run_id)), truth(series)
    assert found.keys() == once.keys()
    assert sum(found[at][0] - once[at][0] for at in once) in {0, 1_000}


def test_what_the_mirror_wrote_is_not_published(store: Store) -> None:
    """Never into a loop: of a mirrored run only what its user added."""
    put_jobs(store.account, "alpha")
    mlflow_smwatch.sync("alpha", tracking_uri=store.uri, artifacts="none")
    refused = store.publish("alpha", "--all-metrics")
    assert (refused.exit_code, store.account.calls[PUT]) == (1, 0)
    assert "which the mirror read from AWS" in refused.stderr
    (run,) = store.client.search_runs(
        [each.experiment_id for each in store.client.search_experiments()],
        "tags.sagemaker.name = 'alpha'",
    )
    assert run.data.metrics
    store.log_more(run.info.run_id, {"mine": curve(5, MINUTE_MS)})
    document = store.published(run.data.tags["sagemaker.arn"], "--all-metrics")
    assert (document["metrics"], document["points"]) == (1, 5)
    assert document["runs"][0]["mirrored"] == len(run.data.metrics)
    store.client.set_tag(run.info.run_id, "smwatch.state", "spoiled")
    spoiled = store.publish("alpha", "--namespace", "other")
    assert (spoiled.exit_code, store.account.calls[PUT]) == (1, 0)


def test_names(store: Store) -> None:
    """A name of two runs is nobody's; the others are published all the same."""
    store.log({"a": curve(2, 1_000)}, "twice")
    store.log({"a": curve(2, 1_000)}, "twice")
    store.log({"a": curve(2, 1_000)}, "once")
    done = store.publish("twice", "once", "nobody", "--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert [each["name"] for each in document["runs"]] == ["once"]
    errors = {each["arn"]: each["error"] for each in document["failed"]}
    assert "name one by its run id" in errors["twice"]
    assert "no run of this name" in errors["nobody"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--namespace", "AWS/SageMaker"), "AWS's own"),
        (("--namespace", "/aws/sagemaker/TrainingJobs"), "AWS's own"),
        (("--dimension", "Team"), "KEY=VALUE"),
        (("--dimension", "Team={who}"), "{who} is unknown"),
        (("--region", "eu-west-1,us-east-1"), "one account and Region"),
    ],
)
def test_wrong_usage(store: Store, arguments: tuple[str, ...], reason: str) -> None:
    """Exit code 2, and nothing is asked of AWS."""
    done = store.publish("mine", *arguments)
    assert done.exit_code == 2
    assert reason in done.stderr
    assert not store.account.calls


def test_the_policy_is_enough_and_no_more(store: Store) -> None:
    """To publish into this namespace, and to make the dashboards of what is mirrored."""
    put_jobs(store.account, "gamma")
    mlflow_smwatch.sync("gamma", tracking_uri=store.uri, artifacts="none")
    run_id = store.log({"loss": curve(2, 1_000)})
    wanted = ["policy", "--kinds", "training-job", "--publishing", "mlflow"]
    printed = CliRunner().invoke(main, wanted)
    assert printed.exit_code == 0
    policy = json.loads(printed.stdout)
    (putting,) = [each for each in policy["Statement"] if each["Sid"] == "PublishMetrics"]
    assert putting["Condition"] == {"StringEquals": {"cloudwatch:namespace": "mlflow"}}
    writes = {"cloudwatch:PutMetricData", "cloudwatch:PutDashboard"}
    store.account.policy = policy
    store.account.used.clear()
    assert store.published(run_id)["points"] == 2
    made = CliRunner().invoke(main, ["dashboard", "gamma", "--tracking-uri", store.uri])
    assert made.exit_code == 0, made.stderr
    assert set(store.account.used) >= {*writes, "cloudwatch:GetDashboard"}
    without = CliRunner().invoke(main, ["policy"])
    assert not any(each in without.stdout for each in writes)
