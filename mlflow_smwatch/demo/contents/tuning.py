"""The tuning job that started some of the recorded training jobs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.job_requests import EMULATED, input_uris, tag_list
from mlflow_smwatch.demo.replay import MINUTE
from mlflow_smwatch.demo.workloads.families import TUNED, TUNING_JOB
from mlflow_smwatch.demo.workloads.schedule import PlacedJob

OBJECTIVE = {"Type": "Maximize", "MetricName": "validation:accuracy"}
COUNTERS = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
RANGES: dict[str, list[dict[str, Any]]] = {
    "ContinuousParameterRanges": [
        {"Name": "alpha", "MinValue": "0.0001", "MaxValue": "0.1", "ScalingType": "Logarithmic"},
        {"Name": "eta0", "MinValue": "0.0001", "MaxValue": "0.05", "ScalingType": "Logarithmic"},
    ],
    "CategoricalParameterRanges": [{"Name": "penalty", "Values": ['"l1"', '"l2"', '"elasticnet"']}],
}


def put_tuning_job(
    account: EmulatedAccount, clients: AccountClients, children: list[PlacedJob]
) -> None:
    """Create the tuning job, just before its first training job, and end it after the last."""
    with account.clock.at(min(child.created for child in children) - MINUTE):
        clients.sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=TUNING_JOB,
            HyperParameterTuningJobConfig={
                "Strategy": "Bayesian",
                "HyperParameterTuningJobObjective": OBJECTIVE,
                "ResourceLimits": {
                    "MaxNumberOfTrainingJobs": len(children),
                    "MaxParallelTrainingJobs": 2,
                },
                "ParameterRanges": RANGES,
                "TrainingJobEarlyStoppingType": "Off",
            },
            TrainingJobDefinition=_definition(clients),
            Tags=tag_list(EMULATED),
        )
    ended = max(child.finished for child in children) + MINUTE
    account.update_job(
        "tuning-job",
        TUNING_JOB,
        HyperParameterTuningJobStatus="Completed",
        HyperParameterTuningEndTime=ended,
        LastModifiedTime=ended,
        **_result(clients),
    )


def _definition(clients: AccountClients) -> dict[str, Any]:
    """Return what all training jobs have: as the first one, less what is tuned."""
    workload = TUNED[0]
    request = clients.sagemaker.describe_training_job(TrainingJobName=workload.name)
    tuned = {one["Name"] for each in RANGES.values() for one in each}
    static = {k: v for k, v in request["HyperParameters"].items() if k not in tuned}
    del static["sagemaker_job_name"]
    algorithm = request["AlgorithmSpecification"]
    (uri,) = input_uris(workload, clients).values()
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {
        "StaticHyperParameters": static,
        "AlgorithmSpecification": {
            name: algorithm[name]
            for name in ("TrainingImage", "TrainingInputMode", "MetricDefinitions")
        },
        "RoleArn": request["RoleArn"],
        "InputDataConfig": [
            {"ChannelName": workload.channels[0], "DataSource": {"S3DataSource": source}}
        ],
        "OutputDataConfig": {"S3OutputPath": request["OutputDataConfig"]["S3OutputPath"]},
        "ResourceConfig": {
            name: request["ResourceConfig"][name]
            for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB")
        },
        "StoppingCondition": request["StoppingCondition"],
    }


def _result(clients: AccountClients) -> dict[str, Any]:
    """Return the counters and the best training job, from the training jobs themselves."""
    ranked = clients.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=TUNING_JOB,
        SortBy="FinalObjectiveMetricValue",
        SortOrder="Descending",
        MaxResults=100,
    )["TrainingJobSummaries"]
    statuses = Counter(each["TrainingJobStatus"] for each in ranked)
    best = {**ranked[0], "ObjectiveStatus": "Succeeded"}
    return {
        "BestTrainingJob": best,
        "OverallBestTrainingJob": {**best, "TuningJobName": TUNING_JOB},
        "TrainingJobStatusCounters": {name: statuses[name] for name in COUNTERS},
        "ObjectiveStatusCounters": {"Succeeded": len(ranked), "Pending": 0, "Failed": 0},
    }
