"""The lineage graph: what made what, over all mirrored runs.

Enters: pieces of lineage and the nodes of mirrored runs. Leaves: answers about it, and the graph in
the formats of other tools. Edges point the way data flows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal

from mlflow_smwatch.core.arn import is_arn
from mlflow_smwatch.core.errors import StopError, UnknownJobError, UsageError
from mlflow_smwatch.core.lineage import Edge, Lineage, Node
from mlflow_smwatch.core.lineage_join import join
from mlflow_smwatch.core.lineage_nodes import is_s3, key_of
from mlflow_smwatch.core.visible import visible

if TYPE_CHECKING:
    import networkx
    import pandas

Direction = Literal["both", "upstream", "downstream"]

_PROPOSALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageDiff:
    """What two things came from.

    Attributes
    ----------
    only_a, only_b
        What only one of them came from, nearest first.
    both
        What both came from, nearest to the first of them first.
    """

    only_a: tuple[Node, ...] = ()
    only_b: tuple[Node, ...] = ()
    both: tuple[Node, ...] = ()


class LineageGraph:
    """What made what.

    Wherever a thing is asked for, it may be given as a node or as a text: its ARN, the ARN of its
    trial component or artifact, its MLflow run id, its name, its S3 or image URI, or an S3 URI that
    lies around or within such. A text that fits several nodes stands for all of them.
    """

    __slots__ = ("_edges", "_ids", "_into", "_nodes", "_out", "_roots")

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
        self._ids = dict(_all_ids(self._nodes.values()))
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
        found = self._known(text)
        if len(found) > 1:
            ids = ", ".join(visible(each.id) for each in found[:_PROPOSALS])
            more = f" and {len(found) - _PROPOSALS} more" if len(found) > _PROPOSALS else ""
            message = f"{visible(text)} stands for {len(found)} things, say which: {ids}{more}"
            raise UsageError(message)
        return found[0]

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
        known = self._ids.get(key_of(text))
        if known is not None:
            return (self._nodes[known],)
        return self._named(text) or self._near(text)

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
        """Return what came from a thing.

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
        import networkx

        start, end = self._only(a), self._only(b)
        within = {each.id for each in self.downstream(start)} | {start.id}
        within &= {each.id for each in self.upstream(end)} | {end.id}
        if not {start.id, end.id} <= within or start.id == end.id:
            return ()
        ways = networkx.DiGraph(
            (edge.source, edge.target)
            for each in within
            for edge in self._out.get(each, ())
            if edge.target in within
        )
        found = networkx.shortest_simple_paths(ways, start.id, end.id)
        return tuple(tuple(self._nodes[each] for each in path) for path in islice(found, limit))

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
        of_a, of_b = self.upstream(a), self.upstream(b)
        ids_a, ids_b = {each.id for each in of_a}, {each.id for each in of_b}
        return LineageDiff(
            only_a=tuple(each for each in of_a if each.id not in ids_b),
            only_b=tuple(each for each in of_b if each.id not in ids_a),
            both=tuple(each for each in of_a if each.id in ids_b),
        )

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """Return the graph for networkx.

        Returns
        -------
        networkx.MultiDiGraph
            Nodes are ids, with attributes ``kind``, ``name``, ``run_id`` and ``aliases``; edges
            have ``type`` and ``origin``; the graph has ``root``.
        """
        import networkx

        graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(root=self.root)
        graph.add_nodes_from(
            (
                each.id,
                {
                    "kind": each.kind,
                    "name": each.name,
                    "run_id": each.run_id,
                    "aliases": each.aliases,
                },
            )
            for each in self._nodes.values()
        )
        graph.add_edges_from(
            (each.source, each.target, {"type": each.type, "origin": each.origin})
            for each in self._edges
        )
        return graph

    def to_dataframe(self) -> pandas.DataFrame:
        """Return the edges for pandas.

        Returns
        -------
        pandas.DataFrame
            Columns ``source``, ``target``, ``type`` and ``origin``; a row for each edge.

        Raises
        ------
        StopError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            message = "a data frame needs pandas: pip install pandas"
            raise StopError(message) from error
        columns = ["source", "target", "type", "origin"]
        rows = [tuple(getattr(each, column) for column in columns) for each in self._edges]
        return pandas.DataFrame(rows, columns=columns)

    def to_json(self) -> dict[str, Any]:
        """Return the graph as ``smwatch lineage --format json`` prints it."""
        from mlflow_smwatch.core.lineage_text import to_document

        return to_document(self)

    def to_dot(self) -> str:
        """Return the graph for Graphviz."""
        from mlflow_smwatch.core.lineage_text import to_dot

        return to_dot(self)

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart."""
        from mlflow_smwatch.core.lineage_text import to_mermaid

        return to_mermaid(self)

    def to_tree(self) -> str:
        """Return the graph for a terminal: the root, what it came from above it, the rest below."""
        from mlflow_smwatch.core.lineage_text import to_tree

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
        from mlflow_smwatch.core.lineage_html import to_html

        return to_html(self, title=title, run_url=run_url)

    def _only(self, x: str | Node) -> Node:
        return self.find(x if isinstance(x, str) else x.id)

    def _starts(self, x: str | Node | None) -> tuple[str, ...]:
        """Return the ids that a question is about."""
        if x is not None:
            return tuple(each.id for each in self._known(x if isinstance(x, str) else x.id))
        if not self._roots:
            message = "this graph has no root: say of what the lineage is wanted"
            raise UsageError(message)
        return self._roots

    def _known(self, text: str) -> tuple[Node, ...]:
        found = self.find_all(text)
        if not found:
            close = [visible(each) for each in islice(self._containing(text), _PROPOSALS)]
            hint = f"did you mean {' or '.join(close)}?" if close else "has it been mirrored?"
            message = f"{visible(text)} is in the lineage of no mirrored job; {hint}"
            raise UnknownJobError(message)
        return found

    def _containing(self, text: str) -> Iterator[str]:
        wanted = text.lower()
        names = (node.name or "" for node in self._nodes.values())
        return iter(dict.fromkeys(name for name in names if wanted and wanted in name.lower()))

    def _named(self, text: str) -> tuple[Node, ...]:
        """Return what has a name: runs first of all, then what has an ARN."""
        wanted, end = text.lower(), f"/{text.lower()}"
        named = tuple(
            node
            for node in self._nodes.values()
            if (node.name or "").lower() == wanted
            or any(is_arn(each) and each.lower().endswith(end) for each in node.aliases)
        )
        runs = tuple(node for node in named if node.run_id)
        return runs or tuple(node for node in named if is_arn(node.id)) or named

    def _near(self, text: str) -> tuple[Node, ...]:
        """Return what lies in an S3 prefix, else the nearest around it."""
        if not is_s3(text):
            return ()
        place = f"{key_of(text)}/"
        inside = tuple(each for each in self._nodes.values() if each.id.startswith(place))
        while not inside and (place := f"{place[:-1].rpartition('/')[0]}/") != "s3://":
            known = self._ids.get(key_of(place))
            inside = (self._nodes[known],) if known else ()
        return inside

    def _reached(
        self, starts: Iterable[str], direction: str, depth: int | None
    ) -> tuple[Node, ...]:
        """Walk one way, breadth first."""
        steps, forward = (self._into, False) if direction == "upstream" else (self._out, True)
        starts = tuple(starts)
        reached = dict.fromkeys(starts)
        edge_lists: Iterable[str] = starts
        while edge_lists and (depth is None or depth > 0):
            edges = chain.from_iterable(steps.get(each, ()) for each in edge_lists)
            ends = dict.fromkeys(edge.target if forward else edge.source for edge in edges)
            edge_lists = [each for each in ends if each not in reached]
            reached.update(dict.fromkeys(edge_lists))
            depth = None if depth is None else depth - 1
        return tuple(self._nodes[each] for each in islice(reached, len(starts), None))


def _all_ids(nodes: Iterable[Node]) -> Iterator[tuple[str, str]]:
    """Give each key by which a node is found, with its id."""
    for node in nodes:
        for alias in node.aliases:
            yield key_of(alias), node.id
        if node.run_id:
            yield node.run_id, node.id
        yield key_of(node.id), node.id


def _by(end: Callable[[Edge], str], edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    sorted_out: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        sorted_out[end(edge)].append(edge)
    return dict(sorted_out)
