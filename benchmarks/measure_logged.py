"""Syncs finished jobs whose algorithm metrics come from their small logs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.account import serving
from benchmarks.jobs import name_of
from benchmarks.log_jobs import SMALL_LOG
from benchmarks.measure import DATABASE, FULL, Sync, Today, both, copy, run_sync
from benchmarks.table import HEAD, calls_text, row, sync_row, times

STREAMS_PER_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedResults:
    """What was measured.

    Attributes
    ----------
    jobs
        Of the account, each with one log stream of a few lines.
    first
        The first sync.
    today
        The script on a sample of the same jobs.
    """

    jobs: int
    first: Sync
    today: Today

    @property
    def call_limits(self) -> dict[str, int]:
        """The most calls on logs that the first sync may make, from 1,000 jobs on."""
        if self.jobs < FULL:
            return {}
        return {
            "logs:GetLogEvents": 2 * self.jobs,
            "logs:DescribeLogStreams": math.ceil(self.jobs / STREAMS_PER_PAGE) + 1,
        }

    @property
    def within_limits(self) -> bool | None:
        """Whether the first sync kept to the limits; None where there are none."""
        limits = self.call_limits
        calls = self.first.calls
        return all(calls.get(name, 0) <= most for name, most in limits.items()) if limits else None

    @property
    def scale(self) -> float:
        """What the script's times are multiplied by, to stand for all jobs."""
        return self.jobs / self.today.jobs

    @property
    def ratios(self) -> dict[str, float]:
        """Script ÷ mirror."""
        scripted = sum(self.today.calls.values()) * self.scale
        return {
            "logged_script_to_sync_seconds": self.today.seconds * self.scale / self.first.seconds,
            "logged_script_to_sync_calls": scripted / sum(self.first.calls.values()),
        }


def measure_logged(
    jobs: int, sample: int, folder: Path, say: Callable[[str], None]
) -> LoggedResults:
    """Copy half of a sample with the script, sync all jobs, then copy the other half.

    Parameters
    ----------
    jobs, sample, folder, say
        As of :func:`benchmarks.measure.measure`.

    Raises
    ------
    RuntimeError
        When the mirror did not mirror all jobs, or MLflow holds other points than the script's.
    """
    names = [name_of(number * jobs // sample) for number in range(sample)]
    with serving(jobs, "logged") as account:
        say(f"the script on the logs of {sample} of {jobs} jobs, first half")
        halves = [copy(account, folder / "before", names[::2], "today_logs")]
        say(f"first sync of {jobs} jobs with logs")
        first = run_sync(account, folder / "mirrored", "auto")
        say("the script, second half")
        halves.append(copy(account, folder / "after", names[1::2], "today_logs"))
    today = both(halves, mirrored=folder / "mirrored" / DATABASE)
    if first.jobs["created"] != jobs or not today.same_points:
        message = (
            f"{first.jobs['created']} of {jobs} jobs mirrored, same points: {today.same_points}"
        )
        raise RuntimeError(message)
    return LoggedResults(jobs=jobs, first=first, today=today)


def logged_table(results: LoggedResults) -> Iterator[str]:
    """Give the lines of the table, as Markdown."""
    jobs, today = results.jobs, results.today
    yield row(HEAD)
    yield row(["---"] * len(HEAD))
    yield sync_row(f"first sync, {jobs:,} jobs with {SMALL_LOG} log lines each", results.first)
    script = f"script of today, {today.jobs:,} of the {jobs:,} jobs"
    yield row((script, calls_text(today.calls), "", f"{today.points:,}", *times(today), ""))
    scaled = f"script of today, × {results.scale:g} = {jobs:,} jobs (scaled)"
    yield row((scaled, "", "", "", *times(today, results.scale), ""))
    yield ""
    if results.call_limits:
        kept = "kept" if results.within_limits else "NOT kept"
        yield f"Limits on calls to logs: {calls_text(results.call_limits)}: {kept}."
        yield ""


def logged_made_of(results: LoggedResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio what it is and what it is made of."""
    made_of = f"script on {results.today.jobs:,} jobs, scaled to {results.jobs:,}; one run each"
    return {
        "logged_script_to_sync_seconds": ("script ÷ first sync with logs, seconds", made_of),
        "logged_script_to_sync_calls": ("script ÷ first sync with logs, AWS calls", made_of),
    }
