"""``smwatch watch`` as a service manager runs it: streams, signals, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.cli.program import PROGRAM, Finished, environment
from tests.cli.shapes import NUMBER, TEXT_OR_NONE, misfits
from tests.cli.test_log_json import records
from tests.cli.test_refusals import refused
from tests.cli.test_sync import store
from tests.jobs import BEGIN

LONGEST_S = 60
NOWHERE = "http://127.0.0.1:9"
Program = subprocess.Popen[str]
Watching = Callable[..., AbstractContextManager[Program]]

WATCH: dict[Any, Any] = {
    "passes": int,
    "jobs": {"created": int, "updated": int, "failed": int},
    "points": int,
    "aws_calls": {str: int},
    "estimated_cost_usd": NUMBER,
    "seconds": NUMBER,
    "failed": [{"arn": str, "error": str}],
    "warnings": [{"arn": TEXT_OR_NONE, "warning": str}],
    "days": [{"day": str, "aws_calls": {str: int}, "estimated_cost_usd": NUMBER}],
}

CALLS: dict[Any, Any] = {"aws_calls": {str: int}, "estimated_cost_usd": NUMBER}
STATUS: dict[Any, Any] = {
    "version": int,
    "smwatch": str,
    "host": str,
    "pid": int,
    "state": str,
    "interval_s": NUMBER,
    "region": str,
    "error": TEXT_OR_NONE,
    "passes": int,
    "open_jobs": int,
    "started_at": str,
    "written_at": str,
    "pass_began_at": str,
    "progressed_at": str,
    "whole_pass_ended_at": str,
    "next_pass_at": TEXT_OR_NONE,
    "last_pass": {
        "began_at": str,
        "ended_at": str,
        "seconds": NUMBER,
        "jobs": {"seen": int, "created": int, "updated": int, "unchanged": int, "failed": int},
        "points": int,
        **CALLS,
    },
    "jobs": {"created": int, "updated": int, "failed": int},
    "points": int,
    "failed": [{"arn": str, "error": str}],
    "warnings": [{"arn": TEXT_OR_NONE, "warning": str}],
    "days": [{"day": str, **CALLS}],
    **CALLS,
}


@pytest.fixture
def watching(healed: EmulatedAccount, tmp_path: Path) -> Watching:
    """Run ``watch`` every tenth of a second, until the block ends whatever happens in it."""

    @contextmanager
    def begun(*arguments: str) -> Iterator[Program]:
        with subprocess.Popen(
            (*PROGRAM, "watch", "--interval", "0.1", *arguments),
            cwd=tmp_path,
            env=environment(tmp_path, healed.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as program:
            try:
                yield program
            finally:
                if program.poll() is None:
                    program.kill()

    return begun


def line_of(stream: Any, word: str) -> str:
    """Read lines up to the first that has a word; at the stream's end fail."""
    read = []
    for line in stream:
        read.append(line)
        if word in line:
            return str(line)
    raise AssertionError(read)


def passes(account: EmulatedAccount, operation: str, count: int) -> None:
    """Wait until an operation was called that many times more."""
    enough = account.calls[operation] + count
    last = time.monotonic() + LONGEST_S
    while account.calls[operation] < enough:
        assert time.monotonic() < last, account.calls
        time.sleep(0.05)


def stop(program: Program, number: int = signal.SIGTERM) -> Finished:
    """Send a signal and give what is left of both streams."""
    program.send_signal(number)
    out, err = program.communicate(timeout=LONGEST_S)
    return Finished(code=program.returncode, out=out, err=err)


def test_a_line_for_each_run(account: EmulatedAccount, watching: Watching, tmp_path: Path) -> None:
    """Runs are printed as soon as they are written, once; SIGTERM ends it with 0."""
    with watching(*store(tmp_path / "new.db"), "--region", "us-east-1") as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in ("alpha", "beta")]
        passes(account, BEGIN, 3)
        done = stop(program)
    assert done.code == 0, done.err
    assert sorted(line.split()[:3] for line in lines) == [
        ["created", "alpha", "FINISHED"],
        ["created", "beta", "FINISHED"],
    ]
    assert done.out == ""
    store_uri = f"sqlite:///{tmp_path}/new.db"
    assert done.err.splitlines() == [
        f"watching every 0.1 s; Region: us-east-1; MLflow tracking URI: {store_uri}",
        "SIGTERM: finishing the batch in hand",
    ]


@pytest.mark.slow
def test_json_and_trouble_once(healed: EmulatedAccount, watching: Watching, database: Path) -> None:
    """One document at the end; a warning that every pass has is said once; Ctrl-C ends with 0."""
    healed.faults.deny("sagemaker:Search")
    with watching("--json", *store(database)) as program:
        assert program.stderr is not None
        assert "Warning: all jobs: " in line_of(program.stderr, "sagemaker:Search is denied")
        passes(healed, "sagemaker:ListTrainingJobs", 3)
        done = stop(program, signal.SIGINT)
    assert done.code == 0, done.err
    assert misfits(done.document, WATCH) == []
    assert done.document["passes"] >= 3
    (warned,) = done.document["warnings"]
    assert "sagemaker:Search is denied" in warned["warning"]
    assert done.err == "SIGINT: finishing the batch in hand\n"
    (day,) = done.document["days"]
    assert day["aws_calls"] == done.document["aws_calls"]


