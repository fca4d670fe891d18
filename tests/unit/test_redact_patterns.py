"""The user's own patterns: what they replace, what stays, and what is refused."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.aws import operations
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.own_patterns import patterns_in
from mlflow_smwatch.core.redact import Redaction
from mlflow_smwatch.options import SyncOptions

CODE_NAME = "Projekt Adler"
REDACTION = Redaction((r"(?i)projekt\s+\w+",))
NUMBERS_HIDDEN = '{"a": "***", "b": "x***", "c": [true, "***.***"]}'
HOSTILE_SIZE = 16 * 1024
HOSTILE_SECONDS = 2.0


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\d{4}-\d{4}", "card 1234-5678, card 8765-4321.", "card ***, card ***."),
        (r"[\w.]+@example\.com", "ask joe.doe@example.com", "ask ***"),
        (r"(?i)adler", "ADLER and adler", "*** and ***"),
        ("a", "banana", "b***n***n***"),
        (".", "abc", "***"),
        ("a|b", "xabay", "x***y"),
        ("é+", "né\u00e9 losses", "n*** losses"),
        (r"^adam$", "adam", "***"),
        (r"^adam$", "adamw", "adamw"),
        (r"x\*", "x***", "***"),
        (r"b|a\*", "ab", "***"),
        (r"\*", "**", "***"),
        ("a.b", "a\ud800b", "***"),
        ("a.b", "a\x00b c", "*** c"),
        (r"\w+", "abc", "***"),
        (r"\C\C", "é", "***"),
        ("a", "", ""),
        ("x", f"xAKIA{'A' * 16}", "******"),
        (r"<script>.*", "<script>alert(1)", "***"),
        (r"p(?P<n>1)", "p1", "***"),
    ],
)
def test_matches_go(pattern: str, text: str, expected: str) -> None:
    """Each match goes, also one that only what was hidden makes; twice is once."""
    redaction = Redaction((pattern,))
    assert redaction.text(text) == expected
    assert redaction.text(expected) == expected
    assert redaction.own(expected) == expected


def test_several_patterns() -> None:
    """They may name their groups alike, and one may meet what another leaves."""
    redaction = Redaction((r"(?P<who>joe)", r"(?P<who>ann)", r"\*\* and \*"))
    assert redaction.text("joe and ann") == "***"
    assert redaction.text("joe or ann") == "*** or ***"


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (r"\d+", '{"a": 1, "b": "x2", "c": [true, 3.5]}', NUMBERS_HIDDEN),
        ("adam", '"adam"', '"***"'),
        ("^adam$", '"adam"', '"***"'),
        ("abc", '"\\u0061bc"', '"***"'),
        ("a\nb", '{"x": "a\\nb", "y": 1.10}', '{"x": "***", "y": 1.10}'),
        ("key", '{"key": {"keys": null}}', '{"***": {"***s": null}}'),
        ("é", '{"é": "é", "\\u00e9": 1}', '{"***": "***", "***": 1}'),
        ('"a": 1', '{"a": 1}', '"***"'),
        (r"\{", '{"a": 1}', '"***"'),
        ('"', '{"a": 1}', "***"),
        ("null", "[null]", '["***"]'),
        ("secret", '{"in": "{\\"deep\\": \\"a secret\\"}"}', '{"in": "{\\"deep\\": \\"a ***\\"}"}'),
        ("cut", '{"a": "cut off', '{"a": "*** off'),
    ],
)
def test_json_is_searched_decoded(pattern: str, value: str, expected: str) -> None:
    """JSON stays JSON, and what does not match stays to the letter."""
    redaction = Redaction((pattern,))
    answer = {"HyperParameters": {"x-ray": value}}
    assert redaction.answer(answer) == {"HyperParameters": {"x-ray": expected}}
    assert redaction.text(expected) == expected


def test_names_of_a_user() -> None:
    """Names of values are replaced too, and stay apart; ARNs and names of AWS's things stay."""
    arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/adler"
    quoted = "arn:aws:sagemaker:us-east-1:123456789012:training-job/***"
    answer: dict[str, Any] = {
        "TrainingJobName": "adler",
        "TrainingJobArn": arn,
        "TrainingJobStatus": "Completed",
        "HyperParameters": {"adler": "1", "ADLER": "2", "lr": "adler"},
        "Tags": [{"Key": "adler", "Value": arn}, {"Key": "team", "Value": "x"}],
        "AlgorithmSpecification": {
            "MetricDefinitions": [{"Name": "adler", "Regex": "adler=(.*)"}],
            "ContainerArguments": ["--name", "adler"],
        },
        "Source": {"SourceUri": arn},
        "InstanceGroupNames": ["adler"],
        "FailureReason": f"no {arn}",
        "BillableTimeInSeconds": 1,
    }
    assert Redaction(("(?i)adler", "Completed")).answer(answer) == {
        **answer,
        "HyperParameters": {"***": "1", "***_2": "2", "lr": "***"},
        "Tags": [{"Key": "***", "Value": quoted}, {"Key": "team", "Value": "x"}],
        "AlgorithmSpecification": {
            "MetricDefinitions": [{"Name": "adler", "Regex": "adler=(.*)"}],
            "ContainerArguments": ["--name", "***"],
        },
        "FailureReason": f"no {quoted}",
    }


