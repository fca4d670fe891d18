"""``smwatch demo``: the emulated account, mirrored into SQLite and shown in MLflow's own pages."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from mlflow import MlflowClient

from mlflow_smwatch.core.errors import StopError, UsageError
from mlflow_smwatch.core.tags import NOTE
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.contents.filling import fill, go_on
from mlflow_smwatch.demo.replay import LiveJob
from mlflow_smwatch.engine.mirror import sync
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.tracking.pages import LOCAL_UI, experiment_url
from mlflow_smwatch.tracking.store import find_experiment

Say = Callable[[str], None]

READ_THROUGH = "overlay"
STORED = "link"

_MARK = "smwatch-demo.txt"
_DATABASE = "mlflow.db"
_SINCE = "60d"
_RUN_LABEL = "**Emulated.**"
_LABEL = (
    "**Emulated account.** These jobs ran in no real AWS account: recorded runs were"
    " replayed, with time stretched, into an emulator. Links to the AWS console lead nowhere."
)
_DEFAULT_EXPERIMENT = "0"
_MOVE_EVERY_S = 5.0
_SYNC_EVERY_MOVES = 6
_SERVER_START_S = 120.0
_PREFERRED_PORT = int(LOCAL_UI.rpartition(":")[2])


def filled(account: EmulatedAccount) -> tuple[LiveJob, ...]:
    """Put the recorded runs into an empty account, as of now, and return the jobs that go on."""
    return fill(account, datetime.now(tz=timezone.utc))


def mirrored(
    account: EmulatedAccount, folder: Path, say: Say, artifacts: str
) -> tuple[str, tuple[LiveJob, ...]]:
    """Fill an account with the recorded runs and mirror it.

    Parameters
    ----------
    account
        Running and empty, and the one that the environment leads to.
    folder
        Where database and artifacts go; what an earlier demo left there is replaced.
    say
        Takes lines for the user.
    artifacts
        :data:`READ_THROUGH` as long as the account is there, else :data:`STORED`.

    Returns
    -------
    tuple of str and tuple of LiveJob
        The tracking URI, and the jobs that go on.

    Raises
    ------
    UsageError
        When the folder holds a database that no demo made.
    """
    _prepare(folder)
    say("replaying recorded jobs into an emulated AWS account (no AWS is used)")
    live = filled(account)
    uri = f"sqlite:///{folder / _DATABASE}"
    report = _mirror(uri, folder, artifacts)
    say(f"mirrored {report.jobs['seen']} emulated jobs, {report.points:,} points")
    return uri, live


@contextmanager
def served(uri: str, folder: Path, preferred_port: int = _PREFERRED_PORT) -> Iterator[str]:
    """Run ``mlflow server`` on a database for the duration of a block.

    Parameters
    ----------
    uri
        Tracking URI of the database.
    folder
        Its working directory.
    preferred_port
        Where to listen if that is free; 0 for any port.

    Yields
    ------
    str
        Its address.

    Raises
    ------
    StopError
        When it does not start.
    """
    port = _free_port(preferred_port)
    address = f"http://127.0.0.1:{port}"
    log = folder / "mlflow-server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with log.open("w") as output:
        server = subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_up(address, server, log)
            yield address
        finally:
            with suppress(ProcessLookupError):  # it is over, and so are its workers
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=_SERVER_START_S)


def show(uri: str, folder: Path, account: EmulatedAccount, live: tuple[LiveJob, ...]) -> None:
    """Keep the jobs that are in progress moving, and mirror what they do, until interrupted."""
    moves = 0
    with _interrupted() as stop:
        while not stop.wait(_MOVE_EVERY_S):
            live = move(account, live)
            moves += 1
            if moves % _SYNC_EVERY_MOVES == 0:
                _mirror(uri, folder, READ_THROUGH)


def keep(account: EmulatedAccount, live: tuple[LiveJob, ...]) -> None:
    """Keep only the account running, until interrupted."""
    with _interrupted() as stop:
        while not stop.wait(_MOVE_EVERY_S):
            live = move(account, live)


def move(account: EmulatedAccount, live: tuple[LiveJob, ...]) -> tuple[LiveJob, ...]:
    """Write what has happened to the jobs in progress up to now."""
    return go_on(account, live, datetime.now(tz=timezone.utc))


def page(uri: str, address: str) -> str:
    """Return the page to open: the experiment of training jobs, on its table of runs."""
    experiment_id = find_experiment(uri, "sagemaker/training-jobs")
    return experiment_url(address, experiment_id) or address


def _mirror(uri: str, folder: Path, artifacts: str) -> SyncReport:
    """Mirror with the folder as working directory: MLflow puts artifacts beside it."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        report = sync(SyncOptions(tracking_uri=uri, since=_SINCE, artifacts=artifacts))
    finally:
        os.chdir(before)
    _label(uri, report)
    return report


def _label(uri: str, report: SyncReport) -> None:
    """Say on the pages of new runs and of experiments that the jobs ran in no real account."""
    made = [line.run_id for line in report.runs if line.word == "created" and line.run_id]
    if not made:
        return
    client = MlflowClient(tracking_uri=uri)
    for experiment in client.search_experiments():
        note = experiment.tags.get(NOTE, "")
        if experiment.experiment_id != _DEFAULT_EXPERIMENT and not note.startswith(_LABEL):
            client.set_experiment_tag(experiment.experiment_id, NOTE, f"{_LABEL}\n\n{note}".strip())
    for run_id in made:
        note = client.get_run(run_id).data.tags[NOTE]
        client.set_tag(run_id, NOTE, f"{_RUN_LABEL} {note}")


def _prepare(folder: Path) -> None:
    mark, database = folder / _MARK, folder / _DATABASE
    if database.exists() and not mark.exists():
        message = f"{database} was not made by the demo: give another folder with --dir"
        raise UsageError(message)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("Made by `smwatch demo`, and replaced whenever it runs again.\n")
    database.unlink(missing_ok=True)
    shutil.rmtree(folder / "mlruns", ignore_errors=True)


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    message = "no free port on 127.0.0.1"
    raise StopError(message)


def _wait_until_up(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    for _ in range(int(_SERVER_START_S * 4)):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310 - http, loopback
                return
        except (urllib.error.URLError, OSError):
            pause.wait(0.25)
    message = f"the MLflow server did not start; see {log}"
    raise StopError(message)


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Give an event that SIGINT or SIGTERM sets."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
