"""The database of MLflow is locked, full, read-only, migrated or away while the mirror writes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mlflow_smwatch.core.errors import TrackingError
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.faults.conftest import Weather, require_plain
from tests.sync.conftest import EVENTS, Mirror


@contextmanager
def meanwhile(account: EmulatedAccount, operation: str, act: Callable[[], None]) -> Iterator[None]:
    """Do something once a pass has asked AWS for the first time for something."""
    before, over = account.calls[operation], threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            if account.calls[operation] > before:
                act()
                return

    account.reset_calls()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def held(database: Path, seconds: float) -> Iterator[None]:
    """Hold the right to write for a while, as another program does."""
    locked, over = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            over.wait(seconds)
            other.execute("ROLLBACK")

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    locked.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_locked_for_seconds(weather: Weather) -> None:
    """The mirror waits for its turn."""
    with held(weather.mirror.database, 1.5):
        assert weather.sync().failed == []
    weather.clear_up()


@pytest.mark.slow
def test_locked_for_good(weather: Weather) -> None:
    """It gives up after a while, in one line."""
    with held(weather.mirror.database, 100):
        done = weather.program()
    assert done.code == 3
    assert "locked" in done.message
    assert "run again" in done.message
    weather.clear_up()


@contextmanager
def small_disk(folder: Path, kilobytes: int, option: str = "rw") -> Iterator[Path]:
    """Mount a disk that is nearly full; skipped where that is not allowed."""
    place = folder / "disk"
    place.mkdir()
    options = f"size={kilobytes}k,{option}"
    command = ("mount", "-t", "tmpfs", "-o", options, "smwatch-test", str(place))
    if os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a disk can only be mounted by root, and where the system lets it")
    try:
        yield place
    finally:
        subprocess.run(("umount", "-l", str(place)), check=True)


def on_disk(weather: Weather, place: Path) -> Weather:
    """Put the store onto another disk."""
    database = weather.mirror.database.rename(weather.folder / "moved.db")
    target = place / "mlflow.db"
    target.write_bytes(database.read_bytes())
    mirror = Mirror(weather.account, target, weather.mirror.empty_database)
    return Weather(mirror, weather.author, weather.folder)


def test_disk_full(weather: Weather) -> None:
    """One line says that there is no room; with room again nothing is missing or doubled."""
    size = weather.mirror.database.stat().st_size // 1024
    for lines in (3000, 3000):
        weather.author.ended(hosts=1, lines=lines)
    with small_disk(weather.folder, size + 300) as place:
        full = on_disk(weather, place)
        done = full.program("--artifacts", "none")
        assert done.code in {1, 3}
        assert "disk is full" in done.err
        assert "make room" in done.err
        subprocess.run(("mount", "-o", "remount,size=40m", str(place)), check=True)
        full.clear_up()


def test_artifacts_on_a_full_disk(weather: Weather) -> None:
    """Documents that find no room are named in a warning; the points are there."""
    with small_disk(weather.folder, 4) as place:
        (place / "filler").write_bytes(b"x" * 4096)
        weather.mirror.client.create_experiment("sagemaker/training-jobs", str(place))
        report = weather.sync()
        assert report.failed == []
        said = "\n".join(each.warning for each in report.warnings)
        assert "could not be stored" in said
        assert "No space left" in said
    weather.clear_up()


def test_read_only(weather: Weather) -> None:
    """A database on a disk that takes no writing is refused with what to do."""
    with small_disk(weather.folder, 20_000) as place:
        read_only = on_disk(weather, place)
        subprocess.run(("mount", "-o", "remount,ro", str(place)), check=True)
        assert "right to write" in read_only.attempt()
        subprocess.run(("mount", "-o", "remount,rw", str(place)), check=True)
        read_only.clear_up()


def migrate(database: Path) -> None:
    """Do to the schema what a later MLflow might."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        connection.execute("ALTER TABLE metrics ADD COLUMN a_later_addition TEXT")
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


def test_migrated_while_the_mirror_runs(weather: Weather) -> None:
    """The pass stops before it writes to a schema that it has not looked at."""
    weather.account.faults.page_size("logs:GetLogEvents", 10)
    with (
        meanwhile(weather.account, EVENTS, lambda: migrate(weather.mirror.database)),
        pytest.raises(TrackingError, match="migrated") as error,
    ):
        weather.mirror.sync()
    require_plain(str(error.value))
    assert "ffffffffffff" in str(error.value)
    assert "another schema" in weather.attempt()
    with closing(sqlite3.connect(weather.mirror.database)) as connection, connection:
        (before,) = sqlite3.connect(weather.mirror.empty_database).execute(
            "SELECT version_num FROM alembic_version"
        )
        connection.execute("UPDATE alembic_version SET version_num = ?", before)
        connection.execute("ALTER TABLE metrics DROP COLUMN a_later_addition")
    weather.clear_up()


def test_a_process_that_is_slow_to_let_go(weather: Weather) -> None:
    """Writers that come and go in turns cost time, and nothing else."""
    over = threading.Event()

    def disturb() -> None:
        while not over.is_set():
            with held(weather.mirror.database, 0.2):
                time.sleep(0.2)
            time.sleep(0.05)

    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    try:
        assert weather.sync().failed == []
    finally:
        over.set()
        thread.join()
    weather.clear_up()
