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
from typing import Any

import boto3
from mlflow import MlflowClient

from benchmarks.jobs import NAMESPACE
from mlflow_smwatch.core.series import INSTANCE_METRICS


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
    created_ms = _ms(job["CreationTime"].timestamp())
    run = client.create_run(experiment_id, start_time=created_ms, run_name=name)
    points = 0
    for key, metric, dimension in _metrics(job):
        for point in _statistics(cloudwatch, job, metric, dimension):
            stamp_ms = _ms(point["Timestamp"].timestamp())
            step = (stamp_ms - created_ms) // 1000
            client.log_metric(run.info.run_id, key, point["Average"], stamp_ms, step)
            points += 1
    client.set_terminated(run.info.run_id, "FINISHED", _ms(job["TrainingEndTime"].timestamp()))
    return points


def _metrics(job: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Give MLflow key, CloudWatch name and dimension of each metric of a one-host job."""
    name = job["TrainingJobName"]
    for definition in job["AlgorithmSpecification"]["MetricDefinitions"]:
        metric = definition["Name"]
        yield metric, metric, {"Name": "TrainingJobName", "Value": name}
    for metric, key in INSTANCE_METRICS:
        yield f"system/algo-1/{key}", metric, {"Name": "Host", "Value": f"{name}/algo-1"}


def _statistics(
    cloudwatch: Any,  # noqa: ANN401 - boto3's clients have no static type
    job: dict[str, Any],
    metric: str,
    dimension: dict[str, str],
) -> list[dict[str, Any]]:
    answer = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric,
        Dimensions=[dimension],
        StartTime=job["TrainingStartTime"],
        EndTime=job["TrainingEndTime"] + timedelta(minutes=1),
        Period=60,
        Statistics=["Average"],
    )
    return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


if __name__ == "__main__":
    main()
