"""Results on clusters → a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.measure_cluster import ClusterSync
from benchmarks.table import row

_HEAD = ("what", "jobs", "points", "AWS calls", "seconds")


def cluster_table(measured: Mapping[str, Sequence[ClusterSync]]) -> Iterator[str]:
    """Give the lines of the table, as Markdown.

    Parameters
    ----------
    measured
        What was mirrored, in words → syncs with clusters of several sizes.
    """
    yield row(_HEAD)
    yield row(["---"] * len(_HEAD))
    for what, syncs in measured.items():
        for each in syncs:
            title = f"{what}, {each.workers} workers" if each.workers else f"{what}, threads alone"
            counts = (f"{each.jobs:,}", f"{each.points:,}", f"{each.calls:,}")
            yield row((title, *counts, f"{each.seconds:.1f}"))
    yield ""


def cluster_ratios(measured: Mapping[str, Sequence[ClusterSync]]) -> dict[str, float]:
    """Give the seconds of a cluster of each size ÷ those of threads alone."""
    return {
        _name(what, each): each.seconds / syncs[0].seconds
        for what, syncs in measured.items()
        for each in syncs[1:]
    }


def cluster_made_of(measured: Mapping[str, Sequence[ClusterSync]]) -> dict[str, tuple[str, str]]:
    """Say of each ratio what it is and what it is made of."""
    return {
        _name(what, each): (
            f"{each.workers} workers ÷ threads alone, seconds, {what}",
            "first syncs of the same account",
        )
        for what, syncs in measured.items()
        for each in syncs[1:]
    }


def _name(what: str, each: ClusterSync) -> str:
    return f"cluster_{each.workers}_{what.replace(' ', '_')}"
