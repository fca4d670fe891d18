"""The requests that create the recorded jobs, as the SageMaker SDK sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.recording import Recording
from mlflow_smwatch.demo.workloads.experiments import trials_of
from mlflow_smwatch.demo.workloads.families import MODEL_NAMES
from mlflow_smwatch.demo.workloads.schedule import ENVIRONMENTS, PlacedJob
from mlflow_smwatch.demo.workloads.workload import Workload

EMULATED = {"emulated": "true"}
PROCESSING_CODE = "/opt/ml/processing/input/code"


def training_request(job: PlacedJob, clients: AccountClients) -> dict[str, Any]:
    """Return the parameters of CreateTrainingJob."""
    workload = job.recording.workload
    algorithm: dict[str, Any] = {"TrainingImage": clients.image, "TrainingInputMode": "File"}
    if workload.metric_definitions:
        algorithm["MetricDefinitions"] = [
            {"Name": definition.name, "Regex": definition.regex}
            for definition in workload.metric_definitions
        ]
    request: dict[str, Any] = {
        "TrainingJobName": job.name,
        "RoleArn": clients.role,
        "AlgorithmSpecification": algorithm,
        "HyperParameters": _hyperparameters(job, clients),
        "InputDataConfig": [
            {"ChannelName": channel, "DataSource": _source(uri)}
            for channel, uri in input_uris(workload, clients).items()
        ],
        "OutputDataConfig": {"S3OutputPath": clients.uri("")},
        "ResourceConfig": _cluster(workload),
        "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
        **_belonging(job),
    }
    if job.name in ENVIRONMENTS:
        request["Environment"] = ENVIRONMENTS[job.name]
    return request


def processing_request(job: PlacedJob, clients: AccountClients) -> dict[str, Any]:
    """Return the parameters of CreateProcessingJob; the code is an input as the SDK makes it."""
    workload = job.recording.workload
    inputs = {"code": clients.uri(source_key(job)), **input_uris(workload, clients)}
    outputs = dict.fromkeys(path.partition("/")[0] for path in job.recording.outputs)
    return {
        "ProcessingJobName": job.name,
        "RoleArn": clients.role,
        "AppSpecification": {
            "ImageUri": clients.image,
            "ContainerEntrypoint": ["python3", f"{PROCESSING_CODE}/{workload.script}"],
            "ContainerArguments": workload.arguments,
        },
        "ProcessingInputs": [_processing_input(name, uri) for name, uri in inputs.items()],
        "ProcessingOutputConfig": {
            "Outputs": [_processing_output(job, name, clients) for name in outputs]
        },
        "ProcessingResources": {"ClusterConfig": _cluster(workload)},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
        **_belonging(job),
    }


def transform_request(job: PlacedJob, clients: AccountClients) -> dict[str, Any]:
    """Return the parameters of CreateTransformJob."""
    workload = job.recording.workload
    (uri,) = input_uris(workload, clients).values()
    return {
        "TransformJobName": job.name,
        "ModelName": model_name(workload.model or ""),
        "MaxConcurrentTransforms": 1,
        "MaxPayloadInMB": 6,
        "BatchStrategy": "SingleRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": clients.uri(output_key(job, "")), "Accept": "text/csv"},
        "TransformResources": {
            "InstanceType": workload.instance_type,
            "InstanceCount": workload.instance_count,
        },
        **_belonging(job),
    }


def input_uris(workload: Workload, clients: AccountClients) -> Mapping[str, str]:
    """Return channel → S3 URI: what another job wrote, or a part of the data set."""
    return {
        channel: clients.uri(
            "{}/output/{}".format(*workload.inputs[channel].split("/"))
            if channel in workload.inputs
            else f"datasets/{workload.dataset}/{channel}/"
        )
        for channel in workload.channels
    }


def source_key(job: PlacedJob) -> str:
    """Return the S3 key of a job's script: as it is, or packed for a training job."""
    if job.kind == "processing-job":
        return f"{job.name}/input/code/{job.recording.workload.script}"
    return f"{job.name}/source/sourcedir.tar.gz"


def output_key(job: PlacedJob, path: str) -> str:
    """Return the S3 key of what a job writes under a path."""
    return f"{job.name}/output/{path}".rstrip("/")


def model_name(training: str) -> str:
    """Return the SageMaker model that is made of a training job."""
    return MODEL_NAMES.get(training, training)


def tags_of(recording: Recording) -> Mapping[str, str]:
    """Return the resource tags that say where the job's figures come from."""
    tags = {
        **EMULATED,
        "recorded-at": recording.recorded_at,
        "time-scale": f"1 recorded second = {recording.workload.time_scale} s",
        "scikit-learn": recording.sklearn_version,
    }
    if recording.workload.gpu_figures:
        tags["gpu-figures"] = recording.workload.gpu_figures
    return tags


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _belonging(job: PlacedJob) -> dict[str, Any]:
    """Return the tags, and the trial if there is one."""
    belonging: dict[str, Any] = {"Tags": tag_list(tags_of(job.recording))}
    for experiment, trial in trials_of(job.name):
        belonging["ExperimentConfig"] = {
            "ExperimentName": experiment,
            "TrialName": trial,
            "TrialComponentDisplayName": job.name,
        }
    return belonging


def _hyperparameters(job: PlacedJob, clients: AccountClients) -> dict[str, str]:
    """Return the hyperparameters, each JSON-encoded as the SageMaker SDK does."""
    workload = job.recording.workload
    values: dict[str, object] = {
        **workload.hyperparameters,
        "sagemaker_program": workload.script,
        "sagemaker_submit_directory": clients.uri(source_key(job)),
        "sagemaker_region": clients.region,
        "sagemaker_job_name": job.name,
        "sagemaker_container_log_level": 20,
    }
    return {name: json.dumps(value) for name, value in values.items()}


def _source(uri: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"S3DataSource": source}


def _cluster(workload: Workload) -> dict[str, Any]:
    return {
        "InstanceType": workload.instance_type,
        "InstanceCount": workload.instance_count,
        "VolumeSizeInGB": 30,
    }


def _processing_input(name: str, uri: str) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }


def _processing_output(job: PlacedJob, name: str, clients: AccountClients) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {
            "S3Uri": clients.uri(output_key(job, name)),
            "LocalPath": f"/opt/ml/processing/output/{name}",
            "S3UploadMode": "EndOfJob",
        },
    }
