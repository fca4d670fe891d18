"""What SageMaker's descriptions tell of reports, and which objects are reports."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_files import S3Place
from mlflow_smwatch.core.mappers.processing import processing_job
from mlflow_smwatch.core.note import note_of
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.report_files import (
    FILE_LIMIT,
    JOB_LIMIT,
    VIOLATIONS,
    choose,
    count_violations,
    has_violations,
    is_report,
    no_violations,
    report_folders,
)
from mlflow_smwatch.core.reports import (
    RULES_MS,
    are_rules_old,
    automl_facts,
    awaits_rules,
    is_evaluating,
    lacks_rules,
    remembered,
    rules_in_words,
    training_facts,
    with_rules,
)
from mlflow_smwatch.core.windows import AFTER_END_MS, Life, plan_awaiting
from tests import kinds
from tests.jobs import HOUR_MS, arn, job_answer

ENDED_MS = 2 * HOUR_MS
LIFE: dict[str, Any] = {"created_ms": HOUR_MS, "ended_ms": ENDED_MS}
PROFILER = {"ProfilerConfig": {"S3OutputPath": "s3://bucket/profile/"}}
IN_PROFILE = {"report.profiler": "s3://bucket/profile/job/profiler-output/"}


def job(**changes: Any) -> Job:
    """Make a training job."""
    return training_job({**job_answer("job", **LIFE, **changes), "TrainingJobArn": arn("job")})


def statuses(field: str, **said: str) -> dict[str, Any]:
    """Make the statuses of rules, name → status."""
    names = ("RuleConfigurationName", "RuleEvaluationStatus")
    return {field: [dict(zip(names, each, strict=True)) for each in said.items()]}


DEBUGGED = statuses("DebugRuleEvaluationStatuses", Overfit="NoIssuesFound")


@pytest.mark.parametrize(
    ("answer", "facts"),
    [
        ({}, {}),
        (
            {"DebugHookConfig": {"S3OutputPath": "s3://bucket/d"}},
            {"report.debugger": "s3://bucket/d/job/debug-output/"},
        ),
        (PROFILER, IN_PROFILE),
        ({"ProfilerConfig": {"S3OutputPath": "s3://bucket/p", "DisableProfiler": True}}, {}),
        (
            {**PROFILER, "ProfilingStatus": "Disabled"},
            {**IN_PROFILE, "profiling_status": "Disabled"},
        ),
        (
            {**PROFILER, "ProfilerRuleConfigurations": []},
            {**IN_PROFILE, "profiling_status": "Enabled"},
        ),
        (
            {**DEBUGGED, "OutputDataConfig": {"S3OutputPath": "s3://bucket/out/"}},
            {"rule.Overfit": "NoIssuesFound", "report.rules": "s3://bucket/out/job/rule-output/"},
        ),
        ({"DebugHookConfig": {"S3OutputPath": "file:///d"}}, {}),
        ({"DebugHookConfig": "odd", "DebugRuleEvaluationStatuses": [None, {}]}, {}),
    ],
)
def test_facts_of_a_training_job(answer: dict[str, Any], facts: dict[str, str]) -> None:
    """Places follow from the paths of its configuration; what is off has none."""
    assert dict(training_facts({"TrainingJobName": "job", **answer})) == facts


def test_facts_of_an_automl_job() -> None:
    """Notebooks of the job, reports of the best candidate."""
    best = {
        "CandidateProperties": {"CandidateArtifactLocations": {"Explainability": "s3://bucket/e"}}
    }
    notebooks = {"DataExplorationNotebookLocation": "s3://bucket/n.ipynb"}
    facts = automl_facts({"AutoMLJobArtifacts": notebooks, "BestCandidate": best})
    assert dict(facts) == {
        "report.data_exploration_notebook": "s3://bucket/n.ipynb",
        "report.explainability": "s3://bucket/e",
    }
    assert report_folders(facts) == {"explainability": S3Place(bucket="bucket", key="e/")}


def processed(said: str | None, **changes: Any) -> Job:
    """Make a monitoring execution."""
    answer = kinds.monitoring_execution(
        "e", schedule="watch", said="", output="s3://bucket/w", **LIFE
    )
    answer |= {"ProcessingJobArn": kinds.kind_arn("processing-job/e"), "ExitMessage": said}
    return processing_job({**answer, **changes})


@pytest.mark.parametrize(
    ("said", "status", "counts", "asks"),
    [
        ("CompletedWithViolations: with 3 violations.", "CompletedWithViolations", {}, True),
        ("Completed: no violations.", "Completed", {VIOLATIONS: 0}, False),
        ("ConstraintError: no file", "ConstraintError", {}, False),
        ("it is 3 o'clock", None, {}, False),
        ("", None, {}, False),
        (None, None, {}, False),
    ],
)
def test_monitoring_executions(
    said: str | None, status: str | None, counts: dict[str, int], asks: bool
) -> None:
    """Only where something was found S3 is asked for what."""
    found = processed(said)
    assert dict(found.facts).get("monitoring_status") == status
    assert dict(found.facts)["monitoring_schedule"] == "watch"
    assert (no_violations(found), has_violations(found)) == (counts, asks)
    failed = processed(said, ProcessingJobStatus="Failed")
    assert (no_violations(failed), has_violations(failed)) == ({}, False)


def test_the_environment_names_the_endpoint() -> None:
    """Of a monitoring execution alone; its run stands beside that of the endpoint."""
    names = {"sagemaker_endpoint_name": "E", "sagemaker_monitoring_schedule_name": "Watch"}
    found = processed("Completed: none", Environment=names)
    assert found.kinship.group == ("endpoint", "E")
    assert dict(found.facts)["monitoring_schedule"] == "Watch"
    assert run_record(found).experiment == "sagemaker/endpoints"
    other = processed("Completed: none", Environment=names, MonitoringScheduleArn=None)
    assert other.kinship.group is None


def test_clarify_and_baselines() -> None:
    """By the names that the SDK gives their outputs; other outputs are no reports."""
    outputs = {each: f"s3://bucket/{each}" for each in ("analysis_result", "other")}
    answer = kinds.processing_job("p", outputs=outputs, **LIFE)
    found = processing_job({**answer, "ProcessingJobArn": kinds.kind_arn("processing-job/p")})
    assert found.facts == (("report.analysis_result", "s3://bucket/analysis_result"),)


def test_what_search_lacks_is_remembered() -> None:
    """Until somebody describes the job: then that counts, also that a rule is gone."""
    searched = job(**PROFILER, **DEBUGGED)
    assert lacks_rules(searched)
    assert not lacks_rules(replace(searched, status="InProgress"))
    assert not lacks_rules(job(**DEBUGGED))
    going = statuses("ProfilerRuleEvaluationStatuses", Report="InProgress")
    told = with_rules(searched, {**job_answer("job", **LIFE), **PROFILER, **DEBUGGED, **going})
    assert lacks_rules(told)
    assert is_evaluating(told)
    tags = dict(run_record(told).tags)
    again = remembered(searched, tags)
    assert dict(again.facts) == dict(told.facts)
    assert run_record(again).fingerprint == run_record(told).fingerprint
    assert remembered(again, tags) == again
    settled = with_rules(again, {**job_answer("job", **LIFE), **PROFILER})
    assert "rule.Report" not in dict(settled.facts)
    assert not lacks_rules(settled)


def test_how_long_rules_are_waited_for() -> None:
    """From the job's end on, for a day; meanwhile nothing is read that cannot come."""
    going = job(**statuses("DebugRuleEvaluationStatuses", Overfit="InProgress"))
    assert awaits_rules(going, ENDED_MS)
    assert not awaits_rules(going, ENDED_MS + RULES_MS)
    assert not awaits_rules(job(**DEBUGGED), ENDED_MS)
    assert not awaits_rules(replace(going, status="InProgress", ended_ms=None), ENDED_MS)
    now_ms = ENDED_MS + HOUR_MS
    life = Life(created_ms=HOUR_MS, ended_ms=ENDED_MS)
    first = plan_awaiting(life, now_ms, 0)
    assert not first.complete
    assert first.windows[0].start_ms == HOUR_MS
    read_to_ms = first.windows[-1].end_ms
    assert read_to_ms >= ENDED_MS + AFTER_END_MS
    later = Life(created_ms=HOUR_MS, ended_ms=ENDED_MS, read_to_ms=read_to_ms)
    assert plan_awaiting(later, now_ms + HOUR_MS, 0).windows == ()


