"""Results → the table and the JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.measure import GROWTH, Results, Sync, Today

MIB = 1024 * 1024
HEAD = (
    "what",
    "AWS calls",
    "MLflow write transactions",
    "points",
    "seconds",
    "CPU seconds",
    "peak RSS, MiB",
)


def document(results: Results) -> dict[str, Any]:
    """Return what was measured of syncs, for the JSON file."""
    return {
        "results": asdict(results),
        "script_scaled_by": results.scale,
        "call_limits": results.call_limits,
        "within_limits": results.within_limits,
    }


def table(results: Results) -> Iterator[str]:
    """Give the lines of the table on syncs, as Markdown."""
    yield row(HEAD)
    yield row(["---"] * len(HEAD))
    jobs, today = results.jobs, results.today
    yield sync_row(f"first sync, {jobs:,} jobs", results.first)
    second = f"second sync, nothing changed (median of {results.repeats})"
    yield sync_row(second, results.second)
    script = f"script of today, {today.jobs:,} of the {jobs:,} jobs"
    calls, copied = calls_text(today.calls), f"{today.points:,}"
    yield row((script, calls, "", copied, *times(today), ""))
    scaled = f"script of today, × {results.scale:g} = {jobs:,} jobs (scaled)"
    yield row((scaled, "", "", "", *times(today, results.scale), ""))
    yield sync_row(f"first sync, {jobs * GROWTH:,} jobs", results.grown)
    yield ""
    if results.call_limits:
        kept = "kept" if results.within_limits else "NOT kept"
        yield f"Limits of the first sync: {calls_text(results.call_limits)}, nothing else: {kept}."
        yield ""


def ratio_table(
    ratios: Mapping[str, float], made_of: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """Give the lines of a table of ratios, as Markdown.

    Parameters
    ----------
    ratios
        Name → value.
    made_of
        Name → what it is, and what it is made of.
    """
    yield row(("ratio", "value", "made of"))
    yield row(["---"] * 3)
    for name, value in ratios.items():
        title, source = made_of[name]
        yield row((title, f"{value:.3g}", source))
    yield ""


def made_of(results: Results) -> dict[str, tuple[str, str]]:
    """Say of each ratio on syncs what it is and what it is made of."""
    return {
        "script_to_first_sync_seconds": (
            "script ÷ first sync, seconds",
            f"script on {results.today.jobs:,} jobs, scaled to {results.jobs:,}; one run each",
        ),
        "script_to_first_sync_cpu": (
            "script ÷ first sync, CPU seconds of the process",
            "the same runs",
        ),
        "second_to_first_sync_seconds": (
            "second sync ÷ first sync, seconds",
            f"median of {results.repeats} ÷ one run",
        ),
        "grown_to_first_sync_peak_rss": (
            f"{results.jobs * GROWTH:,} jobs ÷ {results.jobs:,} jobs, peak memory",
            "first syncs, a process each, one run each",
        ),
    }


def sync_row(title: str, sync: Sync) -> str:
    """Write the row of one sync."""
    return row(
        (
            title,
            calls_text(sync.calls),
            f"{sync.transactions:,}",
            f"{sync.points:,}",
            *times(sync),
            f"{sync.peak_rss_bytes / MIB:.0f}",
        )
    )


def times(done: Sync | Today, scale: float = 1.0) -> tuple[str, str]:
    """Write seconds and CPU seconds."""
    return f"{done.seconds * scale:,.1f}", f"{done.cpu_seconds * scale:,.1f}"


def calls_text(calls: Mapping[str, int]) -> str:
    """Write the numbers of calls, by operation."""
    names = (f"{count:,} {name.partition(':')[2]}" for name, count in calls.items())
    return ", ".join(names) or "none"


def row(cells: tuple[str, ...] | list[str]) -> str:
    """Write one row of a table."""
    return f"| {' | '.join(cells)} |"
