"""Results of a long watch → tables."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure_soak import MOST_GROWTH, SoakResults, Third
from benchmarks.table import MIB, row

_HEAD = (
    "watch",
    "RSS, MiB",
    "file handles",
    "threads",
    "seconds of a pass",
    "seconds between starts",
    "AWS calls of a pass",
    "points of a pass",
)


def soak_table(results: SoakResults) -> Iterator[str]:
    """Give the lines of the table, as Markdown."""
    yield row(_HEAD)
    yield row(["---"] * len(_HEAD))
    for name, third in zip(("first", "second", "last"), results.thirds, strict=True):
        yield row((f"{name} third after the warm-up", *_cells(third)))
    yield ""
    yield (
        f"{results.minutes:g} minutes, {results.passes} passes, {results.jobs} jobs at a time and"
        f" {results.lived} in all, {results.failures} failures; of the {results.points:,} points of"
        f" finished jobs those of {results.wrong_jobs} jobs are not as in AWS."
    )
    verdict = {
        None: "too short a time to tell",
        True: "kept",
        False: "NOT kept",
    }[results.is_flat]
    yield f"Nothing may grow by more than {MOST_GROWTH - 1:.0%}: {verdict}."
    yield ""


def soak_made_of(results: SoakResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio what it is and what it is made of."""
    medians = f"medians, last third ÷ first third of {results.minutes:g} minutes"
    means = f"means, last third ÷ first third of {results.minutes:g} minutes"
    interval = f"last third; the interval is {results.interval_s:g} s"
    return {
        "soak_last_to_first_rss": ("long watch, memory", medians),
        "soak_last_to_first_files": ("long watch, file handles", medians),
        "soak_last_to_first_threads": ("long watch, threads", medians),
        "soak_last_to_first_calls": ("long watch, AWS calls of a pass", means),
        "soak_last_to_first_pass_seconds": ("long watch, seconds of a pass", medians),
        "soak_interval_kept": ("long watch, time between starts ÷ interval", interval),
    }


def _cells(third: Third) -> tuple[str, ...]:
    calls = ", ".join(
        f"{count:,.1f} {name.partition(':')[2]}" for name, count in third.calls.items()
    )
    return (
        f"{third.rss_bytes / MIB:.0f}",
        f"{third.files:g}",
        f"{third.threads:g}",
        f"{third.pass_seconds:.1f}",
        f"{third.between_seconds:.2f}",
        calls,
        f"{third.points:,.0f}",
    )
