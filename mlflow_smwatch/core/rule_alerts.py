"""What rules say to people: one line for each alarm and its end, and a tag on the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_value
from mlflow_smwatch.core.moments import iso_utc, to_ms
from mlflow_smwatch.core.rule_state import Standing
from mlflow_smwatch.core.rules import Rule, Silence, StatusIn, Threshold
from mlflow_smwatch.core.visible import visible

NO_DATA = "no data"
STATUS = "status"
TAG_PREFIX = "smwatch.alert."

Word = Literal["ALARM", "STILL", "OK", "ENDED"]

_IN_ALARM = re.compile(r"ALARM since (\S+): (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message.

    Attributes
    ----------
    rule
        The rule.
    word
        ALARM where an alarm begins, STILL where it goes on (``repeat``), OK where it is over, ENDED
        where its job ended in alarm, or the series did.
    arn, kind, job, run_id
        The job and its run.
    series
        The metric's key; `NO_DATA` or `STATUS` for what is none.
    at_ms
        When that came about, by the points.
    value
        Of the point; for a status the status; None where there is none.
    reason
        Why a job failed, as AWS says.
    ended
        Why nothing more is judged, of an alarm that ENDED.
    """

    rule: Rule
    word: Word
    arn: str
    kind: str
    job: str
    run_id: str
    series: str
    at_ms: int
    value: float | str | None = None
    reason: str | None = None
    ended: str = "the job ended"

    @property
    def title(self) -> str:
        """A subject, of one line."""
        return f"{self.word}: {self.rule.name}: {self._noun} {self.job}"

    @property
    def text(self) -> str:
        """What happened, of one line."""
        return f"{self._what} ({self.arn}, run {self.run_id})"

    @property
    def line(self) -> str:
        """Both, without ARN and run, for a log."""
        return f"{self.title}: {self._what}"

    def to_dict(self) -> dict[str, Any]:
        """Give the parts, for a log record."""
        return {
            "rule": self.rule.name,
            "alert": self.word,
            "arn": self.arn,
            "run_id": self.run_id,
            "series": self.series,
            "at": iso_utc(self.at_ms),
            "value": self.value,
        }

    @property
    def _noun(self) -> str:
        kind = KINDS.get(self.kind)
        return kind.noun if kind else self.kind

    @property
    def _what(self) -> str:
        condition, at = self.rule.condition, iso_utc(self.at_ms)
        if isinstance(condition, StatusIn):
            why = f": {visible(self.reason)}" if self.reason and self.word == "ALARM" else ""
            return f"status {self.value} at {at}{why}"
        told = {
            "ALARM": f"{condition}",
            "STILL": f"still {condition}",
            "OK": f"no longer {condition}",
            "ENDED": f"{self.ended}; it was {condition}",
        }[self.word]
        if isinstance(condition, Silence):
            metric = f"{condition.metric}: " if condition.metric else ""
            return f"{metric}{told} (since {at})"
        value = f"{self.value:g} at " if isinstance(self.value, float) else ""
        return f"{self.series} {told} ({value}{at})"


def tag_of(rule: Rule) -> str:
    """Name the tag of a run that says how a rule stands with its job."""
    return f"{TAG_PREFIX}{rule.name}"


def tag_value(standings: Mapping[str, Standing], now_ms: int, *, ended: bool = False) -> str:
    """Say how a rule stands with a job.

    Parameters
    ----------
    standings
        Series → standing, of one rule.
    now_ms
        Since when, where nothing tells it.
    ended
        Whether the job has ended.

    Returns
    -------
    str
        ``ALARM since …: series, …`` or ``OK since …``; of a job that ended in alarm, ``ended in
        ALARM since …: series, …``.
    """
    alarms = {series: each.since_ms for series, each in standings.items() if each.alarm}
    if not alarms:
        since_ms = max((each.since_ms for each in standings.values()), default=0)
        return f"OK since {iso_utc(since_ms or now_ms)}"
    says = f"ALARM since {iso_utc(min(alarms.values()))}: {', '.join(sorted(alarms))}"
    return legal_value(f"ended in {says}" if ended else says, TAG_VALUE_LIMIT)


def restored(rule: Rule, value: str | None, now_ms: int) -> dict[str, Standing]:
    """Read from the tag of a run which series were in alarm, so that they are not told again.

    Parameters
    ----------
    rule
        The rule, by now.
    value
        Of its tag on the run; None where it has none.
    now_ms
        The clock.
    """
    found = _IN_ALARM.fullmatch(value or "")
    since_ms = _moment_ms(found[1]) if found else None
    if found is None or since_ms is None:
        return {}
    standing = Standing(alarm=True, since_ms=since_ms, told_ms=now_ms)
    return {series: standing for series in found[2].split(", ") if _is_of(rule, series)}


def told_again(rule: Rule, standing: Standing, now_ms: int) -> bool:
    """Tell whether an alarm goes on for so long that it is told once more."""
    if rule.repeat_ms is None or not standing.alarm:
        return False
    return now_ms - standing.told_ms >= rule.repeat_ms


def _is_of(rule: Rule, series: str) -> bool:
    if isinstance(rule.condition, Threshold):
        return rule.condition.metric.fits(series)
    return series == (NO_DATA if isinstance(rule.condition, Silence) else STATUS)


def _moment_ms(text: str) -> int | None:
    """Read a moment that :func:`tag_value` wrote; None for what somebody else did."""
    try:
        return to_ms(datetime.fromisoformat(text.replace("Z", "+00:00")))
    except (ValueError, OverflowError):
        return None
