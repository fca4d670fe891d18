"""The pipeline's execution whose steps are recorded jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.job_requests import EMULATED, model_name, tag_list
from mlflow_smwatch.demo.replay import MINUTE
from mlflow_smwatch.demo.workloads.families import EXECUTION, PIPELINE_NAME
from mlflow_smwatch.demo.workloads.schedule import PlacedJob

STEPS = (
    ("Prepare", "Processing", ()),
    ("Train", "Training", ("Prepare",)),
    ("CheckAccuracy", "Condition", ("Train",)),
    ("Register", "RegisterModel", ("CheckAccuracy",)),
    ("Model", "Model", ("CheckAccuracy",)),
    ("Score", "Transform", ("Model",)),
)
QUICK = timedelta(seconds=3)
PARAMETERS = {"AccuracyThreshold": "0.9"}


def put_pipeline(
    account: EmulatedAccount, clients: AccountClients, jobs: tuple[PlacedJob, ...], package: str
) -> None:
    """Create the pipeline, a week before, and its execution, whose steps are these jobs.

    Parameters
    ----------
    account, clients
        The account.
    jobs
        Processing, training and transform job.
    package
        ARN of the model package that the execution registered.
    """
    started, ended = jobs[0].created - QUICK, jobs[-1].finished + QUICK
    definition = {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": name, "Type": "String", "DefaultValue": value}
            for name, value in PARAMETERS.items()
        ],
        "Steps": [{"Name": n, "Type": t, "DependsOn": list(after)} for n, t, after in STEPS],
    }
    with account.clock.at(started - timedelta(days=7)):
        pipeline = clients.sagemaker.create_pipeline(
            PipelineName=PIPELINE_NAME,
            PipelineDescription="Prepares the wine data, trains, checks, registers and scores.",
            PipelineDefinition=json.dumps(definition),
            RoleArn=clients.role,
            Tags=tag_list(EMULATED),
        )
    arn = pipeline["PipelineArn"]
    account.put_job(
        "pipeline-execution",
        {
            "PipelineArn": arn,
            "PipelineExecutionArn": f"{arn}/execution/{EXECUTION}",
            "PipelineExecutionDisplayName": f"{PIPELINE_NAME}-{started:%Y-%m-%d}",
            "PipelineExecutionDescription": "Emulated, of really recorded jobs",
            "PipelineExecutionStatus": "Succeeded",
            "PipelineParameters": [{"Name": k, "Value": v} for k, v in PARAMETERS.items()],
            "CreationTime": started,
            "LastModifiedTime": ended,
        },
        EMULATED,
        steps=list(_steps(clients, jobs, package)),
    )


def checked_at(training: PlacedJob) -> datetime:
    """Return when the execution has looked at what a training job reached."""
    return training.finished + 2 * QUICK


def _steps(
    clients: AccountClients, jobs: tuple[PlacedJob, ...], package: str
) -> Iterator[Mapping[str, Any]]:
    prepared, trained, scored = jobs
    checked = checked_at(trained)
    model = clients.arn(f"model/{model_name(trained.name)}")
    condition = {"Condition": {"Outcome": "True"}}
    yield _job_step("Prepare", "ProcessingJob", prepared, clients)
    yield _job_step("Train", "TrainingJob", trained, clients)
    yield _step("CheckAccuracy", checked - QUICK, checked, condition)
    yield _step("Register", checked, checked + QUICK, {"RegisterModel": {"Arn": package}})
    yield _step("Model", scored.created - MINUTE, scored.created - QUICK, {"Model": {"Arn": model}})
    yield _job_step("Score", "TransformJob", scored, clients)


def _job_step(name: str, noun: str, job: PlacedJob, clients: AccountClients) -> Mapping[str, Any]:
    arn = clients.arn(f"{job.kind}/{job.name}")
    return _step(name, job.created - QUICK, job.finished, {noun: {"Arn": arn}})


def _step(name: str, start: datetime, end: datetime, metadata: object) -> Mapping[str, Any]:
    return {
        "StepName": name,
        "StepStatus": "Succeeded",
        "StartTime": start,
        "EndTime": end,
        "AttemptCount": 1,
        "Metadata": metadata,
    }
