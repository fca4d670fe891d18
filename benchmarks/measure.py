"""Runs the programs against one account and gives what was counted and timed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.account import Account, serving
from benchmarks.database import same_points
from benchmarks.jobs import POINTS, SERIES, name_of
from benchmarks.programs import run

GROWTH = 4
"""How many times as many jobs the account of the second memory measurement has."""

JOBS_PER_PAGE = 100
SERIES_PER_REQUEST = 500

FULL = 1000
"""From this many jobs on, spread over six days, the limits on calls hold."""

_REPEATS = 3
DATABASE = "mlflow.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One sync in a process of its own.

    Attributes
    ----------
    jobs
        Numbers of jobs seen, created, updated, unchanged and failed.
    calls
        Requests that the account served, by operation.
    transactions
        Number of transactions that changed the MLflow database.
    points
        Points that were written.
    seconds, cpu_seconds
        Of the sync alone, without start, imports and the making of MLflow's tables.
    peak_rss_bytes
        Of the whole process.
    """

    jobs: dict[str, int]
    calls: dict[str, int]
    transactions: int
    points: int
    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The script on a sample of the jobs.

    Attributes
    ----------
    jobs, points, seconds, cpu_seconds, calls
        Of the sample, both halves together.
    same_points
        Whether MLflow holds the same points of these jobs from the mirror and from the script.
    """

    jobs: int
    points: int
    seconds: float
    cpu_seconds: float
    calls: dict[str, int]
    same_points: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that is reported.

    Attributes
    ----------
    jobs
        Number of jobs of the account.
    first, second
        Syncs of it; the second is the one of median time, repeated ``repeats`` times.
    grown
        The first sync of an account with ``GROWTH`` times as many jobs.
    today
        The script on a sample of the same jobs.
    """

    jobs: int
    first: Sync
    second: Sync
    repeats: int
    grown: Sync
    today: Today

    @property
    def call_limits(self) -> dict[str, int]:
        """The most calls that the first sync may make; none of other operations.

        A page of ``Search`` holds 100 jobs, a ``GetMetricData`` request 500 series; one more
        ``Search`` looks for trial components, one ``ListAssociations`` for lineage. Fewer jobs lie
        so far apart that CloudWatch's datapoint quota does not let them share full requests: no
        limits are given for them.
        """
        if self.jobs < FULL:
            return {}
        requests = math.ceil(self.jobs * SERIES / SERIES_PER_REQUEST)
        return {
            "cloudwatch:GetMetricData": requests,
            "sagemaker:Search": self.jobs // JOBS_PER_PAGE + 2,
            "sagemaker:ListAssociations": 1,
        }

    @property
    def within_limits(self) -> bool | None:
        """Whether the first sync kept to the limits on calls; None where there are none."""
        limits = self.call_limits
        if not limits:
            return None
        return all(count <= limits.get(name, 0) for name, count in self.first.calls.items())

    @property
    def scale(self) -> float:
        """What the script's times are multiplied by, to stand for all jobs."""
        return self.jobs / self.today.jobs

    @property
    def ratios(self) -> dict[str, float]:
        """What is compared with what, each as a ratio of two figures of this run."""
        return {
            "script_to_first_sync_seconds": self._script_to_sync("seconds"),
            "script_to_first_sync_cpu": self._script_to_sync("cpu_seconds"),
            "second_to_first_sync_seconds": self.second.seconds / self.first.seconds,
            "grown_to_first_sync_peak_rss": self.grown.peak_rss_bytes / self.first.peak_rss_bytes,
        }

    def _script_to_sync(self, what: str) -> float:
        return float(getattr(self.today, what) * self.scale / getattr(self.first, what))


def measure(jobs: int, sample: int, folder: Path, say: Callable[[str], None]) -> Results:
    """Run everything once, the second sync three times.

    Half of the script's sample runs before the first sync and half after it, so that what else the
    machine does falls on both.

    Parameters
    ----------
    jobs
        Of the account.
    sample
        Jobs that the script copies, two or more, spread evenly over all.
    folder
        Empty; databases and artifacts go there.
    say
        Takes lines about the progress.

    Raises
    ------
    RuntimeError
        When the mirror or the script did not do all of its work.
    """
    names = [name_of(number * jobs // sample) for number in range(sample)]
    with serving(jobs) as account:
        say(f"the script on {sample} of {jobs} jobs, first half")
        halves = [copy(account, folder / "copied-before", names[::2])]
        say(f"first sync of {jobs} jobs")
        first = run_sync(account, folder / "mirrored")
        say("the script, second half")
        halves.append(copy(account, folder / "copied-after", names[1::2]))
        say("second sync")
        repeats = [run_sync(account, folder / "mirrored") for _ in range(_REPEATS)]
    with serving(jobs * GROWTH) as account:
        say(f"first sync of {jobs * GROWTH} jobs")
        grown = run_sync(account, folder / "grown")
    middle = median(each.seconds for each in repeats)
    results = Results(
        jobs=jobs,
        first=first,
        second=next(each for each in repeats if each.seconds == middle),
        repeats=_REPEATS,
        grown=grown,
        today=both(halves, mirrored=folder / "mirrored" / DATABASE),
    )
    _check(results)
    return results


def run_sync(account: Account, folder: Path, source: str = "cloudwatch") -> Sync:
    """Sync an account into a SQLite database, algorithm metrics from the source that is named."""
    folder.mkdir(exist_ok=True)
    return sync_into(f"sqlite:///{folder / DATABASE}", account, folder, source)


def sync_into(uri: str, account: Account, folder: Path, source: str = "cloudwatch") -> Sync:
    """Sync an account into any database; artifacts go into the folder."""
    done = run("benchmarks.mirror", [uri, source], account.variables, folder)
    return Sync(**done, calls=account.calls())


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """The script on one half of its sample."""

    names: list[str]
    database: Path
    done: dict[str, Any]
    calls: dict[str, int]


def copy(account: Account, folder: Path, names: list[str], script: str = "today") -> Half:
    """Copy jobs with a script of today into a SQLite database."""
    done = _run(script, account, folder, names)
    return Half(names=names, database=folder / DATABASE, done=done, calls=account.calls())


def both(halves: list[Half], mirrored: Path) -> Today:
    """Add up both halves of the sample, and compare its points."""
    totals = {name: sum(half.done[name] for half in halves) for name in halves[0].done}
    calls = sum((Counter(half.calls) for half in halves), Counter())
    same = all(same_points(mirrored, half.database, half.names) for half in halves)
    return Today(**totals, calls=dict(calls), same_points=same)


def _run(program: str, account: Account, folder: Path, arguments: list[str]) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    uri = f"sqlite:///{folder / DATABASE}"
    return run(f"benchmarks.{program}", [uri, *arguments], account.variables, folder)


def _check(results: Results) -> None:
    """Refuse figures of work that was not done."""
    done = {
        "all jobs mirrored": results.first.jobs["created"] == results.jobs,
        "more jobs mirrored": results.grown.jobs["created"] == results.jobs * GROWTH,
        "all jobs unchanged": results.second.jobs["unchanged"] == results.jobs,
        "all points copied": results.today.points == results.today.jobs * SERIES * POINTS,
        "the same points": results.today.same_points,
    }
    missing = [what for what, true in done.items() if not true]
    if missing:
        message = f"not so: {', '.join(missing)}"
        raise RuntimeError(message)
