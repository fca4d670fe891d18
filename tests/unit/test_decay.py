"""The spans of a backfill: all times, each once, what fades within a day before the rest."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.decay import CreatedSpan, created_spans

DAY = 24 * 3600 * 1000
NOW = 1_790_000_000_000
Ages = tuple[float | None, float | None]
AGES = st.floats(0, 600, allow_nan=False).map(lambda days: int(days * DAY))


def ages(
    since: float | None, until: float | None = None
) -> list[tuple[float | None, float | None]]:
    """Give the spans of a window as ages in days, from the younger end to the older."""
    since_ms = None if since is None else NOW - round(since * DAY)
    until_ms = None if until is None else NOW - round(until * DAY)
    return [
        (_age(each.end_ms), _age(each.begin_ms)) for each in created_spans(NOW, since_ms, until_ms)
    ]


def _age(moment_ms: int | None) -> float | None:
    return None if moment_ms is None else (NOW - moment_ms) / DAY


@pytest.mark.parametrize("since", [0, 0.01, 7, 14])
def test_a_young_window_is_not_cut(since: float) -> None:
    """Of what was modified within two weeks nothing fades within a day, or it ran for weeks."""
    assert ages(since) == [(None, None)]


@pytest.mark.parametrize(
    ("since", "until", "spans"),
    [
        (15, None, [(14, None), (None, 14)]),
        (30, None, [(14, 16), (None, 14), (16, None)]),
        (62.5, None, [(62, None), (14, 16), (None, 14), (16, 62)]),
        (400, None, [(62, 64), (14, 16), (None, 14), (16, 62), (64, None)]),
        (
            None,
            None,
            [(454, 456), (62, 64), (14, 16), (None, 14), (16, 62), (64, 454), (456, None)],
        ),
        (400, 30, [(62, 64), (None, 62), (64, None)]),
        (400, 15, [(62, 64), (None, 16), (16, 62), (64, None)]),
        (400, 100, [(None, None)]),
    ],
)
def test_what_fades_comes_first(
    since: float | None, until: float | None, spans: list[Ages]
) -> None:
    """The oldest of it first; then finest periods first. The window cuts nothing off for good."""
    assert ages(since, until) == spans


@given(now=st.integers(10**12, 2 * 10**12), since=st.none() | AGES, until=st.none() | AGES)
def test_the_spans_are_all_times_each_once(now: int, since: int | None, until: int | None) -> None:
    """Sorted, each begins where the one before ends, in whole seconds, open at both ends."""
    since_ms = None if since is None else now - since
    spans = created_spans(now, since_ms, None if until is None else now - until)
    ordered = sorted(spans, key=lambda each: each.begin_ms or 0)
    assert ordered[0].begin_ms is None
    assert ordered[-1].end_ms is None
    for earlier, later in pairwise(ordered):
        assert earlier.end_ms == later.begin_ms
        assert earlier.end_ms is not None
        assert earlier.end_ms % 1000 == 0


@given(age=AGES, since=st.none() | AGES, until=st.none() | AGES)
def test_every_job_is_in_one_span(age: int, since: int | None, until: int | None) -> None:
    """Whenever it was created."""
    spans = created_spans(
        NOW, None if since is None else NOW - since, None if until is None else NOW - until
    )
    assert sum(each.holds(NOW - age) for each in spans) == 1


def test_a_wider_span() -> None:
    """A margin at both ends; an open side stays open."""
    assert CreatedSpan(begin_ms=5000).widened(1000) == CreatedSpan(begin_ms=4000)
    assert CreatedSpan(end_ms=5000).widened(1000) == CreatedSpan(end_ms=6000)
