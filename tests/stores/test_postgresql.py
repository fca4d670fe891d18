from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

import mlflow_smwatch
from mlflow_smwatch.core.errors import TrackingError
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.forget import find
from tests.jobs import LISTS, arn
from tests.stores.contents import contents
from tests.stores.jobs import put_jobs
from tests.stores.relay import losing_an_answer
from tests.stores.servers import postgresql_server

OPEN = """
import sys
import mlflow.store.tracking.sqlalchemy_store
from mlflow_smwatch.tracking.store import open_tracking
print("ready", flush=True)
sys.stdin.readline()
open_tracking(sys.argv[1])
"""

pytestmark = pytest.mark.postgresql


def test_same_as_sqlite(postgresql: str, aws: EmulatedAccount, tmp_path: Path) -> None:
    """Field by field what SQLite holds, odd names and NUL included; then nothing is written."""
    uri, beside = f"postgresql://{postgresql}", f"sqlite:///{tmp_path}/mlflow.db"
    for each in (uri, beside):
        report = mlflow_smwatch.sync(tracking_uri=each, artifacts="none")
        assert report.jobs["created"] == 4, report.failed
        assert not report.warnings
    theirs = contents(uri)
    assert theirs == contents(beside)
    assert "\x00" not in theirs[arn("extreme")]["params"]["nul"]
    aws.reset_calls()
    again = mlflow_smwatch.sync(tracking_uri=uri, artifacts="none")
    assert again.jobs["unchanged"] == 4
    assert again.points == 0
    assert dict(aws.calls) == LISTS
    by_driver = mlflow_smwatch.sync(
        "plain", tracking_uri=f"postgresql+psycopg2://{postgresql}", artifacts="none"
    )
    assert by_driver.jobs["unchanged"] == 1


def test_no_such_database(postgresql: str, aws: EmulatedAccount) -> None:
    """A database or a login that does not exist is named, without the password."""
    address = postgresql.replace("mirror@", "nobody:pass-word@")
    with pytest.raises(TrackingError, match='role "nobody" does not exist') as error:
        mlflow_smwatch.sync(tracking_uri=f"postgresql://{address}")
    assert "pass-word" not in str(error.value)
    assert not aws.calls


@pytest.mark.slow
def test_two_that_open_an_empty_database_at_once() -> None:
    """MLflow makes its tables without a lock: who comes second finds them there."""
    with postgresql_server() as address:
        command = (sys.executable, "-c", OPEN, f"postgresql://{address}")
        both = [
            subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
            for _ in range(2)
        ]
        assert [each.stdout.readline() for each in both if each.stdout] == ["ready\n"] * 2
        for each in both:
            assert each.stdin
            each.stdin.write("\n")
            each.stdin.flush()
        told = [each.communicate(timeout=120) for each in both]
        assert [each.returncode for each in both] == [0, 0], told


def test_a_run_that_is_forgotten(postgresql: str, aws: EmulatedAccount) -> None:
    """It is erased with what belongs to it, whatever keys point to it; and it comes back."""
    uri = f"postgresql://{postgresql}"
    put_jobs(aws, "forgotten")
    options = {"tracking_uri": uri, "artifacts": "none"}
    try:
        (line,) = mlflow_smwatch.sync("forgotten", **options).runs
        before = contents(uri)[arn("forgotten")]
        assert before["models"]
        client = MlflowClient(tracking_uri=uri)
        (model,) = client.search_logged_models(
            [str(line.experiment_id)], f"source_run_id = '{line.run_id}'"
        )
        client.log_metric(str(line.run_id), "mine", 1.0, model_id=model.model_id)
        report = find([str(line.run_id)], uri).carry_out()
        assert (len(report.removed), report.failed, report.erased) == (1, [], True)
        with pytest.raises(MlflowException, match="not found"):
            client.get_run(str(line.run_id))
        assert mlflow_smwatch.sync("forgotten", **options).jobs["unchanged"] == 1
        assert find(["forgotten"], uri).carry_out().removed == []
        assert mlflow_smwatch.sync("forgotten", restore=True, **options).failed == []
        assert contents(uri)[arn("forgotten")] == before
    finally:
        aws.remove_training_job("forgotten")
    (warned,) = mlflow_smwatch.sync("forgotten", **options).warnings
    assert "no longer knows" in warned.warning


def test_runs_whose_commit_is_not_heard_of(postgresql: str, aws: EmulatedAccount) -> None:
    """The connection is lost once runs are made: they are made, and none is made twice."""
    names = ("lost-1", "lost-2")
    put_jobs(aws, *names)
    try:
        with losing_an_answer(postgresql, after=b"INSERT INTO runs", to=b"COMMIT") as relay:
            uri = f"postgresql://{relay.address}"
            report = mlflow_smwatch.sync(*names, tracking_uri=uri, artifacts="none")
            assert (report.jobs["created"], report.failed) == (2, [])
            assert relay.lost == 1
        client = MlflowClient(tracking_uri=f"postgresql://{postgresql}")
        ids = [each.experiment_id for each in client.search_experiments()]
        for name in names:
            condition = f"tags.`sagemaker.arn` = '{arn(name)}'"
            assert len(client.search_runs(ids, condition, ViewType.ALL)) == 1
    finally:
        for name in names:
            aws.remove_training_job(name)
