"""Raw training-job answers and metric samples, to be put into an emulated account."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount

LISTS = {
    "sagemaker:Search": 2,
    "sagemaker:ListPipelines": 1,
    "sagemaker:ListAutoMLJobs": 1,
    "sagemaker:ListHyperParameterTuningJobs": 1,
    "sagemaker:ListTrials": 1,
    "sagemaker:ListProcessingJobs": 1,
    "sagemaker:ListTransformJobs": 1,
    "sagemaker:ListEndpoints": 1,
    "sagemaker:ListAssociations": 1,
}
"""What it costs to find the jobs of every kind in a small account that has training jobs alone."""

BEGIN = "sagemaker:ListPipelines"
"""The first call of a pass that lists every kind, made once."""

NAMESPACE = "/aws/sagemaker/TrainingJobs"
REGION = "us-east-1"
USD_PER_HOUR = 0.115
"""Of training on an ml.m5.large in that Region, as built in."""

ACCOUNT = "123456789012"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Samples = list[tuple[int, float]]
Events = list[tuple[int, str]]
"""Timestamp in milliseconds and message."""

Points = list[tuple[int, int, float]]
"""Timestamp in milliseconds, step, value."""


def now_ms() -> int:
    """Tell the time in milliseconds since the epoch."""
    return int(datetime.now(tz=timezone.utc).timestamp() * 1000)


def moment(moment_ms: int) -> datetime:
    """Turn milliseconds since the epoch into an aware datetime."""
    return datetime.fromtimestamp(0, tz=timezone.utc) + timedelta(milliseconds=moment_ms)


def whole(moment_ms: int, period_s: int = 60) -> int:
    """Cut a moment to a multiple of a period."""
    return moment_ms - moment_ms % (period_s * 1000)


def arn(name: str, region: str = REGION, account: str = ACCOUNT) -> str:
    """Give the ARN of a training job."""
    return f"arn:aws:sagemaker:{region}:{account}:training-job/{name}"


def job_answer(
    name: str,
    *,
    created_ms: int,
    ended_ms: int | None = None,
    status: str | None = None,
    metrics: Sequence[str] = ("loss",),
    hosts: int = 1,
    **changes: Any,
) -> dict[str, Any]:
    """Make a DescribeTrainingJob answer.

    Parameters
    ----------
    name
        Of the job.
    created_ms, ended_ms
        CreationTime and TrainingEndTime; a job without an end is in progress.
    status
        Completed or InProgress if None.
    metrics
        Names of its MetricDefinitions.
    hosts
        Number of instances.
    **changes
        Fields set besides or instead; None leaves one out.
    """
    status = status or ("InProgress" if ended_ms is None else "Completed")
    answer: dict[str, Any] = {
        "TrainingJobName": name,
        "TrainingJobStatus": status,
        "SecondaryStatus": "Training" if status == "InProgress" else status,
        "CreationTime": moment(created_ms),
        "LastModifiedTime": moment(created_ms if ended_ms is None else ended_ms),
        "TrainingEndTime": None if ended_ms is None else moment(ended_ms),
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/training",
        "AlgorithmSpecification": {
            "TrainingImage": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/trainer:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": metric, "Regex": r"value=(\S+)"} for metric in metrics],
        },
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": hosts,
            "VolumeSizeInGB": 10,
        },
        **changes,
    }
    return {key: value for key, value in answer.items() if value is not None}


def logged_job(
    name: str, definitions: Mapping[str, str], *, created_ms: int, **changes: Any
) -> dict[str, Any]:
    """Make the answer of a job with MetricDefinitions of its own, name → pattern."""
    answer = job_answer(name, created_ms=created_ms, **changes)
    answer["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": metric, "Regex": pattern} for metric, pattern in definitions.items()
    ]
    return answer


def billed(ended_ms: int, seconds: float, hosts: int = 1) -> dict[str, Points]:
    """Give the points of what a job of :func:`job_answer` is billed for, and of what that costs."""
    return {
        "sagemaker/billable_seconds": [(ended_ms, 0, seconds)],
        "sagemaker/cost_usd": [(ended_ms, 0, seconds * hosts * USD_PER_HOUR / 3600)],
    }


def final_metrics(values: Mapping[str, float], timestamp_ms: int) -> list[dict[str, Any]]:
    """Make a FinalMetricDataList."""
    return [
        {"MetricName": name, "Value": value, "Timestamp": moment(timestamp_ms)}
        for name, value in values.items()
    ]


def curve(start_ms: int, count: int, first: float = 0.0, every_s: int = 60) -> Samples:
    """Give samples at even distances whose values tell them apart."""
    return [(start_ms + n * every_s * 1000, first + n / 8) for n in range(count)]


def put_loss(
    account: EmulatedAccount, job: str, samples: Iterable[tuple[int, float]], metric: str = "loss"
) -> None:
    """Publish samples of an algorithm metric."""
    account.put_metric(NAMESPACE, metric, {"TrainingJobName": job}, samples)


def put_log(
    account: EmulatedAccount,
    job: str,
    events: Iterable[tuple[int, str]],
    *,
    host: str = "algo-1",
    epoch_s: int = 1_700_000_000,
) -> None:
    """Store log events of one host, without their metrics in CloudWatch."""
    account.put_log_events(NAMESPACE, f"{job}/{host}-{epoch_s}", events, publish=False)


def put_host(
    account: EmulatedAccount,
    job: str,
    samples: Iterable[tuple[int, float]],
    *,
    host: str = "algo-1",
    metric: str = "CPUUtilization",
) -> None:
    """Publish samples of an instance metric."""
    account.put_metric(NAMESPACE, metric, {"Host": f"{job}/{host}"}, samples, unit="Percent")


def replayed(
    definitions: Mapping[str, str], hosts: Mapping[str, Sequence[tuple[int, str]]]
) -> dict[str, Points]:
    """Say which points a mirror must have of logs, given by host in the order of their streams.

    The rule is written out once more here, on purpose, and shares no code with the package.
    """
    points: dict[str, Points] = {}
    for host, events in hosts.items():
        for timestamp_ms, message in events:
            for line in re.split("[\r\n]", message):
                for name, pattern in definitions.items():
                    found = re.search(pattern, line)
                    if found is None:
                        continue
                    key = name if host == "algo-1" else f"{name}/{host}"
                    curve = points.setdefault(key, [])
                    curve.append((timestamp_ms, len(curve), float(found[1])))
    return points


def averages(samples: Iterable[tuple[int, float]], created_ms: int, period_s: int = 60) -> Points:
    """Say which points of a series a mirror must have of samples: one for each period.

    The rule is written out once more here, on purpose, and shares no code with the package.
    """
    buckets: dict[int, list[float]] = {}
    for timestamp_ms, value in samples:
        buckets.setdefault(timestamp_ms // (period_s * 1000), []).append(value)
    points = []
    for number, values in sorted(buckets.items()):
        begin_ms = number * period_s * 1000
        step = int((begin_ms - created_ms - (begin_ms - created_ms) % 1000) / 1000)
        points.append((begin_ms, step, sum(values) / len(values)))
    return points
