"""An emulated account with two jobs, and the program run against it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import Finished, environment, run
from tests.stores.jobs import put_jobs

Smwatch = Callable[..., Finished]


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account that holds the completed jobs alpha and beta."""
    with EmulatedAccount() as account:
        put_jobs(account, "alpha", "beta", tags={"team": "vision"})
        yield account


@pytest.fixture
def healed(account: EmulatedAccount) -> Iterator[EmulatedAccount]:
    """Give the account and take back every fault that a test puts into it."""
    yield account
    account.faults.clear()


@pytest.fixture(scope="module")
def mirrored(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database that holds both jobs' runs."""
    folder = tmp_path_factory.mktemp("mirrored")
    database = folder / "mlflow.db"
    env = environment(folder, account.environment)
    done = run("sync", "--tracking-uri", f"sqlite:///{database}", cwd=folder, env=env)
    assert done.code == 0, done.err
    return database


@pytest.fixture
def database(mirrored: Path, tmp_path: Path) -> Path:
    """Give a copy of that database that a test may spoil."""
    return Path(shutil.copy(mirrored, tmp_path / "copy.db"))


@pytest.fixture
def smwatch(account: EmulatedAccount, tmp_path: Path) -> Smwatch:
    """Run the program in an empty folder, led to the account; None removes a variable."""

    def start(*arguments: str, **variables: str | None) -> Finished:
        env = {**environment(tmp_path, account.environment), **variables}
        given = {name: value for name, value in env.items() if value is not None}
        return run(*arguments, cwd=tmp_path, env=given)

    return start
