"""Results of writes to stores → a table."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure_store import COMPARED, StoreResults
from benchmarks.store_writes import INPUTS, PARAMS, POINTS, POINTS_OF_RUN, REPEATS, TAGS
from benchmarks.table import row

_HEAD = ("writing", "MLflow's own calls, ms", "mlflow-smwatch, ms", "times faster")
_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_SHOWN = {
    "first_client": f"{POINTS:,} points of a run, `log_batch` of a client",
    "first_unit": f"{POINTS:,} points of a run, in one transaction",
    "resent_client": f"{POINTS:,} points again, `log_batch` of a client",
    "resent_unit": f"{POINTS:,} points again, in one transaction",
    "runs": f"{{runs}} runs of {POINTS_OF_RUN} points, in one transaction",
    "jobs": (f"{{runs}} jobs: run, {TAGS} tags, {PARAMS} params, {INPUTS} inputs, model, artifact"),
}


def store_table(results: StoreResults) -> Iterator[str]:
    """Give the lines of the table on stores, as Markdown."""
    yield row(_HEAD)
    yield row(["---"] * len(_HEAD))
    for database, seconds in results.seconds.items():
        for name, (own, ours) in COMPARED.items():
            title = f"{_DATABASES[database]}: {_shown(results, name)}"
            yield _line(title, seconds[own], seconds[ours])
    yield _line(f"REST, {POINTS:,} points of a run", results.rest["own"], results.rest["bulk"])
    yield ""


def store_made_of(results: StoreResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio on stores what it is and what it is made of."""
    made_of = {
        f"store_{name}_{database}": (
            f"MLflow's own calls ÷ mlflow-smwatch, {_DATABASES[database]}",
            f"{_shown(results, name)}; medians of {REPEATS}, in turns",
        )
        for database in results.seconds
        for name in COMPARED
    }
    over_rest = (
        "a server's own store ÷ `smwatch+sqlite`, REST",
        f"{POINTS:,} points of a run; medians of {REPEATS}, in turns",
    )
    return {**made_of, "store_first_rest": over_rest}


def _shown(results: StoreResults, name: str) -> str:
    return _SHOWN[name].format(runs=results.runs)


def _line(title: str, own_s: float, ours_s: float) -> str:
    return row((title, f"{own_s * 1000:,.0f}", f"{ours_s * 1000:,.0f}", f"{own_s / ours_s:.1f}"))
