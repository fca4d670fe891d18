"""A user's own patterns of what is a secret too.

They are searched by RE2, in time linear in the length of the text; what it does not take is refused
before anything is read. In JSON the strings are searched as they are when decoded, so that JSON
stays JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.secret_json import HIDDEN_VALUE, is_json, map_json
from mlflow_smwatch.core.secret_texts import HIDDEN
from mlflow_smwatch.core.visible import visible

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""MLflow gets U+FFFD for them, so that is what is searched."""

_STAR = ord("*")
_PROBES = ("", "a", "-", "\n", "aa", "a-", "-a", "--", "a\n", "\na", "-\n", "\n-", "\n\n")
"""Between them every place at which a pattern could match nothing: an end, a line's, a word's."""


class OwnPatterns:
    """Patterns, compiled.

    Parameters
    ----------
    patterns
        Regular expressions in RE2's syntax.

    Raises
    ------
    UsageError
        When RE2 does not take one, or it matches nothing at all.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._compiled = tuple(map(_compiled, patterns))

    def hide(self, text: str) -> str:
        """Replace each match by ``***``.

        Matches that meet, or stars, become one ``***``; so what is hidden stays as it is.

        Parameters
        ----------
        text
            Any text. Of JSON, in which a match runs over several strings, nothing is left.
        """
        if not is_json(text):
            return self._in_plain(text)
        hidden = map_json(text, self.hide)
        if self._in_plain(hidden) == hidden:
            return hidden
        return HIDDEN_VALUE if self._in_plain(HIDDEN_VALUE) == HIDDEN_VALUE else HIDDEN

    def _in_plain(self, text: str) -> str:
        for compiled in self._compiled:
            text = _without_matches(compiled, text)
        return text


@lru_cache(maxsize=16)
def own_patterns(patterns: tuple[str, ...]) -> OwnPatterns:
    """Compile patterns, once.

    Parameters
    ----------
    patterns
        Regular expressions in RE2's syntax.

    Raises
    ------
    UsageError
        As of :class:`OwnPatterns`.
    """
    return OwnPatterns(patterns)


def patterns_in(lines: str) -> tuple[str, ...]:
    """Take patterns out of a text that has one a line; empty lines are none.

    Parameters
    ----------
    lines
        Value of an environment variable. Spaces belong to the patterns.
    """
    return tuple(line for line in lines.splitlines() if line.strip())


def _compiled(pattern: str) -> Any:  # noqa: ANN401 (re2 has no types)
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        detail = error.args[0] if error.args else ""
        why = detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
        message = f"--redact {visible(repr(pattern))}: not a pattern of RE2 ({visible(why)})"
        raise UsageError(message) from error
    if any(start == stop for probe in _PROBES for start, stop in _spans(compiled, probe.encode())):
        message = f"--redact {visible(repr(pattern))}: matches nothing at all, so everywhere"
        raise UsageError(message)
    return compiled


def _spans(compiled: Any, data: bytes) -> Iterator[tuple[int, int]]:  # noqa: ANN401 (re2 has no types)
    return (match.span() for match in compiled.finditer(data))


def _without_matches(compiled: Any, text: str) -> str:  # noqa: ANN401 (re2 has no types)
    data = (_UNSTORABLE.sub("\ufffd", text) if _UNSTORABLE.search(text) else text).encode()
    parts: list[bytes] = []
    kept = 0
    for start, stop in _spans(compiled, data):
        if stop <= max(start, kept):
            continue
        while start > kept and data[start - 1] == _STAR:
            start -= 1  # noqa: PLW2901
        while stop < len(data) and data[stop] == _STAR:
            stop += 1  # noqa: PLW2901
        if start > kept or not parts:
            parts += (data[kept:start], HIDDEN.encode())
        kept = stop
    return b"".join((*parts, data[kept:])).decode(errors="replace") if parts else text
