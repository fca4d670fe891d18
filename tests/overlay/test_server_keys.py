"""``mlflow server`` to which nobody has told a key: by whose seals it shows jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

import mlflow_smwatch
from mlflow_smwatch.core import tags as names
from tests.jobs import arn
from tests.overlay.conftest import CREATED_MS, LOG, TAIL, Shown, knowing
from tests.overlay.test_server import Server
from tests.stores.servers import mlflow_server_on

LOGS = "sagemaker/logs"


def mirrored(uri: str) -> str:
    """Mirror the account's job with ``--artifacts overlay``; gives its run."""
    mlflow_smwatch.sync(
        tracking_uri=uri, kinds=("training-job",), artifacts="overlay", name_contains="job"
    )
    client = MlflowClient(tracking_uri=uri)
    ids = [each.experiment_id for each in client.search_experiments()]
    (run,) = client.search_runs(ids, "tags.`sagemaker.name` = 'job'")
    return str(run.info.run_id)


def made_by_one_who_knows(uri: str, run_id: str) -> str:
    """Make another run where a run is, with the seal of somebody who may read that run."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_run(run_id).info.experiment_id
    made = client.create_run(experiment, start_time=CREATED_MS, tags={names.ARN: arn("job")})
    client.set_tag(made.info.run_id, names.SEAL, knowing(made.info.run_id, "job"))
    return str(made.info.run_id)


def soon(holds: Callable[[], bool]) -> bool:
    """Whether something holds before answers of a server can be old no more."""
    end = time.monotonic() + 30
    while not holds() and time.monotonic() < end:
        time.sleep(0.2)
    return holds()


@pytest.mark.slow
def test_a_server_has_its_databases_key(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By knowledge where the mirror only has its address; once a mirror made a key, by that."""
    monkeypatch.delenv("SMWATCH_SEAL_KEY")
    assert shown.account.endpoint
    database = f"sqlite:///{tmp_path}/mlflow.db"
    destination = f"smwatch+{tmp_path.as_uri()}/served"
    with mlflow_server_on(database, tmp_path, destination) as address:
        run_id = mirrored(address)
        server = Server(address, run_id, run_id, "", tmp_path)
        assert server.listed(run_id, LOGS) == [LOG, TAIL]
        other = made_by_one_who_knows(address, run_id)
        assert server.listed(other, LOGS) == [LOG, TAIL]
        assert mirrored(database) == run_id
        assert soon(lambda: server.listed(other, LOGS) == [])
        assert server.listed(run_id, LOGS) == [LOG, TAIL]
        assert server.file(run_id, TAIL).status == 200
