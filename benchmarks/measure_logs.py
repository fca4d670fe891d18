"""Runs the log readers against one account and gives what was counted and timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.account import Account, serving
from benchmarks.log_jobs import (
    FEW,
    LOG_GROUP,
    MANY,
    LoggedJob,
    definitions,
    finished,
    single_line_jobs,
)
from benchmarks.log_pages import EVENTS, serving_pages
from benchmarks.programs import run

REPEATS = 3
SMALL_PAGES = 10
"""Megabytes of the short log in the comparison of memory."""

_LONG_LINE_REPEATS = 6
_RUNAWAY = {"m0": {"runaway": 1}}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReading:
    """One reading of a log, or the middle one of several.

    Attributes
    ----------
    lines, points
        Lines read and values found.
    seconds, cpu_seconds
        Medians over the repeats; CPU seconds are those of the reader's process.
    rss_before_bytes, peak_rss_bytes
        The most memory of the whole process, before it began to read and in all; None where it was
        not taken.
    sums
        Metric → sum of its values.
    findings
        Metric → what the mirror has to say about its pattern → how often.
    """

    lines: int
    points: int
    seconds: float
    cpu_seconds: float
    rss_before_bytes: int | None = None
    peak_rss_bytes: int | None = None
    sums: dict[str, float] = field(default_factory=dict)
    findings: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def grown_bytes(self) -> int:
        """How much the process grew by reading."""
        return (self.peak_rss_bytes or 0) - (self.rss_before_bytes or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogResults:
    """All that is reported of logs.

    Attributes
    ----------
    loops, replays
        Number of definitions → the loop of today, and the mirror's reading without the writing.
    sync
        The whole sync of the job with few definitions, one run.
    long_line
        Kind of pattern → the mirror's reading of one line of 10,000 characters.
    memory
        Megabytes → the mirror's reading of a log of that length.
    """

    loops: dict[int, LogReading]
    replays: dict[int, LogReading]
    sync: LogReading
    long_line: dict[str, LogReading]
    memory: dict[int, LogReading]

    @property
    def ratios(self) -> dict[str, float]:
        """What is compared with what, each as a ratio of two figures of this run."""
        small, large = (self.memory[pages] for pages in sorted(self.memory))
        harmless = self.long_line["harmless"].cpu_seconds
        ratios: dict[str, float] = {}
        for count, loop in self.loops.items():
            replay = self.replays[count]
            ratios[f"replay_to_loop_speed_{count}"] = loop.seconds / replay.seconds
            ratios[f"replay_to_loop_cpu_speed_{count}"] = loop.cpu_seconds / replay.cpu_seconds
        return {
            **ratios,
            "log_sync_to_loop_speed": self.loops[FEW].seconds / self.sync.seconds,
            "nested_to_harmless_cpu": self.long_line["nested"].cpu_seconds / harmless,
            "back_reference_to_harmless_cpu": self.long_line["back-reference"].cpu_seconds
            / harmless,
            "large_to_small_log_peak_rss": (large.peak_rss_bytes or 0)
            / (small.peak_rss_bytes or 1),
            "large_to_small_log_growth": large.grown_bytes / small.grown_bytes,
        }


def measure_logs(
    lines: int, large_pages: int, folder: Path, say: Callable[[str], None]
) -> LogResults:
    """Read logs in all ways; the loop of today and the mirror by turns.

    Parameters
    ----------
    lines
        Of the log that both read.
    large_pages
        Megabytes of the long log in the comparison of memory.
    folder
        Empty; databases go there.
    say
        Takes lines about the progress.

    Raises
    ------
    RuntimeError
        When a reader did not do all of its work.
    """
    jobs = {count: finished(f"definitions-{count}", definitions(count)) for count in (FEW, MANY)}
    loops, replays = {}, {}
    with serving(lines, "logs") as account:
        streams = account.log_streams()
        for count, job in jobs.items():
            say(f"{lines} log lines, {count} definitions: loop and replay by turns")
            turns = [_turn(account, job, streams, folder) for _ in range(REPEATS)]
            loops[count] = _middle([loop for loop, _ in turns], lines)
            replays[count] = _middle([replay for _, replay in turns], lines)
        say("the whole sync of such a job")
        sync = _sync(account, jobs[FEW], lines, folder)
        say("one line of 10,000 characters")
        long_line = {
            job.name: _middle([_replay(account.variables, job, folder, _LONG_LINE_REPEATS)], 1)
            for job in single_line_jobs()
        }
    memory = {}
    for pages in (SMALL_PAGES, large_pages):
        say(f"memory: {pages} MB of log")
        memory[pages] = _generated(pages, jobs[FEW], folder)
    results = LogResults(
        loops=loops, replays=replays, sync=sync, long_line=long_line, memory=memory
    )
    _check(results, lines)
    return results


def _turn(
    account: Account, job: LoggedJob, streams: Mapping[str, str], folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    arguments = [LOG_GROUP, streams[job.name], *_given(job)]
    loop = run("benchmarks.log_loop", arguments, account.variables, folder)
    return loop, _replay(account.variables, job, folder)


def _replay(
    variables: Mapping[str, str], job: LoggedJob, folder: Path, repeats: int = 1
) -> dict[str, Any]:
    uri = f"sqlite:///{folder / 'unwritten.db'}"
    arguments = [uri, job.name, str(repeats), *_given(job)]
    return run("benchmarks.log_replay", arguments, variables, folder)


def _sync(account: Account, job: LoggedJob, lines: int, folder: Path) -> LogReading:
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    done = run("benchmarks.mirror", [uri, "logs", job.name], account.variables, folder)
    return _middle([done], lines)


def _generated(pages: int, job: LoggedJob, folder: Path) -> LogReading:
    with serving_pages(pages) as variables:
        return _middle([_replay(variables, job, folder)], pages * EVENTS)


def _given(job: LoggedJob) -> list[str]:
    return [f"{name}={pattern}" for name, pattern in job.definitions.items()]


def _middle(done: list[dict[str, Any]], lines: int) -> LogReading:
    """Join readings of the same log; one that found something else than the first is an error."""
    first = done[0]
    for name in ("lines", "points", "sums"):
        if any(each.get(name) != first.get(name) for each in done):
            message = f"two readings of one log differ in {name}"
            raise RuntimeError(message)
    return LogReading(
        lines=first.get("lines", lines),
        points=first["points"],
        seconds=median(each["seconds"] for each in done),
        cpu_seconds=median(each["cpu_seconds"] for each in done),
        rss_before_bytes=first.get("rss_before_bytes"),
        peak_rss_bytes=first.get("peak_rss_bytes"),
        sums=first.get("sums", {}),
        findings=first.get("findings", {}),
    )


def _check(results: LogResults, lines: int) -> None:
    """Refuse figures of work that was not done."""
    loops, replays = results.loops, results.replays
    small, large = sorted(results.memory)
    findings = {name: each.findings for name, each in results.long_line.items()}
    done = {
        "all lines read": all(each.lines == lines for each in loops.values()),
        "something found": all(each.points for each in loops.values()),
        "the same values": all(_same_values(each, replays[n]) for n, each in loops.items()),
        "all points written": results.sync.points >= loops[FEW].points,
        "only the back-reference stopped": findings
        == {"harmless": {}, "nested": {}, "back-reference": _RUNAWAY},
        "memory taken": all(each.rss_before_bytes for each in results.memory.values()),
        "the long log read": results.memory[large].points * small
        == results.memory[small].points * large,
    }
    missing = [what for what, true in done.items() if not true]
    if missing:
        message = f"not so: {', '.join(missing)}"
        raise RuntimeError(message)


def _same_values(one: LogReading, other: LogReading) -> bool:
    """Whether two readings found the same number of values, and the same sums but for rounding."""
    if one.points != other.points or one.sums.keys() != other.sums.keys():
        return False
    return all(math.isclose(value, other.sums[name]) for name, value in one.sums.items())
