"""(stretches of time, limits) → which series share a request: few requests, then narrow ones.

A request spans all stretches of its series, and CloudWatch's datapoint quota counts that span for
each of them, data or not. So each series costs more beside others that are far away in time or
much longer. The price is the same however they are shared out, as long as a request is one page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from mlflow_smwatch.core.request_share import Limits, Share, Stretch

_REQUEST = 10**15
"""Weight of a request in a plan's cost; more than a plan's datapoints can come to."""

_FEW = 7
"""Of so many series every plan is looked at: 877 at most."""

Parts: TypeAlias = list[tuple[Stretch, int]]
"""Stretches and how many series want each."""

Cutting: TypeAlias = Callable[[Parts, Limits], Iterable[Share]]
"""Makes requests of stretches, in their order."""


def plan_requests(wanted: Mapping[Stretch, int], limits: Limits) -> list[Share]:
    """Share series out among requests.

    The cheaper of two plans is taken: one cuts all series, in order of time, where that costs
    least; the other first sets series of very different length apart. In both, requests whose
    series find room in others are then given up. Of a few series the cheapest plan is found.

    Parameters
    ----------
    wanted
        Stretch → number of series that want it.
    limits
        What a request may ask for.

    Returns
    -------
    list of Share
        Each series in one of them. A plan is cheaper with fewer requests and, among plans with the
        same number, with fewer datapoints.
    """
    parts = sorted(wanted.items())
    best = min(_two_plans(parts, limits, cut), key=_cost)
    if len(best) > _fewest(parts, limits) and sum(wanted.values()) <= _FEW:
        series = [stretch for stretch, count in parts for _ in range(count)]
        return min(_all_plans(series, limits), key=_cost)
    return best


def fill_requests(wanted: Mapping[Stretch, int], limits: Limits, *, backward: bool) -> list[Share]:
    """Share series out among requests while more series are to come.

    As :func:`plan_requests`, but one request after the other is filled, so that what has room left
    is where the next series belong.

    Parameters
    ----------
    wanted
        Stretch → number of series that want it.
    limits
        What a request may ask for.
    backward
        Whether the series to come are rather older than these.
    """
    parts = sorted(wanted.items(), key=lambda part: part[0].end, reverse=True)
    parts = parts if backward else sorted(parts)
    return min(_two_plans(parts, limits, _filled), key=len)


def _two_plans(parts: Parts, limits: Limits, cutting: Cutting) -> Iterator[list[Share]]:
    """Give a plan that treats all series alike, and one that sets lengths apart."""
    fewest = _fewest(parts, limits)
    for layers in ([parts], _layers(parts)):
        shares = [share for layer in layers for share in cutting(layer, limits)]
        yield _dissolved(shares, limits, fewest)


def _fewest(parts: Parts, limits: Limits) -> int:
    """Tell how many requests it takes if nothing but the number of series limits them."""
    return -(-sum(count for _, count in parts) // limits.series)


def _cost(plan: list[Share]) -> tuple[int, int]:
    """Count a plan's requests, and what the datapoint quota counts for them."""
    return len(plan), sum(share.datapoints for share in plan)


def _all_plans(series: list[Stretch], limits: Limits) -> Iterator[list[Share]]:
    """Give every plan there is that keeps the limits."""
    for grouping in _groupings(series):
        plan = [_share((each, 1) for each in group) for group in grouping]
        if all(share.keeps(limits) for share in plan):
            yield plan


def _groupings(series: list[Stretch]) -> Iterator[list[list[Stretch]]]:
    """Give every way to share series out among groups."""
    if not series:
        yield []
        return
    first, *rest = series
    for groups in _groupings(rest):
        yield [[first], *groups]
        for number, group in enumerate(groups):
            yield [*groups[:number], [first, *group], *groups[number + 1 :]]


