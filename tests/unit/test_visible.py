"""Texts of others cannot do anything to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("loss=0.5 é 損失 🙂", "loss=0.5 é 損失 🙂"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\x9bb\x7f", r"a\x9bb\x7f"),
        ("\u202eevil\u2066\u200e\u061c", r"\u202eevil\u2066\u200e\u061c"),
        ("a\nb\tc\u2028", r"a\nb\tc\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    """What shows stays; what does not is written as an escape."""
    assert visible(text) == shown


@given(st.text())
def test_everything_shows(text: str) -> None:
    """Whatever comes in, and once is enough."""
    shown = visible(text)
    assert shown.isprintable()
    assert visible(shown) == shown
