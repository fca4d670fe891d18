"""The AWS operations that this package calls: how fast each may be called and what it costs.

Rates stay below the published or observed quotas per account and Region ("CloudWatch service
quotas"; ``ListTrainingJobs``: 2 a second in Service Quotas; other SageMaker reads have no published
rate). Prices are those of us-east-1 ("Amazon CloudWatch Pricing", 2026): ``GetMetricData`` costs
0.01 USD per 1,000 metrics requested, the other reads are free.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One AWS operation.

    Attributes
    ----------
    rate
        Calls a second that the mirror allows itself.
    price_per_metric_usd
        What one requested metric costs.
    """

    rate: float
    price_per_metric_usd: float = 0.0


SEARCH = "sagemaker:Search"
LIST_TRAINING_JOBS = "sagemaker:ListTrainingJobs"
DESCRIBE_TRAINING_JOB = "sagemaker:DescribeTrainingJob"
LIST_TAGS = "sagemaker:ListTags"
GET_METRIC_DATA = "cloudwatch:GetMetricData"
GET_CALLER_IDENTITY = "sts:GetCallerIdentity"

OPERATIONS: dict[str, Operation] = {
    SEARCH: Operation(rate=5),
    LIST_TRAINING_JOBS: Operation(rate=2),
    DESCRIBE_TRAINING_JOB: Operation(rate=10),
    LIST_TAGS: Operation(rate=10),
    GET_METRIC_DATA: Operation(rate=40, price_per_metric_usd=0.01 / 1000),
    GET_CALLER_IDENTITY: Operation(rate=10),
}

DATAPOINTS_PER_SECOND = 396_000
"""``GetMetricData`` quota for data older than three hours; window ÷ period × series counts."""

RECENT_DATAPOINTS_PER_SECOND = 180_000
"""The same where StartTime is within the last three hours."""
