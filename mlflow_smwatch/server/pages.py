"""What is answered under ``/smwatch``, whatever server asks."""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from dataclasses import dataclass, field
from typing import Any

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core.errors import reason
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.server.documents import read_document
from mlflow_smwatch.server.health import judge
from mlflow_smwatch.server.page import render_page
from mlflow_smwatch.server.page_style import POLICY
from mlflow_smwatch.server.place import Place
from mlflow_smwatch.server.store_reader import StoreReader

logger = logging.getLogger(__name__)

PATHS = ("/smwatch", "/smwatch/", "/smwatch/status.json", "/smwatch/health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer.

    Attributes
    ----------
    status
        HTTP code.
    content_type, body, headers
        As they are sent.
    """

    status: int
    content_type: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The pages of one worker.

    Attributes
    ----------
    shown_uri
        The store, without its password.
    mlflow_version
        Of the server.
    place
        Where the workers meet; None where there is no mirror.
    store
        Reads the store; None where there is no mirror.
    refusal
        Why there is no mirror.
    """

    shown_uri: str
    mlflow_version: str
    place: Place | None = None
    store: StoreReader | None = None
    refusal: str | None = None

    def answer(self, path: str) -> Answer:
        """Answer a GET; what goes wrong with that is one line, and the server goes on.

        Parameters
        ----------
        path
            One of :data:`PATHS`.
        """
        try:
            return self._answered(path, time.time())
        except Exception as error:
            line = visible(reason(error))
            logger.exception("%s cannot be shown", path)
            headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
            return Answer(
                status=500,
                content_type="text/plain; charset=utf-8",
                body=f"smwatch cannot show this: {line}\n",
                headers=headers,
            )

    def _answered(self, path: str, now: float) -> Answer:
        if path == "/smwatch/":
            return Answer(
                status=308, content_type="text/plain", body="", headers={"Location": "../smwatch"}
            )
        if path == "/smwatch/health":
            health = judge(*self._told(), now, self.refusal)
            return _json(health.to_dict(), 200 if health.ok else 503)
        view = self.view(now)
        if path == "/smwatch/status.json":
            return _json(view)
        headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
        return Answer(
            status=200,
            content_type="text/html; charset=utf-8",
            body=render_page(view, now),
            headers={**headers, "Cache-Control": "no-store"},
        )

    def view(self, now: float) -> dict[str, Any]:
        """Return the document of ``/smwatch/status.json``.

        Parameters
        ----------
        now
            Seconds since the epoch.
        """
        worker, watch = self._told()
        return {
            "health": judge(worker, watch, now, self.refusal).to_dict(),
            "server": {
                "smwatch": __version__,
                "mlflow": self.mlflow_version,
                "tracking_uri": self.shown_uri,
                "host": platform.node(),
                "pid": os.getpid(),
            },
            "worker": worker,
            "watch": watch,
            "store": self.store.read() if self.store else {},
        }

    def _told(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.place is None:
            return {}, {}
        return read_document(self.place.worker), read_document(self.place.watch)


def _json(document: dict[str, Any], status: int = 200) -> Answer:
    return Answer(
        status=status,
        content_type="application/json",
        body=json.dumps(document, indent=1) + "\n",
        headers={"Cache-Control": "no-store"},
    )
