"""Ways between two things of a lineage graph, and what the two have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mlflow_smwatch.core.lineage import Node

if TYPE_CHECKING:
    from mlflow_smwatch.core.lineage_graph import LineageGraph


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


def difference(of_a: Sequence[Node], of_b: Sequence[Node]) -> LineageDiff:
    """Compare what two things came from.

    Parameters
    ----------
    of_a, of_b
        What they came from, nearest first.

    Returns
    -------
    LineageDiff
        Each node in one of its three parts.
    """
    ids_a, ids_b = {each.id for each in of_a}, {each.id for each in of_b}
    return LineageDiff(
        only_a=tuple(each for each in of_a if each.id not in ids_b),
        only_b=tuple(each for each in of_b if each.id not in ids_a),
        both=tuple(each for each in of_a if each.id in ids_b),
    )


def shortest_paths(
    graph: LineageGraph, start: Node, end: Node, limit: int | None
) -> tuple[tuple[Node, ...], ...]:
    """Find simple paths, shortest first.

    Parameters
    ----------
    graph
        The graph that has both nodes.
    start, end
        Where the paths begin and end.
    limit
        Most paths; None for all.

    Returns
    -------
    tuple of tuple of Node
        Empty where no path leads from one to the other.
    """
    import networkx as nx

    behind = {each.id for each in graph.upstream(end)} | {end.id}
    within = {each.id: each for each in (start, *graph.downstream(start)) if each.id in behind}
    if end.id not in within or start.id == end.id:
        return ()
    ways = nx.DiGraph(
        (node.id, each.id)
        for node in within.values()
        for each in graph.after(node)
        if each.id in within
    )
    found = nx.shortest_simple_paths(ways, start.id, end.id)
    return tuple(tuple(within[each] for each in path) for path in islice(found, limit))
