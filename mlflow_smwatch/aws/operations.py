"""The AWS operations that this package calls: how fast each may be called and what it costs.

Rates stay below the published or observed quotas per account and Region ("CloudWatch service
quotas", "CloudWatch Logs quotas"; ``ListTrainingJobs``: 2 a second in Service Quotas; other
SageMaker reads and standard SQS queues have no published rate). Prices are those of us-east-1,
2026, without free tiers: ``GetMetricData`` costs 0.01 USD per 1,000 metrics requested ("Amazon
CloudWatch Pricing"), SQS 0.40 USD per million requests ("Amazon SQS pricing"); the other reads are
free.

Operations have the names by which botocore sends them; that of the permission is the same, but for
SQS's batches.
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
LIST_TAGS = "sagemaker:ListTags"
GET_METRIC_DATA = "cloudwatch:GetMetricData"
DESCRIBE_LOG_STREAMS = "logs:DescribeLogStreams"
GET_LOG_EVENTS = "logs:GetLogEvents"
RECEIVE_MESSAGE = "sqs:ReceiveMessage"
DELETE_MESSAGES = "sqs:DeleteMessageBatch"
GET_QUEUE_ATTRIBUTES = "sqs:GetQueueAttributes"
CHANGE_VISIBILITY = "sqs:ChangeMessageVisibilityBatch"
GET_CALLER_IDENTITY = "sts:GetCallerIdentity"

_SLOW_LOGS = (
    "us-west-2",
    "ap-northeast-3",
    "ap-southeast-3",
    "ca-west-1",
    "eu-central-1",
    "eu-west-1",
    "il-central-1",
)
_SQS_RATE = 100
_SQS_PRICE = 0.40 / 1_000_000

OPERATIONS: dict[str, Operation] = {
    SEARCH: Operation(rate=5),
    LIST_TRAINING_JOBS: Operation(rate=2),
    DESCRIBE_TRAINING_JOB: Operation(rate=10),
    LIST_TAGS: Operation(rate=10),
    GET_METRIC_DATA: Operation(rate=40, price_per_metric_usd=0.01 / 1000),
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
    GET_CALLER_IDENTITY: Operation(rate=10),
}
"""A tenth of the published quotas of CloudWatch Logs is left to others."""


def permission(action: str) -> str:
    """Name the IAM action that allows an operation."""
    found = OPERATIONS.get(action)
    return (found and found.permission) or action


DATAPOINTS_PER_SECOND = 396_000
"""``GetMetricData`` quota for data older than three hours; window ÷ period × series counts."""

RECENT_DATAPOINTS_PER_SECOND = 180_000
"""The same where StartTime is within the last three hours."""
