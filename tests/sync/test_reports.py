"""Rules, monitoring executions and reports in S3: tags, counts, copies, and what they cost."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

import mlflow_smwatch
from mlflow_smwatch.core.report_files import FILE_LIMIT
from tests import kinds
from tests.jobs import HOUR_MS, MINUTE_MS, job_answer, moment, now_ms, whole
from tests.sync.conftest import DESCRIBE, Mirror

CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
LIFE: dict[str, Any] = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS}
BUCKET = "reports"
KINDS = ("training-job", "processing-job", "endpoint", "automl-job")
RULES = f"s3://{BUCKET}/out/job/rule-output/"
SCHEDULE = "sagemaker:DescribeMonitoringSchedule"
GET, LIST = "s3:GetObject", "s3:ListObjectsV2"
FOUND = "CompletedWithViolations: Job completed successfully with 3 violations."
NONE_FOUND = "Completed: Job completed successfully with no violations."
VIOLATIONS = {
    "violations": [
        {"feature_name": "a", "constraint_check_type": check, "description": "it is not"}
        for check in ("data_type_check", "data_type_check", "baseline_drift_check")
    ]
}
COUNTS = {
    "monitor/violations": 3.0,
    "monitor/violations/data_type_check": 2.0,
    "monitor/violations/baseline_drift_check": 1.0,
}
PROFILED: dict[str, Any] = {
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
    "DebugHookConfig": {"S3OutputPath": f"s3://{BUCKET}/debug/"},
    "ProfilerConfig": {"S3OutputPath": f"s3://{BUCKET}/profile"},
    "ProfilingStatus": "Enabled",
}


def status(name: str, said: str, details: str | None = None) -> dict[str, Any]:
    """Make an entry of a job's RuleEvaluationStatuses."""
    entry = {"RuleConfigurationName": name, "RuleEvaluationStatus": said, "StatusDetails": details}
    return {key: value for key, value in entry.items() if value is not None}


def put_objects(objects: dict[str, Any]) -> None:
    """Store objects, key → content, in a bucket of their own."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    for key, content in objects.items():
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        client.put_object(Bucket=BUCKET, Key=key, Body=body)


def put_monitored(mirror: Mirror) -> None:
    """Put an endpoint, a schedule, and two executions of which one found something."""
    account = mirror.account
    account.put_model(kinds.model("model", created_ms=CREATED_MS))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=CREATED_MS))
    account.put_job("endpoint", kinds.endpoint("wine", created_ms=CREATED_MS))
    schedule = kinds.monitoring_schedule("watch", created_ms=CREATED_MS, endpoint="wine")
    account.put_job("monitoring-schedule", schedule)
    for name, said in (("first", NONE_FOUND), ("second", FOUND)):
        place = {"schedule": "watch", "said": said, "output": f"s3://{BUCKET}/watch/{name}"}
        account.put_job("processing-job", kinds.monitoring_execution(name, **place, **LIFE))
    put_objects(
        {
            "watch/second/constraint_violations.json": VIOLATIONS,
            "watch/second/statistics.json": {"version": 0},
            "watch/second/other.txt": b"",
            "watch/first/statistics.json": {"version": 0},
        }
    )


def of(mirror: Mirror, name: str) -> Any:
    """Give the run of a job by its name."""
    (run,) = [each for each in mirror.runs() if each.data.tags["sagemaker.name"] == name]
    return mirror.client.get_run(run.info.run_id)


def artifacts(mirror: Mirror, run: Any, path: str = "sagemaker/reports") -> set[str]:
    """List all files below a path of a run's artifacts."""
    found: set[str] = set()
    for each in mirror.client.list_artifacts(run.info.run_id, path):
        found |= artifacts(mirror, run, each.path) if each.is_dir else {each.path}
    return found


def counts(mirror: Mirror, name: str) -> dict[str, float]:
    """Give the violations of a run; each is one point at the job's end."""
    points = mirror.points(of(mirror, name))
    found = {key: each for key, each in points.items() if key.startswith("monitor/")}
    assert all((at, step) == (ENDED_MS, 0) for ((at, step, _),) in found.values())
    return {key: value for key, ((_, _, value),) in found.items()}


