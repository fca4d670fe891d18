"""The AWS operations that this package calls: how fast each may be called and what it costs.

Rates stay below the published or observed quotas per account and Region ("CloudWatch service
quotas", "CloudWatch Logs quotas"; ``ListTrainingJobs``: 2 a second in Service Quotas; other
SageMaker reads and standard SQS queues have no published rate). Prices are those of us-east-1,
2026, without free tiers: ``GetMetricData`` costs 0.01 USD per 1,000 metrics requested and
``ListMetrics``, ``PutMetricData`` and the operations on dashboards as much per 1,000 calls ("Amazon
CloudWatch Pricing"), SQS 0.40 USD per million requests ("Amazon SQS pricing"), SNS 0.50
USD per million messages ("Amazon SNS pricing"), S3 5 USD per million
lists and 0.40 USD per million reads ("Amazon S3 pricing"); the other reads, and the Price List API,
are free. S3 takes 5,500 reads a second below each prefix ("Best practices design patterns").

Operations have the names by which botocore sends them; that of the permission is the same, but for
SQS's batches, SageMaker Metrics and S3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One AWS operation.

    Attributes
    ----------
    rate
        Calls a second that the mirror allows itself, in most Regions.
    region_rates
        Region → the same, where it differs.
    burst
        Calls that may be made at once, ahead of the rate.
    price_per_metric_usd
        What one requested metric costs.
    price_per_call_usd
        What one call costs.
    permission
        The IAM action that allows it, where that has another name.
    """

    rate: float
    region_rates: Mapping[str, float] = field(default_factory=dict)
    burst: float = 0.0
    price_per_metric_usd: float = 0.0
    price_per_call_usd: float = 0.0
    permission: str | None = None

    def rate_in(self, region: str) -> float:
        """Tell how many calls a second the mirror allows itself in a Region."""
        return self.region_rates.get(region, self.rate)


SEARCH = "sagemaker:Search"
LIST_TRAINING_JOBS = "sagemaker:ListTrainingJobs"
DESCRIBE_TRAINING_JOB = "sagemaker:DescribeTrainingJob"
LIST_PROCESSING_JOBS = "sagemaker:ListProcessingJobs"
DESCRIBE_PROCESSING_JOB = "sagemaker:DescribeProcessingJob"
LIST_TRANSFORM_JOBS = "sagemaker:ListTransformJobs"
DESCRIBE_TRANSFORM_JOB = "sagemaker:DescribeTransformJob"
LIST_TUNING_JOBS = "sagemaker:ListHyperParameterTuningJobs"
DESCRIBE_TUNING_JOB = "sagemaker:DescribeHyperParameterTuningJob"
LIST_TUNING_CHILDREN = "sagemaker:ListTrainingJobsForHyperParameterTuningJob"
LIST_AUTOML_JOBS = "sagemaker:ListAutoMLJobs"
DESCRIBE_AUTOML_JOB = "sagemaker:DescribeAutoMLJobV2"
LIST_CANDIDATES = "sagemaker:ListCandidatesForAutoMLJob"
LIST_ENDPOINTS = "sagemaker:ListEndpoints"
DESCRIBE_ENDPOINT = "sagemaker:DescribeEndpoint"
LIST_INFERENCE_COMPONENTS = "sagemaker:ListInferenceComponents"
DESCRIBE_INFERENCE_COMPONENT = "sagemaker:DescribeInferenceComponent"
LIST_NOTEBOOK_INSTANCES = "sagemaker:ListNotebookInstances"
DESCRIBE_NOTEBOOK_INSTANCE = "sagemaker:DescribeNotebookInstance"
DESCRIBE_ENDPOINT_CONFIG = "sagemaker:DescribeEndpointConfig"
DESCRIBE_MODEL = "sagemaker:DescribeModel"
DESCRIBE_MODEL_PACKAGE = "sagemaker:DescribeModelPackage"
DESCRIBE_MONITORING_SCHEDULE = "sagemaker:DescribeMonitoringSchedule"
LIST_TRIALS = "sagemaker:ListTrials"
DESCRIBE_TRIAL = "sagemaker:DescribeTrial"
LIST_TRIAL_COMPONENTS = "sagemaker:ListTrialComponents"
DESCRIBE_TRIAL_COMPONENT = "sagemaker:DescribeTrialComponent"
DESCRIBE_EXPERIMENT = "sagemaker:DescribeExperiment"
LIST_PIPELINES = "sagemaker:ListPipelines"
LIST_PIPELINE_EXECUTIONS = "sagemaker:ListPipelineExecutions"
DESCRIBE_PIPELINE_EXECUTION = "sagemaker:DescribePipelineExecution"
LIST_PIPELINE_STEPS = "sagemaker:ListPipelineExecutionSteps"
LIST_PIPELINE_PARAMETERS = "sagemaker:ListPipelineParametersForExecution"
LIST_TAGS = "sagemaker:ListTags"
BATCH_GET_METRICS = "sagemaker-metrics:BatchGetMetrics"
LIST_ASSOCIATIONS = "sagemaker:ListAssociations"
LIST_ARTIFACTS = "sagemaker:ListArtifacts"
DESCRIBE_ARTIFACT = "sagemaker:DescribeArtifact"
LIST_CONTEXTS = "sagemaker:ListContexts"
DESCRIBE_CONTEXT = "sagemaker:DescribeContext"
GET_METRIC_DATA = "cloudwatch:GetMetricData"
LIST_METRICS = "cloudwatch:ListMetrics"
DESCRIBE_ALARMS = "cloudwatch:DescribeAlarms"
DESCRIBE_ALARM_HISTORY = "cloudwatch:DescribeAlarmHistory"
PUT_METRIC_DATA = "cloudwatch:PutMetricData"
GET_DASHBOARD = "cloudwatch:GetDashboard"
PUT_DASHBOARD = "cloudwatch:PutDashboard"
DESCRIBE_LOG_STREAMS = "logs:DescribeLogStreams"
GET_LOG_EVENTS = "logs:GetLogEvents"
RECEIVE_MESSAGE = "sqs:ReceiveMessage"
DELETE_MESSAGES = "sqs:DeleteMessageBatch"
GET_QUEUE_ATTRIBUTES = "sqs:GetQueueAttributes"
CHANGE_VISIBILITY = "sqs:ChangeMessageVisibilityBatch"
LIST_OBJECTS = "s3:ListObjectsV2"
HEAD_OBJECT = "s3:HeadObject"
GET_OBJECT = "s3:GetObject"
PUBLISH = "sns:Publish"
GET_CALLER_IDENTITY = "sts:GetCallerIdentity"
ASSUME_ROLE = "sts:AssumeRole"
GET_PRODUCTS = "pricing:GetProducts"