def test_the_note_says_what_rules_came_to() -> None:
    """It is written once: of what goes on it only says where to look."""
    over = job(**PROFILER, **DEBUGGED)
    assert rules_in_words(over) == "Rules: Overfit NoIssuesFound"
    note = note_of(over, {})
    assert "Rules: Overfit NoIssuesFound" in note
    assert "[Profiler data](https://" in note
    many = {f"R{number}": "IssuesFound" for number in range(7)}
    words = rules_in_words(job(**statuses("DebugRuleEvaluationStatuses", **many)))
    assert words.endswith("R4 IssuesFound and 2 more")
    going = job(**statuses("DebugRuleEvaluationStatuses", A="InProgress", B="NoIssuesFound"))
    assert rules_in_words(going) == "Rules: 2, see the tags sagemaker.rule"
    hostile = job(**statuses("DebugRuleEvaluationStatuses", **{"[x](http://e)<b>": "Error"}))
    assert "[x](http" not in note_of(hostile, {})
    assert "<b>" not in note_of(hostile, {})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("constraint_violations.json", True),
        ("constraints_violations.json", True),
        ("a/b/statistics.json", True),
        ("analysis.json", True),
        ("profiler-output/profiler-report.html", True),
        ("profiler-output/profiler-reports/GPUMemoryIncrease.json", True),
        ("profiler-output/profiler-reports/more/x.json", False),
        ("profiler-output/profiler-report.ipynb", False),
        ("explanations_shap/out.csv", False),
        ("page.html", False),
        ("../report.html", False),
        ("a//report.html", False),
        ("%2e%2e/report.html", False),
        ("", False),
    ],
)
def test_what_is_a_report(path: str, *, expected: bool) -> None:
    """By its name; nothing whose path leads elsewhere."""
    assert is_report(path) is expected


