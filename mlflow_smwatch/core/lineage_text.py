"""Lineage as text: JSON, a tree for a terminal, Graphviz, Mermaid.

Names come from AWS: each format gets them escaped by its own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from mlflow_smwatch.core.lineage import Node
from mlflow_smwatch.core.lineage_nodes import CODE, DATA, IMAGE, JOB, MODEL, OTHER, family_of
from mlflow_smwatch.core.visible import visible

if TYPE_CHECKING:
    from mlflow_smwatch.core.lineage_graph import LineageGraph

_LEVELS = 100
"""Deepest branch of a tree: each further level would only make lines longer."""
_LABEL_WIDTH = 48

_DOT_SHAPES = {
    JOB: ("box", "#dbe7ff"),
    DATA: ("cylinder", "#d6f0df"),
    MODEL: ("hexagon", "#fde3c8"),
    IMAGE: ("component", "#e9dffb"),
    CODE: ("note", "#e4e6eb"),
    OTHER: ("ellipse", "#f1edd3"),
}
_MERMAID_BRACKETS = {
    JOB: ('["', '"]'),
    DATA: ('[("', '")]'),
    MODEL: ('{{"', '"}}'),
    IMAGE: ('[["', '"]]'),
    CODE: ('>"', '"]'),
    OTHER: ('("', '")'),
}
_PLAIN = frozenset(" ._-/")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How branches are drawn: the corner of the last one, and where one was shown before."""

    corner: str
    again: str


_UPWARDS = _Way(corner="┌─", again="as below")
_DOWNWARDS = _Way(corner="└─", again="as above")


def to_document(graph: LineageGraph) -> dict[str, Any]:
    """Return a graph as one JSON document.

    Parameters
    ----------
    graph
        Any lineage graph.

    Returns
    -------
    dict
        ``root``, ``nodes`` (``id``, ``kind``, ``name``, ``run_id``, ``aliases``) and ``edges``
        (``source``, ``target``, ``type``, ``origin``).
    """
    return {
        "root": graph.root,
        "nodes": [
            {
                "id": node.id,
                "kind": node.kind,
                "name": node.name,
                "run_id": node.run_id,
                "aliases": list(node.aliases),
            }
            for node in graph.nodes
        ],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "type": edge.type,
                "origin": edge.origin,
            }
            for edge in graph.edges
        ],
    }


def to_tree(graph: LineageGraph) -> str:
    """Draw a graph for a terminal.

    Parameters
    ----------
    graph
        Any lineage graph.

    Returns
    -------
    str
        Lines, without a line end at the last. What the root came from is above it, nearest to it
        first; what came from it is below. What was shown with all its branches before is not
        followed again. Without a root everything is drawn downwards.
    """
    if graph.roots:
        named = {node.id: node for node in graph.nodes}
        blocks = [_with_root(graph, named[each]) for each in graph.roots]
        return "\n\n".join("\n".join(block) for block in blocks)
    return "\n".join(_without_root(graph))


def to_dot(graph: LineageGraph) -> str:
    """Write a graph for Graphviz.

    Parameters
    ----------
    graph
        Any lineage graph.

    Returns
    -------
    str
        A ``digraph`` with a line for each node and each edge.
    """
    numbers = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = [
        "digraph lineage {",
        "  rankdir=LR;",
        '  node [style=filled, fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9, color="#5b616e"];',
    ]
    lines += [f"  {numbers[node.id]} [{_dot_node(node, graph.roots)}];" for node in graph.nodes]
    lines += [
        f"  {numbers[edge.source]} -> {numbers[edge.target]}"
        f" [label={_dot_text(edge.type)}, tooltip={_dot_text(edge.origin)}];"
        for edge in graph.edges
    ]
    return "\n".join([*lines, "}", ""])


def to_mermaid(graph: LineageGraph) -> str:
    """Write a graph as a Mermaid flowchart.

    Parameters
    ----------
    graph
        Any lineage graph.

    Returns
    -------
    str
        A ``flowchart`` with a line for each node and each edge. Mermaid itself draws no more than
        500 edges unless its setting ``maxEdges`` is raised.
    """
    numbers = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        opening, closing = _MERMAID_BRACKETS[family_of(node.kind)]
        label = f"{_mermaid_text(node.kind)}<br/>{_mermaid_text(shortened(node.name or node.id))}"
        lines.append(f"  {numbers[node.id]}{opening}{label}{closing}")
    lines += [
        f'  {numbers[edge.source]} -->|"{_mermaid_text(edge.type)}"| {numbers[edge.target]}'
        for edge in graph.edges
    ]
    lines += [f"  style {numbers[each]} stroke-width:4px" for each in graph.roots]
    return "\n".join([*lines, ""])


