"""``[[rule]]``: what a watch looks out for, and whom it tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One condition on what is mirrored.

    Attributes
    ----------
    name
        What it is called in messages.
    """

    name: str


def read_rules(where: str, tables: object) -> tuple[Rule, ...]:
    """Read the tables ``[[rule]]`` of a configuration file.

    Parameters
    ----------
    where
        The file, for messages.
    tables
        What the file has under ``rule``.

    Raises
    ------
    UsageError
        When a table cannot be understood.
    """
    del where, tables
    return ()
