"""``smwatch watch`` from outside: what it holds of the machine, and what its passes were."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.programs import environment

_POLL_S = 0.25
_END_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds at a moment.

    Attributes
    ----------
    second
        Since the watch was started.
    rss_bytes
        Resident memory.
    files
        Open file handles, sockets and pipes among them.
    threads
        Number of them.
    """

    second: float
    rss_bytes: int
    files: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One pass, as the status file tells of it.

    Attributes
    ----------
    began
        Seconds since the watch was started.
    seconds
        How long it took.
    calls
        AWS calls by operation.
    points
        Points that were written.
    failed
        Jobs that failed.
    """

    began: float
    seconds: float
    calls: Mapping[str, int]
    points: int
    failed: int


class Watch:
    """A running ``smwatch watch``.

    Parameters
    ----------
    process
        The program.
    status_file
        What it tells of itself.

    Attributes
    ----------
    held
        What it held, at even distances.
    passes
        Its passes so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], status_file: Path) -> None:
        self.held: list[Held] = []
        self.passes: list[Passed] = []
        self._process = process
        self._status_file = status_file
        self._began = time.time()
        self._proc = Path("/proc", str(process.pid))

    def observe(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Look at it until a time is over, or something has come.

        Raises
        ------
        RuntimeError
            When it has ended.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            if self._process.poll() is not None:
                message = f"the watch ended with {self._process.returncode}"
                raise RuntimeError(message)
            self.held.append(self._hold())
            self._note_pass()
            time.sleep(_POLL_S)

    @property
    def open_jobs(self) -> int | None:
        """How many jobs it still looks at; None before its first pass."""
        found: int | None = self._status().get("open_jobs")
        return found

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_END_S)

    def _hold(self) -> Held:
        status = dict(
            line.split(":", 1) for line in (self._proc / "status").read_text().splitlines()
        )
        return Held(
            second=time.time() - self._began,
            rss_bytes=int(status["VmRSS"].split()[0]) * 1024,
            files=sum(1 for _ in (self._proc / "fd").iterdir()),
            threads=int(status["Threads"]),
        )

    def _note_pass(self) -> None:
        status = self._status()
        if status.get("passes", 0) <= len(self.passes):
            return
        last = status["last_pass"]
        self.passes.append(
            Passed(
                began=datetime.fromisoformat(last["began_at"]).timestamp() - self._began,
                seconds=last["seconds"],
                calls=last["aws_calls"],
                points=last["points"],
                failed=last["jobs"]["failed"],
            )
        )

    def _status(self) -> dict[str, Any]:
        if not self._status_file.exists():
            return {}
        document: dict[str, Any] = json.loads(self._status_file.read_text())
        return document


@contextmanager
def watching(options: list[str], variables: Mapping[str, str], folder: Path) -> Iterator[Watch]:
    """Run a watch while a block lasts.

    Parameters
    ----------
    options
        Its own; the status file is given besides.
    variables
        Environment variables that lead to the account.
    folder
        Where it runs; its log lies there too.
    """
    status_file = folder / "watch.json"
    command = [sys.executable, "-m", "mlflow_smwatch", "watch", *options]
    command += ["--status-file", str(status_file)]
    with (folder / "watch.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            yield Watch(process, status_file)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