def _layers(parts: Parts) -> list[Parts]:
    """Set stretches apart that differ in length by a factor of four or more, in order as before."""
    layers: dict[int, Parts] = {}
    for stretch, count in parts:
        layers.setdefault(stretch.length.bit_length() // 2, []).append((stretch, count))
    return list(layers.values())


def cut(parts: Parts, limits: Limits) -> list[Share]:
    """Cut series that are in order of time into requests, as cheaply as any such cuts do.

    Parameters
    ----------
    parts
        Stretches and their numbers of series, ascending.
    limits
        What a request may ask for.
    """
    pieces = [piece for share in _filled(parts, limits) for piece in share.parts.items()]
    begins = _cheapest_begins(pieces, limits)
    shares: list[Share] = []
    end = len(pieces)
    while end:
        shares.append(_share(pieces[begins[end] : end]))
        end = begins[end]
    return shares[::-1]


def _filled(parts: Parts, limits: Limits) -> Iterator[Share]:
    """Fill one request after the other; where a stretch is divided by that, it may be cut."""
    share = Share()
    for stretch, wanted in parts:
        rest = wanted
        while rest:
            taken = min(rest, share.room(stretch, limits))
            if taken:
                share.add(stretch, taken)
                rest -= taken
            if rest:
                yield share
                share = Share()
    if share.parts:
        yield share


def _cheapest_begins(pieces: Parts, limits: Limits) -> list[int]:
    """Tell for each end where the last request before it begins, if all up to it cost least."""
    costs: list[float] = [0, *[float("inf")] * len(pieces)]
    begins = [0] * len(costs)
    for begin in range(len(pieces)):
        for end, datapoints in _extents(pieces, begin, limits):
            if costs[begin] + _REQUEST + datapoints < costs[end]:
                costs[end] = costs[begin] + _REQUEST + datapoints
                begins[end] = begin
    return begins


def _extents(pieces: Parts, begin: int, limits: Limits) -> Iterator[tuple[int, int]]:
    """Give where a request that begins at a piece can end, and what the quota counts for it."""
    start = pieces[begin][0].start
    last = series = points = 0
    for end in range(begin, len(pieces)):
        stretch, count = pieces[end]
        last = max(last, stretch.end)
        series += count
        points += count * (stretch.end - max(start, stretch.since))
        datapoints = (last - start) * series
        alone = series == 1
        if not alone and (
            series > limits.series or points > limits.points or datapoints > limits.overdraft
        ):
            return
        if alone or datapoints <= limits.datapoints or series >= limits.nearly_full:
            yield end + 1, datapoints


def _share(pieces: Iterable[tuple[Stretch, int]]) -> Share:
    share = Share()
    for stretch, count in pieces:
        share.add(stretch, count)
    return share


def _dissolved(shares: list[Share], limits: Limits, fewest: int) -> list[Share]:
    """Give up requests that are not full and whose series find room in others, smallest first."""
    small = 0
    shares = sorted(shares, key=lambda share: share.series)
    while len(shares) > fewest and small < len(shares):
        others = [*shares[:small], *shares[small + 1 :]]
        placed = None if shares[small].is_full(limits) else _placed(shares[small], others, limits)
        shares, small = (shares, small + 1) if placed is None else (placed, small)
    return shares


def _placed(small: Share, others: list[Share], limits: Limits) -> list[Share] | None:
    """Place the series of one request in others, where they cost least; None if they do not fit."""
    changed: dict[int, Share] = {}
    for stretch, wanted in sorted(small.parts.items(), key=lambda part: -part[0].length):
        rest = wanted
        while rest:
            fits = []
            for number, other in enumerate(others):
                share = changed.get(number, other)
                if taken := min(rest, share.room(stretch, limits)):
                    fits.append((share.growth(stretch, taken) / taken, number, taken))
            if not fits:
                return None
            _, number, taken = min(fits)
            changed.setdefault(number, others[number].copy()).add(stretch, taken)
            rest -= taken
    return [changed.get(number, other) for number, other in enumerate(others)]
