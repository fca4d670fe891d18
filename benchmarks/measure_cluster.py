"""Mirrors one account with clusters of several sizes and gives what was counted and timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.account import serving
from benchmarks.programs import run

SIZES = (0, 1, 2, 4)
"""Numbers of workers; 0 is the usual pass, without a cluster."""

SOURCES = {"jobs": "cloudwatch", "logged": "logs"}
"""What the account holds → where its algorithm metrics are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSync:
    """First syncs of one account into empty stores.

    Attributes
    ----------
    workers
        Processes that read and wrote; 0 where the sync did that itself.
    jobs, points
        What was mirrored.
    calls
        AWS calls, of all processes.
    seconds
        Of the sync alone, the median over the repeats.
    """

    workers: int
    jobs: int
    points: int
    calls: int
    seconds: float


def measure_cluster(
    contents: str,
    jobs: int,
    new_store: Callable[[], str],
    folder: Path,
    *,
    sizes: Iterable[int] = SIZES,
    repeats: int = 1,
) -> list[ClusterSync]:
    """Mirror an account anew with each size of cluster.

    Parameters
    ----------
    contents
        A key of :data:`SOURCES`: jobs with metrics in CloudWatch, or with small logs.
    jobs
        How many.
    new_store
        Gives the tracking URI of another empty store each time.
    folder
        Where the processes may leave files.
    sizes
        Numbers of workers.
    repeats
        How often each size is measured.
    """
    with serving(jobs, contents) as account:

        def once(workers: int) -> ClusterSync:
            arguments = [str(workers), new_store(), SOURCES[contents]]
            done = run("benchmarks.cluster_sync", arguments, account.variables, folder)
            account.calls()
            return ClusterSync(
                workers=workers,
                jobs=done["jobs"]["created"],
                points=done["points"],
                calls=sum(done["calls"].values()),
                seconds=done["seconds"],
            )

        return [_middle([once(workers) for _ in range(repeats)]) for workers in sizes]


def _middle(runs: list[ClusterSync]) -> ClusterSync:
    seconds = median(each.seconds for each in runs)
    return min(runs, key=lambda each: abs(each.seconds - seconds))
