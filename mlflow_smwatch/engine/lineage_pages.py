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
    """

    piece: Lineage
    run_id: str
    digest: str | None = None


class LineagePages:
    """Draws pages; what was mirrored before is read once, when the first page is drawn.

    Over REST that would cost a look at every run, so there a page shows what this process has
    mirrored itself.

    Parameters
    ----------
    tracking
        The store.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking
        self._lock = threading.Lock()
        self._index: LineageIndex | None = None
        self._own: set[str] = set()
        self._changed: dict[str, None] = {}
        self._drawn: dict[str, str] = {}
        self._told: list[Told] | None = None

    def begin_to_tell(self) -> None:
        """Keep what is taken in from now on, for :meth:`told`."""
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
                self._begun().add(each.piece)
                self._enter_drawn(each)

    def _enter_drawn(self, told: Told) -> None:
        self._own.add(told.run_id)
        self._changed[told.piece.nodes[0].id] = None
        if told.digest is not None:
            self._drawn[told.run_id] = told.digest

    def _tell(self, told: Told) -> None:
        if self._told is not None:
            self._told.append(told)

    def add(self, lineage: Lineage) -> None:
        """Take in what is stored by now, or will be with this pass."""
        with self._lock:
            if self._index is None and is_sql(self._tracking.uri):
                return  # it is read with all else, when the first page is drawn
            self._begun().add(lineage)
            if self._drawn:
                ends = ((edge.source, edge.target) for edge in lineage.edges)
                self._changed.update(dict.fromkeys(chain.from_iterable(ends)))

    def page(self, job: Job, run_id: str) -> str | None:
        """Draw the page of a job's run; None where nothing is known of its lineage.

        Raises
        ------
        TrackingError
            When MLflow cannot be read.
        """
        own = _node(job, run_id)
        with self._lock:
            index, piece = self._begun(), _around(own, job)
            index.add(piece)
            near = index.near(own.id)
            told = Told(piece=piece, run_id=run_id, digest=_digest(near))
            self._enter_drawn(told)
            self._tell(told)
        return _drawn(own, near) if near.edges else None

    def enter(self, job: Job, run_id: str) -> None:
        """Take in a job that needs no page: those of others tell of it."""
        piece = _around(_node(job, run_id), job)
        self.add(piece)
        with self._lock:
            self._tell(Told(piece=piece, run_id=run_id))

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
            if node.run_id in self._own
        }
        for run_id, node in reached.items():
            near = index.near(node.id)
            digest = _digest(near)
            if run_id and near.edges and self._drawn.get(run_id) != digest:
                self._drawn[run_id] = digest
                yield run_id, _drawn(node, near)

    def _begun(self) -> LineageIndex:
        if self._index is None:
            self._index = LineageIndex()
            if is_sql(self._tracking.uri):
                stored = read_lineage(self._tracking)
                self._own |= stored.mirrored
                for piece in (*stored.pieces, Lineage(nodes=stored.runs)):
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


def _drawn(own: Node, near: Lineage) -> str:
    return LineageGraph.of([near]).around(own.id).to_html(title=f"Lineage of {own.name}")


def _digest(near: Lineage) -> str:
    """Digest what a page shows, the same in every process."""
    parts = sorted({repr(each) for each in (*near.edges, *near.nodes)})
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
