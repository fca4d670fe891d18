"""Names of log streams, their order, and how far one is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.log_streams import (
    START,
    LogStream,
    StreamPosition,
    by_host,
    full_names,
    listed,
)
from tests.strategies import job_names

timestamps = st.lists(st.integers(0, 50)).map(sorted)
positions = st.builds(StreamPosition, st.integers(0, 99), st.integers(1, 9))


def names_of(*streams: str) -> dict[str, list[str]]:
    """Group streams, given by name."""
    found = by_host(LogStream(name=name) for name in streams)
    return {host: [each.name for each in of_host] for host, of_host in found.items()}


NAMES = [
    pytest.param("algo-1-1700000000", "algo-1", 1_700_000_000_000, id="seconds"),
    pytest.param("algo-10-1700000000123", "algo-10", 1_700_000_000_123, id="milliseconds"),
    pytest.param("ip-10-0-1-2-1700000000", "ip-10-0-1-2", 1_700_000_000_000, id="host-with-dashes"),
    pytest.param("data-log", "data-log", 77, id="no-epoch"),
    pytest.param("algo", "algo", 77, id="one-word"),
    pytest.param("", "", 77, id="empty"),
]


@pytest.mark.parametrize(("name", "host", "began_ms"), NAMES)
def test_names_tell_host_and_time(name: str, host: str, began_ms: int) -> None:
    """A name without an epoch is its own host's, and as old as the stream."""
    stream = LogStream(name=name, created_ms=77)
    assert stream.host == host
    assert stream.began_ms == began_ms


def test_streams_of_a_host_are_in_time_order() -> None:
    """Epochs are compared as numbers; hosts are in the order of their names."""
    found = names_of("algo-2-5", "algo-1-1700000000123", "algo-1-1000000000", "algo-1-999999999")
    assert found == {
        "algo-1": ["algo-1-999999999", "algo-1-1000000000", "algo-1-1700000000123"],
        "algo-2": ["algo-2-5"],
    }
    assert list(found) == ["algo-1", "algo-2"]


@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(1, 10**13)), unique=True, max_size=9
    ).flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs)))
)
def test_the_order_of_listing_does_not_matter(
    both: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    """AWS lists by name."""
    one, other = ([f"algo-{host}-{epoch}" for host, epoch in pairs] for pairs in both)
    assert names_of(*one) == names_of(*other)
    assert sorted(name for each in names_of(*one).values() for name in each) == sorted(one)


def test_full_names() -> None:
    """Host by host, in time order."""
    found = full_names("job", ["algo-2-1", "algo-1-10", "algo-1-9"])
    assert found == ["job/algo-1-9", "job/algo-1-10", "job/algo-2-1"]


@given(job_names, st.integers(0, 400))
def test_a_list_fits_in_a_tag(job: str, count: int) -> None:
    """Whole names are dropped at its end, no more of them than must be."""
    names = [f"{job}/algo-{number}-1700000000" for number in range(count)]
    text = listed(names)
    kept = json.loads(text)
    assert len(text) <= 8000
    assert kept == names[: len(kept)]
    assert kept == names or len(json.dumps(names[: len(kept) + 1])) > 8000


@given(positions, timestamps, st.data())
def test_a_position_after_parts_is_that_after_all(
    before: StreamPosition, later: list[int], data: st.DataObject
) -> None:
    """However a stretch is cut."""
    moved = [before.timestamp_ms + each for each in later]
    cut = data.draw(st.integers(0, len(moved)))
    assert before.after(moved[:cut]).after(moved[cut:]) == before.after(moved)


@given(timestamps)
def test_a_position_counts_events_of_its_time(times: list[int]) -> None:
    """From the start on."""
    position = START.after(times)
    if times:
        assert position == StreamPosition(times[-1], times.count(times[-1]))
        assert position > START
    else:
        assert position == START


@given(positions, timestamps)
def test_positions_grow(before: StreamPosition, later: list[int]) -> None:
    """Further events never move one back: the further of two is the greater."""
    assert before.after([before.timestamp_ms + each for each in later]) >= before
