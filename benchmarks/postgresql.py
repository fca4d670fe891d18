"""Serves a PostgreSQL database of its own, with the programs that this machine has."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_S = 90
_NOBODY = 65534


@contextmanager
def serving_postgresql() -> Iterator[str | None]:
    """Run an empty database, durable as it is by default, while a block lasts.

    Yields
    ------
    str or None
        Its URI; None where PostgreSQL is not installed.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        yield None
        return
    programs, as_other = found[-1].parent, _as_other_user()
    with tempfile.TemporaryDirectory(prefix="smwatch-bench-pg-") as folder:
        if as_other:
            os.chown(folder, _NOBODY, _NOBODY)
        data = f"{folder}/data"
        made = (str(programs / "initdb"), "--auth=trust", "--username=mirror", "--encoding=UTF8")
        subprocess.run((*as_other, *made, f"--pgdata={data}"), check=True, capture_output=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        command = (*as_other, str(programs / "postgres"), "-D", data, "-p", port, "-k", folder)
        with subprocess.Popen((*command, "-h", "127.0.0.1"), stderr=subprocess.DEVNULL) as server:
            try:
                _wait((str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port), server)
                yield f"postgresql://mirror@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)


def _as_other_user() -> tuple[str, ...]:
    """PostgreSQL does not run as root."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        return ()
    return ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")


def _wait(ready: tuple[str, ...], server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.poll() is None:
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.1)
    message = "PostgreSQL did not start"
    raise RuntimeError(message)