def test_limits_of_what_is_copied() -> None:
    """A file by itself, and all together: what is left out is named."""
    folders = {"a": S3Place(bucket="bucket", key="k/")}
    fitting = [(f"{number}/report.html", FILE_LIMIT) for number in range(6)]
    chosen, left_out = choose(folders, {"a": [*fitting, ("big/report.html", FILE_LIMIT + 1)]})
    assert sum(each.size for each in chosen) == JOB_LIMIT
    too_large = "not copied, too large: "
    assert left_out == [f"{too_large}a/5/report.html", f"{too_large}a/big/report.html"]
    assert chosen[0].place == S3Place(bucket="bucket", key="k/0/report.html")
    assert chosen[0].path == "a/0/report.html"


def test_raw_data_and_odd_names_are_no_folders_of_reports() -> None:
    """Tensors and samples are never listed; a name that is a path is none."""
    facts = [
        (f"report.{name}", "s3://bucket/k") for name in ("debugger", "profiler", "../x", "fine")
    ]
    assert set(
        report_folders([*facts, ("report.bucket", "s3://bucket"), ("other", "s3://bucket/k")])
    ) == {"fine"}


def test_violations_are_counted() -> None:
    """All, and by type; what has none counts as unknown."""
    listed = [{"constraint_check_type": "a"}, {"constraint_check_type": "a"}, {}]
    found = count_violations(json.dumps({"violations": listed}).encode())
    assert found == {VIOLATIONS: 3, f"{VIOLATIONS}/a": 2, f"{VIOLATIONS}/unknown": 1}
    assert count_violations(b'{"violations": []}') == {VIOLATIONS: 0}
    nested = b'{"violations": ' + b"[" * 200_000
    for content in (b"", b"[]", b"{}", b'{"violations": [1]}', b"\xff", nested):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever of its kinds
            count_violations(content)


def test_types_of_violations_are_few() -> None:
    """They are free text: a list of many, or of what is no name, makes few metrics."""
    texts = [*(f"check {number:03}" for number in range(300)), "check 299", "x" * 5000, [1], "a/b"]
    listed = [{"constraint_check_type": each} for each in texts]
    found = count_violations(json.dumps({"violations": listed}).encode())
    assert len(found) == 22
    assert found[VIOLATIONS] == len(listed) == sum(found.values()) - len(listed)
    assert (found[f"{VIOLATIONS}/check 299"], found[f"{VIOLATIONS}/check 000"]) == (2, 1)
    assert found[f"{VIOLATIONS}/other"] == len(listed) - 21


def test_paths_that_no_files_can_have_together_are_left_out() -> None:
    """An object's name may be another's folder, and longer than a file's."""
    folders = {"a": S3Place(bucket="bucket", key="k/")}
    long = f"{'ä' * 128}/report.html"
    paths = ["x/report.html", "x/report.html/y/report.html", "x/z/report.html", long]
    chosen, left_out = choose(folders, {"a": [(path, 1) for path in paths]})
    assert [each.path for each in chosen] == ["a/x/report.html", "a/x/z/report.html"]
    assert [each.rpartition(": ")[2] for each in left_out] == [f"a/{paths[1]}", f"a/{long}"]


def test_which_rules_are_not_worth_a_call() -> None:
    """Those of a job that ended a day ago, where nobody told them yet."""
    old = job(**PROFILER)
    assert not are_rules_old(old, ENDED_MS + RULES_MS - 1)
    assert are_rules_old(old, ENDED_MS + RULES_MS)
    assert not are_rules_old(job(**PROFILER, ProfilingStatus="Enabled"), ENDED_MS + RULES_MS)
