"""``python -m benchmarks``: measures, prints a table, and writes the figures as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.measure import measure
from benchmarks.table import document, table

_OUTPUT = Path("build/benchmarks.json")
_QUICK_JOBS = 10
_QUICK_SAMPLE = 2


def main() -> None:
    """Parse, measure, render."""
    options = _parser().parse_args()
    jobs = _QUICK_JOBS if options.quick else options.jobs
    sample = min(_QUICK_SAMPLE if options.quick else options.sample, jobs)
    with tempfile.TemporaryDirectory(prefix="smwatch-bench-") as folder:
        results = measure(jobs, sample, Path(folder), _say)
    described = machine()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(document(results, described), indent=2) + "\n")
    for line in table(results, described):
        print(line)
    _say(f"figures: {options.output}")
    if results.within_limits is False:
        sys.exit("the first sync made more calls than it may")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--jobs", type=_count, default=1000, help="jobs of the account")
    parser.add_argument("--sample", type=_count, default=50, help="jobs that the script copies")
    parser.add_argument("--quick", action="store_true", help="small numbers: to see that it works")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="where the JSON goes")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < _QUICK_SAMPLE:
        message = f"{text}: give {_QUICK_SAMPLE} or more"
        raise argparse.ArgumentTypeError(message)
    return count


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
