"""A relay before a database server that loses one answer, and with it the connection."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_PIECE = 65536


@dataclass
class Relay:
    """What a relay does.

    Attributes
    ----------
    target
        Host and port of the server.
    after, to
        The answer that is lost is that to the first request with the one text that follows a
        request with the other.
    address
        What stands for the server's address.
    lost
        How many answers were lost.
    """

    target: tuple[str, int]
    after: bytes
    to: bytes
    address: str = ""
    lost: int = 0

    def serve(self, client: socket.socket) -> None:
        """Pass on what comes, until either side ends the connection."""
        awaited = False
        with socket.create_connection(self.target) as server, suppress(OSError):
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            while piece := client.recv(_PIECE):
                awaited = awaited or self.after in piece
                if awaited and self.to in piece and not self.lost:
                    self.lost += 1
                    client.shutdown(socket.SHUT_RDWR)
                    server.sendall(piece)
                    back.join(10)
                    return
                server.sendall(piece)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)


@contextmanager
def losing_an_answer(address: str, *, after: bytes, to: bytes) -> Iterator[Relay]:
    """Relay to a server; gives the relay.

    Parameters
    ----------
    address
        Such as ``user@127.0.0.1:5432/name``.
    after, to
        As of :class:`Relay`.
    """
    user, _, place = address.rpartition("@")
    host, _, rest = place.partition(":")
    port, _, name = rest.partition("/")
    relay = Relay((host, int(port)), after, to)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            relay.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server((host, 0), Handler) as server:
        relay.address = f"{user}@{host}:{server.server_address[1]}/{name}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join()
