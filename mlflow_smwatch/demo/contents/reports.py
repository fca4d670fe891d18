"""What Debugger, Model Monitor and Autopilot left in S3. Their figures are synthetic."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.job_requests import EMULATED

PROFILED = "digits-mlp-gpu"
RULE = "ProfilerReport-1700000000"
SCHEDULE = "wine-cultivars-data-quality"
EXECUTIONS = ("wine-cultivars-monitoring-1", "wine-cultivars-monitoring-2")
VIOLATIONS = (
    ("alcohol", "baseline_drift_check", "Baseline drift distance: 0.31 exceeds threshold: 0.1"),
    ("proline", "baseline_drift_check", "Baseline drift distance: 0.17 exceeds threshold: 0.1"),
    ("hue", "completeness_check", "Completeness 96.0% is below the baseline's 100.0%"),
)
_TAGS = {**EMULATED, "figures": "synthetic"}
_EVERY = timedelta(hours=1)
_LASTED = timedelta(minutes=9)
_IMAGE = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
_PAGE = "<!doctype html><title>Profiler report</title><h1>Emulated profiler report</h1>"


def put_rules(account: EmulatedAccount, clients: AccountClients) -> None:
    """Give a training job rules of Debugger and Profiler, with the report that they left."""
    described = clients.sagemaker.describe_training_job(TrainingJobName=PROFILED)
    out = described["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    report = {"RuleConfigurationName": RULE, "RuleEvaluationStatus": "IssuesFound"}
    account.update_training_job(
        PROFILED,
        DebugHookConfig={"S3OutputPath": out},
        ProfilerConfig={"S3OutputPath": out, "ProfilingIntervalInMilliseconds": 500},
        ProfilingStatus="Enabled",
        DebugRuleEvaluationStatuses=[
            {"RuleConfigurationName": "LossNotDecreasing", "RuleEvaluationStatus": "NoIssuesFound"}
        ],
        ProfilerRuleEvaluationStatuses=[
            {**report, "StatusDetails": "RuleEvaluationConditionMet: LowGPUUtilization"}
        ],
    )
    base = out.removeprefix(f"s3://{clients.bucket}").strip("/")
    folder = f"{base}/{PROFILED}/rule-output/{RULE}/profiler-output".lstrip("/")
    _put(clients, f"{folder}/profiler-report.html", _PAGE)
    parts = {"RuleTriggered": 12, "Violations": 12, "RuleParameters": "threshold_p95:70"}
    _put(clients, f"{folder}/profiler-reports/LowGPUUtilization.json", json.dumps(parts))


def put_monitoring(
    account: EmulatedAccount, clients: AccountClients, endpoint: str, deployed: datetime
) -> None:
    """Put a monitoring schedule of an endpoint, and two executions; the second found something."""
    account.put_job(
        "monitoring-schedule",
        {
            "MonitoringScheduleName": SCHEDULE,
            "MonitoringScheduleStatus": "Scheduled",
            "MonitoringType": "DataQuality",
            "MonitoringScheduleConfig": {
                "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
                "MonitoringJobDefinitionName": f"{SCHEDULE}-definition",
                "MonitoringType": "DataQuality",
            },
            "EndpointName": endpoint,
            "CreationTime": deployed,
        },
        _TAGS,
    )
    for number, name in enumerate(EXECUTIONS):
        found = VIOLATIONS if number else ()
        account.put_job(
            "processing-job",
            _execution(clients, name, endpoint, deployed + (number + 1) * _EVERY, len(found)),
            _TAGS,
        )
        _put(clients, f"{SCHEDULE}/{name}/statistics.json", json.dumps({"version": 0.0}))
        if found:
            fields = ("feature_name", "constraint_check_type", "description")
            listed = {"violations": [dict(zip(fields, each, strict=True)) for each in found]}
            _put(clients, f"{SCHEDULE}/{name}/constraint_violations.json", json.dumps(listed))


def put_candidate_reports(clients: AccountClients, job: str) -> dict[str, Any]:
    """Store what Autopilot says of the best candidate; give its CandidateProperties."""
    explained: dict[str, Any] = {
        "explanations": {"kernel_shap": {"label0": {"global_shap_values": {}}}}
    }
    _put(clients, f"{job}/output/explainability/analysis.json", json.dumps(explained))
    places = {"Explainability": clients.uri(f"{job}/output/explainability")}
    return {"CandidateArtifactLocations": places}


def _execution(
    clients: AccountClients, name: str, endpoint: str, created: datetime, found: int
) -> dict[str, Any]:
    said = (
        f"CompletedWithViolations: Job completed successfully with {found} violations."
        if found
        else "Completed: Job completed successfully with no violations."
    )
    output = {
        "S3Uri": clients.uri(f"{SCHEDULE}/{name}"),
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "Continuous",
    }
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 20}
    return {
        "ProcessingJobName": name,
        "ProcessingJobStatus": "Completed",
        "MonitoringScheduleArn": clients.arn(f"monitoring-schedule/{SCHEDULE}"),
        "ExitMessage": said,
        "Environment": {"sagemaker_endpoint_name": endpoint},
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "monitoring_output", "S3Output": output}]
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": _IMAGE},
        "RoleArn": clients.role,
        "CreationTime": created,
        "ProcessingStartTime": created + timedelta(minutes=4),
        "ProcessingEndTime": created + _LASTED,
        "LastModifiedTime": created + _LASTED,
    }


def _put(clients: AccountClients, key: str, content: str) -> None:
    clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=content.encode())
