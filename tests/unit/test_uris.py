"""A tracking URI is shown without its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_smwatch.tracking.uris import absolute_uri, first_line, is_sql, plain_uri, shown_uri

SHOWN = {
    "postgresql://me:secret@host/db": "postgresql://me:***@host/db",
    "postgresql://me:p@ss@host:5432/db?x=a@b": "postgresql://me:***@host:5432/db?x=a@b",
    "postgresql+psycopg2://me@host/db": "postgresql+psycopg2://me@host/db",
    "mysql://:secret@host/db": "mysql://:***@host/db",
    "sqlite:////data/a@b.db": "sqlite:////data/a@b.db",
    "https://me:p@ss@host:5000/path": "https://***@host:5000/path",
    "https://host/a@b": "https://host/a@b",
}


@pytest.mark.parametrize(("uri", "shown"), SHOWN.items())
def test_the_password_is_hidden(uri: str, shown: str) -> None:
    """The rest stays as it is."""
    assert shown_uri(uri) == shown


def test_the_password_is_hidden_in_errors() -> None:
    """Libraries put the address into their messages."""
    error = RuntimeError("no answer from https://me:p@ss@host/api\nmore")
    assert first_line(error) == "no answer from https://***@host/api"


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
