"""The stores as MLflow finds them by their URIs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlflow_smwatch.plugins.stores import registry_store, tracking_store, workspace_store

STRICT = ("-W", "error", "-W", "ignore::DeprecationWarning")
"""SQLAlchemy tells MLflow of what it will drop; what fails to register is no such warning."""

USE = """
from mlflow import MlflowClient
client = MlflowClient({uri!r})
assert type(client._tracking_client.store).__name__ == {name!r}
print(client.search_experiments()[0].artifact_location, client.search_registered_models())
"""


def fresh(folder: Path, program: str, **environment: str) -> str:
    """Run a program in an interpreter of its own."""
    command = [sys.executable, *STRICT, "-c", program]
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "import mlflow",
        "import mlflow.tracking",
        "import mlflow.store.tracking.sqlalchemy_store",
        "import mlflow_smwatch.plugins.stores",
    ],
)
def test_whatever_is_imported_first(tmp_path: Path, first: str) -> None:
    """Every scheme registers while MLflow imports itself; new experiments lie where they would."""
    uri = f"smwatch+sqlite:///{tmp_path}/mlflow.db"
    said = fresh(tmp_path, f"{first}\n" + USE.format(uri=uri, name="BulkStore"))
    assert said == f"{tmp_path}/mlruns/0 []"


@pytest.mark.slow
def test_with_workspaces(tmp_path: Path) -> None:
    """They are MLflow's own store's, and found by the same URI."""
    pytest.importorskip("mlflow.store.tracking.sqlalchemy_workspace_store")
    uri = f"smwatch+sqlite:///{tmp_path}/mlflow.db"
    program = f"""
import mlflow
mlflow.set_workspace("default")
{USE.format(uri=uri, name="WorkspaceBulkStore")}
run = client.create_run("0").info.run_id
client.log_batch(run, [mlflow.entities.Metric("a", 1.0, 2, 3)])
assert client.get_run(run).data.metrics == {{"a": 1.0}}
assert client._tracking_client.store._writes_in_bulk
from mlflow.tracking._workspace.registry import get_workspace_store
print([each.name for each in get_workspace_store({uri!r}).list_workspaces()])
"""
    assert fresh(tmp_path, program, MLFLOW_ENABLE_WORKSPACES="true").endswith("['default']")


@pytest.mark.slow
def test_a_replica_is_the_servers(tmp_path: Path) -> None:
    """A server reads from it, by either form of its URI; a client does not."""
    program = f"""
import mlflow.server.handlers
from mlflow_smwatch.plugins.stores import registry_store, tracking_store
uri = "smwatch+sqlite:///{tmp_path}/mlflow.db"
client = tracking_store(uri)
server, models = tracking_store(uri, "mlflow-artifacts:/"), registry_store(uri)
print(client.read_engine, server.read_engine.url, models.read_engine.url)
"""
    replica = f"sqlite:///{tmp_path}/mlflow.db?timeout=20"
    said = fresh(tmp_path, program, _MLFLOW_SERVER_READ_REPLICA_BACKEND_STORE=f"smwatch+{replica}")
    assert said == f"None {replica} {replica}"


def test_plain_uris_reach_the_database(tmp_path: Path) -> None:
    """MLflow's stores are given the URI that they know."""
    plain = f"sqlite:///{tmp_path}/mlflow.db"
    store = tracking_store(f"smwatch+{plain}", str(tmp_path))
    assert (store.db_uri, store.artifact_root_uri) == (plain, str(tmp_path))  # type: ignore[attr-defined]
    assert str(registry_store(f"smwatch+{plain}").engine.url) == plain  # type: ignore[attr-defined]
    assert workspace_store(f"smwatch+{plain}")._engine.url.database == f"{tmp_path}/mlflow.db"  # type: ignore[attr-defined]
