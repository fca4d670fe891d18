"""What databases say when nothing can be written any more, and what to do then."""

from __future__ import annotations

import re

SCHEMA_CHANGED = "the schema of MLflow's database has changed since it was opened"

AWAY = re.compile(
    r"connection (to server .*)?failed|could not connect|connection refused|can't connect"
    r"|server closed the connection|terminating connection|connection already closed"
    r"|is (starting up|shutting down|in recovery mode|not yet accepting connections)"
    r"|lost connection|gone away",
    re.IGNORECASE,
)
"""How PostgreSQL, MySQL and their drivers say that there is no connection."""

_ADVICE = (
    (
        re.compile("database is locked"),
        (
            "the database stayed locked while {what}: another program writes to it; end that"
            " program or wait, then run again"
        ),
    ),
    (
        re.compile("readonly database|read-only transaction|read[-_]only option"),
        (
            "the database cannot be written to while {what}: give this user the right to write to"
            " it (of a SQLite database: to its file and to the folder around it), then run again"
        ),
    ),
    (
        re.compile("disk is full|No space left on device|could not extend file|The table .* full"),
        "the disk is full while {what}: make room where the database lies, then run again",
    ),
    (
        re.compile("disk I/O error|unable to open database file"),
        (
            "the database's file cannot be used while {what}: check its disk and the rights, then"
            " run again"
        ),
    ),
    (
        re.compile(SCHEMA_CHANGED),
        "the database was migrated while {what}: run again, with the MLflow that it is for now",
    ),
    (
        AWAY,
        "the database no longer answers while {what}: start it, then run again",
    ),
)


def advice(said: str, what: str) -> str | None:
    """Say what to do where no other job could be written either.

    Parameters
    ----------
    said
        The first line of what the database said; later ones may hold what was to be written.
    what
        What was being done.

    Returns
    -------
    str or None
        None where the next job may fare better.
    """
    for pattern, todo in _ADVICE:
        if pattern.search(said):
            return f"{todo.format(what=what)} ({said})"
    return None
