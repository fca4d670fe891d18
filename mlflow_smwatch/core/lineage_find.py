"""Finding nodes of a lineage graph by what a user knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from mlflow_smwatch.core.arn import is_arn
from mlflow_smwatch.core.errors import UnknownJobError, UsageError
from mlflow_smwatch.core.lineage import Node
from mlflow_smwatch.core.lineage_nodes import is_s3, key_of
from mlflow_smwatch.core.visible import visible

_PROPOSALS = 3


class NodeFinder:
    """The nodes of a graph by id, alias, run id, name and place in S3."""

    __slots__ = ("_ids", "_names", "_runs")

    def __init__(self, nodes: Iterable[Node]) -> None:
        """Take in nodes, each with ids and aliases of its own."""
        nodes = tuple(nodes)
        self._names = {node.id: node.name or "" for node in nodes}
        self._runs = {node.id: node.run_id for node in nodes if node.run_id}
        self._ids: dict[str, str] = {}
        for node in nodes:
            self._ids.update((key_of(alias), node.id) for alias in node.aliases)
        self._ids.update((run_id, node_id) for node_id, run_id in self._runs.items())
        self._ids.update((key_of(node.id), node.id) for node in nodes)

    def find(self, text: str) -> tuple[str, ...]:
        """Find what a text stands for.

        Parameters
        ----------
        text
            An id, alias, run id, name or S3 URI.

        Returns
        -------
        tuple of str
            Ids: the one with that id, alias or run id; else the runs of that name, else what AWS
            calls so, else data that ends so; else, for an S3 URI, all that lies in it, else the
            nearest around it. Empty where nothing fits.
        """
        known = self._ids.get(key_of(text))
        if known is not None:
            return (known,)
        return self._named(text) or self._inside(text) or self._around(text)

    def known(self, text: str) -> tuple[str, ...]:
        """Find what a text stands for, which must be something.

        Parameters
        ----------
        text
            As for :meth:`find`.

        Returns
        -------
        tuple of str
            Ids, at least one.

        Raises
        ------
        UnknownJobError
            If nothing fits.
        """
        found = self.find(text)
        if not found:
            close = [visible(each) for each in islice(self._similar(text), _PROPOSALS)]
            hint = f"did you mean {' or '.join(close)}?" if close else "has it been mirrored?"
            message = f"{visible(text)} is in the lineage of no mirrored job; {hint}"
            raise UnknownJobError(message)
        return found

    def only(self, text: str) -> str:
        """Find the one thing that a text stands for.

        Parameters
        ----------
        text
            As for :meth:`find`.

        Returns
        -------
        str
            Its id.

        Raises
        ------
        UnknownJobError
            If nothing fits.
        UsageError
            If several things do; the message has their ids.
        """
        found = self.known(text)
        if len(found) > 1:
            ids = ", ".join(visible(each) for each in found[:_PROPOSALS])
            more = f" and {len(found) - _PROPOSALS} more" if len(found) > _PROPOSALS else ""
            message = f"{visible(text)} stands for {len(found)} things, say which: {ids}{more}"
            raise UsageError(message)
        return found[0]

    def _similar(self, text: str) -> Iterator[str]:
        """Give the names that hold a text, in capital or small letters, runs first."""
        wanted = text.lower()
        names = (self._names[node_id] for node_id in (*self._runs, *self._names))
        return iter(dict.fromkeys(name for name in names if wanted and wanted in name.lower()))

    def _named(self, text: str) -> tuple[str, ...]:
        if not text:
            return ()
        ends = (f"/{text}", f"/{text.lower()}")
        named = {node_id for node_id, name in self._names.items() if name == text}
        named.update(node_id for key, node_id in self._ids.items() if key.endswith(ends))
        arns = named and {node_id for node_id in named if is_arn(node_id)}
        best = named & self._runs.keys() or arns or named
        return tuple(node_id for node_id in self._names if node_id in best) if best else ()

    def _inside(self, text: str) -> tuple[str, ...]:
        if not is_s3(text):
            return ()
        place = f"{key_of(text)}/"
        found = (node_id for key, node_id in self._ids.items() if key.startswith(place))
        return tuple(dict.fromkeys(found))

    def _around(self, text: str) -> tuple[str, ...]:
        place = key_of(text)
        while is_s3(place := place.rpartition("/")[0]):
            if place in self._ids:
                return (self._ids[place],)
        return ()