def test_monitoring_executions_are_children_of_their_endpoint(mirror: Mirror) -> None:
    """Counted once, with one call for the schedule and one for the list; then nothing is asked."""
    put_monitored(mirror)
    report = mirror.sync(kinds=KINDS)
    assert (report.failed, mirror.warnings(report)) == ([], "")
    calls = mirror.account.calls
    assert (calls[SCHEDULE], calls[GET], calls[LIST]) == (1, 1, 0)
    endpoint, run = of(mirror, "wine"), of(mirror, "second")
    assert run.data.tags["mlflow.parentRunId"] == endpoint.info.run_id
    assert run.info.experiment_id == endpoint.info.experiment_id
    said = {
        key: run.data.tags[f"sagemaker.{key}"]
        for key in ("monitoring_schedule", "monitoring_type", "monitoring_status", "endpoint")
    }
    assert said == {
        "monitoring_schedule": "watch",
        "monitoring_type": "DataQuality",
        "monitoring_status": "CompletedWithViolations",
        "endpoint": "wine",
    }
    assert run.data.tags["sagemaker.report.monitoring_output"] == f"s3://{BUCKET}/watch/second"
    assert "[Monitoring report](" in run.data.tags["mlflow.note.content"]
    assert counts(mirror, "second") == COUNTS
    assert counts(mirror, "first") == {"monitor/violations": 0.0}
    again, before = mirror.sync(kinds=KINDS), mirror.content()
    assert (again.points, again.jobs["unchanged"]) == (0, 3)
    assert not {SCHEDULE, GET, LIST} & mirror.account.calls.keys()
    assert mirror.content() == before
    verified = mlflow_smwatch.verify(tracking_uri=mirror.uri, kinds=KINDS)
    assert (list(verified.differences), verified.failed) == ([], [])


def test_reports_are_copied_once(mirror: Mirror) -> None:
    """Small ones alone, also of runs that were final; they stay, and nothing is asked again."""
    put_monitored(mirror)
    mirror.sync(kinds=KINDS)
    report = mirror.sync(kinds=KINDS, artifacts="copy")
    assert (report.failed, mirror.warnings(report), report.points) == ([], "", 0)
    calls = mirror.account.calls
    assert (calls[SCHEDULE], calls[LIST], calls[GET]) == (0, 2, 3)
    folder = "sagemaker/reports/monitoring_output"
    assert artifacts(mirror, of(mirror, "second")) == {
        f"{folder}/constraint_violations.json",
        f"{folder}/statistics.json",
    }
    assert of(mirror, "first").data.tags["smwatch.reports"] == "1"
    run_id = of(mirror, "second").info.run_id
    path = mirror.client.download_artifacts(run_id, f"{folder}/constraint_violations.json")
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as MLflow gives it
        assert json.load(file) == VIOLATIONS
    again = mirror.sync(kinds=KINDS, artifacts="copy")
    assert again.jobs["unchanged"] == 3
    assert not {SCHEDULE, GET, LIST} & mirror.account.calls.keys()


@pytest.mark.slow
def test_what_is_denied_keeps_the_run_open(mirror: Mirror) -> None:
    """It is said; the next pass that may read it goes on."""
    put_monitored(mirror)
    for action in (GET, SCHEDULE):
        mirror.account.faults.deny(action)
    report = mirror.sync(kinds=KINDS, artifacts="copy")
    assert report.failed == []
    for words in ("no violations: s3:GetObject", "no reports: s3:GetObject", "no monitoring sched"):
        assert words in mirror.warnings(report)
    assert "smwatch.final" not in of(mirror, "second").data.tags
    assert "mlflow.parentRunId" not in of(mirror, "second").data.tags
    mirror.account.faults.allow(GET)
    mirror.account.faults.allow(SCHEDULE)
    report = mirror.sync(kinds=KINDS, artifacts="copy")
    assert (report.failed, mirror.warnings(report)) == ([], "")
    run = of(mirror, "second")
    assert run.data.tags["smwatch.final"] == "true"
    assert run.data.tags["mlflow.parentRunId"] == of(mirror, "wine").info.run_id
    assert counts(mirror, "second") == COUNTS
    assert len(artifacts(mirror, run)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, b"no JSON", b"[]"])
def test_a_list_that_is_none_is_a_warning(mirror: Mirror, content: bytes | None) -> None:
    """Missing or broken: no count, and the run is final nevertheless."""
    put_monitored(mirror)
    key = "watch/second/constraint_violations.json"
    client = boto3.client("s3")
    client.delete_object(Bucket=BUCKET, Key=key)
    if content is not None:
        client.put_object(Bucket=BUCKET, Key=key, Body=content)
    report = mirror.sync(kinds=KINDS)
    assert "no violations: " in mirror.warnings(report)
    assert of(mirror, "second").data.tags["smwatch.final"] == "true"
    assert counts(mirror, "second") == {}


