"""``smwatch watch`` as a child process that ends with its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

GRACE_S = 20.0
"""How long the batch in hand may take at a stop; gunicorn kills its workers after 30 s."""

_COMMAND = ("-m", "mlflow_smwatch", "watch", "--log-json", "--until-eof", "--status-file")


class MirrorProcess:
    """The mirror; its standard input is a pipe from this process, whose end is its end.

    Parameters
    ----------
    tracking_uri
        Where to; given in the environment, since others can read command lines.
    status_file
        What it tells of itself.
    inherited
        Open files that it inherits.
    log
        Where its log lines go.
    environment
        Its options, as ``SMWATCH_*``, and what AWS and MLflow look for.
    """

    def __init__(
        self,
        tracking_uri: str,
        status_file: Path,
        *,
        inherited: tuple[int, ...],
        log: TextIO,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._log = log
        self._message: str | None = None
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            (sys.executable, *_COMMAND, str(status_file)),
            env={**environment, "SMWATCH_TRACKING_URI": tracking_uri, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=inherited,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name="smwatch-log", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; give its exit code, None if it still runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """End it, if it still runs: it may finish the batch in hand."""
        self._process.terminate()
        if self.wait(GRACE_S) is None:
            self._process.kill()
            self._process.wait()
        self.close()

    def close(self) -> None:
        """Read the rest of its log, whose pipe is closed at its end, and close the other one."""
        self._reader.join(1)
        if self._process.stdin:
            self._process.stdin.close()

    def let_go(self) -> None:
        """Close the pipe to it in a process that was forked off; it lives on with its parent."""
        pipe = self._process.stdin
        if pipe and not pipe.closed:
            os.close(pipe.fileno())

    @property
    def message(self) -> str | None:
        """The last error that it logged, or else its last line."""
        return self._message

    def _read(self) -> None:
        if self._process.stderr is None:
            return
        has_error = False
        with self._process.stderr as lines:
            for line in lines:
                message, is_error = _message_of(line)
                if message and (is_error or not has_error):
                    self._message, has_error = message, is_error
                self._pass_on(line)

    def _pass_on(self, line: str) -> None:
        try:
            self._log.write(line)
            self._log.flush()
        except (OSError, ValueError):
            return


def _message_of(line: str) -> tuple[str, bool]:
    """Give what a line of the log says, and whether that concerns all jobs and is an error."""
    try:
        record = json.loads(line)
        return str(record["message"]), record["level"] == "ERROR" and "arn" not in record
    except (KeyError, TypeError, ValueError):
        return line.strip(), False
