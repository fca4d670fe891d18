"""The parts of which the mirror in a server is made, each by itself."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlflow_smwatch.core.errors import JobError, StopError
from mlflow_smwatch.report import NOT_REACHED, Failure, SyncReport, WatchReport
from mlflow_smwatch.server.child import MirrorProcess
from mlflow_smwatch.server.documents import moment_text, read_document, seconds_of, write_document
from mlflow_smwatch.server.election import take_seat
from mlflow_smwatch.server.lifespan import Message, with_lifespan
from mlflow_smwatch.server.pages import Pages
from mlflow_smwatch.server.place import Place, place_of
from mlflow_smwatch.server.service import make_service
from mlflow_smwatch.server.spending import DAYS_KEPT, Spending
from mlflow_smwatch.server.status_file import LISTED, StatusFile
from mlflow_smwatch.server.store_reader import StoreReader
from mlflow_smwatch.server.supervisor import Pauses

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from mlflow_smwatch.server.election import take_seat
seat = take_seat(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], pass_fds=seat.inherited) if "child" in sys.argv else None
print(child.pid if child else 0, flush=True)
time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lead Python to another folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@dataclass
class Held:
    """Another process that is elected, and perhaps its child."""

    process: subprocess.Popen[str]
    child: int


def held(path: Path, *more: str) -> Held:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *more], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return Held(process, int(process.stdout.readline()))


def elected_within(path: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seat = take_seat(path)
        if seat is not None:
            seat.leave()
            return True
        time.sleep(0.02)
    return False


def test_one_is_elected_until_it_is_gone(tmp_path: Path) -> None:
    """A killed process frees the lock."""
    lock = tmp_path / "lock"
    other = held(lock)
    assert take_seat(lock) is None
    other.process.kill()
    other.process.wait()
    assert elected_within(lock, 10)


def test_a_child_keeps_the_seat_of_its_dead_parent(tmp_path: Path) -> None:
    """So no second mirror begins before the first has ended."""
    lock = tmp_path / "lock"
    other = held(lock, "child")
    other.process.kill()
    other.process.wait()
    assert not elected_within(lock, 0.3)
    os.kill(other.child, 9)
    assert elected_within(lock, 10)


def test_a_lock_that_was_removed_is_not_held(tmp_path: Path) -> None:
    """Who sits there leaves, before somebody else sits on the new file."""
    lock = tmp_path / "lock"
    seat = take_seat(lock)
    assert seat is not None
    assert seat.is_held()
    lock.unlink()
    assert not seat.is_held()
    lock.touch()
    assert not seat.is_held()
    seat.leave()


def test_the_place(temporary: Path) -> None:
    """It is private, one for each store; what others may look into or put there is refused."""
    place, other = place_of("sqlite:////a.db"), place_of("sqlite:////b.db")
    assert place == place_of("sqlite:////a.db")
    assert place.folder != other.folder
    assert place.folder.parent == temporary
    assert place.folder.stat().st_mode & 0o777 == 0o700
    place.folder.chmod(0o750)
    with pytest.raises(StopError, match="not this user's alone"):
        place_of("sqlite:////a.db")
    other.folder.rmdir()
    other.folder.symlink_to(temporary)
    with pytest.raises(StopError, match="not this user's alone"):
        place_of("sqlite:////b.db")
    other.folder.unlink()
    other.folder.touch()
    with pytest.raises(StopError, match=r"cannot be made: File exists"):
        place_of("sqlite:////b.db")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "backend store is not known"),
        ({"_MLFLOW_SERVER_FILE_STORE": "./mlruns"}, "file store cannot keep a mirror (./mlruns)"),
        ({"_MLFLOW_SERVER_FILE_STORE": "sqlite:////a.db"}, None),
        (
            {"_MLFLOW_SERVER_FILE_STORE": "sqlite:////a.db", "_MLFLOW_SERVER_ARTIFACTS_ONLY": "1"},
            "artifacts only",
        ),
    ],
)
def test_when_there_is_no_mirror(
    temporary: Path, variables: dict[str, str], reason: str | None
) -> None:
    """The pages say why."""
    service = make_service(variables, "3")
    assert (service.supervisor is None) == (reason is not None)
    health = service.pages.answer("/smwatch/health")
    assert health.status == 503
    assert (reason or "no worker runs the mirror") in json.loads(health.body)["reason"]
    assert service.pages.answer("/smwatch").status == 200
    assert temporary.exists()


def test_what_hinders_us_does_not_hinder_the_server(temporary: Path) -> None:
    """A folder that is not private costs the mirror, and is told."""
    variables = {"_MLFLOW_SERVER_FILE_STORE": "postgresql://user:secret@db/mlflow"}
    made = make_service(variables, "3")
    assert made.pages.place is not None
    made.pages.place.folder.chmod(0o755)
    service = make_service(variables, "3")
    assert service.supervisor is None
    page = service.pages.answer("/smwatch").body
    assert "not this user&#x27;s alone" in page
    assert "postgresql://user:***@db/mlflow" in page
    assert "secret" not in page
    assert temporary.exists()


class UnreadableStore(StoreReader):
    """It fails as nothing is foreseen to."""

    def read(self) -> dict[str, Any]:
        message = "<odd>\nthing"
        raise KeyError(message)


@pytest.mark.parametrize("path", ["/smwatch", "/smwatch/status.json"])
def test_a_page_that_cannot_be_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """The answer is one line of text; the log has the rest."""
    place = Place(folder=tmp_path)
    store = UnreadableStore(place, "sqlite:////a.db")
    answer = Pages(shown_uri="x", mlflow_version="3", place=place, store=store).answer(path)
    assert (answer.status, answer.content_type) == (500, "text/plain; charset=utf-8")
    (line,) = answer.body.splitlines()
    assert line.startswith("smwatch cannot show this: unexpected KeyError: ")
    (said,) = caplog.records
    assert said.exc_info is not None


def open_here() -> tuple[int, set[threading.Thread], list[psutil.Process]]:
    """Tell what this process has open: files, threads, children."""
    here = psutil.Process()
    return here.num_fds(), set(threading.enumerate()), here.children()


def test_a_mirror_that_ended_leaves_nothing_open(tmp_path: Path) -> None:
    """It is started again and again in one process."""
    before = open_here()
    mirror = MirrorProcess(
        "sqlite:////a.db",
        tmp_path / "watch.json",
        inherited=(),
        log=io.StringIO(),
        environment={**os.environ, "SMWATCH_SINCE": "soon"},
    )
    assert mirror.wait(60) == 2
    mirror.close()
    assert "--since 'soon'" in (mirror.message or "")
    assert open_here() == before


def test_a_worker_that_stopped_leaves_nothing_open(temporary: Path) -> None:
    """Neither files nor threads nor the mirror."""
    before = open_here()
    service = make_service({"_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{temporary}/no.db"}, "3")
    place = service.pages.place
    assert place is not None
    service.start()
    end = time.monotonic() + 30
    while read_document(place.worker).get("state") != "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    assert service.pages.answer("/smwatch").status == 200
    service.stop()
    assert read_document(place.worker)["state"] == "stopped"
    assert open_here() == before


def test_pauses_grow() -> None:
    """From a second after a crash, from half a minute where settings are wrong; to ten minutes."""
    pauses = Pauses()
    assert [pauses.after(-9, ends) for ends in (1, 2, 3, 99)] == [1, 2, 4, 600]
    assert [pauses.after(code, ends) for code in (2, 3) for ends in (1, 2, 9)] == [30, 60, 600] * 2


@dataclass
class Book:
    """A ledger."""

    calls: Counter[str] = field(default_factory=Counter)
    cost_usd: float = 0.0


def test_spending_goes_by_days_and_over_restarts() -> None:
    """Several ledgers follow each other; what an earlier process spent on a day is kept."""
    earlier = {"days": [{"day": "2026-01-02", "aws_calls": {"a": 5}, "estimated_cost_usd": 1.0}]}
    spending, first, second = Spending(earlier), Book(), Book()
    assert not spending.enter("2026-01-02")
    spending.follow(first)
    first.calls["a"], first.cost_usd = 2, 0.5
    assert spending.enter("2026-01-02")
    assert not spending.enter("2026-01-02")
    first.calls["b"] = 1
    spending.enter("2026-01-03")
    spending.follow(second)
    second.calls["a"] = 4
    spending.enter("2026-01-03")
    assert spending.to_dict() == {
        "aws_calls": {"a": 6, "b": 1},
        "estimated_cost_usd": 0.5,
        "days": [
            {"day": "2026-01-03", "aws_calls": {"a": 4, "b": 1}, "estimated_cost_usd": 0.0},
            {"day": "2026-01-02", "aws_calls": {"a": 7}, "estimated_cost_usd": 1.5},
        ],
    }


def test_a_day_without_a_call_is_none() -> None:
    """A watch that begins has spent nothing today; metrics are charged apart from their call."""
    spending, book = Spending({}), Book()
    spending.follow(book)
    assert not spending.enter("2026-01-02")
    assert spending.to_dict()["days"] == []
    book.cost_usd = 0.25
    assert not spending.enter("2026-01-02")
    (day,) = spending.to_dict()["days"]
    assert day["estimated_cost_usd"] == 0.25


@pytest.mark.parametrize("odd", [{"days": 3}, {"days": [{}]}, {"days": [{"day": 1}]}])
def test_an_odd_document_of_an_earlier_version(odd: dict[str, Any]) -> None:
    """It is left out."""
    assert Spending(odd).to_dict()["days"] == []


def test_days_are_forgotten() -> None:
    """A month is kept."""
    spending, book = Spending({}), Book()
    spending.follow(book)
    for day in range(40):
        book.calls["a"] += 1
        spending.enter(f"2026-01-{day:02}")
    assert len(spending.to_dict()["days"]) == DAYS_KEPT


@dataclass
class Mirror:
    """What a status file needs of a mirror."""

    ledger: Book
    open_jobs: int = 3

    @property
    def aws(self) -> Mirror:
        return self


def test_the_status_file(tmp_path: Path) -> None:
    """Each event changes it; at the end it says so, with the reason."""
    path = tmp_path / "status.json"
    status, mirror, total = StatusFile(path, 60), Mirror(Book()), WatchReport()

    def told() -> dict[str, Any]:
        return read_document(path)

    def end_with_an_error() -> None:
        with status.kept():
            assert told()["state"] == "starting"
            status.connected("eu-west-1")
            status.begins(mirror)  # type: ignore[arg-type]
            assert (told()["state"], told()["region"]) == ("passing", "eu-west-1")
            mirror.ledger.calls["sagemaker:Search"] = 2
            report = SyncReport(points=4, seconds=1.5, aws_calls={"sagemaker:Search": 2})
            report.failed += [Failure(f"arn:{n}", "no luck") for n in range(LISTED + 5)]
            total.add(report)
            status.ended(report, total, 59)
            whole = told()
            broken = SyncReport(failed=[Failure(NOT_REACHED, "gone")])
            status.ended(broken, total, 0)
            assert told()["whole_pass_ended_at"] == whole["whole_pass_ended_at"]
            status.waits(JobError("gone"), 5)
            assert (told()["state"], told()["error"]) == ("waiting", "gone")
            check(whole)
            message = "no MLflow"
            raise StopError(message)

    def check(whole: dict[str, Any]) -> None:
        assert whole["state"] == "idle"
        assert (whole["passes"], whole["points"], whole["open_jobs"]) == (1, 4, 3)
        assert whole["aws_calls"] == whole["last_pass"]["aws_calls"] == {"sagemaker:Search": 2}
        assert len(whole["failed"]) == LISTED
        assert whole["jobs"]["failed"] == LISTED + 5
        next_at, ended = seconds_of(whole["next_pass_at"]), seconds_of(whole["written_at"])
        assert next_at is not None
        assert ended is not None
        assert 58 < next_at - ended <= 59

    with pytest.raises(StopError):
        end_with_an_error()
    assert (told()["state"], told()["error"]) == ("stopped", "no MLflow")
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_a_status_file_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the watch goes on."""
    with StatusFile(tmp_path / "no" / "status.json", 60).kept():
        pass
    (said,) = caplog.messages
    assert "cannot be written" in said


