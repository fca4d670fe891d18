"""Hypothesis strategies for AWS's answers: made of botocore's model, hostile where that allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import cache
from typing import Any

from botocore.model import Shape
from hypothesis import strategies as st

from mlflow_smwatch.demo.validation import service_model
from tests.hostile.texts import hostile_texts, one_line
from tests.strategies import job_names

ARNS = "arn:aws:sagemaker:us-east-1:123456789012:"
LONGEST = 2500
MOST = 3
_FREE: Mapping[str, Callable[[str], str]] = {
    "[\\S\\s]*": str,
    "[\\S\\s]+": str,
    ".*": one_line,
    ".+": one_line,
    "[\\p{L}\\p{M}\\p{Z}\\p{S}\\p{N}\\p{P}]*": one_line,
    "[\\S]+": lambda text: "".join(text.split()) or "-",
}
"""Patterns that let nearly every text through, and what takes out the rest."""
_NAME = re.compile(r"\[a-zA-Z0-9\]\(")
_DEPTH = 7

moments = st.one_of(
    st.integers(1_580_000_000, 1_800_000_000).map(
        lambda second: datetime.fromtimestamp(second, tz=timezone.utc)
    ),
    st.sampled_from(
        (
            datetime(1970, 1, 1, tzinfo=timezone.utc),
            datetime(9999, 12, 30, tzinfo=timezone.utc),
        )
    ),
)
integers = st.one_of(st.integers(0, 20), st.sampled_from((2**31 - 1, 2**63 - 1)))
floats = st.one_of(
    st.floats(), st.sampled_from((1e308, -0.0, 5e-324, float("inf"), float("-inf"), float("nan")))
)


def _texts(shape: Any) -> st.SearchStrategy[str]:
    limits = shape.metadata
    longest, shortest = min(limits.get("max", LONGEST), LONGEST), limits.get("min", 0)
    if shape.enum:
        return st.sampled_from((*shape.enum, "Unheard"))
    if shape.name.endswith("Arn"):
        return job_names.map(lambda name: f"{ARNS}training-job/{name}")
    made = _of_pattern(limits.get("pattern"))
    return made.map(lambda text: text[:longest]).map(lambda text: text or "-" * shortest)


def _of_pattern(pattern: str | None) -> st.SearchStrategy[str]:
    if pattern is None or pattern in _FREE:
        return hostile_texts.map(_FREE.get(pattern or "", str))
    if "s3" in pattern:
        return hostile_texts.map(lambda text: f"s3://bucket/{one_line(text)}")
    if _NAME.match(pattern):
        return job_names
    if "\\p{" in pattern or "\\u" in pattern:
        return st.text(st.characters(categories=("L", "Z", "N")), max_size=40).map(one_line)
    return _matching(pattern)


@cache
def _matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


def _structures(shape: Any, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required = {name: values(shape.members[name], depth) for name in shape.required_members}
    optional = {
        name: values(member, depth)
        for name, member in shape.members.items()
        if name not in required and depth < _DEPTH
    }
    return st.fixed_dictionaries(required, optional=optional)


def values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Make any value that AWS may give under a shape of the model."""
    kind = shape.type_name
    if kind == "structure":
        return st.deferred(lambda: _structures(shape, depth + 1))
    if kind == "list":
        member: Any = shape
        return st.lists(values(member.member, depth + 1), max_size=0 if depth > _DEPTH else MOST)
    if kind == "map":
        pairs: Any = shape
        return st.dictionaries(_texts(pairs.key), values(pairs.value, depth + 1), max_size=MOST)
    plain = {"timestamp": moments, "boolean": st.booleans(), "float": floats, "double": floats}
    if kind in {"integer", "long"}:
        return integers
    return plain[kind] if kind in plain else _texts(shape)


@cache
def answers(operation: str) -> st.SearchStrategy[dict[str, Any]]:
    """Make answers of one of SageMaker's operations."""
    shape = service_model("sagemaker").operation_model(operation).output_shape
    assert shape is not None
    return values(shape)


@cache
def records(shape_name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Make records of ``Search``."""
    return values(service_model("sagemaker").shape_for(shape_name))
