"""In which store a run is looked for, and what of MLflow may be missing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.overlay.reader import OverlayReader
from mlflow_smwatch.tracking.serving import run_of, uri_of
from tests.overlay.conftest import Shown

BACKEND = "_MLFLOW_SERVER_FILE_STORE"
EARLIER = """
import sys
import mlflow
from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

late = (
    "mlflow.store.artifact.host_policy",
    "mlflow.utils.workspace_context",
    "mlflow.entities.presigned_download",
)
known = {name: sys.modules.get(name) for name in late}
sys.modules.update(dict.fromkeys(late))
from mlflow_smwatch.plugins import overlay_repository
sys.modules.update({name: module for name, module in known.items() if module})
assert overlay_repository.workspace() is None
if hasattr(artifact_repo, "MultipartDownloadMixin"):
    del artifact_repo.MultipartDownloadMixin

place, store = sys.argv[1:]
repository = get_artifact_repository(place, tracking_uri=store)
names = [each.path.rpartition("/")[2] for each in repository.list_artifacts("sagemaker")]
whole = repository.download_artifacts("sagemaker/model/model.tar.gz")
own = repository.download_artifacts("notes/own.txt")
print(names, whole.endswith("model.tar.gz"), open(own).read())
"""


def test_a_server_knows_its_store_from_the_start(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing has told MLflow yet, and under whatever name its handlers keep it."""
    run_id = shown.run("job").info.run_id
    monkeypatch.setenv(BACKEND, shown.uri)
    assert uri_of(None) == shown.uri
    found = run_of(run_id, None)
    assert found is not None
    assert found.info.run_id == run_id
    assert uri_of("sqlite:///other.db") == "sqlite:///other.db"
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACTS_ONLY", "true")
    assert uri_of(None) != shown.uri


def test_a_client_that_turns_to_another_store_asks_there(shown: Shown, tmp_path: Path) -> None:
    """At once: what the one before said is no answer."""
    repository = get_artifact_repository(shown.run("job").info.artifact_uri)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/empty.db")
    assert repository.list_artifacts() == []
    mlflow.set_tracking_uri(shown.uri)
    assert [each.path for each in repository.list_artifacts()] == ["sagemaker"]


def test_what_is_stored_is_listed_whatever_is_wrong_with_the_store(shown: Shown) -> None:
    """A driver that is not installed, say."""
    run = shown.run("job")
    shown.client.log_text(run.info.run_id, "own", "own.txt")
    repository = get_artifact_repository(run.info.artifact_uri, tracking_uri="mysql+none://h/d")
    assert [each.path for each in repository.list_artifacts()] == ["own.txt"]


@pytest.mark.slow
def test_an_earlier_mlflow_shows_the_same(shown: Shown) -> None:
    """Without host policy, workspaces, signed addresses."""
    run = shown.run("job")
    shown.client.log_text(run.info.run_id, "own", "notes/own.txt")
    command = (sys.executable, "-W", "ignore", "-c", EARLIER, run.info.artifact_uri, shown.uri)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = ["job.json", "lineage.html", "logs", "model", "output"]
    assert done.stdout == f"{names} True own\n"


def test_who_waits_for_credentials_waits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata service of a machine may take long; other accounts are there all the same."""
    asked, answer = threading.Event(), threading.Event()

    class Metadata(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            asked.set()
            answer.wait(10)
            self.send_error(404)

        def do_GET(self) -> None:
            self.do_PUT()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "20")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    reader = OverlayReader()
    with ThreadPoolExecutor(3) as pool:
        serving = pool.submit(server.serve_forever)
        waiting = pool.submit(reader.account, "us-east-1")
        assert asked.wait(20)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        try:
            pool.submit(reader.account, "eu-west-1").result(5)
            assert not waiting.done()
        finally:
            answer.set()
            waiting.exception(20)
            server.shutdown()
            serving.result(10)
            server.server_close()
