"""A job's MetricDefinitions on its log messages: messages in, values and findings out.

The first match in each line counts, and of it the first group, as SageMaker does it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mlflow_smwatch.core.distortions import (
    INSIDE_WORD,
    begins_inside_word,
    distortions,
    has_wild_dot,
    no_number_because,
    number,
)
from mlflow_smwatch.core.job import MetricDefinition
from mlflow_smwatch.core.patterns import (
    BrokenPatternError,
    LogPage,
    OverrunError,
    Pattern,
    compile_pattern,
)

BROKEN = "broken"
NO_GROUP = "no-group"
RUNAWAY = "runaway"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMatches:
    """What some messages hold.

    Attributes
    ----------
    values
        Metric name → index of the message and value, in order of the lines; only metrics that
        have a value.
    findings
        Metric name → code → how often in these messages; only what was found.
    """

    values: Mapping[str, Sequence[tuple[int, float]]]
    findings: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Applied:
    name: str
    pattern: Pattern
    wild_dot: bool


@dataclass(slots=True)
class _Reading:
    """What one definition found in a page.

    Attributes
    ----------
    values
        Offset of the captured number and its value.
    inside
        Offsets of the numbers whose match begins inside a longer word.
    overrun
        Start of the line at which the pattern was stopped.
    """

    name: str
    values: list[tuple[int, float]] = field(default_factory=list)
    inside: set[int] = field(default_factory=set)
    codes: Counter[str] = field(default_factory=Counter)
    overrun: int | None = None


class MetricReader:
    r"""Applies definitions to messages, one page after the other.

    Definitions of the same name give one metric: their matches are joined in order of the lines,
    then of the definitions. A metric whose pattern runs away keeps what it had before the line at
    which it was stopped, and gets nothing after it. Text such as ``#011`` stays as it is.

    Parameters
    ----------
    definitions
        ``AlgorithmSpecification.MetricDefinitions``.
    clock
        Seconds, from anywhere: used to stop patterns that RE2 cannot run. Processor time of the
        thread is fairer than wall time where many threads work.
    dropped
        Names of metrics that ran away earlier; they are not run again.
    """

    def __init__(
        self,
        definitions: Sequence[MetricDefinition],
        clock: Callable[[], float],
        dropped: Collection[str] = (),
    ) -> None:
        self._unusable: dict[str, Counter[str]] = {}
        self._applied: list[_Applied] = []
        for definition in definitions:
            if definition.name not in dropped:
                self._add(definition, clock)

    def _add(self, definition: MetricDefinition, clock: Callable[[], float]) -> None:
        code = unusable(definition.regex)
        if code is not None:
            self._unusable.setdefault(definition.name, Counter())[code] += 1
            return
        applied = _Applied(
            name=definition.name,
            pattern=compile_pattern(definition.regex, clock),
            wild_dot=has_wild_dot(definition.regex),
        )
        self._applied.append(applied)

    def read(self, messages: Sequence[str]) -> LogMatches:
        r"""Find the metrics of some messages.

        Parameters
        ----------
        messages
            Texts of log events in order of their stream, each cut into lines at ``\n`` and ``\r``.

        Returns
        -------
        LogMatches
            Values as ``float`` reads ASCII text without ``_``; NaN and infinities are kept. What
            is wrong with a definition itself is among the findings of the first call.
        """
        page = LogPage.of(messages)
        applied = self._applied if messages else []
        readings = [_apply(each, page) for each in applied]
        _count_shared_places(readings)
        stopped = {each.name for each in readings if each.overrun is not None}
        self._applied = [each for each in self._applied if each.name not in stopped]
        unusable_codes, self._unusable = self._unusable, {}
        return LogMatches(
            values=_joined(readings, page), findings=_counted(readings, unusable_codes)
        )


def unusable(pattern: str) -> str | None:
    """Return the code of what makes a pattern unusable, None for one that can be used."""
    try:
        compiled = compile_pattern(pattern, float)
    except BrokenPatternError:
        return BROKEN
    return None if compiled.groups else NO_GROUP


def _apply(applied: _Applied, page: LogPage) -> _Reading:
    reading = _Reading(applied.name)
    block = page.block
    try:
        for start, first, last in applied.pattern.hits(page):
            text = block[first:last] if first >= 0 else None
            value = None if text is None else number(text)
            if value is None:
                reading.codes[no_number_because(text, wild_dot=applied.wild_dot)] += 1
                continue
            reading.values.append((first, value))
            if begins_inside_word(block, start):
                reading.inside.add(first)
            for code in distortions(block, first, last):
                reading.codes[code] += 1
    except OverrunError as error:
        reading.codes[RUNAWAY] += 1
        reading.overrun = error.line_start
    return reading


def _count_shared_places(readings: Sequence[_Reading]) -> None:
    """Count numbers that a metric took from inside the longer name of another metric."""
    for reading in readings:
        if reading.inside:
            others = (each.values for each in readings if each.name != reading.name)
            taken = {first for values in others for first, _ in values}
            if shared := len(reading.inside & taken):
                reading.codes[INSIDE_WORD] += shared


def _joined(readings: Sequence[_Reading], page: LogPage) -> dict[str, list[tuple[int, float]]]:
    """Join the values of equal names, in order of line, then definition."""
    by_name: dict[str, list[_Reading]] = {}
    for reading in readings:
        by_name.setdefault(reading.name, []).append(reading)
    joined = {name: _in_order(same, page) for name, same in by_name.items()}
    return {name: values for name, values in joined.items() if values}


def _in_order(readings: Sequence[_Reading], page: LogPage) -> list[tuple[int, float]]:
    values = [value for reading in readings for value in reading.values]
    stops = [reading.overrun for reading in readings if reading.overrun is not None]
    if stops:
        values = [value for value in values if value[0] < min(stops)]
    if len(readings) > 1:
        values.sort(key=lambda value: page.line_start(value[0]))
    starts = page.starts
    return [(bisect_right(starts, first) - 1, value) for first, value in values]


def _counted(
    readings: Sequence[_Reading], unusable_codes: Mapping[str, Counter[str]]
) -> dict[str, dict[str, int]]:
    findings: dict[str, Counter[str]] = dict(unusable_codes)
    for reading in readings:
        if reading.codes:
            findings.setdefault(reading.name, Counter()).update(reading.codes)
    return {name: dict(codes) for name, codes in findings.items()}
