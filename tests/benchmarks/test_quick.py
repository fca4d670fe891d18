"""The benchmarks run and report; no time is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STORE = ("first_client", "first_unit", "resent_client", "resent_unit", "runs", "jobs")
LISTS = {"sagemaker:ListAssociations": 1, "sagemaker:Search": 2}
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
        "| second sync, nothing changed (median of 3) | 1 ListAssociations, 2 Search | 0 | 0 |",
        "| script of today, 2 of the 10 jobs | 16 GetMetricStatistics, 2 DescribeTrainingJob |",
        "| script of today, × 5 = 10 jobs (scaled) |",
        "| first sync, 40 jobs |",
        "script on 2 jobs, scaled to 10; one run each",
        "median of 3 ÷ one run",
        "| 40 jobs ÷ 10 jobs, peak memory |",
        "| loop of today, 5 definitions (median of 3) | 2,000 | 580 |",
        "| replay, 5 definitions (median of 3) | 2,000 | 580 |",
        "| loop of today, 40 definitions (median of 3) | 2,000 | 1,280 |",
        "| replay, 40 definitions (median of 3) | 2,000 | 1,280 |",
        "| whole sync, 5 definitions | 2,000 |",
        "| replay of 10 MB | 100,000 | 29,000 |",
        "| replay of 100 MB | 1,000,000 | 290,000 |",
        "| replay ÷ loop of today, lines per second, 5 definitions |",
        "| 100 MB ÷ 10 MB of log, peak memory |",
        "| no news (median of 3) | ",
        "| pass without news ÷ first pass, CPU seconds |",
        "| SQLite, 2,000 edges, 200 runs (median of 3) |",
        "| REST, 2,000 edges, 200 runs (median of 3) |",
        "| second `lineage()` ÷ plain `search_runs`, REST |",
        "| mirror, 300 in 100 trials, all kinds listed | ",
        "| script ÷ finding, AWS calls |",
        "| first sync, 10 jobs with 200 log lines each |",
        "| first sync of 100 jobs into PostgreSQL |",
        "| pass that sweeps, 10 finished jobs |",
        "| SQLite: 5,000 points again, in one transaction |",
        "| metrics into SQLite, 2 workers |",
    ):
        assert part in table


@pytest.mark.slow
def test_the_document_holds_the_counts(quick: tuple[str, dict[str, Any]]) -> None:
    """The account counted the calls, the database its transactions; both sides hold the same."""
    _, document = quick
    results = document["results"]
    assert set(results["first"]["calls"]) == {"cloudwatch:GetMetricData", *LISTS}
    assert results["first"]["jobs"]["created"] == 10
    assert results["first"]["transactions"] > 0
    assert results["second"]["calls"] == LISTS
    assert results["second"]["transactions"] == 0
    assert results["second"]["points"] == 0
    assert results["grown"]["jobs"]["created"] == 40
    assert results["today"]["points"] == 2 * 8 * 60
    assert results["today"]["same_points"] is True
    assert all(value > 0 for value in document["ratios"].values())
    assert {"date", "cpu", "cores", "python", "mlflow"} <= set(document["machine"])


@pytest.mark.slow
def test_the_document_holds_what_the_logs_gave(quick: tuple[str, dict[str, Any]]) -> None:
    """Loop and replay read all lines and found the same; one pattern was stopped."""
    logs = quick[1]["logs"]
    for definitions, points in (("5", 580), ("40", 1280)):
        loop, replay = logs["loops"][definitions], logs["replays"][definitions]
        assert loop["lines"] == replay["lines"] == 2000
        assert loop["points"] == replay["points"] == points
        assert loop["sums"] == pytest.approx(replay["sums"])
        assert len(loop["sums"]) == int(definitions)
    assert {name: each["findings"] for name, each in logs["long_line"].items()} == {
        "harmless": {},
        "nested": {},
        "back-reference": {"m0": {"runaway": 1}},
    }
    assert all(each["peak_rss_bytes"] > 0 for each in logs["memory"].values())


@pytest.mark.slow
def test_a_watch_pass_without_news_asks_once_a_stream(quick: tuple[str, dict[str, Any]]) -> None:
    """The listings, one page of each log, at most one request for utilisation, nothing written."""
    watch = quick[1]["watch"]
    assert watch["first"]["jobs"]["created"] == watch["jobs"] == 5
    assert len(watch["quiet"]) == 3
    for each in watch["quiet"]:
        assert each["calls"].pop("cloudwatch:GetMetricData", 0) <= 1
        assert each["calls"] == {"logs:GetLogEvents": 5, **LISTS}
        assert (each["transactions"], each["points"]) == (0, 0)
    assert watch["news"]["jobs"]["updated"] == 1
    assert watch["news"]["points"] == 5
    assert watch["news"]["transactions"] > 0


@pytest.mark.slow
def test_every_ratio_is_there(quick: tuple[str, dict[str, Any]]) -> None:
    """The names by which the figures are compared from run to run."""
    assert set(quick[1]["ratios"]) == {
        "script_to_first_sync_seconds",
        "script_to_first_sync_cpu",
        "second_to_first_sync_seconds",
        "grown_to_first_sync_peak_rss",
        "replay_to_loop_speed_5",
        "replay_to_loop_cpu_speed_5",
        "replay_to_loop_speed_40",
        "replay_to_loop_cpu_speed_40",
        "log_sync_to_loop_speed",
        "nested_to_harmless_cpu",
        "back_reference_to_harmless_cpu",
        "large_to_small_log_peak_rss",
        "large_to_small_log_growth",
        "quiet_to_first_watch_pass_cpu",
        "first_lineage_to_search_sqlite",
        "second_lineage_to_search_sqlite",
        "first_lineage_to_search_rest",
        "second_lineage_to_search_rest",
        "script_to_finding_calls",
        "logged_script_to_sync_seconds",
        "logged_script_to_sync_calls",
        "large_to_small_seconds_per_job_sqlite",
        "large_to_small_seconds_per_job_postgresql",
        "help_to_import_mlflow",
        "store_first_rest",
        *(f"store_{what}_{database}" for what in STORE for database in ("sqlite", "postgresql")),
        *(
            f"cluster_{size}_{what}_into_SQLite"
            for size in (1, 2, 4)
            for what in ("metrics", "logs")
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        ["--jobs", "0"],
        ["--sample", "-1"],
        ["--jobs", "many"],
        ["--lines", "99"],
        ["--megabytes", "10"],
        ["--only", "nothing"],
    ],
)
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
