"""Texts with places in braces that a job fills: its name, a tag, a group of a pattern.

What fills a place is data: a brace or a star in it has no meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from mlflow_smwatch.core.errors import UsageError

ALLOWED = "{name}, {arn}, {account}, {region}, {tag:KEY}, {group:N}; a brace itself is {{ or }}"
"""The places, for messages."""

_FIELDS = frozenset({"name", "arn", "account", "region"})
_PIECE = re.compile(r"\{\{|\}\}|\{(?P<place>[^{}]*)\}|(?P<lone>[{}])|[^{}]+")
_TAG, _GROUP = "tag:", "group:"
_NUMBER = re.compile(r"[1-9][0-9]?")


class UnfilledError(Exception):
    """A place for which a job has nothing; the message says what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What fills the places.

    Attributes
    ----------
    fields
        ``name``, ``arn``, ``account`` and ``region``.
    tags
        Resource tags.
    groups
        What the groups of the pattern on the name hold, from the first; None where one has no part
        in the match.
    """

    fields: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    groups: Sequence[str | None] = ()


def require_template(text: str, groups: int) -> None:
    """Refuse a text whose places cannot be filled.

    Parameters
    ----------
    text
        The text.
    groups
        How many groups the pattern on the name has.

    Raises
    ------
    UsageError
        With what is wrong.
    """
    for place, _ in _pieces(text):
        if place is None or place in _FIELDS or (place.startswith(_TAG) and len(place) > len(_TAG)):
            continue
        number = _number(place)
        if number is None:
            message = f"{{{place}}}: unknown; choose from {ALLOWED}"
            raise UsageError(message)
        if number > groups:
            message = f"{{{place}}}: name-matches has {groups} groups"
            raise UsageError(message)


def filled(text: str, filling: Filling) -> str:
    """Fill the places of a text.

    Parameters
    ----------
    text
        One that :func:`require_template` takes.
    filling
        What fills them.

    Raises
    ------
    UnfilledError
        When the job has nothing for one of them.
    """
    parts = (
        literal if place is None else _value(place, filling) for place, literal in _pieces(text)
    )
    return "".join(parts)


def rewritten(text: str, fill: Callable[[str], str]) -> str:
    """Put something else into the places of a text.

    Parameters
    ----------
    text
        One that :func:`require_template` takes.
    fill
        What stands between the braces → what takes their place.
    """
    return "".join(literal if place is None else fill(place) for place, literal in _pieces(text))


@lru_cache(maxsize=256)
def _pieces(text: str) -> tuple[tuple[str | None, str], ...]:
    return tuple(_parsed(text))


def _parsed(text: str) -> Iterator[tuple[str | None, str]]:
    """Give the pieces of a text: what stands in braces, or literal text."""
    for match in _PIECE.finditer(text):
        if match["lone"]:
            message = f"{text!r}: a brace that has no other; choose from {ALLOWED}"
            raise UsageError(message)
        if match["place"] is not None:
            yield match["place"], ""
        else:
            piece = match[0]
            yield None, piece[0] if piece in {"{{", "}}"} else piece


def _value(place: str, filling: Filling) -> str:
    number = _number(place)
    if number is not None:
        value = filling.groups[number - 1] if number <= len(filling.groups) else None
        what = f"group {number} of name-matches has no part in its name"
    elif place.startswith(_TAG):
        value = filling.tags.get(place[len(_TAG) :])
        what = f"it has no tag {place[len(_TAG) :]!r}"
    else:
        value, what = filling.fields.get(place), f"it has no {place}"
    if not value:
        raise UnfilledError(what)
    return value


def _number(place: str) -> int | None:
    number = _NUMBER.fullmatch(place.removeprefix(_GROUP)) if place.startswith(_GROUP) else None
    return int(number[0]) if number else None
