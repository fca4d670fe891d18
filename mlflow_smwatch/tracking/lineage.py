"""Reads all lineage that a store holds, and keeps it as long as nothing new was written."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy
from mlflow.entities import ViewType
from sqlalchemy import and_, column, func, or_, select, table

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.lineage import Lineage, Node
from mlflow_smwatch.core.lineage_tags import from_tags
from mlflow_smwatch.core.tags import LINEAGE
from mlflow_smwatch.tracking.database import opened
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.store import Tracking, listing_errors
from mlflow_smwatch.tracking.uris import is_sql, plain_uri, scheme_of

ASSOCIATIONS = "smwatch.associations"
"""Tag of a run that holds associations of a month: ``2026-11``."""

_COMPONENT_ARN = "sagemaker.trial_component_arn"
_WANTED = (
    names.ARN,
    names.KIND,
    names.NAME,
    names.CREATED,
    names.VERSION,
    _COMPONENT_ARN,
)
_AFTER_LINEAGE = LINEAGE[:-1] + chr(ord(LINEAGE[-1]) + 1)
_PAGE = 1000
_SETTLED_NS = 1_000_000_000
_STORES_KEPT = 4
_FRESH_S = 60
_LONGEST_S = 600

_TAGS = table("tags", column("run_uuid"), column("key"), column("value"))
_RUNS = table("runs", column("run_uuid"), column("experiment_id"), column("lifecycle_stage"))
_IS_LINEAGE = and_(_TAGS.c.key >= LINEAGE, _TAGS.c.key < _AFTER_LINEAGE)
_IS_ACTIVE = _RUNS.c.lifecycle_stage == "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLineage:
    """What a store knows of lineage.

    Attributes
    ----------
    pieces
        What each run holds, those with associations included.
    runs
        Nodes of the active runs that stand for something in SageMaker; of several with one ARN the
        mirror's own comes first, then the latest.
    mirrored
        Ids of the runs that the mirror made.
    experiment_ids
        Run id → experiment id.
    """

    pieces: tuple[Lineage, ...]
    runs: tuple[Node, ...]
    mirrored: frozenset[str]
    experiment_ids: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class _Run:
    """What of a run is of lineage."""

    experiment_id: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What was read of a store.

    Attributes
    ----------
    mark
        Changes whenever anything is written to a SQLite file; None for other stores.
    stamp
        Changes with what is stored of lineage.
    read_at, looked_at
        When the lineage, and when the stamp was read, monotonic seconds.
    """

    lineage: StoredLineage
    mark: object
    stamp: object
    read_at: float
    looked_at: float


_kept: OrderedDict[str, _Kept] = OrderedDict()
_lock = threading.Lock()


def read_lineage(tracking: Tracking) -> StoredLineage:
    """Read all lineage that a store holds.

    What was read before is given again, the same object, while the store looks the same: a SQLite
    file is looked at, another database is asked with one short query, a server once a minute for
    the run that was written last, and after ten minutes for all.

    Parameters
    ----------
    tracking
        The store.

    Returns
    -------
    StoredLineage

    Raises
    ------
    TrackingError
        When MLflow cannot be read.
    """
    with _lock:
        known, mark = _kept.get(tracking.uri), _mark(tracking.uri)
        now = time.monotonic()
        if known and (known.mark == mark if mark else _is_fresh(tracking, known, now)):
            return known.lineage
        stamp = _stamp(tracking)
        if known and known.stamp == stamp and _is_young(tracking, known, now):
            known.mark, known.looked_at = mark, now
            return known.lineage
        kept = _Kept(
            lineage=_stored(_read(tracking)), mark=mark, stamp=stamp, read_at=now, looked_at=now
        )
        _kept[tracking.uri] = kept
        _kept.move_to_end(tracking.uri)
        while len(_kept) > _STORES_KEPT:
            _kept.popitem(last=False)
        return kept.lineage


def forget(uri: str) -> None:
    """Read a store anew the next time: this process has written to it.

    Parameters
    ----------
    uri
        Its tracking URI, absolute.
    """
    with _lock:
        _kept.pop(uri, None)


def _mark(uri: str) -> object:
    """Look at a SQLite file and its log: sizes and times; None where those may not tell yet.

    The file is not opened: to close it would end SQLite's own locks in this process ("How To
    Corrupt An SQLite Database File", 2.2).
    """
    if not scheme_of(uri).startswith("sqlite"):
        return None
    path = sqlalchemy.make_url(plain_uri(uri)).database or ""
    marks: list[tuple[int, int] | None] = []
    for name in (path, f"{path}-wal"):
        try:
            found = Path(name).stat()
        except OSError:
            marks.append(None)
        else:
            marks.append((found.st_size, found.st_mtime_ns))
    settled_ns = time.time_ns() - _SETTLED_NS
    return None if any(each and each[1] > settled_ns for each in marks) else tuple(marks)


