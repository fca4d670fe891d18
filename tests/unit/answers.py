"""One answer of AWS for each kind of job, as the discovery hands it over."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

CREATED = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)
ENDED = CREATED + timedelta(minutes=10)
CREATED_MS = 1_769_860_800_000
ENDED_MS = CREATED_MS + 600_000
MODIFIED_MS = ENDED_MS + 5_000
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/trainer:1"
ROLE = "arn:aws:iam::123456789012:role/jobs"


def arn(resource: str) -> str:
    """Give the ARN of a resource."""
    return f"arn:aws:sagemaker:eu-west-1:123456789012:{resource}"


def times(**ends: datetime) -> dict[str, datetime]:
    """Give the times that every answer has."""
    return {"CreationTime": CREATED, "LastModifiedTime": ENDED + timedelta(seconds=5), **ends}


def s3(uri: str) -> dict[str, Any]:
    """Give a data source in S3."""
    return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}


COMPONENT = {
    "TrialComponentName": "train-aws-training-job",
    "TrialComponentArn": arn("experiment-trial-component/train-aws-training-job"),
    "Parents": [
        {"TrialName": "first", "ExperimentName": "churn"},
        {"TrialName": "second", "ExperimentName": "other"},
    ],
    "MetadataProperties": {"CommitId": "0a1b2c3d"},
}

TRAINING = {
    "TrainingJobName": "train",
    "TrainingJobArn": arn("training-job/train"),
    "TrainingJobStatus": "Completed",
    "SecondaryStatus": "Completed",
    **times(TrainingEndTime=ENDED),
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "HyperParameters": {"lr": "0.1", "sagemaker_submit_directory": '"s3://bucket/code.tar.gz"'},
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": s3("s3://bucket/train")},
        {"ChannelName": "test", "DataSource": {"FileSystemDataSource": {"FileSystemId": "fs"}}},
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"},
    "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/out/train/output/model.tar.gz"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    "TuningJobArn": arn("hyper-parameter-tuning-job/tune"),
    "TrialComponent": COMPONENT,
}

PROCESSING = {
    "ProcessingJobName": "prepare",
    "ProcessingJobArn": arn("processing-job/prepare"),
    "ProcessingJobStatus": "Failed",
    "ExitMessage": "no such column",
    **times(ProcessingEndTime=ENDED),
    "RoleArn": ROLE,
    "AppSpecification": {"ImageUri": IMAGE, "ContainerArguments": ["--rows", "5"]},
    "Environment": {"MODE": "fast"},
    "ProcessingInputs": [
        {"InputName": "raw", "S3Input": {"S3Uri": "s3://bucket/raw", "S3DataType": "S3Prefix"}},
        {"InputName": "code", "S3Input": {"S3Uri": "s3://bucket/prepare.py"}},
        {
            "InputName": "query",
            "DatasetDefinition": {"AthenaDatasetDefinition": {"OutputS3Uri": "s3://bucket/query"}},
        },
    ],
    "ProcessingOutputConfig": {
        "Outputs": [{"OutputName": "train", "S3Output": {"S3Uri": "s3://bucket/train"}}]
    },
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 1}
    },
    "AutoMLJobArn": arn("automl-job/auto"),
    "ExperimentConfig": {"ExperimentName": "churn", "TrialName": "first"},
}

MODEL = {
    "ModelName": "classifier",
    "ModelArn": arn("model/classifier"),
    "PrimaryContainer": {
        "Image": IMAGE,
        "ModelDataUrl": "s3://bucket/out/train/output/model.tar.gz",
    },
}

PACKAGED_MODEL = {
    "ModelName": "packaged",
    "ModelArn": arn("model/packaged"),
    "Containers": [
        {"ModelPackageName": arn("model-package/churn/3")},
        {
            "Image": IMAGE,
            "ModelDataSource": {
                "S3DataSource": {
                    "S3Uri": "s3://bucket/plain/",
                    "S3DataType": "S3Prefix",
                    "CompressionType": "None",
                }
            },
        },
    ],
}

TRANSFORM = {
    "TransformJobName": "score",
    "TransformJobArn": arn("transform-job/score"),
    "TransformJobStatus": "Completed",
    "CreationTime": CREATED,
    "TransformEndTime": ENDED,
    "ModelName": "classifier",
    "TransformInput": {"DataSource": s3("s3://bucket/new")},
    "TransformOutput": {"S3OutputPath": "s3://bucket/scores"},
    "TransformResources": {"InstanceType": "ml.c5.large", "InstanceCount": 1},
    "Model": MODEL,
    "PipelineExecutionArn": arn("pipeline/nightly/execution/abc"),
}

TUNING = {
    "HyperParameterTuningJobName": "tune",
    "HyperParameterTuningJobArn": arn("hyper-parameter-tuning-job/tune"),
    "HyperParameterTuningJobStatus": "Completed",
    **times(HyperParameterTuningEndTime=ENDED),
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {
                    "Name": "lr",
                    "MinValue": "0.001",
                    "MaxValue": "0.1",
                    "ScalingType": "Logarithmic",
                }
            ],
            "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "8"}],
            "CategoricalParameterRanges": [{"Name": "opt", "Values": ["adam", "sgd"]}],
            "AutoParameters": [{"Name": "alpha", "ValueHint": "0.5"}],
        },
    },
    "TrainingJobDefinition": {
        "StaticHyperParameters": {"epochs": "5", "sagemaker_program": '"train.py"'},
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [{"ChannelName": "train", "DataSource": s3("s3://bucket/train")}],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/tuned"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    },
    "TrainingJobStatusCounters": {"Completed": 19, "NonRetryableError": 1, "InProgress": 0},
    "ObjectiveStatusCounters": {"Succeeded": 19, "Failed": 1, "Pending": 0},
    "BestTrainingJob": {
        "TrainingJobName": "tune-007",
        "TrainingJobArn": arn("training-job/tune-007"),
        "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "auc", "Value": 0.75},
    },
    "TrainingJobSummaries": [
        {"TrainingJobName": name, "TrainingJobArn": arn(f"training-job/{name}")}
        for name in ("tune-001", "tune-007")
    ],
}

CANDIDATE = {
    "CandidateName": "auto-best",
    "CandidateStatus": "Completed",
    "FinalAutoMLJobObjectiveMetric": {"MetricName": "validation:f1", "Value": 0.5},
    "CandidateSteps": [
        {
            "CandidateStepType": "AWS::SageMaker::ProcessingJob",
            "CandidateStepArn": arn("processing-job/auto-split"),
            "CandidateStepName": "auto-split",
        },
        {
            "CandidateStepType": "AWS::SageMaker::TrainingJob",
            "CandidateStepArn": arn("training-job/auto-train"),
            "CandidateStepName": "auto-train",
        },
    ],
    "InferenceContainers": [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/auto/best.tar.gz"}],
}

AUTOML = {
    "AutoMLJobName": "auto",
    "AutoMLJobArn": arn("automl-job/auto"),
    "AutoMLJobStatus": "Stopped",
    "AutoMLJobSecondaryStatus": "MaxCandidatesReached",
    **times(EndTime=ENDED),
    "RoleArn": ROLE,
    "AutoMLJobInputDataConfig": [
        {"DataSource": s3("s3://bucket/table")},
        {"ChannelType": "validation", "DataSource": s3("s3://bucket/check")},
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/automl/"},
    "AutoMLJobObjective": {"MetricName": "F1"},
    "AutoMLProblemTypeConfigName": "Tabular",
    "BestCandidate": CANDIDATE,
    "Candidates": [
        CANDIDATE,
        {
            "CandidateName": "auto-other",
            "CandidateSteps": [{"CandidateStepArn": arn("training-job/auto-other")}],
        },
    ],
}

ENDPOINT = {
    "EndpointName": "live",
    "EndpointArn": arn("endpoint/live"),
    "EndpointStatus": "InService",
    **times(),
    "EndpointConfigName": "live-2",
    "DataCaptureConfig": {"EnableCapture": True, "DestinationS3Uri": "s3://bucket/captured"},
    "EndpointConfig": {
        "EndpointConfigName": "live-2",
        "EndpointConfigArn": arn("endpoint-config/live-2"),
        "ProductionVariants": [
            {
                "VariantName": "blue",
                "ModelName": "classifier",
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 2,
                "InitialVariantWeight": 0.75,
            },
            {
                "VariantName": "green",
                "ModelName": "packaged",
                "InstanceType": "ml.c5.large",
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 1.0,
            },
        ],
    },
    "Models": [MODEL, PACKAGED_MODEL],
}

NOTEBOOK = {
    "NotebookInstanceName": "Explore",
    "NotebookInstanceArn": arn("notebook-instance/explore"),
    "NotebookInstanceStatus": "InService",
    **times(),
    "Url": "explore.notebook.eu-west-1.sagemaker.aws",
    "InstanceType": "ml.t3.medium",
    "RoleArn": ROLE,
    "NotebookInstanceLifecycleConfigName": "install",
    "DefaultCodeRepository": "https://github.com/example/notebooks",
    "VolumeSizeInGB": 20,
    "PlatformIdentifier": "notebook-al2-v3",
}

EXECUTION = {
    "PipelineArn": arn("pipeline/nightly"),
    "PipelineExecutionArn": arn("pipeline/nightly/execution/abc"),
    "PipelineExecutionDisplayName": "Nightly of Monday",
    "PipelineExecutionStatus": "CompletedWithFailures",
    "PipelineExperimentConfig": {"ExperimentName": "churn", "TrialName": "nightly-abc"},
    "FailureReason": "one step failed",
    **times(),
    "PipelineParameters": [{"Name": "rows", "Value": "5"}, {"Name": "mode", "Value": "fast"}],
    "PipelineExecutionSteps": [
        {"StepName": "Train", "Metadata": {"TrainingJob": {"Arn": arn("training-job/train")}}},
        {
            "StepName": "Check",
            "Metadata": {"QualityCheck": {"CheckJobArn": arn("processing-job/check")}},
        },
        {
            "StepName": "Cached",
            "CacheHitResult": {
                "SourcePipelineExecutionArn": arn("pipeline/nightly/execution/before")
            },
            "Metadata": {"ProcessingJob": {"Arn": arn("processing-job/before")}},
        },
        {"StepName": "Create", "Metadata": {"Model": {"Arn": arn("model/classifier")}}},
        {
            "StepName": "Register",
            "Metadata": {"RegisterModel": {"Arn": arn("model-package/churn/3")}},
        },
        {"StepName": "Serve", "Metadata": {"Endpoint": {"Arn": arn("endpoint/live")}}},
        {"StepName": "Choose", "Metadata": {"Condition": {"Outcome": "True"}}},
        {"StepName": "Waiting", "StepStatus": "Starting"},
    ],
}

TRIAL = {
    "TrialName": "first",
    "TrialArn": arn("experiment-trial/first"),
    "DisplayName": "First try",
    "ExperimentName": "churn",
    "MetadataProperties": {"CommitId": "fedcba9"},
    **times(),
}

TRIAL_COMPONENT = {
    "TrialComponentName": "by-hand",
    "TrialComponentArn": arn("experiment-trial-component/by-hand"),
    "DisplayName": "By hand",
    "Status": {"PrimaryStatus": "Failed", "Message": "out of patience"},
    **times(StartTime=CREATED, EndTime=ENDED),
    "Parents": [{"TrialName": "first", "ExperimentName": "churn"}],
    "Parameters": {
        "lr": {"NumberValue": 0.1},
        "epochs": {"NumberValue": 3.0},
        "optimizer": {"StringValue": "adam"},
    },
    "InputArtifacts": {
        "table": {"MediaType": "text/csv", "Value": "s3://bucket/train"},
        "image": {"Value": IMAGE},
        "other": {"MediaType": "application/vnd.docker.image", "Value": "registry/other"},
        "page": {"MediaType": "text/html", "Value": "https://example.com"},
    },
    "OutputArtifacts": {
        "SageMaker.ModelArtifact": {"Value": "s3://bucket/model.tar.gz"},
        "plot": {"Value": "s3://bucket/plot.png"},
    },
    "Metrics": [
        {
            "MetricName": "loss",
            "TimeStamp": ENDED,
            "Max": 2.0,
            "Min": 0.25,
            "Last": 0.5,
            "Avg": 1.0,
            "StdDev": 0.125,
            "Count": 4,
        },
        {"MetricName": "auc", "TimeStamp": ENDED, "Last": 0.75, "Count": 1},
    ],
}

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "training-job": ("DescribeTrainingJobResponse", TRAINING),
    "processing-job": ("DescribeProcessingJobResponse", PROCESSING),
    "transform-job": ("DescribeTransformJobResponse", TRANSFORM),
    "tuning-job": ("DescribeHyperParameterTuningJobResponse", TUNING),
    "automl-job": ("DescribeAutoMLJobV2Response", AUTOML),
    "endpoint": ("DescribeEndpointOutput", ENDPOINT),
    "notebook-instance": ("DescribeNotebookInstanceOutput", NOTEBOOK),
    "pipeline-execution": ("PipelineExecution", EXECUTION),
    "trial": ("Trial", TRIAL),
    "trial-component": ("TrialComponent", TRIAL_COMPONENT),
}
"""Word of the kind → name of its shape in botocore's model, and an answer."""

FURTHER_KEYS: dict[str, str] = {
    "TrialComponent": "TrialComponent",
    "Model": "DescribeModelOutput",
    "Models": "DescribeModelOutput",
    "EndpointConfig": "DescribeEndpointConfigOutput",
    "TrainingJobSummaries": "HyperParameterTrainingJobSummary",
    "Candidates": "AutoMLCandidate",
    "PipelineExecutionSteps": "PipelineExecutionStep",
    "PipelineExecutionArn": "PipelineExecutionArn",
}
"""Key that another operation's answer is put under → its shape, or that of the list's items."""
