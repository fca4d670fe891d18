"""Programs of the command line that are killed, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.program import PROGRAM

LONGEST_S = 120
SYNC = ("sync",)
WATCH = ("watch", "--interval", "1")


class Program:
    """One process of the command line, in a session of its own.

    Attributes
    ----------
    began
        When it was started (``time.monotonic``).
    log
        What it says.
    """

    def __init__(
        self, command: tuple[str, ...], folder: Path, env: Mapping[str, str], log: Path
    ) -> None:
        self.began = time.monotonic()
        self.log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                (*PROGRAM, *command),
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> bool:
        """End it at once, as ``kill -9`` does; False if it had ended before."""
        was_running = self.running
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=LONGEST_S)
        return was_running

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def interrupt(self) -> None:
        """Do as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Let it end by itself, and give its exit code."""
        return self._process.wait(timeout=LONGEST_S)

    def wait_until(self, reached: Callable[[], bool], longest_s: float = LONGEST_S) -> bool:
        """Wait until something has come, or the program has ended; tell whether it has come."""
        end = time.monotonic() + longest_s
        while not reached():
            if not self.running or time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True


@dataclass
class Programs:
    """Starts programs that mirror one account into one store.

    Attributes
    ----------
    options
        Of every program.
    started
        All programs so far.
    """

    uri: str
    folder: Path
    env: Mapping[str, str]
    options: tuple[str, ...] = ()
    started: list[Program] = field(default_factory=list)

    def start(self, *command: str) -> Program:
        """Start a program."""
        log = self.folder / f"program-{len(self.started)}.log"
        line = (*command, *self.options, "--tracking-uri", self.uri)
        program = Program(line, self.folder, self.env, log)
        self.started.append(program)
        return program

    def sync(self) -> str:
        """Make one whole pass, which must succeed; give what it says."""
        program = self.start(*SYNC)
        code, said = program.wait(), program.log.read_text()
        assert code == 0, said
        return said


@contextmanager
def programs(
    uri: str, folder: Path, env: Mapping[str, str], options: tuple[str, ...] = ()
) -> Iterator[Programs]:
    """Run programs in a block; none outlives it."""
    running = Programs(uri, folder, env, options)
    try:
        yield running
    finally:
        for program in running.started:
            program.kill()