def test_rules_of_debugger_and_profiler(mirror: Mirror) -> None:
    """One Describe tells the profiler's, once the job has ended; the run waits for both."""
    answer = job_answer("job", **LIFE, **PROFILED)
    recent_ms = whole(now_ms()) - 20 * MINUTE_MS
    answer |= {"LastModifiedTime": moment(recent_ms), "TrainingEndTime": moment(recent_ms)}
    fine = status("LossNotDecreasing", "NoIssuesFound")
    going = status("ProfilerReport-1", "InProgress")
    found = status("ProfilerReport-1", "IssuesFound", "RuleEvaluationConditionMet: CPU is low")
    statuses = {"DebugRuleEvaluationStatuses": [fine]}
    put = mirror.account.put_training_job
    put({**answer, **statuses, "ProfilerRuleEvaluationStatuses": [going]})
    mirror.sync()
    assert mirror.account.calls[DESCRIBE] == 1
    tags = mirror.run("job").data.tags
    assert tags["sagemaker.rule.LossNotDecreasing"] == "NoIssuesFound"
    assert tags["sagemaker.rule.ProfilerReport-1"] == "InProgress"
    assert mirror.run("job").info.status == "FINISHED"
    assert not mirror.is_final("job")
    put({**answer, **statuses, "ProfilerRuleEvaluationStatuses": [found]})
    mirror.sync()
    tags = mirror.run("job").data.tags
    assert tags["sagemaker.rule.ProfilerReport-1"] == "IssuesFound"
    assert tags["sagemaker.rule.ProfilerReport-1.details"].startswith("RuleEvaluationCondition")
    assert tags["sagemaker.profiling_status"] == "Enabled"
    assert mirror.is_final("job")
    places = {key.removeprefix("sagemaker.report."): tags[key] for key in tags if ".report." in key}
    assert places == {
        "debugger": f"s3://{BUCKET}/debug/job/debug-output/",
        "profiler": f"s3://{BUCKET}/profile/job/profiler-output/",
        "rules": RULES,
    }
    assert "ProfilerRuleEvaluationStatuses" in document(mirror)
    report = mirror.sync()
    assert (report.jobs["unchanged"], mirror.account.calls[DESCRIBE]) == (1, 0)


def document(mirror: Mirror) -> dict[str, Any]:
    """Give ``sagemaker/job.json`` of the job."""
    run_id = mirror.run("job").info.run_id
    with open(mirror.client.download_artifacts(run_id, "sagemaker/job.json")) as file:  # noqa: PTH123
        found: dict[str, Any] = json.load(file)
    return found


def test_rules_of_old_jobs_are_asked_for_where_they_are_wanted(mirror: Mirror) -> None:
    """A backfill describes none: whether a profiler has rules is not told."""
    old_ms = CREATED_MS - 24 * HOUR_MS
    answer = job_answer("job", created_ms=old_ms, ended_ms=old_ms + HOUR_MS, **PROFILED)
    found = status("ProfilerReport-1", "IssuesFound")
    mirror.account.put_training_job({**answer, "ProfilerRuleEvaluationStatuses": [found]})
    mirror.sync()
    assert mirror.account.calls[DESCRIBE] == 0
    assert mirror.is_final("job")
    rule = "sagemaker.rule.ProfilerReport-1"
    assert rule not in mirror.run("job").data.tags
    mirror.sync("job")
    assert mirror.run("job").data.tags[rule] == "IssuesFound"
    assert mirror.sync().jobs["unchanged"] == 1
    beside = mirror.beside()
    beside.sync(artifacts="copy")
    assert beside.account.calls[DESCRIBE] == 1
    assert beside.run("job").data.tags[rule] == "IssuesFound"
    beside.sync()
    assert beside.account.calls[DESCRIBE] == 0
    assert beside.run("job").data.tags[rule] == "IssuesFound"


def test_odd_reports_do_not_fail_their_jobs(mirror: Mirror) -> None:
    """Whatever whoever writes to the bucket puts there: the rest is copied, the run is final."""
    put_monitored(mirror)
    client, folder = boto3.client("s3"), "watch/second"
    nested = b"[" * 200_000
    client.put_object(Bucket=BUCKET, Key=f"{folder}/constraint_violations.json", Body=nested)
    for path in ("x/report.html", "x/report.html/report.html", f"{'y' * 300}/report.html"):
        client.put_object(Bucket=BUCKET, Key=f"{folder}/{path}", Body=b"")
    report = mirror.sync(kinds=KINDS, artifacts="copy")
    assert report.failed == []
    warnings = mirror.warnings(report)
    assert "no violations: it is nested too deeply" in warnings
    assert "no file can be named like this: monitoring_output/x/report.html/rep" in warnings
    assert "no file can be named like this: monitoring_output/yyy" in warnings
    run = of(mirror, "second")
    assert run.data.tags["smwatch.final"] == "true"
    assert artifacts(mirror, run) == {
        f"sagemaker/reports/monitoring_output/{name}"
        for name in ("constraint_violations.json", "statistics.json", "x/report.html")
    }