def test_waiting_is_said_once(healed: EmulatedAccount, watching: Watching, database: Path) -> None:
    """What goes wrong later is waited out; that is said without -v, here as a record."""
    with watching("--log-json", *store(database)) as program:
        assert program.stderr is not None
        begin = json.loads(program.stderr.readline())
        passes(healed, BEGIN, 2)
        healed.faults.fail("sagemaker:*", times=None, code="ExpiredTokenException")
        waiting = json.loads(line_of(program.stderr, "waiting until it works again"))
        healed.faults.clear()
        works = json.loads(line_of(program.stderr, "works again after"))
        done = stop(program)
    assert done.code == 0, done.err
    assert begin["interval_s"] == 0.1
    assert (waiting["level"], works["level"]) == ("WARNING", "WARNING")
    assert [record["message"] for record in records(done)] == [
        "SIGTERM: finishing the batch in hand"
    ]


@pytest.mark.slow
def test_waiting_is_said_in_text_too(
    healed: EmulatedAccount, watching: Watching, database: Path
) -> None:
    """Without -v and without records."""
    with watching(*store(database)) as program:
        assert program.stderr is not None
        program.stderr.readline()
        passes(healed, BEGIN, 2)
        healed.faults.fail("sagemaker:*", times=None, code="ExpiredTokenException")
        assert "ExpiredToken" in line_of(program.stderr, "waiting until it works again")
        assert stop(program).code == 0


def test_a_second_ctrl_c(healed: EmulatedAccount, watching: Watching, database: Path) -> None:
    """Who does not want to wait for the batch in hand: exit 130, no traceback."""
    healed.faults.fail("sagemaker:*", times=None, code="ThrottlingException")
    with watching(*store(database)) as program:
        assert program.stderr is not None
        passes(healed, BEGIN, 1)
        program.send_signal(signal.SIGINT)
        line_of(program.stderr, "SIGINT: finishing the batch in hand")
        done = stop(program, signal.SIGINT)
    assert (done.code, done.out) == (130, "")
    assert "Traceback" not in done.err


def test_nothing_can_be_done(smwatch: Smwatch) -> None:
    """A first pass that fails ends it: exit 3, the document says why."""
    done = smwatch("watch", "--json", "--tracking-uri", NOWHERE, "--region", "us-east-1")
    assert done.code == 3
    assert f"the MLflow server {NOWHERE} does not answer" in done.message
    assert done.document == {"error": done.message}


@pytest.mark.slow
def test_the_password_is_not_shown(smwatch: Smwatch, tmp_path: Path) -> None:
    """The line that names the store leaves it out, whatever stands in it; so does the error."""
    uri = "postgresql+nodriver://me:p%40ss@127.0.0.1/x"
    (tmp_path / "smwatch.toml").write_text(f'tracking-uri = "{uri}"\n')
    done = smwatch("sync")
    assert done.code == 3
    assert "MLflow tracking URI: postgresql+nodriver://me:***@127.0.0.1/x" in done.err
    assert "p%40ss" not in done.err
    done = smwatch("watch")
    assert done.code == 3
    assert "p%40ss" not in done.err


def test_wrong_usage_that_only_a_connection_shows(smwatch: Smwatch) -> None:
    """Exit 2 as with sync, and nothing is said of watching before."""
    message = refused(smwatch("watch", "--profile", "nope"), 2)
    assert "nope" in message
    assert "watching" not in message


@pytest.mark.parametrize("seconds", ["0", "0.09", "-1", "nan", "inf", "86401"])
def test_interval_out_of_range(smwatch: Smwatch, seconds: str) -> None:
    """Seconds that are none, or none to wait for."""
    message = refused(smwatch("watch", "--interval", seconds), 2)
    assert message == f"--interval {seconds}: give seconds from 0.1 to 86400"


def test_no_names(smwatch: Smwatch) -> None:
    """A watch is not of single jobs, and does not forecast."""
    assert "unexpected extra argument" in refused(smwatch("watch", "alpha"), 2).lower()
    assert "no such option" in refused(smwatch("watch", "--dry-run"), 2).lower()


def test_until_eof(account: EmulatedAccount, database: Path, tmp_path: Path) -> None:
    """It ends with the program that holds the other end of its stdin, as at a signal."""
    with subprocess.Popen(
        (*PROGRAM, "watch", "--until-eof", *store(database)),
        cwd=tmp_path,
        env=environment(tmp_path, account.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as program:
        assert program.stdin is not None
        assert program.stderr is not None
        program.stdin.write("what comes is not read\n")
        program.stdin.flush()
        assert "watching every 60 s" in line_of(program.stderr, "watching")
        program.stdin.close()
        assert program.stderr.read() == "stdin ended: finishing the batch in hand\n"
        assert program.wait(LONGEST_S) == 0


@pytest.mark.slow
def test_the_status_file(watching: Watching, healed: EmulatedAccount, tmp_path: Path) -> None:
    """It tells of passes, of what is waited out, and of the end."""
    path = tmp_path / "status.json"

    def told() -> Any:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"state": None}

    def reached(state: str) -> Any:
        last = time.monotonic() + LONGEST_S
        while (found := told())["state"] != state:
            assert time.monotonic() < last, found
            time.sleep(0.02)
        return found

    with watching("--status-file", str(path), *store(tmp_path / "new.db")) as program:
        idle = reached("idle")
        healed.faults.fail("sagemaker:*", times=None, code="ExpiredTokenException")
        waiting = reached("waiting")
        done = stop(program)
    assert done.code == 0, done.err
    assert misfits(idle, STATUS) == []
    assert idle["pid"] == program.pid
    assert idle["jobs"] == {"created": 2, "updated": 0, "failed": 0}
    assert idle["days"][0]["aws_calls"] == idle["aws_calls"]
    assert "credentials" in waiting["error"]
    assert told()["state"] == "stopped"
