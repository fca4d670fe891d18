from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documents import ROOT, names, read, rows

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ALONE = {"PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
SLOW = {"compare_with_local_runs.py"}
SHOWN = {
    "mirror_one_job.py": ("digits-mlp-adam: FINISHED", "once more: 0 new points"),
    "lineage_of_a_model.py": (
        "data   s3://sagemaker-us-east-1-123456789012/datasets/wine/raw/",
        "training-job  wine-train  run ",
        "only wine-svm has:\n  data   s3://",
    ),
    "compare_with_local_runs.py": ("digits-mlp-sgd (ml.m5.large)", "my-machine (here)"),
}


def test_every_example_is_listed() -> None:
    """With the command that runs it."""
    listed = {
        command
        for row in rows(read("examples/README.md"), "command", "shows")
        for command in names(row[0])
    }
    assert listed == {f"python examples/{path.name} --demo" for path in EXAMPLES}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name, marks=[pytest.mark.slow] if path.name in SLOW else [])
        for path in EXAMPLES
    ],
)
def test_examples_run(path: Path, tmp_path: Path) -> None:
    """By one command, in any folder, without an AWS account; nothing is left there."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, str(path), "--demo"],
        cwd=folder,
        env={**kept, **ALONE, "HOME": str(home)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    for text in SHOWN[path.name]:
        assert text in ended.stdout
    assert list(folder.iterdir()) == []
