"""``[[rule]]``: what a watch looks out for, and whom it tells."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from mlflow_smwatch.core.job_choice import JobChoice
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.core.tags import GONE

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
        return not self.statuses.isdisjoint(_words(record))

    def word(self, record: RunRecord) -> str:
        """Give the status to be told: SageMaker's word, unless only MLflow's is one of them.

        The run of a job that AWS no longer has ends with the last word of SageMaker's on it.
        """
        own, mlflow = _words(record)
        is_gone = GONE in dict(record.tags)
        return mlflow if is_gone and mlflow in self.statuses else own

    def __str__(self) -> str:
        """Say it in words."""
        return f"status {' or '.join(sorted(self.statuses))}"


def _words(record: RunRecord) -> tuple[str, str]:
    return dict(record.tags).get("sagemaker.status", record.status), record.status


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
        RE2 pattern that the whole name of the job matches; None for any name.
    tags
        Resource tags that the job has, as key and value; ``*`` is any value.
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
        choice = JobChoice(kinds=self.kinds, pattern=self.name_matches, tags=self.tags)
        return choice.takes(record.kind, record.name, dict(record.tags))


def span_text(span_ms: int) -> str:
    """Write a span as the file does: ``10m``."""
    unit = next(each for each in reversed(UNITS_MS) if span_ms % UNITS_MS[each] == 0)
    return f"{span_ms // UNITS_MS[unit]}{unit}"
