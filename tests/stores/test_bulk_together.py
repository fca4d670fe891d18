"""Batches written at once, by several writers, by writers that are killed, and by a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

import mlflow_smwatch
from mlflow_smwatch.tracking.bulk_store import BulkStore
from tests.stores.contents import contents
from tests.stores.servers import mlflow_server_on

STORES: tuple[Any, Any] = (SqlAlchemyStore, BulkStore)

POINTS = 400
WRITERS, ROUNDS = 4, 12

WRITER = """
import sys
from itertools import count
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
uri, run_id, points = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = MlflowClient(uri)._tracking_client.store
for n in count():
    metrics = [Metric(f"k{each % 8}", float(n), each, n) for each in range(points)]
    store.log_batch(run_id, metrics, [Param(f"p{n}", "1")], [RunTag("n", str(n))])
    print(n, flush=True)
"""


@pytest.mark.slow
def test_killed_writers_leave_whole_batches(tmp_path: Path) -> None:
    """Of a batch there are all points, its param and its tag, or nothing."""
    uri = f"smwatch+sqlite:///{tmp_path}/mlflow.db"
    client, chance = MlflowClient(uri), Random(5)
    for _ in range(3):
        run_id = client.create_run("0").info.run_id
        command = [sys.executable, "-W", "ignore", "-c", WRITER, uri, run_id, str(POINTS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as writer:
            assert writer.stdout
            assert writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.3))
            os.kill(writer.pid, signal.SIGKILL)
        data = client.get_run(run_id).data
        histories = [client.get_metric_history(run_id, key) for key in data.metrics]
        written = sum(len(history) for history in histories)
        assert written == POINTS * len(data.params) > 0
        assert set(data.metrics.values()) == {float(data.tags["n"])}
        assert int(data.tags["n"]) == len(data.params) - 1


def write_rounds(store: Any, run_id: str, writer: int) -> None:
    """Log what all writers log, and what is the writer's own, in an order of its own."""
    order = list(range(ROUNDS))
    Random(writer).shuffle(order)
    for step in order:
        shared = [Metric(f"shared {n}", float(step), step, step) for n in range(20)]
        own = [Metric(f"own {writer}", float(n), n, step) for n in range(20)]
        metrics = [*own, *shared] if writer % 2 else [*reversed(shared), *own]
        params = [Param(f"of {writer}", "1")]
        if isinstance(store, BulkStore):  # two of MLflow's own refuse each other's new params
            params.append(Param(f"p{step}", "1"))
        store.log_batch(run_id, metrics, params, [RunTag("t", "v"), RunTag(f"t{step}", str(step))])


def check_writers(uri: str, folder: Path) -> None:
    """Write one run by several stores at once, one of them MLflow's own."""
    own_store, bulk_store = STORES
    stores = [bulk_store(uri, str(folder)) for _ in range(WRITERS - 1)]
    run_id = stores[0].create_run("0", "me", 0, [], "name").info.run_id
    every = [*stores, own_store(uri, str(folder))] if uri.startswith("sqlite") else stores
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write_rounds, every, [run_id] * len(every), range(len(every))))
    data = stores[0].get_run(run_id).data
    assert len(data.params) == ROUNDS + len(every)
    assert {f"t{n}" for n in range(ROUNDS)} <= set(data.tags)
    for key, value in data.metrics.items():
        assert value == (ROUNDS - 1 if key.startswith("shared") else 19), key
    count = sqlalchemy.text("SELECT count(*) FROM metrics WHERE run_uuid = :run_id")
    with stores[0].engine.connect() as connection:
        held = connection.execute(count, {"run_id": run_id}).scalar()
    assert held == ROUNDS * 20 * (1 + len(every))


def test_writers_at_once(tmp_path: Path) -> None:
    """Nothing is lost, doubled or refused; MLflow's own store may be among them."""
    check_writers(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)


@pytest.mark.postgresql
def test_writers_at_once_in_postgresql(postgresql: str, tmp_path: Path) -> None:
    """The same where writers hold rows, not the whole database."""
    check_writers(os.environ.get("SMWATCH_TEST_DATABASE") or f"postgresql://{postgresql}", tmp_path)


def ask(address: str, path: str, question: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask a server for what its pages show."""
    data = json.dumps(question).encode() if question else None
    request = urllib.request.Request(
        f"{address}/{path}", data=data, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.mark.slow
def test_a_server_with_it(tmp_path: Path) -> None:
    """Batches over REST, the pages of models and traces; MLflow's own server goes on with it."""
    database = f"sqlite:///{tmp_path}/mlflow.db"
    with mlflow_server_on(f"smwatch+{database}", tmp_path) as address:
        client = MlflowClient(address)
        run_id = client.create_run("0").info.run_id
        metrics = [Metric("loss", float(n), n, n) for n in range(900)]
        client.log_batch(run_id, metrics, [Param("p", "1")], [RunTag("mlflow.runName", "named")])
        client.create_registered_model("model")
        models = ask(address, "ajax-api/2.0/mlflow/registered-models/search")
        assert [each["name"] for each in models["registered_models"]] == ["model"]
        trace = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
        assert "error_code" not in ask(
            address, "ajax-api/3.0/mlflow/traces/search", {"locations": [trace]}
        )
        assert client.get_experiment("0").artifact_location == "mlflow-artifacts:/0"
    plain = MlflowClient(database)
    run = plain.get_run(run_id)
    assert (run.info.run_name, run.data.params, run.data.metrics) == (
        "named",
        {"p": "1"},
        {"loss": 899.0},
    )
    assert len(plain.get_metric_history(run_id, "loss")) == 900
    assert plain.get_registered_model("model").name == "model"


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_mirrors_by_both_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is made absolute; a mirror by the plain URI finds all that is there."""
    monkeypatch.chdir(tmp_path)
    report = mlflow_smwatch.sync(tracking_uri="smwatch+sqlite:///mlflow.db")
    assert report.jobs["created"] == 4, report.failed
    plain = f"sqlite:///{tmp_path}/mlflow.db"
    again = mlflow_smwatch.sync(tracking_uri=plain)
    assert again.jobs["unchanged"] == 4
    beside = f"sqlite:///{tmp_path}/beside.db"
    mlflow_smwatch.sync(tracking_uri=beside)
    assert contents(beside) == contents(plain)
    places = [
        {each.name: each.artifact_location.rpartition("/")[0] for each in found}
        for found in (MlflowClient(uri).search_experiments() for uri in (plain, beside))
    ]
    assert places[0] == places[1]
