"""Keys and values that every MLflow store accepts.

AWS names enter, MLflow keys leave. The rules are those of ``mlflow.utils.validation``, applied
here because some stores check nothing and others refuse late.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

KEY_LIMIT = 250
TAG_VALUE_LIMIT = 8000
PARAM_VALUE_LIMIT = 6000
DATASET_TAG_LIMIT = 500
EXPERIMENT_TAG_LIMIT = 5000

_HASH_DIGITS = 8
_REFUSED = re.compile(r"[^/\w.\- :]")
_LOOSE_SLASH = re.compile(r"\A/|(?<=/)/|/\Z")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_NONE_GIVEN: Mapping[str, str] = MappingProxyType({})


def legal_key(original: str) -> str:
    """Turn any name into a key that MLflow accepts for a metric, a param and a tag.

    A character that MLflow refuses becomes ``_``; so do a ``/`` at either end or after another
    ``/``, and then each dot of a segment ``.`` or ``..``, and the two dots of a key that begins
    with ``..`` (MLflow takes it for a path to the parent folder). A key over `KEY_LIMIT`
    characters becomes its beginning, ``_`` and 8 hex digits of the original's SHA-256. An empty
    name becomes ``_``. Case and Unicode form stay as they are.

    Parameters
    ----------
    original
        A name from AWS.

    Returns
    -------
    str
        The key, of 1 to `KEY_LIMIT` characters; a legal name is its own key.
    """
    key = _LOOSE_SLASH.sub("_", _REFUSED.sub("_", original))
    key = "/".join(_legal_segment(segment) for segment in key.split("/"))
    if key.startswith(".."):
        key = "__" + key[2:]
    if len(key) > KEY_LIMIT:
        digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()
        key = f"{key[: KEY_LIMIT - _HASH_DIGITS - 1]}_{digest[:_HASH_DIGITS]}"
    return key or "_"


def assign_keys(
    originals: Iterable[str],
    given: Mapping[str, str] = _NONE_GIVEN,
    taken: Iterable[str] = (),
) -> dict[str, str]:
    """Give each name a key of its own.

    Two keys collide if they are equal character by character (``Loss`` and ``loss`` do not).
    A suffixed key never takes the legal key of another name: the legal keys are handed out first,
    each to the first of its names in sorted order; then the remaining names, in sorted order, get
    ``_2``, ``_3``, …: the next that nobody holds. The result depends on the set of names and on
    what was given, not on the order of the names.

    Parameters
    ----------
    originals
        The names of one name space (params, tags or metrics), as AWS has them.
    given
        Name → key as handed out earlier. These keys stay, and nobody else gets them, whether
        or not their names are among the originals.
    taken
        Further keys that nobody gets.

    Returns
    -------
    dict of str to str
        Name → key for each of the originals, in sorted order; empty if there are none.
    """
    names = sorted(set(originals))
    keys = {name: given[name] for name in names if name in given}
    held = {*given.values(), *taken}
    waiting: list[tuple[str, str]] = []
    for name in (name for name in names if name not in given):
        natural = legal_key(name)
        if natural in held:
            waiting.append((name, natural))
            continue
        keys[name] = natural
        held.add(natural)
    keys.update(_suffixed(waiting, held))
    return {name: keys[name] for name in names}


def legal_value(text: str, limit: int) -> str:
    """Make a text that every store can hold.

    Parameters
    ----------
    text
        Any text.
    limit
        Most characters that MLflow keeps, such as `TAG_VALUE_LIMIT`.

    Returns
    -------
    str
        The text with NUL and lone surrogates as U+FFFD, cut to the limit.
    """
    return _UNSTORABLE.sub("\ufffd", text[:limit])


def _legal_segment(segment: str) -> str:
    return "_" * len(segment) if segment in {".", ".."} else segment


def _suffixed(waiting: Iterable[tuple[str, str]], taken: set[str]) -> dict[str, str]:
    """Give a numbered key to each name whose legal key is held by another; add it to `taken`."""
    keys: dict[str, str] = {}
    next_number: dict[str, int] = {}
    for name, natural in waiting:
        number = next_number.get(natural, 2)
        while (key := _with_suffix(natural, number)) in taken:
            number += 1
        next_number[natural] = number + 1
        keys[name] = key
        taken.add(key)
    return keys


def _with_suffix(natural: str, number: int) -> str:
    suffix = f"_{number}"
    return natural[: KEY_LIMIT - len(suffix)] + suffix
