"""Notes whom a process and its children reach for, and lets them reach this computer alone.

Python imports this by itself at its start wherever the folder is on its path. Each line of the file
that ``SOCKETS_SEEN`` names is a host and a port, or ``-`` for a look-up without one.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_LOOPBACK = {"127.0.0.1", "::1", "localhost", "unix"}
_LOOK_UPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_SENDS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_SEEN = os.open(os.environ["SOCKETS_SEEN"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _reached(event: str, arguments: tuple[Any, ...]) -> tuple[str, object] | None:
    if event in _LOOK_UPS:
        return _text(arguments[0]), (arguments[1:2] or ("-",))[0]
    if event in _SENDS and arguments[1] is not None:
        address = arguments[1]
        return (_text(address[0]), address[1]) if isinstance(address, tuple) else ("unix", "-")
    return None


def _text(host: str | bytes | None) -> str:
    return host.decode() if isinstance(host, bytes) else host or "localhost"


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    reached = _reached(event, arguments)
    if reached is None:
        return
    host, port = reached
    os.write(_SEEN, f"{host} {port}\n".encode())
    if host not in _LOOPBACK:
        raise ConnectionRefusedError(host)


sys.addaudithook(_watch)
