"""Faults below the level of an AWS error: what becomes of an answer on its way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from mlflow_smwatch.demo.wire import Reply

_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head>"
    b"<body><h1>502 Bad Gateway</h1><p>the proxy</p></body></html>"
)


class Breakage(Enum):
    """How an answer is broken."""

    RESET = "the connection is reset before the request is looked at"
    LOST = "the request is carried out, then the connection is reset without an answer"
    MALFORMED = "the answer's body is cut in half, its length being that of the half"
    TRUNCATED = "the answer's body ends early, its length being that of the whole"
    EMPTY = "the answer has status 200 and no body"
    PAGE = "a proxy's HTML page comes instead, with status 200"
    GATEWAY = "a proxy's HTML page comes instead, with status 502"
    ARRAY = "the body is JSON, but no object"
    GARBLED = "the body is no UTF-8"
    SLOW = "the body comes in many pieces, with pauses"
    STALLED = "half of the body comes, then nothing"


BREAKAGES = {
    "LostAnswer": Breakage.LOST,
    "MalformedBody": Breakage.MALFORMED,
    "TruncatedBody": Breakage.TRUNCATED,
    "EmptyBody": Breakage.EMPTY,
    "HtmlPage": Breakage.PAGE,
    "BadGateway": Breakage.GATEWAY,
    "OtherJson": Breakage.ARRAY,
    "GarbledBody": Breakage.GARBLED,
    "SlowBody": Breakage.SLOW,
    "StalledBody": Breakage.STALLED,
}
"""Name for :meth:`~mlflow_smwatch.demo.faults.Faults.fail` → breakage."""

_BODIES = {
    Breakage.EMPTY: b"",
    Breakage.PAGE: _PAGE,
    Breakage.GATEWAY: _PAGE,
    Breakage.ARRAY: b'["an answer of somebody else"]',
    Breakage.GARBLED: b"\xff\xfe\x80 no text",
}
_PIECES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What goes over the wire.

    Attributes
    ----------
    reply
        Status and headers.
    length
        What the head says of the body's length.
    pieces
        Of the body; there is a pause before each but the first.
    stalls
        Whether the connection stays open after them, in silence.
    closes
        Whether it is closed after them.
    """

    reply: Reply
    length: int
    pieces: tuple[bytes, ...]
    stalls: bool = False
    closes: bool = False


def transfer(reply: Reply, breakage: Breakage | None) -> Transfer:
    """Tell what is sent of an answer.

    Parameters
    ----------
    reply
        The true answer.
    breakage
        How it is broken; None for not at all.
    """
    if breakage in _BODIES:
        status = 502 if breakage is Breakage.GATEWAY else 200
        reply = replace(reply, status=status, body=_BODIES[breakage])
    body = reply.body
    half = body[: len(body) // 2]
    if breakage is Breakage.MALFORMED:
        return Transfer(reply=reply, length=len(half), pieces=(half,))
    if breakage in {Breakage.TRUNCATED, Breakage.STALLED}:
        stalls = breakage is Breakage.STALLED
        return Transfer(reply=reply, length=len(body), pieces=(half,), stalls=stalls, closes=True)
    pieces = _pieces(body) if breakage is Breakage.SLOW else (body,)
    return Transfer(reply=reply, length=len(body), pieces=pieces)


def _pieces(body: bytes) -> tuple[bytes, ...]:
    size = max(1, -(-len(body) // _PIECES))
    return tuple(body[start : start + size] for start in range(0, len(body), size)) or (b"",)
