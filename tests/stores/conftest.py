"""Real stores: an MLflow server, a PostgreSQL server, and the account that is mirrored."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.stores.jobs import START, completed, put_extreme, put_jobs

START_S = 90
INITDB = ("--auth=trust", "--username=mirror", "--encoding=UTF8", "--locale=C", "--no-sync")


def free_port() -> int:
    """Find a free port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
    """Ask again and again whether a server is ready."""
    end = time.monotonic() + START_S
    while not ready():
        assert server.poll() is None, "the server ended while it started"
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.1)


@contextmanager
def process(
    command: tuple[str, ...], folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a session of its own, and end all of it."""
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield server
        finally:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(timeout=START_S)


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a new SQLite database with ``mlflow server``; gives its address."""
    folder = tmp_path_factory.mktemp("server")
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    command += ["--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return True
        except OSError:
            return False

    with process(tuple(command), folder, {**os.environ, **quiet}) as server:
        wait_until(answers, server)
        yield address


def postgresql_programs() -> Path | None:
    """Find the folder of PostgreSQL's programs, the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Serve a new, empty PostgreSQL database; gives its address without a scheme."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs are not installed")
    as_other: tuple[str, ...] = ()
    if os.getuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("PostgreSQL does not run as root, and there is no setpriv")
        as_other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    folder = Path(tempfile.mkdtemp(prefix="smwatch-pg-"))
    try:
        if as_other:
            os.chown(folder, 65534, 65534)
        data, port = folder / "data", free_port()
        subprocess.run(
            (*as_other, str(programs / "initdb"), *INITDB, "--pgdata", str(data)),
            cwd=folder,
            check=True,
            capture_output=True,
        )
        command = (*as_other, str(programs / "postgres"), "-D", str(data), "-p", str(port))
        command += ("-k", str(folder), "-h", "127.0.0.1", "-c", "fsync=off")
        ready = (str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port))
        with process(command, folder) as server:
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, server)
            yield f"mirror@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account with ordinary jobs and one that goes to MLflow's limits."""
    with EmulatedAccount() as account:
        put_jobs(account, "plain", "second", tags={"team": "vision"})
        failed = completed(
            "failed",
            START + timedelta(minutes=5),
            TrainingJobStatus="Failed",
            SecondaryStatus="Failed",
            FailureReason="AlgorithmError: " + "x" * 10_000,
            ModelArtifacts=None,
        )
        account.put_training_job(failed)
        put_extreme(account, "extreme")
        yield account


@pytest.fixture
def aws(account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch) -> EmulatedAccount:
    """Lead boto3 to the account."""
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    account.reset_calls()
    return account
