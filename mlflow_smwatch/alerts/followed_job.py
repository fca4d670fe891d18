"""One job as its rules see it, from pass to pass; what it keeps does not grow with its points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.rule_alerts import (
    NO_DATA,
    STATUS,
    Alert,
    Word,
    restored,
    tag_of,
    tag_value,
    told_again,
)
from mlflow_smwatch.core.rule_state import Standing, Turn, arrived, judged, news, silent, turned
from mlflow_smwatch.core.rules import Rule, Silence, StatusIn, Threshold
from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.engine.task import ENDED

NEWS_MS = 3_600_000
"""What was over so long before the watch began is history, and told to nobody."""

GONE_MS = 24 * 3_600_000
"""Without a point for so long at least, a series is gone, if its job has others."""

_RUNNING = "RUNNING"
_FAILURE = "sagemaker.failure_reason"


class FollowedJob:
    """The standings of one job's series under its rules.

    Parameters
    ----------
    rules
        Those that are about the job.
    first
        What was observed of it first; alarms that its run is marked with go on.
    floor_ms
        Since when what happens is news.
    now_ms
        The clock.
    """

    def __init__(
        self, rules: Sequence[Rule], first: Observation, floor_ms: int, now_ms: int
    ) -> None:
        self._rules = rules
        self._floor_ms = floor_ms
        self._latest = first
        self._met_ms, self._newest_ms = now_ms, 0
        self._final = False
        self._closed: set[tuple[Rule, str]] = set()
        self._pending: dict[tuple[Rule, str], list[tuple[int, float]]] = {}
        self._standings: dict[Rule, dict[str, Standing]] = {
            rule: restored(rule, first.noted.get(tag_of(rule)), now_ms) for rule in rules
        }

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self._final

    @property
    def run_id(self) -> str:
        """Its run."""
        return self._latest.run_id

    def take(self, observed: Observation) -> None:
        """Keep what a pass found until it is judged."""
        self._latest = observed
        self._final = self._final or observed.final
        newest_ms = max((each.timestamp_ms for each in observed.points), default=0)
        self._newest_ms = max(self._newest_ms, newest_ms)
        if not self._has_ended:
            self._reopen()
        for rule in self._rules:
            if isinstance(rule.condition, Threshold):
                self._keep(rule, rule.condition, observed.points)
            elif isinstance(rule.condition, Silence):
                self._note_arrival(rule, rule.condition, observed.points)

    def judge(self, now_ms: int, *, whole: bool) -> tuple[list[Alert], dict[str, str]]:
        """Judge what was taken, and the time that has passed.

        Parameters
        ----------
        now_ms
            The clock.
        whole
            Whether the pass was: else nobody knows which points it lacks.

        Returns
        -------
        tuple
            What is to be told, and the tags of the run that say so.
        """
        alerts: list[Alert] = []
        tags: dict[str, str] = {}
        for rule in self._rules:
            found = [*self._judged(rule, now_ms, whole=whole), *self._again(rule, now_ms)]
            if self._has_ended:
                found += self._at_end(rule, {each.series for each in found}, now_ms)
            alerts += found
            if any(each.word != "STILL" for each in found):
                ended = self._has_ended and not isinstance(rule.condition, StatusIn)
                tags[tag_of(rule)] = tag_value(self._standings[rule], now_ms, ended=ended)
        return alerts, tags

    def end(self, status: str, now_ms: int) -> tuple[list[Alert], dict[str, str]]:
        """Judge it for the last time, because AWS no longer has it."""
        record = replace(self._latest.record, status=status, end_ms=now_ms)
        self.take(replace(self._latest, record=record, points=(), final=True))
        return self.judge(now_ms, whole=False)

    @property
    def _has_ended(self) -> bool:
        return self._final or self._latest.record.status in ENDED

    def _reopen(self) -> None:
        """Begin anew with what was in alarm when the job ended, since it goes on after all."""
        for rule, series in self._closed:
            self._standings[rule].pop(series, None)
        self._closed.clear()

    def _keep(self, rule: Rule, threshold: Threshold, points: Sequence[MetricPoint]) -> None:
        since_ms = self._floor_ms - threshold.for_ms
        keys = {key for key in _keys(points) if threshold.metric.fits(key)}
        keys -= {series for of, series in self._closed if of is rule}
        for each in points:
            if each.key in keys and each.timestamp_ms >= since_ms:
                kept = self._pending.setdefault((rule, each.key), [])
                kept.append((each.timestamp_ms, each.value))

    def _note_arrival(self, rule: Rule, silence: Silence, points: Sequence[MetricPoint]) -> None:
        metric = silence.metric
        keys = {key for key in _keys(points) if metric is None or metric.fits(key)}
        newest_ms = max((each.timestamp_ms for each in points if each.key in keys), default=None)
        if newest_ms is not None:
            standings = self._standings[rule]
            standings[NO_DATA] = arrived(standings.get(NO_DATA, Standing()), newest_ms)

    def _judged(self, rule: Rule, now_ms: int, *, whole: bool) -> Iterator[Alert]:
        condition = rule.condition
        if isinstance(condition, StatusIn):
            yield from self._status(rule, condition, now_ms)
        elif isinstance(condition, Silence):
            if whole:
                yield from self._silence(rule, condition, now_ms)
        else:
            for key in sorted(key for of, key in self._pending if of is rule):
                points = self._pending.pop((rule, key))
                before = self._standings[rule].get(key, Standing())
                after, turns = judged(condition, before, points)
                yield from self._enter(rule, key, before, after, turns, now_ms)
            yield from self._without_points(rule, condition, now_ms)

    def _without_points(self, rule: Rule, threshold: Threshold, now_ms: int) -> Iterator[Alert]:
        """End the alarms of series that get no more points, while others do; forget these series.

        A host or a variant may leave what goes on for months.
        """
        if self._has_ended:
            return
        standings, span_ms = self._standings[rule], max(GONE_MS, 10 * threshold.for_ms)
        for series, each in list(standings.items()):
            last_ms = self._met_ms if each.last_ms is None else each.last_ms
            if self._newest_ms - last_ms < span_ms:
                continue
            if not each.alarm:
                del standings[series]
                continue
            standings[series] = replace(each, alarm=False, since_ms=now_ms)
            ended = self._alert(rule, "ENDED", series, last_ms)
            yield replace(ended, ended="no more points came")

    def _silence(self, rule: Rule, silence: Silence, now_ms: int) -> Iterator[Alert]:
        runs = self._latest.record.status == _RUNNING
        if self._has_ended:
            return
        before = self._standings[rule].get(NO_DATA, Standing())
        after, turns = silent(silence, before, now_ms, runs=runs)
        yield from self._enter(rule, NO_DATA, before, after, turns, now_ms)

    def _status(self, rule: Rule, condition: StatusIn, now_ms: int) -> Iterator[Alert]:
        record = self._latest.record
        before = self._standings[rule].get(STATUS, Standing())
        at_ms = now_ms if record.end_ms is None else record.end_ms
        after, turns = turned(before, at_ms, alarm=condition.holds(record))
        yield from self._enter(rule, STATUS, before, after, turns, now_ms)

    def _enter(
        self,
        rule: Rule,
        series: str,
        before: Standing,
        after: Standing,
        turns: Sequence[Turn],
        now_ms: int,
    ) -> Iterator[Alert]:
        told = news(turns, self._floor_ms, was_alarm=before.alarm)
        self._standings[rule][series] = replace(after, told_ms=now_ms) if told else after
        for turn in told:
            word: Word = "ALARM" if turn.alarm else "OK"
            yield self._alert(rule, word, series, turn.at_ms, turn.value)

    def _again(self, rule: Rule, now_ms: int) -> Iterator[Alert]:
        standings = self._standings[rule]
        for series, each in standings.items():
            if told_again(rule, each, now_ms) and not self._has_ended:
                standings[series] = replace(each, told_ms=now_ms)
                yield self._alert(rule, "STILL", series, each.since_ms, each.value)

    def _at_end(self, rule: Rule, told: AbstractSet[str], now_ms: int) -> Iterator[Alert]:
        """Say once of each alarm that it went on to the end; of a new one it was said just now."""
        if isinstance(rule.condition, StatusIn):
            return
        end_ms = self._latest.record.end_ms
        for series, each in self._standings[rule].items():
            if not each.alarm or (rule, series) in self._closed:
                continue
            self._closed.add((rule, series))
            if series not in told:
                yield self._alert(rule, "ENDED", series, now_ms if end_ms is None else end_ms)

    def _alert(
        self, rule: Rule, word: Word, series: str, at_ms: int, value: float | str | None = None
    ) -> Alert:
        record = self._latest.record
        tags: Mapping[str, str] = dict(record.tags)
        if isinstance(rule.condition, StatusIn):
            value = rule.condition.word(record)
        return Alert(
            rule=rule,
            word=word,
            arn=record.arn,
            kind=record.kind,
            job=record.name,
            run_id=self._latest.run_id,
            series=series,
            at_ms=at_ms,
            value=value,
            reason=tags.get(_FAILURE),
        )


def _keys(points: Sequence[MetricPoint]) -> set[str]:
    return {each.key for each in points}


def is_history(observed: Observation, floor_ms: int) -> bool:
    """Tell whether a job ended long before the watch began, and nobody waits to hear of it.

    That is so of a job that is met for the first time, and of one whose run had ended before this
    pass: it is written again because the mirror shows more, or its tags are others. Of a run that
    went on, the job ended while nobody looked: that is told, however late.
    """
    end_ms = observed.record.end_ms
    known = observed.created or observed.status_before in ENDED
    return known and end_ms is not None and end_ms < floor_ms
