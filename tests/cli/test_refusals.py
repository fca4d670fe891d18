"""What the program says when it cannot do what it was asked."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.cli.program import PROGRAM, Finished, environment, run_command
from tests.cli.test_sync import store
from tests.stores.jobs import put_jobs

NOWHERE = "http://127.0.0.1:9"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def refused(done: Finished, code: int) -> str:
    """Check that a program ended with a code and one line on stderr, and give the line."""
    assert "Traceback" not in done.err
    assert done.code == code, done.err
    *usage, last = done.err.strip().splitlines()
    assert code == 2 or not usage
    assert last == f"Error: {done.message}"
    assert len(last) < 1200
    return done.message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "yesterday"), "--since 'yesterday': give an ISO time such as"),
        (("--since", "99999999d"), "--since '99999999d': give an ISO time such as"),
        (("--since", ""), "--since '': give an ISO time such as"),
        (("--since", "-7d"), "--since '-7d': give an ISO time such as"),
        (("--until", "soon"), "--until 'soon': give an ISO time such as"),
        (("--since", "1d", "--until", "2d"), "--until 2d lies before --since 1d"),
        (("--kinds", "training-job,endpoints"), "--kinds endpoints: choose from training-job"),
        (("--kinds", ","), "--kinds '': choose from training-job"),
        (("--workers", "0"), "--workers 0: give a number from 1 to 64"),
        (("--workers", "many"), "'many' is not a valid integer"),
        (("--tag", "team"), "--tag 'team': give KEY=VALUE"),
        (("--tag", "=x"), "--tag '=x': give KEY=VALUE"),
        (("--settle", "-1"), "--settle -1: give seconds, 0 or more"),
        (("--metrics", "some"), "'some' is not one of"),
        (("--no-such-option",), "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage(smwatch: Smwatch, arguments: tuple[str, ...], said: str) -> None:
    """An option that is not understood: exit 2, its name and what it takes, nothing done."""
    done = smwatch("sync", "--json", *arguments)
    assert said.lower() in refused(done, 2).lower()
    assert done.out == ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A surrounding in which nothing can be done, and what is to be said about it."""

    said: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str | None] = field(default_factory=dict)
    code: int = 3


