"""``[[source]]``: what else of CloudWatch the user attaches to the runs of jobs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Series and log groups that belong to some jobs.

    Attributes
    ----------
    name
        What it is called in keys, tags and messages.
    """

    name: str


def read_sources(where: str, tables: object) -> tuple[Source, ...]:
    """Read the tables ``[[source]]`` of a configuration file.

    Parameters
    ----------
    where
        The file, for messages.
    tables
        What the file has under ``source``.

    Raises
    ------
    UsageError
        When a table cannot be understood.
    """
    del where, tables
    return ()
