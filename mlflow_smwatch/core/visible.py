"""Text of others, fit for a terminal."""

from __future__ import annotations


def visible(text: str) -> str:
    """Write the characters that show nothing, or change how others show, as ``repr`` does.

    Those are control characters, marks of writing direction, separators other than the blank, and
    code points that are no characters.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text in printable characters.
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
