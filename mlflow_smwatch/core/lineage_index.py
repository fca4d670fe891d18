"""What is near a thing in a lineage that grows while jobs are mirrored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from mlflow_smwatch.core.lineage import Edge, Lineage, Node
from mlflow_smwatch.core.lineage_nodes import is_s3, key_of

MOST_NEAR = 300
"""How many things a neighbourhood has at most, those first that are nearest."""


class LineageIndex:
    """Edges by their ends, and data by its place in S3; grows only."""

    def __init__(self) -> None:
        self._leads: dict[str, str] = {}
        self._nodes: dict[str, list[Node]] = defaultdict(list)
        self._into: dict[str, dict[Edge, None]] = defaultdict(dict)
        self._out_of: dict[str, dict[Edge, None]] = defaultdict(dict)
        self._within: dict[str, dict[str, None]] = defaultdict(dict)

    def add(self, lineage: Lineage) -> None:
        """Take in edges, and what is known of their ends."""
        for node in lineage.nodes:
            for alias in node.aliases:
                self._leads.setdefault(key_of(alias), key_of(node.id))
            known = self._nodes[self._key(node.id)]
            if node not in known:
                known.append(node)
        for edge in lineage.edges:
            self._into[key_of(edge.target)][edge] = None
            self._out_of[key_of(edge.source)][edge] = None
            for end in (edge.source, edge.target):
                self._place(end)

    def near(self, node_id: str) -> Lineage:
        """Give what a thing was made of, and what was made of it, as far as that is known.

        Parameters
        ----------
        node_id
            Id or alias of the thing.

        Returns
        -------
        Lineage
            Everything that leads to it or comes from it, up to :data:`MOST_NEAR` things each; some
            of what lies at the same place in S3 may be there that does not.
        """
        edges: dict[Edge, None] = {}
        keys: dict[str, None] = {}
        for follow in (self._sources, self._targets):
            for key, found in islice(self._walk(self._key(key_of(node_id)), follow), MOST_NEAR):
                keys[key] = None
                edges.update(dict.fromkeys(found))
        nodes = (node for key in keys for node in self._nodes.get(key, ()))
        return Lineage(edges=tuple(edges), nodes=tuple(nodes))

    def _walk(
        self, start: str, follow: Callable[[str], tuple[list[Edge], list[str]]]
    ) -> Iterator[tuple[str, list[Edge]]]:
        seen, waiting = {start}, [start]
        for key in waiting:
            edges, ends = follow(key)
            yield key, edges
            for end in (*ends, *self._same_place(key)):
                if end not in seen:
                    seen.add(end)
                    waiting.append(end)

    def _sources(self, key: str) -> tuple[list[Edge], list[str]]:
        edges = [edge for spelled in self._spellings(key) for edge in self._into.get(spelled, ())]
        return edges, [self._key(key_of(edge.source)) for edge in edges]

    def _targets(self, key: str) -> tuple[list[Edge], list[str]]:
        edges = [edge for spelled in self._spellings(key) for edge in self._out_of.get(spelled, ())]
        return edges, [self._key(key_of(edge.target)) for edge in edges]

    def _spellings(self, key: str) -> Iterable[str]:
        aliases = (alias for node in self._nodes.get(key, ()) for alias in node.aliases)
        return dict.fromkeys((key, *(key_of(alias) for alias in aliases)))

    def _key(self, text: str) -> str:
        key = key_of(text)
        return self._leads.get(key, key)

    def _place(self, text: str) -> None:
        """Note a URI at each folder around it."""
        if is_s3(text):
            key = key_of(text)
            for folder in _folders(key):
                self._within[folder][key] = None

    def _same_place(self, key: str) -> Iterator[str]:
        """Give what lies within a place in S3, and what that place lies in."""
        if is_s3(key):
            yield from islice(self._within.get(key, ()), MOST_NEAR)
            yield from (folder for folder in _folders(key) if folder in self._nodes)


def _folders(key: str) -> Iterator[str]:
    """Give every folder around a URI, the nearest first, and the URI itself before them."""
    yield key
    while is_s3(key := key.rpartition("/")[0]):
        yield key
