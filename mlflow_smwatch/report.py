"""What a sync or a watch did: the value that Python gets and that ``--json`` prints."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Word = Literal["created", "updated", "unchanged", "failed"]
"""What a pass did with one job."""

NOT_REACHED = "jobs that were not reached"
"""Stands in place of an ARN where a pass was broken off."""

KEPT = 10_000
"""How many failures, and how many warnings, a watch keeps."""

_COUNT = re.compile(r"(?<![\w.-])\d+(?:[.,]\d+)*(?![\w-])")


@dataclass(frozen=True, slots=True)
class RunLine:
    """One job of a report.

    Attributes
    ----------
    arn, kind, name
        The job.
    run_id, experiment_id, experiment
        Its run; None in a forecast for a run or an experiment that does not exist yet.
    status
        MLflow's word.
    points
        Points written by this pass (in a forecast: the most that it can write).
    url
        The run's page in MLflow, None where it has no fixed address.
    word
        What the pass did with it; not in the JSON document, where ``jobs`` counts it.
    """

    arn: str
    kind: str
    name: str
    run_id: str | None
    experiment_id: str | None
    experiment: str | None
    status: str
    points: int
    url: str | None
    word: Word

    def to_dict(self) -> dict[str, Any]:
        """Return the line as ``--json`` prints it."""
        return {key: value for key, value in asdict(self).items() if key != "word"}


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that could not be mirrored: its ARN, or what was typed, and why."""

    arn: str
    error: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that was left out: of one job, or of all (arn is None)."""

    arn: str | None
    warning: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a registered model that was made.

    Attributes
    ----------
    model, version
        The registered model and the version's number.
    source
        S3 URI of the artifact.
    run_id
        The run of the job that made it, where one did.
    """

    model: str
    version: str
    source: str
    run_id: str | None


def without_counts(text: str) -> str:
    """Return what a failure or a warning says, whatever the numbers in it have grown to.

    Parameters
    ----------
    text
        One line.

    Returns
    -------
    str
        The text with ``#`` for each number that stands alone.
    """
    return _COUNT.sub("#", text)


@dataclass(slots=True)
class SyncReport:
    """The result of one sync.

    Attributes
    ----------
    counts
        Jobs ``created``, ``updated`` and ``unchanged``.
    points
        Points written.
    aws_calls
        IAM action → number of calls.
    estimated_cost_usd
        What AWS charges for them.
    seconds
        Duration of the pass.
    runs, failed, warnings
        One entry each.
    dry_run
        True where the numbers are forecasts.
    found, expected
        How many jobs were found by now, and how many there will be as far as is known; 0 before
        that, and where they are named. Not in the JSON document.
    listed
        False where a listing failed that may work the next time. Not in the JSON document.
    """

    counts: Counter[str] = field(default_factory=Counter)
    points: int = 0
    aws_calls: Mapping[str, int] = field(default_factory=dict)
    estimated_cost_usd: float = 0.0
    seconds: float = 0.0
    runs: list[RunLine] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    registered: list[Registered] | None = None
    dry_run: bool = False
    found: int = 0
    expected: int = 0
    listed: bool = True

    def add(self, other: SyncReport) -> None:
        """Enter what was done elsewhere; its calls, price and time are those of whoever adds."""
        self.counts += other.counts
        self.points += other.points
        self.runs += other.runs
        self.failed += other.failed
        self.warnings += other.warnings
        self.listed = self.listed and other.listed
        if other.registered is not None:
            self.registered = [*(self.registered or ()), *other.registered]

    def warn(self, arn: str | None, warnings: Iterable[str]) -> None:
        """Enter what was left out of a job, or of all (arn is None)."""
        self.warnings += [Warned(arn, warning) for warning in warnings]

    def reword(self, change: Callable[[str], str]) -> None:
        """Change the words in which failures and warnings are told."""
        self.failed = [replace(each, error=change(each.error)) for each in self.failed]
        self.warnings = [replace(each, warning=change(each.warning)) for each in self.warnings]

    @property
    def broken_off(self) -> str | None:
        """Why the pass did not reach every job; None where it did."""
        return next((each.error for each in self.failed if each.arn == NOT_REACHED), None)

    @property
    def jobs(self) -> dict[str, int]:
        """Numbers of jobs: seen, created, updated, unchanged and failed."""
        done = {word: self.counts[word] for word in ("created", "updated", "unchanged")}
        seen = sum(done.values()) + len(self.failed)
        return {"seen": seen, **done, "failed": len(self.failed)}

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        document: dict[str, Any] = {
            "jobs": self.jobs,
            "points": self.points,
            "aws_calls": dict(sorted(self.aws_calls.items())),
            "estimated_cost_usd": round(self.estimated_cost_usd, 6),
            "seconds": round(self.seconds, 3),
            "runs": [line.to_dict() for line in self.runs],
            "failed": [asdict(failure) for failure in self.failed],
            "warnings": [asdict(warned) for warned in self.warnings],
        }
        if self.registered is not None:
            document["registered"] = [asdict(each) for each in self.registered]
        if self.dry_run:
            document["dry_run"] = True
        return document


