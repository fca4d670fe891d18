"""Where the boxes and lines of a lineage drawing go: layers from left to right, as data flows.

The steps are those of Sugiyama, Tagawa and Toda (1981): cycles are opened, each node is put in a
layer after those of its sources, the order in the layers is chosen by barycentres, and then the
heights. Long edges hold a place in the layers that they cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

BOX_WIDTH = 204
BOX_HEIGHT = 44
BOW = 50
"""How deep a line may hang that leads back."""

_LAYER_GAP = 64
_BOX_GAP = 14
_LINE_GAP = 7
_SWEEPS = 6
_LONGEST_ROUTED = 12
"""Edges across more layers go straight."""

Pair = tuple[int, int]
Point = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A drawing.

    Attributes
    ----------
    width, height
        In pixels.
    layers
        Layer of each node, from 0.
    corners
        Left upper corner of the box of each node.
    routes
        For each edge the points in which it crosses layers, from the right of one box to the left
        of the other. One that leads back, or stays in its layer, goes from below to below.
    """

    width: int
    height: int
    layers: tuple[int, ...]
    corners: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]


def lay_out(count: int, edges: Sequence[Pair]) -> Layout:
    """Lay out a graph.

    Parameters
    ----------
    count
        How many nodes.
    edges
        Pairs of their numbers; each pair once, no node with itself.

    Returns
    -------
    Layout
        No boxes overlap; the same for the same graph.
    """
    layers = to_layers(count, edges)
    chains, all_layers = _with_places(layers, edges)
    steps = [step for chain in chains for step in pairwise(chain)]
    rows = _ordered(all_layers, steps)
    heights = _heights(rows, steps, count)
    columns = [BOX_WIDTH + _LAYER_GAP] * max(all_layers, default=0)
    left = [sum(columns[:layer]) for layer in all_layers]
    corners = [(left[each], round(heights[each])) for each in range(count)]
    routes = [_route(chain, left, heights) for chain in chains]
    lowest = max((y + BOX_HEIGHT for _, y in corners), default=0)
    hanging = max((y for route in routes for _, y in route if _leads_back(route)), default=0)
    return Layout(
        width=sum(columns) + BOX_WIDTH if count else 0,
        height=max(lowest, hanging + BOW if hanging else 0),
        layers=tuple(layers),
        corners=tuple(corners),
        routes=tuple(routes),
    )


def to_layers(count: int, edges: Iterable[Pair]) -> list[int]:
    """Give each node a layer.

    Parameters
    ----------
    count
        How many nodes.
    edges
        Pairs of their numbers.

    Returns
    -------
    list of int
        Layers from 0. Each node is after its sources, as near to them as can be, but for the edges
        that close a cycle; what has no source is directly before the first that it goes into.
    """
    sources, targets = _without_cycles(count, edges)
    order = [*TopologicalSorter(sources).static_order()]
    layers = [0] * count
    for node in order:
        layers[node] = max((layers[each] + 1 for each in sources[node]), default=0)
    for node in reversed(order):
        if targets[node] and not sources[node]:
            layers[node] = min(layers[each] for each in targets[node]) - 1
    return layers


