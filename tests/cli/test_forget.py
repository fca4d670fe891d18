from __future__ import annotations

import os
import pty
import select
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.cli.program import PROGRAM, environment
from tests.cli.shapes import misfits
from tests.jobs import arn

REMOVED = {"arn": str, "name": str, "run_id": str, "experiment_id": str}
SHAPE = {
    "removed": [REMOVED],
    "kept": [{"arn": str, "name": str, "run_id": str, "reason": str}],
    "failed": [{"arn": str, "error": str}],
    "warnings": [{"arn": (str, type(None)), "warning": str}],
    "erased": bool,
}


def runs(database: Path) -> dict[str, Run]:
    """Give the active runs of a store, by job."""
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    ids = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(ids, run_view_type=ViewType.ACTIVE_ONLY)
    return {run.data.tags["sagemaker.name"]: run for run in found}


def asked(answer: str, database: Path, folder: Path) -> tuple[int, str]:
    """Forget alpha at a terminal and answer the question; give exit code and what is shown."""
    ours, theirs = pty.openpty()
    command = (*PROGRAM, "forget", "alpha", "--tracking-uri", f"sqlite:///{database}")
    program = subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        assert select.select([ours], [], [], 60)[0], shown
        shown += os.read(ours, 4096)
    os.write(ours, f"{answer}\n".encode())
    try:
        while select.select([ours], [], [], 60)[0] and (more := os.read(ours, 4096)):
            shown += more
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return program.wait(timeout=60), shown.decode()


@pytest.mark.slow
def test_yes_without_a_question(smwatch: Smwatch, database: Path, account: EmulatedAccount) -> None:
    """One document, a word on the way back, and no call to AWS."""
    account.reset_calls()
    before = runs(database)
    uri = f"sqlite:///{database}"
    done = smwatch("forget", "alpha", "--yes", "--json", "--tracking-uri", uri)
    assert done.code == 0, done.err
    assert misfits(done.document, SHAPE) == []
    run = before["alpha"].info
    expected = {"arn": arn("alpha"), "name": "alpha", "run_id": run.run_id}
    assert done.document["removed"] == [{**expected, "experiment_id": run.experiment_id}]
    assert "'smwatch sync NAME --restore'" in done.err
    assert not account.calls
    assert set(runs(database)) == {"beta"}


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "left"), [("y", {"beta"}), ("n", {"alpha", "beta"})])
def test_a_question_at_a_terminal(
    database: Path, tmp_path: Path, answer: str, left: set[str]
) -> None:
    """It names run and store, and says that what others added goes too."""
    run_id = runs(database)["alpha"].info.run_id
    code, shown = asked(answer, database, tmp_path)
    assert run_id in shown
    assert str(database) in shown
    assert "also those that others have added" in " ".join(shown.split())
    assert set(runs(database)) == left
    assert code == (0 if answer == "y" else 1)


def test_without_a_terminal(smwatch: Smwatch, database: Path) -> None:
    """Nobody can be asked: nothing is removed."""
    done = smwatch("forget", "alpha", "--tracking-uri", f"sqlite:///{database}")
    assert (done.code, done.out) == (2, "")
    assert "give --yes" in done.message
    assert set(runs(database)) == {"alpha", "beta"}


def test_dry_run(smwatch: Smwatch, database: Path) -> None:
    """It shows what would be removed, by a name, an ARN and a run id."""
    uri, beta = f"sqlite:///{database}", runs(database)["beta"].info.run_id
    done = smwatch("forget", arn("alpha"), beta, "--dry-run", "--json", "--tracking-uri", uri)
    assert done.code == 0, done.err
    assert misfits(done.document, {**SHAPE, "dry_run": bool}) == []
    assert [each["name"] for each in done.document["removed"]] == ["alpha", "beta"]
    assert set(runs(database)) == {"alpha", "beta"}


@pytest.mark.slow
def test_what_cannot_be_removed(smwatch: Smwatch, database: Path) -> None:
    """An unknown name and a foreign run: each is named with its reason, the others are removed."""
    uri = f"sqlite:///{database}"
    mine = MlflowClient(tracking_uri=uri).create_run("0", tags={"sagemaker.name": "mine"})
    run_id = mine.info.run_id
    done = smwatch("forget", "beta", "nobody", run_id, "-y", "--tracking-uri", uri)
    assert done.code == 1
    assert "Error: nobody: no run" in done.err
    assert f"kept  mine  run {run_id}: it stands for no job of SageMaker's" in done.out
    assert done.out.splitlines()[-1] == "1 removed, 1 kept, 1 failed"
    assert set(runs(database)) == {"alpha", "mine"}
