"""MLflow-legal keys and values."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation as mlflow_validation

from mlflow_smwatch.core.keys import (
    DATASET_TAG_LIMIT,
    KEY_LIMIT,
    PARAM_VALUE_LIMIT,
    TAG_VALUE_LIMIT,
    assign_keys,
    legal_key,
    legal_value,
)
from tests.strategies import any_text, original_names

validation: Any = mlflow_validation
"""MLflow's own checks, which have no type hints."""


def assert_mlflow_accepts(key: str) -> None:
    """Ask MLflow itself."""
    validation._validate_metric_name(key)
    validation._validate_param_name(key)
    validation._validate_tag_name(key)
    assert 1 <= len(key) <= validation.MAX_ENTITY_KEY_LENGTH
    assert key.encode()


def hashed(original: str) -> str:
    """Return the end of the key of a long name."""
    return "_" + hashlib.sha256(original.encode()).hexdigest()[:8]


@pytest.mark.parametrize(
    ("original", "key"),
    [
        ("loss", "loss"),
        ("validation:auc", "validation:auc"),
        ("loss (train) %", "loss _train_ _"),
        ("损失", "损失"),
        ("a.b-c_d/e f:g", "a.b-c_d/e f:g"),
        ("", "_"),
        (" ", " "),
        ("loss\n", "loss_"),
        ("\n", "_"),
        ("a\x00b\ud800c", "a_b_c"),
        ("/", "_"),
        ("//", "__"),
        ("/a", "_a"),
        ("a/", "a_"),
        ("a//b", "a/_b"),
        ("a///b", "a/__b"),
        ("a//", "a/_"),
        (".", "_"),
        ("..", "__"),
        ("...", "__."),
        ("..a", "__a"),
        ("..a/..b", "__a/..b"),
        ("a/..b", "a/..b"),
        ("a/./b", "a/_/b"),
        ("a/../b", "a/__/b"),
        ("a/.../b", "a/.../b"),
        ("./a", "_/a"),
        ("a/..", "a/__"),
        ("/.", "_."),
        ("a//./b", "a/_./b"),
        ("😀", "_"),
        ("e\u0301", "e_"),
        ("é", "é"),
    ],
)
def test_legal_key(original: str, key: str) -> None:
    """Each rule, alone and beside others."""
    assert legal_key(original) == key
    assert_mlflow_accepts(key)


@pytest.mark.parametrize(
    "original",
    [
        "a" * 251,
        "?" * 251,
        "a" * 240 + "/" + "b" * 20,
        "a" * 239 + "/." + "b" * 20,
        "a" * 238 + "/.." + "b" * 20,
        "损" * 300,
    ],
)
def test_long_key(original: str) -> None:
    """A name over 250 characters becomes its first 241, ``_`` and 8 digits of its SHA-256."""
    key = legal_key(original)
    assert key == original[:241].replace("?", "_") + hashed(original)
    assert len(key) == KEY_LIMIT
    assert_mlflow_accepts(key)


def test_longest_key_stays() -> None:
    """250 characters are within the limit."""
    assert legal_key("a" * KEY_LIMIT) == "a" * KEY_LIMIT


@given(original_names)
def test_mlflow_accepts_every_key(original: str) -> None:
    """MLflow accepts every key, and a legal key stays as it is."""
    key = legal_key(original)
    assert_mlflow_accepts(key)
    assert legal_key(key) == key


@given(original_names)
def test_accepted_names_stay(original: str) -> None:
    """A name that MLflow accepts, and that has no trailing line end, is its own key."""
    accepted = (
        len(original) <= KEY_LIMIT
        and "\n" not in original
        and validation.validate_param_and_metric_name(original)
        and not validation.path_not_unique(original)
    )
    if accepted:
        assert legal_key(original) == original


def test_no_keys() -> None:
    """No names, no keys, whatever was given before."""
    assert assign_keys([]) == {}
    assert assign_keys([], {"a": "a"}) == {}


def test_collision_in_sorted_order() -> None:
    """Of colliding names the first in sorted order keeps the key."""
    assert assign_keys(["a?", "a_", "a!", "a#"]) == {
        "a!": "a_",
        "a#": "a__2",
        "a?": "a__3",
        "a_": "a__4",
    }


