"""What a definition made of a number: right, cut short, without its sign, no number at all.

Looked at on matches only, so that the other lines of a log cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NOT_A_NUMBER = "not-a-number"
EXPONENT = "exponent"
SIGN = "sign"
DOT = "dot"
SWALLOWED = "swallowed"
BEGINNING = "beginning"
INSIDE_WORD = "inside-word"

_DIGITS = frozenset(b"0123456789")
_SIGNS = frozenset(b"+-")
_DIGITS_AND_DOT = _DIGITS | {ord(".")}
_GOES_ON = _DIGITS_AND_DOT | frozenset(b"eE")
_BEFORE_A_NUMBER = _DIGITS_AND_DOT | {ord("-")}
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_IN_A_LONGER_NAME = _WORD | frozenset(b"-.:/")
_NO_SIGN_AFTER = _WORD | frozenset(b")]}-")

_MORE_DIGITS = re.compile(rb"\d")
_EXPONENT = rb"[eE][-+]?\d+(?!\w)"
_AFTER_FRACTION = re.compile(rb"\d|" + _EXPONENT)
_AFTER_INTEGER = re.compile(rb"\d|\.\d+(?![\d.]*\d)|\.?" + _EXPONENT)
_LONGEST_NUMBER = 40

_ESCAPED_CONTROL = re.compile(rb"#0[0-3][0-7]")
"""A control character as CloudWatch Logs shows it: ``#011`` is a tab."""

_NUMBER_AND_MORE = re.compile(
    rb"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
    rb"[A-Za-z%]{0,3}(?:\.?\s|\.?$|[^\w.:/\-])"
)
_DIGIT_CLASS = r"(?:\[(?:0-9|\\d|[.,+\-]|\\[.,+\-])*(?:0-9|\\d)[^\]]*\]|\\d)"
_WILD_DOT = re.compile(rf"{_DIGIT_CLASS}(?:[+*?]|\{{\d*,?\d*\}})?(?:\((?:\?:)?)?\.(?![*+{{])")
_NOT_A_DOT_BETWEEN = re.compile(rb"[-+]?\d+[^\d.]\d*")


def number(text: bytes) -> float | None:
    """Read a captured text as ``float`` does, without ``_``; None if it is no number."""
    if b"_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def has_wild_dot(pattern: str) -> bool:
    """Tell whether a pattern has an unescaped ``.`` after digits, where a decimal point was meant.

    Examples are ``[0-9]+.[0-9]+`` and ``[0-9]+(.|e-)[0-9]+``.
    """
    return _WILD_DOT.search(pattern) is not None


def no_number_because(text: bytes | None, *, wild_dot: bool) -> str:
    """Say why a captured text is no number.

    Parameters
    ----------
    text
        What was captured; None where the group took no part.
    wild_dot
        Whether the pattern has an unescaped ``.`` after digits.
    """
    if text is not None and wild_dot and _NOT_A_DOT_BETWEEN.fullmatch(text):
        return DOT
    if text is not None and _NUMBER_AND_MORE.match(text):
        return SWALLOWED
    return NOT_A_NUMBER


def distortions(block: bytes, first: int, last: int) -> Sequence[str]:
    """Tell what was done to a captured number.

    Parameters
    ----------
    block
        Lines with a line break before and after each of them.
    first, last
        Where a number was captured.

    Returns
    -------
    sequence
        Codes; none for a number that was captured as it stands.
    """
    if block[last] not in _GOES_ON and block[first - 1] not in _BEFORE_A_NUMBER:
        return ()
    before = _before(block, first)
    is_distorted = {
        EXPONENT: _goes_on(block, first, last),
        SIGN: before == ord("-") and _lost_sign(block, first),
        BEGINNING: _began_earlier(block, first, before),
    }
    return [code for code, found in is_distorted.items() if found]


def begins_inside_word(block: bytes, start: int) -> bool:
    """Tell whether a match begins inside a longer name, as ``loss`` in ``val_loss``."""
    return (
        block[start - 1] in _IN_A_LONGER_NAME
        and block[start] in _WORD
        and _before(block, start) in _IN_A_LONGER_NAME
    )


def _before(block: bytes, offset: int) -> int:
    """Return the byte before an offset, a space for an escaped control character."""
    if _ESCAPED_CONTROL.fullmatch(block, max(0, offset - 4), offset):
        return ord(" ")
    return block[offset - 1]


def _lost_sign(block: bytes, first: int) -> bool:
    """Tell whether the minus before a number is its sign."""
    return block[first] not in _SIGNS and _before(block, first - 1) not in _NO_SIGN_AFTER


def _goes_on(block: bytes, first: int, last: int) -> bool:
    """Tell whether a number has more digits, decimals or an exponent behind what was captured."""
    if block[last] not in _GOES_ON or block[last - 1] not in _DIGITS_AND_DOT:
        return False
    text, rest = block[first:last], block[last : last + _LONGEST_NUMBER]
    if b"e" in text or b"E" in text:
        return _MORE_DIGITS.match(rest) is not None
    return (_AFTER_FRACTION if b"." in text else _AFTER_INTEGER).match(rest) is not None


def _began_earlier(block: bytes, first: int, before: int) -> bool:
    """Tell whether a number has digits before what was captured."""
    if before in _DIGITS:
        return block[first] in _DIGITS_AND_DOT
    if before != ord(".") or block[first] not in _DIGITS:
        return False
    earlier = _before(block, first - 1)
    return earlier in _DIGITS or earlier not in _NO_SIGN_AFTER | {ord(".")}
