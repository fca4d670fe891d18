"""The watermark: written as tags, read back the same, found while it is open."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.watermark import OPEN_MARK, STATE_TAG, Watermark, from_tags, to_tags

names = st.text(min_size=1, max_size=255)
watermarks = st.builds(
    Watermark,
    made_ms=st.integers(0, 2**53),
    final=st.booleans(),
    adopted=st.booleans(),
    modified_ms=st.one_of(st.none(), st.integers(0, 2**53)),
    fingerprint=st.one_of(st.none(), st.text("0123456789abcdef", min_size=16, max_size=16)),
    source=st.sampled_from([None, "cloudwatch", "final", "none"]),
    read_to_ms=st.one_of(st.none(), st.integers(0, 2**53)),
    points=st.dictionaries(names, st.integers(1, 10**6), max_size=60),
    keys=st.dictionaries(names, names, max_size=5),
    document=st.booleans(),
)


@given(watermarks)
def test_what_is_written_is_read_back(watermark: Watermark) -> None:
    """Whatever the names; each part is within MLflow's limit."""
    tags = to_tags(watermark)
    assert from_tags(tags) == watermark
    assert all(len(value) <= TAG_VALUE_LIMIT for value in tags.values())


@given(watermarks)
def test_an_open_watermark_is_found_by_its_mark(watermark: Watermark) -> None:
    """A search over the first part finds the runs that are not final, and no others."""
    assert (OPEN_MARK in to_tags(watermark)[STATE_TAG]) is not watermark.final


@given(watermarks, watermarks)
def test_parts_of_a_longer_predecessor_do_no_harm(long: Watermark, short: Watermark) -> None:
    """What stands behind the end of the text is not read."""
    assert from_tags({**to_tags(long), **to_tags(short)}) == short


def test_a_run_without_one_has_none() -> None:
    """No tag, no watermark."""
    assert from_tags({"sagemaker.arn": "arn:aws:…"}) is None


DAMAGED = [
    "",
    "{",
    "[]",
    "7",
    "[" * 7000,
    '{"made_ms": 1}',
    '{"version": 1}',
    '{"version": 1, "made_ms": "1"}',
    '{"version": 1, "made_ms": 1, "final": 1}',
    '{"version": 1, "made_ms": 1, "points": {"loss": "1"}}',
    '{"version": 1, "made_ms": 1, "keys": {"loss": 1}}',
    '{"version": 1, "made_ms": 1, "streams": {"algo-1-1": [1, 2, 3]}}',
    '{"version": 1, "made_ms": 1, "findings": {"loss": 1}}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_watermark_is_an_error_of_its_job(text: str) -> None:
    """It is not taken for an empty one, which would double nothing but lose its place."""
    with pytest.raises(JobError, match=STATE_TAG):
        from_tags({STATE_TAG: text})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": 99, "made_ms": 1}', "version 99; this one reads version 1"),
        ('{"version": 0, "made_ms": 1, "x": 2}', "version 0 with x"),
        ('{"version": 1, "made_ms": 1, "seen": {}, "later": 2}', "version 1 with later, seen;"),
    ],
)
def test_a_watermark_of_another_version_is_refused(text: str, said: str) -> None:
    """A program does not guess; both ways out are named."""
    with pytest.raises(JobError, match=r"newer or an older smwatch.*upgrade smwatch, or") as error:
        from_tags({STATE_TAG: text})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("file", "document"),
    [("watermark_v1.json", False), ("watermark_v1_document.json", True)],
)
def test_version_one_is_read_for_ever(file: str, *, document: bool) -> None:
    """A watermark as version 0.1.0 wrote it, without and with the note on the document."""
    text = (Path(__file__).parents[1] / "data" / file).read_text()
    assert from_tags({STATE_TAG: text.strip()}) == Watermark(
        made_ms=1_790_000_000_000,
        final=True,
        modified_ms=1_789_999_000_000,
        fingerprint="0123456789abcdef",
        source="cloudwatch",
        read_to_ms=1_789_999_920_000,
        points={"loss (train) %": 12, "system/algo-1/cpu_utilization_percentage": 60},
        keys={"loss (train) %": "loss _train_ _"},
        document=document,
    )


def test_counts_add_up_and_only_changed_names_are_kept() -> None:
    """A series without a point leaves no trace; a legal key is its own name."""
    before = Watermark(made_ms=1, points={"a": 2})
    after = before.advanced({"a": 3, "b!": 1, "c": 0}, {"a": "a", "b!": "b_", "c": "c"})
    assert after.points == {"a": 5, "b!": 1}
    assert after.keys == {"b!": "b_"}
    assert after.given_keys == {"a": "a", "b!": "b_"}
