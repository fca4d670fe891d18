"""The status file of a watch: how it goes, as one JSON document for whoever looks after it."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_smwatch._version import __version__
from mlflow_smwatch.server.documents import moment_text, read_document, write_document
from mlflow_smwatch.server.spending import Spending

if TYPE_CHECKING:
    from mlflow_smwatch.core.errors import SmwatchError
    from mlflow_smwatch.engine.following import Follower
    from mlflow_smwatch.report import SyncReport, WatchReport

logger = logging.getLogger(__name__)

VERSION = 1
BEAT_S = 5.0
"""How often it is written while a pass is under way."""

LISTED = 100
"""Most failures, and most warnings, that it holds: the latest."""


class StatusFile:
    """Writes the document when something begins or ends, and every few seconds within a pass.

    A file that cannot be written never disturbs the watch.

    Parameters
    ----------
    path
        The file; what it holds of earlier days is taken over.
    interval_s
        Seconds from pass to pass.
    """

    def __init__(self, path: Path, interval_s: float) -> None:
        self._path = path
        self._spending = Spending(read_document(path))
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._beats, name="smwatch-status", daemon=True)
        self._told_of_trouble = False
        self._is_passing = False
        self._mirror: Follower | None = None
        self._receivers: Callable[[], list[dict[str, Any]]] = list
        self._facts: dict[str, Any] = {
            "version": VERSION,
            "smwatch": __version__,
            "host": platform.node(),
            "pid": os.getpid(),
            "started_at": moment_text(time.time()),
            "state": "starting",
            "interval_s": interval_s,
            "region": None,
            "error": None,
            "passes": 0,
            "pass_began_at": None,
            "progressed_at": None,
            "last_pass": None,
            "whole_pass_ended_at": None,
            "next_pass_at": None,
            "open_jobs": None,
            "jobs": {"created": 0, "updated": 0, "failed": 0},
            "points": 0,
            "failed": [],
            "warnings": [],
        }

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write it from the beginning of a block to its end."""
        self._write()
        self._beat.start()
        try:
            yield
        except BaseException as error:
            self._facts["error"] = str(error)
            raise
        finally:
            self._ended.set()
            self._beat.join()
            self._note(state="stopped", next_pass_at=None)

    def follow_receivers(self, states: Callable[[], list[dict[str, Any]]]) -> None:
        """Have the document say how it stands with those whom the watch sends things to."""
        self._receivers = states

    def connected(self, region: str) -> None:
        """Note the Region."""
        self._note(region=region)

    def begins(self, mirror: Follower) -> None:
        """Note that a pass begins."""
        self._mirror = mirror
        self._spending.follow(mirror.ledger)
        self._is_passing = True
        self._note(state="passing", pass_began_at=moment_text(time.time()), next_pass_at=None)

    def ended(self, latest: SyncReport, report: WatchReport, next_s: float) -> None:
        """Note what a pass did, and all of them."""
        self._is_passing = False
        now = time.time()
        whole = {} if latest.broken_off else {"whole_pass_ended_at": moment_text(now)}
        self._note(
            state="idle",
            error=None,
            passes=report.passes,
            last_pass={
                "began_at": self._facts["pass_began_at"],
                "ended_at": moment_text(now),
                "seconds": round(latest.seconds, 3),
                "jobs": latest.jobs,
                "points": latest.points,
                "aws_calls": dict(sorted(latest.aws_calls.items())),
                "estimated_cost_usd": round(latest.estimated_cost_usd, 6),
            },
            next_pass_at=moment_text(now + max(0.0, next_s)),
            open_jobs=self._mirror.open_jobs if self._mirror else None,
            jobs=report.jobs,
            points=report.points,
            failed=[asdict(each) for each in report.failed[-LISTED:]],
            warnings=[asdict(each) for each in report.warnings[-LISTED:]],
            **whole,
        )

    def waits(self, error: SmwatchError, pause_s: float) -> None:
        """Note what is waited out."""
        self._is_passing = False
        self._note(
            state="waiting", error=str(error), next_pass_at=moment_text(time.time() + pause_s)
        )

    def _note(self, **facts: Any) -> None:
        with self._lock:
            self._facts |= facts
        self._write()

    def _beats(self) -> None:
        while not self._ended.wait(BEAT_S):
            if self._is_passing:
                self._write()

    def _write(self) -> None:
        now = time.time()
        with self._lock:
            if self._spending.enter(time.strftime("%Y-%m-%d", time.gmtime(now))):
                self._facts["progressed_at"] = moment_text(now)
            receivers = self._receivers()
            document = {
                **self._facts,
                **({"exports": receivers} if receivers else {}),
                "written_at": moment_text(now),
                **self._spending.to_dict(),
            }
            try:
                write_document(self._path, document)
            except OSError as error:
                self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._told_of_trouble:
            logger.warning("the status file %s cannot be written: %s", self._path, error)
        self._told_of_trouble = True
