"""The command line program as a user runs it: another process, of which the streams are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow_smwatch

PROGRAM = (sys.executable, "-m", "mlflow_smwatch")
SOURCE = Path(mlflow_smwatch.__file__).parents[1]
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "COVERAGE")
_LONGEST_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a program left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; anything else there is an error."""
        return json.loads(self.out)

    @property
    def message(self) -> str:
        """The one line that says what is wrong; the usage reminder of click is left out."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("Error: ")


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make an environment that holds nothing of AWS's or MLflow's but what is given."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    alone = {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(SOURCE)}
    return {**kept, **alone, **(more or {})}


def run(*arguments: str, cwd: Path, env: Mapping[str, str]) -> Finished:
    """Run ``smwatch`` to its end."""
    return run_command((*PROGRAM, *arguments), cwd=cwd, env=env)


def run_command(command: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]) -> Finished:
    """Run any program to its end, without a terminal."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=_LONGEST_S,
        check=False,
    )
    return Finished(code=ended.returncode, out=ended.stdout, err=ended.stderr)
