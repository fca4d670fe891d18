"""A tracking URI is shown without its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_smwatch.tracking.uris import (
    absolute_uri,
    first_line,
    is_sql,
    plain_uri,
    shown_uri,
    with_own_password,
    without_password,
)

SHOWN = {
    "postgresql://me:secret@host/db": "postgresql://me:***@host/db",
    "postgresql://me:p@ss@host:5432/db?x=a@b": "postgresql://me:***@host:5432/db?x=a@b",
    "postgresql+psycopg2://me@host/db": "postgresql+psycopg2://me@host/db",
    "mysql://:secret@host/db": "mysql://:***@host/db",
    "sqlite:////data/a@b.db": "sqlite:////data/a@b.db",
    "https://me:p@ss@host:5000/path": "https://***@host:5000/path",
    "https://host/a@b": "https://host/a@b",
    "postgresql://me:a/b?c#d@host/db": "postgresql://me:***@host/db",
    "postgresql://me:secret@one:1,two:2/db": "postgresql://me:***@one:1,two:2/db",
    "postgresql://host/db?user=me&password=a&x=y": "postgresql://host/db?user=me&password=***&x=y",
    "mysql://host/db?ssl_key_password=a&passwd=b": (
        "mysql://host/db?ssl_key_password=***&passwd=***"
    ),
    "mssql+pyodbc://?odbc_connect=UID%3Dme%3BPWD%3D%7Ba%3Bb%7D%3BServer%3Dx": (
        "mssql+pyodbc://?odbc_connect=UID%3Dme%3BPWD%3D***%3BServer%3Dx"
    ),
}

UNNAMED = {
    "postgresql://me:a/b@host/db": "postgresql://me@host/db",
    "postgresql://host/db?password=a": "postgresql://host/db",
    "postgresql://host/db?user=me&sslPassword=a&sslmode=require": (
        "postgresql://host/db?user=me&sslmode=require"
    ),
    "smwatch+mysql://me:a@host/db?passwd=b": "smwatch+mysql://me@host/db",
    "mssql+pyodbc://?odbc_connect=UID%3Dme%3BPWD%3Da": (
        "mssql+pyodbc://?odbc_connect=UID%3Dme%3BPWD%3D"
    ),
    "sqlite:////data/a@b c.db?mode=ro&uri=true": "sqlite:////data/a@b c.db?mode=ro&uri=true",
    "https://me:secret@host/path": "https://host/path",
}


@pytest.mark.parametrize(("uri", "shown"), SHOWN.items())
def test_the_password_is_hidden(uri: str, shown: str) -> None:
    """The rest stays as it is."""
    assert shown_uri(uri) == shown


@pytest.mark.parametrize(("uri", "unnamed"), UNNAMED.items())
def test_what_may_be_passed_on(uri: str, unnamed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No password is in it; who has one of its own for the same store finds it again."""
    assert without_password(uri) == unnamed
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert with_own_password(unnamed) == uri


ERRORS = {
    "no answer from https://me:p@ss@host/api\nmore": "no answer from https://***@host/api",
    "'postgresql://me:a/b@host/db' is wrong": "'postgresql://***@host/db' is wrong",
    "'mysql://host/db?x=y&passwd=secret' is wrong": "'mysql://host/db?x=y&passwd=***' is wrong",
    "https://host:5000/path: ask a@b": "https://host:5000/path: ask a@b",
}


@pytest.mark.parametrize(("said", "shown"), ERRORS.items())
def test_the_password_is_hidden_in_errors(said: str, shown: str) -> None:
    """Libraries put the address into their messages."""
    assert first_line(RuntimeError(said)) == shown


PLAIN = {
    "smwatch+sqlite:////a/b.db": "sqlite:////a/b.db",
    "smwatch+sqlite+pysqlite:////a/b.db": "sqlite+pysqlite:////a/b.db",
    "smwatch+postgresql+psycopg2://me@host/db": "postgresql+psycopg2://me@host/db",
    "smwatch+mysql://me@host/db": "mysql://me@host/db",
    "smwatch+s3://bucket/key": "smwatch+s3://bucket/key",
    "smwatch+http://host": "smwatch+http://host",
    "https://host/smwatch+sqlite:///x": "https://host/smwatch+sqlite:///x",
    "sqlite:///b.db": "sqlite:///b.db",
}


@pytest.mark.parametrize(("uri", "plain"), PLAIN.items())
def test_the_plain_uri(uri: str, plain: str) -> None:
    """Only a database has one."""
    assert plain_uri(uri) == plain
    assert is_sql(uri) == plain.startswith(("sqlite", "postgresql", "mysql"))


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They become absolute under either scheme."""
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///b.db") == f"sqlite:///{tmp_path}/b.db"
    assert absolute_uri("smwatch+sqlite:///b.db") == f"smwatch+sqlite:///{tmp_path}/b.db"
    assert shown_uri("smwatch+mysql://me:secret@host/db") == "smwatch+mysql://me:***@host/db"


def test_the_database_is_heard() -> None:
    """SQLAlchemy's own remark does not stand for what the database said."""
    remark = "(raised as a result of Query-invoked autoflush; consider no_autoflush)"
    said = "(sqlite3.OperationalError) attempt to write a readonly database"
    assert first_line(Exception(f"{remark}\n{said}\n[SQL: UPDATE runs]")) == said
