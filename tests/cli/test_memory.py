"""The heaps of a command's threads."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = "from mlflow_smwatch.cli.memory import share_heaps; print(share_heaps())"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_glibc_takes_the_setting() -> None:
    """In a process of its own, whose heaps are nobody else's."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
