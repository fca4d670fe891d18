"""Results → the table and the JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.measure import GROWTH, Results, Sync, Today

_MIB = 1024 * 1024
_HEAD = (
    "what",
    "AWS calls",
    "MLflow write transactions",
    "points",
    "seconds",
    "CPU seconds",
    "peak RSS, MiB",
)


def document(results: Results, machine: Mapping[str, str]) -> dict[str, Any]:
    """Return everything that was measured, for the JSON file."""
    return {
        "machine": dict(machine),
        "results": asdict(results),
        "script_scaled_by": results.scale,
        "ratios": results.ratios,
        "call_limits": results.call_limits,
        "within_limits": results.within_limits,
    }


def table(results: Results, machine: Mapping[str, str]) -> Iterator[str]:
    """Give the lines of the table, as Markdown."""
    yield ", ".join(f"{name} {value}" for name, value in machine.items())
    yield ""
    yield _row(_HEAD)
    yield _row(["---"] * len(_HEAD))
    jobs, today = results.jobs, results.today
    yield _sync_row(f"first sync, {jobs:,} jobs", results.first)
    second = f"second sync, nothing changed (median of {results.repeats})"
    yield _sync_row(second, results.second)
    script = f"script of today, {today.jobs:,} of the {jobs:,} jobs"
    calls, copied = _calls(today.calls), f"{today.points:,}"
    yield _row((script, calls, "", copied, *_times(today), ""))
    scaled = f"script of today, × {results.scale:g} = {jobs:,} jobs (scaled)"
    yield _row((scaled, "", "", "", *_times(today, results.scale), ""))
    yield _sync_row(f"first sync, {jobs * GROWTH:,} jobs", results.grown)
    yield ""
    if results.call_limits:
        kept = "kept" if results.within_limits else "NOT kept"
        yield f"Limits of the first sync: {_calls(results.call_limits)}, nothing else: {kept}."
        yield ""
    yield from _ratio_lines(results)


def _ratio_lines(results: Results) -> Iterator[str]:
    yield _row(("ratio", "value", "made of"))
    yield _row(["---"] * 3)
    made_of = {
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
    for name, value in results.ratios.items():
        title, source = made_of[name]
        yield _row((title, f"{value:.3g}", source))


def _sync_row(title: str, sync: Sync) -> str:
    return _row(
        (
            title,
            _calls(sync.calls),
            f"{sync.transactions:,}",
            f"{sync.points:,}",
            *_times(sync),
            f"{sync.peak_rss_bytes / _MIB:.0f}",
        )
    )


def _times(done: Sync | Today, scale: float = 1.0) -> tuple[str, str]:
    return f"{done.seconds * scale:,.1f}", f"{done.cpu_seconds * scale:,.1f}"


def _calls(calls: Mapping[str, int]) -> str:
    names = (f"{count:,} {name.partition(':')[2]}" for name, count in calls.items())
    return ", ".join(names) or "none"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
