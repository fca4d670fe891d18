"""Nobody is reached but AWS, MLflow and whom the user configured."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import PROGRAM, SOURCE, Finished, environment, run_command
from tests.stores.servers import mlflow_server_on
from tests.supply.commands import program

COMMANDS = (
    ("sync", "--dry-run"),
    ("sync", "--artifacts", "link"),
    ("status",),
    ("lineage", "alpha"),
    ("lineage", "alpha", "--source", "aws"),
    ("verify",),
    ("watch", "--until-eof"),
)
LIBRARY = """\
import sys
import mlflow_smwatch as smwatch
report = smwatch.sync(tracking_uri=sys.argv[1])
assert report.counts["created"] == 2, report
smwatch.lineage("alpha", tracking_uri=sys.argv[1])
"""
METADATA_SERVICE = "169.254.169.254"
TELEMETRY_OF_MLFLOW = "config.mlflow-telemetry.io"


class Watched:
    """Runs programs with a user's own environment, and notes whom they reach for.

    Parameters
    ----------
    home
        The user's folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._seen = home / "sockets"

    def run(self, *command: str, **variables: str) -> Finished:
        """Run a program to its end."""
        folder = Path(__file__).with_name("watched")
        path = {"PYTHONPATH": f"{folder}:{SOURCE}", "SOCKETS_SEEN": str(self._seen)}
        given = {**environment(self.home), **path, **variables}
        if "AWS_EC2_METADATA_DISABLED" not in variables:
            del given["AWS_EC2_METADATA_DISABLED"]
        return run_command(command, cwd=self.home, env=given)

    @property
    def addresses(self) -> set[str]:
        """Hosts and ports that were reached for, in that form."""
        return {line.replace(" ", ":") for line in self._seen.read_text().splitlines()}

    @property
    def hosts(self) -> set[str]:
        """Hosts that were reached for."""
        return {line.partition(" ")[0] for line in self._seen.read_text().splitlines()}


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """Watch programs in an empty home."""
    return Watched(tmp_path)


def commands(store: str) -> tuple[str, ...]:
    """Give a program that runs all the commands with a store."""
    return program((*each, "--tracking-uri", store) for each in COMMANDS)


def local(url: str) -> str:
    """Give the address in a URL."""
    return urlsplit(url).netloc


@pytest.mark.slow
def test_commands_reach_aws_alone(account: EmulatedAccount, watched: Watched, store: str) -> None:
    """With a database as the store every connection goes to AWS; MLflow's telemetry is off."""
    done = watched.run(*commands(store), **account.environment)
    assert done.code == 0, done.err
    assert watched.addresses == {local(account.endpoint)}
    assert not (watched.home / ".config").exists(), "MLflow's telemetry left its notes"


@pytest.mark.slow
def test_commands_reach_aws_and_the_tracking_server(
    account: EmulatedAccount, watched: Watched, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With a server as the store that is reached too, and nobody else."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server_on(f"sqlite:///{folder / 'mlflow.db'}", folder) as address:
        done = watched.run(*commands(address), **account.environment)
    assert done.code == 0, done.err
    assert watched.addresses == {local(account.endpoint), local(address)}


@pytest.mark.slow
def test_credentials_are_looked_for_where_aws_tools_do(
    account: EmulatedAccount, watched: Watched, store: str
) -> None:
    """Without any in sight boto3 asks the instance's metadata service, and nobody else."""
    given = {"AWS_ENDPOINT_URL": account.endpoint, "AWS_DEFAULT_REGION": account.region}
    done = watched.run(*PROGRAM, "sync", "--tracking-uri", store, **given)
    assert done.code == 3, done.err
    assert "credentials" in done.err
    assert watched.hosts == {METADATA_SERVICE}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "also"),
    [
        pytest.param({"DO_NOT_TRACK": "true"}, set(), id="off"),
        pytest.param({}, {TELEMETRY_OF_MLFLOW}, id="as-mlflow-has-it"),
    ],
)
def test_the_library_leaves_telemetry_to_mlflows_setting(
    account: EmulatedAccount,
    watched: Watched,
    store: str,
    setting: Mapping[str, str],
    also: set[str],
) -> None:
    """In a process of the user's, MLflow's setting counts; the mirror itself reaches AWS alone."""
    done = watched.run(sys.executable, "-c", LIBRARY, store, **account.environment, **setting)
    assert done.code == 0, done.err
    assert {"127.0.0.1"} <= watched.hosts <= {"127.0.0.1"} | also


def test_a_foreign_address_would_be_noticed(watched: Watched) -> None:
    """The watch itself works, in children too."""
    child = "import socket; socket.create_connection(('example.invalid', 443))"
    parent = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {child!r}]))"
    assert watched.run(sys.executable, "-c", parent).code == 1
    assert watched.addresses == {"example.invalid:443"}
