from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import mlflow_smwatch
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.forget import find
from mlflow_smwatch.run_pages import find_pages
from tests.cli.program import environment, run
from tests.jobs import LISTS, MINUTE_MS, arn, job_answer, now_ms
from tests.stores.contents import contents
from tests.stores.jobs import put_extreme, put_jobs
from tests.stores.proxy import proxied


@pytest.fixture(scope="module")
def first(
    account: EmulatedAccount, mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, object], str]:
    """Mirror the account into a server by the program: its streams, and the document."""
    folder = tmp_path_factory.mktemp("first")
    env = environment(folder, account.environment)
    done = run("sync", "--json", "--tracking-uri", mlflow_server, cwd=folder, env=env)
    assert done.code == 0, done.err
    return mlflow_server, done.document, done.err


@pytest.mark.slow
def test_only_the_document(first: tuple[str, dict[str, object], str]) -> None:
    """MLflow's client prints a line for each run that ends: none reaches stdout or stderr."""
    _, document, err = first
    assert document["jobs"] == {
        "seen": 4,
        "created": 4,
        "updated": 0,
        "unchanged": 0,
        "failed": 0,
    }
    assert document["warnings"] == []
    assert err == ""


@pytest.mark.usefixtures("aws")
def test_same_as_sqlite(first: tuple[str, dict[str, object], str], tmp_path: Path) -> None:
    """Field by field, a server holds what a database holds."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    report = mlflow_smwatch.sync(tracking_uri=uri)
    assert report.jobs["created"] == 4
    ours, theirs = contents(uri, tmp_path), contents(first[0], tmp_path)
    assert set(ours) == {arn(name) for name in ("plain", "second", "failed", "extreme")}
    for each, content in ours.items():
        for part, value in content.items():
            assert theirs[each][part] == value, (each, part)
    assert sum(len(points) for points in ours[arn("extreme")]["metrics"].values()) > 14 * 25
    assert len(ours[arn("extreme")]["params"]) == 104
    assert ours[arn("plain")]["models"]
    assert not ours[arn("failed")]["models"]


def test_second_sync_writes_nothing(
    first: tuple[str, dict[str, object], str], aws: EmulatedAccount, tmp_path: Path
) -> None:
    """Over REST too an unchanged account costs the listings and no write."""
    before = contents(first[0], tmp_path)
    report = mlflow_smwatch.sync(tracking_uri=first[0])
    assert report.jobs["unchanged"] == 4
    assert report.points == 0
    assert dict(aws.calls) == LISTS
    again = tmp_path / "again"
    again.mkdir()
    assert contents(first[0], again) == before


def test_pages_are_the_servers(first: tuple[str, dict[str, object], str]) -> None:
    """The links that are printed lead to the server itself."""
    uri, document, _ = first
    runs = document["runs"]
    assert isinstance(runs, list)
    assert all(line["url"].startswith(f"{uri}/#/experiments/") for line in runs)


@pytest.mark.slow
def test_no_mlflow_server(tmp_path: Path, mlflow_server: str) -> None:
    """An address that is no MLflow server's is refused at once."""
    env = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "r-1"}
    done = run(
        "sync",
        "--tracking-uri",
        f"{mlflow_server}/elsewhere",
        cwd=tmp_path,
        env=environment(tmp_path, env),
    )
    assert done.code == 3
    assert done.message == f"{mlflow_server}/elsewhere is no MLflow server (HTTP 404): check it"


def test_batches_within_the_servers_limits(aws: EmulatedAccount, mlflow_server: str) -> None:
    """No request is larger than a server takes: counted as they pass by, none split or refused."""
    put_extreme(aws, "wide")
    with proxied(mlflow_server) as proxy:
        report = mlflow_smwatch.sync("wide", tracking_uri=proxy.address)
        aws.remove_training_job("wide")
        assert report.jobs["created"] == 1
        batches = [
            (body, json.loads(body))
            for _, path, body in proxy.requests
            if path.endswith("/runs/log-batch")
        ]
    assert len(batches) > 1
    assert max(len(body) for body, _ in batches) > 100_000
    for body, content in batches:
        parts = [content.get(part, []) for part in ("params", "metrics", "tags")]
        assert sum(map(len, parts)) <= 1000
        assert len(parts[0]) <= 100
        assert len(parts[2]) <= 100
        assert len(body) <= 1_000_000


