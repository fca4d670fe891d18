"""The CloudWatch alarms of an account: which of them watch a job, and what a run shows of them.

``DescribeAlarms`` knows no filter by metric, so all alarms of an account and Region are listed and
matched here with the series that a job has: same namespace, metric name and dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mlflow_smwatch.core import console
from mlflow_smwatch.core.alarm_history import AlarmChanges, StateChange, in_life
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.keys import assign_keys, legal_value
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.series import Series, further_original
from mlflow_smwatch.core.tags import ALARM_PREFIX

SHOWN_ALARMS = 50
"""How many alarms a run shows."""

_METRIC = "alarm/"
_TEXT_LIMIT = 1200
"""Of each text in a tag: a reason has 1,023 characters at most, a composite alarm's rule 10,240."""

Metric: TypeAlias = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions: what CloudWatch stores a metric under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm, as ``DescribeAlarms`` tells of it.

    Attributes
    ----------
    name
        AWS's name for it, unique in its account and Region.
    title
        The same without secrets: what is shown.
    metrics
        What it watches: one metric, or those that its expressions take.
    watched
        What is shown of that: the metric's name, or the expression.
    rule
        Of a composite alarm, as it is shown.
    children
        Names of the alarms that a composite alarm depends on.
    state, reason
        ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``, and AWS's explanation.
    changed_ms
        When the state changed last; None where AWS does not tell.
    statistic, comparison, threshold, period_s, evaluation_periods, datapoints
        Its settings; None for those that it does not have.
    """

    name: str
    title: str
    state: str
    reason: str | None = None
    changed_ms: int | None = None
    metrics: tuple[Metric, ...] = ()
    watched: str | None = None
    rule: str | None = None
    children: tuple[str, ...] = ()
    statistic: str | None = None
    comparison: str | None = None
    threshold: float | None = None
    period_s: int | None = None
    evaluation_periods: int | None = None
    datapoints: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmReading:
    """What a pass read of the alarms on one job.

    Attributes
    ----------
    tags
        What its run is to say of them: keys and values that MLflow takes. None where that is not
        known: its tags stay.
    changes
        Original of the metric → what was read of the history.
    left_out
        Why some are not shown, in words; None where all are.
    whole
        False where a history could not be read now, though it may be later.
    """

    tags: Mapping[str, str] | None = None
    changes: Mapping[str, AlarmChanges] = field(default_factory=dict)
    left_out: str | None = None
    whole: bool = True


class Alarms:
    """The alarms of one account and Region, by what they watch.

    Parameters
    ----------
    alarms
        All of them.
    """

    def __init__(self, alarms: Iterable[Alarm] = ()) -> None:
        self._by_name = {each.name: each for each in alarms}
        self._by_metric: dict[Metric, list[str]] = {}
        self._parents: dict[str, list[str]] = {}
        for alarm in self._by_name.values():
            for metric in alarm.metrics:
                self._by_metric.setdefault(metric, []).append(alarm.name)
            for child in alarm.children:
                self._parents.setdefault(child, []).append(alarm.name)

    def on(self, series: Iterable[Series]) -> tuple[Alarm, ...]:
        """Give the alarms that watch one of the series, sorted by name.

        A composite alarm does where one of the alarms that it depends on does.
        """
        waiting = [
            name for each in series for name in self._by_metric.get(_metric_of_series(each), ())
        ]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._parents.get(name, ())
        return tuple(self._by_name[name] for name in sorted(found))


def alarm_original(alarm: Alarm) -> str:
    """Identify the metric that shows an alarm's history among all series of a run."""
    return further_original(f"{_METRIC}{alarm.title}")


def is_alarm(original: str) -> bool:
    """Whether a series of a run is an alarm's history."""
    return original.startswith(further_original(_METRIC))


def shown(alarms: Sequence[Alarm], known: Iterable[str]) -> tuple[tuple[Alarm, ...], str | None]:
    """Choose the alarms that a run shows: those that it shows already, then by name.

    Parameters
    ----------
    alarms
        Those that watch its job, sorted by name.
    known
        Originals of the metrics that it has.

    Returns
    -------
    tuple
        The alarms, and why others are left out, in words; None where none are.
    """
    have = frozenset(known)
    ordered = sorted(alarms, key=lambda each: alarm_original(each) not in have)
    chosen, rest = ordered[:SHOWN_ALARMS], ordered[SHOWN_ALARMS:]
    if not rest:
        return tuple(chosen), None
    titles = ", ".join(each.title for each in rest)
    said = f"{len(alarms)} alarms watch it, its run shows {SHOWN_ALARMS}; not shown: {titles}"
    return tuple(chosen), said


def as_of_job(
    job: Job, alarm: Alarm, changes: Sequence[StateChange], settle_ms: int
) -> Alarm | None:
    """Give an alarm as it was in a job's life.

    Parameters
    ----------
    job
        The job.
    alarm
        As it is.
    changes
        Those of the job's life, all of them where the job has ended.
    settle_ms
        As of :func:`in_life`.

    Returns
    -------
    Alarm or None
        None where its state in the job's life is not known any more.
    """
    now = StateChange(alarm.changed_ms or 0, alarm.state, alarm.reason)
    before = now.timestamp_ms < job.created_ms
    if not job.ended or before or in_life(job, (now,), settle_ms):
        return alarm
    if not changes:
        return None
    last = changes[-1]
    return replace(alarm, state=last.state, reason=last.reason, changed_ms=last.timestamp_ms)


def alarm_tags(job: Job, alarms: Iterable[tuple[Alarm, Alarm | None]]) -> dict[str, str]:
    """Say of alarms on a job what its run shows in tags.

    Parameters
    ----------
    job
        The job.
    alarms
        Each alarm as it is, and as it was in the job's life; None where that is not known.

    Returns
    -------
    dict[str, str]
        Key → JSON text, both as MLflow takes them.
    """
    told = {f"{ALARM_PREFIX}{now.title}": _told(job, now, then) for now, then in alarms}
    keys = assign_keys(told)
    return {keys[name]: text for name, text in told.items()}


def _told(job: Job, alarm: Alarm, then: Alarm | None) -> str:
    changed_ms = then.changed_ms if then else None
    url = console.alarm_url(job.arn.partition, job.arn.region, alarm.name)
    facts: dict[str, str | float | None] = {
        "state": then.state if then else None,
        "reason": _cut(then.reason) if then else None,
        "metric": _cut(alarm.watched),
        "rule": _cut(alarm.rule),
        "statistic": alarm.statistic,
        "comparison": alarm.comparison,
        "threshold": alarm.threshold,
        "period": alarm.period_s,
        "evaluation_periods": alarm.evaluation_periods,
        "datapoints_to_alarm": alarm.datapoints,
        "updated": None if changed_ms is None else iso_utc(changed_ms),
        "url": url if url and alarm.title == alarm.name else None,
    }
    known = {key: fact for key, fact in facts.items() if fact is not None}
    return json.dumps(known, ensure_ascii=False)


def _cut(text: str | None) -> str | None:
    """Leave room in a tag for the other texts; one character may take two in JSON."""
    if text is None:
        return None
    return legal_value(text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…", len(text))


def _metric_of_series(series: Series) -> Metric:
    return series.namespace, series.metric_name, frozenset(series.dimensions)