def _without_cycles(
    count: int, edges: Iterable[Pair]
) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Leave out the edges that lead back on a walk in depth; return sources and targets."""
    after: dict[int, list[int]] = {node: [] for node in range(count)}
    entered = [False] * count
    for source, target in edges:
        after[source].append(target)
        entered[target] = True
    done: dict[int, bool] = {}
    sources: dict[int, list[int]] = {node: [] for node in range(count)}
    targets: dict[int, list[int]] = {node: [] for node in range(count)}
    for start in sorted(range(count), key=lambda node: entered[node]):
        walk = [] if start in done else [(start, iter(after[start]))]
        while walk:
            node, rest = walk[-1]
            done.setdefault(node, False)
            target = next(rest, -1)
            if target < 0:
                done[node] = True
                walk.pop()
            elif done.get(target, True):
                sources[target].append(node)
                targets[node].append(target)
                if target not in done:
                    walk.append((target, iter(after[target])))
    return sources, targets


def _with_places(
    layers: Sequence[int], edges: Iterable[Pair]
) -> tuple[list[tuple[int, ...]], list[int]]:
    """Give each edge a place in every layer that it crosses: places of edges, layers of all."""
    all_layers = [*layers]
    chains: list[tuple[int, ...]] = []
    for source, target in edges:
        crossed = range(layers[source] + 1, layers[target])
        if len(crossed) > _LONGEST_ROUTED:
            crossed = range(0)
        first = len(all_layers)
        all_layers.extend(crossed)
        chains.append((source, *range(first, len(all_layers)), target))
    return chains, all_layers


def _neighbours(count: int, steps: Iterable[Pair]) -> list[list[int]]:
    beside: list[list[int]] = [[] for _ in range(count)]
    for one, other in steps:
        beside[one].append(other)
        beside[other].append(one)
    return beside


def _ordered(layers: Sequence[int], steps: Sequence[Pair]) -> list[list[int]]:
    """Order each layer by the mean place of the neighbours, to and fro."""
    rows: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for node, layer in enumerate(layers):
        rows[layer].append(node)
    beside = _neighbours(len(layers), steps)
    place = {node: float(rank) for row in rows for rank, node in enumerate(row)}
    for sweep in range(_SWEEPS):
        way = 1 if sweep % 2 else -1
        for row in rows[::-way]:
            centres = {
                node: _mean(
                    [place[each] for each in beside[node] if layers[each] == layers[node] + way],
                    place[node],
                )
                for node in row
            }
            row.sort(key=centres.__getitem__)
            place.update((node, float(rank)) for rank, node in enumerate(row))
    return rows


def _heights(rows: Sequence[Sequence[int]], steps: Iterable[Pair], count: int) -> list[float]:
    """Put all as near to their neighbours as order and gaps allow: upper ends, from 0."""
    total = sum(map(len, rows))
    beside = _neighbours(total, steps)
    gaps = [[*_gaps(row, count)] for row in rows]
    middle = [0.0] * total
    for row, steps_down in zip(rows, gaps, strict=True):
        for node, centre in zip(row, _spread([0.0] * len(row), steps_down), strict=True):
            middle[node] = centre
    for sweep in range(_SWEEPS * 2):
        numbers = range(len(rows))
        for number in numbers if sweep % 2 else reversed(numbers):
            row = rows[number]
            wanted = [_mean([middle[each] for each in beside[node]], middle[node]) for node in row]
            for node, centre in zip(row, _spread(wanted, gaps[number]), strict=True):
                middle[node] = centre
    upper = [each - (BOX_HEIGHT / 2 if node < count else 0.0) for node, each in enumerate(middle)]
    top = min(upper, default=0.0)
    return [each - top for each in upper]


def _gaps(row: Sequence[int], count: int) -> Iterable[float]:
    """Give the least distance of each from the one above it."""
    for above, node in pairwise(row):
        boxes = (above < count) + (node < count)
        yield boxes * BOX_HEIGHT / 2 + (_BOX_GAP if boxes else _LINE_GAP)


def _spread(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Find the heights nearest to the wanted ones, in order and with gaps (pool adjacent)."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, int]] = []
    for height, offset in zip(wanted, offsets, strict=False):
        total, size = height - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / size:
            above, more = blocks.pop()
            total, size = total + above, size + more
        blocks.append((total, size))
    levels = [total / size for total, size in blocks for _ in range(size)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _route(
    chain: Sequence[int], left: Sequence[int], heights: Sequence[float]
) -> tuple[Point, ...]:
    """Return where an edge leaves, crosses layers and arrives."""
    source, *crossed, target = chain
    if left[target] <= left[source]:
        ends = (source, target)
        return tuple((left[n] + BOX_WIDTH // 2, round(heights[n]) + BOX_HEIGHT) for n in ends)
    points = [(left[source] + BOX_WIDTH, round(heights[source]) + BOX_HEIGHT // 2)]
    for place in crossed:
        points += [(left[place] + x, round(heights[place])) for x in (0, BOX_WIDTH)]
    return (*points, (left[target], round(heights[target]) + BOX_HEIGHT // 2))


def _leads_back(route: Sequence[Point]) -> bool:
    return route[-1][0] <= route[0][0]
