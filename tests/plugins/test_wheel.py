"""The built wheel, installed into an environment of its own beside what it depends on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GROUPS = {
    "mlflow.tracking_store",
    "mlflow.model_registry_store",
    "mlflow.workspace_provider",
    "mlflow.artifact_repository",
    "mlflow.run_context_provider",
    "mlflow.app",
}

ONE_OF_EACH = (
    ("mlflow.tracking_store", "smwatch+sqlite"),
    ("mlflow.artifact_repository", "smwatch+file"),
    ("mlflow.run_context_provider", "smwatch"),
    ("mlflow.app", "smwatch"),
)

LOAD = """
import json
from importlib.metadata import distribution
points = [point for point in distribution("mlflow-smwatch").entry_points]
print(json.dumps([[point.group, point.name, callable(point.load())] for point in points]))
"""

MODULES = sorted((ROOT / "mlflow_smwatch" / "plugins").glob("*.py"))
WEIGH = """
import json, sys, time
from importlib import import_module

sys.modules["sagemaker_mlflow"] = None  # another plugin, which brings boto3
start = time.process_time()
import mlflow
of_mlflow, known = time.process_time() - start, set(sys.modules)
start = time.process_time()
for name in sys.argv[1:]:
    import_module("mlflow_smwatch.plugins." + name)
print(json.dumps([(time.process_time() - start) / of_mlflow, sorted(set(sys.modules) - known)]))
"""


def _run(python: Path, program: str, *arguments: str) -> str:
    command = [str(python), "-W", "error:::mlflow_smwatch", "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a build leaves its traces where it runs
    shutil.copytree(ROOT / "mlflow_smwatch", source / "mlflow_smwatch")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(source)], check=True)
    return next(folder.glob("mlflow_smwatch-*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an interpreter that has the wheel, and for the rest what the tests run with."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(command, check=True)
    packages = Path(_run(python, "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """No tests, no caches; the marker for type checkers and the recordings are there."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mlflow_smwatch"}
    assert "mlflow_smwatch/py.typed" in names
    assert any(name.startswith("mlflow_smwatch/demo/recordings/") for name in names)
    assert not [name for name in names if "__pycache__" in name]


def test_every_entry_point_loads(python: Path) -> None:
    """What MLflow asks for by name is there and can be called; so is the command."""
    points = json.loads(_run(python, LOAD))
    assert {group for group, _, _ in points} == GROUPS | {"console_scripts"}
    assert all(is_callable for _, _, is_callable in points)


def test_plugins_are_light(python: Path) -> None:
    """All together: a small part of what MLflow takes, and no client of AWS or a database."""
    part, loaded = json.loads(_run(python, WEIGH, *(each.stem for each in MODULES)))
    assert not {"boto3", "botocore", "sqlalchemy", "networkx"} & set(loaded)
    assert part < 1 / 3


@pytest.mark.parametrize(("group", "name"), ONE_OF_EACH)
def test_whatever_is_loaded_first(python: Path, group: str, name: str) -> None:
    """MLflow asks for all of them while it is imported: none must need it to be there before."""
    program = f"""
from importlib.metadata import entry_points
(point,) = entry_points(group={group!r}, name={name!r})
point.load()
import mlflow
"""
    command = [str(python), "-W", "error::UserWarning", "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
    assert (ended.returncode, ended.stderr) == (0, "")
