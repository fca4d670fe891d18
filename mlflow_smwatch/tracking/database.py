"""Looks at a database before MLflow opens it, which would retry for minutes, or fill it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

from mlflow_smwatch.core.errors import JobError, TrackingError
from mlflow_smwatch.tracking.uris import first_line, plain_uri, scheme_of, shown_uri

if sys.platform != "win32":
    import fcntl

_DRIVER_EXTRAS = {
    "postgresql": {"", "psycopg", "psycopg2"},
    "mysql": {"", "mysqldb", "pymysql"},
}


@contextmanager
def opened(uri: str, trouble: str) -> Iterator[sqlalchemy.Engine]:
    """Open a database beside MLflow's own pool, and say in one line what it refuses.

    Parameters
    ----------
    uri
        Its URI.
    trouble
        What it means when the database refuses; the message begins with it.

    Yields
    ------
    Engine
        It keeps no connection open.

    Raises
    ------
    JobError
        When the database refuses.
    ModuleNotFoundError
        When its driver is not installed.
    """
    try:
        yield sqlalchemy.create_engine(plain_uri(uri), poolclass=sqlalchemy.pool.NullPool)
    except (sqlalchemy.exc.SQLAlchemyError, OSError, ValueError) as error:
        message = f"{trouble}: {first_line(getattr(error, 'orig', None) or error)}"
        raise JobError(message) from error


def check_file(uri: str, *, create: bool) -> None:
    """Refuse a SQLite database that is no file, or one that is missing and must not be made.

    Every thread of MLflow's would have a database of its own in memory.

    Raises
    ------
    TrackingError
        With the next step.
    """
    if not scheme_of(uri).startswith("sqlite"):
        return
    path = _sqlite_path(uri)
    if path is None:
        message = (
            f"{shown_uri(uri)} names no file, and a database in memory ends with smwatch:"
            " name a file, such as sqlite:///mlflow.db"
        )
        raise TrackingError(message)
    if not create and not path.exists():
        raise TrackingError(_nothing_there(uri))


def check_database(uri: str, *, create: bool = True) -> None:
    """Refuse a database that MLflow cannot use, or that belongs to something else.

    Parameters
    ----------
    uri
        Its URI.
    create
        Whether MLflow may make its tables in an empty one.

    Raises
    ------
    TrackingError
        With the next step.
    """
    try:
        with opened(uri, f"the database {shown_uri(uri)} cannot be used") as engine:
            tables = set(sqlalchemy.inspect(engine).get_table_names())
    except ModuleNotFoundError as error:
        message = (
            f"the database driver {error.name!r} that {shown_uri(uri)} asks for is not installed:"
            f" {_driver_advice(uri)}"
        )
        raise TrackingError(message) from error
    except JobError as error:
        message = f"{error}{_way_out(str(error))}"
        raise TrackingError(message) from error
    if tables and not {"experiments", "runs"} <= tables:
        message = (
            f"the database {shown_uri(uri)} holds other tables and is not MLflow's:"
            " name an empty one, or one that MLflow made"
        )
        raise TrackingError(message)
    if not tables and not create:
        raise TrackingError(_nothing_there(uri))


def _nothing_there(uri: str) -> str:
    return (
        f"no such database {shown_uri(uri)}, or an empty one: check the URI; 'smwatch sync' makes"
        " and fills it"
    )


def _driver_advice(uri: str) -> str:
    backend, _, driver = scheme_of(uri).partition("+")
    if backend in _DRIVER_EXTRAS and driver in _DRIVER_EXTRAS[backend]:
        return f"pip install 'mlflow-smwatch[{backend}]'"
    if backend in _DRIVER_EXTRAS:
        return f"install it, or use {backend}:// with pip install 'mlflow-smwatch[{backend}]'"
    return "install it"


@contextmanager
def opened_alone(uri: str) -> Iterator[None]:
    """Keep two mirrors from making one SQLite database at once: MLflow would spoil it.

    The lock is on the folder of the database, so that no file is left.
    """
    folder = _folder(uri)
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        message = (
            f"the folder of the database {shown_uri(uri)} cannot be used: {error.strerror};"
            " check the URI and the rights"
        )
        raise TrackingError(message) from error
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_read_only(engine: sqlalchemy.Engine) -> None:
    """Let a connection go that cannot write: SQLite's stay so when their file can be written again.

    Parameters
    ----------
    engine
        MLflow's, which keeps connections for as long as the process lives.
    """
    if engine.dialect.name != "sqlite":
        return
    engine.dispose()
    if not sqlalchemy.event.contains(engine, "handle_error", _let_go):
        sqlalchemy.event.listen(engine, "handle_error", _let_go)


def _let_go(context: sqlalchemy.engine.ExceptionContext) -> None:
    if "readonly database" in str(context.original_exception):
        context.is_disconnect = True


def _folder(uri: str) -> Path | None:
    if sys.platform == "win32" or not scheme_of(uri).startswith("sqlite"):
        return None
    path = _sqlite_path(uri)
    return path.parent if path else None


def _sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite database; None for one in memory."""
    try:
        url = sqlalchemy.make_url(plain_uri(uri))
    except sqlalchemy.exc.ArgumentError:
        return None
    path = url.database or ""
    in_memory = not path or ":memory:" in path or url.query.get("mode") == "memory"
    return None if in_memory else Path(path)


def _way_out(reason: str) -> str:
    if "locked" in reason:
        return ": another program holds it; end that program or wait, then run again"
    return "; check the URI, the server and the rights"
