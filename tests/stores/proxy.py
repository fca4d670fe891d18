"""An HTTP server that passes requests on to another, notes them, and can lack endpoints."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

NOT_PASSED_ON = {"host", "connection", "content-length", "accept-encoding", "transfer-encoding"}
FLASKS_404 = b"<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n"


@dataclass
class Proxy:
    """A running proxy.

    Attributes
    ----------
    address
        Where it is reached.
    missing
        Parts of paths that are answered as a server does that has no such endpoint.
    trouble
        Tells of a path what becomes of the next request: a status that a proxy itself gives,
        ``reset`` (it is not passed on) or ``lost`` (its answer is not); None for nothing.
    requests
        Method, path and body of each request.
    headers
        The headers of each request.
    """

    address: str
    missing: tuple[str, ...] = ()
    trouble: Callable[[str], int | str | None] = lambda _path: None
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    target: ClassVar[str]
    proxy: ClassVar[Proxy]

    def handle_one_request(self) -> None:
        """Treat every method alike."""
        self.raw_requestline = self.rfile.readline(65537)
        if self.raw_requestline and self.parse_request():
            self._pass_on()
        else:
            self.close_connection = True

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.proxy.requests.append((self.command, self.path, body))
        self.proxy.headers.append(dict(self.headers.items()))
        if any(part in self.path for part in self.proxy.missing):
            self._answer(404, "text/html; charset=utf-8", FLASKS_404)
            return
        trouble = self.proxy.trouble(self.path)
        if trouble == "reset":
            self.close_connection = True
            return
        if isinstance(trouble, int):
            self._answer(trouble, "text/html", b"<html><h1>the proxy</h1></html>")
            return
        status, kind, answer = self._passed_on(body)
        if trouble == "lost":
            self.close_connection = True
            return
        self._answer(status, kind, answer)

    def _passed_on(self, body: bytes) -> tuple[int, str | None, bytes]:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_PASSED_ON}
        request = urllib.request.Request(
            self.target + self.path, body or None, headers, method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read()

    def _answer(self, status: int, kind: str | None, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Write no log."""


@contextmanager
def proxied(target: str, *missing: str) -> Iterator[Proxy]:
    """Serve a proxy of another server for the duration of a block."""

    class Handler(_Handler):
        pass

    Handler.target = target
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.proxy = proxy = Proxy(f"http://127.0.0.1:{server.server_port}", missing)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
