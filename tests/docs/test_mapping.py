"""docs/mapping.md names everything that the code writes, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

import mlflow_smwatch
from mlflow_smwatch.core import keys, record, tags, watermark
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.keys import assign_keys, legal_key
from mlflow_smwatch.core.points import duration_points
from mlflow_smwatch.core.series import INSTANCE_METRICS
from mlflow_smwatch.core.watermark import Watermark, from_tags
from mlflow_smwatch.report import Failure, RunLine, SyncReport, Warned
from mlflow_smwatch.status import ExperimentStatus, OpenRun, StatusReport
from tests.docs.documents import blocks, names, read, rows, section

PAGE = read("docs/mapping.md")
PACKAGE = Path(mlflow_smwatch.__file__).parent
SOURCE = "".join(
    Path(str(module.__file__)).read_text(encoding="utf-8") for module in (record, tags, watermark)
)
TAG = re.compile(r'"((?:sagemaker|smwatch|mlflow)\.[\w.]+?)\.?["{]')


def _fields(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_every_tag_of_the_code_is_there() -> None:
    """By its name as a constant, or as the code spells it."""
    written = set(TAG.findall(SOURCE)) - {"mlflow.source", "sagemaker.sdk.program"}
    assert len(written) > 30
    shown = {name.removesuffix(".<Key>").removesuffix(".<name>") for name in names(PAGE)}
    assert written <= shown


def test_no_tag_is_made_up() -> None:
    """Every tag of the tables is written, or at least known, by the code."""
    known = set(TAG.findall(SOURCE)) | {"mlflow.runName", "smwatch.state.1"}
    for first, *_ in rows(section(PAGE, "Tags"), "tag", "value"):
        for tag in names(first):
            assert tag.removesuffix(".<Key>").removesuffix(".<name>") in known, tag


def test_statuses_are_those_of_the_table_of_kinds() -> None:
    """Each SageMaker status, and each phase in which a job waits."""
    (kind,) = KINDS.values()
    table = list(rows(PAGE, "SageMaker status", "secondary status", "MLflow status"))
    shown = {first.strip("`"): last.strip("`") for first, _, last in table if first[0] == "`"}
    assert shown == dict(kind.run_status)
    assert names(table[0][1]) == kind.waiting_phases
    assert f"`{kind.word}`" in PAGE
    assert f"`{kind.experiment}`" in PAGE


def test_metric_keys() -> None:
    """Every CloudWatch metric has a row with its MLflow key."""
    table = {row[0].strip("`"): row[1] for row in rows(PAGE, "what", "key", "step", "points")}
    for metric, key in INSTANCE_METRICS:
        assert table[metric] == f"`system/<host>/{key}`"
    prefixes = re.findall(
        r'"(sagemaker/\w+)', Path(duration_points.__code__.co_filename).read_text()
    )
    assert prefixes == ["sagemaker/billable_seconds", "sagemaker/phase_seconds"]
    for prefix in prefixes:
        assert f"`{prefix}" in PAGE


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("sync", (RunLine, Failure, Warned)),
        ("status", (StatusReport, ExperimentStatus, OpenRun)),
    ],
)
def test_json_documents(title: str, kinds: tuple[type[Any], ...]) -> None:
    """Every field of every object stands in the section of its command."""
    shown = names(section(PAGE, title))
    fields = set().union(*map(_fields, kinds)) - {"word"}
    if title == "sync":
        report = SyncReport(dry_run=True)
        fields |= report.to_dict().keys() | report.jobs.keys()
    assert fields <= shown


def test_state() -> None:
    """The example is one that the program reads, and its fields are the table's."""
    (example,) = [block.text for block in blocks(PAGE) if block.language == "json"]
    assert isinstance(from_tags({watermark.STATE_TAG: example}), Watermark)
    table = {row[0].strip("`") for row in rows(section(PAGE, "State"), "field", "meaning")}
    assert table == json.loads(example).keys() == _fields(Watermark) | {"version"}


@pytest.mark.parametrize(
    "example", [row[1] for row in rows(PAGE, "rule", "example") if row[1]], ids=str
)
def test_examples_of_keys(example: str) -> None:
    """Each is what the code makes of that name."""
    before, after = (
        [each.strip("` ") for each in side.split("`, `")] for side in example.split(" → ")
    )
    assert [assign_keys(before)[name] for name in before] == after
    if len(before) == 1:
        assert legal_key(before[0]) == after[0]


def test_limits() -> None:
    """The table has the code's figures."""
    table = {row[0]: int(row[1].replace(",", "")) for row in rows(PAGE, "value", "most characters")}
    assert table == {
        "tag": keys.TAG_VALUE_LIMIT,
        "param": keys.PARAM_VALUE_LIMIT,
        "dataset name and context": keys.DATASET_TAG_LIMIT,
    }
    assert f"over {keys.KEY_LIMIT} characters" in PAGE
