"""Runs one program to its end, in a process and a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).resolve().parent.parent


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment for a child, without a choice of account or of MLflow."""
    chosen = ("AWS_", "SMWATCH_", "MLFLOW_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(chosen)}
    ours = {"PYTHONPATH": str(_PROJECT), "DO_NOT_TRACK": "true"}
    return {**kept, **ours, **(variables or {})}


def run(
    module: str, arguments: list[str], variables: Mapping[str, str], folder: Path
) -> dict[str, Any]:
    """Run a module of this package and return the JSON document on the last line of its stdout.

    Raises
    ------
    RuntimeError
        When it fails, with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"{module} ended with {done.returncode}: {done.stderr[-2000:]}"
        raise RuntimeError(message)
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document
