"""In each worker of a server: be elected, run the mirror, start it again when it ended."""

from __future__ import annotations

import logging
import os
import platform
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from mlflow_smwatch.server.child import GRACE_S, MirrorProcess
from mlflow_smwatch.server.documents import moment_text, write_document
from mlflow_smwatch.server.election import Seat, take_seat
from mlflow_smwatch.server.place import Place

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often a worker tries to be elected, and the elected one looks after the mirror."""

BEAT_S = 5.0
"""How often the elected worker tells that it is alive."""

_SETTLED_S = 600.0
_LONGEST_PAUSE_S = 600.0
_MOST_DOUBLINGS = 20
_REFUSALS = frozenset({2, 3})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long to wait before a mirror that ended by itself is started again, seconds.

    Attributes
    ----------
    after_a_crash
        The first time.
    after_a_refusal
        The first time, when it said that its options, its credentials or its store are wrong.
    """

    after_a_crash: float = 1.0
    after_a_refusal: float = 30.0

    def after(self, code: int, ends: int) -> float:
        """Give the pause after the nth end on end: twice as long each time, at most ten minutes."""
        first = self.after_a_refusal if code in _REFUSALS else self.after_a_crash
        return min(_LONGEST_PAUSE_S, first * 2.0 ** min(ends - 1, _MOST_DOUBLINGS))


class Supervisor:
    """A thread that sees to it that one of the workers runs the mirror.

    Servers may fork workers off while it runs (``gunicorn --preload``). What was open then is
    closed in them, and nothing is half opened at that moment: a fork waits.

    Parameters
    ----------
    place
        Where the workers meet.
    tracking_uri
        The server's own store.
    pauses
        Before the mirror is started again.
    """

    def __init__(self, place: Place, tracking_uri: str, pauses: Pauses | None = None) -> None:
        self._place = place
        self._tracking_uri = tracking_uri
        self._pauses = pauses or Pauses()
        self._stopped = threading.Event()
        self._opening = threading.Lock()
        self._thread: threading.Thread | None = None
        self._owner: int | None = None
        self._facts: dict[str, Any] = {}
        self._told_at = 0.0
        self._complained: str | None = None
        self._seat: Seat | None = None
        self._mirror: MirrorProcess | None = None

    def start(self) -> None:
        """Begin; nothing that goes wrong later reaches the server."""
        self._owner = os.getpid()
        if sys.platform != "win32":
            os.register_at_fork(
                before=self._opening.acquire,
                after_in_parent=self._opening.release,
                after_in_child=self._let_go,
            )
        self._thread = threading.Thread(target=self._run, name="smwatch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the mirror, if it is this worker that runs it, and wait for that.

        In a process that was forked off after the start it does nothing.
        """
        if self._thread is None or self._owner != os.getpid():
            return
        self._stopped.set()
        self._thread.join(GRACE_S + 5)

    def _let_go(self) -> None:
        """Close what a process that was forked off inherited: it would keep the mirror alive."""
        self._opening.release()
        seat, mirror = self._seat, self._mirror
        self._seat = self._mirror = None
        if seat is not None:
            seat.leave()
        if mirror is not None:
            mirror.let_go()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._opening:
                    seat = self._seat = take_seat(self._place.lock)
                if seat is not None:
                    self._serve(seat)
                self._complained = None
            except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on and another try is made
                self._complain(f"the mirror cannot be run: {type(error).__name__}: {error}")
            self._stopped.wait(LOOK_S)

    def _serve(self, seat: Seat) -> None:
        """Run the mirror for as long as this worker is the elected one."""
        ends = 0
        try:
            while not self._stopped.is_set() and seat.is_held():
                started = time.monotonic()
                code, message = self._run_mirror(seat)
                if code is None:
                    return
                ends = 1 if time.monotonic() - started > _SETTLED_S else ends + 1
                self._pause(seat, code, message, self._pauses.after(code, ends))
        finally:
            with self._opening:
                self._seat = None
                seat.leave()

    def _run_mirror(self, seat: Seat) -> tuple[int | None, str | None]:
        """Run it to its end; the exit code is None where it was ended from here."""
        with self._opening:
            mirror = self._mirror = MirrorProcess(
                self._tracking_uri, self._place.watch, inherited=seat.inherited, log=sys.stderr
            )
        try:
            logger.info("smwatch runs the mirror as process %d", mirror.pid)
            self._tell(state="running", pid=mirror.pid, started_at=moment_text(time.time()))
            while not self._stopped.is_set() and seat.is_held():
                code = mirror.wait(0)
                if code is not None:
                    mirror.close()
                    return code, mirror.message
                self._beat()
                self._stopped.wait(LOOK_S)
        finally:
            mirror.stop()
            self._mirror = None
        self._tell(state="stopped")
        return None, None

    def _pause(self, seat: Seat, code: int, message: str | None, pause_s: float) -> None:
        again_at = time.monotonic() + pause_s
        logger.warning(
            "smwatch's mirror ended with code %d (%s); it is started again in %.0f s",
            code,
            message,
            pause_s,
        )
        self._tell(
            state="ended",
            exit_code=code,
            message=message,
            again_at=moment_text(time.time() + pause_s),
        )
        while time.monotonic() < again_at and seat.is_held():
            if self._stopped.wait(min(LOOK_S, max(0.0, again_at - time.monotonic()))):
                return
            self._beat()

    def _tell(self, **facts: Any) -> None:
        """Write what the pages show; a new state leaves nothing of the one before."""
        who = {"worker_pid": os.getpid(), "host": platform.node(), "pid": None}
        self._facts = {**who, **facts} if facts else self._facts
        self._told_at = time.monotonic()
        write_document(self._place.worker, {**self._facts, "beat_at": moment_text(time.time())})

    def _beat(self) -> None:
        if time.monotonic() - self._told_at >= BEAT_S:
            self._tell()

    def _complain(self, message: str) -> None:
        if message != self._complained:
            logger.warning("%s", message)
        self._complained = message
