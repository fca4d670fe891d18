"""Plans of requests: none beyond the limits, none cheaper, whatever else is tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.request_plan import cut, fill_requests, plan_requests
from mlflow_smwatch.core.request_share import Limits, Share, Stretch

WIDE = 10**9


def some_limits(datapoints: int = WIDE, points: int = WIDE) -> st.SearchStrategy[Limits]:
    """Limits so low that a few series reach them."""
    return st.builds(
        lambda series, points, datapoints, short, more: Limits(
            series=series,
            points=points,
            datapoints=datapoints,
            nearly_full=max(2, series - short),
            overdraft=datapoints * (4 + more) // 4,
        ),
        series=st.integers(2, 5),
        points=st.just(WIDE) | st.integers(3, min(points, 40)),
        datapoints=st.integers(3, min(datapoints, 60)),
        short=st.integers(0, 1),
        more=st.integers(0, 1),
    )


stretches = st.builds(
    lambda start, length, before: Stretch(start, start + length, start - before),
    start=st.integers(0, 60),
    length=st.integers(1, 4) | st.integers(1, 60),
    before=st.sampled_from([0, 0, 5]),
)


def members(share: Share) -> list[Stretch]:
    return list(Counter(share.parts).elements())


def within(group: tuple[Stretch, ...] | list[Stretch], limits: Limits) -> bool:
    """Whether series may share a request, by the limits' own words."""
    start, end = min(each.start for each in group), max(each.end for each in group)
    points = sum(each.end - max(start, each.since) for each in group)
    quota = limits.overdraft if len(group) >= limits.nearly_full else limits.datapoints
    return len(group) == 1 or (
        len(group) <= limits.series
        and points <= limits.points
        and (end - start) * len(group) <= quota
    )


def cost(groups: list[list[Stretch]]) -> tuple[int, int]:
    spans = (
        (max(each.end for each in group) - min(each.start for each in group)) * len(group)
        for group in groups
    )
    return len(groups), sum(spans)


def all_groupings(series: list[Stretch]) -> Iterator[list[list[Stretch]]]:
    """Take the first with any of the others, and go on with what is left."""
    if not series:
        yield []
        return
    others = range(1, len(series))
    for size in range(len(series)):
        for chosen in combinations(others, size):
            group = [series[0], *(series[place] for place in chosen)]
            rest = [series[place] for place in others if place not in chosen]
            yield from ([group, *groups] for groups in all_groupings(rest))


def all_cuts(series: list[Stretch]) -> Iterator[list[list[Stretch]]]:
    """Cut a row at any places."""
    for size in range(len(series)):
        for places in combinations(range(1, len(series)), size):
            yield [series[begin:end] for begin, end in pairwise((0, *places, len(series)))]


def cheapest(groupings: Iterator[list[list[Stretch]]], limits: Limits) -> tuple[int, int]:
    return min(cost(each) for each in groupings if all(within(group, limits) for group in each))


@given(st.lists(stretches, min_size=1, max_size=6), some_limits())
def test_no_plan_of_a_few_series_takes_fewer_requests(
    series: list[Stretch], limits: Limits
) -> None:
    """Every way to share them out is tried."""
    plan = plan_requests(Counter(series), limits)
    assert len(plan) == cheapest(all_groupings(series), limits)[0]


@given(st.lists(stretches, min_size=1, max_size=9, unique=True), some_limits())
def test_no_cut_of_a_row_costs_less(series: list[Stretch], limits: Limits) -> None:
    """In order of time: neither with fewer requests, nor with as many and fewer datapoints."""
    row = sorted(series)
    shares = [members(share) for share in cut([(each, 1) for each in row], limits)]
    assert [each for share in shares for each in share] == row
    assert cost(shares) == cheapest(all_cuts(row), limits)


@given(st.lists(stretches, max_size=60), some_limits(), st.booleans())
def test_every_series_is_in_one_request_within_the_limits(
    series: list[Stretch], limits: Limits, backward: bool
) -> None:
    """Planned to the end or while more are to come; what a request says of itself is so."""
    filled = fill_requests(Counter(series), limits, backward=backward)
    for plan in (plan_requests(Counter(series), limits), filled):
        assert sorted(each for share in plan for each in members(share)) == sorted(series)
        for share in plan:
            group = members(share)
            assert within(group, limits)
            assert share.keeps(limits)
            assert share.datapoints == cost([group])[1]
            assert share.points == sum(each.end - max(share.start, each.since) for each in group)


@given(st.lists(stretches, min_size=1, max_size=60), st.integers(1, 7), st.booleans())
def test_where_only_the_number_limits_requests_are_full(
    series: list[Stretch], most: int, backward: bool
) -> None:
    """As many as series ÷ most, rounded up."""
    wide = Limits(series=most, points=WIDE, datapoints=WIDE, nearly_full=most, overdraft=WIDE)
    fewest = -(-len(series) // most)
    assert len(plan_requests(Counter(series), wide)) == fewest
    assert len(fill_requests(Counter(series), wide, backward=backward)) == fewest


def test_a_long_series_does_not_widen_the_requests_of_short_ones() -> None:
    """Eight series of five days, beside two hundred jobs of an hour in the same days."""
    limits = Limits(
        series=500, points=100_800, datapoints=396_000, nearly_full=400, overdraft=396_000
    )
    short = {Stretch(at * 36, at * 36 + 70, at * 36): 8 for at in range(200)}
    long = {Stretch(0, 7_200, 0): 8}
    alone = len(plan_requests(short, limits))
    assert len(plan_requests(short | long, limits)) == alone + 1


def test_a_gap_in_a_wide_request_is_filled_before_another_is_opened() -> None:
    """Two outliers share a request around a crowd that has its own."""
    limits = Limits(series=200, points=WIDE, datapoints=200, nearly_full=200, overdraft=200)
    wanted = {Stretch(0, 1, 0): 1, Stretch(50, 51, 50): 200, Stretch(99, 100, 99): 1}
    plan = plan_requests(wanted, limits)
    assert sorted((share.series, share.end - share.start) for share in plan) == [(2, 100), (200, 1)]


def test_points_from_before_a_stretch_count() -> None:
    """A request that begins earlier returns what a long-lived series has had since then."""
    limits = Limits(series=9, points=100, datapoints=WIDE, nearly_full=9, overdraft=WIDE)
    early, late = Stretch(0, 40, 0), Stretch(90, 100, 90)
    assert len(plan_requests({early: 1, late: 1}, limits)) == 1
    assert len(plan_requests({early: 1, late._replace(since=0): 1}, limits)) == 2
