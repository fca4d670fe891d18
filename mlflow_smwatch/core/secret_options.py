"""Secrets on a command line: the value that follows an option with a secret name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mlflow_smwatch.core.secret_names import is_secret_name
from mlflow_smwatch.core.secret_texts import HIDDEN

_OPTION = re.compile(
    r"(?<![^\s\"'(\[,=])--?(?P<name>[A-Za-z][\w.-]{0,127})(?P<joint>=|\s+|[\"'],\s*)"
)
_ASSIGNMENT = re.compile(r"(?<![\w.?&/:%@-])(?P<name>[A-Za-z_][\w.-]{0,127})(?P<joint>=)")
_OPTION_VALUE = re.compile(r"\"(?P<double>[^\"]+)|'(?P<single>[^']+)|(?P<plain>\S*[^\s\"',;\])])")
_NEXT_OPTION = re.compile(r"[\"']?--[A-Za-z]|-[A-Za-z](?!\S)")
_ARGUMENT = re.compile(r"-{0,2}(?P<name>[A-Za-z_][\w.-]{0,127})(?P<joint>=|\Z)")


def hide_options(text: str) -> str:
    """Replace the values of options with a secret name: ``--api-token X``, ``--password=X``.

    Parameters
    ----------
    text
        Any text; a command line may stand in it.
    """
    return _hide_assigned(text, _OPTION) if "-" in text else text


def hide_assignments(text: str) -> str:
    """Replace the values that a command line gives to variables: ``API_TOKEN=X``.

    Parameters
    ----------
    text
        One argument; a script may stand in it.
    """
    return _hide_assigned(text, _ASSIGNMENT) if "=" in text else text


def hide_arguments(arguments: Sequence[object], hide: Callable[[str], str]) -> list[object]:
    """Replace the secrets on a command line, one argument an item.

    Parameters
    ----------
    arguments
        Of the command; what is no text stays.
    hide
        Replaces the secrets in an argument that is itself no secret.
    """
    redacted: list[object] = []
    is_awaited = False
    for argument in arguments:
        text = argument if isinstance(argument, str) else ""
        if is_awaited and text and not _NEXT_OPTION.match(text):
            redacted.append(HIDDEN)
            is_awaited = False
            continue
        is_awaited = _is_secret_option(text)
        redacted.append(_without_value(text) or hide(text) if text else argument)
    return redacted


def _is_secret_option(argument: str) -> bool:
    """Say whether an argument is an option whose secret value is the next argument."""
    match = _ARGUMENT.match(argument) if argument.startswith("-") else None
    return match is not None and match["joint"] == "" and is_secret_name(match["name"])


def _without_value(argument: str) -> str | None:
    """Take the value off ``--name=value`` with a secret name; None for any other argument."""
    match = _ARGUMENT.match(argument)
    if match and match["joint"] and is_secret_name(match["name"]):
        return match.group() + HIDDEN
    return None


def _hide_assigned(text: str, pattern: re.Pattern[str]) -> str:
    """Replace the values behind the secret names that a pattern finds in a command line."""
    parts: list[str] = []
    kept = at = 0
    while option := pattern.search(text, at):
        at = option.end()
        if not is_secret_name(option["name"]):
            continue
        is_alone = option["joint"] != "=" and _NEXT_OPTION.match(text, at)
        value = None if is_alone else _OPTION_VALUE.match(text, at)
        if value and value.lastgroup:
            start, at = value.span(value.lastgroup)
            parts += (text[kept:start], HIDDEN)
            kept = at
    return "".join((*parts, text[kept:])) if parts else text
