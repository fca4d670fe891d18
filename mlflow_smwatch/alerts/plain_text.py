"""Text of others, written so that a service shows it and does nothing else with it."""

from __future__ import annotations

import html
import re

from mlflow_smwatch.core.visible import visible

HTML = "html"
MARKDOWN = "markdown"

_BRACKETS = str.maketrans({"<": "‹", ">": "›", "&": "＆"})  # noqa: RUF001 - they look alike, and mean nothing
_MARKS = re.compile(r"([\\`*_\[\]~|#])")
_CALLS = re.compile(r"@(?=[\w&!])")
_NO_WIDTH = "\N{WORD JOINER}"


def plain(text: str, language: str) -> str:
    """Write text so that it is shown as it stands, without tags, links, or calls of people.

    What a job says of its failure is written by others: of ``<img …>``, ``<!channel>``,
    ``[text](URL)`` and ``@everyone`` nothing may come to life.

    Parameters
    ----------
    text
        Any.
    language
        What the service reads it as: `HTML`, `MARKDOWN`, or anything else for text.

    Returns
    -------
    str
        One line.
    """
    line = visible(text)
    if language == HTML:
        return html.escape(line, quote=False)
    line = _CALLS.sub(f"@{_NO_WIDTH}", line)
    return _MARKS.sub(r"\\\1", line.translate(_BRACKETS)) if language == MARKDOWN else line
