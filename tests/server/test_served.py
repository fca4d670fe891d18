"""A real server with two workers: one mirror, jobs in MLflow, pages, and MLflow's own checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import put_loss
from tests.server.served import Server, serving, tracking_uri, until
from tests.stores.jobs import put_jobs
from tests.ui.hostile import IMAGE, NAME, hostile_job


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve an account of three jobs, one of them hostile, until all are mirrored."""
    with EmulatedAccount() as account:
        put_jobs(account, "alpha", "beta", tags={"team": "vision"})
        answer, tags, losses = hostile_job()
        account.put_training_job(answer, tags)
        metric = answer["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"]
        put_loss(account, NAME, losses, metric)
        folder = tmp_path_factory.mktemp("served")
        settings = {
            "SMWATCH_TRACKING_URI": "http://127.0.0.1:9",
            "SMWATCH_EXPERIMENT": IMAGE,
            "SMWATCH_KINDS": "training-job",
        }
        with serving(folder, account.environment, "--workers", "2", **settings) as server:
            until(lambda: server.health()["state"] == "fresh", server)
            until(lambda: server.status()["store"].get("runs") == 3, server)
            yield server


def test_one_mirror_writes_to_the_servers_own_store(server: Server) -> None:
    """Whatever SMWATCH_TRACKING_URI says; the store's URI is not on a command line."""
    (mirror,) = server.mirrors()
    status = server.status()
    assert status["worker"]["pid"] == status["watch"]["pid"] == mirror.pid
    assert "mlflow.db" not in " ".join(mirror.cmdline())
    assert status["watch"]["jobs"]["created"] == 3
    assert status["store"]["kinds"] == {"training-job": 3}
    assert status["watch"]["days"][0]["aws_calls"]["sagemaker:Search"] >= 2
    assert '"message": "watching every 1 s' in server.log


def test_artifacts_are_where_the_server_puts_them(server: Server) -> None:
    """The experiment's place is the server's; a client downloads through it."""
    direct = MlflowClient(tracking_uri=tracking_uri(server))
    experiment = direct.get_experiment_by_name(IMAGE)
    assert experiment is not None
    assert experiment.artifact_location == f"mlflow-artifacts:/{experiment.experiment_id}"
    client = MlflowClient(tracking_uri=server.address)
    (run,) = client.search_runs([experiment.experiment_id], "tags.`sagemaker.name` = 'alpha'")
    names = [each.path for each in client.list_artifacts(run.info.run_id, "sagemaker")]
    assert names == ["sagemaker/job.json", "sagemaker/lineage.html"]
    local = client.download_artifacts(run.info.run_id, "sagemaker/job.json")
    with open(local, encoding="utf-8") as file:  # noqa: PTH123 - MLflow gives a text
        assert '"TrainingJobName": "alpha"' in file.read()


def test_the_page(server: Server) -> None:
    """It loads nothing, runs nothing, and every text of AWS is escaped."""
    page = server.get("/smwatch")
    assert page.status == 200
    assert "up to date" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert escape(IMAGE) in page.text
    links = set(re.findall(r'(?:href|src)="([^"]*)"', page.text))
    assert {each for each in links if not each.startswith("./#/experiments/")} == {
        "./",
        "smwatch/status.json",
    }


def test_the_other_form_of_its_address(server: Server) -> None:
    """A slash at the end leads to the page."""
    assert "<h1>SageMaker mirror</h1>" in server.get("/smwatch/").text
    assert server.get("/smwatch/other").status == 404


@pytest.mark.parametrize("path", ["/smwatch", "/smwatch/status.json", "/smwatch/health"])
def test_mlflows_check_of_the_host_holds(server: Server, path: str) -> None:
    """A page of another name that points to this address learns nothing."""
    found = server.get(path, Host="evil.example")
    assert found.status == 403
    assert "Invalid Host header" in found.text


def test_mlflows_own_routes(server: Server) -> None:
    """They are as without the mirror."""
    assert server.get("/health").text == "OK"
    assert server.get("/version").status == 200
    assert "<title>MLflow</title>" in server.get("/").text
    assert server.get("/ajax-api/2.0/mlflow/experiments/search?max_results=5").status == 200


def test_its_end(server: Server) -> None:
    """The last test: the mirror ends with the server, and nothing went wrong."""
    assert server.stop() == 0
    assert server.mirrors() == []
    assert "Traceback" not in server.log
