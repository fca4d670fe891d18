"""Asks for lineage in a store of many runs, over SQL and over REST, and gives what it costs."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.lineage_store import EDGES_PER_RUN, fill
from benchmarks.programs import environment, run

REPEATS = 3
_START_S = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageReading:
    """What one way to the store costs, seconds.

    Attributes
    ----------
    search_s
        A plain search over all runs.
    first_s
        The first query in a process.
    second_s
        The same query once more.
    """

    search_s: float
    first_s: float
    second_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageResults:
    """Queries over the same runs; each figure is a median.

    Attributes
    ----------
    runs, edges
        What the store holds.
    sqlite, rest
        By the way to it.
    """

    runs: int
    edges: int
    sqlite: LineageReading
    rest: LineageReading

    @property
    def ratios(self) -> dict[str, float]:
        """What is compared with what, each as a ratio of two figures of this run."""
        return {
            f"{which}_lineage_to_search_{way}": seconds / reading.search_s
            for way, reading in (("sqlite", self.sqlite), ("rest", self.rest))
            for which, seconds in (("first", reading.first_s), ("second", reading.second_s))
        }


def measure_lineage(runs: int, folder: Path, say: Callable[[str], None]) -> LineageResults:
    """Make the queries.

    Parameters
    ----------
    runs
        How many runs the store holds.
    folder
        Empty; the database goes there.
    say
        Takes lines about the progress.

    Raises
    ------
    RuntimeError
        When an answer is not what it should be, or the server does not start.
    """
    say(f"lineage of {runs:,} runs")
    path = folder / "mlflow.db"
    fill(path, runs)
    uri = f"sqlite:///{path}"
    sqlite = _read(uri, runs, folder)
    with _serving(uri, folder) as address:
        rest = _read(address, runs, folder)
    return LineageResults(runs=runs, edges=runs * EDGES_PER_RUN, sqlite=sqlite, rest=rest)


def _read(uri: str, runs: int, folder: Path) -> LineageReading:
    found = [
        run("benchmarks.lineage_queries", [uri, str(runs)], {}, folder) for _ in range(REPEATS)
    ]
    for each in found:
        if (each["runs"], each["edges"], each["same_answer"]) != (runs, runs * EDGES_PER_RUN, True):
            message = f"not the lineage that was stored: {each}"
            raise RuntimeError(message)
    names = ("search_s", "first_s", "second_s")
    return LineageReading(**{name: median(each[name] for each in found) for name in names})


@contextmanager
def _serving(store: str, folder: Path) -> Iterator[str]:
    """Run an MLflow server while a block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", port]
    command += ["--host", "127.0.0.1", "--backend-store-uri", store]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    address = f"http://127.0.0.1:{port}"
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            command, cwd=folder, env=environment(quiet), stdout=log, stderr=log
        ) as server,
    ):
        try:
            _wait(address, server)
            yield address
        finally:
            server.terminate()


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310 - loopback
                return
        except OSError:
            time.sleep(0.1)
    message = "the MLflow server did not start"
    raise RuntimeError(message)
