"""One sync in a process of its own: ``python -m benchmarks.mirror sqlite:////… SOURCE NAME …``.

Mirrors the named training jobs or, without names, all of the last seven days. Prints what it did,
how long it took and how much memory the process had at most. The clock runs for the sync alone:
Python's start, imports and the making of MLflow's tables are over by then.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from pathlib import Path

from mlflow import MlflowClient

from benchmarks import database
from mlflow_smwatch.engine.mirror import sync
from mlflow_smwatch.options import SyncOptions

KINDS = ("training-job",)
"""What the accounts of the benchmarks hold; other kinds are not asked for."""

_STATUS = Path("/proc/self/status")


def main() -> None:
    """Mirror jobs, their algorithm metrics from the source that is named."""
    uri, source, *names = sys.argv[1:]
    options = SyncOptions(
        names=tuple(names), kinds=KINDS, tracking_uri=uri, metrics=source, since="7d"
    )
    with contextlib.redirect_stdout(sys.stderr):
        MlflowClient(uri).search_experiments()
        before = database.transactions(uri)
        started, cpu = time.perf_counter(), time.process_time()
        report = sync(options)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if report.failed:
        sys.exit(f"{report.failed[0].arn}: {report.failed[0].error}")
    done = {
        "jobs": report.jobs,
        "points": report.points,
        "transactions": database.transactions(uri) - before,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_rss_bytes": peak_rss_bytes(),
    }
    print(json.dumps(done))


def peak_rss_bytes() -> int:
    """Return the most memory that this process had resident.

    Linux carries ``ru_maxrss`` over from the process that started this one, so its own mark is read
    from ``/proc`` there (proc(5), VmHWM).
    """
    if _STATUS.exists():
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
