"""Notes in Markdown: to a reader of Markdown they are text, and the links that the mirror made."""

from __future__ import annotations

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from mlflow_smwatch.core.note import harmless
from mlflow_smwatch.core.record import run_record
from tests.hostile.rules import check_note
from tests.hostile.texts import MARKDOWN, TEXTS, hostile_texts, is_plain
from tests.unit.jobs import completed_job

_PLAIN = "Churn of 2026, second study.\n\n- by *age* & region\n- see #12 (draft)"


def active_parts(note: str) -> set[str]:
    """Read Markdown as CommonMark does, HTML let through; name what is more than text."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(note)
    inner = [each for token in tokens for each in (token, *(token.children or ()))]
    return {each.type for each in inner} & {"html_inline", "html_block", "image", "link_open"}


@pytest.mark.parametrize("text", TEXTS)
def test_a_name_is_text(text: str) -> None:
    """Whatever it is, a run's note has one bold name, and no link but the mirror's own."""
    note = run_record(completed_job(title=text)).note
    check_note(note)
    assert active_parts(note.partition("\n\n")[0]) == set()


@given(hostile_texts)
def test_any_name_is_text(text: str) -> None:
    """So is what nobody thought of."""
    note = run_record(completed_job(title=text)).note
    check_note(note)
    assert active_parts(note.partition("\n\n")[0]) == set()


@given(hostile_texts)
def test_a_description_loads_and_links_nothing(text: str) -> None:
    """It may be emphasised, no more."""
    note = harmless(text)
    assert active_parts(note) == set()
    assert is_plain(note)


def test_a_description_reads_as_it_was_written() -> None:
    """What is no link stays as it is but for what HTML needs."""
    assert harmless(_PLAIN) == _PLAIN.replace("&", "&amp;")
    assert all(active_parts(harmless(each)) == set() for each in MARKDOWN)
