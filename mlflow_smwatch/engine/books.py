"""The books of one pass: which jobs were met, and what became of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.core.job_kinds import TRIAL
from mlflow_smwatch.engine.outcome import Outcome
from mlflow_smwatch.engine.trials import TrialStates
from mlflow_smwatch.report import NOT_REACHED, Failure, SyncReport

logger = logging.getLogger(__name__)

Listener = Callable[[SyncReport], None]


class Books:
    """The books of one pass; they belong to the coordinating thread.

    Parameters
    ----------
    trials
        The state of trials, which is that of their jobs.
    listener
        Called with the report so far after each job, and when more is known of how many there are.

    Attributes
    ----------
    report
        What was done so far.
    seen
        ARNs of the jobs that were taken.
    created
        ARN → CreationTime of the jobs that were found, ms.
    open
        ARN → job, of those that are not final.
    begun
        ARN → job, of those that were begun and are not closed; None where a job is to stay closed.
    restored
        ARNs of the jobs whose runs were brought back: something was done about them.
    """

    def __init__(self, trials: TrialStates, listener: Listener) -> None:
        self.report = SyncReport()
        self.seen: set[str] = set()
        self.created: dict[str, int] = {}
        self.open: dict[str, Found] = {}
        self.begun: dict[str, Found] = {}
        self.restored: set[str] = set()
        self._trials = trials
        self._listener = listener

    def meet(self, page: Sequence[Found]) -> list[Found]:
        """Enter jobs that were found; return those that the pass has not met."""
        jobs = {each.arn: each for each in page}
        new = [found for arn, found in jobs.items() if arn not in self.seen]
        self.seen.update(jobs)
        self.created.update({arn: found.created_ms for arn, found in jobs.items()})
        return new

    def expect(self, found: int, jobs: int) -> None:
        """Enter how many jobs were found, and how many there will be as far as is known."""
        self.report.found, self.report.expected = found, jobs
        self._listener(self.report)

    def close(self, outcome: Outcome) -> None:
        """Enter what became of a job."""
        report = self.report
        if outcome.word == "unchanged" and outcome.arn in self.restored:
            line = replace(outcome.line, word="updated") if outcome.line else None
            outcome = replace(outcome, word="updated", line=line)
        found = self.begun.pop(outcome.arn, None)
        if found is not None and not outcome.final and found.kind != TRIAL.word:
            self.open[outcome.arn] = found
        if outcome.error is not None:
            report.failed.append(Failure(outcome.arn, outcome.error))
            logger.warning("%s: %s", outcome.arn, outcome.error, extra={"arn": outcome.arn})
        else:
            report.counts[outcome.word] += 1
        if outcome.line:
            self._enter_line(outcome)
        report.warn(outcome.arn, outcome.warnings)
        if outcome.word in {"created", "updated"}:
            line = outcome.line
            own = (line.name,) if line and line.kind == TRIAL.word else ()
            self._trials.enter((*outcome.trials, *own), outcome.arn)
        self._listener(report)

    def close_replaced(self, outcome: Outcome) -> None:
        """Enter what became of a job whose name another one has by now, which goes on."""
        another = self.begun.get(outcome.arn)
        self.close(outcome)
        if another is not None:
            self.begun[outcome.arn] = another

    def close_all(self, outcomes: Iterable[Outcome]) -> None:
        """Enter what became of several jobs."""
        for outcome in outcomes:
            self.close(outcome)

    def abandon(self, error: StopError) -> bool:
        """Enter an error that stops everything; tell whether any job was written by then.

        Every job that was begun and is not written is a failed one; so are, in one entry, those
        that were not even listed.
        """
        for arn in (*self.begun, NOT_REACHED):
            self.close(Outcome(arn, "failed", error=str(error)))
        return any(self.report.counts[word] for word in ("created", "updated"))

    def _enter_line(self, outcome: Outcome) -> None:
        line = outcome.line
        if line is None:
            return
        level = logging.DEBUG if outcome.word == "unchanged" else logging.INFO
        extra = {"arn": outcome.arn, "points": line.points}
        logger.log(level, "%s: %s, %d points", outcome.arn, outcome.word, line.points, extra=extra)
        self.report.runs.append(line)
        self.report.points += line.points
