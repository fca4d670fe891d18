"""The project's pages, as a reader sees them: blocks, tables, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[\w ]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; the mark is the comment above it, which says how it is tested."""

    mark: str | None
    language: str
    text: str


def read(name: str) -> str:
    """Return a page's text, by path from the checkout."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """List the fenced blocks of a text."""
    return [Block(each["mark"], each["language"], each["text"]) for each in _BLOCK.finditer(text)]


def prose(text: str) -> str:
    """Return a text without its fenced blocks."""
    return _BLOCK.sub("", text)


def links(text: str) -> list[str]:
    """List the targets of all links and images of a text."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of a text's headings."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in _HEADING.findall(prose(text))
    }


def section(text: str, title: str) -> str:
    """Return what stands under a heading, up to the next heading of its level or above."""
    level, rest = re.split(rf"^(#+) {re.escape(title)}$", text, maxsplit=1, flags=re.MULTILINE)[1:]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str, *header: str) -> Iterator[list[str]]:
    """Give the rows of the table with this header; such a table must be there."""
    lines = text.splitlines()
    begin = [_cells(line) for line in lines].index(list(header)) + 2
    for line in lines[begin:]:
        if not line.startswith("|"):
            return
        yield _cells(line)


def names(text: str) -> set[str]:
    """Return everything that stands in backquotes outside of blocks."""
    return set(_CODE.findall(prose(text)))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
