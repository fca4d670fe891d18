"""``smwatch verify``: a line for each difference, a summary, exit codes, the document."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Smwatch
from tests.cli.shapes import misfits
from tests.cli.test_log_json import records
from tests.cli.test_sync import store
from tests.jobs import arn

NOWHERE = "http://127.0.0.1:9"
NOTHING = type(None)
LOSS = "train:loss"

DIFFERENCE = {
    "arn": str,
    "what": str,
    "key": (str, NOTHING),
    "timestamp": (int, NOTHING),
    "aws": (float, int, str, NOTHING),
    "mlflow": (float, int, str, NOTHING),
}
VERIFY: dict[Any, Any] = {
    "jobs": int,
    "equal": int,
    "differences": [DIFFERENCE],
}
REPAIR: dict[Any, Any] = {**VERIFY, "repaired": [str], "left": [str]}


@pytest.fixture
def spoilt(database: Path) -> Path:
    """Give a database in which a param of alpha is another, of two lines, and a point is gone."""
    with closing(sqlite3.connect(database)) as connection, connection:
        (run,) = connection.execute("SELECT run_uuid FROM runs WHERE name = 'alpha'").fetchone()
        changed = connection.execute(
            "UPDATE params SET value = ? WHERE run_uuid = ? AND key = 'lr'", ("a\nb", run)
        )
        points = "SELECT MIN(timestamp) FROM metrics WHERE run_uuid = ? AND key = ?"
        ((first_ms,),) = connection.execute(points, (run, LOSS))
        gone = connection.execute(
            "DELETE FROM metrics WHERE run_uuid = ? AND key = ? AND timestamp = ?",
            (run, LOSS, first_ms),
        )
        assert (changed.rowcount, gone.rowcount) == (1, 1)
    return database


@pytest.mark.slow
def test_equal(smwatch: Smwatch, database: Path) -> None:
    """Nothing differs: a summary, exit 0."""
    done = smwatch("verify", *store(database))
    assert (done.code, done.err) == (0, "")
    assert done.out == "2 jobs, 2 equal; 0 differences; 0 failed\n"


def test_differences(smwatch: Smwatch, spoilt: Path) -> None:
    """Each is one line of job, what, key, time and both values; exit 1."""
    done = smwatch("verify", *store(spoilt))
    assert (done.code, done.err) == (1, "")
    *lines, summary = done.out.splitlines()
    assert summary == "2 jobs, 1 equal; 2 differences; 0 failed"
    assert 'alpha  param  lr  AWS "0.25"  MLflow "a\\nb"' in lines
    (point,) = [line for line in lines if line.startswith("alpha  missing  ")]
    assert "+00:00  AWS " in point
    assert point.endswith("  MLflow nothing")


def test_json(smwatch: Smwatch, spoilt: Path) -> None:
    """The documented document and nothing else."""
    done = smwatch("verify", "--json", *store(spoilt))
    assert (done.code, done.err) == (1, "")
    assert misfits(done.document, VERIFY) == []
    assert (done.document["jobs"], done.document["equal"]) == (2, 1)
    assert {each["arn"] for each in done.document["differences"]} == {arn("alpha")}


@pytest.mark.slow
def test_repair(smwatch: Smwatch, spoilt: Path) -> None:
    """What was repaired and what is left is said; a second look finds only the latter."""
    done = smwatch("verify", "--repair", "--json", *store(spoilt))
    assert done.code == 1
    assert misfits(done.document, REPAIR) == []
    assert done.document["repaired"]
    again = smwatch("verify", "--repair", *store(spoilt))
    words = {line.split("  ")[0] for line in again.out.splitlines()[:-1]}
    assert words <= {"alpha", "left"}
    assert "missing" not in again.out


def test_what_cannot_be_compared(smwatch: Smwatch, database: Path) -> None:
    """A name that AWS does not know counts as failed, and is a record with --log-json."""
    done = smwatch("verify", "alpha", "nope", "--log-json", *store(database))
    assert done.code == 1
    assert done.out.splitlines()[-1] == "2 jobs, 1 equal; 0 differences; 1 failed"
    (record,) = records(done)
    assert (record["level"], record["arn"]) == ("ERROR", "nope")


def test_nothing_can_be_done(smwatch: Smwatch) -> None:
    """No MLflow: exit 3."""
    done = smwatch("verify", "--json", "--tracking-uri", NOWHERE)
    assert done.code == 3
    assert done.document == {"error": done.message}


def test_values_that_a_terminal_would_obey(smwatch: Smwatch, database: Path) -> None:
    """Control characters and marks of writing direction are shown, not sent."""
    with closing(sqlite3.connect(database)) as connection, connection:
        value = "\x9b2J\x7f\u202eabc\u2066é"
        connection.execute("UPDATE params SET value = ? WHERE key = 'lr'", (value,))
    done = smwatch("verify", "alpha", *store(database))
    (line, _) = done.out.splitlines()
    assert r'MLflow "\x9b2J\x7f\u202eabc\u2066é"' in line
    assert line.isprintable()


def test_json_leaves_troubles_to_stderr(smwatch: Smwatch, database: Path) -> None:
    """Where nothing differs and the exit code is 1, stderr names what failed."""
    done = smwatch("verify", "alpha", "nope", "--json", *store(database))
    assert done.code == 1
    assert misfits(done.document, VERIFY) == []
    assert done.document == {"jobs": 2, "equal": 1, "differences": []}
    assert "nope" in done.err
