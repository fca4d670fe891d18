"""What people run today, job by job: ``python -m benchmarks.today sqlite:////… NAME …``.

``DescribeTrainingJob``; for each metric the ``GetMetricStatistics`` request of the SageMaker SDK's
``TrainingJobAnalytics`` (period 60, Average, from TrainingStartTime to TrainingEndTime + 1 minute;
that class describes the job up to three times, this script once); one ``log_metric`` per point.
It keeps no parameters, tags, data sets or models, and cannot be run twice without doubling points.
Prints how long it took; the clock runs from the first job to the last.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

import boto3
from mlflow import MlflowClient

from benchmarks.jobs import NAMESPACE
from mlflow_smwatch.core.job_series import INSTANCE_METRICS

Point = tuple[str, float, int]


def main() -> None:
    """Copy the named jobs."""
    uri, *names = sys.argv[1:]
    points = 0
    with contextlib.redirect_stdout(sys.stderr):
        client = MlflowClient(uri)
        experiment_id = client.create_experiment("today")
        session = boto3.Session()
        aws = (session.client("sagemaker"), session.client("cloudwatch"))
        started, cpu = time.perf_counter(), time.process_time()
        for name in names:
            points += copy(name, aws, client, experiment_id)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    done = {"jobs": len(names), "points": points, "seconds": seconds, "cpu_seconds": cpu}
    print(json.dumps(done))


def copy(name: str, aws: tuple[Any, Any], client: MlflowClient, experiment_id: str) -> int:
    """Copy one job; return the number of points."""
    sagemaker, cloudwatch = aws
    job = sagemaker.describe_training_job(TrainingJobName=name)
    created_ms = ms(job["CreationTime"].timestamp())
    run = client.create_run(experiment_id, start_time=created_ms, run_name=name)
    points = 0
    for key, value, stamp_ms in chain(
        _algorithm_points(cloudwatch, job), instance_points(cloudwatch, job)
    ):
        step = (stamp_ms - created_ms) // 1000
        client.log_metric(run.info.run_id, key, value, stamp_ms, step)
        points += 1
    client.set_terminated(run.info.run_id, "FINISHED", ms(job["TrainingEndTime"].timestamp()))
    return points


def instance_points(cloudwatch: Any, job: dict[str, Any]) -> Iterator[Point]:  # noqa: ANN401 - boto3's clients have no static type
    """Give key, value and timestamp (ms) of each point of the metrics of a one-host job."""
    host = {"Name": "Host", "Value": f"{job['TrainingJobName']}/algo-1"}
    for metric, key in INSTANCE_METRICS:
        for stamp_ms, value in _statistics(cloudwatch, job, metric, host):
            yield f"system/algo-1/{key}", value, stamp_ms


def _algorithm_points(cloudwatch: Any, job: dict[str, Any]) -> Iterator[Point]:  # noqa: ANN401 - as above
    dimension = {"Name": "TrainingJobName", "Value": job["TrainingJobName"]}
    for definition in job["AlgorithmSpecification"]["MetricDefinitions"]:
        metric = definition["Name"]
        for stamp_ms, value in _statistics(cloudwatch, job, metric, dimension):
            yield metric, value, stamp_ms


def _statistics(
    cloudwatch: Any,  # noqa: ANN401 - as above
    job: dict[str, Any],
    metric: str,
    dimension: dict[str, str],
) -> list[tuple[int, float]]:
    answer = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric,
        Dimensions=[dimension],
        StartTime=job["TrainingStartTime"],
        EndTime=job["TrainingEndTime"] + timedelta(minutes=1),
        Period=60,
        Statistics=["Average"],
    )
    return sorted(
        (ms(each["Timestamp"].timestamp()), each["Average"]) for each in answer["Datapoints"]
    )


def ms(seconds: float) -> int:
    """Return milliseconds."""
    return round(seconds * 1000)


if __name__ == "__main__":
    main()
