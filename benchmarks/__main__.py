"""``python -m benchmarks``: measures, prints tables, and writes the figures as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import table, table_components, table_lineage, table_logs
from benchmarks.machine import machine
from benchmarks.measure import measure
from benchmarks.measure_cluster import measure_cluster
from benchmarks.measure_components import measure_components
from benchmarks.measure_idle import measure_idle
from benchmarks.measure_large import large_made_of, large_table, measure_large
from benchmarks.measure_lineage import measure_lineage
from benchmarks.measure_logged import logged_made_of, logged_table, measure_logged
from benchmarks.measure_logs import SMALL_PAGES, measure_logs
from benchmarks.measure_soak import measure_soak
from benchmarks.measure_store import measure_store
from benchmarks.measure_watch import measure_watch
from benchmarks.table_cluster import cluster_made_of, cluster_ratios, cluster_table
from benchmarks.table_idle import idle_made_of, idle_table
from benchmarks.table_soak import soak_made_of, soak_table
from benchmarks.table_store import store_made_of, store_table

_OUTPUT = Path("build/benchmarks.json")
_QUICK = {
    "jobs": 10,
    "sample": 2,
    "lines": 2_000,
    "megabytes": 100,
    "running": 5,
    "runs": 200,
    "components": 300,
    "unit": 5,
    "minutes": 1.0,
    "live": 20,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one part of the benchmarks gives.

    Attributes
    ----------
    document
        Its members of the JSON document.
    ratios
        Name → value.
    made_of
        Name → what the ratio is, and what it is made of.
    lines
        Of its tables.
    """

    document: dict[str, Any]
    ratios: Mapping[str, float]
    made_of: Mapping[str, tuple[str, str]]
    lines: Iterable[str]


def main() -> None:
    """Parse, measure, render."""
    options = _parser().parse_args()
    if options.quick:
        vars(options).update(_QUICK)
    parts = []
    for name in options.only or _USUAL_PARTS:
        with tempfile.TemporaryDirectory(prefix="smwatch-bench-") as folder:
            parts.append(_PARTS[name](options, Path(folder)))
    document: dict[str, Any] = {"machine": machine(), "ratios": {}}
    for part in parts:
        document |= part.document
        document["ratios"] |= part.ratios
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(document, indent=2) + "\n")
    _print(document, parts)
    _say(f"figures: {options.output}")
    if document.get("within_limits") is False:
        sys.exit("the first sync made more calls than it may")
    if document.get("within_component_limit") is False:
        sys.exit("finding the trial components took more calls than it may")
    if document.get("within_soak") is False:
        sys.exit("the long watch did not stay as it was, or not all it wrote is right")


def _syncs(options: argparse.Namespace, folder: Path) -> Part:
    results = measure(options.jobs, min(options.sample, options.jobs), folder, _say)
    return Part(
        document=table.document(results),
        ratios=results.ratios,
        made_of=table.made_of(results),
        lines=table.table(results),
    )


