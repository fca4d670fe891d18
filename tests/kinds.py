"""Raw answers on jobs of every kind but training, to be put into an emulated account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_smwatch.demo.validation import service_model
from tests.jobs import ACCOUNT, REGION, moment

ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/worker:1"
NOTHING: Mapping[str, str] = {}


def kind_arn(resource: str) -> str:
    """Give the ARN of a resource such as ``processing-job/name``."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{resource}"


def _answer(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Join fields and changes; None leaves one out."""
    return {key: value for key, value in {**fields, **changes}.items() if value is not None}


def _life(
    noun: str, created_ms: int, ended_ms: int | None, status: str | None, prefix: str
) -> dict[str, Any]:
    """Give status and times; one without an end is in progress.

    ``noun`` is that of the status, ``prefix`` that of the time of the end.
    """
    return {
        f"{noun}Status": status or ("InProgress" if ended_ms is None else "Completed"),
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms if ended_ms is None else ended_ms),
        f"{prefix}EndTime": None if ended_ms is None else moment(ended_ms),
    }


def processing_job(
    name: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    inputs: Mapping[str, str] = NOTHING,
    outputs: Mapping[str, str] = NOTHING,
    hosts: int = 1,
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeProcessingJob answer; inputs and outputs are name → S3 URI."""
    fields = {
        "ProcessingJobName": name,
        **_life("ProcessingJob", created_ms, ended_ms, status, "Processing"),
        "ProcessingStartTime": moment(created_ms),
        "ProcessingInputs": [
            {
                "InputName": each,
                "AppManaged": False,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/{each}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for each, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": each,
                    "AppManaged": False,
                    "S3Output": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/{each}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for each, uri in outputs.items()
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": hosts,
                "VolumeSizeInGB": 10,
            }
        },
        "AppSpecification": {"ImageUri": IMAGE},
        "RoleArn": ROLE,
    }
    return _answer(fields, changes)


def transform_job(
    name: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    model_name: str = "model",
    source: str = "s3://data/batch/",
    target: str = "s3://data/scored/",
    hosts: int = 1,
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeTransformJob answer, and the LastModifiedTime that only its summary has."""
    fields = {
        "TransformJobName": name,
        **_life("TransformJob", created_ms, ended_ms, status, "Transform"),
        "TransformStartTime": moment(created_ms),
        "ModelName": model_name,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": "text/csv",
        },
        "TransformOutput": {"S3OutputPath": target},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": hosts},
    }
    return _answer(fields, changes)


def tuning_job(
    name: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    objective: str = "loss",
    tuned: Sequence[str] = ("lr",),
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeHyperParameterTuningJob answer; ``tuned`` names its hyperparameters."""
    fields = {
        "HyperParameterTuningJobName": name,
        **_life("HyperParameterTuningJob", created_ms, ended_ms, status, "HyperParameterTuning"),
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": objective},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": each, "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Auto"}
                    for each in tuned
                ]
            },
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"epochs": "10"},
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://models/tuned/"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 10,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        "TrainingJobStatusCounters": {
            "Completed": 0,
            "InProgress": 0,
            "RetryableError": 0,
            "NonRetryableError": 0,
            "Stopped": 0,
        },
        "ObjectiveStatusCounters": {"Succeeded": 0, "Pending": 0, "Failed": 0},
    }
    return _answer(fields, changes)


