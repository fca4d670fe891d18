"""Stores that cannot keep a mirror: each is refused with the next step, and left as it was."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mlflow_smwatch.core.errors import TrackingError
from mlflow_smwatch.core.matching import JobIdentity
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import open_tracking


def refusal(uri: str) -> str:
    """Give the line with which a store is refused."""
    with pytest.raises(TrackingError) as error:
        open_tracking(uri)
    message = str(error.value)
    assert "\n" not in message
    assert "pass-word" not in message
    return message


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("file:/tmp/nowhere", ("file store", "sqlite:///")),
        ("/tmp/nowhere", ("file store", "sqlite:///")),
        ("nowhere", ("file store", "sqlite:///")),
        ("sqlite://", ("name a file, such as sqlite:///mlflow.db",)),
        ("sqlite:///", ("name a file, such as sqlite:///mlflow.db",)),
        ("sqlite:///:memory:", ("in memory", "name a file, such as sqlite:///mlflow.db")),
        ("uc", ("MLflow at uc cannot be used", "Unity Catalog")),
        ("nonsense://x", ("MLflow has no store for nonsense://x", "sqlite:///")),
        ("http://me:pass-word@127.0.0.1:9", ("http://***@127.0.0.1:9 does not answer", "start it")),
        ("http://me:pass-word@nowhere.invalid", ("http://***@nowhere.invalid does not answer",)),
        (
            "postgresql://me:pass-word@127.0.0.1:9/x",
            ("postgresql://me:***@127.0.0.1:9/x", "Connection refused", "check the URI"),
        ),
        (
            "postgresql+asyncpg://me:pass-word@127.0.0.1/x",
            ("'asyncpg'", "use postgresql:// with pip install 'mlflow-smwatch[postgresql]'"),
        ),
        ("mssql+nothing://me:pass-word@127.0.0.1/x", ("mssql+nothing", "check the URI")),
        ("sqlite:////proc/nowhere/x.db", ("/proc/nowhere", "check the URI")),
    ],
)
def test_refused(uri: str, said: tuple[str, ...]) -> None:
    """One line: what, which one, and what to do; never a password."""
    message = refusal(uri)
    for part in said:
        assert part in message


def test_missing_database_is_not_made(tmp_path: Path) -> None:
    """Where nothing is to be written, a wrong path leaves no folder, no file and no table."""
    missing, empty = tmp_path / "typo" / "deep" / "x.db", tmp_path / "empty.db"
    empty.touch()
    for database in (missing, empty):
        with pytest.raises(TrackingError, match=r"no such database sqlite:///.*check the URI"):
            open_tracking(f"sqlite:///{database}", create=False)
    assert list(tmp_path.iterdir()) == [empty]
    assert empty.read_bytes() == b""


def test_search_that_fails(tmp_path: Path) -> None:
    """What all jobs need and MLflow cannot give stops the pass, with the next step."""
    database = tmp_path / "mlflow.db"
    tracking = open_tracking(f"sqlite:///{database}")
    index = RunIndex(tracking, Experiments(tracking))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE tags")
        connection.execute("DROP TABLE runs")
        connection.execute("DROP TABLE experiments")
    jobs = [
        JobIdentity(
            arn=f"arn:{number}", name="", kind="", region="", created_ms=1, life_end_ms=number
        )
        for number in range(4)
    ]
    searches: list[Callable[[], object]] = [
        lambda: index.find(jobs),
        lambda: index.find(jobs[:1]),
        lambda: list(index.open_runs()),
        lambda: list(index.mirrored_runs()),
        lambda: Experiments(tracking),
    ]
    for search in searches:
        with pytest.raises(TrackingError, match=r"MLflow refused: .*no such table.*run again"):
            search()


@pytest.mark.parametrize("extra", ["postgresql", "mysql"])
def test_missing_driver(extra: str) -> None:
    """Where the driver of a plain URI is not installed, the extra that brings it is named."""
    message = refusal(f"{extra}://me:pass-word@127.0.0.1:9/x")
    if "not installed" not in message:
        pytest.skip(f"the driver for {extra} is installed")
    assert f"pip install 'mlflow-smwatch[{extra}]'" in message


def test_other_tables(tmp_path: Path) -> None:
    """A database of another program's is not filled with MLflow's tables."""
    database = tmp_path / "other.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE experiments (id INTEGER)")
    before = database.read_bytes()
    assert "is not MLflow's" in refusal(f"sqlite:///{database}")
    assert database.read_bytes() == before


def test_no_database(tmp_path: Path) -> None:
    """A file that is no database is named."""
    text = tmp_path / "notes.txt"
    text.write_text("remember the milk\n" * 500)
    assert "file is not a database" in refusal(f"sqlite:///{text}")


@contextmanager
def plain_server(folder: Path) -> Iterator[str]:
    """Serve files, as a web server does that is not MLflow's."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Write no log."""

        def translate_path(self, path: str) -> str:
            """Lead every path into the folder."""
            return str(folder / path.lstrip("/").partition("?")[0])

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_another_web_server(tmp_path: Path) -> None:
    """An address where something else answers is named with what it answered."""
    with plain_server(tmp_path) as address:
        assert refusal(address) == f"{address} is no MLflow server (HTTP 404): check it"
        page = tmp_path / "api" / "2.0" / "mlflow" / "experiments" / "search"
        page.parent.mkdir(parents=True)
        page.write_text("<html>welcome</html>")
        assert address in refusal(address)


@pytest.mark.slow
def test_silent_server() -> None:
    """A server that takes the connection and says nothing is given up after seconds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        message = refusal(address)
    assert message.startswith(f"the MLflow server {address} does not answer")
    assert "timed out" in message
