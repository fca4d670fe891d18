"""The command line with a scheduler and workers that are programs of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mlflow_smwatch import StopError
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.engine import dask_cluster
from tests.cli.program import environment, run
from tests.cluster.conftest import local_cluster
from tests.exactly_once.programs import Program, programs
from tests.exactly_once.stories import Author
from tests.exactly_once.truth import check
from tests.stores.servers import free_port, process

DASK = (sys.executable, "-m", "dask")
EVENTS = "logs:GetLogEvents"


class Programs:
    """A scheduler and its workers, each a program.

    Attributes
    ----------
    address
        Of the scheduler.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._folder = folder
        self._env = env
        self._running = ExitStack()
        self.scheduler: subprocess.Popen[bytes]

    @contextmanager
    def running(self, workers: int) -> Iterator[None]:
        """Run them for a while."""
        with self._running:
            port = self.address.rpartition(":")[2]
            self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", port)
            for _ in range(workers):
                self._start("worker", self.address, "--nthreads", "1", "--host", "127.0.0.1")
            yield

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        folder = self._folder / f"{command[0]}-{free_port()}"
        folder.mkdir()
        line = (*DASK, *command, "--no-dashboard")
        return self._running.enter_context(process(line, folder, self._env))


@pytest.fixture
def store(empty_database: Path, tmp_path: Path) -> str:
    """Give the URI of an empty store."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow.db')}"


@pytest.fixture
def env(account: EmulatedAccount, tmp_path: Path) -> dict[str, str]:
    """Give the environment of every program."""
    return environment(tmp_path, {**account.environment, "MLFLOW_DISABLE_TELEMETRY": "true"})


def chosen(address: str, store: str) -> tuple[str, ...]:
    """Give the options of a pass with a cluster."""
    return ("--executor", "dask", "--scheduler", address, "--tracking-uri", store, "--settle", "1")


def reached(account: EmulatedAccount, calls: int, program: Program) -> bool:
    """Wait until a program has read some logs; False if it has ended before."""
    return program.wait_until(lambda: account.calls[EVENTS] >= calls)


@pytest.mark.slow
def test_programs(
    account: EmulatedAccount, env: dict[str, str], store: str, tmp_path: Path
) -> None:
    """Scheduler, workers and command, found by the environment: every point is there once."""
    pytest.importorskip("distributed")
    author, programs_ = Author(account, seed=5), Programs(tmp_path, env)
    jobs = [author.ended(lines=100) for _ in range(25)]
    with programs_.running(workers=2):
        options = {"SMWATCH_EXECUTOR": "dask", "SMWATCH_SCHEDULER": programs_.address}
        command = ("sync", "--json", "--tracking-uri", store, "--settle", "1")
        done = run(*command, cwd=tmp_path, env={**env, **options})
        assert (done.code, done.err) == (0, "")
        assert done.document["jobs"]["created"] == len(jobs)
        assert done.document["aws_calls"] == dict(account.calls)
    check(store, jobs)


@pytest.mark.slow
def test_a_scheduler_that_ends(
    account: EmulatedAccount, env: dict[str, str], store: str, tmp_path: Path
) -> None:
    """What did not come back has failed, in words; the next pass makes it good."""
    pytest.importorskip("distributed")
    author, dask = Author(account, seed=6), Programs(tmp_path, env)
    jobs = [author.ended(lines=400) for _ in range(60)]
    account.faults.page_size(EVENTS, 40)
    with programs(store, tmp_path, env) as running, dask.running(workers=2):
        program = running.start("sync", *chosen(dask.address, store))
        assert reached(account, 40, program)
        os.kill(dask.scheduler.pid, signal.SIGKILL)
        code, said = program.wait(), program.log.read_text()
    assert code in {1, 3}, said
    assert "Traceback" not in said
    assert "run again" in said
    account.faults.clear()
    assert run("sync", "--tracking-uri", store, cwd=tmp_path, env=env).code == 0
    check(store, jobs)


@pytest.mark.slow
def test_an_interrupt(
    account: EmulatedAccount, env: dict[str, str], store: str, tmp_path: Path
) -> None:
    """Ctrl-C ends the command at once and without a traceback; the next pass goes on."""
    pytest.importorskip("distributed")
    author, dask = Author(account, seed=7), Programs(tmp_path, env)
    jobs = [author.ended(lines=400) for _ in range(30)]
    account.faults.page_size(EVENTS, 40)
    with programs(store, tmp_path, env) as running, dask.running(workers=2):
        program = running.start("sync", *chosen(dask.address, store))
        assert reached(account, 40, program)
        began = time.monotonic()
        program.interrupt()
        code, said = program.wait(), program.log.read_text()
        assert code == 1, said
        assert "Traceback" not in said
        account.faults.clear()
        again = run("sync", *chosen(dask.address, store), cwd=tmp_path, env=env)
        assert again.code == 0, again.err
        assert time.monotonic() - began < 120
    check(store, jobs)


def test_without_dask(env: dict[str, str], store: str, tmp_path: Path) -> None:
    """The extra is named."""
    absent = tmp_path / "absent" / "distributed"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError(\"No module named 'distributed'\")\n")
    path = f"{absent.parent}{os.pathsep}{env['PYTHONPATH']}"
    command = ("sync", *chosen("tcp://127.0.0.1:9", store))
    done = run(*command, cwd=tmp_path, env={**env, "PYTHONPATH": path})
    assert done.code == 3
    assert "pip install 'mlflow-smwatch[dask]'" in done.message


def test_a_scheduler_is_needed(env: dict[str, str], store: str, tmp_path: Path) -> None:
    """Usage is wrong without its address."""
    command = ("sync", "--executor", "dask", "--tracking-uri", store)
    done = run(*command, cwd=tmp_path, env=env)
    assert done.code == 2
    assert "--scheduler ADDRESS" in done.message


def test_another_version() -> None:
    """Workers with another version of the package are refused."""
    with (
        local_cluster(n_workers=1) as cluster,
        pytest.MonkeyPatch.context() as patch,
        dask_cluster.open_cluster(cluster.scheduler_address) as opened,
    ):
        patch.setattr(dask_cluster, "__version__", "99.0")
        with pytest.raises(StopError, match=r"has no mlflow-smwatch 99\.0 \(0\."):
            opened.slots()
