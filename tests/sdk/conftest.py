"""Interpreters that have a SageMaker SDK, and an account in which jobs live."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.demo.account import EmulatedAccount

MAKE = "SMWATCH_SDK_ENVS"
"""Set to 1, the environments are made: two minutes and a gigabyte."""

REQUIREMENTS = {
    2: ["sagemaker<3", "sagemaker-experiments"],
    3: ["sagemaker>=3,<4", "sagemaker-experiments"],
}


def interpreter(version: int, folder: Path) -> Path | None:
    """Find an interpreter with this version of the SDK, or make one if that is asked for."""
    named = os.environ.get(f"SMWATCH_SDK{version}_PYTHON")
    if named:
        return Path(named)
    if version == _installed():
        return Path(sys.executable)
    return _made(version, folder) if os.environ.get(MAKE) == "1" else None


def _installed() -> int | None:
    """Tell which version this interpreter has; sagemaker-train is the part of 3 that trains."""
    names = {each.metadata["Name"] for each in importlib.metadata.distributions()}
    if "sagemaker-train" in names:
        return 3
    return int(importlib.metadata.version("sagemaker")[0]) if "sagemaker" in names else None


def _made(version: int, folder: Path) -> Path:
    environment = folder / f"sdk{version}"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    own = importlib.metadata.requires("mlflow-smwatch") or []
    needed = [each for each in own if "extra ==" not in each]
    install = [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS[version], *needed]
    subprocess.run(install, check=True)
    return python


@pytest.fixture(scope="session", autouse=True)
def _no_sdk_in_here() -> Iterator[None]:
    """See that the SDK was imported by child processes only: it would stay in this one."""
    yield
    real = {"sagemaker.core", "sagemaker.train", "sagemaker.session", "smexperiments"}
    assert real.isdisjoint(sys.modules)


@pytest.fixture(scope="session", params=[2, 3], ids=["sagemaker-2", "sagemaker-3"])
def sdk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give an interpreter with a real SageMaker SDK."""
    version: int = request.param
    folder = tmp_path_factory.mktemp("environments")
    python = interpreter(version, folder)
    if python is None:
        pytest.skip(f"set SMWATCH_SDK{version}_PYTHON to a Python that has it, or {MAKE}=1")
    yield python
    shutil.rmtree(folder)


@pytest.fixture
def sdk_version(request: pytest.FixtureRequest) -> int:
    """Tell which version the interpreter has."""
    return int(request.node.callspec.params["sdk"])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """Give a test a store of its own, which MLflow chooses without being told."""
    database = Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    return MlflowClient(tracking_uri=f"sqlite:///{database}")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an empty account in real time; the environment leads to it."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        yield account
