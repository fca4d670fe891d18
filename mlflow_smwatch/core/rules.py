"""``[[rule]]``: what a watch looks out for, and whom it tells."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import re2

from mlflow_smwatch.core.record import RunRecord

_NARROWEST_GAP_MS = 3 * 60_000
UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at-least": operator.ge,
    "at-most": operator.le,
}


@dataclass(frozen=True)
class MetricName:
    """Which MLflow metrics a rule is about.

    Attributes
    ----------
    texts
        Keys, at least one; ``*`` stands for any text without a slash, such as a host or a variant.
    """

    texts: tuple[str, ...]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join("[^/]*".join(map(re.escape, t.split("*"))) for t in self.texts))

    def fits(self, key: str) -> bool:
        """Tell whether a metric key is one of them."""
        return bool(self._pattern.fullmatch(key))

    def __str__(self) -> str:
        """Say which."""
        return " or ".join(self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A metric is on the wrong side of a value, for a span.

    Attributes
    ----------
    metric
        Which metrics; each is judged by itself.
    comparison
        ``above``, ``below``, ``at-least`` or ``at-most``.
    value
        What is compared with.
    for_ms
        For how long all points must be so, milliseconds; 0: one point is enough.
    """

    metric: MetricName
    comparison: str
    value: float
    for_ms: int = 0

    @property
    def gap_ms(self) -> int:
        """How far two points may lie apart and still count as a span without a gap."""
        return max(_NARROWEST_GAP_MS, self.for_ms // 2)

    def breaks(self, value: float) -> bool:
        """Tell whether a value is on the wrong side; NaN is on none."""
        return COMPARISONS[self.comparison](value, self.value)

    def __str__(self) -> str:
        """Say it as the file does."""
        span = f" for {span_text(self.for_ms)}" if self.for_ms else ""
        return f"{self.comparison.replace('-', ' ')} {self.value:g}{span}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No point came of what runs.

    Attributes
    ----------
    metric
        Of which metrics; None for any.
    for_ms
        For how long, milliseconds.
    """

    metric: MetricName | None
    for_ms: int

    def __str__(self) -> str:
        """Say it in words."""
        return f"no data for {span_text(self.for_ms)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusIn:
    """A job has one of some statuses.

    Attributes
    ----------
    statuses
        Words of MLflow's (``FAILED``) or of SageMaker's (``Failed``).
    """

    statuses: frozenset[str]

    def holds(self, record: RunRecord) -> bool:
        """Tell whether a job has one of them."""
        words = {record.status, dict(record.tags).get("sagemaker.status", record.status)}
        return not self.statuses.isdisjoint(words)

    def __str__(self) -> str:
        """Say it in words."""
        return f"status {' or '.join(sorted(self.statuses))}"


Condition: TypeAlias = Threshold | Silence | StatusIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One condition on some jobs.

    Attributes
    ----------
    name
        What it is called in messages and in the tag on the run.
    condition
        What is wrong.
    kinds
        Words of the kinds of jobs; empty for all.
    name_matches
        RE2 pattern that is found in the name of the job; None for any name.
    tags
        Resource tags that the job has.
    repeat_ms
        After how long an alarm that goes on is told again; None for never.
    notify
        Names of ``[notify]``.
    """

    name: str
    condition: Condition
    kinds: frozenset[str] = frozenset()
    name_matches: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    repeat_ms: int | None = None
    notify: tuple[str, ...] = ()

    def wants(self, record: RunRecord) -> bool:
        """Tell whether a job is one that the rule is about."""
        if self.kinds and record.kind not in self.kinds:
            return False
        if self.name_matches is not None and not compiled(self.name_matches).search(record.name):
            return False
        return not self.tags or set(self.tags) <= set(record.tags)


def span_text(span_ms: int) -> str:
    """Write a span as the file does: ``10m``."""
    unit = next(each for each in reversed(UNITS_MS) if span_ms % UNITS_MS[each] == 0)
    return f"{span_ms // UNITS_MS[unit]}{unit}"


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:  # noqa: ANN401 - RE2 has no type for it
    """Compile a pattern of RE2's.

    Raises
    ------
    re2.error, TypeError
        When it is none.
    """
    return re2.compile(pattern, _quiet())


def _quiet() -> Any:  # noqa: ANN401 - RE2 has no type for it
    options = re2.Options()
    options.log_errors = False
    return options
