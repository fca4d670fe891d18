"""Lineage as one HTML page that loads nothing: a drawing, and tables of all that is in it.

Names come from AWS: every text is escaped, what does not print is spelled out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, islice, pairwise, zip_longest
from typing import TYPE_CHECKING

from mlflow_smwatch.core.lineage import Node
from mlflow_smwatch.core.lineage_layout import BOW, Layout, Pair, Point, lay_out
from mlflow_smwatch.core.lineage_nodes import CODE, DATA, IMAGE, JOB, MODEL, OTHER, family_of
from mlflow_smwatch.core.lineage_page import SCRIPT, SHAPES, head
from mlflow_smwatch.core.lineage_text import shortened
from mlflow_smwatch.core.visible import visible

if TYPE_CHECKING:
    from mlflow_smwatch.core.lineage_graph import LineageGraph

DRAWN_NODES = 300
DRAWN_EDGES = 1500
LISTED = 2000
"""Most rows of each table."""

_MARGIN = 16
_NAME_COLUMNS = 22
_RUN_DIGITS = 8
_FAMILIES = {
    JOB: "job",
    DATA: "data",
    MODEL: "model",
    IMAGE: "image",
    CODE: "code",
    OTHER: "anything else",
}

_FILTER = (
    "<p hidden><label>Filter the tables "
    '<input type="search" placeholder="name, ARN, run id"></label></p>\n'
)

RunUrl = Callable[[Node], "str | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """What is drawn: nodes in the order of the page, and edges with their types."""

    nodes: tuple[Node, ...]
    rows: tuple[int, ...]
    edges: Mapping[Pair, str]
    layout: Layout
    roots: frozenset[str]


def to_html(graph: LineageGraph, *, title: str | None = None, run_url: RunUrl | None = None) -> str:
    """Write a graph as a page.

    Parameters
    ----------
    graph
        Any lineage graph. At most :data:`DRAWN_NODES` nodes, those nearest to the roots, and
        :data:`DRAWN_EDGES` edges between them are drawn; the tables have up to :data:`LISTED` rows.
        What is left out is said.
    title
        Heading; None for one made of the root's name.
    run_url
        Gives the address of a node's run; other than http and https are not linked.

    Returns
    -------
    str
        HTML with inline style, script and SVG; no address is loaded.
    """
    nearest = tuple(_nearest_first(graph))
    if title is None:
        title = f"Lineage of {nearest[0].name}" if graph.root else "Lineage"
    drawing = _drawing(graph, nearest[:DRAWN_NODES])
    parts = (
        head(_text(title)),
        f"<body><h1>{_text(title)}</h1>\n",
        *_summary(graph, drawing),
        *_svg(drawing),
        _FILTER,
        *_node_table(nearest, drawing, run_url),
        *_edge_table(graph, nearest),
        f"<script>{SCRIPT}</script></body></html>\n",
    )
    return "".join(parts)


def _nearest_first(graph: LineageGraph) -> Iterator[Node]:
    """Give all nodes, those with the fewest steps up or down to a root first."""
    named = {node.id: node for node in graph.nodes}
    roots = [named[each] for each in graph.roots]
    above, below = _levels(roots, graph.before), _levels(roots, graph.after)
    near = chain.from_iterable(chain(*pair) for pair in zip_longest(above, below, fillvalue=()))
    return iter(({node.id: node for node in near} | named).values())


def _levels(
    roots: Sequence[Node], steps: Callable[[Node], tuple[Node, ...]]
) -> Iterator[Sequence[Node]]:
    """Walk one way: the roots, what is a step from them, then two steps, and so on."""
    newest, seen = roots, {node.id for node in roots}
    while newest:
        yield newest
        beside = {node.id: node for each in newest for node in steps(each)}
        newest = [node for node_id, node in beside.items() if node_id not in seen]
        seen.update(beside)


def _drawing(graph: LineageGraph, nodes: Sequence[Node]) -> _Drawing:
    """Lay out the nodes, and number them by layer and height."""
    types = _pairs(graph, nodes)
    layout = lay_out(len(nodes), [*types])
    order = sorted(range(len(nodes)), key=layout.corners.__getitem__)
    number = {old: new for new, old in enumerate(order)}
    return _Drawing(
        nodes=tuple(nodes[each] for each in order),
        rows=tuple(order),
        edges={(number[a], number[b]): each for (a, b), each in types.items()},
        layout=Layout(
            width=layout.width,
            height=layout.height,
            layers=tuple(layout.layers[each] for each in order),
            corners=tuple(layout.corners[each] for each in order),
            routes=layout.routes,
        ),
        roots=frozenset(graph.roots),
    )


def _pairs(graph: LineageGraph, nodes: Sequence[Node]) -> dict[Pair, str]:
    """Return the edges to draw: one for each pair of nodes, with all its types."""
    number = {node.id: place for place, node in enumerate(nodes)}
    types: dict[Pair, list[str]] = {}
    for edge in graph.edges:
        if edge.source in number and edge.target in number and edge.source != edge.target:
            pair = number[edge.source], number[edge.target]
            types.setdefault(pair, []).append(f"{edge.type} ({edge.origin})")
    return {pair: ", ".join(each) for pair, each in islice(types.items(), DRAWN_EDGES)}


def _summary(graph: LineageGraph, drawing: _Drawing) -> Iterator[str]:
    nodes, edges = len(graph.nodes), len(graph.edges)
    yield f"<p>{_count(nodes, 'node')}, {_count(edges, 'edge')}; data flows from left to right. "
    if len(drawing.nodes) < nodes:
        yield f"Drawn are the {len(drawing.nodes)} nodes nearest to the root. "
    if len(drawing.edges) == DRAWN_EDGES:
        yield f"Drawn are the first {DRAWN_EDGES} edges. "
    yield "</p>\n"
    present = {family_of(node.kind) for node in drawing.nodes}
    keys = (
        f'<span><svg viewBox="-4 -4 212 52" aria-hidden="true"><use href="#{family}"'
        f' class="{family}"/></svg>{word}</span>'
        for family, word in _FAMILIES.items()
        if family in present
    )
    marked = "<span>★ asked for</span>" if drawing.roots else ""
    yield f'<div class="key">{"".join(keys)}{marked}</div>\n'


def _svg(drawing: _Drawing) -> Iterator[str]:
    layout = drawing.layout
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    yield (
        f'<div class="box"><svg style="max-width:{width}px;min-width:{width * 4 // 5}px"'
        f' viewBox="{-_MARGIN} {-_MARGIN} {width} {height}" role="group"'
        f' aria-label="Drawing; the tables below hold the same">\n{SHAPES}'
    )
    for (pair, types), route in zip(drawing.edges.items(), layout.routes, strict=True):
        yield (
            f'<path class="e" data-e="{pair[0]} {pair[1]}" marker-end="url(#m)"'
            f' d="{_curve(route)}"><title>{_text(types)}</title></path>\n'
        )
    for number in range(len(drawing.nodes)):
        yield _box(drawing, number)
    yield "</svg></div>\n"


def _box(drawing: _Drawing, number: int) -> str:
    node = drawing.nodes[number]
    x, y = drawing.layout.corners[number]
    family = family_of(node.kind)
    is_root = node.id in drawing.roots
    run = f" · run {node.run_id[:_RUN_DIGITS]}" if node.run_id else ""
    kind = f"{'★ ' if is_root else ''}{node.kind}{run}"
    lines = (node.kind, node.name or node.id, node.id, *([f"run {node.run_id}"] if run else []))
    marked = ' class="root"' if is_root else ""
    row, layer = drawing.rows[number], drawing.layout.layers[number]
    return (
        f'<a id="n{number}" href="#r{row}" data-l="{layer}"{marked} transform="translate({x} {y})">'
        f"<title>{_text(' · '.join(lines))}</title>"
        f'<use href="#{family}" class="{family}"/>'
        f'<text class="k" x="17" y="17">{_text(shortened(kind, 36))}</text>'
        f'<text x="17" y="34">{_text(shortened(node.name or node.id, _NAME_COLUMNS))}</text></a>\n'
    )


def _curve(route: Sequence[Point]) -> str:
    """Write a line: curves between layers, straight across them; a bow below what leads back."""
    path = f"M{route[0][0]} {route[0][1]}"
    for number, ((x, y), (to_x, to_y)) in enumerate(pairwise(route)):
        middle = (x + to_x) // 2
        if number % 2:
            path += f"H{to_x}"
        elif to_x > x:
            path += f"C{middle} {y} {middle} {to_y} {to_x} {to_y}"
        else:
            path += f"C{x} {y + BOW} {to_x} {to_y + BOW} {to_x} {to_y}"
    return path


def _node_table(nodes: Sequence[Node], drawing: _Drawing, run_url: RunUrl | None) -> Iterator[str]:
    drawn = {row: number for number, row in enumerate(drawing.rows)}
    yield _table_head("Nodes", len(nodes), ("Kind", "Name", "Run", "Id"))
    for row, node in enumerate(nodes[:LISTED]):
        name = _link(f"#n{drawn[row]}" if row in drawn else None, node.name or node.id)
        run = _link(_safe_url(run_url(node)) if run_url else None, node.run_id or "")
        ids = "<br>".join(f"<code>{_text(each)}</code>" for each in (node.id, *node.aliases))
        yield (
            f'<tr id="r{row}"><td>{_text(node.kind)}</td><td>{name}</td>'
            f"<td>{run}</td><td>{ids}</td></tr>\n"
        )
    yield "</tbody></table></div>\n"


def _edge_table(graph: LineageGraph, nodes: Sequence[Node]) -> Iterator[str]:
    names = {node.id: _name_in_row(row, node) for row, node in enumerate(nodes)}
    yield _table_head("Edges", len(graph.edges), ("From", "Type", "Origin", "To"))
    for edge in graph.edges[:LISTED]:
        yield (
            f"<tr><td>{names[edge.source]}</td><td>{_text(edge.type)}</td>"
            f"<td>{_text(edge.origin)}</td><td>{names[edge.target]}</td></tr>\n"
        )
    yield "</tbody></table></div>\n"


def _name_in_row(row: int, node: Node) -> str:
    return _link(f"#r{row}" if row < LISTED else None, node.name or node.id)


def _table_head(title: str, count: int, columns: Iterable[str]) -> str:
    shown = f"the first {LISTED} of {count}" if count > LISTED else f"{count} in all"
    cells = "".join(f'<th scope="col">{each}</th>' for each in columns)
    return (
        f'<h2>{title}</h2>\n<div class="scroll"><table><caption>{shown}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>\n"
    )


def _link(address: str | None, text: str) -> str:
    return f'<a href="{escape(address)}">{_text(text)}</a>' if address and text else _text(text)


def _safe_url(address: str | None) -> str | None:
    """Return an address that leads to a page; None for a script, for instance."""
    if address is None or not address.isprintable():
        return None
    return address if address.lower().startswith(("http://", "https://")) else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _text(text: str) -> str:
    return escape(visible(text))
