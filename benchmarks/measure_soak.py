"""Lets ``smwatch watch`` run for long over jobs that live, and looks whether it stays as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

from benchmarks import database
from benchmarks.account import next_line
from benchmarks.mirror import KINDS
from benchmarks.programs import environment
from benchmarks.soak_watch import Held, Passed, watching

GENERATIONS = 2
"""How often every job has ended, and was followed by another, when the time is over."""

JUDGED_MINUTES = 10
"""A shorter run shows that it works; what warms up in it is no drift."""

MOST_GROWTH = 1.05
"""How much more than in the first third the last third may hold or take."""

_WARM_UP = 1 / 6
_SETTLING_S = 900
_MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Third:
    """A third of the time after the warm-up; medians, and means of calls.

    Attributes
    ----------
    rss_bytes, files, threads
        What the process held.
    pass_seconds
        How long a pass took.
    between_seconds
        From the start of a pass to the start of the next.
    calls
        AWS calls of a pass by operation.
    points
        Points of a pass.
    """

    rss_bytes: float
    files: float
    threads: float
    pass_seconds: float
    between_seconds: float
    calls: dict[str, float]
    points: float

    @property
    def all_calls(self) -> float:
        """AWS calls of a pass."""
        return sum(self.calls.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakResults:
    """A long watch.

    Attributes
    ----------
    minutes, jobs, interval_s
        How long, over how many jobs at a time, how often.
    lived
        How many jobs there were in all.
    passes
        How many passes were made while jobs lived.
    thirds
        First, second and last third after the warm-up.
    points
        Points that the finished jobs have, in AWS and in MLflow.
    wrong_jobs
        Jobs whose series in MLflow are not those in AWS.
    failures
        Jobs that failed in a pass.
    """

    minutes: float
    jobs: int
    interval_s: float
    lived: int
    passes: int
    thirds: tuple[Third, Third, Third]
    points: int
    wrong_jobs: int
    failures: int

    @property
    def ratios(self) -> dict[str, float]:
        """What is compared with what, each as a ratio of two figures of this run."""
        first, _, last = self.thirds
        return {
            "soak_last_to_first_rss": last.rss_bytes / first.rss_bytes,
            "soak_last_to_first_files": last.files / first.files,
            "soak_last_to_first_threads": last.threads / first.threads,
            "soak_last_to_first_calls": last.all_calls / first.all_calls,
            "soak_last_to_first_pass_seconds": last.pass_seconds / first.pass_seconds,
            "soak_interval_kept": last.between_seconds / self.interval_s,
        }

    @property
    def is_right(self) -> bool:
        """Whether no job failed, and both sides hold the same points."""
        return not self.wrong_jobs and not self.failures

    @property
    def is_flat(self) -> bool | None:
        """Whether nothing has grown; None for a run that was too short to tell."""
        if self.minutes < JUDGED_MINUTES:
            return None
        return all(ratio <= MOST_GROWTH for ratio in self.ratios.values())


def measure_soak(
    minutes: float, jobs: int, folder: Path, say: Callable[[str], None]
) -> SoakResults:
    """Watch jobs that live, then let all of them end and compare both sides.

    Parameters
    ----------
    minutes
        How long.
    jobs
        How many run at a time.
    folder
        Empty; the database goes there.
    say
        Takes lines about the progress.

    Raises
    ------
    RuntimeError
        When the watch ends by itself, leaves a job unfinished, or fails.
    """
    is_long = minutes >= JUDGED_MINUTES
    interval_s, settle_s = (30, 180) if is_long else (5, 20)
    say(f"a watch of {minutes:g} minutes, a pass every {interval_s} s, over {jobs} running jobs")
    mlflow, truth = folder / "mlflow.db", folder / "truth.json"
    options = ["--interval", str(interval_s), "--settle", str(settle_s), "--kinds", ",".join(KINDS)]
    options += ["--tracking-uri", f"sqlite:///{mlflow}"]
    life_s = minutes * _MINUTE_S / GENERATIONS
    with (
        _living(jobs, life_s, truth) as (variables, end),
        watching(options, variables, folder) as watch,
    ):
        watch.observe(minutes * _MINUTE_S)
        lived, passes, held = end(), tuple(watch.passes), tuple(watch.held)
        say(f"{lived} jobs have lived; the last ones are finished")
        watch.observe(_SETTLING_S, until=lambda: watch.open_jobs == 0)
        code = watch.stop()
    expected = json.loads(truth.read_text())
    wrong = _wrong_jobs(mlflow, expected)
    if code or watch.open_jobs:
        said = (folder / "watch.log").read_text()[-2000:]
        message = f"the watch ended with {code} and {watch.open_jobs} open jobs: {said}"
        raise RuntimeError(message)
    return SoakResults(
        minutes=minutes,
        jobs=jobs,
        interval_s=interval_s,
        lived=lived,
        passes=len(passes),
        thirds=_thirds(passes, held, minutes * _MINUTE_S),
        points=sum(len(points) for series in expected.values() for points in series.values()),
        wrong_jobs=wrong,
        failures=sum(each.failed for each in watch.passes),
    )


@contextmanager
def _living(
    jobs: int, life_s: float, truth: Path
) -> Iterator[tuple[dict[str, str], Callable[[], int]]]:
    """Run the account; give its environment, and what ends its jobs and counts them."""
    command = [sys.executable, "-m", "benchmarks.soak_account", str(jobs), str(life_s), str(truth)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:

        def end() -> int:
            print(file=process.stdin, flush=True)
            return int(next_line(process))

        try:
            yield next_line(process), end
        finally:
            process.terminate()


def _thirds(
    passes: Sequence[Passed], held: Sequence[Held], seconds: float
) -> tuple[Third, Third, Third]:
    warm, length = seconds * _WARM_UP, seconds * (1 - _WARM_UP) / 3
    starts = [warm + number * length for number in range(3)]
    first, second, last = (_third(passes, held, start, start + length) for start in starts)
    return first, second, last


def _third(passes: Sequence[Passed], held: Sequence[Held], start: float, end: float) -> Third:
    within = [each for each in passes if start <= each.began < end]
    samples = [each for each in held if start <= each.second < end]
    begun = [each.began for each in within]
    calls: Counter[str] = sum((Counter(each.calls) for each in within), Counter())
    return Third(
        rss_bytes=median(each.rss_bytes for each in samples),
        files=median(each.files for each in samples),
        threads=median(each.threads for each in samples),
        pass_seconds=median(each.seconds for each in within),
        between_seconds=mean(after - each for each, after in pairwise(begun)),
        calls={name: count / len(within) for name, count in sorted(calls.items())},
        points=mean(each.points for each in within),
    )


def _wrong_jobs(
    mlflow: Path, expected: Mapping[str, Mapping[str, Sequence[Sequence[float]]]]
) -> int:
    """Count the jobs of which MLflow does not hold the very points of AWS."""
    held = database.series(mlflow)
    return sum(
        {key: [tuple(point) for point in points] for key, points in series.items()}
        != held.get(name)
        for name, series in expected.items()
    )