def automl_job(
    name: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    source: str = "s3://data/table/",
    target: str = "s3://models/automl/",
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeAutoMLJobV2 answer."""
    life = _life("AutoMLJob", created_ms, ended_ms, status, "")
    is_open = life["AutoMLJobStatus"] == "InProgress"
    fields = {
        "AutoMLJobName": name,
        **life,
        "AutoMLJobSecondaryStatus": "ModelTuning" if is_open else life["AutoMLJobStatus"],
        "AutoMLJobInputDataConfig": [_automl_channel(source)],
        "OutputDataConfig": {"S3OutputPath": target},
        "RoleArn": ROLE,
        "AutoMLJobObjective": {"MetricName": "F1"},
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "label"}},
        "AutoMLProblemTypeConfigName": "Tabular",
    }
    return _answer(fields, changes)


def automl_job_v1(
    name: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeAutoMLJob answer."""
    fields = {
        "InputDataConfig": [{**_automl_channel("s3://data/v1/"), "TargetAttributeName": "label"}],
        "ProblemType": "Regression",
        "AutoMLJobConfig": {"Mode": "ENSEMBLING"},
        "AutoMLJobInputDataConfig": None,
        "AutoMLProblemTypeConfig": None,
        "AutoMLProblemTypeConfigName": None,
        **changes,
    }
    return automl_job(name, created_ms=created_ms, ended_ms=ended_ms, status=status, **fields)


def _automl_channel(uri: str) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    return {"ChannelType": "training", "ContentType": "text/csv", "DataSource": source}


def candidate(
    name: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    value: float | None = None,
    steps: Mapping[str, str] = NOTHING,
    **changes: Any,
) -> dict[str, Any]:
    """Make one of ListCandidatesForAutoMLJob's answers; steps are ARN → type."""
    metric = {"MetricName": "F1", "Value": value}
    fields = {
        "CandidateName": name,
        **_life("Candidate", created_ms, ended_ms, status, ""),
        "ObjectiveStatus": "Pending" if value is None else "Succeeded",
        "FinalAutoMLJobObjectiveMetric": None if value is None else metric,
        "CandidateSteps": [
            {
                "CandidateStepType": kind,
                "CandidateStepArn": arn,
                "CandidateStepName": arn.rpartition("/")[2],
            }
            for arn, kind in steps.items()
        ],
    }
    return _answer(fields, changes)


def pipeline(name: str, *, created_ms: int, **changes: Any) -> dict[str, Any]:
    """Make a DescribePipeline answer."""
    fields = {
        "PipelineName": name,
        "PipelineDisplayName": name,
        "PipelineDefinition": '{"Version": "2020-12-01", "Steps": []}',
        "PipelineStatus": "Active",
        "RoleArn": ROLE,
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms),
    }
    return _answer(fields, changes)


def execution_arn(execution: str, pipeline_name: str = "pipe") -> str:
    """Give the ARN of a pipeline execution."""
    return kind_arn(f"pipeline/{pipeline_name}/execution/{execution}")


