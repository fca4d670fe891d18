"""JSON as a text: members with a secret name, and its strings one by one.

The text need not be whole, for AWS cuts long ones off. Whatever is not replaced stays to the
letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from mlflow_smwatch.core.secret_names import is_secret_name
from mlflow_smwatch.core.secret_texts import HIDDEN

HIDDEN_VALUE = f'"{HIDDEN}"'

_STRING = re.compile(r"\"(?:[^\"\\]+|\\.?)*(?:\"|\Z)", re.DOTALL)
_STRUCTURE = re.compile(r"[\"\[\]{}]")
_COLON = re.compile(r"\s*:\s*")
_SCALAR = re.compile(r"[^\s,\[\]{}\"]+")
_TOKEN = re.compile(r"(?P<string>\"(?:[^\"\\]+|\\.)*\")|[^\s,:\[\]{}\"]+", re.DOTALL)


def hide_json(text: str) -> str:
    """Replace the members with a secret name in a JSON text; any other text stays as it is.

    Parameters
    ----------
    text
        Any text.
    """
    start = text.lstrip()[:1]
    if start == '"':
        return _hide_in_string(text)
    return _hide_members(text) if start in {"{", "["} else text


def is_json(text: str) -> bool:
    """Whether a text is a JSON object, array or string, whole.

    Parameters
    ----------
    text
        Any text.
    """
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return False
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def map_json(text: str, change: Callable[[str], str]) -> str:
    """Change the strings of a JSON text, and whatever else has a value.

    Parameters
    ----------
    text
        JSON.
    change
        Is given each string decoded, and numbers and words as they are written. A number or word
        that it changes becomes a string.
    """

    def changed(match: re.Match[str]) -> str:
        token = match.group()
        value = _decoded(token) if match["string"] else token
        after = change(value)
        return token if after == value else json.dumps(after, ensure_ascii=token.isascii())

    return _TOKEN.sub(changed, text)


def _hide_in_string(literal: str) -> str:
    """Replace members of JSON that stands, once more encoded, in a JSON string."""
    inner = _decoded(literal) if '\\"' in literal else ""
    redacted = hide_json(inner) if inner != literal else inner
    return literal if redacted == inner else json.dumps(redacted, ensure_ascii=literal.isascii())


def _hide_members(text: str) -> str:
    parts: list[str] = []
    kept = at = 0
    while string := _STRING.search(text, at):
        start, at = string.span()
        replacement = string.group()
        if (colon := _COLON.match(text, at)) is None:
            replacement = _hide_in_string(replacement)
        elif is_secret_name(_decoded(replacement)):
            start, at = colon.end(), _end(text, colon.end())
            replacement = HIDDEN_VALUE
        parts += (text[kept:start], replacement)
        kept = at
    return "".join((*parts, text[kept:]))


def _decoded(literal: str) -> str:
    """Return the text of a JSON string; of what is none, the text as it stands."""
    try:
        decoded = json.loads(literal, strict=False)
    except ValueError:
        return literal
    return decoded if isinstance(decoded, str) else literal


def _end(text: str, start: int) -> int:
    """Return where the JSON value that begins at `start` ends, or the end of a broken text."""
    if scalar := _SCALAR.match(text, start):
        return scalar.end()
    depth, at = 0, start
    while token := _STRUCTURE.search(text, at):
        at = token.end()
        if token.group() == '"':
            string = _STRING.match(text, token.start())
            at = string.end() if string else at
        else:
            depth += 1 if token.group() in "[{" else -1
        if depth <= 0:
            return at if depth == 0 else token.start()
    return len(text)
