"""One sync with a cluster: ``python -m benchmarks.cluster_sync WORKERS URI SOURCE``.

Starts a Dask scheduler with this many workers, each a process of one thread, mirrors the training
jobs of the last seven days, and prints what it did and how long it took. The clock runs for the
sync alone, with workers that have loaded what they need. With 0 workers the sync is the usual one,
in this process.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from importlib import import_module

from mlflow import MlflowClient

from benchmarks.mirror import KINDS
from mlflow_smwatch.engine.mirror import sync
from mlflow_smwatch.options import SyncOptions

_LOADED = "mlflow_smwatch.engine.cluster_worker"


def main() -> None:
    """Mirror jobs, their algorithm metrics from the source that is named."""
    workers, uri, source = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    with contextlib.redirect_stdout(sys.stderr), _scheduler(workers) as scheduler:
        MlflowClient(uri).search_experiments()
        options = SyncOptions(
            kinds=KINDS,
            tracking_uri=uri,
            metrics=source,
            executor="dask" if scheduler else "threads",
            scheduler=scheduler,
        )
        started = time.perf_counter()
        report = sync(options)
        seconds = time.perf_counter() - started
    if report.failed:
        sys.exit(f"{report.failed[0].arn}: {report.failed[0].error}")
    done = {"jobs": report.jobs, "points": report.points, "calls": dict(report.aws_calls)}
    print(json.dumps({**done, "seconds": seconds}))


@contextlib.contextmanager
def _scheduler(workers: int) -> Iterator[str | None]:
    """Run a cluster; gives the scheduler's address, None without workers."""
    if not workers:
        yield None
        return
    from distributed import Client, LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        with Client(cluster.scheduler_address, set_as_default=False) as client:
            client.run(import_module, _LOADED)
        yield cluster.scheduler_address


if __name__ == "__main__":
    main()
