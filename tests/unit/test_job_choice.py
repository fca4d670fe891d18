"""Which jobs a table is for: the same words mean the same in each."""

from __future__ import annotations

from typing import Any

import pytest

from mlflow_smwatch.core.job_choice import JobChoice, compiled_name

TAGS = {"cluster": "blue", "empty": ""}

CHOICES = [
    ({}, True),
    ({"kinds": ("endpoint", "training-job")}, True),
    ({"kinds": frozenset({"endpoint"})}, False),
    ({"pattern": "train"}, False),
    ({"pattern": "7"}, False),
    ({"pattern": r"train-\d"}, True),
    ({"pattern": "train|.*-7"}, True),
    ({"pattern": "("}, False),
    ({"tags": (("cluster", "blue"), ("empty", ""))}, True),
    ({"tags": (("cluster", "*"), ("empty", "*"))}, True),
    ({"tags": (("cluster", "green"),)}, False),
    ({"tags": (("cluster", "blue"), ("team", "*"))}, False),
]


@pytest.mark.parametrize(("choice", "taken"), CHOICES)
def test_a_choice_takes_whole_names_and_all_tags(choice: dict[str, Any], *, taken: bool) -> None:
    """Kind, whole name, and every tag, of which ``*`` is any value."""
    assert JobChoice(**choice).takes("training-job", "train-7", TAGS) is taken


def test_what_re2_cannot_compile_is_none() -> None:
    """Look-around would take time without a bound."""
    assert compiled_name("(?=x)") is None