@pytest.mark.slow
def test_older_server_without_models(
    aws: EmulatedAccount, mlflow_server: str, tmp_path: Path
) -> None:
    """What an older server lacks is left out with one warning; all the rest is mirrored."""
    with proxied(mlflow_server, "/logged-models", "/runs/outputs") as proxy:
        folder = tmp_path / "run"
        folder.mkdir()
        env = environment(folder, aws.environment)
        put_jobs(aws, "older-a", "older-b")
        options = (
            "older-a",
            "older-b",
            "--workers",
            "1",
            "--tracking-uri",
            proxy.address,
            "--json",
        )
        done = run("sync", *options, cwd=folder, env=env)
        assert done.code == 0, done.err
        assert done.document["jobs"]["created"] == 2
        assert done.document["points"] == 14
        warnings = [each["warning"] for each in done.document["warnings"]]
        assert len(warnings) == 1
        assert "has no logged models" in warnings[0]
        again = run("sync", *options, cwd=folder, env=env)
    for name in ("older-a", "older-b"):
        aws.remove_training_job(name)
    assert again.document["jobs"]["unchanged"] == 2, again.document
    assert again.document["points"] == 0


def test_foreign_header_provider(mlflow_server: str, tmp_path: Path) -> None:
    """With sagemaker-mlflow installed no request to another server is changed or slowed."""
    assert "sagemaker-mlflow" in {
        each.dist.name
        for each in entry_points(group="mlflow.request_header_provider")
        if each.dist is not None
    }
    with proxied(mlflow_server) as proxy:
        done = run(
            "status",
            "--json",
            "--tracking-uri",
            proxy.address,
            cwd=tmp_path,
            env=environment(tmp_path),
        )
        assert (done.code, done.err) == (0, "")
        assert done.document["runs"] > 0
        assert proxy.headers
        for headers in proxy.headers:
            assert not {name for name in headers if "sm" in name.lower().split("-")}
            assert "Authorization" not in headers


@pytest.mark.usefixtures("aws")
def test_jobs_with_the_same_data(
    account: EmulatedAccount, mlflow_server: str, tmp_path: Path
) -> None:
    """Runs of an experiment share the row of a dataset, which several requests make at once."""
    created_ms = now_ms() - 60 * MINUTE_MS
    names = [f"same-{number}" for number in range(12)]
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{tmp_path.name}/train"}}
    for name in names:
        answer = job_answer(name, created_ms=created_ms, ended_ms=created_ms + MINUTE_MS)
        channels = [{"ChannelName": "train", "DataSource": source}]
        account.put_training_job({**answer, "InputDataConfig": channels})
    try:
        options = {"experiment": "shared", "metrics": "off", "tracking_uri": mlflow_server}
        report = mlflow_smwatch.sync(*names, **options)
    finally:
        for name in names:
            account.remove_training_job(name)
    assert report.failed == []
    assert report.jobs["created"] == len(names)


@pytest.mark.slow
def test_a_run_that_is_forgotten(aws: EmulatedAccount, mlflow_server: str) -> None:
    """A server erases nothing: the run lies in its trash, emptied of artifacts and its model."""
    put_jobs(aws, "forgotten")
    client = MlflowClient(tracking_uri=mlflow_server)
    try:
        (line,) = mlflow_smwatch.sync("forgotten", tracking_uri=mlflow_server).runs
        run_id = str(line.run_id)
        before = content_of(client, run_id)
        assert before["artifacts"]
        client.log_text(run_id, "mine", "notes/mine.txt")
        report = find(["forgotten"], mlflow_server).carry_out()
        assert ([each.run_id for each in report.removed], report.erased) == ([run_id], False)
        assert client.get_run(run_id).info.lifecycle_stage == "deleted"
        assert content_of(client, run_id)["artifacts"] == []
        again = find(["forgotten"], mlflow_server).carry_out()
        assert (again.removed, again.unmet) == ([], False)
        (warned,) = mlflow_smwatch.sync("forgotten", tracking_uri=mlflow_server).warnings
        assert "removed by 'smwatch forget'" in warned.warning
        mlflow_smwatch.sync("forgotten", tracking_uri=mlflow_server, restore=True)
        assert content_of(client, run_id) == before
        unchanged = mlflow_smwatch.sync("forgotten", tracking_uri=mlflow_server)
        assert unchanged.jobs["unchanged"] == 1
    finally:
        aws.remove_training_job("forgotten")
    (warned,) = mlflow_smwatch.sync("forgotten", tracking_uri=mlflow_server).warnings
    assert "no longer knows" in warned.warning
    assert client.get_run(run_id).data.tags["smwatch.gone"]
    page = find_pages("forgotten", mlflow_server)
    assert (page.opens, page.advice) == (line.url, None)


def content_of(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """Give what a run holds, but for the mirror's notes of time and the ids of models."""
    run = client.get_run(run_id)
    changing = {"smwatch.state", "smwatch.synced_at", "smwatch.forgotten"}
    models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    return {
        "tags": {key: each for key, each in run.data.tags.items() if key not in changing},
        "forgotten": "smwatch.forgotten" in run.data.tags,
        "params": run.data.params,
        "points": {
            key: [(each.timestamp, each.step, each.value) for each in points]
            for key in run.data.metrics
            for points in [client.get_metric_history(run_id, key)]
        },
        "models": [model.name for model in models],
        "artifacts": [each.path for each in client.list_artifacts(run_id)],
    }
