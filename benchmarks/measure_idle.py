"""Measures what costs without doing anything: the start of the program, and an idle pass."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.account import serving
from benchmarks.programs import environment, run

_STARTS = 5
_HELP = ("-m", "mlflow_smwatch", "--help")
_PEER = ("-c", "import mlflow")
"""What any program that uses MLflow waits for first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdlePass:
    """One pass in which nothing has happened.

    Attributes
    ----------
    calls
        AWS calls by operation.
    reads
        Number of sessions with the MLflow database, each of which is one request to its store.
    writes
        Number of transactions that changed the MLflow database.
    seconds
        Of the pass.
    """

    calls: dict[str, int]
    reads: int
    writes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleResults:
    """Starts and idle passes.

    Attributes
    ----------
    jobs
        How many jobs the account has, all of them finished and mirrored.
    help_seconds, peer_seconds
        ``smwatch --help``, and ``import mlflow`` in a process of its own; median of several.
    idle
        The passes between the sweeps.
    sweep
        A pass that also asks MLflow for open runs, as every ten minutes.
    """

    jobs: int
    help_seconds: float
    peer_seconds: float
    idle: tuple[IdlePass, ...]
    sweep: IdlePass

    @property
    def ratios(self) -> dict[str, float]:
        """What is compared with what, each as a ratio of two figures of this run."""
        return {"help_to_import_mlflow": self.help_seconds / self.peer_seconds}


def measure_idle(jobs: int, folder: Path, say: Callable[[str], None]) -> IdleResults:
    """Start programs, mirror an account, and let a watch look at it again.

    Parameters
    ----------
    jobs
        How many finished jobs the account has.
    folder
        Empty; the database goes there.
    say
        Takes lines about the progress.

    Raises
    ------
    RuntimeError
        When a program fails, or an idle pass does more than it may.
    """
    say(f"{_STARTS} starts, then idle passes over {jobs} finished jobs")
    starts = [(_seconds(_HELP), _seconds(_PEER)) for _ in range(_STARTS)]
    with serving(jobs, "jobs") as account:
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        done = run("benchmarks.idle_passes", [uri], account.variables, folder)
    results = IdleResults(
        jobs=jobs,
        help_seconds=median(each for each, _ in starts),
        peer_seconds=median(each for _, each in starts),
        idle=tuple(IdlePass(**each) for each in done["idle"]),
        sweep=IdlePass(**done["sweep"]),
    )
    _check(results, done)
    return results


def _seconds(arguments: tuple[str, ...]) -> float:
    """Time one process from its start to its end."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=os.path.sep,
        check=True,
    )
    return time.perf_counter() - started


def _check(results: IdleResults, done: dict[str, Any]) -> None:
    """Refuse figures of work that was not done, and passes that do too much."""
    passes = (*results.idle, results.sweep)
    true = {
        "all jobs mirrored": done["created"] == results.jobs,
        "two calls a kind": all(max(each.calls.values()) <= 2 for each in passes),
        "no write": all(each.writes == 0 for each in passes),
        "two reads": all(each.reads <= 2 for each in results.idle),
    }
    missing = [what for what, is_so in true.items() if not is_so]
    if missing:
        message = f"not so: {', '.join(missing)}"
        raise RuntimeError(message)
