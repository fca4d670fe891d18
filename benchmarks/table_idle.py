"""Results on starts and idle passes → tables."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure_idle import IdlePass, IdleResults
from benchmarks.table import calls_text, row

_HEAD = ("what", "AWS calls", "MLflow reads", "MLflow writes", "seconds")


def idle_table(results: IdleResults) -> Iterator[str]:
    """Give the lines of the table, as Markdown."""
    yield row(_HEAD)
    yield row(["---"] * len(_HEAD))
    jobs = f"{results.jobs:,} finished jobs"
    for each in results.idle:
        yield _line(f"idle pass, {jobs}", each)
    yield _line(f"pass that sweeps, {jobs}", results.sweep)
    yield ""


def idle_made_of(results: IdleResults) -> dict[str, tuple[str, str]]:
    """Say of the ratio what it is and what it is made of."""
    seconds = f"{results.help_seconds:.2f} s ÷ {results.peer_seconds:.2f} s, medians"
    return {"help_to_import_mlflow": ("`smwatch --help` ÷ `import mlflow`, seconds", seconds)}


def _line(title: str, each: IdlePass) -> str:
    calls = calls_text(each.calls)
    return row((title, calls, str(each.reads), str(each.writes), f"{each.seconds:.2f}"))
