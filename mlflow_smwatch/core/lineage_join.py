"""Pieces of lineage become one: one node for each thing, edges between data by their place in S3.

Enters: :class:`~.lineage.Lineage` of many runs. Leaves: the nodes and edges of one graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from mlflow_smwatch.core.lineage import CONTRIBUTED_TO, IO, PRODUCED, Edge, Lineage, Node
from mlflow_smwatch.core.lineage_nodes import CODE, is_s3, key_of, merged

DERIVED_FROM = "DerivedFrom"

_T = TypeVar("_T")


def join(
    pieces: Iterable[Lineage], runs: Iterable[Node] = ()
) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Put pieces together.

    Ids that are aliases, or other spellings, of one thing become one node. Equal edges become one,
    edges of another type or origin stay, and what would lead from a node to itself goes. Edges
    between data follow from :func:`nested`.

    Parameters
    ----------
    pieces
        Their order makes no difference but to the order of the result.
    runs
        Nodes of mirrored runs; of several with one id the first tells name, kind and run.

    Returns
    -------
    tuple of (tuple of Node, tuple of Edge)
        In the order in which they were first told of; each end of an edge is the id of a node.
    """
    pieces = tuple(pieces)
    nodes_of_pieces = chain.from_iterable(piece.nodes for piece in pieces)
    described = tuple(dict.fromkeys(chain(runs, nodes_of_pieces)))
    loose = tuple(dict.fromkeys(chain.from_iterable(piece.edges for piece in pieces)))
    ids, nodes = _identify(described, loose)
    edges = [_between(each, ids[each.source], ids[each.target]) for each in loose]
    apart = dict.fromkeys(each for each in edges if each.source != each.target)
    apart.update(dict.fromkeys(nested(nodes, tuple(apart))))
    return tuple(nodes.values()), tuple(apart)


def nested(nodes: Mapping[str, Node], edges: Iterable[Edge]) -> Iterator[Edge]:
    """Find what one job wrote within, or around, what another read.

    Places are compared by whole path segments. Each pair of an output and an input of different
    jobs gives an edge: :data:`~.lineage.CONTRIBUTED_TO` where the output lies in the input,
    :data:`DERIVED_FROM` where the input lies in the output. Code is no job's output: the SDK puts
    it into the folder of the job that it was packed for, where others read it too.

    Parameters
    ----------
    nodes
        Id → node.
    edges
        Between these nodes; those of inputs and outputs count.

    Yields
    ------
    Edge
        From output to input.
    """
    writers, readers = _ends(edges)
    readers = {each: jobs for each, jobs in readers.items() if nodes[each].kind != CODE}
    around: list[tuple[str, str]] = []
    for path, node_id in sorted(_places(nodes, {*writers, *readers})):
        while around and not path.startswith(around[-1][0]):
            around.pop()
        for _, outer in around:
            if _is_shared(writers, node_id, readers, outer):
                yield Edge(source=node_id, target=outer, type=CONTRIBUTED_TO, origin=IO)
            if _is_shared(writers, outer, readers, node_id):
                yield Edge(source=outer, target=node_id, type=DERIVED_FROM, origin=IO)
        around.append((path, node_id))


def _ends(edges: Iterable[Edge]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return what is written, and by whom; what is read, and by whom."""
    writers: dict[str, set[str]] = defaultdict(set)
    readers: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        if edge.origin == IO and edge.type == PRODUCED:
            writers[edge.target].add(edge.source)
        elif edge.origin == IO and edge.type == CONTRIBUTED_TO:
            readers[edge.source].add(edge.target)
    return dict(writers), dict(readers)


def _places(nodes: Mapping[str, Node], node_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the S3 places of nodes; with a ``/`` at the end, so that what lies in one follows it."""
    for node_id in node_ids:
        aliases = nodes[node_id].aliases
        for place in {key_of(each) for each in (node_id, *aliases)} if aliases else (node_id,):
            if is_s3(place):
                yield f"{key_of(place)}/", node_id


def _is_shared(
    writers: Mapping[str, set[str]], output: str, readers: Mapping[str, set[str]], source: str
) -> bool:
    """Whether one job wrote the output and another read the source."""
    if output == source or output not in writers or source not in readers:
        return False
    return len(writers[output] | readers[source]) > 1


def _between(edge: Edge, source: str, target: str) -> Edge:
    if (edge.source, edge.target) == (source, target):
        return edge
    return Edge(source=source, target=target, type=edge.type, origin=edge.origin)


def _identify(
    described: Sequence[Node], edges: Iterable[Edge]
) -> tuple[dict[str, str], dict[str, Node]]:
    """Find the node of each spelling: spelling → id, id → node."""
    groups = _grouped(described)
    own = (node.id for node in described)
    ends = (end for each in edges for end in (each.source, each.target))
    aliases = chain.from_iterable(node.aliases for node in described)
    texts = dict.fromkeys(chain(own, ends, aliases))
    group_of = {text: groups.get(key := key_of(text), key) for text in texts}
    spellings = _gathered((group, text) for text, group in group_of.items())
    descriptions = _gathered((group_of[node.id], node) for node in described)
    of_group = {group: _one(descriptions.get(group, ()), each) for group, each in spellings.items()}
    ids = {text: of_group[group].id for text, group in group_of.items()}
    return ids, {node.id: node for node in of_group.values()}


def _gathered(pairs: Iterable[tuple[str, _T]]) -> dict[str, Sequence[_T]]:
    """Gather what has the same key; mostly that is one thing, so no list is made for it."""
    single: dict[str, Sequence[_T]] = {}
    several: dict[str, list[_T]] = {}
    for key, each in pairs:
        if key in single:
            several.setdefault(key, [*single[key]]).append(each)
        else:
            single[key] = (each,)
    single.update(several)
    return single


def _one(descriptions: Sequence[Node], spellings: Sequence[str]) -> Node:
    """Make the node of one group of spellings."""
    if len(spellings) == 1:
        return merged(spellings[0], descriptions)
    return merged(_leading(descriptions, spellings), descriptions, spellings)


def _leading(descriptions: Sequence[Node], spellings: Iterable[str]) -> str:
    """Choose the id: a run's first, then one that is nobody's alias, then by the alphabet."""
    if not descriptions:
        return min(spellings)
    aliases = {key_of(alias) for node in descriptions for alias in node.aliases}
    own = ((not node.run_id, key_of(node.id) in aliases, node.id) for node in descriptions)
    return min(own)[2]


def _grouped(described: Iterable[Node]) -> dict[str, str]:
    """Map the keys of things with aliases to one key for each thing."""
    leads: dict[str, str] = {}
    for node in described:
        for alias in node.aliases:
            one, other = _lead(leads, key_of(node.id)), _lead(leads, key_of(alias))
            leads[max(one, other)] = leads[min(one, other)] = min(one, other)
    return {key: _lead(leads, key) for key in leads}


def _lead(leads: dict[str, str], key: str) -> str:
    while (above := leads.get(key, key)) != key:
        leads[key] = leads.get(above, above)
        key = above
    return key
