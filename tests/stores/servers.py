"""Servers of their own for tests: MLflow and PostgreSQL, ended with the block that started them."""

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
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

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


@contextmanager
def mlflow_server_on(
    store: str,
    folder: Path,
    destination: str | None = None,
    workers: int = 1,
    *,
    python: str = sys.executable,
    options: tuple[str, ...] = (),
    port: int | None = None,
) -> Iterator[str]:
    """Serve a database with ``mlflow server``; gives its address.

    Parameters
    ----------
    store
        URI of the database; its tables are made if there are none.
    folder
        Where the server's log lies, and artifacts.
    destination
        Where artifacts lie instead, as a URI.
    workers
        Number of the server's processes.
    python
        The interpreter.
    options
        Further options of the server.
    port
        Where it listens; None for any free one.
    """
    address = f"http://127.0.0.1:{port or free_port()}"
    command = [python, "-m", "mlflow", "server", "--workers", str(workers), *options]
    command += ["--backend-store-uri", store]
    command += ["--artifacts-destination", destination or str(folder / "artifacts")]
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


def _programs() -> Path | None:
    """Find the folder of PostgreSQL's programs, the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


def _as_other_user() -> tuple[str, ...]:
    """Give the command's beginning that lets PostgreSQL run where the tests run as root."""
    if os.getuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv")
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Serve a new, empty PostgreSQL database; gives its address without a scheme."""
    with postgresql_cluster() as (address, serving), serving():
        yield address


@contextmanager
def postgresql_cluster() -> Iterator[tuple[str, Callable[[], AbstractContextManager[None]]]]:
    """Make a PostgreSQL database; gives its address, and what serves it as often as is wanted."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs are not installed")
    as_other = _as_other_user()
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

        @contextmanager
        def serving() -> Iterator[None]:
            with process(command, folder) as server:
                wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, server)
                yield

        yield f"mirror@127.0.0.1:{port}/postgres", serving
    finally:
        shutil.rmtree(folder)
