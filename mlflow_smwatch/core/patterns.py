r"""Users' regular expressions on log lines, in bounded time.

RE2 searches a whole page of messages at once: a line that does not match costs next to nothing. The
page is one block of lines joined by ``\n``, which no pattern may match (``never_nl``) and at which
``^`` and ``$`` are anchors, so that the first match from a line's start on is what a search in that
line alone finds. Patterns that could tell the block from a line are searched line by line. What RE2
cannot compile (look-around, back-references, counts over 1,000) runs on ``regex``, line by line and
against a clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add
from typing import Any, Protocol

import re2
import regex

LINE_TIMEOUT_S = 0.1
BUDGET_S = 2.0
BUDGET_PER_LINE_S = 50e-6
PER_CHARACTER_S = 1e-6
"""Added to both limits, so that a line of a megabyte has the time that it needs."""

_LINES_PER_LOOK_AT_CLOCK = 16
_FIXED_REPEATS_LIMIT = 100_000
"""``regex`` spells literals under fixed counts out: ``(a{1000}){1000}`` takes 270 MB."""

_TELLS_BLOCK_FROM_LINE = re.compile(r"\\[ACz]|\(\?[A-Za-z]*-[A-Za-z]*m")
r"""Ends of the text, ``\C`` (any byte, also ``\n``) and ``(?-m)``; escaped ones do no harm."""

_NOT_FOR_RE2 = re.compile(r"\{,\d+\}")
"""RE2 takes it for literal text, Python and its users for a count."""

_SURROGATES = re.compile("[\ud800-\udfff]")

Hit = tuple[int, int, int]
"""Where a match begins, where its first group begins (-1 if it took no part) and ends."""


class OverrunError(Exception):
    """A pattern took too long.

    Parameters
    ----------
    line_start
        Offset of the line at which it was stopped.
    """

    def __init__(self, line_start: int) -> None:
        super().__init__(line_start)
        self.line_start = line_start


class BrokenPatternError(ValueError):
    """Neither engine compiles a pattern."""


@dataclass(frozen=True, slots=True)
class LogPage:
    r"""Messages as one block of lines.

    Attributes
    ----------
    block
        The lines, UTF-8, with ``\n`` before, between and after them.
    starts
        Offset of each message.
    """

    block: bytes
    starts: Sequence[int]

    @classmethod
    def of(cls, messages: Sequence[str]) -> LogPage:
        r"""Cut messages into lines at ``\n`` and ``\r``."""
        text = "\n".join(["", *messages, ""])
        try:
            block = text.encode()
        except UnicodeEncodeError:
            return cls.of([_SURROGATES.sub("\ufffd", message) for message in messages])
        is_ascii = len(block) == len(text)
        texts = messages if is_ascii else [message.encode() for message in messages]
        starts = list(map(add, accumulate(map(len, texts), initial=1), range(len(messages))))
        return cls(block.replace(b"\r", b"\n"), starts)

    def line_start(self, offset: int) -> int:
        """Return where the line begins that holds an offset of the block."""
        return self.block.rfind(b"\n", 0, offset) + 1

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each line with its offset."""
        offset = 1
        for line in self.block[1:-1].split(b"\n"):
            yield offset, line
            offset += len(line) + 1


class Pattern(Protocol):
    """A compiled pattern."""

    groups: int

    def hits(self, page: LogPage) -> Iterator[Hit]:
        """Yield the first match of each line, in order.

        Raises
        ------
        OverrunError
            The pattern took too long; it must not be used any more.
        """


class BlockPattern:
    """RE2 on the whole page."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401 (re2 has no types)
        self._compiled = compiled
        self.groups: int = compiled.groups

    def hits(self, page: LogPage) -> Iterator[Hit]:
        """Yield the first match of each line, in order."""
        block, at = page.block, 1
        size = len(block)
        while at < size:
            following = at
            for match in self._compiled.finditer(block, at):
                start = match.start()
                if start < following:
                    break  # the line had its match
                following = block.find(b"\n", start) + 1
                if not following:
                    return  # behind the last line
                first, last = match.span(1)
                yield start, first, last
            else:
                return
            at = following


class LinePattern:
    """RE2 line by line."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401 (re2 has no types)
        self._compiled = compiled
        self.groups: int = compiled.groups

    def hits(self, page: LogPage) -> Iterator[Hit]:
        """Yield the first match of each line, in order."""
        for offset, line in page.lines():
            match = self._compiled.search(line)
            if match is not None:
                yield _placed(offset, match.start(), match.span(1))


