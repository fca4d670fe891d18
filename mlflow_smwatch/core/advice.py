"""What to tell a user whose MetricDefinitions lose or distort values, with a better pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mlflow_smwatch.core.definitions import BROKEN, NO_GROUP, RUNAWAY, unusable
from mlflow_smwatch.core.distortions import (
    BEGINNING,
    DOT,
    EXPONENT,
    INSIDE_WORD,
    NOT_A_NUMBER,
    SIGN,
    SWALLOWED,
)
from mlflow_smwatch.core.job import MetricDefinition
from mlflow_smwatch.core.patterns import compile_re2
from mlflow_smwatch.core.visible import visible

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
NOT_INSIDE_WORD = r"(?:^|#0\d\d|[^\w.:/-])"

PATTERN_LIMIT = 500
"""``MetricDefinition.Regex`` in the API reference of SageMaker."""

_SHOWN_PATTERN = 200

_UNUSABLE = {
    BROKEN: "does not compile",
    NO_GROUP: "has no capture group around the number",
}
_WHAT_HAPPENS = {
    RUNAWAY: "its pattern took too long and was stopped, points from there on are missing",
    NOT_A_NUMBER: "{matches} skipped, the captured text is not a number",
    EXPONENT: "{matches} cut short, the number goes on after the captured text"
    " (3.6457e-05 is read as 3.6457)",
    SIGN: "{matches} read without the minus before the number",
    DOT: "{matches} skipped, a '.' that is not escaped stands for any character"
    " and took one that is no decimal point",
    SWALLOWED: "{matches} skipped, the group goes on after the number",
    BEGINNING: "{matches} cut short, the number has digits before the captured text",
    INSIDE_WORD: "{matches} taken from another metric, whose longer name ends in this one's",
}
_REMEDIES = {
    RUNAWAY: "write it without repeats inside repeats, look-around and back-references",
    NOT_A_NUMBER: "let the group capture the number alone",
    EXPONENT: rf"let the group capture the whole number: ({NUMBER})",
    SIGN: rf"let the group begin at the sign: ({NUMBER})",
    DOT: r"write \. for the decimal point",
    SWALLOWED: rf"let the group capture the number alone: ({NUMBER})",
    BEGINNING: rf"write .*? for .* before the group, and as the group ({NUMBER})",
    INSIDE_WORD: rf"put {NOT_INSIDE_WORD} before the name",
}

_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|[()]|.", re.DOTALL
)
_CAPTURES = re.compile(r"\((?!\?)|\(\?P?<(?![=!])[^>]*>")
_GREEDY_END = re.compile(r"(?<!\\)(?<![*+?}])(?:[*+?]|\{\d+,\d*\})$")
_COUNT = r"(?:[*+?]|\{\d*,?\d*\})*"
_DIGITS = rf"(?:(?:\\\.|\\d|\[(?:0-9|\\d|[.eE+-]|\\[.-])+\]){_COUNT})"
_REST_OF_NUMBER = re.compile(rf"^{_COUNT}{_DIGITS}*(?:[eE](?:\\?[-+])?{_COUNT}(?:{_DIGITS}+|$))?")
_END_OF_LINE = re.compile(r"(?:\.\*|\\s\*)?\$(?=\)*$)")


def warnings(
    definitions: Sequence[MetricDefinition], findings: Mapping[str, Mapping[str, int]]
) -> tuple[str, ...]:
    """Say in words what is wrong with definitions and how to mend it.

    Parameters
    ----------
    definitions
        The job's.
    findings
        Metric name → code → how often.

    Returns
    -------
    tuple[str, ...]
        One sentence for each metric and code, sorted by both. Control characters of the user's
        texts are written as escapes; nothing else in them is escaped.
    """
    return tuple(
        _sentence(name, code, count, [each.regex for each in definitions if each.name == name])
        for name, codes in sorted(findings.items())
        for code, count in sorted(codes.items())
    )


def better_pattern(pattern: str, code: str) -> str | None:
    """Propose a pattern that does not distort.

    Parameters
    ----------
    pattern
        The user's.
    code
        What it does.

    Returns
    -------
    str or None
        A pattern of at most 500 characters that RE2 compiles; None where none is known.
    """
    rewrite = _REWRITES.get(code)
    better = rewrite(pattern) if rewrite else None
    if better in {None, pattern}:
        return None
    shown = visible(better or "")
    compiled = compile_re2(shown)
    return shown if compiled is not None and len(shown) <= PATTERN_LIMIT else None


def _sentence(name: str, code: str, count: int, patterns: Sequence[str]) -> str:
    metric = f"metric {visible(name)}:"
    if code in _UNUSABLE:
        bad = " and ".join(_cut(each) for each in patterns if unusable(each) == code)
        return f"{metric} its pattern {_UNUSABLE[code]}; pattern {bad}"
    matches = "1 match is" if count == 1 else f"{count} matches are"
    happens = _WHAT_HAPPENS.get(code, f"{code} ({count})").format(matches=matches)
    used = " and ".join(_cut(each) for each in patterns)
    return f"{metric} {happens}; pattern {used}; {_remedy(code, patterns)}"


def _remedy(code: str, patterns: Sequence[str]) -> str:
    better = [each for each in (better_pattern(pattern, code) for pattern in patterns) if each]
    if better and len(better) == len(patterns):
        return f"better {' and '.join(better)}"
    return _REMEDIES.get(code, "see the documentation of metric definitions")


def _cut(pattern: str) -> str:
    shown = visible(pattern)
    return shown if len(shown) <= _SHOWN_PATTERN else f"{shown[: _SHOWN_PATTERN - 1]}…"


def _whole_number(pattern: str) -> str | None:
    """Let the first group capture one whole number.

    What stands around it must not take parts of the number: a repeat before it becomes lazy, and
    digits, decimals, an exponent after it are left out.
    """
    span = _first_group(pattern)
    if span is None:
        return None
    opening, start, stop = span
    before, after = pattern[: start - len(opening)], pattern[stop + 1 :]
    if _GREEDY_END.search(before):
        before += "?"
    after = _REST_OF_NUMBER.sub("", after)
    return f"{before}{opening}{NUMBER}){after}"


def _number_alone(pattern: str) -> str | None:
    """Let the first group capture one whole number, whatever the line has after it."""
    better = _whole_number(pattern)
    if better is None:
        return None
    before, number, after = better.partition(f"{NUMBER})")
    kept = _END_OF_LINE.sub("", after) if re.search(r"[()|]", after) else ""
    return before + number + kept


def _not_inside_word(pattern: str) -> str | None:
    """Let the name begin where a word begins."""
    flags = re.match(r"(?:\(\?[A-Za-z]+\))?", pattern)
    start = flags.end() if flags else 0
    if pattern.startswith("^", start):
        return None
    rest = pattern[start:]
    return f"{pattern[:start]}{NOT_INSIDE_WORD}{f'(?:{rest})' if '|' in rest else rest}"


def _first_group(pattern: str) -> tuple[str, int, int] | None:
    """Find the first capture group: its opening, where its inside begins and ends."""
    opening, start, depth = "", 0, 0
    for token in _TOKEN.finditer(pattern):
        if token[0] == "(" and not opening:
            named = _CAPTURES.match(pattern, token.start())
            if named:
                opening, start = named[0], named.end()
        elif token[0] == "(":
            depth += 1
        elif token[0] == ")" and opening:
            if not depth:
                return opening, start, token.start()
            depth -= 1
    return None


_REWRITES: Mapping[str, Callable[[str], str | None]] = {
    EXPONENT: _whole_number,
    SIGN: _whole_number,
    DOT: _number_alone,
    SWALLOWED: _number_alone,
    BEGINNING: _whole_number,
    INSIDE_WORD: _not_inside_word,
}