def _is_fresh(tracking: Tracking, known: _Kept, now: float) -> bool:
    """Whether a server need not be asked again yet."""
    return not is_sql(tracking.uri) and now - known.looked_at < _FRESH_S


def _is_young(tracking: Tracking, known: _Kept, now: float) -> bool:
    """Whether a server's answer may still be used: it does not tell of deleted runs."""
    return is_sql(tracking.uri) or now - known.read_at < _LONGEST_S


def _stamp(tracking: Tracking) -> object:
    if is_sql(tracking.uri):
        with listing_errors("looking for lineage"):
            return _database_stamp(tracking.uri)
    with listing_errors("looking for lineage"):
        newest = tracking.client.search_runs(
            Experiments(tracking).ids,
            f"tags.`{names.SYNCED_AT}` LIKE '%Z'",
            ViewType.ACTIVE_ONLY,
            max_results=1,
            order_by=[f"tags.`{names.SYNCED_AT}` DESC"],
        )
    return tuple((run.info.run_id, run.data.tags.get(names.SYNCED_AT)) for run in newest)


def _database_stamp(uri: str) -> object:
    """Count active runs and lineage tags, and see when the mirror wrote last."""
    runs = select(func.count()).select_from(_RUNS).where(_IS_ACTIVE)
    tags = select(func.count()).select_from(_TAGS).where(_IS_LINEAGE)
    newest = select(func.max(_TAGS.c.value)).where(_TAGS.c.key == names.SYNCED_AT)
    query = select(runs.scalar_subquery(), tags.scalar_subquery(), newest.scalar_subquery())
    with _connected(uri) as connection:
        return tuple(connection.execute(query).one())


@contextmanager
def _connected(uri: str) -> Iterator[sqlalchemy.Connection]:
    with opened(uri, "the database refused") as engine, engine.connect() as connection:
        yield connection


def _read(tracking: Tracking) -> dict[str, _Run]:
    """Read what of all active runs is of lineage, by run id."""
    if not is_sql(tracking.uri):
        return dict(_searched(tracking))
    query = (
        select(_TAGS.c.run_uuid, _RUNS.c.experiment_id, _TAGS.c.key, _TAGS.c.value)
        .join(_RUNS, _RUNS.c.run_uuid == _TAGS.c.run_uuid)
        .where(_IS_ACTIVE, or_(_TAGS.c.key.in_(_WANTED), _IS_LINEAGE))
    )
    found: dict[str, _Run] = {}
    with listing_errors("reading lineage"), _connected(tracking.uri) as connection:
        for run_id, experiment_id, key, value in connection.execute(query):
            run = found.get(run_id) or found.setdefault(
                run_id, _Run(experiment_id=str(experiment_id))
            )
            run.tags[key] = value
    return found


def _searched(tracking: Tracking) -> Iterator[tuple[str, _Run]]:
    """Read whole runs, page by page, which is all that a server gives."""
    ids = Experiments(tracking).ids
    for condition in (f"tags.`{names.ARN}` LIKE 'arn:%'", f"tags.`{ASSOCIATIONS}` LIKE '%-%'"):
        token = None
        while True:
            with listing_errors("reading lineage"):
                page = tracking.client.search_runs(
                    ids, condition, ViewType.ACTIVE_ONLY, max_results=_PAGE, page_token=token
                )
            for run in page:
                tags = _only_wanted(run.data.tags)
                yield run.info.run_id, _Run(experiment_id=str(run.info.experiment_id), tags=tags)
            token = page.token
            if not token:
                break


def _only_wanted(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key in _WANTED or key.startswith(LINEAGE)}


def _stored(runs: Mapping[str, _Run]) -> StoredLineage:
    pieces = (from_tags(run.tags) for run in runs.values() if _has_lineage(run))
    return StoredLineage(
        pieces=tuple(piece for piece in pieces if piece.edges),
        runs=tuple(_run_nodes(runs)),
        mirrored=frozenset(run_id for run_id, run in runs.items() if names.VERSION in run.tags),
        experiment_ids={run_id: run.experiment_id for run_id, run in runs.items()},
    )


def _has_lineage(run: _Run) -> bool:
    return any(key.startswith(LINEAGE) for key in run.tags)


def _run_nodes(runs: Mapping[str, _Run]) -> Iterator[Node]:
    known = [(run_id, run) for run_id, run in runs.items() if run.tags.get(names.ARN)]
    known.sort(key=lambda each: each[1].tags.get(names.CREATED, ""), reverse=True)
    known.sort(key=lambda each: names.VERSION not in each[1].tags and not _has_lineage(each[1]))
    for run_id, run in known:
        component = run.tags.get(_COMPONENT_ARN)
        yield Node(
            id=run.tags[names.ARN],
            kind=run.tags.get(names.KIND, ""),
            name=run.tags.get(names.NAME),
            run_id=run_id,
            aliases=(component,) if component else (),
        )
