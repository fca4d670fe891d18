"""Runs passes of a watch over an account of running jobs and gives what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.account import serving
from benchmarks.programs import run

LISTS = {"sagemaker:Search": 2, "sagemaker:ListAssociations": 1}
"""What it costs to find the training jobs of a small account: components, jobs, associations."""

_NOT_THE_MIRRORS = {"logs:PutLogEvents": 1, "logs:DescribeLogStreams": 1}
"""Calls by which the measuring program itself lets a job log something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPass:
    """One pass.

    Attributes
    ----------
    jobs
        Numbers of jobs seen, created, updated, unchanged and failed.
    calls
        AWS calls by operation.
    transactions
        Number of transactions that changed the MLflow database.
    points
        Points that were written.
    seconds, cpu_seconds
        Of the pass.
    """

    jobs: dict[str, int]
    calls: dict[str, int]
    transactions: int
    points: int
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResults:
    """Passes over running jobs.

    Attributes
    ----------
    jobs
        How many run.
    first
        The pass that mirrors them all.
    quiet
        Passes without news.
    news
        The pass after one job has logged two lines.
    """

    jobs: int
    first: WatchPass
    quiet: tuple[WatchPass, ...]
    news: WatchPass

    @property
    def middle(self) -> WatchPass:
        """The pass without news of median time."""
        time = median(each.seconds for each in self.quiet)
        return next(each for each in self.quiet if each.seconds == time)

    @property
    def ratios(self) -> dict[str, float]:
        """What is compared with what, each as a ratio of two figures of this run."""
        return {
            "quiet_to_first_watch_pass_cpu": self.middle.cpu_seconds / self.first.cpu_seconds,
        }


def measure_watch(jobs: int, folder: Path, say: Callable[[str], None]) -> WatchResults:
    """Make the passes.

    Parameters
    ----------
    jobs
        How many run.
    folder
        Empty; the database goes there.
    say
        Takes lines about the progress.

    Raises
    ------
    RuntimeError
        When the mirror did not do all of its work, or more than it may.
    """
    say(f"passes of a watch over {jobs} running jobs")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with serving(jobs, "running") as account:
        done = run("benchmarks.watch_passes", [uri], account.variables, folder)
        served = Counter(account.calls())
    served.subtract(_NOT_THE_MIRRORS)
    counted: Counter[str] = sum((Counter(each["calls"]) for each in _passes(done)), Counter())
    results = WatchResults(
        jobs=jobs,
        first=WatchPass(**done["first"]),
        quiet=tuple(WatchPass(**each) for each in done["quiet"]),
        news=WatchPass(**done["news"]),
    )
    _check(results, same_calls=+served == counted)
    return results


def _passes(done: dict[str, Any]) -> list[dict[str, Any]]:
    return [done["first"], done["settling"], *done["quiet"], done["news"]]


def _check(results: WatchResults, *, same_calls: bool) -> None:
    """Refuse figures of work that was not done, and passes that do too much."""
    jobs = results.jobs
    done = {
        "all jobs mirrored": results.first.jobs["created"] == jobs,
        "the news written": results.news.jobs["updated"] == 1 and results.news.points > 0,
        "nothing written without news": all(each.transactions == 0 for each in results.quiet),
        "one call a job": all(_is_quiet(each, jobs) for each in results.quiet),
        "the mirror's own count of calls": same_calls,
    }
    missing = [what for what, true in done.items() if not true]
    if missing:
        message = f"not so: {', '.join(missing)}"
        raise RuntimeError(message)


def _is_quiet(each: WatchPass, jobs: int) -> bool:
    most = {**LISTS, "cloudwatch:GetMetricData": 1, "logs:GetLogEvents": jobs}
    return all(count <= most.get(name, 0) for name, count in each.calls.items())
