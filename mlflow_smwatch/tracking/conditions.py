"""Texts in MLflow's search conditions, which know no way to write both kinds of quotes."""

from __future__ import annotations

from mlflow_smwatch.core.errors import JobError


def literal(text: str) -> str:
    """Write a text into a search condition.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text in quotes.

    Raises
    ------
    JobError
        When it holds both kinds of quotes.
    """
    if "'" in text and '"' in text:
        message = f"MLflow cannot search for a text with both kinds of quotes: {text}"
        raise JobError(message)
    return f'"{text}"' if "'" in text else f"'{text}'"
