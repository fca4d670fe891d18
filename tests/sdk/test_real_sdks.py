"""The packages of the extra ``sagemaker``, as their users use them, against the account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.sdk.driver import LINES, living, run_program

PROGRAMS = Path(__file__).parent / "programs"


def told(python: Path, program: str, folder: Path, account: EmulatedAccount) -> dict[str, Any]:
    """Run a program, and return what it printed last."""
    text = (PROGRAMS / program).read_text(encoding="utf-8")
    with living(account):
        ended = run_program(python, text, folder, account.environment)
    assert ended.returncode == 0, ended.stderr
    assert "may not be mirrored" not in ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return document


def kinds(runs: list[list[str]]) -> list[str]:
    """Return the kinds of runs that have all finished."""
    assert {status for _, status, _ in runs} == {"FINISHED"}
    return [kind for *_, kind in runs]


@pytest.mark.slow
def test_autolog_and_mirror(
    sdk: Path, sdk_version: int, empty_database: Path, tmp_path: Path, account: EmulatedAccount
) -> None:
    """Each call is mirrored and returns, or raises, what it always did; then all is put back."""
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    found = told(sdk, f"sdk{sdk_version}.py", tmp_path, account)
    assert found["restored"] is True
    assert found["loss"] == 1 / LINES
    usual = ["training-job", "training-job", "processing-job", "transform-job"]
    if sdk_version == 2:
        assert found["returned"] == [None, "own"]
        assert found["raised"] == "UnexpectedStatusException"
        assert kinds(found["runs"]) == [*usual, "tuning-job", "processing-job"]
    else:
        assert found["returned"] == [None, None]
        assert found["raised"] == "FailedStatusError"
        assert kinds(found["runs"]) == [*usual, "training-job"]
    # each run was there when the waiting call came back, before mirror() asked for it
    assert found["after"] == {"waited": "FINISHED", "fails": "FAILED"}


@pytest.mark.slow
@pytest.mark.parametrize("sdk", [3], ids=["sagemaker-3"], indirect=True)
def test_train(sdk: Path, empty_database: Path, tmp_path: Path, account: EmulatedAccount) -> None:
    """A call of ``train()`` under ``autolog()`` comes back when the job's one run is whole."""
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    found = told(sdk, "sdk3_train.py", tmp_path, account)
    assert found["returned"] is None
    assert [run[1:] for run in found["runs"]] == [["FINISHED", "0.1", 1 / LINES]]
    assert found["runs"] == [found["mirrored"]]


@pytest.mark.slow
def test_experiments(
    sdk: Path, empty_database: Path, tmp_path: Path, account: EmulatedAccount
) -> None:
    """An experiment gives a run for each trial; a job's component gives the job's run."""
    account.makes_components = True
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    found = told(sdk, "experiments.py", tmp_path, account)
    assert {key: sorted(runs) for key, runs in found.items()} == {
        "trial": sorted(["one", "trial"]),
        "component": sorted(["measured", "trial-component"]),
        "component of a job": sorted(["job", "training-job"]),
        "experiment": [["one", "trial"], ["two", "trial"]],
        "resource": [["one", "trial"], ["two", "trial"]],
    }


def test_the_table_of_methods(sdk: Path, sdk_version: int, tmp_path: Path) -> None:
    """Each method that is wrapped is there in the version of the SDK for which it is listed."""
    program = f"""
import importlib
from mlflow_smwatch.sdk.patch_points import SDK_{sdk_version}
for point in SDK_{sdk_version}:
    try:
        module = importlib.import_module(point.module)
    except ModuleNotFoundError:
        assert point.module.startswith("sagemaker.mlops"), point  # may be left out
        continue
    assert point.method in vars(getattr(module, point.owner)), point
"""
    ended = run_program(sdk, program, tmp_path, {"AWS_DEFAULT_REGION": "us-east-1"})
    assert ended.returncode == 0, ended.stderr
