"""``--log-json``: stderr is lines of JSON, stdout is what it always is."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.cli.program import Finished
from tests.cli.shapes import SYNC, misfits
from tests.cli.test_sync import store
from tests.docs.documents import blocks, read, rows

NOWHERE = "http://127.0.0.1:9"
OF_EVERY_RECORD = {"time", "level", "logger", "message"}


def records(done: Finished) -> list[dict[str, Any]]:
    """Parse every line of stderr; each has what every record has, and a time of just now."""
    parsed: list[dict[str, Any]] = [json.loads(line) for line in done.err.splitlines()]
    for record in parsed:
        assert record.keys() >= OF_EVERY_RECORD
        moment = datetime.fromisoformat(record["time"])
        assert moment.utcoffset() == timedelta(0)
        assert abs(datetime.now(tz=timezone.utc) - moment) < timedelta(minutes=5)
        assert "\n" not in record["message"]
    return parsed


def essence(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs from call to call."""
    return {key: value for key, value in record.items() if key != "time"}


@pytest.mark.slow
def test_failures_and_the_store(smwatch: Smwatch, database: Path, tmp_path: Path) -> None:
    """The line that names the store and each failure are records, stdout is unchanged."""
    database.rename(tmp_path / "mlflow.db")
    done = smwatch("sync", "--log-json", "alpha", "no such job")
    plain = smwatch("sync", "alpha", "no such job")
    assert done.code == plain.code == 1
    assert done.out.split(";")[0] == plain.out.split(";")[0]
    named, failed = (essence(record) for record in records(done))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert named == {
        "level": "INFO",
        "logger": "mlflow_smwatch.cli",
        "message": f"MLflow tracking URI: {uri}",
        "tracking_uri": uri,
    }
    line = plain.err.splitlines()[1]
    assert line.startswith("Error: no such job: ")
    assert failed == {
        "level": "ERROR",
        "logger": "mlflow_smwatch.cli",
        "message": line.removeprefix("Error: no such job: "),
        "arn": "no such job",
    }


@pytest.mark.slow
def test_warnings(smwatch: Smwatch, healed: EmulatedAccount, database: Path) -> None:
    """A warning that is about all jobs has no ARN; the variable is as good as the option."""
    healed.faults.deny("sagemaker:Search")
    done = smwatch("sync", "--json", *store(database), SMWATCH_LOG_JSON="1")
    assert done.code == 0
    (warning,) = done.document["warnings"]
    (record,) = records(done)
    assert essence(record) == {
        "level": "WARNING",
        "logger": "mlflow_smwatch.cli",
        "message": warning["warning"],
    }


@pytest.mark.slow
def test_verbose(smwatch: Smwatch, tmp_path: Path) -> None:
    """What MLflow and its libraries log while a database is made are records too."""
    done = smwatch("sync", "--log-json", "-v", "--json", *store(tmp_path / "new.db"))
    assert done.code == 0
    assert misfits(done.document, SYNC) == []
    loggers = {record["logger"].split(".")[0] for record in records(done)}
    assert {"mlflow", "mlflow_smwatch"} <= loggers


@pytest.mark.slow
@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_nothing_can_be_done(smwatch: Smwatch, tmp_path: Path, how: str) -> None:
    """An error that ends the command is one record; exit 3, the document says the same."""
    if how == "file":
        (tmp_path / "smwatch.toml").write_text("log-json = true\n")
    done = smwatch(
        *("sync", "--json", "--tracking-uri", NOWHERE),
        *(["--log-json"] if how == "option" else []),
        SMWATCH_LOG_JSON="true" if how == "variable" else None,
    )
    assert done.code == 3
    *before, record = records(done)
    assert [(each["level"], each["config"]) for each in before] == (
        [("INFO", "smwatch.toml")] if how == "file" else []
    )
    assert record["level"] == "ERROR"
    assert f"the MLflow server {NOWHERE} does not answer" in record["message"]
    assert done.document == {"error": record["message"]}


@pytest.mark.parametrize("command", ["sync", "watch", "verify"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "soon"), "--since 'soon': give an ISO time such as"),
        (("--workers", "many"), "'many' is not a valid integer."),
        (("--tag", "team"), "--tag 'team': give KEY=VALUE"),
        (("--config", "x.toml"), "File 'x.toml' does not exist."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_usage(smwatch: Smwatch, command: str, arguments: tuple[str, ...], said: str) -> None:
    """A record instead of click's reminder of the usage; exit 2, nothing on stdout."""
    done = smwatch(command, "--log-json", *arguments)
    assert done.code == 2
    assert done.out == ""
    (record,) = records(done)
    assert record["level"] == "ERROR"
    assert said in record["message"]


def test_the_page() -> None:
    """The example record of docs/configuration.md is one, and its members are in the table."""
    page = read("docs/configuration.md")
    (block,) = [each for each in blocks(page) if each.mark == "record"]
    example = json.loads(block.text)
    assert set(example) == {*OF_EVERY_RECORD, "arn"}
    listed = {word for row in rows(page, "member", "content") for word in row[0].split(", ")}
    assert {f"`{name}`" for name in example} <= listed
