"""Tags on runs that say which rules are in alarm, written between two passes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from mlflow_smwatch.core.errors import JobError, SmwatchError
from mlflow_smwatch.tracking.alert_tags import write_alert_tags
from mlflow_smwatch.tracking.store import Tracking, open_tracking

logger = logging.getLogger(__name__)

LONGEST_S = 2.0
"""How long a pass is followed by writing tags; what is left comes after the next."""

MOST_RUNS = 10_000


class RunMarks:
    """What is to be written on runs.

    It is written in the thread of the watch while no pass is under way, so that nobody else writes:
    SQLite takes one writer at a time.

    Parameters
    ----------
    tracking_uri
        The store; opened when there is something to write.
    clock
        Monotonic seconds.
    """

    def __init__(
        self, tracking_uri: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._uri = tracking_uri
        self._clock = clock
        self._tracking: Tracking | None = None
        self._pending: dict[str, dict[str, str]] = {}
        self._failing = False

    def mark(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Note tags of a run; :meth:`flush` writes them."""
        self._pending.setdefault(run_id, {}).update(tags)
        if len(self._pending) > MOST_RUNS:
            del self._pending[next(iter(self._pending))]

    def flush(self) -> None:
        """Write what is noted, as far as the time goes; failures are told once and tried again."""
        until = self._clock() + LONGEST_S
        while self._pending and self._clock() < until:
            run_id, tags = next(iter(self._pending.items()))
            try:
                self._write(run_id, tags)
            except JobError as error:
                logger.warning("run %s is not marked with its alerts: %s", run_id, error)
            except SmwatchError as error:
                self._complain(error)
                return
            del self._pending[run_id]
            self._failing = False

    def _write(self, run_id: str, tags: Mapping[str, str]) -> None:
        if self._tracking is None:
            self._tracking = open_tracking(self._uri, create=False)
        write_alert_tags(self._tracking, run_id, tags)

    def _complain(self, error: SmwatchError) -> None:
        if not self._failing:
            logger.warning("runs cannot be marked with their alerts: %s", error)
        self._failing = True
