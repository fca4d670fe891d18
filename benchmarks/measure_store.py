"""Writes databases both ways, over SQL and over REST, and gives what that costs."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from mlflow import MlflowClient

from benchmarks.postgresql import serving_postgresql
from benchmarks.programs import environment, run
from benchmarks.store_writes import POINTS, REPEATS, Writes, metrics_of

_START_S = 90

COMPARED = {
    "first_client": ("own_first", "client_first"),
    "first_unit": ("own_first", "unit_first"),
    "resent_client": ("own_resent", "client_resent"),
    "resent_unit": ("own_resent", "unit_resent"),
    "runs": ("own_runs", "unit_runs"),
    "jobs": ("own_jobs", "unit_jobs"),
}
"""Name → MLflow's way, and this package's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreResults:
    """The same rows written both ways; each figure is a median, in seconds.

    Attributes
    ----------
    runs
        How many runs a unit has.
    seconds
        Name of the database → name of the write → seconds.
    rest
        By the store that the server has: ``own`` or ``bulk``.
    """

    runs: int
    seconds: Mapping[str, Mapping[str, float]]
    rest: Mapping[str, float]

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as long MLflow's way takes."""
        ratios = {
            f"store_{name}_{database}": seconds[own] / seconds[ours]
            for database, seconds in self.seconds.items()
            for name, (own, ours) in COMPARED.items()
        }
        return {**ratios, "store_first_rest": self.rest["own"] / self.rest["bulk"]}


def measure_store(runs: int, folder: Path, say: Callable[[str], None]) -> StoreResults:
    """Make the writes.

    Parameters
    ----------
    runs
        How many runs a unit has.
    folder
        Empty; the databases go there.
    say
        Takes lines about the progress.

    Raises
    ------
    RuntimeError
        When the database does not hold what was written, or a server does not start.
    """
    seconds = {}
    say(f"units of {runs} runs in SQLite")
    seconds["sqlite"] = _written(f"sqlite:///{folder}/mlflow.db", runs, folder)
    with serving_postgresql() as uri:
        if uri is None:
            say("PostgreSQL is not installed here: left out")
        else:
            say(f"units of {runs} runs in PostgreSQL")
            seconds["postgresql"] = _written(uri, runs, folder)
    say(f"{POINTS:,} points over REST")
    return StoreResults(runs=runs, seconds=seconds, rest=_over_rest(folder))


def _written(uri: str, runs: int, folder: Path) -> dict[str, float]:
    found = run("benchmarks.store_writes", [uri, str(runs)], {}, folder)
    if not found["stored"]:
        message = f"{uri} does not hold what was written"
        raise RuntimeError(message)
    seconds: dict[str, float] = found["seconds"]
    return seconds


def _over_rest(folder: Path) -> dict[str, float]:
    """Write the points of one run to two servers in turns."""
    seconds: dict[str, list[float]] = {"own": [], "bulk": []}
    writes = Writes(f"sqlite:///{folder}/unused.db", 1, folder)
    with (
        _serving(f"sqlite:///{folder}/own.db", folder) as own,
        _serving(f"smwatch+sqlite:///{folder}/bulk.db", folder) as bulk,
    ):
        clients: dict[str, Any] = {"own": MlflowClient(own), "bulk": MlflowClient(bulk)}
        for _ in range(REPEATS + 1):
            for name, client in clients.items():
                run_id = client.create_run("0").info.run_id
                metrics = metrics_of(writes.points(POINTS))
                began = time.perf_counter()
                client.log_batch(run_id, metrics)
                seconds[name].append(time.perf_counter() - began)
    return {name: median(all_of[1:]) for name, all_of in seconds.items()}


@contextmanager
def _serving(store: str, folder: Path) -> Iterator[str]:
    """Run an MLflow server while a block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", port]
    command += ["--host", "127.0.0.1", "--backend-store-uri", store]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    address = f"http://127.0.0.1:{port}"
    with (
        (folder / f"server-{port}.log").open("wb") as log,
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