WITHOUT_AWS = {
    "AWS_ENDPOINT_URL": None,
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
}
SURROUNDINGS = [
    pytest.param(
        Refusal(variables=WITHOUT_AWS, said=("no AWS credentials", "aws configure", "--profile")),
        id="no credentials",
    ),
    pytest.param(
        Refusal(
            variables={"AWS_SECRET_ACCESS_KEY": None},
            said=("no AWS credentials", "AWS_SECRET_ACCESS_KEY"),
        ),
        id="half of the credentials",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        Refusal(variables={"AWS_DEFAULT_REGION": None}, said=("no AWS Region", "--region")),
        id="no Region",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        Refusal(
            arguments=("--profile", "nobody"),
            said=("nobody", "aws configure list-profiles"),
            code=2,
        ),
        id="unknown profile",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        Refusal(
            variables={"AWS_ENDPOINT_URL": NOWHERE},
            said=("AWS cannot be reached", NOWHERE, "check the network"),
        ),
        id="no endpoint",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        Refusal(arguments=("--region", "no region"), said=("Region", "no region")),
        id="no such Region",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        Refusal(variables={"AWS_ENDPOINT_URL": "nonsense"}, said=("endpoint", "nonsense")),
        id="endpoint that is no URL",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize("refusal", SURROUNDINGS)
def test_no_aws(smwatch: Smwatch, database: Path, refusal: Refusal) -> None:
    """Without AWS nothing can be done: one line with the next step."""
    done = smwatch("sync", *store(database), *refusal.arguments, **refusal.variables)
    message = refused(done, refusal.code)
    assert done.out == ""
    for part in refusal.said:
        assert part in message


@pytest.mark.slow
@pytest.mark.parametrize("named", [(), ("alpha",)], ids=["all jobs", "one job"])
def test_expired_token(
    smwatch: Smwatch, healed: EmulatedAccount, database: Path, named: tuple[str, ...]
) -> None:
    """A token that has run out stops the pass; with --json the one document says why."""
    healed.faults.fail("sagemaker:*", times=None, code="ExpiredTokenException")
    done = smwatch("sync", "--json", *store(database), *named)
    message = refused(done, 3)
    assert "ExpiredToken" in message
    assert "renew" in message
    assert done.document == {"error": message}


@pytest.mark.slow
def test_denied(smwatch: Smwatch, healed: EmulatedAccount, database: Path) -> None:
    """Without Search the dearer way is taken and named; without that too, both are named."""
    healed.faults.deny("sagemaker:Search")
    done = smwatch("sync", "--json", *store(database))
    assert done.code == 0
    assert done.document["jobs"]["unchanged"] == 2
    (warning,) = done.document["warnings"]
    assert "sagemaker:Search is denied" in warning["warning"]
    assert done.err == f"Warning: all jobs: {warning['warning']}\n"
    healed.faults.deny("sagemaker:ListTrainingJobs")
    done = smwatch("sync", "--kinds", "training-job", "--json", *store(database))
    message = refused(done, 3)
    assert "sagemaker:Search is denied" in message
    assert "sagemaker:ListTrainingJobs is denied" in message
    assert done.document == {"error": message}


STORES = [
    pytest.param(
        NOWHERE, (f"the MLflow server {NOWHERE} does not answer", "start it"), id="no server"
    ),
    pytest.param("sqlite:///:memory:", ("name a file", "sqlite:///mlflow.db"), id="in memory"),
    pytest.param("file:{tmp}/mlruns", ("file store", "sqlite:///"), id="file store"),
    pytest.param("./mlruns", ("file store", "sqlite:///"), id="plain path", marks=pytest.mark.slow),
    pytest.param(
        "postgresql+asyncpg://me:pass-word@127.0.0.1/x",
        ("'asyncpg'", "postgresql+asyncpg://me:***@", "pip install 'mlflow-smwatch[postgresql]'"),
        id="no driver",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "sqlite:////proc/nowhere/mlflow.db",
        ("sqlite:////proc/nowhere/mlflow.db", "check the URI"),
        id="folder that cannot be made",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("uri", "said"), STORES)
def test_no_mlflow(smwatch: Smwatch, tmp_path: Path, uri: str, said: tuple[str, ...]) -> None:
    """A store that cannot be used: exit 3, one line; with --json the document says the same."""
    done = smwatch("sync", "--json", "--tracking-uri", uri.format(tmp=tmp_path))
    message = refused(done, 3)
    for part in said:
        assert part in message
    assert "pass-word" not in done.err + done.out
    assert done.document == {"error": message}
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
def test_status_without_a_server(smwatch: Smwatch) -> None:
    """``status`` refuses in the same words."""
    done = smwatch("status", "--tracking-uri", NOWHERE)
    assert f"the MLflow server {NOWHERE} does not answer" in refused(done, 3)
    assert done.out == ""


def test_status_of_a_wrong_path(smwatch: Smwatch, tmp_path: Path) -> None:
    """``status`` writes nothing: a database that is not there is named, not made."""
    done = smwatch("status", "--json", *store(tmp_path / "typo" / "deep" / "x.db"))
    message = refused(done, 3)
    assert "no such database" in message
    assert "check the URI" in message
    assert done.document == {"error": message}
    assert not (tmp_path / "typo").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("DROP TABLE runs", "is not MLflow's"),
        ("UPDATE alembic_version SET version_num = 'feedbeef0000'", "mlflow db upgrade sqlite:///"),
    ],
    ids=["other tables", "other schema"],
)
def test_not_this_mlflows(smwatch: Smwatch, database: Path, spoil: str, said: str) -> None:
    """A database of something else, or of another MLflow, is left as it is."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(spoil)
    before = database.read_bytes()
    done = smwatch("sync", *store(database))
    assert said in refused(done, 3)
    assert done.out == ""
    assert database.read_bytes() == before


@pytest.mark.slow
def test_no_database(smwatch: Smwatch, tmp_path: Path) -> None:
    """A file that is no database is left as it is."""
    text = tmp_path / "notes.txt"
    text.write_text("remember the milk\n" * 500)
    done = smwatch("sync", *store(text))
    assert "file is not a database" in refused(done, 3)
    assert text.read_text() == "remember the milk\n" * 500


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_locked(smwatch: Smwatch, account: EmulatedAccount, database: Path, lock: str) -> None:
    """A database that another program holds, or writes to for long: nothing half-written."""
    put_jobs(account, "gamma")
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute(f"BEGIN {lock}")
            done = smwatch("sync", "gamma", *store(database))
        message = refused(done, 3)
        assert "locked" in message
        assert "end that program or wait" in message
        assert done.out == ""
        with closing(sqlite3.connect(database)) as connection:
            (runs,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
        assert runs == 2
    finally:
        account.remove_training_job("gamma")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user of the machine can reach."""
    folder = Path(tempfile.mkdtemp(prefix="smwatch-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("has_database", [True, False], ids=["database", "empty folder"])
def test_read_only(
    account: EmulatedAccount, mirrored: Path, open_folder: Path, *, has_database: bool
) -> None:
    """A store that the user may not write to is named, with the right that is missing."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can become a user without rights, with setpriv")
    target = open_folder / "mlflow.db"
    if has_database:
        shutil.copy(mirrored, target)
        target.chmod(0o444)
    put_jobs(account, "gamma")
    try:
        done = run_command(
            (*NOBODY, *PROGRAM, "sync", *store(target)),
            cwd=open_folder,
            env=environment(open_folder, account.environment),
        )
    finally:
        account.remove_training_job("gamma")
    message = refused(done, 3)
    assert "right" in message
    assert done.out == ""
