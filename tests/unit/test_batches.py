"""Batches: within every limit of MLflow's, the watermark in the last one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.protos.service_pb2 import LogBatch
from mlflow.utils.proto_json_utils import message_to_json
from mlflow.utils.validation import MAX_BATCH_LOG_REQUEST_SIZE, _validate_batch_log_limits

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.tracking.batches import MAX_NOTES, Batch, batches

NOTES = {"smwatch.state": "{}", "smwatch.synced_at": "now"}


def metric(number: int, key: str = "loss") -> MetricPoint:
    return MetricPoint(key, key, 0.1 + number, 1_790_000_000_000 + number, number)


def size(batch: Batch) -> int:
    request = LogBatch(
        run_id="0" * 32,
        metrics=[each.to_proto() for each in batch.metrics],
        params=[each.to_proto() for each in batch.params],
        tags=[each.to_proto() for each in batch.tags],
    )
    return len(message_to_json(request))


def check(made: list[Batch]) -> None:
    for batch in made:
        _validate_batch_log_limits(  # type: ignore[no-untyped-call]
            batch.metrics, batch.params, batch.tags
        )
        assert size(batch) <= MAX_BATCH_LOG_REQUEST_SIZE
    for batch in made[:-1]:
        assert not {tag.key for tag in batch.tags} & set(NOTES)
    assert {tag.key for tag in made[-1].tags} >= set(NOTES)


def test_a_thousand_points_and_the_watermark_are_two_batches() -> None:
    """1,000 entities in all, not 1,000 points and then some."""
    made = list(batches({}, [metric(number) for number in range(1000)], {}, NOTES))
    assert [len(batch.metrics) for batch in made] == [1000, 0]
    check(made)


def test_a_small_job_is_one_batch() -> None:
    """Params, points, facts and notes in one call."""
    made = list(batches({"lr": "1"}, [metric(1)], {"sagemaker.status": "x"}, NOTES))
    assert len(made) == 1
    check(made)


def test_notes_that_do_not_fit_together_are_refused() -> None:
    """Cut in two they would vouch for points with half a text; nothing is written instead."""
    notes = {f"smwatch.state.{number}": "x" * 5000 for number in range(MAX_NOTES)}
    (*_, last) = batches({}, [metric(1)], {"fact": "x"}, notes)
    assert notes.keys() <= {tag.key for tag in last.tags}
    with pytest.raises(JobError, match="91 tags"):
        next(batches({}, [metric(1)], {}, {**notes, "smwatch.final": "true"}))


def test_nothing_to_write_but_notes_is_one_batch() -> None:
    """A run that becomes final without a new point."""
    assert len(list(batches({}, [], {}, NOTES))) == 1


def test_the_request_stays_below_a_megabyte() -> None:
    """Keys of 250 CJK characters, params of 6,000, tags of 8,000."""
    params = {f"p{number}": "損" * 6000 for number in range(150)}
    facts = {f"t{number}": '"\\' * 4000 for number in range(120)}
    points = [metric(number, "損" * 250) for number in range(2500)]
    made = list(batches(params, points, facts, NOTES))
    check(made)
    assert sum(len(batch.params) for batch in made) == 150
    assert sum(len(batch.metrics) for batch in made) == 2500
    assert sum(len(batch.tags) for batch in made) == 122


@given(
    st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=130),
    st.integers(0, 2500),
    st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=130),
)
def test_every_entity_is_in_one_batch(
    params: dict[str, str], count: int, facts: dict[str, str]
) -> None:
    """Nothing lost, nothing twice, in order."""
    facts = {key: value for key, value in facts.items() if key not in NOTES}
    made = list(batches(params, [metric(number) for number in range(count)], facts, NOTES))
    check(made)
    assert [each.key for batch in made for each in batch.params] == list(params)
    assert [each.step for batch in made for each in batch.metrics] == list(range(count))
    assert [each.key for batch in made for each in batch.tags] == [*facts, *NOTES]
