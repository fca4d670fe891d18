"""(stretches of time, limits) → which series share a request: few requests, then narrow ones.

A request spans all stretches of its series, and CloudWatch's datapoint quota counts that span for
each of them, data or not. So each series costs more beside others that are far away in time or
much longer. The price is the same however they are shared out, as long as a request is one page.

Times are counted in periods, whatever the period is; all series of one plan have the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import NamedTuple

_REQUEST = 10**15
"""Weight of a request in a plan's cost; more than a plan's datapoints can come to."""

_FEW = 7
"""Of so many series every plan is looked at: 877 at most."""


class Stretch(NamedTuple):
    """What is wanted of a series.

    Attributes
    ----------
    start, end
        The stretch, in periods; the end is exclusive.
    since
        Since when the series may have points: a request that starts earlier than the stretch
        returns them too. Not later than the start.
    """

    start: int
    end: int
    since: int

    @property
    def length(self) -> int:
        """How many periods are wanted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for; a series that is beyond them is asked for alone.

    Attributes
    ----------
    series
        Most series.
    points
        Most points that can come back.
    datapoints
        Most that the datapoint quota may count: periods spanned × series.
    nearly_full
        With so many series or more, ``overdraft`` takes the place of ``datapoints``.
    overdraft
        Not less than ``datapoints``.
    """

    series: int
    points: int
    datapoints: int
    nearly_full: int
    overdraft: int


@dataclass(slots=True)
class Share:
    """The series of one request in the making.

    Attributes
    ----------
    parts
        Stretch → number of its series.
    start, end
        What it spans.
    series
        How many series it has.
    points
        How many points can come back.
    """

    parts: dict[Stretch, int] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    series: int = 0
    points: int = 0

    @property
    def datapoints(self) -> int:
        """What the quota counts for it."""
        return (self.end - self.start) * self.series

    def keeps(self, limits: Limits) -> bool:
        """Whether it is within the limits, or one series alone."""
        nearly_full = self.series >= limits.nearly_full
        return self.series == 1 or (
            self.series <= limits.series
            and self.points <= limits.points
            and self.datapoints <= (limits.overdraft if nearly_full else limits.datapoints)
        )

    def room(self, stretch: Stretch, limits: Limits) -> int:
        """Tell how many series of a stretch it can still take; at least one if it is empty."""
        if not self.parts:
            return max(1, _most(limits, stretch.length, stretch.length))
        start, end = min(self.start, stretch.start), max(self.end, stretch.end)
        if (end - start) * (self.series + 1) > limits.overdraft or self.series >= limits.series:
            return 0
        points = stretch.end - max(start, stretch.since)
        taken = self._points_from(start)
        return max(0, _most(limits, end - start, points, self.series, taken))

    def growth(self, stretch: Stretch, count: int) -> int:
        """Tell how much more the quota would count with so many series of a stretch."""
        start, end = min(self.start, stretch.start), max(self.end, stretch.end)
        return (end - start) * (self.series + count) - self.datapoints

    def add(self, stretch: Stretch, count: int) -> None:
        """Take series in."""
        if not self.parts:
            self.start, self.end = stretch.start, stretch.end
        start = min(self.start, stretch.start)
        points = count * (stretch.end - max(start, stretch.since))
        self.points = self._points_from(start) + points
        self.start, self.end = start, max(self.end, stretch.end)
        self.series += count
        self.parts[stretch] = self.parts.get(stretch, 0) + count

    def copy(self) -> Share:
        """Give another one with the same series."""
        return Share(dict(self.parts), self.start, self.end, self.series, self.points)

    def _points_from(self, start: int) -> int:
        if start == self.start:
            return self.points
        return sum(n * (each.end - max(start, each.since)) for each, n in self.parts.items())


def _most(limits: Limits, span: int, points: int, series: int = 0, taken: int = 0) -> int:
    """Tell how many more series fit, each of so many points, where others are already."""
    most = min(
        limits.series - series, (limits.points - taken) // points, limits.overdraft // span - series
    )
    if series + most >= limits.nearly_full:
        return most
    return min(most, limits.datapoints // span - series)


def plan_requests(wanted: Mapping[Stretch, int], limits: Limits) -> list[Share]:
    """Share series out among requests.

    The cheapest of several plans is taken: one that cuts all series, in order of time, where that
    costs least, and one that first sets series of very different length apart. In both, requests
    whose series find room in others are then given up.

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
    fewest = -(-sum(wanted.values()) // limits.series)
    plans = []
    for layers in ([parts], _layers(parts)):
        shares = [share for layer in layers for share in cut(layer, limits)]
        plans.append(shares if len(shares) <= fewest else _dissolved(shares, limits, fewest))
    best = min(plans, key=_cost)
    if len(best) > fewest and sum(wanted.values()) <= _FEW:
        return min(_all_plans(list(chain.from_iterable([s] * n for s, n in parts)), limits), key=_cost)
    return best


def _cost(plan: list[Share]) -> tuple[int, int]:
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


def _layers(parts: list[tuple[Stretch, int]]) -> list[list[tuple[Stretch, int]]]:
    """Set stretches apart that differ in length by a factor of four or more."""
    magnitude = {stretch: stretch.length.bit_length() // 2 for stretch, _ in parts}
    ordered = sorted(parts, key=lambda part: (magnitude[part[0]], part))
    return [list(each) for _, each in groupby(ordered, key=lambda part: magnitude[part[0]])]


def cut(parts: Iterable[tuple[Stretch, int]], limits: Limits) -> list[Share]:
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


def _filled(parts: Iterable[tuple[Stretch, int]], limits: Limits) -> Iterator[Share]:
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


def _cheapest_begins(pieces: list[tuple[Stretch, int]], limits: Limits) -> list[int]:
    """Tell for each end where the last request before it begins, if all up to it cost least."""
    costs: list[float] = [0, *[float("inf")] * len(pieces)]
    begins = [0] * len(costs)
    for begin in range(len(pieces)):
        for end, datapoints in _extents(pieces, begin, limits):
            if costs[begin] + _REQUEST + datapoints < costs[end]:
                costs[end] = costs[begin] + _REQUEST + datapoints
                begins[end] = begin
    return begins


def _extents(
    pieces: list[tuple[Stretch, int]], begin: int, limits: Limits
) -> Iterator[tuple[int, int]]:
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
    """Give up requests whose series find room in the others, smallest first."""
    small = 0
    shares = sorted(shares, key=lambda share: share.series)
    while len(shares) > fewest and small < len(shares):
        placed = _placed(shares[small], [*shares[:small], *shares[small + 1 :]], limits)
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
