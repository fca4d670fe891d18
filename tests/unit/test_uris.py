"""A tracking URI is shown without its password."""

from __future__ import annotations

import pytest

from mlflow_smwatch.tracking.uris import first_line, shown_uri

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