@pytest.mark.slow
def test_a_report_that_cannot_be_had_is_left_out(mirror: Mirror) -> None:
    """S3 refuses one for good: the others are copied, and it is said."""
    put_monitored(mirror)
    mirror.sync(kinds=KINDS)
    mirror.account.faults.fail(GET, code="InvalidParameterException", times=1)
    report = mirror.sync(kinds=KINDS, artifacts="copy")
    assert report.failed == []
    assert "not copied: monitoring_output/" in mirror.warnings(report)
    copied = [of(mirror, name).data.tags["smwatch.reports"] for name in ("first", "second")]
    assert sorted(copied) in (["0", "2"], ["1", "1"])


@pytest.mark.slow
def test_a_list_that_is_cut_is_said(mirror: Mirror) -> None:
    """Of a folder with more objects than are looked at."""
    put_monitored(mirror)
    client = boto3.client("s3")
    for number in range(1000):
        client.put_object(Bucket=BUCKET, Key=f"watch/first/{number}", Body=b"")
    report = mirror.sync(kinds=KINDS, artifacts="copy")
    words = "among the first 1,000 objects of monitoring_output alone"
    assert mirror.warnings(report).count(words) == 1
    assert of(mirror, "first").data.tags["smwatch.final"] == "true"


@pytest.mark.slow
def test_without_a_profiler_nothing_is_described(mirror: Mirror) -> None:
    """Off, or never on: no call more than ever."""
    off = {"S3OutputPath": f"s3://{BUCKET}/profile", "DisableProfiler": True}
    mirror.account.put_training_job(job_answer("off", **LIFE, ProfilerConfig=off))
    mirror.account.put_training_job(job_answer("never", **LIFE))
    mirror.sync()
    assert mirror.account.calls[DESCRIBE] == 0
    assert mirror.is_final("off")


@pytest.mark.slow
def test_rules_are_not_waited_for_without_end(mirror: Mirror) -> None:
    """A day after the job's end the run is final, whatever its rules are said to be."""
    day: dict[str, Any] = {
        "created_ms": CREATED_MS - 24 * HOUR_MS,
        "ended_ms": ENDED_MS - 24 * HOUR_MS,
    }
    statuses = [status("Overfit", "InProgress")]
    answer = job_answer("job", **day, DebugRuleEvaluationStatuses=statuses)
    mirror.account.put_training_job(answer)
    mirror.sync()
    assert mirror.is_final("job")
    assert mirror.run("job").data.tags["sagemaker.rule.Overfit"] == "InProgress"


@pytest.mark.slow
def test_limits_of_copies(mirror: Mirror) -> None:
    """Reports of rules are copied, what is too large is named, tensors are not even listed."""
    report = "ProfilerReport-1/profiler-output"
    put_objects(
        {
            f"out/job/rule-output/{report}/profiler-report.html": b"<html></html>",
            f"out/job/rule-output/{report}/profiler-report.ipynb": b"{}",
            f"out/job/rule-output/{report}/profiler-reports/GPUMemoryIncrease.json": {},
            "out/job/rule-output/CreateXgboostReport/xgboost_report.html": b"x" * (FILE_LIMIT + 1),
            "debug/job/debug-output/collections/report.html": b"",
        }
    )
    mirror.account.put_training_job(job_answer("job", **LIFE, **PROFILED))
    done = mirror.sync(artifacts="copy")
    assert (done.failed, mirror.account.calls[LIST]) == ([], 1)
    warning = "not copied, too large: rules/CreateXgboostReport/xgboost_report.html"
    assert warning in mirror.warnings(done)
    folder = f"sagemaker/reports/rules/{report}"
    assert artifacts(mirror, mirror.run("job")) == {
        f"{folder}/profiler-report.html",
        f"{folder}/profiler-reports/GPUMemoryIncrease.json",
    }
    assert mirror.is_final("job")


@pytest.mark.slow
def test_a_dry_run_counts_lists(mirror: Mirror) -> None:
    """What lies there nobody knows before."""
    put_monitored(mirror)
    report = mirror.sync(kinds=KINDS, artifacts="copy", dry_run=True)
    assert report.aws_calls[LIST] == 2
    assert GET not in mirror.account.calls
