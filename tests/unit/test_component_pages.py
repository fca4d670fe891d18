"""Components and their jobs on both sides of a span's edge: each pair is found, and once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws.component_pages import is_found_in
from mlflow_smwatch.core.decay import CreatedSpan, created_spans

DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000
NOW_MS = 1_790_000_000_000
BEGAN = datetime(1970, 1, 1, tzinfo=timezone.utc)
SPANS = created_spans(NOW_MS, None, None)
EDGES = [each.begin_ms for each in SPANS if each.begin_ms is not None]


def component(own_ms: int | None, job_ms: int | None) -> dict[str, Any]:
    """Give what a record of ``Search`` says of both creations."""
    own, of_job = (
        {} if at is None else {"CreationTime": BEGAN + timedelta(milliseconds=at)}
        for at in (own_ms, job_ms)
    )
    return {**own, "SourceDetail": {"TrainingJob": {"TrainingJobName": "job", **of_job}}}


ages = st.none() | st.floats(0, 500).map(lambda days: NOW_MS - int(days * DAY_MS))
lags = st.integers(-3 * HOUR_MS, 3 * HOUR_MS) | st.sampled_from(
    [sign * HOUR_MS + more for sign in (-1, 0, 1) for more in (-1, 0, 1)]
)
beside_edges = st.tuples(st.sampled_from(EDGES), lags, lags).map(
    lambda drawn: (drawn[0] + drawn[1], drawn[0] + drawn[2])
)
near = st.tuples(st.floats(0, 500), lags).map(
    lambda drawn: (NOW_MS - int(drawn[0] * DAY_MS), NOW_MS - int(drawn[0] * DAY_MS) + drawn[1])
)


@given(
    beside_edges | near | st.tuples(ages, ages).filter(lambda pair: pair != (None, None)),
    ages,
    ages,
)
def test_every_component_is_found_in_one_span(
    pair: tuple[int | None, int | None], since_ms: int | None, until_ms: int | None
) -> None:
    """Whenever it and its job were made, and in the span whose search, an hour wider, gives it."""
    record = component(*pair)
    for spans in (SPANS, created_spans(NOW_MS, since_ms, until_ms)):
        (span,) = (each for each in spans if is_found_in(record, each))
        if pair[0] is not None:
            assert span.widened(HOUR_MS + 1).holds(pair[0])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("own_h", "job_h", "beside"),
    [(0.2, -0.5, True), (0.5, -0.5, True), (1.2, -0.5, False), (30, -0.5, False)],
)
def test_what_was_made_together_is_found_as_the_job_was(
    own_h: float, job_h: float, beside: bool, sign: int
) -> None:
    """Hours from the edge of two spans; beyond an hour of each other, as the component was."""
    edge_ms = NOW_MS - NOW_MS % 1000
    earlier, later = CreatedSpan(end_ms=edge_ms), CreatedSpan(begin_ms=edge_ms)
    own_ms, job_ms = (edge_ms + int(sign * each * HOUR_MS) for each in (own_h, job_h))
    of_job, other = (earlier, later) if sign > 0 else (later, earlier)
    record = component(own_ms, job_ms)
    assert is_found_in(record, of_job) is beside
    assert is_found_in(record, other) is not beside
