"""The page of a run that shows what its job came from, and what came from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.lineage import Lineage, Node
from mlflow_smwatch.core.lineage_graph import LineageGraph
from mlflow_smwatch.core.lineage_index import LineageIndex
from mlflow_smwatch.tracking.lineage import read_lineage
from mlflow_smwatch.tracking.store import Tracking
from mlflow_smwatch.tracking.uris import is_sql


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
        self._drawn: dict[str, int] = {}

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
            index = self._begun()
            index.add(_around(own, job))
            near = index.near(own.id)
            self._own.add(run_id)
            self._changed[own.id] = None
            self._drawn[run_id] = _digest(near)
        return _drawn(own, near) if near.edges else None

    def enter(self, job: Job, run_id: str) -> None:
        """Take in a job that needs no page: those of others tell of it."""
        self.add(_around(_node(job, run_id), job))

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


def _digest(near: Lineage) -> int:
    return hash((frozenset(near.edges), frozenset(near.nodes)))