PRICES_AS_OF = "2026"
"""Of what year the prices of operations are."""

_SLOW_LOGS = (
    "us-west-2",
    "ap-northeast-3",
    "ap-southeast-3",
    "ca-west-1",
    "eu-central-1",
    "eu-west-1",
    "il-central-1",
)
_LISTS = 2
_DESCRIBES = 10
_SQS_RATE = 100
_SQS_PRICE = 0.40 / 1_000_000
_CLOUDWATCH_PRICE = 0.01 / 1000
_SNS_RATE = 100
_SNS_PRICE = 0.50 / 1_000_000
_S3_RATE = 1000
_S3_LIST_PRICE = 5.00 / 1_000_000
_S3_GET_PRICE = 0.40 / 1_000_000

OPERATIONS: dict[str, Operation] = {
    SEARCH: Operation(rate=5),
    LIST_TRAINING_JOBS: Operation(rate=_LISTS),
    LIST_PROCESSING_JOBS: Operation(rate=_LISTS),
    LIST_TRANSFORM_JOBS: Operation(rate=_LISTS),
    LIST_TUNING_JOBS: Operation(rate=_LISTS),
    LIST_TUNING_CHILDREN: Operation(rate=_LISTS),
    LIST_AUTOML_JOBS: Operation(rate=_LISTS),
    LIST_CANDIDATES: Operation(rate=_LISTS),
    LIST_ENDPOINTS: Operation(rate=_LISTS),
    LIST_INFERENCE_COMPONENTS: Operation(rate=_LISTS),
    LIST_NOTEBOOK_INSTANCES: Operation(rate=_LISTS),
    LIST_TRIALS: Operation(rate=5),
    LIST_TRIAL_COMPONENTS: Operation(rate=5),
    LIST_PIPELINES: Operation(rate=_LISTS),
    LIST_PIPELINE_EXECUTIONS: Operation(rate=_LISTS),
    LIST_PIPELINE_STEPS: Operation(rate=5),
    LIST_PIPELINE_PARAMETERS: Operation(rate=5),
    DESCRIBE_TRAINING_JOB: Operation(rate=_DESCRIBES),
    DESCRIBE_PROCESSING_JOB: Operation(rate=_DESCRIBES),
    DESCRIBE_TRANSFORM_JOB: Operation(rate=_DESCRIBES),
    DESCRIBE_TUNING_JOB: Operation(rate=_DESCRIBES),
    DESCRIBE_AUTOML_JOB: Operation(rate=_DESCRIBES),
    DESCRIBE_ENDPOINT: Operation(rate=_DESCRIBES),
    DESCRIBE_ENDPOINT_CONFIG: Operation(rate=_DESCRIBES),
    DESCRIBE_INFERENCE_COMPONENT: Operation(rate=_DESCRIBES),
    DESCRIBE_NOTEBOOK_INSTANCE: Operation(rate=_DESCRIBES),
    DESCRIBE_MODEL: Operation(rate=_DESCRIBES),
    DESCRIBE_MODEL_PACKAGE: Operation(rate=_DESCRIBES),
    DESCRIBE_MONITORING_SCHEDULE: Operation(rate=_DESCRIBES),
    DESCRIBE_TRIAL: Operation(rate=_DESCRIBES),
    DESCRIBE_TRIAL_COMPONENT: Operation(rate=_DESCRIBES),
    DESCRIBE_EXPERIMENT: Operation(rate=_DESCRIBES),
    DESCRIBE_PIPELINE_EXECUTION: Operation(rate=_DESCRIBES),
    LIST_TAGS: Operation(rate=_DESCRIBES),
    BATCH_GET_METRICS: Operation(rate=10, permission="sagemaker:BatchGetMetrics"),
    LIST_ASSOCIATIONS: Operation(rate=10, burst=20),
    LIST_ARTIFACTS: Operation(rate=5),
    DESCRIBE_ARTIFACT: Operation(rate=10),
    LIST_CONTEXTS: Operation(rate=5),
    DESCRIBE_CONTEXT: Operation(rate=10),
    GET_METRIC_DATA: Operation(rate=40, price_per_metric_usd=0.01 / 1000),
    LIST_METRICS: Operation(rate=20, price_per_call_usd=0.01 / 1000),
    DESCRIBE_ALARMS: Operation(rate=8),
    DESCRIBE_ALARM_HISTORY: Operation(rate=2.7),
    PUT_METRIC_DATA: Operation(rate=100, price_per_call_usd=_CLOUDWATCH_PRICE),
    GET_DASHBOARD: Operation(rate=5, price_per_call_usd=_CLOUDWATCH_PRICE),
    PUT_DASHBOARD: Operation(rate=5, price_per_call_usd=_CLOUDWATCH_PRICE),
    DESCRIBE_LOG_STREAMS: Operation(rate=22.5),
    GET_LOG_EVENTS: Operation(
        rate=22.5,
        region_rates={**dict.fromkeys(_SLOW_LOGS, 9.0), "eu-west-3": 27.0},
        burst=5,
    ),
    RECEIVE_MESSAGE: Operation(rate=_SQS_RATE, price_per_call_usd=_SQS_PRICE),
    DELETE_MESSAGES: Operation(
        rate=_SQS_RATE, price_per_call_usd=_SQS_PRICE, permission="sqs:DeleteMessage"
    ),
    CHANGE_VISIBILITY: Operation(
        rate=_SQS_RATE, price_per_call_usd=_SQS_PRICE, permission="sqs:ChangeMessageVisibility"
    ),
    GET_QUEUE_ATTRIBUTES: Operation(rate=_SQS_RATE, price_per_call_usd=_SQS_PRICE),
    LIST_OBJECTS: Operation(
        rate=_S3_RATE, price_per_call_usd=_S3_LIST_PRICE, permission="s3:ListBucket"
    ),
    HEAD_OBJECT: Operation(
        rate=_S3_RATE, price_per_call_usd=_S3_GET_PRICE, permission="s3:GetObject"
    ),
    GET_OBJECT: Operation(rate=_S3_RATE, price_per_call_usd=_S3_GET_PRICE),
    PUBLISH: Operation(rate=_SNS_RATE, price_per_call_usd=_SNS_PRICE),
    GET_CALLER_IDENTITY: Operation(rate=10),
    ASSUME_ROLE: Operation(rate=10),
    GET_PRODUCTS: Operation(rate=5),
}
"""A tenth of the published quotas of CloudWatch Logs is left to others."""


def permission(action: str) -> str:
    """Name the IAM action that allows an operation."""
    found = OPERATIONS.get(action)
    return (found and found.permission) or action


DATAPOINTS_PER_SECOND = 396_000
"""``GetMetricData`` quota for data older than three hours; window ÷ period × series counts."""

DATAPOINT_RATE = 0.9 * DATAPOINTS_PER_SECOND
"""What the mirror allows itself of it, as of other quotas."""

RECENT_DATAPOINTS_PER_SECOND = 180_000
"""The same where StartTime is within the last three hours."""