class TimedPattern:
    """The ``regex`` module line by line, with a limit for each line and a budget for all.

    It holds the interpreter's lock: giving it away around each of many short searches would cost
    more than the searches wherever another thread is busy.
    """

    def __init__(self, compiled: regex.Pattern[str], clock: Callable[[], float]) -> None:
        self._compiled = compiled
        self._clock = clock
        self._spent_s = 0.0
        self._budget_s = BUDGET_S
        self.groups = compiled.groups

    def hits(self, page: LogPage) -> Iterator[Hit]:
        """Yield the first match of each line, in order.

        Raises
        ------
        OverrunError
            A line took too long, all lines together did, or the engine gave up on a line.
        """
        since = self._clock()
        for number, (offset, line) in enumerate(page.lines()):
            if number % _LINES_PER_LOOK_AT_CLOCK == 0:
                since = self._pay(since, offset)
            match = self._search(line.decode(), offset)
            if match is not None:
                spans = (match.span(), match.span(1))
                (start, _), group = (_in_bytes(match.string, *span) for span in spans)
                yield _placed(offset, start, group)
        self._pay(since, len(page.block))

    def _pay(self, since: float, offset: int) -> float:
        now = self._clock()
        self._spent_s += now - since
        if self._spent_s > self._budget_s:
            raise OverrunError(offset)
        return now

    def _search(self, line: str, offset: int) -> regex.Match[str] | None:
        more_s = PER_CHARACTER_S * len(line)
        self._budget_s += BUDGET_PER_LINE_S + more_s
        try:
            return self._compiled.search(line, timeout=LINE_TIMEOUT_S + more_s, concurrent=False)
        except (TimeoutError, MemoryError, RecursionError, regex.error) as error:
            raise OverrunError(offset) from error


def _placed(offset: int, start: int, group: tuple[int, int]) -> Hit:
    """Move offsets of a line to its page."""
    first, last = group
    return (
        (offset + start, -1, -1) if first < 0 else (offset + start, offset + first, offset + last)
    )


def _in_bytes(line: str, start: int, stop: int) -> tuple[int, int]:
    """Turn offsets in a text into offsets in its UTF-8; -1 stays."""
    if start < 0 or line.isascii():
        return start, stop
    return len(line[:start].encode()), len(line[:stop].encode())


def compile_pattern(pattern: str, clock: Callable[[], float]) -> Pattern:
    r"""Compile a user's pattern on the first engine that can.

    Parameters
    ----------
    pattern
        The pattern; ``\d``, ``\w``, ``\s`` and ``\b`` mean ASCII on both engines.
    clock
        Seconds; what a pattern on ``regex`` spends is measured with it.

    Raises
    ------
    BrokenPatternError
        No engine compiles it.
    """
    line_by_line = _TELLS_BLOCK_FROM_LINE.search(pattern) is not None
    compiled = None if _NOT_FOR_RE2.search(pattern) else compile_re2(pattern, block=True)
    if compiled is not None:
        return LinePattern(compiled) if line_by_line else BlockPattern(compiled)
    return TimedPattern(_compile_regex(pattern), clock)


def compile_re2(pattern: str, *, block: bool = False) -> Any | None:  # noqa: ANN401 (no types)
    """Compile for bytes on RE2; None where it cannot.

    Parameters
    ----------
    block
        For a text of several lines.
    """
    options = re2.Options()
    options.log_errors = False
    options.never_nl = block
    try:
        return re2.compile((f"(?m){pattern}" if block else pattern).encode(), options)
    except (re2.error, UnicodeEncodeError):
        return None


def _compile_regex(pattern: str) -> regex.Pattern[str]:
    fixed_repeats = math.prod(max(1, int(least)) for least in re.findall(r"\{(\d+)", pattern))
    if fixed_repeats > _FIXED_REPEATS_LIMIT:
        message = "fixed counts multiply to more than an engine can hold"
        raise BrokenPatternError(message)
    try:
        return _compile_ascii(pattern)
    except (regex.error, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise BrokenPatternError(str(error)) from error


def _compile_ascii(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern, regex.ASCII)
    except ValueError:  # the pattern itself asks for (?u) or (?L)
        return regex.compile(pattern)
