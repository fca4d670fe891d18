"""The windows of a job: closed, aligned, at the finest period that is still stored."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.windows import (
    AFTER_END_MS,
    DAY_MS,
    MINUTE_MS,
    Life,
    TimeWindow,
    kept_from_ms,
    plan_reading,
)

NOW = 1_790_000_000_000 // 3_600_000 * 3_600_000  # a full hour
SETTLE = 180_000
HOUR = 60 * MINUTE_MS


def windows(life: Life, now: int = NOW, settle: int = SETTLE) -> tuple[TimeWindow, ...]:
    return plan_reading(life, now, settle).windows


def test_a_running_job_is_read_up_to_the_last_settled_period() -> None:
    """The period that holds now - settle is still open."""
    life = Life(created_ms=NOW - HOUR + 30_000)
    assert windows(life, NOW + 59_000) == (TimeWindow(NOW - HOUR, NOW - 3 * MINUTE_MS, 60),)
    assert not plan_reading(life, NOW, SETTLE).complete


def test_a_running_job_goes_on_where_it_was_read_to() -> None:
    """What was read is not read again while the job runs."""
    life = Life(created_ms=NOW - HOUR, read_to_ms=NOW - 10 * MINUTE_MS)
    assert windows(life) == (TimeWindow(NOW - 10 * MINUTE_MS, NOW - 3 * MINUTE_MS, 60),)


def test_nothing_settled_is_no_window() -> None:
    """A job that has just begun has nothing to read."""
    assert windows(Life(created_ms=NOW - MINUTE_MS)) == ()


def test_a_job_that_has_just_ended_is_not_complete() -> None:
    """Until the settle time is over, only settled periods are read."""
    reading = plan_reading(Life(created_ms=NOW - HOUR, ended_ms=NOW - MINUTE_MS), NOW, SETTLE)
    assert not reading.complete
    assert reading.windows == (TimeWindow(NOW - HOUR, NOW - 3 * MINUTE_MS, 60),)


def test_an_ended_job_is_read_whole_and_beyond_its_end() -> None:
    """Hosts publish for some minutes after the end."""
    reading = plan_reading(Life(created_ms=NOW - 2 * HOUR, ended_ms=NOW - HOUR), NOW, SETTLE)
    assert reading.complete
    assert reading.windows == (TimeWindow(NOW - 2 * HOUR, NOW - HOUR + AFTER_END_MS, 60),)


def test_the_last_pass_looks_at_the_whole_life_again() -> None:
    """Points that came late lie in windows that were read before."""
    life = Life(created_ms=NOW - 2 * HOUR, ended_ms=NOW - HOUR, read_to_ms=NOW - 61 * MINUTE_MS)
    assert windows(life)[0].start_ms == NOW - 2 * HOUR


def test_settle_zero_includes_the_period_of_the_end() -> None:
    """An ended job's last period is read although it is not closed."""
    ended = NOW + 30_000
    reading = plan_reading(Life(created_ms=NOW - HOUR, ended_ms=ended), ended, 0)
    assert reading.complete
    assert reading.windows[0].end_ms >= NOW + MINUTE_MS


@pytest.mark.parametrize(
    ("days", "period"), [(1, 60), (14, 60), (16, 300), (62, 300), (64, 3600), (454, 3600)]
)
def test_the_period_follows_the_age(days: int, period: int) -> None:
    """60 s up to 15 days, 300 s up to 63, 3600 s up to 455."""
    created = NOW - days * DAY_MS + 12_345
    found = windows(Life(created_ms=created, ended_ms=created + HOUR))
    assert [window.period_s for window in found] == [period]
    assert found[0].start_ms <= created < found[0].start_ms + period * 1000


def test_what_has_faded_is_not_asked_for() -> None:
    """Nothing is stored after 455 days."""
    created = NOW - 500 * DAY_MS
    reading = plan_reading(Life(created_ms=created, ended_ms=created + HOUR), NOW, SETTLE)
    assert reading.complete
    assert reading.windows == ()


def test_a_job_across_the_retention_line_is_read_in_two_periods() -> None:
    """Each stretch is read at the finest period that is still stored for it."""
    life = Life(created_ms=NOW - 16 * DAY_MS, ended_ms=NOW - 14 * DAY_MS)
    coarse, fine = windows(life)
    assert (coarse.period_s, fine.period_s) == (300, 60)
    assert coarse.end_ms == fine.start_ms


def test_faded_minutes_are_not_read_a_second_time_as_five() -> None:
    """The last look never gives a coarser copy of points that are written."""
    life = Life(created_ms=NOW - 20 * DAY_MS, ended_ms=NOW - DAY_MS, read_to_ms=NOW - 2 * DAY_MS)
    assert {window.period_s for window in windows(life)} == {60}


@pytest.mark.parametrize(("period", "days"), [(60, 15), (300, 63), (3600, 455)])
def test_what_is_planned_is_stored_for_an_hour_more(period: int, days: int) -> None:
    """A pass may last: what it asks for last must still be stored then."""
    assert kept_from_ms(NOW, period) == NOW - days * DAY_MS
    for shift in range(0, HOUR, 7 * MINUTE_MS + 1):
        now = NOW + shift
        (first, *_) = windows(Life(created_ms=now - (days - 1) * DAY_MS), now)
        border = windows(Life(created_ms=now - days * DAY_MS - DAY_MS), now)
        begins = [first, *(each for each in border if each.period_s == period)]
        assert all(each.start_ms >= kept_from_ms(now + HOUR, period) for each in begins)


lives = st.builds(
    lambda age, length, read: (age, length, read),
    st.integers(0, 460 * DAY_MS),
    st.one_of(st.none(), st.integers(0, 30 * DAY_MS)),
    st.one_of(st.none(), st.integers(0, 30 * DAY_MS)),
)


@given(lives, st.integers(0, HOUR), st.integers(0, 3_600_000))
def test_windows_are_aligned_and_do_not_overlap(
    life: tuple[int, int | None, int | None], settle: int, shift: int
) -> None:
    """Whatever the life: aligned to the clock, in order, without overlap, never empty."""
    age, length, read = life
    now = NOW + shift
    created = now - age
    ended = None if length is None else min(now, created + length)
    read_to = None if read is None else min(now, created + read) // 60_000 * 60_000
    reading = plan_reading(
        Life(created_ms=created, ended_ms=ended, read_to_ms=read_to), now, settle
    )
    for window in reading.windows:
        assert window.start_ms % (window.period_s * 1000) == 0
        assert window.end_ms % (window.period_s * 1000) == 0
        assert window.periods > 0
        assert window.start_ms >= kept_from_ms(now + HOUR, window.period_s)
        if not reading.complete:
            assert window.end_ms <= now - settle
    for first, second in itertools.pairwise(reading.windows):
        assert first.end_ms <= second.start_ms
        assert first.period_s > second.period_s