def pipeline_execution(
    execution: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    pipeline_name: str = "pipe",
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribePipelineExecution answer; ``execution`` is the last part of its ARN."""
    fields = {
        "PipelineArn": kind_arn(f"pipeline/{pipeline_name}"),
        "PipelineExecutionArn": execution_arn(execution, pipeline_name),
        "PipelineExecutionDisplayName": f"execution-{execution}",
        "PipelineExecutionStatus": status or ("Executing" if ended_ms is None else "Succeeded"),
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms if ended_ms is None else ended_ms),
        "RoleArn": ROLE,
    }
    known = service_model("sagemaker").shape_for("DescribePipelineExecutionResponse").members
    told = {name: value for name, value in fields.items() if name in known}
    return _answer(told, changes)  # botocore 1.42 knows no RoleArn of an execution


def pipeline_step(
    name: str,
    *,
    started_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Make one of ListPipelineExecutionSteps' answers.

    ``metadata`` is such as ``{"TrainingJob": {"Arn": …}}``.
    """
    fields = {
        "StepName": name,
        "StepStatus": status or ("Executing" if ended_ms is None else "Succeeded"),
        "StartTime": moment(started_ms),
        "EndTime": None if ended_ms is None else moment(ended_ms),
        "AttemptCount": 1,
        "Metadata": None if metadata is None else dict(metadata),
    }
    return _answer(fields, changes)


def model(
    name: str,
    *,
    created_ms: int,
    image: str = IMAGE,
    data: str | None = "s3://models/out/model.tar.gz",
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeModel answer."""
    fields = {
        "ModelName": name,
        "PrimaryContainer": _answer({"Image": image, "ModelDataUrl": data}, {}),
        "ExecutionRoleArn": ROLE,
        "CreationTime": moment(created_ms),
        "EnableNetworkIsolation": False,
    }
    return _answer(fields, changes)


def monitoring_schedule(
    name: str, *, created_ms: int, endpoint: str, type_: str = "DataQuality"
) -> dict[str, Any]:
    """Make a DescribeMonitoringSchedule answer."""
    return {
        "MonitoringScheduleName": name,
        "MonitoringScheduleStatus": "Scheduled",
        "MonitoringType": type_,
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms),
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            "MonitoringJobDefinitionName": f"{name}-definition",
            "MonitoringType": type_,
        },
        "EndpointName": endpoint,
    }


def monitoring_execution(
    name: str, *, schedule: str, said: str, output: str, **life: Any
) -> dict[str, Any]:
    """Make a DescribeProcessingJob answer of an execution; ``said`` is its ExitMessage."""
    return processing_job(
        name,
        outputs={"monitoring_output": output},
        MonitoringScheduleArn=kind_arn(f"monitoring-schedule/{schedule}"),
        ExitMessage=said,
        **life,
    )


def endpoint_config(
    name: str,
    *,
    created_ms: int,
    variants: Mapping[str, str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeEndpointConfig answer; variants are name → model name."""
    fields = {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {
                "VariantName": variant,
                "ModelName": model_name,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": 1.0,
            }
            for variant, model_name in (variants or {"AllTraffic": "model"}).items()
        ],
        "CreationTime": moment(created_ms),
    }
    return _answer(fields, changes)


def endpoint(
    name: str,
    *,
    created_ms: int,
    modified_ms: int | None = None,
    status: str = "InService",
    config: str = "config",
    variants: Sequence[str] = ("AllTraffic",),
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeEndpoint answer."""
    fields = {
        "EndpointName": name,
        "EndpointConfigName": config,
        "ProductionVariants": [
            {
                "VariantName": variant,
                "DeployedImages": [{"SpecifiedImage": IMAGE, "ResolvedImage": IMAGE}],
                "CurrentWeight": 1.0,
                "DesiredWeight": 1.0,
                "CurrentInstanceCount": 1,
                "DesiredInstanceCount": 1,
            }
            for variant in variants
        ],
        "EndpointStatus": status,
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms if modified_ms is None else modified_ms),
    }
    return _answer(fields, changes)


def inference_component(
    name: str,
    *,
    created_ms: int,
    modified_ms: int | None = None,
    endpoint_name: str = "endpoint",
    variant: str = "AllTraffic",
    status: str = "InService",
    copies: int = 1,
    **specification: Any,
) -> dict[str, Any]:
    """Make a DescribeInferenceComponent answer; ``specification`` such as ``ModelName="model"``."""
    return {
        "InferenceComponentName": name,
        "EndpointName": endpoint_name,
        "EndpointArn": kind_arn(f"endpoint/{endpoint_name}"),
        "VariantName": variant,
        "Specification": specification,
        "RuntimeConfig": {"DesiredCopyCount": copies, "CurrentCopyCount": copies},
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms if modified_ms is None else modified_ms),
        "InferenceComponentStatus": status,
    }


def notebook_instance(
    name: str,
    *,
    created_ms: int,
    modified_ms: int | None = None,
    status: str = "InService",
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeNotebookInstance answer."""
    fields = {
        "NotebookInstanceName": name,
        "NotebookInstanceStatus": status,
        "Url": f"{name}.notebook.{REGION}.sagemaker.aws",
        "InstanceType": "ml.t3.medium",
        "RoleArn": ROLE,
        "NotebookInstanceLifecycleConfigName": "install",
        "VolumeSizeInGB": 5,
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms if modified_ms is None else modified_ms),
    }
    return _answer(fields, changes)
