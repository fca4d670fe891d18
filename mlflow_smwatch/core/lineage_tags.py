"""Lineage of one run as tags, and back.

Each tag is a JSON list of whole edges, so that any of them can be read without the others. An edge
carries what is known of its ends beyond their ids; it is said once for each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.lineage import ASSOCIATION, IO, Edge, Lineage, Node
from mlflow_smwatch.core.lineage_nodes import kind_in, merged, name_from
from mlflow_smwatch.core.tags import LINEAGE

_KEY = re.compile(rf"{re.escape(LINEAGE)}(?:\.([1-9][0-9]{{0,8}}))?")
_PARTS = ("source", "target", "type", "origin")
_ENDS = ("source", "target")
_ORIGINS = frozenset({ASSOCIATION, IO})


def to_tags(lineage: Lineage) -> dict[str, str]:
    """Write lineage into as few tags as MLflow's limit allows.

    Parameters
    ----------
    lineage
        What follows from one run. Nodes without an edge, and their run ids, are not kept.

    Returns
    -------
    dict of str to str
        ``smwatch.lineage``, ``smwatch.lineage.1``, … → a JSON list of edges, in ASCII, of at most
        :data:`~.keys.TAG_VALUE_LIMIT` characters; the same for any order of the edges. An edge
        that is longer goes without what is known of its ends, or is left out. Empty where there
        are no edges.
    """
    values = _filled(_written(lineage))
    return {f"{LINEAGE}.{part}" if part else LINEAGE: each for part, each in enumerate(values)}


def from_tags(tags: Mapping[str, str]) -> Lineage:
    """Read lineage from the tags of a run.

    Parameters
    ----------
    tags
        All tags of the run. What is no edge, for instance because a user edited it, is passed over.

    Returns
    -------
    Lineage
        All its edges, and the nodes of which more is known than their ids.
    """
    edges: list[Edge] = []
    nodes: list[Node] = []
    for item in _items(tags):
        if not _is_edge(item):
            continue
        edges.append(Edge(**{part: str(item[part]) for part in _PARTS}))
        nodes.extend(_ends(item))
    return Lineage(edges=tuple(edges), nodes=tuple(nodes))


def _written(lineage: Lineage) -> Iterator[str]:
    """Write each edge, those that are too long without what is known of their ends."""
    known = _known(lineage.nodes)
    for parts in sorted({tuple(getattr(each, part) for part in _PARTS) for each in lineage.edges}):
        bare = dict(zip(_PARTS, parts, strict=True))
        extras = {end: known.get(bare[end], {}) for end in _ENDS}
        full = {f"{end}_{key}": each for end in _ENDS for key, each in extras[end].items()}
        text = _fitting({**bare, **full})
        if text:
            known.update((bare[end], {}) for end in _ENDS)
        text = text or _fitting(bare)
        if text:
            yield text


def _fitting(item: Mapping[str, object]) -> str | None:
    text = json.dumps(item, separators=(",", ":"))
    return text if len(text) + len("[]") <= TAG_VALUE_LIMIT else None


def _known(nodes: Iterable[Node]) -> dict[str, dict[str, object]]:
    """Return, for each id, what it does not tell by itself."""
    said: dict[str, list[Node]] = {}
    for node in nodes:
        said.setdefault(node.id, []).append(node)
    return {node_id: _beyond_id(node_id, each) for node_id, each in said.items()}


def _beyond_id(node_id: str, descriptions: Sequence[Node]) -> dict[str, object]:
    aliases = [alias for each in descriptions for alias in each.aliases]
    node = merged(node_id, descriptions, aliases)
    extras: dict[str, object] = {}
    if node.kind != kind_in(node_id):
        extras["kind"] = node.kind
    if node.name != name_from(node_id):
        extras["name"] = node.name
    if node.aliases:
        extras["aliases"] = node.aliases
    return extras


def _filled(items: Iterable[str]) -> Iterator[str]:
    """Join items into lists, each as full as it may be."""
    held: list[str] = []
    size = len("[]")
    for item in items:
        if held and size + len(item) > TAG_VALUE_LIMIT:
            yield f"[{','.join(held)}]"
            held, size = [], len("[]")
        held.append(item)
        size += len(item) + len(",")
    if held:
        yield f"[{','.join(held)}]"


def _items(tags: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Read what stands in the lists, in the order in which it was written."""
    parts = {int(match[1] or 0): key for key in tags if (match := _KEY.fullmatch(key))}
    for _, key in sorted(parts.items()):
        try:
            value = json.loads(tags[key])
        except (ValueError, RecursionError):
            continue
        yield from (each for each in value if isinstance(each, dict)) if _is_list(value) else ()


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_edge(item: Mapping[str, object]) -> bool:
    are_texts = all(isinstance(item.get(part), str) and item[part] for part in _PARTS)
    return are_texts and item["origin"] in _ORIGINS


def _ends(item: Mapping[str, object]) -> Iterator[Node]:
    """Give the ends of which the edge tells more than the id."""
    for end in _ENDS:
        node_id = str(item[end])
        kind, name = item.get(f"{end}_kind"), item.get(f"{end}_name")
        aliases = _texts(item.get(f"{end}_aliases"))
        if kind or name or aliases:
            yield Node(
                id=node_id,
                kind=kind if isinstance(kind, str) and kind else kind_in(node_id),
                name=name if isinstance(name, str) and name else None,
                aliases=aliases,
            )


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(each for each in value if isinstance(each, str) and each)