def _logs(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_logs(options.lines, options.megabytes, folder, _say)
    return Part(
        document={"logs": asdict(results)},
        ratios=results.ratios,
        made_of=table_logs.log_made_of(results),
        lines=table_logs.log_tables(results),
    )


def _logged(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_logged(options.jobs, min(options.sample, options.jobs), folder, _say)
    return Part(
        document={"logged": asdict(results), "within_log_limits": results.within_limits},
        ratios=results.ratios,
        made_of=logged_made_of(results),
        lines=logged_table(results),
    )


def _large(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_large(options.jobs, folder, _say)
    return Part(
        document={"large": asdict(results), "within_memory": results.within_memory},
        ratios=results.ratios,
        made_of=large_made_of(results),
        lines=large_table(results),
    )


def _store(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_store(options.unit, folder, _say)
    return Part(
        document={"store": asdict(results)},
        ratios=results.ratios,
        made_of=store_made_of(results),
        lines=store_table(results),
    )


def _idle(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_idle(options.jobs, folder, _say)
    return Part(
        document={"idle": asdict(results)},
        ratios=results.ratios,
        made_of=idle_made_of(results),
        lines=idle_table(results),
    )


def _cluster(options: argparse.Namespace, folder: Path) -> Part:
    fresh = count()
    measured = {}
    for contents, what in (("jobs", "metrics into SQLite"), ("logged", "logs into SQLite")):
        _say(f"clusters, {what}")
        measured[what] = measure_cluster(
            contents,
            options.jobs,
            lambda: f"sqlite:///{folder / f'{next(fresh)}.db'}",
            folder,
        )
    return Part(
        document={"cluster": {what: [asdict(s) for s in all_] for what, all_ in measured.items()}},
        ratios=cluster_ratios(measured),
        made_of=cluster_made_of(measured),
        lines=cluster_table(measured),
    )


def _watch(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_watch(options.running, folder, _say)
    return Part(
        document={"watch": asdict(results)},
        ratios=results.ratios,
        made_of=table_logs.watch_made_of(results),
        lines=table_logs.watch_table(results),
    )


def _lineage(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_lineage(options.runs, folder, _say)
    return Part(
        document={"lineage": asdict(results)},
        ratios=results.ratios,
        made_of=table_lineage.lineage_made_of(results),
        lines=table_lineage.lineage_table(results),
    )


def _components(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_components(options.components, folder, _say)
    return Part(
        document={"components": asdict(results), "within_component_limit": results.within_limit},
        ratios=results.ratios,
        made_of=table_components.component_made_of(results),
        lines=table_components.component_table(results),
    )


def _soak(options: argparse.Namespace, folder: Path) -> Part:
    results = measure_soak(options.minutes, options.live, folder, _say)
    return Part(
        document={
            "soak": asdict(results),
            "within_soak": results.is_right and results.is_flat is not False,
        },
        ratios=results.ratios,
        made_of=soak_made_of(results),
        lines=soak_table(results),
    )


_PARTS: dict[str, Callable[[argparse.Namespace, Path], Part]] = {
    "syncs": _syncs,
    "store": _store,
    "large": _large,
    "logged": _logged,
    "logs": _logs,
    "watch": _watch,
    "idle": _idle,
    "cluster": _cluster,
    "lineage": _lineage,
    "components": _components,
    "soak": _soak,
}
_USUAL_PARTS = [name for name in _PARTS if name != "soak"]


def _print(document: Mapping[str, Any], parts: Iterable[Part]) -> None:
    print(", ".join(f"{name} {value}" for name, value in document["machine"].items()))
    print()
    made_of: dict[str, tuple[str, str]] = {}
    for part in parts:
        made_of |= part.made_of
        for line in part.lines:
            print(line)
    for line in table.ratio_table(document["ratios"], made_of):
        print(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--jobs", type=_count, default=1000, help="jobs of the account")
    parser.add_argument("--sample", type=_count, default=50, help="jobs that the script copies")
    parser.add_argument("--lines", type=_lines, default=200_000, help="lines of the log")
    parser.add_argument("--megabytes", type=_megabytes, default=1000, help="of the long log")
    parser.add_argument("--running", type=_count, default=50, help="running jobs of the watch")
    parser.add_argument("--runs", type=_count, default=10_000, help="runs with lineage")
    parser.add_argument("--components", type=_count, default=10_000, help="trial components")
    parser.add_argument("--unit", type=_count, default=50, help="runs of a unit of work")
    parser.add_argument("--minutes", type=_minutes, default=30.0, help="of the long watch")
    parser.add_argument("--live", type=_count, default=200, help="jobs of the long watch at a time")
    parser.add_argument("--only", action="append", choices=_PARTS, help="this part; repeatable")
    parser.add_argument("--quick", action="store_true", help="small numbers: to see that it works")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="where the JSON goes")
    return parser


def _count(text: str) -> int:
    return _at_least(text, 2)


def _lines(text: str) -> int:
    return _at_least(text, 100)


def _megabytes(text: str) -> int:
    return _at_least(text, SMALL_PAGES + 1)


def _minutes(text: str) -> float:
    minutes = float(text)
    if not minutes >= 1:
        message = f"{text}: give a minute or more"
        raise argparse.ArgumentTypeError(message)
    return minutes


def _at_least(text: str, least: int) -> int:
    count = int(text)
    if count < least:
        message = f"{text}: give {least} or more"
        raise argparse.ArgumentTypeError(message)
    return count


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
