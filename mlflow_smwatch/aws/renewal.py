"""Credentials that can renew themselves are renewed once AWS says that they have expired.

botocore renews them some minutes before the end that they were given. AWS may end them earlier: a
role's sessions were revoked, or this machine's clock is slow.
"""

from __future__ import annotations

import re
import threading
from datetime import datetime, timezone
from typing import Any

from botocore.credentials import RefreshableCredentials

_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
_KEY = re.compile(rb"Credential=([^/]*)/")
_AT_ONCE_S = 1e-3


class Renewal:
    """Renews the credentials of a session's clients; for use by several threads.

    Parameters
    ----------
    credentials
        The session's; those that cannot be renewed are left as they are.
    """

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._sent = threading.local()

    def attach(self, client: Any) -> None:
        """Try a client's requests once more, signed anew, whose credentials have expired."""
        if isinstance(self._credentials, RefreshableCredentials):
            client.meta.events.register("before-send", self._note_key)
            client.meta.events.register_first("needs-retry", self._needs_retry)

    def _note_key(self, request: Any, **_: object) -> None:
        """Remember whose key signed what this thread sends."""
        signature = request.headers.get("Authorization") or b""
        found = _KEY.search(signature if isinstance(signature, bytes) else signature.encode())
        self._sent.key = found[1].decode() if found else None

    def _needs_retry(self, attempts: int, response: Any, **_: object) -> float | None:
        """Tell botocore to send at once; None leaves it to its other rules."""
        if attempts > 1 or response is None:
            return None
        error = response[1].get("Error", {})
        if _EXPIRED.isdisjoint({error.get("Code"), error.get("QueryErrorCode")}):
            return None
        with self._lock:
            if self._credentials.get_frozen_credentials().access_key == self._sent.key:
                self._end()
        return _AT_ONCE_S

    def _end(self) -> None:
        """Let the next request that is signed ask for new ones: there is no public way to."""
        self._credentials._expiry_time = datetime.now(tz=timezone.utc)  # noqa: SLF001 - as said
        self._credentials.get_frozen_credentials()
