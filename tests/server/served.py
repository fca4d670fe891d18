"""``mlflow server --app-name smwatch`` as an operator starts it, and the processes that it has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import psutil

from tests.cli.program import environment
from tests.stores.servers import free_port

LONGEST_S = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An HTTP answer."""

    status: int
    headers: Message
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that was started, and where it lies."""

    process: subprocess.Popen[bytes]
    address: str
    folder: Path

    def get(self, path: str, **headers: str) -> Fetched:
        """Ask; an answer is an answer, whatever its code."""
        request = urllib.request.Request(f"{self.address}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Fetched(
                    status=answer.status, headers=answer.headers, text=answer.read().decode()
                )
        except urllib.error.HTTPError as error:
            return Fetched(status=error.code, headers=error.headers, text=error.read().decode())

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return self.get("/health").status in {200, 404}
        except OSError:
            return False

    def health(self) -> Mapping[str, Any]:
        """Give the judgement."""
        found = self.get("/smwatch/health")
        document: dict[str, Any] = found.document
        assert found.status == (200 if document["ok"] else 503)
        return document

    def status(self) -> Any:
        """Give all that the page shows."""
        return self.get("/smwatch/status.json").document

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def mirrors(self) -> list[psutil.Process]:
        """Find every mirror that lives, also one without a parent."""
        return [each for each in psutil.process_iter(["cmdline"]) if self._is_mirror(each)]

    def _is_mirror(self, process: psutil.Process) -> bool:
        words = process.info["cmdline"] or []
        is_own = any(word.startswith(str(self.folder / "tmp")) for word in words)
        return is_own and "watch" in words and process.status() != psutil.STATUS_ZOMBIE

    def stop(self) -> int:
        """End it as a service manager does."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONGEST_S)


def until(is_so: Callable[[], Any], server: Server) -> Any:
    """Ask again and again; give the first answer that is true."""
    end = time.monotonic() + LONGEST_S
    while not (found := is_so()):
        assert time.monotonic() < end, server.log
        time.sleep(0.1)
    return found


@contextmanager
def serving(
    folder: Path, account: Mapping[str, str], *options: str, store: str | None = None, **more: str
) -> Iterator[Server]:
    """Serve a database with the mirror in it; all processes end with the block.

    Parameters
    ----------
    folder
        Where all of it lies, temporary files too.
    account
        Variables that lead to the account.
    *options
        Further options of ``mlflow server``.
    store
        Backend store; None for a new SQLite database.
    **more
        Further variables.
    """
    (folder / "tmp").mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "smwatch"]
    command += ["--backend-store-uri", store or f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    mine = {"TMPDIR": str(folder / "tmp"), "SMWATCH_INTERVAL": "1", **quiet}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment(folder, account), **mine, **more},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(process=process, address=f"http://127.0.0.1:{port}", folder=folder)
    try:
        until(server.answers, server)
        yield server
    finally:
        _end(server)


def _end(server: Server) -> None:
    if server.process.poll() is None:
        server.stop()
    for each in server.mirrors():
        each.kill()


def tracking_uri(server: Server) -> str:
    """Give the database's URI."""
    return f"sqlite:///{server.folder}/mlflow.db"


def is_alive(pid: int) -> bool:
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
