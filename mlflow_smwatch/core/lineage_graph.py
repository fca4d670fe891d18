"""The lineage graph: what made what, over all mirrored runs.

Enters: pieces of lineage and the nodes of mirrored runs. Leaves: answers about it, and the graph in
the formats of other tools. Edges point the way data flows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.lineage import Edge, Lineage, Node
from mlflow_smwatch.core.lineage_compare import LineageDiff, difference, shortest_paths
from mlflow_smwatch.core.lineage_find import NodeFinder
from mlflow_smwatch.core.lineage_frames import to_dataframe, to_networkx
from mlflow_smwatch.core.lineage_html import to_html
from mlflow_smwatch.core.lineage_join import join
from mlflow_smwatch.core.lineage_text import to_document, to_dot, to_mermaid, to_tree

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

Direction = Literal["both", "upstream", "downstream"]


class LineageGraph:
    """What made what.

    Wherever a thing is asked for, it may be given as a node or as a text: its ARN, the ARN of its
    trial component or artifact, its MLflow run id, its name, its S3 or image URI, or an S3 URI that
    lies around or within such. A text that fits several nodes stands for all of them.
    """

    __slots__ = ("_edges", "_finder", "_into", "_nodes", "_out", "_roots")

    def __init__(
        self, nodes: Iterable[Node], edges: Iterable[Edge], roots: Iterable[str] = ()
    ) -> None:
        """Hold what :meth:`of` and :meth:`around` have made.

        Parameters
        ----------
        nodes
            Each with an id and aliases of its own.
        edges
            Between ids of these nodes.
        roots
            Ids of the nodes that were asked for.
        """
        self._nodes = {node.id: node for node in nodes}
        self._edges = tuple(edges)
        self._roots = tuple(roots)
        self._finder = NodeFinder(self._nodes.values())
        self._out: Mapping[str, list[Edge]] = _by(lambda edge: edge.source, self._edges)
        self._into: Mapping[str, list[Edge]] = _by(lambda edge: edge.target, self._edges)

    @classmethod
    def of(cls, pieces: Iterable[Lineage], runs: Iterable[Node] = ()) -> LineageGraph:
        """Join pieces of lineage.

        Parameters
        ----------
        pieces
            What follows from each run, and what SageMaker recorded; in any order.
        runs
            Nodes of mirrored runs: id = ARN, with kind, name, run id, and the ARN of the trial
            component as alias. Of several runs with one ARN the first one counts.

        Returns
        -------
        LineageGraph
            With one node for each thing, and with the edges that follow from where outputs and
            inputs lie in S3. It has no root.
        """
        return cls(*join(pieces, runs))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes; each has a kind and a name."""
        return tuple(self._nodes.values())

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, between ids of nodes."""
        return self._edges

    @property
    def root(self) -> str | None:
        """Id of the node that was asked for, of several the first; None in a whole graph."""
        return next(iter(self._roots), None)

    @property
    def roots(self) -> tuple[str, ...]:
        """Ids of all nodes that were asked for."""
        return self._roots

    def __repr__(self) -> str:
        root = f", root {self.root}" if self.root else ""
        return f"<LineageGraph: {len(self._nodes)} nodes, {len(self._edges)} edges{root}>"

    def runs(self) -> tuple[Node, ...]:
        """Return the nodes that MLflow runs stand for."""
        return tuple(node for node in self._nodes.values() if node.run_id)

    def find(self, text: str) -> Node:
        """Find one node.

        Parameters
        ----------
        text
            What is told of it; see the class.

        Returns
        -------
        Node
            The only one that fits.

        Raises
        ------
        UnknownJobError
            If none fits.
        UsageError
            If several do; the message has their ids.
        """
        return self._nodes[self._finder.only(text)]

    def find_all(self, text: str) -> tuple[Node, ...]:
        """Find all nodes that a text stands for.

        Parameters
        ----------
        text
            What is told of them; see the class.

        Returns
        -------
        tuple of Node
            The node of that id, alias or run id; else the runs of that name, else what AWS calls
            so, else data of that name; else, for an S3 URI, all that lies in it, else the nearest
            around it. Empty where nothing fits.
        """
        return tuple(self._nodes[each] for each in self._finder.find(text))

    def upstream(self, x: str | Node | None = None, depth: int | None = None) -> tuple[Node, ...]:
        """Return what a thing came from.

        Parameters
        ----------
        x
            The thing; None for the root.
        depth
            Most steps; None for all.

        Returns
        -------
        tuple of Node
            Nearest first, without the thing itself.

        Raises
        ------
        UnknownJobError
            If the graph does not have the thing.
        UsageError
            If there is no root.
        """
        return self._reached(self._starts(x), "upstream", depth)

    def downstream(self, x: str | Node | None = None, depth: int | None = None) -> tuple[Node, ...]:
        """Return what came from a thing; all else as for :meth:`upstream`."""
        return self._reached(self._starts(x), "downstream", depth)

    def around(
        self,
        x: str | Node | None = None,
        direction: Direction = "both",
        depth: int | None = None,
    ) -> LineageGraph:
        """Cut out what a thing came from, and what came from it.

        Parameters
        ----------
        x
            The thing; None for the root.
        direction
            ``upstream``, ``downstream`` or ``both``.
        depth
            Most steps in each direction; None for all.

        Returns
        -------
        LineageGraph
            The thing as root, then the others nearest first, with all edges between them. What
            only shares a source or a result with the thing is not in it.

        Raises
        ------
        UnknownJobError
            If the graph does not have the thing.
        UsageError
            If there is no root, or no such direction.
        """
        ways = {"both": ("upstream", "downstream")}.get(direction, (direction,))
        if not {"upstream", "downstream"}.issuperset(ways):
            message = f"direction {direction!r}: it is upstream, downstream or both"
            raise UsageError(message)
        starts = self._starts(x)
        kept = {each: self._nodes[each] for each in starts}
        for way in ways:
            kept.update((each.id, each) for each in self._reached(starts, way, depth))
        edges = chain.from_iterable(self._out.get(each, ()) for each in kept)
        return LineageGraph(kept.values(), (each for each in edges if each.target in kept), starts)

    def before(self, node: Node) -> tuple[Node, ...]:
        """Return what a node directly came from; empty for a stranger."""
        steps = self._into.get(node.id, ())
        return tuple(self._nodes[each] for each in dict.fromkeys(edge.source for edge in steps))

    def after(self, node: Node) -> tuple[Node, ...]:
        """Return what directly came from a node; empty for a stranger."""
        steps = self._out.get(node.id, ())
        return tuple(self._nodes[each] for each in dict.fromkeys(edge.target for edge in steps))

    def paths(
        self, a: str | Node, b: str | Node, limit: int | None = 100
    ) -> tuple[tuple[Node, ...], ...]:
        """Return the ways on which data came from one thing to another.

        Parameters
        ----------
        a, b
            Where they begin and end.
        limit
            Most paths; None for all, of which there may be very many.

        Returns
        -------
        tuple of tuple of Node
            Shortest first, no node twice in one path; empty where `b` did not come from `a`.

        Raises
        ------
        UnknownJobError
            If the graph does not have one of them.
        UsageError
            If one of them stands for several nodes.
        """
        return shortest_paths(self, self._only(a), self._only(b), limit)

    def diff(self, a: str | Node, b: str | Node) -> LineageDiff:
        """Compare what two things came from.

        Parameters
        ----------
        a, b
            The things.

        Returns
        -------
        LineageDiff
            Without the things themselves, unless one came from the other.

        Raises
        ------
        UnknownJobError
            If the graph does not have one of them.
        """
        return difference(self.upstream(a), self.upstream(b))

    def to_networkx(self) -> nx.MultiDiGraph[str]:
        """Return the graph for networkx; see :func:`~.lineage_frames.to_networkx`."""
        return to_networkx(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the edges for pandas; see :func:`~.lineage_frames.to_dataframe`."""
        return to_dataframe(self)

    def to_json(self) -> dict[str, Any]:
        """Return the graph as ``smwatch lineage --format json`` prints it."""
        return to_document(self)

    def to_dot(self) -> str:
        """Return the graph for Graphviz."""
        return to_dot(self)

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart."""
        return to_mermaid(self)

    def to_tree(self) -> str:
        """Return the graph for a terminal: the root, what it came from above it, the rest below."""
        return to_tree(self)

    def to_html(
        self, title: str | None = None, run_url: Callable[[Node], str | None] | None = None
    ) -> str:
        """Return the graph as a page of its own, which loads nothing.

        Parameters
        ----------
        title
            Heading of the page; None for one made of the root's name.
        run_url
            Gives the address of a node's run; other than http and https are not linked.

        Returns
        -------
        str
            HTML, to be written as UTF-8.
        """
        return to_html(self, title=title, run_url=run_url)

    def _only(self, x: str | Node) -> Node:
        return self.find(x if isinstance(x, str) else x.id)

    def _starts(self, x: str | Node | None) -> tuple[str, ...]:
        """Return the ids that a question is about."""
        if x is not None:
            return self._finder.known(x if isinstance(x, str) else x.id)
        if not self._roots:
            message = "this graph has no root: say of what the lineage is wanted"
            raise UsageError(message)
        return self._roots

    def _reached(
        self, starts: Iterable[str], direction: str, depth: int | None
    ) -> tuple[Node, ...]:
        """Walk one way, breadth first."""
        steps, forward = (self._into, False) if direction == "upstream" else (self._out, True)
        starts = tuple(starts)
        reached = dict.fromkeys(starts)
        newest: Sequence[str] = starts
        while newest and (depth is None or depth > 0):
            edges = chain.from_iterable(steps.get(each, ()) for each in newest)
            ends = dict.fromkeys(edge.target if forward else edge.source for edge in edges)
            newest = [each for each in ends if each not in reached]
            reached.update(dict.fromkeys(newest))
            depth = None if depth is None else depth - 1
        return tuple(self._nodes[each] for each in islice(reached, len(starts), None))


def _by(end: Callable[[Edge], str], edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    sorted_out: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        sorted_out[end(edge)].append(edge)
    return dict(sorted_out)
