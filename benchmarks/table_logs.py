"""Results of logs and of watch passes → tables."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.log_jobs import FEW, MANY
from benchmarks.measure_logs import REPEATS, LogReading, LogResults
from benchmarks.measure_watch import WatchPass, WatchResults
from benchmarks.table import MIB, calls_text, row

_LOG_HEAD = (
    "logs",
    "lines",
    "points",
    "seconds",
    "CPU seconds",
    "lines per CPU second",
    "peak RSS, MiB",
    "of it by reading",
)
_LINE_HEAD = ("one line of 10,000 characters", "milliseconds", "CPU milliseconds", "found")
_WATCH_HEAD = (
    "watch",
    "AWS calls",
    "MLflow write transactions",
    "points",
    "seconds",
    "CPU seconds",
)
_PATTERNS = {
    "harmless": "`(a+)$` and `(a+)b$`",
    "nested": "`(a+)+$`",
    "back-reference": r"`(a+)+\1$`",
}


def log_tables(results: LogResults) -> Iterator[str]:
    """Give the lines of the tables on logs, as Markdown."""
    yield from _head(_LOG_HEAD)
    for count in (FEW, MANY):
        what = f"{count} definitions (median of {REPEATS})"
        yield _log_row(f"loop of today, {what}", results.loops[count])
        yield _log_row(f"replay, {what}", results.replays[count])
    yield _log_row(f"whole sync, {FEW} definitions", results.sync)
    for megabytes, reading in sorted(results.memory.items()):
        yield _log_row(f"replay of {megabytes:,} MB", reading)
    yield ""
    yield from _head(_LINE_HEAD)
    for name, reading in results.long_line.items():
        found = ", ".join(code for codes in reading.findings.values() for code in codes)
        times = (f"{1000 * each:.1f}" for each in (reading.seconds, reading.cpu_seconds))
        yield row((f"replay, {_PATTERNS[name]}", *times, found or "no match"))
    yield ""


def watch_table(results: WatchResults) -> Iterator[str]:
    """Give the lines of the table on watch passes, as Markdown."""
    yield from _head(_WATCH_HEAD)
    jobs = f"{results.jobs} running jobs"
    yield _watch_row(f"first pass, {jobs}", results.first)
    yield _watch_row(f"no news (median of {len(results.quiet)})", results.middle)
    yield _watch_row("one job has logged two lines", results.news)
    yield ""


def log_made_of(results: LogResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio on logs what it is and what it is made of."""
    small, large = sorted(results.memory)
    speed = {
        f"replay_to_loop_{key}_{count}": (
            f"replay ÷ loop of today, lines per {unit}, {count} definitions",
            f"medians of {REPEATS}, by turns",
        )
        for count in (FEW, MANY)
        for key, unit in (("speed", "second"), ("cpu_speed", "CPU second of the process"))
    }
    return {
        **speed,
        "log_sync_to_loop_speed": (
            f"whole sync ÷ loop of today, lines per second, {FEW} definitions",
            "one run ÷ median; the sync writes the points to MLflow, the loop writes nothing",
        ),
        "nested_to_harmless_cpu": (
            f"{_PATTERNS['nested']} ÷ harmless patterns, CPU seconds",
            "one line of 10,000 characters, medians of 5",
        ),
        "back_reference_to_harmless_cpu": (
            f"{_PATTERNS['back-reference']} ÷ harmless patterns, CPU seconds",
            "the same line; the pattern is stopped and reported",
        ),
        "large_to_small_log_peak_rss": (
            f"{large:,} MB ÷ {small:,} MB of log, peak memory",
            "a process each, one run each",
        ),
        "large_to_small_log_growth": (
            f"{large:,} MB ÷ {small:,} MB of log, growth of memory by reading",
            "the same runs",
        ),
    }


def watch_made_of(results: WatchResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio on watch passes what it is and what it is made of."""
    source = f"{results.jobs} jobs, median of {len(results.quiet)} ÷ one run"
    title = "pass without news ÷ first pass, CPU seconds"
    return {"quiet_to_first_watch_pass_cpu": (title, source)}


def _head(names: tuple[str, ...]) -> Iterator[str]:
    yield row(names)
    yield row(["---"] * len(names))


def _log_row(title: str, reading: LogReading) -> str:
    memory = reading.peak_rss_bytes
    return row(
        (
            title,
            f"{reading.lines:,}",
            f"{reading.points:,}",
            f"{reading.seconds:,.2f}",
            f"{reading.cpu_seconds:,.2f}",
            f"{reading.lines / reading.cpu_seconds:,.0f}",
            f"{memory / MIB:.0f}" if memory else "",
            f"{reading.grown_bytes / MIB:.1f}" if reading.rss_before_bytes else "",
        )
    )


def _watch_row(title: str, each: WatchPass) -> str:
    return row(
        (
            title,
            calls_text(each.calls),
            f"{each.transactions:,}",
            f"{each.points:,}",
            f"{each.seconds:,.1f}",
            f"{each.cpu_seconds:,.2f}",
        )
    )
