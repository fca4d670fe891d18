"""The long watch runs, if not for long: every point of every job is there at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_short_one(tmp_path: Path) -> None:
    """Jobs come and go; both sides hold the same, and the process is looked at throughout."""
    output = tmp_path / "benchmarks.json"
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks", "--only", "soak", "--quick", "--output", str(output)),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    soak = document["soak"]
    assert document["within_soak"] is True
    assert (soak["jobs"], soak["wrong_jobs"], soak["failures"]) == (20, 0, 0)
    assert soak["lived"] > 2 * soak["jobs"]
    assert soak["points"] > soak["lived"]
    for third in soak["thirds"]:
        assert min(third["rss_bytes"], third["files"], third["threads"]) > 0
        assert third["calls"]["logs:GetLogEvents"] >= soak["jobs"]
    assert "| last third after the warm-up |" in done.stdout
    assert "| long watch, file handles |" in done.stdout