def shortened(text: str, width: int = _LABEL_WIDTH) -> str:
    """Make a text fit for a label: printable, and cut in the middle if it is too wide.

    Parameters
    ----------
    text
        Any text.
    width
        Most columns; wide characters take two.

    Returns
    -------
    str
        Beginning and end, since names often differ in their ends only.
    """
    shown = visible(text)
    if len(shown) * 2 <= width or sum(map(_columns, shown)) <= width:
        return shown
    end = _fitting(reversed(shown), (width - 1) // 2)
    return f"{_fitting(shown, width - 1 - (width - 1) // 2)}…{end[::-1]}"


def _fitting(characters: Iterable[str], width: int) -> str:
    taken = ""
    for each in characters:
        width -= _columns(each)
        if width < 0:
            break
        taken += each
    return taken


def _columns(character: str) -> int:
    return 2 if east_asian_width(character) in {"W", "F"} else 1


def _with_root(graph: LineageGraph, root: Node) -> list[str]:
    above = [*_branches(root, graph.before, {root.id}, _UPWARDS)]
    below = _branches(root, graph.after, {root.id}, _DOWNWARDS)
    return [*reversed(above), _line(root), *below]


def _without_root(graph: LineageGraph) -> Iterator[str]:
    shown: set[str] = set()
    beginnings = [node for node in graph.nodes if not graph.before(node)]
    for node in (*beginnings, *graph.nodes):
        if node.id not in shown:
            shown.add(node.id)
            yield _line(node)
            yield from _branches(node, graph.after, shown, _DOWNWARDS)


def _branches(
    root: Node, steps: Callable[[Node], tuple[Node, ...]], shown: set[str], way: _Way
) -> Iterator[str]:
    """Draw what hangs on a node, depth first; take note of what is shown."""
    waiting = [*_children(steps(root), "", 1)]
    while waiting:
        node, indent, level, is_last = waiting.pop()
        further = steps(node)
        mark = ""
        if further and node.id in shown:
            mark = f"  ({way.again})"
        elif further and level == _LEVELS:
            mark = "  (goes on)"
        yield f"{indent}{way.corner if is_last else '├─'} {_line(node)}{mark}"
        if not mark:
            shown.add(node.id)
            waiting += _children(further, f"{indent}{'   ' if is_last else '│  '}", level + 1)


def _children(
    nodes: tuple[Node, ...], indent: str, level: int
) -> Iterator[tuple[Node, str, int, bool]]:
    """Give nodes in the order in which a stack takes them."""
    last = len(nodes) - 1
    for place in range(last, -1, -1):
        yield nodes[place], indent, level, place == last


def _line(node: Node) -> str:
    run = f"  run {node.run_id}" if node.run_id else ""
    name = f"{node.name}  " if node.name and node.name != node.id else ""
    return visible(f"{node.kind}  {name}{node.id}{run}")


def _dot_node(node: Node, roots: tuple[str, ...]) -> str:
    shape, colour = _DOT_SHAPES[family_of(node.kind)]
    parts = [node.kind, shortened(node.name or node.id)]
    if node.run_id:
        parts.append(f"run {shortened(node.run_id)}")
    label = "\\n".join(_dot_escaped(each) for each in parts)
    emphasis = ", penwidth=3" if node.id in roots else ""
    tooltip = _dot_text(node.id)
    return f'label="{label}", shape={shape}, fillcolor="{colour}", tooltip={tooltip}{emphasis}'


def _dot_text(text: str) -> str:
    return f'"{_dot_escaped(text)}"'


def _dot_escaped(text: str) -> str:
    """Escape for a quoted string, whose backslashes and HTML entities Graphviz would read."""
    escapes = (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"))
    shown = visible(text)
    for character, escape in escapes:
        shown = shown.replace(character, escape)
    return shown


def _mermaid_text(text: str) -> str:
    """Write all but letters, digits and harmless signs as Mermaid's character codes."""
    return "".join(
        each if each.isalnum() or each in _PLAIN else f"#{ord(each)};" for each in visible(text)
    )
