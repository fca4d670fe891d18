from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.documents import PAGES, ROOT, anchors, links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every file and every heading that a page links to is there."""
    for target in links(page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def test_the_pages_are_linked_from_the_readme() -> None:
    """A reader finds every page."""
    linked = {(ROOT / each).resolve() for each in links((ROOT / "README.md").read_text("utf-8"))}
    assert {page for page in PAGES if page.name != "README.md"} <= linked
