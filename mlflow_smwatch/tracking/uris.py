"""Tracking URIs: which one is meant, and how it may be shown."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import mlflow

BULK = "smwatch+"
"""Beginning of the URIs under which MLflow finds this package's stores."""

_BARE_NAMES = frozenset({"databricks", "databricks-uc", "uc"})
SQL_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql")
_SQL_BEGINNING = re.compile(rf"\A{re.escape(BULK)}(?=(?:{'|'.join(SQL_SCHEMES)})(?:\+\w+)?:)")


def chosen_uri(uri: str | None) -> str:
    """Return a tracking URI, or MLflow's own choice where none is given, absolute."""
    return absolute_uri(uri or mlflow.get_tracking_uri())


def absolute_uri(uri: str) -> str:
    """Make the path of a SQLite URI absolute, so that it means the same everywhere."""
    match = re.fullmatch(r"((?:smwatch\+)?sqlite(?:\+\w+)?):///(?!/)([^?]+)(\?.*)?", uri)
    if not match or match[2] == ":memory:":
        return uri
    return f"{match[1]}:///{Path(match[2]).resolve()}{match[3] or ''}"


def plain_uri(uri: str) -> str:
    """Return the URI of the same database for MLflow's own stores; other URIs as they are."""
    return _SQL_BEGINNING.sub("", uri, count=1)


def shown_uri(uri: str) -> str:
    """Hide the password of a URI, also one with an ``@`` in it that is not escaped."""
    if is_sql(uri):
        return re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", uri)
    return re.sub(r"//[^/]*@", "//***@", uri)


def without_password(uri: str) -> str:
    """Leave out what a URI says of passwords: what is left may be passed on."""
    if is_sql(uri):
        return re.sub(r"(://[^:/@]*):[^/]*@", r"\1@", uri)
    return re.sub(r"//[^/]*@", "//", uri)


def with_own_password(uri: str) -> str:
    """Return the URI that this process has of a store that another one named without password.

    Parameters
    ----------
    uri
        As of :func:`without_password`.
    """
    own = chosen_uri(None)
    return own if without_password(own) == uri else uri


def scheme_of(uri: str) -> str:
    """Return the scheme, a database's plain one; ``arn`` for a SageMaker-managed MLflow server."""
    return "arn" if uri.startswith("arn:") else urlsplit(plain_uri(uri)).scheme


def is_sql(uri: str) -> bool:
    """Whether MLflow keeps this store in a database that it opens itself."""
    return scheme_of(uri).split("+")[0] in SQL_SCHEMES


def database_uri(uri: str) -> str | None:
    """Return the plain URI of the database that a store is kept in; None where it is in none.

    Parameters
    ----------
    uri
        A tracking URI, also one with ``smwatch+`` before it.
    """
    return absolute_uri(plain_uri(uri)) if is_sql(uri) else None


def is_file_store(uri: str) -> bool:
    """Whether MLflow would keep this store in plain files: a path, or a URI of one.

    A few names without a scheme are services (``mlflow.utils.uri.is_databricks_uri``).
    """
    return scheme_of(uri) in {"", "file"} and uri not in _BARE_NAMES


def first_line(error: BaseException) -> str:
    """Give what an error says first, on one line and without the password of an address."""
    lines = re.sub(r"//[^/\s]*@", "//***@", str(error)).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
