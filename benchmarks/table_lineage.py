"""Results of lineage queries → a table."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure_lineage import REPEATS, LineageResults
from benchmarks.table import row

_HEAD = ("lineage", "plain search, seconds", "first query, seconds", "second query, milliseconds")
_WAYS = {"sqlite": "SQLite", "rest": "REST"}


def lineage_table(results: LineageResults) -> Iterator[str]:
    """Give the lines of the table on lineage, as Markdown."""
    yield row(_HEAD)
    yield row(["---"] * len(_HEAD))
    for way, reading in (("sqlite", results.sqlite), ("rest", results.rest)):
        size = f"{results.edges:,} edges, {results.runs:,} runs"
        yield row(
            (
                f"{_WAYS[way]}, {size} (median of {REPEATS})",
                f"{reading.search_s:,.2f}",
                f"{reading.first_s:,.2f}",
                f"{reading.second_s * 1000:,.0f}",
            )
        )
    yield ""


def lineage_made_of(results: LineageResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio on lineage what it is and what it is made of."""
    return {
        f"{which}_lineage_to_search_{way}": (
            f"{which} `lineage()` ÷ plain `search_runs`, {shown}",
            f"{results.runs:,} runs, {results.edges:,} edges; medians of {REPEATS} processes",
        )
        for way, shown in _WAYS.items()
        for which in ("first", "second")
    }
