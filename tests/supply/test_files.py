"""What is written can be changed by nobody else, and what tells of an account is its owner's."""

from __future__ import annotations

import json
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.overlay.spool import Spool
from mlflow_smwatch.server.documents import write_document
from tests.cli.program import environment, run_command
from tests.supply.commands import program

OWNER = 0o600
NOT_THE_OWNERS = {"022": 0o022, "077": 0o077}
"""Umask → what it must keep from others in every mode."""


def mode(path: Path) -> int:
    """Give the permissions of a file."""
    return stat.S_IMODE(path.lstat().st_mode)


def open_to_others(folder: Path, umask: str) -> Mapping[str, str]:
    """Name everything below a folder that lets others do what the umask forbids."""
    return {
        str(each.relative_to(folder)): oct(mode(each))
        for each in folder.rglob("*")
        if not each.is_symlink() and mode(each) & NOT_THE_OWNERS[umask]
    }


@pytest.mark.slow
@pytest.mark.parametrize("umask", NOT_THE_OWNERS)
def test_nobody_else_can_write(account: EmulatedAccount, tmp_path: Path, umask: str) -> None:
    """Database, artifacts, pages and the status file keep to the umask; nothing temporary stays."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir(mode=0o700)
    temporary.mkdir(mode=0o700)
    env = environment(home, {**account.environment, "TMPDIR": str(temporary)})
    store = ("--tracking-uri", f"sqlite:///{home / 'new' / 'mlflow.db'}")
    commands = (
        ("sync", "--artifacts", "link", *store),
        ("lineage", "alpha", "--output", "page.html", *store),
        ("watch", "--until-eof", "--status-file", "status.json", *store),
    )
    done = run_command(program(commands, umask), cwd=home, env=env)
    assert done.code == 0, done.err
    written = {each.name for each in home.rglob("*")}
    assert {"mlflow.db", "job.json", "page.html", "status.json"} <= written
    assert open_to_others(home, umask) == {}
    assert mode(home / "status.json") == OWNER
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("umask", NOT_THE_OWNERS)
def test_nobody_else_can_write_to_the_demos_folder(tmp_path: Path, umask: str) -> None:
    """The demo keeps to the umask too."""
    env = environment(tmp_path)
    demo = ("demo", "--no-serve", "--dir", "demo")
    done = run_command(program((demo,), umask), cwd=tmp_path, env=env)
    assert done.code == 0, done.err
    assert (tmp_path / "demo" / "mlflow.db").exists()
    assert open_to_others(tmp_path, umask) == {}


def test_a_status_file_is_its_owners(tmp_path: Path) -> None:
    """A new one is private, and replaced whole; whom its owner lets read may go on reading."""
    path = tmp_path / "status.json"
    write_document(path, {"passes": 1})
    assert mode(path) == OWNER
    path.chmod(0o666)
    write_document(path, {"passes": 2})
    assert mode(path) == 0o644
    assert json.loads(path.read_text()) == {"passes": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_a_status_file_is_not_followed(tmp_path: Path) -> None:
    """The link is replaced; what it led to stays as it was."""
    other, path = tmp_path / "other", tmp_path / "status.json"
    other.write_text("mine")
    path.symlink_to(other)
    write_document(path, {"passes": 1})
    assert not path.is_symlink()
    assert other.read_text() == "mine"


def test_a_status_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Neither a half-written file nor a changed one."""
    path = tmp_path / "status.json"
    with pytest.raises(TypeError):
        write_document(path, {"passes": object()})
    assert list(tmp_path.iterdir()) == []


def test_logs_on_their_way_are_the_servers_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that is fetched for somebody lies in a private file until it is handed on."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    wanted = tmp_path / "wanted.log"

    def write(file: IO[bytes]) -> None:
        file.write(b"a line")

    spool = Spool()
    spool.put("key", wanted, write)
    (spooled,) = (tmp_path / "spool").iterdir()
    assert (mode(spooled), wanted.read_bytes()) == (OWNER, b"a line")
