"""What a pass has come to by now, and what it will come to, in a few words."""

from __future__ import annotations

from tqdm import tqdm

from mlflow_smwatch.report import SyncReport

_MOST_LEFT = 20
"""How many times what was read may be left: before that, what listing costs counts too much."""


def figures(so_far: SyncReport) -> str:
    """Say what a pass has written, asked and spent, and what it will have in the end.

    Parameters
    ----------
    so_far
        The report of a pass that goes on.

    Returns
    -------
    str
        Points, AWS calls and, where they cost anything, dollars; ``/`` stands before a forecast.
    """
    growth = growth_to_come(so_far)
    calls, cost_usd = sum(so_far.aws_calls.values()), so_far.estimated_cost_usd
    parts = [f"{_short(so_far.points)} points", f"{_with(calls, growth)} calls"]
    if cost_usd:
        whole = f"/{cost_usd * growth:.2f}" if growth > 1 else ""
        parts.append(f"${cost_usd:.2f}{whole}")
    if so_far.failed:
        parts.append(f"{_short(len(so_far.failed))} failed")
    return " ".join(parts)


def growth_to_come(so_far: SyncReport) -> float:
    """Tell how many times the calls and the price of a pass will grow until its end.

    What is still to be found is taken to be like what was found; what had not changed cost nothing.

    Parameters
    ----------
    so_far
        The report of a pass that goes on.

    Returns
    -------
    float
        At least 1; 1 as well where too little is known.
    """
    read = so_far.found - so_far.counts["unchanged"]
    left = so_far.expected - so_far.found
    is_telling = 0 < left < _MOST_LEFT * read
    return 1 + left / read if is_telling else 1.0


def _with(number: int, growth: float) -> str:
    """Write a number and, where it will grow, what it grows to."""
    return f"{_short(number)}/{_short(number * growth)}" if growth > 1 else _short(number)


def _short(number: float) -> str:
    return tqdm.format_sizeof(number) if number >= 1000 else f"{number:.0f}"
