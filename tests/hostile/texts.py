"""Texts that try to be more than text, and what must be true of them wherever they arrive."""

from __future__ import annotations

import re

from hypothesis import strategies as st

MARK = "scriptWasRun"
HTML = (
    f"<script>window.{MARK}=1</script>",
    f'<img src=x onerror="window.{MARK}=1">',
    f'"><svg/onload=window.{MARK}=1>',
    f"</title></textarea></script><script>window.{MARK}=1</script>",
    "<iframe src=//evil.example></iframe>",
    "&lt;b&gt;&#x3c;i&#62;",
    "]]><!--",
)
MARKDOWN = (
    f"[click](javascript:window.{MARK}=1)",
    "![seen](https://evil.example/pixel.png)",
    "[a]: https://evil.example 'x'",
    "`code` **bold** _thin_ ~~gone~~ # title",
    "| a | b |\n|---|---|\n| c\nd | e |",
    "<https://evil.example/auto>",
    "x](https://evil.example)[y",
)
TERMINAL = (
    "\x1b[31mred\x1b[0m\x1b[2J\x1b[H",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b31mred\x9b0m",
    "Error: forged\rWarning: forged\nError: also forged",
    "bell\x07 back\x08space tab\t",
)
UNICODE = (
    "\u202etxt.exe\u202c",
    "\u2066a\u2069\u200f\u061c",
    "zero\u200bwidth\u200d\ufeff",
    "line\u2028paragraph\u2029next\x85",
    "😀\U0001f468\u200d\U0001f469",
    "é e\u0301 ﬁ İ ß 損失",
    "Z\u0335\u0321a\u0338l\u0321go",
    "\U000e0041\U000e0042",
)
UNSTORABLE = ("nul\x00nul", "lone\ud800high", "lone\udfff", "\udc00low")
PATHS = (
    "../../../etc/shadow",
    "/etc/shadow",
    "..\\..\\windows",
    "%2e%2e%2f%2e%2e%2fetc",
    "a%2Fb",
    "a//b",
    "./.",
    "..",
    "/",
    "~root/.ssh",
    "C:\\x",
)
WORDS = (
    "'; DROP TABLE runs; --",
    "%s %d {0} ${HOME} $(id)",
    "NaN",
    "None",
    "smwatch.version",
    "x" * 255,
    " leading and trailing ",
)
TEXTS = (*HTML, *MARKDOWN, *TERMINAL, *UNICODE, *UNSTORABLE, *PATHS, *WORDS)

hostile_texts = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(), max_size=40),
    st.lists(st.sampled_from(TEXTS), min_size=2, max_size=4).map("".join),
)
"""Any text, most often one that is meant to do harm."""


def one_line(text: str) -> str:
    """Take out what a pattern ``.+`` of AWS's does not let through."""
    return re.sub("[\n\r\x85\u2028\u2029]", "", text) or "-"


def is_plain(shown: str) -> bool:
    """Whether a terminal shows a text as it stands: it prints, or ends a line, or is a tab."""
    return all(each.isprintable() or each in "\n\t" for each in shown)


def is_storable(text: str) -> bool:
    """Whether every store takes a text."""
    return not re.search("[\x00\ud800-\udfff]", text)