@dataclass(slots=True)
class WatchReport:
    """The result of a watch, over all its passes.

    Attributes
    ----------
    passes
        How many passes ended, with or without something to write.
    counts
        Jobs ``created`` and ``updated``; a job counts in each pass that wrote something of it.
    points
        Points written.
    aws_calls
        IAM action → number of calls.
    estimated_cost_usd
        What AWS charges for them.
    seconds
        Duration of the watch.
    failed
        The jobs whose last try failed; of very many the latest.
    warnings
        What was left out, as it was said last of each job; of very many the latest.
    """

    passes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    points: int = 0
    aws_calls: Mapping[str, int] = field(default_factory=dict)
    estimated_cost_usd: float = 0.0
    seconds: float = 0.0
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)

    @property
    def jobs(self) -> dict[str, int]:
        """Numbers of jobs: created, updated and failed."""
        done = {word: self.counts[word] for word in ("created", "updated")}
        return {**done, "failed": len(self.failed)}

    def add(self, report: SyncReport, asked: Iterable[str] = ()) -> None:
        """Enter a pass: what it tried again is judged by its outcome there.

        Parameters
        ----------
        report
            Of the pass.
        asked
            ARNs that it looked for; those that are not in the report are gone or not wanted.
        """
        self.passes += 1
        for word in ("created", "updated"):
            self.counts[word] += report.counts[word]
        self.points += report.points
        self._judge(report, asked)
        self._note(report)

    def _judge(self, report: SyncReport, asked: Iterable[str]) -> None:
        written = (text for line in report.runs for text in (line.arn, line.name))
        tried = {text.lower() for text in (*written, *asked)}
        earlier = [
            each
            for each in self.failed
            if each.arn.lower() not in tried and not each.arn.startswith(NOT_REACHED)
        ]
        latest = {each.arn.lower(): each for each in (*earlier, *report.failed)}
        self.failed = list(latest.values())[-KEPT:]

    def _note(self, report: SyncReport) -> None:
        """Keep the warnings of the jobs of which nothing was written or said anew."""
        anew = {each.arn for each in report.warnings if each.arn}
        anew |= {line.arn for line in report.runs if line.word != "unchanged"}
        earlier = [each for each in self.warnings if each.arn not in anew]
        latest = {
            (each.arn, without_counts(each.warning)): each for each in (*earlier, *report.warnings)
        }
        self.warnings = list(latest.values())[-KEPT:]

    def to_dict(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        return {
            "passes": self.passes,
            "jobs": self.jobs,
            "points": self.points,
            "aws_calls": dict(sorted(self.aws_calls.items())),
            "estimated_cost_usd": round(self.estimated_cost_usd, 6),
            "seconds": round(self.seconds, 3),
            "failed": [asdict(failure) for failure in self.failed],
            "warnings": [asdict(warned) for warned in self.warnings],
        }