def test_suffix_leaves_natural_keys() -> None:
    """A numbered key never takes the key of a name that collides with nobody."""
    assert assign_keys(["a!", "a?", "a__2"]) == {"a!": "a_", "a?": "a__3", "a__2": "a__2"}


def test_case_and_unicode_form_are_kept() -> None:
    """Names that differ in case or Unicode form do not collide."""
    names = ["Loss", "loss", "é", "ﬁ", "fi"]
    assert assign_keys(names) == {name: name for name in names}


def test_given_keys_stay() -> None:
    """A key handed out earlier stays with its name, and is nobody else's."""
    given_keys = {"a?": "a_", "gone": "b"}
    assert assign_keys(["a!", "a?", "b"], given_keys) == {"a!": "a__2", "a?": "a_", "b": "b_2"}


def test_suffix_within_limit() -> None:
    """A numbered key stays within 250 characters."""
    names = ["a" * 249 + "!", "a" * 249 + "?"]
    assert assign_keys(names) == {names[0]: "a" * 249 + "_", names[1]: "a" * 248 + "_2"}


def test_many_collisions() -> None:
    """Thousands of colliding names are numbered one after the other."""
    names = [chr(0x2200 + number % 256) + chr(0x2200 + number // 256) for number in range(5000)]
    keys = assign_keys(names)
    assert sorted(keys.values()) == sorted(["__", *(f"___{n}" for n in range(2, 5001))])


@given(st.lists(original_names, max_size=12))
def test_keys_are_legal_distinct_and_stable(names: list[str]) -> None:
    """Keys are legal, distinct, independent of order and repetition, and stay once given."""
    keys = assign_keys(names)
    assert set(keys) == set(names)
    assert len(set(keys.values())) == len(keys)
    for key in keys.values():
        assert_mlflow_accepts(key)
    assert assign_keys([*reversed(names), *names]) == keys
    assert assign_keys(names, keys) == keys


@given(st.sets(original_names, max_size=8), st.sets(original_names, max_size=8))
def test_later_names_never_take_given_keys(first: set[str], later: set[str]) -> None:
    """Names that come later leave the keys of the earlier ones alone."""
    given_keys = assign_keys(first)
    keys = {**given_keys, **assign_keys(later, given_keys)}
    assert all(keys[name] == key for name, key in given_keys.items())
    assert len(set(keys.values())) == len(keys)


@given(st.sets(st.text("!?_2/.", max_size=4), max_size=12))
def test_unique_natural_keys_are_kept(names: set[str]) -> None:
    """A name whose legal key is no other name's has that key."""
    keys = assign_keys(names)
    natural = [legal_key(name) for name in names]
    for name in names:
        if natural.count(legal_key(name)) == 1:
            assert keys[name] == legal_key(name)


def test_limits_are_mlflows() -> None:
    """The limits are not above those of the installed MLflow."""
    assert validation.MAX_ENTITY_KEY_LENGTH == KEY_LIMIT
    assert validation.MAX_TAG_VAL_LENGTH == TAG_VALUE_LIMIT
    assert validation.MAX_PARAM_VAL_LENGTH == PARAM_VALUE_LIMIT
    assert validation.MAX_INPUT_TAG_VALUE_SIZE == DATASET_TAG_LIMIT


def test_legal_value() -> None:
    """What no database stores is replaced, then the value is cut."""
    assert legal_value("a\x00b\ud800c", 10) == "a\ufffdb\ufffdc"
    assert legal_value("\udfff" * 3 + "abc", 4) == "\ufffd" * 3 + "a"
    assert legal_value("é😀\n", 3) == "é😀\n"
    assert legal_value("", 5) == ""


@given(any_text, st.integers(0, 50))
def test_values_can_be_stored(text: str, limit: int) -> None:
    """Every value can be encoded, has no NUL, and is not over the limit."""
    value = legal_value(text, limit)
    assert value.encode()[:0] == b""
    assert "\x00" not in value
    assert len(value) == min(len(text), limit)


def test_keys_that_are_taken_are_not_handed_out() -> None:
    """A key that something of another name holds is left to it."""
    assert assign_keys(["loss", "a!"], taken=["loss", "a_"]) == {"a!": "a__2", "loss": "loss_2"}
