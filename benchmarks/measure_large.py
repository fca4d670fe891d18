"""First syncs of accounts of two sizes, into SQLite and PostgreSQL: the price of one job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.account import Account, serving
from benchmarks.measure import DATABASE, Sync, sync_into
from benchmarks.postgresql import serving_postgresql
from benchmarks.table import HEAD, MIB, row, sync_row

GROWTH = 10
"""How many times as many jobs the large account has."""

_MEMORY_BYTES = 400_000_000
_STORES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeResults:
    """What was measured.

    Attributes
    ----------
    jobs
        Of the small account; the large one has ``GROWTH`` times as many.
    small, large
        Store → first sync.
    """

    jobs: int
    small: dict[str, Sync]
    large: dict[str, Sync]

    @property
    def within_memory(self) -> bool:
        """Whether no sync took more than 400 MB."""
        return all(sync.peak_rss_bytes <= _MEMORY_BYTES for sync in self.large.values())

    @property
    def ratios(self) -> dict[str, float]:
        """Seconds of a job among many ÷ among few."""
        return {
            f"large_to_small_seconds_per_job_{store.lower()}": self.large[store].seconds
            / (self.small[store].seconds * GROWTH)
            for store in _STORES
        }


def measure_large(jobs: int, folder: Path, say: Callable[[str], None]) -> LargeResults:
    """Sync both accounts into both stores.

    Parameters
    ----------
    jobs
        Of the small account.
    folder, say
        As of :func:`benchmarks.measure.measure`.

    Raises
    ------
    RuntimeError
        When not all jobs were mirrored.
    """
    measured = []
    for count in (jobs, jobs * GROWTH):
        with serving(count) as account:
            measured.append({store: _first(store, account, folder, say) for store in _STORES})
        missing = [sync.jobs for sync in measured[-1].values() if sync.jobs["created"] != count]
        if missing:
            message = f"of {count} jobs were mirrored: {missing}"
            raise RuntimeError(message)
    return LargeResults(jobs=jobs, small=measured[0], large=measured[1])


def large_table(results: LargeResults) -> Iterator[str]:
    """Give the lines of the table, as Markdown."""
    yield row(HEAD)
    yield row(["---"] * len(HEAD))
    for jobs, syncs in ((results.jobs, results.small), (results.jobs * GROWTH, results.large)):
        for store, sync in syncs.items():
            yield sync_row(f"first sync of {jobs:,} jobs into {store}", sync)
    yield ""
    kept = "kept" if results.within_memory else "NOT kept"
    yield f"Limit of memory, {_MEMORY_BYTES / MIB:.0f} MiB: {kept}."
    yield ""


def large_made_of(results: LargeResults) -> dict[str, tuple[str, str]]:
    """Say of each ratio what it is and what it is made of."""
    made_of = f"first syncs of {results.jobs * GROWTH:,} and {results.jobs:,} jobs, one run each"
    return {
        f"large_to_small_seconds_per_job_{store.lower()}": (
            f"seconds of a job among many ÷ among few, {store}",
            made_of,
        )
        for store in _STORES
    }


def _first(store: str, account: Account, folder: Path, say: Callable[[str], None]) -> Sync:
    say(f"a first sync into {store}")
    with _database(store, folder) as (uri, place):
        return sync_into(uri, account, place)


@contextmanager
def _database(store: str, folder: Path) -> Iterator[tuple[str, Path]]:
    place = folder / f"{store}-{len(list(folder.iterdir()))}"
    place.mkdir()
    if store == "SQLite":
        yield f"sqlite:///{place / DATABASE}", place
    else:
        with serving_postgresql() as uri:
            if uri is None:
                message = "PostgreSQL is not installed on this machine"
                raise RuntimeError(message)
            yield uri, place
