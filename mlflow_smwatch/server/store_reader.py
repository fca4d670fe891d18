"""What the store holds of the mirror, read in the background and not too often."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from mlflow_smwatch.core.errors import SmwatchError, reason
from mlflow_smwatch.server.documents import (
    moment_text,
    number,
    read_document,
    seconds_of,
    write_document,
)
from mlflow_smwatch.server.place import Place

logger = logging.getLogger(__name__)

OLD_S = 30.0
"""How old what was read may be before it is read again."""

SHARE = 20
"""What took long is read again only after that many times as long."""

PATIENCE_S = 2.0
"""How long a page waits for the first reading; it is shown without it then."""

LISTED = 100
"""Most runs that need attention, the last written first."""


class StoreReader:
    """Reads the state of the mirror from MLflow for all workers of a server.

    Parameters
    ----------
    place
        Where the workers share what was read.
    tracking_uri
        The server's own store.
    """

    def __init__(self, place: Place, tracking_uri: str) -> None:
        self._place = place
        self._tracking_uri = tracking_uri
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None

    def read(self) -> dict[str, Any]:
        """Return what was read last; a new reading begins where that is old."""
        known = read_document(self._place.store)
        if self._is_old(known):
            reading = self._begin()
            if not known:
                reading.join(PATIENCE_S)
                known = read_document(self._place.store)
        return known

    def _begin(self) -> threading.Thread:
        with self._lock:
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(
                    target=self._read, name="smwatch-store", daemon=True
                )
                self._reading.start()
            return self._reading

    @staticmethod
    def _is_old(known: dict[str, Any]) -> bool:
        read_at = seconds_of(known.get("read_at")) or 0.0
        return time.time() - read_at > max(OLD_S, SHARE * (number(known.get("seconds")) or 0))

    def _read(self) -> None:
        begun = time.monotonic()
        found = self._found()
        seconds = round(time.monotonic() - begun, 3)
        document = {"read_at": moment_text(time.time()), "seconds": seconds, **found}
        try:
            write_document(self._place.store, document)
        except OSError as error:
            logger.warning("what was read of the store cannot be kept: %s", error)

    def _found(self) -> dict[str, Any]:
        from mlflow_smwatch.status import status

        try:
            found = status(self._tracking_uri, ui_url=".").to_dict()
        except SmwatchError as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - the page says so, and the server goes on
            return {"error": reason(error)}
        attention = found.pop("attention")
        return {
            **found,
            "attention": attention[:LISTED],
            "more_attention": max(0, len(attention) - LISTED),
        }
