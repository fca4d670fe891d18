"""Results of finding trial components → a table."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure_components import MOST_CALLS, SAMPLE, TRIALS, ComponentResults
from benchmarks.table import calls_text, row

_HEAD = ("finding trial components", "AWS calls", "seconds")


def component_table(results: ComponentResults) -> Iterator[str]:
    """Give the lines of the table on finding, as Markdown."""
    yield row(_HEAD)
    yield row(["---"] * len(_HEAD))
    ours = f"mirror, {results.components:,} in {TRIALS} trials, all kinds listed"
    yield row(
        (
            ours,
            f"{sum(results.calls.values())}: {calls_text(results.calls)}",
            _seconds(results.seconds),
        )
    )
    script = f"script of today, {results.script_components:,} of them in {SAMPLE} trials"
    yield row((script, f"{results.script_calls:,}", _seconds(results.script_seconds)))
    yield ""
    kept = "kept" if results.within_limit else "NOT kept"
    yield f"Limit of finding 10,000: {MOST_CALLS} calls: {kept}."
    yield ""


def component_made_of(results: ComponentResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio on finding what it is and what it is made of."""
    source = f"script on {results.script_components:,} components, scaled; one run each"
    return {"script_to_finding_calls": ("script ÷ finding, AWS calls", source)}


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}"
