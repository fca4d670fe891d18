"""A small HTTP/1.1 server on loopback, with connections that stay open.

Werkzeug's own server closes each connection; AWS does not, and neither do benchmarks like it.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, cast

from werkzeug.serving import DechunkedInput

from mlflow_smwatch.demo.breakages import Breakage, transfer
from mlflow_smwatch.demo.wire import HttpRequest, Reply

POLL_S = 0.01
PAUSE_S = 0.05
"""Between the pieces of a slow body."""

STALL_S = 20
"""How long a connection stays open on which nothing more comes."""

SET_HERE = {"content-length", "date", "connection", "server"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LoopbackServer

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep quiet: the account has its own record of requests."""

    def answer(self) -> None:
        reply, breakage = self.server.answerer(self._request())
        if breakage in {Breakage.RESET, Breakage.LOST}:
            self._reset()
            return
        sent = transfer(reply, breakage)
        first, *others = sent.pieces
        self._send(sent.reply, first, sent.length)
        for piece in others:
            self.server.stopping.wait(PAUSE_S)
            self.wfile.write(piece)
        if sent.stalls:
            self.server.stopping.wait(STALL_S)
        if sent.closes:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815  names of http.server

    def _request(self) -> HttpRequest:
        path, _, query = self.path.partition("?")
        return HttpRequest(
            method=self.command,
            path=path,
            query=query,
            headers={key.lower(): value for key, value in self.headers.items()},
            body=self._body(),
        )

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return DechunkedInput(cast("IO[bytes]", self.rfile)).read()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, reply: Reply, body: bytes, length: int) -> None:
        """Write head and body at once: two writes would cost a delayed acknowledgement."""
        headers = {"Content-Length": str(length), "Date": self.date_time_string()}
        headers |= {k: v for k, v in reply.headers if k.lower() not in SET_HERE}
        told = any(k.lower() == "content-length" for k, _ in reply.headers)
        if told and not body and self.command == "HEAD":
            headers["Content-Length"] = dict(reply.headers)["Content-Length"]
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.wfile.write(head if self.command == "HEAD" else head + body)

    def _reset(self) -> None:
        linger_off = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
        self.close_connection = True


class LoopbackServer(ThreadingHTTPServer):
    """Serves one answerer on 127.0.0.1, each connection in a thread.

    Parameters
    ----------
    port
        0 for any free one.
    answerer
        Turns a request into a reply, and says how the reply is to be broken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, answerer: Callable[[HttpRequest], tuple[Reply, Breakage | None]]
    ) -> None:
        self.answerer = answerer
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL_S,), daemon=True)

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close all connections."""
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in tuple(self.connections):
            _close(connection)

    def handle_error(self, *_: object) -> None:
        """Say nothing of a connection that broke: the account logs its own mistakes."""


def _close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
