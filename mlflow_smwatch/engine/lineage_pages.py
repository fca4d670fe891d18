"""The page of a run that shows what its job came from, and what came from it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.lineage import Lineage, Node
from mlflow_smwatch.core.lineage_graph import LineageGraph
from mlflow_smwatch.core.lineage_index import LineageIndex
from mlflow_smwatch.tracking.lineage import read_lineage
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import is_sql

_MOST_PARTS = 20_000
"""Edges and nodes that are kept of what was taken in: some 2,000 jobs, 12 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A job whose lineage was taken in.

    Attributes
    ----------
    piece
        The job, first of its nodes, and what is around it.
    run_id
        Its run.
    digest
        Of what its page shows; None where no page was drawn.
    edges
        How many edges its page shows.
    """

    piece: Lineage
    run_id: str
    digest: str | None = None
    edges: int = 0


class LineagePages:
    """Draws pages; what was mirrored before is read once, when the first page is drawn.

    Over REST that would cost a look at every run, so there a page shows what this process has
    mirrored itself. Of that the latest is kept, so that memory stays flat however many jobs come.

    Parameters
    ----------
    tracking
        The store.
    most_parts
        How many edges and nodes are kept of what was taken in; beyond, the older half is forgotten.
    """

    def __init__(self, tracking: Tracking, most_parts: int = _MOST_PARTS) -> None:
        self._tracking = tracking
        self._most_parts = most_parts
        self._lock = threading.Lock()
        self._index: LineageIndex | None = None
        self._stored: tuple[Lineage, ...] = ()
        self._mirrored: frozenset[str] = frozenset()
        self._taken: dict[Lineage, str | None] = {}
        self._parts = 0
        self._changed: dict[str, None] = {}
        self._drawn: dict[str, Told] = {}
        self._told: list[Told] | None = None

    def begin_to_tell(self) -> None:
        """Keep what is taken in from now on for :meth:`told`; who is told looks after the pages."""
        self._told = []

    def told(self) -> tuple[Told, ...]:
        """Give the jobs that were taken in since it was asked last."""
        with self._lock:
            told, self._told = self._told or [], []
        return tuple(told)

    def enter_told(self, told: Iterable[Told]) -> None:
        """Take in the jobs of another process, which has drawn their pages.

        Raises
        ------
        TrackingError
            When MLflow cannot be read.
        """
        for each in told:
            if each.digest is None:
                self.add(each.piece)
                continue
            with self._lock:
                self._take(each.piece, each.run_id)
                self._enter_drawn(each)

    def _enter_drawn(self, told: Told) -> None:
        """Look after a page, or tell of it."""
        if self._told is not None:
            self._told.append(told)
            return
        self._changed[told.piece.nodes[0].id] = None
        self._drawn[told.run_id] = told

    def _take(self, piece: Lineage, run_id: str | None = None) -> LineageIndex:
        """Take in a piece, and give all that is kept."""
        self._begun().add(piece)
        if piece not in self._taken:
            self._parts += _parts(piece)
        self._taken[piece] = self._taken.pop(piece, None) or run_id
        if self._parts > self._most_parts:
            self._forget()
        return self._begun()

    def _forget(self) -> None:
        """Forget the older half of what was taken in; what was stored before stays."""
        while len(self._taken) > 1 and self._parts > self._most_parts // 2:
            piece = next(iter(self._taken))
            del self._taken[piece]
            self._parts -= _parts(piece)
        own = self._mirrored.union(filter(None, self._taken.values()))
        self._drawn = {run_id: told for run_id, told in self._drawn.items() if run_id in own}
        kept = {end for piece in self._taken for end in _ends(piece)}
        self._changed = {each: None for each in self._changed if each in kept}
        self._index = LineageIndex()
        for piece in (*self._stored, *self._taken):
            self._index.add(piece)

    def add(self, lineage: Lineage) -> None:
        """Take in what is stored by now, or will be with this pass."""
        with self._lock:
            if self._index is None and is_sql(self._tracking.uri):
                return  # it is read with all else, when the first page is drawn
            self._take(lineage)
            if self._drawn:
                self._changed.update(dict.fromkeys(_ends(lineage)))

    def page(self, job: Job, run_id: str) -> str | None:
        """Draw the page of a job's run; None where nothing is known of its lineage.

        Raises
        ------
        TrackingError
            When MLflow cannot be read.
        """
        own = _node(job, run_id)
        with self._lock:
            piece = _around(own, job)
            near = self._take(piece, run_id).near(own.id)
            self._enter_drawn(_told(piece, run_id, near))
        return _drawn(own, near) if near.edges else None

    def enter(self, job: Job, run_id: str) -> None:
        """Take in a job that needs no page: those of others tell of it."""
        piece = _around(_node(job, run_id), job)
        self.add(piece)
        with self._lock:
            if self._told is not None:
                self._told.append(Told(piece=piece, run_id=run_id))

    def outdated(self) -> Iterator[tuple[str, str]]:
        """Draw the pages that show less than what is known by now, each once.

        Yields
        ------
        tuple
            Id of the run, and its page.

        Raises
        ------
        TrackingError
            When MLflow cannot be read.
        """
        if not self._changed:
            return
        index, changed = self._begun(), list(self._changed)
        self._changed.clear()
        reached = {
            node.run_id: node
            for each in changed
            for node in index.near(each).nodes
            if node.run_id in self._mirrored or node.run_id in self._drawn
        }
        for run_id, node in reached.items():
            near = index.near(node.id)
            if run_id and near.edges and self._shows_less(run_id, near):
                yield run_id, _drawn(node, near)

    def _shows_less(self, run_id: str, near: Lineage) -> bool:
        """Whether a page has to be drawn again; it is entered as drawn."""
        known, now = self._drawn.get(run_id), _told(Lineage(), run_id, near)
        if known and (known.digest == now.digest or known.edges > now.edges):
            return False
        self._drawn[run_id] = now
        return True

    def _begun(self) -> LineageIndex:
        if self._index is None:
            self._index = LineageIndex()
            if is_sql(self._tracking.uri):
                stored = read_lineage(self._tracking)
                self._mirrored = stored.mirrored
                self._stored = (*stored.pieces, Lineage(nodes=stored.runs))
                for piece in self._stored:
                    self._index.add(piece)
        return self._index


def _node(job: Job, run_id: str) -> Node:
    return Node(
        id=str(job.arn),
        kind=job.kind.word,
        name=job.title or job.name,
        run_id=run_id,
        aliases=(job.kinship.component_arn,) if job.kinship.component_arn else (),
    )


def _around(own: Node, job: Job) -> Lineage:
    return Lineage(edges=job.lineage.edges, nodes=(own, *job.lineage.nodes))


def _told(piece: Lineage, run_id: str, near: Lineage) -> Told:
    return Told(piece=piece, run_id=run_id, digest=_digest(near), edges=len(near.edges))


def _parts(piece: Lineage) -> int:
    return len(piece.edges) + len(piece.nodes)


def _ends(piece: Lineage) -> Iterator[str]:
    return chain.from_iterable((edge.source, edge.target) for edge in piece.edges)


def _drawn(own: Node, near: Lineage) -> str:
    return LineageGraph.of([near]).around(own.id).to_html(title=f"Lineage of {own.name}")


def _digest(near: Lineage) -> str:
    """Digest what a page shows, the same in every process."""
    parts = sorted({repr(each) for each in (*near.edges, *near.nodes)})
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
