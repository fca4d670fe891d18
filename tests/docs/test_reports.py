"""docs/reports.md: its example runs on the demo's account, its names are those of the code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

import mlflow_smwatch as smwatch
from mlflow_smwatch.core import report_files
from mlflow_smwatch.core.tags import is_fact
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.contents.filling import fill
from mlflow_smwatch.demo.contents.reports import EXECUTIONS, PROFILED, RULE
from tests.docs.documents import blocks, names, read, rows
from tests.jobs import moment, now_ms

PAGE = read("docs/reports.md")
MARKED = {block.mark: block.text for block in blocks(PAGE) if block.mark}


@pytest.mark.slow
def test_the_example_prints_what_it_says(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the command of the page, for what has reports in the demo's account."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{empty_database}"
    asked = (*EXECUTIONS, PROFILED, "wine-autopilot-synthetic")
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        fill(account, moment(now_ms()))
        report = smwatch.sync(*asked, tracking_uri=uri, artifacts="copy")
        assert report.failed == []
    runs = {each.name: each.run_id for each in report.runs}
    done = subprocess.run(
        [sys.executable, "-c", MARKED["example"]],
        env={**os.environ, "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.stdout == MARKED["printed"], done.stderr
    client = MlflowClient(uri)
    tags = client.get_run(str(runs[PROFILED])).data.tags
    assert tags[f"sagemaker.rule.{RULE}"] == "IssuesFound"
    assert tags["smwatch.reports"] == "2"
    best = str(runs["wine-autopilot-synthetic"])
    (analysis,) = client.list_artifacts(best, "sagemaker/reports/explainability")
    assert analysis.path.endswith("analysis.json")
    monitored = client.get_run(str(runs[EXECUTIONS[1]])).data
    parent = client.get_run(monitored.tags["mlflow.parentRunId"])
    assert parent.data.tags["sagemaker.kind"] == "endpoint"


def test_names_are_those_of_the_code() -> None:
    """Files that are copied, limits, tags that are facts."""
    listed = {each for row in rows(PAGE, "file", "of") for each in names(row[0])}
    plain = {each for each in listed if "*" not in each}
    assert all(map(report_files.is_report, plain))
    assert plain >= set(report_files.VIOLATION_FILES)
    sizes = (report_files.FILE_LIMIT, report_files.JOB_LIMIT)
    file, job = (each // report_files.MEGABYTE for each in sizes)
    assert f"A file has {file} MB at most, those of a job {job} MB together" in PAGE
    tags = {each for each in names(PAGE) if each.startswith("sagemaker.")}
    assert all(is_fact(each.partition("<")[0]) for each in tags)
    assert report_files.VIOLATIONS in names(PAGE)