@pytest.mark.parametrize(
    "pattern",
    ["", "a*", "^", "$", r"\b", r"\B", "a|", "(?m)^", "(?:a|\\b)", r"\z", "x{0,3}"],
)
def test_what_matches_nothing_is_refused(pattern: str) -> None:
    """It would match between any two characters."""
    with pytest.raises(UsageError, match=r"^--redact .*: matches nothing at all, so everywhere$"):
        SyncOptions(redact=(pattern,))


@pytest.mark.parametrize("pattern", ["a(", "(?=a)", r"(a)\1", "[", "a{1001}", "*", "\ud800"])
def test_what_re2_does_not_take_is_refused(pattern: str) -> None:
    """In one line that names the pattern."""
    with pytest.raises(UsageError, match=r"^--redact .*: not a pattern of RE2 \(.+\)$") as raised:
        SyncOptions(redact=("fine", pattern))
    assert str(raised.value).isprintable()


def test_one_text_is_no_sequence_of_patterns() -> None:
    """Python would take its letters for patterns."""
    with pytest.raises(UsageError, match=r"^--redact 'abc': give several patterns"):
        SyncOptions(redact="abc")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tag", "patterns"),
    [
        (("api-token", "4711"), ()),
        (("owner", "joe@example.com"), (".+@.+",)),
        (("adler", "4711"), ("adler",)),
    ],
)
def test_hidden_tags_choose_no_jobs(tag: tuple[str, str], patterns: tuple[str, ...]) -> None:
    """A tag that is mirrored as ``***`` tells jobs no more apart; the message has no secret."""
    with pytest.raises(UsageError, match=r"^--tag [a-z-]+: its value counts as a secret") as raised:
        SyncOptions(tags=(("team", "vision"), tag), redact=patterns)
    assert tag[1] not in str(raised.value)
    assert SyncOptions(tags=(("team", "vision"),), redact=("adler",)).tags == (("team", "vision"),)


def test_patterns_of_a_variable() -> None:
    """One a line, with the spaces that belong to it."""
    assert patterns_in("a b, c\n\n  d \r\n \n(?i)e") == ("a b, c", "  d ", "(?i)e")
    assert patterns_in("") == ()


def test_redactions_are_values() -> None:
    """They can be compared, hashed and sent to another process."""
    sent = pickle.loads(pickle.dumps(REDACTION))  # noqa: S301 - its own bytes
    assert sent == REDACTION
    assert {sent} == {REDACTION}
    assert sent.text(CODE_NAME) == "***"


