"""Who runs the mirror when processes die, and what other servers and wrong settings make of it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.server.place import place_of
from tests.cli.program import SOURCE
from tests.server.served import Server, is_alive, serving, until
from tests.stores.jobs import put_jobs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account with one job."""
    with EmulatedAccount() as account:
        put_jobs(account, "alpha", tags={"team": "vision"})
        yield account


def mirrored(server: Server) -> bool:
    return bool(server.health()["state"] == "fresh")


@contextmanager
def counted(server: Server) -> Iterator[list[int]]:
    """Count the mirrors again and again while a block runs."""
    counts, ended = [], threading.Event()

    def count() -> None:
        while not ended.wait(0.05):
            counts.append(len(server.mirrors()))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


def test_the_elected_worker_is_killed_then_the_server_is_stopped(
    account: EmulatedAccount, tmp_path: Path
) -> None:
    """Its mirror ends, another worker's begins, at no moment are there two; nothing is left."""
    with serving(tmp_path, account.environment, "--workers", "2") as server:
        until(lambda: mirrored(server), server)
        first = server.status()["worker"]
        with counted(server) as counts:
            os.kill(first["worker_pid"], signal.SIGKILL)
            until(lambda: not is_alive(first["pid"]), server)
            until(
                lambda: mirrored(server) and server.status()["worker"]["pid"] != first["pid"],
                server,
            )
        assert max(counts) == 1
        second = server.status()["worker"]
        assert second["worker_pid"] != first["worker_pid"]
        assert server.status()["watch"]["jobs"]["created"] == 0
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 15
        assert server.mirrors() == []
        assert "SIGTERM: finishing the batch in hand" in server.log
        assert "Traceback" not in server.log


def test_the_mirror_is_killed(account: EmulatedAccount, tmp_path: Path) -> None:
    """The worker starts it again; one worker is a server too."""
    with serving(tmp_path, account.environment, "--workers", "1") as server:
        until(lambda: mirrored(server), server)
        first = server.status()["worker"]
        os.kill(first["pid"], signal.SIGKILL)
        until(lambda: server.status()["worker"].get("pid") not in {first["pid"], None}, server)
        assert server.status()["worker"]["worker_pid"] == first["worker_pid"]
        assert "smwatch's mirror ended with code -9" in server.log
        server.stop()
        assert server.mirrors() == []


def test_gunicorn_behind_a_prefix(account: EmulatedAccount, tmp_path: Path) -> None:
    """The same pages, the same checks, one mirror, a clean end."""
    options = ("--workers", "2", "--gunicorn-opts", "--log-level warning")
    prefix = ("--static-prefix", "/mlflow")
    with serving(tmp_path, account.environment, *options, *prefix) as server:
        until(lambda: server.get("/mlflow/smwatch/health").status == 200, server)
        until(lambda: len(server.mirrors()) == 1, server)
        until(lambda: "up to date" in server.get("/mlflow/smwatch").text, server)
        assert server.get("/smwatch").status == 404
        assert server.get("/mlflow/smwatch", Host="evil.example").status == 403
        assert server.get("/mlflow/health").text == "OK"
        server.stop()
        assert server.mirrors() == []
        assert "SIGTERM: finishing the batch in hand" in server.log


def test_uvicorn_behind_a_prefix_without_credentials(tmp_path: Path) -> None:
    """The page says what is wrong; MLflow is served."""
    options = ("--workers", "1", "--static-prefix", "/mlflow")
    with serving(tmp_path, {"AWS_DEFAULT_REGION": "us-east-1"}, *options) as server:
        page = "/mlflow/smwatch"
        until(lambda: server.get(f"{page}/health").document["state"] == "ended", server)
        health = server.get(f"{page}/health")
        assert health.status == 503
        assert "credentials" in health.document["reason"]
        assert "credentials" in server.get(page).text
        assert server.get(f"{page}/status.json").document["worker"]["exit_code"] == 3
        assert server.get("/mlflow/health").text == "OK"
        assert server.mirrors() == []


def test_wrong_options_are_told(account: EmulatedAccount, tmp_path: Path) -> None:
    """With the message of the command line."""
    wrong = {"SMWATCH_SINCE": "<b>soon</b>"}
    with serving(tmp_path, account.environment, "--workers", "1", **wrong) as server:
        until(lambda: server.health()["state"] == "ended", server)
        assert "--since '<b>soon</b>': give an ISO time" in server.health()["reason"]
        assert "&lt;b&gt;soon&lt;/b&gt;" in server.get("/smwatch").text
        assert server.status()["worker"]["exit_code"] == 2


def test_a_file_store(account: EmulatedAccount, tmp_path: Path) -> None:
    """It cannot keep a mirror; the server goes on."""
    kept = {"MLFLOW_ALLOW_FILE_STORE": "true"}
    with serving(
        tmp_path, account.environment, "--workers", "1", store=str(tmp_path / "runs"), **kept
    ) as server:
        health = server.health()
        assert health["state"] == "absent"
        assert "file store cannot keep a mirror" in health["reason"]
        assert "file store cannot keep a mirror" in server.get("/smwatch").text
        assert server.log.count("smwatch runs no mirror") == 1
        assert server.mirrors() == []


def test_a_place_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the mirror, and is told; MLflow is served."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    place = place_of(f"sqlite:///{tmp_path}/mlflow.db").folder
    place.rmdir()
    place.touch()
    with serving(tmp_path, {}, "--workers", "1") as server:
        assert "cannot be made: File exists" in server.health()["reason"]
        assert "cannot be made: File exists" in server.get("/smwatch").text
        assert server.get("/health").text == "OK"
        assert server.mirrors() == []


@pytest.mark.parametrize("broken", ["server/service.py", "server/lifespan.py"])
def test_a_broken_installation(tmp_path: Path, broken: str) -> None:
    """MLflow is served without us, and the log says why."""
    copied = tmp_path / "source" / "mlflow_smwatch"
    shutil.copytree(SOURCE / "mlflow_smwatch", copied)
    (copied / broken).write_text("from nowhere import nothing\n")
    path = str(copied.parent)
    with serving(tmp_path, {}, "--workers", "1", PYTHONPATH=path) as server:
        assert server.get("/health").text == "OK"
        assert server.get("/ajax-api/2.0/mlflow/experiments/search?max_results=5").status == 200
        assert server.get("/smwatch").status == 404
        assert "smwatch is not served: ModuleNotFoundError: No module named" in server.log
        assert server.mirrors() == []


def test_all_of_a_server_is_killed(account: EmulatedAccount, tmp_path: Path) -> None:
    """No orphan stays, also where the mirror was begun before the workers were forked off."""
    options = ("--workers", "2", "--gunicorn-opts", "--preload --log-level warning")
    with serving(tmp_path, account.environment, *options) as server:
        until(lambda: mirrored(server), server)
        (mirror,) = server.mirrors()
        assert mirror.ppid() == server.status()["worker"]["worker_pid"]
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()
        until(lambda: not server.mirrors(), server)
