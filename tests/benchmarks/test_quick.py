"""The benchmarks run and report; no time is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Run the quick benchmarks once; give the table and the JSON document."""
    output = tmp_path_factory.mktemp("benchmarks") / "new" / "benchmarks.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--output", str(output)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(output.read_text())


@pytest.mark.slow
def test_the_table_names_machine_rows_and_ratios(quick: tuple[str, dict[str, Any]]) -> None:
    """Everything that was measured has its row, and each ratio says what it is made of."""
    table, _ = quick
    for part in (
        "cpu ",
        "cores ",
        "python ",
        "mlflow ",
        "| first sync, 10 jobs |",
        "| second sync, nothing changed (median of 3) | 1 Search | 0 | 0 |",
        "| script of today, 2 of the 10 jobs | 16 GetMetricStatistics, 2 DescribeTrainingJob |",
        "| script of today, × 5 = 10 jobs (scaled) |",
        "| first sync, 40 jobs |",
        "script on 2 jobs, scaled to 10; one run each",
        "median of 3 ÷ one run",
        "| 40 jobs ÷ 10 jobs, peak memory |",
    ):
        assert part in table


@pytest.mark.slow
def test_the_document_holds_the_counts(quick: tuple[str, dict[str, Any]]) -> None:
    """The account counted the calls, the database its transactions; both sides hold the same."""
    _, document = quick
    results = document["results"]
    assert set(results["first"]["calls"]) == {"cloudwatch:GetMetricData", "sagemaker:Search"}
    assert results["first"]["jobs"]["created"] == 10
    assert results["first"]["transactions"] > 0
    assert results["second"]["calls"] == {"sagemaker:Search": 1}
    assert results["second"]["transactions"] == 0
    assert results["second"]["points"] == 0
    assert results["grown"]["jobs"]["created"] == 40
    assert results["today"]["points"] == 2 * 8 * 60
    assert results["today"]["same_points"] is True
    assert all(value > 0 for value in document["ratios"].values())
    assert {"date", "cpu", "cores", "python", "mlflow"} <= set(document["machine"])


@pytest.mark.parametrize("wrong", [["--jobs", "0"], ["--sample", "-1"], ["--jobs", "many"]])
def test_wrong_numbers_are_refused(wrong: list[str]) -> None:
    """Usage error, one line, nothing run."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *wrong],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert wrong[0] in done.stderr
    assert done.stdout == ""
