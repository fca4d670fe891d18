from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.cli.program import PROGRAM, environment
from tests.cli.shapes import FORECAST, STATUS, SYNC, misfits
from tests.jobs import LISTS, arn

LONGEST_S = 60


def store(database: Path) -> tuple[str, str]:
    """Give the option that names a database."""
    return "--tracking-uri", f"sqlite:///{database}"


@pytest.mark.slow
def test_json_is_one_document(smwatch: Smwatch, tmp_path: Path) -> None:
    """``sync --json`` into a new database prints the documented document and nothing else."""
    done = smwatch("sync", "--json", *store(tmp_path / "new.db"))
    assert (done.code, done.err) == (0, "")
    document = done.document
    assert misfits(document, SYNC) == []
    assert document["jobs"] == {
        "seen": 2,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "failed": 0,
    }
    assert {run["arn"] for run in document["runs"]} == {arn("alpha"), arn("beta")}
    assert {run["status"] for run in document["runs"]} == {"FINISHED"}
    assert {run["points"] for run in document["runs"]} == {7}
    assert document["points"] == 14
    assert document["aws_calls"] == {
        "cloudwatch:GetMetricData": 1,
        "logs:DescribeLogStreams": 2,
        **LISTS,
    }
    assert document["estimated_cost_usd"] > 0
    for run in document["runs"]:
        page = f"/#/experiments/{run['experiment_id']}/runs/{run['run_id']}"
        assert run["url"] == f"http://127.0.0.1:5000{page}?workflowType=machine_learning"


@pytest.mark.slow
def test_each_of_many_wrong_names(smwatch: Smwatch, database: Path) -> None:
    """What cannot be found is named as it was typed, the rest is mirrored, exit 1."""
    wrong = (
        "nope",
        arn("gamma", "eu-west-1"),
        "arn:aws:sagemaker",
        "no name/",
        "arn:aws:sagemaker:us-east-1:123456789012:model/alpha",
        "arn:aws:sagemaker:us-east-1:999999999999:training-job/beta",
        "-",
        "損失",
    )
    done = smwatch("sync", "--json", *store(database), "--", "alpha", *wrong)
    assert done.code == 1
    assert misfits(done.document, SYNC) == []
    assert {failure["arn"] for failure in done.document["failed"]} == set(wrong)
    assert [run["name"] for run in done.document["runs"]] == ["alpha"]
    lines = done.err.splitlines()
    assert len(lines) == len(wrong)
    for asked in wrong:
        assert sum(line.startswith(f"Error: {asked}: ") for line in lines) == 1
    assert "--region eu-west-1" in done.err


def test_text_and_default_store(smwatch: Smwatch, database: Path, tmp_path: Path) -> None:
    """Without a tracking URI MLflow's default is taken and named absolutely; a name is shown."""
    database.rename(tmp_path / "mlflow.db")
    done = smwatch("sync", arn("alpha"))
    assert done.code == 0
    assert done.err == f"MLflow tracking URI: sqlite:///{tmp_path}/mlflow.db\n"
    line, summary = done.out.splitlines()
    assert line.startswith("unchanged  alpha  FINISHED  0 points  http://127.0.0.1:5000/#/")
    assert summary.startswith("1 seen, 0 created, 0 updated, 1 unchanged, 0 failed; 0 points; ")


def test_options_from_the_environment(smwatch: Smwatch, database: Path) -> None:
    """Every option may be a variable; a dry run forecasts, and an option wins over a variable."""
    done = smwatch(
        "sync",
        "--until",
        "1m",
        SMWATCH_JSON="true",
        SMWATCH_DRY_RUN="1",
        SMWATCH_NAME_CONTAINS="alp",
        SMWATCH_TAG="team=vision",
        SMWATCH_EXPERIMENT="elsewhere",
        SMWATCH_UNTIL="1d",
        SMWATCH_UI_URL="https://mlflow.example/",
        SMWATCH_TRACKING_URI=f"sqlite:///{database}",
    )
    assert (done.code, done.err) == (0, "")
    assert misfits(done.document, FORECAST) == []
    assert done.document["dry_run"] is True
    (run,) = done.document["runs"]
    assert run["name"] == "alpha"
    assert run["url"].startswith("https://mlflow.example/#/experiments/")


@pytest.mark.slow
def test_forecast_of_new_jobs(smwatch: Smwatch, tmp_path: Path) -> None:
    """A dry run into an empty store knows no run ids, and reads no metric."""
    done = smwatch("sync", "--dry-run", "--json", *store(tmp_path / "new.db"))
    assert (done.code, done.err) == (0, "")
    assert misfits(done.document, FORECAST) == []
    assert done.document["jobs"]["created"] == 2
    assert {run["run_id"] for run in done.document["runs"]} == {None}
    assert done.document["aws_calls"] == {
        "cloudwatch:GetMetricData": 1,
        "logs:DescribeLogStreams": 2,
        "logs:GetLogEvents": 4,
        **LISTS,
    }


def test_status(smwatch: Smwatch, database: Path) -> None:
    """``status --json`` prints one document of the documented shape."""
    done = smwatch("status", "--json", *store(database))
    assert (done.code, done.err) == (0, "")
    assert misfits(done.document, STATUS) == []
    assert (done.document["runs"], done.document["final"], done.document["open"]) == (2, 2, 0)
    assert done.document["points"] == 14
    assert done.document["kinds"] == {"training-job": 2}
    assert done.document["statuses"] == {"FINISHED": 2}
    assert done.document["metric_sources"] == {"cloudwatch": 2}
    assert done.document["tracking_uri"] == f"sqlite:///{database}"


@pytest.mark.slow
def test_status_as_text(smwatch: Smwatch, database: Path) -> None:
    """The text names the store, the numbers and the page of each experiment."""
    done = smwatch("status", *store(database))
    assert (done.code, done.err) == (0, "")
    first, *others = done.out.splitlines()
    assert first == f"sqlite:///{database}: 2 runs, 2 final, 0 open"
    assert "14 points, last written " in others[0]
    assert others[-1].startswith("experiment sagemaker/training-jobs: 2 runs  http://")


@pytest.mark.slow
def test_verbose_goes_to_stderr(smwatch: Smwatch, database: Path) -> None:
    """What the libraries log stays away from the document."""
    done = smwatch("sync", "-v", "--json", *store(database))
    assert done.code == 0
    assert misfits(done.document, SYNC) == []


def test_progress_bar_on_a_terminal(
    account: EmulatedAccount, database: Path, tmp_path: Path
) -> None:
    """With a terminal as stderr a bar counts the jobs there; stdout stays the result's own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        (*PROGRAM, "sync", "--json", *store(database)),
        cwd=tmp_path,
        env=environment(tmp_path, account.environment),
        stdout=subprocess.PIPE,
        stderr=theirs,
        encoding="utf-8",
    ) as program:
        os.close(theirs)
        out, _ = program.communicate(timeout=LONGEST_S)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux reports that the other end of a terminal is closed
        pass
    finally:
        os.close(ours)
    assert program.returncode == 0
    assert b"/2 " in shown
    assert b" points " in shown
    assert b"\r" in shown
    assert out.startswith("{")


def test_closed_pipe(account: EmulatedAccount, database: Path, tmp_path: Path) -> None:
    """A reader that goes away, such as ``head``, is no error to be told about."""
    with subprocess.Popen(
        (*PROGRAM, "sync", "--json", *store(database)),
        cwd=tmp_path,
        env=environment(tmp_path, account.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        err = program.stderr.read()
        program.wait(timeout=LONGEST_S)
    assert err == ""
