"""The page of a run that shows what its job came from, and what came from it."""

from __future__ import annotations

import threading

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
        self._added: list[Lineage] = []

    def add(self, lineage: Lineage) -> None:
        """Take in what was found in AWS."""
        with self._lock:
            if self._index is None:
                self._added.append(lineage)
            else:
                self._index.add(lineage)

    def page(self, job: Job, run_id: str) -> str | None:
        """Draw the page of a job's run; None where nothing is known of its lineage.

        Raises
        ------
        TrackingError
            When MLflow cannot be read.
        """
        own = Node(
            id=str(job.arn),
            kind=job.kind.word,
            name=job.title or job.name,
            run_id=run_id,
            aliases=(job.kinship.component_arn,) if job.kinship.component_arn else (),
        )
        self.add(Lineage(edges=job.lineage.edges, nodes=(own, *job.lineage.nodes)))
        with self._lock:
            near = self._begun().near(own.id)
        if not near.edges:
            return None
        return LineageGraph.of([near]).around(own.id).to_html(title=f"Lineage of {own.name}")

    def _begun(self) -> LineageIndex:
        if self._index is None:
            self._index = LineageIndex()
            for piece in (*self._stored(), *self._added):
                self._index.add(piece)
            self._added.clear()
        return self._index

    def _stored(self) -> tuple[Lineage, ...]:
        if not is_sql(self._tracking.uri):
            return ()
        stored = read_lineage(self._tracking)
        return (*stored.pieces, Lineage(nodes=stored.runs))
