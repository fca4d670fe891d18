"""Secrets that can be told by their looks, wherever in a text they stand.

AWS's keys and tokens, private keys, what signs a URL, and the password in one. All patterns run in
time linear in the length of the text.
"""

from __future__ import annotations

import re
from itertools import pairwise

HIDDEN = "***"

_SHORT_AND_PLAIN = re.compile(r"[\w./:+]{0,19}")
"""Too short for a key, and without a sign that could join a name to its value."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_AFTER_LABEL = (
    re.compile(
        r"((?i:X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token))"
        r"(?:=|%3[Dd]|[\"']?: ?[\"']?))[\w%/+=.~-]+"
    ),
    re.compile(r"((?:[?&;]|\\u0026)(?i:Signature|sig)=)[A-Za-z0-9%][A-Za-z0-9%/+=_.~-]{5,}"),
    re.compile(r"((?<!\w)Signature=)[A-Za-z0-9%/+=_~-]{16,}"),
    re.compile(
        r"((?i:secret[_ -]?access[_ -]?key|(?:session|security)[_ -]?token)"
        r"[\"']?\s{0,8}[:=]\s{0,8}[\"']?)[A-Za-z0-9/+=]{16,}"
    ),
)
_LABEL = re.compile(r"signature|sig=|credential|token|key", re.IGNORECASE)
"""Without one of these no label can be there."""

_LOGIN = re.compile(r"(://[^\s/?#:@\"'<>\\]{0,256}:)[^\s/?#\"'<>\\]{1,1024}@")
_SESSION_TOKEN = re.compile(r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9/+=%_-]{20,}")
_ACCESS_KEY_ID = re.compile(r"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])")
_LOCATION_OR_SECRET_KEY = re.compile(
    r"(?P<location>(?:\barn:aws|://)[^\s\"'<>,;|]*)"
    r"|(?<![A-Za-z0-9_/+.%~-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9_/+=%~-]|\.\w)"
)
_SHORTEST_TOKEN = 32
_SECRET_KEY_SWITCHES = 12
"""Changes between capital, small letter and digit; a random key has 24 ± 3, a path far fewer."""


def is_harmless(text: str) -> bool:
    """Whether a text is so short and plain that no secret could be told in it.

    Parameters
    ----------
    text
        Any text.
    """
    return _SHORT_AND_PLAIN.fullmatch(text) is not None


def hide_lookalikes(text: str) -> str:
    """Replace what looks like a secret by itself, whatever stands before it.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text with ``***`` for each secret and everything else as it was.
    """
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(HIDDEN, text)
    if _LABEL.search(text):
        for pattern in _AFTER_LABEL:
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    if "@" in text and "://" in text:
        text = _LOGIN.sub(rf"\g<1>{HIDDEN}@", text)
    if "IA" in text:
        text = _ACCESS_KEY_ID.sub(HIDDEN, text)
    if len(text) < _SHORTEST_TOKEN:
        return text
    text = _SESSION_TOKEN.sub(HIDDEN, text)
    return _LOCATION_OR_SECRET_KEY.sub(_hide_secret_key, text)


def _hide_secret_key(match: re.Match[str]) -> str:
    """Hide 40 characters that look drawn at random from the alphabet of secret access keys."""
    text = match.group()
    if match["location"] is not None or text.isalnum() or max(map(len, text.split("/"))) < 12:
        return text
    kinds = [(char.isdigit(), char.isupper()) for char in text if char.isalnum()]
    switches = sum(first != last for first, last in pairwise(kinds))
    return HIDDEN if switches >= _SECRET_KEY_SWITCHES else text
