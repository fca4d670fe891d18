from __future__ import annotations

import os
import pty
import select
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.cli.open import is_desktop
from mlflow_smwatch.core.errors import UnknownJobError
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.run_pages import find_pages
from tests.cli.conftest import Smwatch
from tests.cli.program import PROGRAM, environment
from tests.cli.shapes import TEXT_OR_NONE, misfits
from tests.cli.test_forget import runs
from tests.jobs import arn

PAGE = {"url": TEXT_OR_NONE, "run_id": str, "experiment_id": str, "arn": str, "name": str}


def page(database: Path, name: str, address: str = "http://127.0.0.1:5000") -> str:
    """Give the address of a job's page."""
    run = runs(database)[name].info
    return (
        f"{address}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
        "?workflowType=machine_learning"
    )


@pytest.mark.slow
def test_a_database(smwatch: Smwatch, database: Path, account: EmulatedAccount) -> None:
    """The page's address on stdout; on stderr how it is served. AWS is not asked."""
    account.reset_calls()
    done = smwatch("open", "alpha", "--tracking-uri", f"sqlite:///{database}")
    assert (done.code, done.out) == (0, f"{page(database, 'alpha')}\n")
    assert f"mlflow ui --backend-store-uri 'sqlite:///{database}'" in done.err
    assert not account.calls


@pytest.mark.slow
def test_a_document(smwatch: Smwatch, database: Path) -> None:
    """By name, ARN or run id; nothing is said where the pages' address is known."""
    run = runs(database)["alpha"].info
    store, ui = f"sqlite:///{database}", "https://mlflow.example.com/"
    done = smwatch("open", arn("alpha"), "--json", "--tracking-uri", store, "--ui-url", ui)
    assert (done.code, done.err) == (0, "")
    assert misfits(done.document, {**PAGE, "runs": [PAGE]}) == []
    expected = {
        "url": page(database, "alpha", "https://mlflow.example.com"),
        "run_id": run.run_id,
        "experiment_id": run.experiment_id,
        "arn": arn("alpha"),
        "name": "alpha",
    }
    assert done.document == {**expected, "runs": [expected]}
    for thing in ("alpha", run.run_id, arn("alpha").upper().replace("ARN:AWS", "arn:aws")):
        assert find_pages(thing, store, ui).to_dict() == done.document


def test_a_name_of_several(smwatch: Smwatch, database: Path) -> None:
    """All are printed, each with its ARN, the one that began last first."""
    uri, client = f"sqlite:///{database}", MlflowClient(tracking_uri=f"sqlite:///{database}")
    client.set_tag(runs(database)["beta"].info.run_id, "sagemaker.name", "alpha")
    done = smwatch("open", "alpha", "--tracking-uri", uri)
    assert [line.split()[1] for line in done.out.splitlines()] == [arn("beta"), arn("alpha")]
    document = find_pages("alpha", uri).to_dict()
    assert [each["arn"] for each in document["runs"]] == [arn("beta"), arn("alpha")]


def test_unknown(smwatch: Smwatch, database: Path) -> None:
    """It ends with 1 and says what makes a page; a run that stands for no job has none either."""
    uri = f"sqlite:///{database}"
    done = smwatch("open", "nobody", "--json", "--tracking-uri", uri)
    assert done.code == 1
    assert done.document == {"error": done.message}
    assert "nobody is not mirrored here" in done.message
    mine = MlflowClient(tracking_uri=uri).create_run("0").info.run_id
    for thing in (mine, "a\nb", "%", arn("%")):
        with pytest.raises(UnknownJobError, match="is not mirrored here"):
            find_pages(thing, uri)


def test_deleted(database: Path) -> None:
    """What the user deleted has no page, but a way back."""
    uri = f"sqlite:///{database}"
    run_id = runs(database)["alpha"].info.run_id
    MlflowClient(tracking_uri=uri).delete_run(run_id)
    for thing in (run_id, "alpha"):
        with pytest.raises(UnknownJobError, match="'smwatch sync alpha --restore'"):
            find_pages(thing, uri)


@pytest.mark.parametrize(
    ("environment", "platform", "terminal", "desktop"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "linux", True, False),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({}, "darwin", True, True),
        ({}, "win32", True, True),
        ({"SSH_CONNECTION": "x"}, "darwin", True, False),
        ({"DISPLAY": "localhost:10", "SSH_TTY": "x"}, "linux", True, True),
    ],
)
def test_where_a_browser_is_opened(
    environment: dict[str, str], platform: str, *, terminal: bool, desktop: bool
) -> None:
    """Only where somebody sits before a screen, and reads what is printed."""
    assert is_desktop(environment, platform, terminal=terminal) is desktop


@pytest.mark.slow
def test_on_a_desktop(database: Path, tmp_path: Path) -> None:
    """The desktop's opener is called with the page, of a server that is known to serve it."""
    opener = tmp_path / "xdg-open"
    opener.write_text('#!/bin/sh\nprintf %s "$1" > "$HOME/opened"\n')
    opener.chmod(0o755)
    env = {**environment(tmp_path), "DISPLAY": ":0"}
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    command = (*PROGRAM, "open", "alpha", "--tracking-uri", f"sqlite:///{database}")
    for more, opened in (((), False), (("--ui-url", "http://127.0.0.1:9"), True)):
        ours, theirs = pty.openpty()
        program = subprocess.Popen(
            (*command, *more), cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        try:
            while select.select([ours], [], [], 60)[0] and os.read(ours, 4096):
                pass
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert program.wait(timeout=60) == 0
        assert (tmp_path / "opened").exists() is opened
    address = (tmp_path / "opened").read_text()
    assert address == page(database, "alpha", "http://127.0.0.1:9")
