"""What commands print on stdout, and the progress bar."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import click

SOME_FAILED = 1

_USUAL_SIZE = (80, 24)
_OF_TOTAL = "{desc}: {n_fmt}/{total_fmt} {bar} {elapsed}<{remaining} {rate_noinv_fmt}{postfix}"
_SMOOTHING = 0.02
"""How much the last jobs say of the rate: they come in bursts, as they are written."""


class Advance(Protocol):
    """Moves a bar to a number of jobs that are done."""

    def __call__(self, done: int, expected: int = 0, figures: str = "") -> None:
        """Move the bar, towards a number of jobs where one is known; the figures end its line."""


def print_result(document: dict[str, Any], text: Iterator[str], *, as_json: bool) -> None:
    """Print a result.

    Parameters
    ----------
    document
        As JSON.
    text
        As lines for a terminal.
    as_json
        Which of both.
    """
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        for line in text:
            click.echo(line)


@contextlib.contextmanager
def progress_bar(*, shown: bool = True) -> Iterator[Advance]:
    """Show a bar on stderr while jobs are done, if that is a terminal.

    Parameters
    ----------
    shown
        False for none in any case.

    Yields
    ------
    Advance
        What moves the bar.
    """
    from tqdm import tqdm

    columns, rows = _bar_size()
    with tqdm(
        desc="jobs",
        unit="job",
        file=sys.stderr,
        disable=None if shown else True,
        leave=False,
        smoothing=_SMOOTHING,
        ncols=columns,
        nrows=rows,
    ) as bar:

        def advance(done: int, expected: int = 0, figures: str = "") -> None:
            if expected:
                bar.total, bar.bar_format = max(done, expected), _OF_TOTAL
            bar.set_postfix_str(figures, refresh=False)
            bar.update(done - bar.n)

        yield advance


def _bar_size() -> tuple[int, int] | tuple[None, None]:
    """Choose a size where the terminal does not know its own: tqdm would draw nothing there."""
    try:
        known = min(os.get_terminal_size(sys.stderr.fileno()))
    except (OSError, ValueError):
        return None, None
    return (None, None) if known else _USUAL_SIZE
