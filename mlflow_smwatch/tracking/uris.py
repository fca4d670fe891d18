"""Tracking URIs: which one is meant, and how it may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus, unquote_plus, urlsplit

import mlflow

BULK = "smwatch+"
"""Beginning of the URIs under which MLflow finds this package's stores."""

_BARE_NAMES = frozenset({"databricks", "databricks-uc", "uc"})
SQL_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql")
_SQL_BEGINNING = re.compile(rf"\A{re.escape(BULK)}(?=(?:{'|'.join(SQL_SCHEMES)})(?:\+\w+)?:)")
_LOGIN = re.compile(r"(?P<name>://[^:/@]*)(?::[^@]*)@(?:[^/?]*@)?")
"""User and password as SQLAlchemy finds them: a password may hold all but ``@``. What follows up to
another ``@`` belongs to one that is not escaped."""
_SECRET_KEY = re.compile(r"passwd|password|passphrase|pwd|secret|token", re.IGNORECASE)
_ODBC = "odbc_connect"
_ODBC_SECRET = re.compile(
    r"(?P<name>\b(?:pwd|password)\s*=)(?:\s*\{(?:[^}]|\}\})*\}|[^;]*)", re.IGNORECASE
)
_LOGIN_IN_TEXT = re.compile(r"//(?:[^/\s]*|[^:/@\s]*:[^@\s]*)@")
_SECRET_IN_TEXT = re.compile(
    rf"(?P<name>[?&][^=&\s]*(?:{_SECRET_KEY.pattern})[^=&\s]*=)[^&\s'\")]*", re.IGNORECASE
)
_MASK = "***"
_REMARK = "(raised as a result of Query-invoked autoflush"


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
    return _with_secrets(uri, _MASK) if is_sql(uri) else re.sub(r"//[^/]*@", f"//{_MASK}@", uri)


def without_password(uri: str) -> str:
    """Leave out what a URI says of passwords: what is left may be passed on."""
    return _with_secrets(uri, None) if is_sql(uri) else re.sub(r"//[^/]*@", "//", uri)


def _with_secrets(uri: str, mask: str | None) -> str:
    """Put something in place of a database's passwords, or nothing; all else stays as written."""
    login = "@" if mask is None else f":{mask}@"
    address, sign, query = _LOGIN.sub(rf"\g<name>{login}", uri, count=1).partition("?")
    settings = "&".join(_shown_settings(query, mask))
    return f"{address}{sign}{settings}" if settings else address


def _shown_settings(query: str, mask: str | None) -> Iterator[str]:
    for setting in query.split("&"):
        key, _, value = setting.partition("=")
        name = unquote_plus(key)
        if name.lower() == _ODBC and _ODBC_SECRET.search(unquote_plus(value)):
            shown = _ODBC_SECRET.sub(rf"\g<name>{mask or ''}", unquote_plus(value))
            yield f"{key}={quote_plus(shown, safe='*')}"
        elif not _SECRET_KEY.search(name):
            yield setting
        elif mask is not None:
            yield f"{key}={mask}"


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
    """Give what an error says first, on one line and without the password of an address.

    SQLAlchemy puts a remark of its own before what the database said, where it was about to read.
    """
    shown = _LOGIN_IN_TEXT.sub("//***@", str(error))
    shown = _SECRET_IN_TEXT.sub(rf"\g<name>{_MASK}", shown)
    lines = [each for each in shown.strip().splitlines() if not each.startswith(_REMARK)]
    return (lines[0] if lines else type(error).__name__)[:300]