def test_documents(tmp_path: Path) -> None:
    """What is no document is an empty one; moments are read as they were written."""
    path = tmp_path / "x.json"
    assert read_document(path) == {}
    for text in ("{", "[1]", "[" * 100_000):
        path.write_text(text)
        assert read_document(path) == {}
    write_document(path, {"a": 1})
    assert read_document(path) == {"a": 1}
    assert seconds_of(moment_text(1.5)) == 1.5
    assert seconds_of("2026-01-01T00:00:00.000Z") == 1767225600
    assert [seconds_of(each) for each in (None, "", "soon", 3)] == [None] * 4
    assert moment_text(None) is None


def test_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    """The page gets the reason; it is not asked again at once."""
    reader = StoreReader(Place(folder=tmp_path), f"sqlite:///{tmp_path}/none.db")
    found = reader.read()
    assert "no such database" in found["error"]
    assert reader.read()["read_at"] == found["read_at"]
    write_document(tmp_path / "store.json", {**found, "seconds": "long"})
    assert reader.read()["seconds"] == "long"


def test_the_lifespan() -> None:
    """Started when the application has started, stopped before it ends; requests pass through."""
    told: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return dict(next(messages))

    async def send(message: Message) -> None:
        told.append(message["type"])

    async def application(scope: Message, receive: Any, send: Any) -> None:
        told.append(scope["type"])
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    around = with_lifespan(application, lambda: told.append("start"), lambda: told.append("stop"))
    asyncio.run(around({"type": "lifespan"}, receive, send))  # type: ignore[arg-type]
    asyncio.run(around({"type": "http"}, receive, send))  # type: ignore[arg-type]
    assert told == [
        "lifespan",
        "start",
        "lifespan.startup.complete",
        "stop",
        "lifespan.shutdown.complete",
        "http",
    ]