PATTERNS = (r"[a-c]+", r"\d{2,}", "é", r"\bx\w", r"^q|z$", "(?i)MOON", r"a.c", r"\s[b-d]\s", "n")
texts = st.text(st.sampled_from('abcxqz019é* \n"\\{}[]:,=-/moN\x00'), max_size=40)
json_texts = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 10**6), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
).map(json.dumps)
patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3).map(tuple)


def strings(value: object) -> Iterator[str]:
    """Give all texts in a value, those of JSON decoded as well."""
    if isinstance(value, str):
        yield value
        yield from strings(loaded(value))
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from (str(name), *strings(member))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def loaded(text: str) -> Any:
    """Give what a JSON object, array or string holds; None for any other text."""
    try:
        return json.loads(text) if text.lstrip()[:1] in {"{", "[", '"'} else None
    except ValueError:
        return None


@given(st.one_of(texts, json_texts), patterns)
def test_no_match_is_left(text: str, given_patterns: tuple[str, ...]) -> None:
    """Whatever the text: no match is left in it, JSON is JSON still, and twice is once."""
    redaction = Redaction(given_patterns)
    answer = redaction.answer({"Environment": {"v": text}, "FailureReason": text})
    for found in strings(answer["Environment"]):
        assert redaction.own(found) == found
    assert redaction.answer(answer) == answer
    assert redaction.text(text) == answer["FailureReason"]
    if loaded(text) is not None:
        assert loaded(str(answer["FailureReason"])) is not None


@cache
def sagemaker() -> ServiceModel:
    """Give botocore's model of SageMaker."""
    return botocore.session.get_session().get_service_model("sagemaker")


def sample(shape: Shape) -> Any:
    """Make an answer of a shape in which every text, and every user's name, has the code name."""
    if isinstance(shape, StructureShape):
        return {key: sample(each) for key, each in shape.members.items()}
    if isinstance(shape, ListShape):
        return [sample(shape.member)]
    if isinstance(shape, MapShape):
        key = getattr(shape.key, "enum", None) or [f"{CODE_NAME} {shape.name}"]
        return {key[0]: sample(shape.value)}
    return f"a {CODE_NAME}" if shape.type_name == "string" else 7


def left(value: object, name: str = "") -> Iterator[str]:
    """Name the members that have the code name still."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from (name,) if CODE_NAME in key else ()
            yield from left(member, name if CODE_NAME in key else key)
    elif isinstance(value, list):
        for item in value:
            yield from left(item, name)
    elif isinstance(value, str) and CODE_NAME in value:
        yield name


SAGEMAKER = sorted(
    value.partition(":")[2]
    for value in vars(operations).values()
    if isinstance(value, str) and value.startswith("sagemaker:")
)
ENDINGS = ("Arn", "ARN", "Name", "Status", "Arns", "Names")
KEPT = {
    "AssociationType",
    "ContainerHostname",
    "InstanceType",
    "MlflowExperimentId",
    "MlflowRunId",
    "Regex",
    "SelectedInstanceType",
}


@pytest.mark.parametrize("operation", SAGEMAKER)
def test_every_member_of_every_answer(operation: str) -> None:
    """Of all that SageMaker's model knows, only what things are found by keeps a match."""
    shape = sagemaker().operation_model(operation).output_shape
    assert shape is not None
    kept = set(left(REDACTION.answer(sample(shape))))
    assert {name for name in kept if not name.endswith(ENDINGS)} <= KEPT


@pytest.mark.parametrize("unit", ["a", "xa", '{"a":', '["', "\\", "***a", "a*", "é", "\x00"])
@pytest.mark.parametrize("patterns", [("a",), (r"a\*|x",), ("(a|aa)+$",), ("b|a", r"\*x")])
def test_hostile_text_is_quick(unit: str, patterns: tuple[str, ...]) -> None:
    """However a text is made, and whatever a match makes of it."""
    redaction = Redaction(patterns)
    text = unit * (HOSTILE_SIZE // len(unit))
    began = time.perf_counter()
    redaction.answer({"FailureReason": text, "HyperParameters": {"x": f'["{text}"]', text: "y"}})
    assert time.perf_counter() - began < HOSTILE_SECONDS
