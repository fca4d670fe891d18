"""What people run today for exact curves: ``python -m benchmarks.today_logs sqlite:////… NAME …``.

Job by job: ``DescribeTrainingJob``, ``GetMetricStatistics`` for each instance metric,
``DescribeLogStreams`` by the job's name, ``GetLogEvents`` until the token repeats, each definition
searched in each line with ``re``, and one ``log_metric`` per point. Prints how long it took; the
clock runs from the first job to the last.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

import boto3
from mlflow import MlflowClient

from benchmarks import log_loop
from benchmarks.log_jobs import LOG_GROUP
from benchmarks.today import instance_points, ms


def main() -> None:
    """Copy the named jobs."""
    uri, *names = sys.argv[1:]
    points = 0
    with contextlib.redirect_stdout(sys.stderr):
        client = MlflowClient(uri)
        experiment_id = client.create_experiment("today")
        session = boto3.Session()
        services = ("sagemaker", "cloudwatch", "logs")
        aws = {service: session.client(service) for service in services}
        started, cpu = time.perf_counter(), time.process_time()
        for name in names:
            points += copy(name, aws, client, experiment_id)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    done = {"jobs": len(names), "points": points, "seconds": seconds, "cpu_seconds": cpu}
    print(json.dumps(done))


def copy(name: str, aws: dict[str, Any], client: MlflowClient, experiment_id: str) -> int:
    """Copy one job; return the number of points."""
    job = aws["sagemaker"].describe_training_job(TrainingJobName=name)
    created_ms = ms(job["CreationTime"].timestamp())
    run_id = client.create_run(experiment_id, start_time=created_ms, run_name=name).info.run_id
    points = 0
    for key, value, stamp_ms in instance_points(aws["cloudwatch"], job):
        client.log_metric(run_id, key, value, stamp_ms, (stamp_ms - created_ms) // 1000)
        points += 1
    for key, found in _logged(aws["logs"], job).items():
        for step, (stamp_ms, value) in enumerate(found):
            client.log_metric(run_id, key, value, stamp_ms, step)
            points += 1
    client.set_terminated(run_id, "FINISHED", ms(job["TrainingEndTime"].timestamp()))
    return points


def _logged(logs: Any, job: dict[str, Any]) -> log_loop.Values:  # noqa: ANN401 - boto3's clients have no static type
    """Give the values in the one log stream of a job."""
    prefix = f"{job['TrainingJobName']}/"
    listed = logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=prefix)
    stream = listed["logStreams"][0]["logStreamName"]
    specified = job["AlgorithmSpecification"]["MetricDefinitions"]
    definitions = {each["Name"]: each["Regex"] for each in specified}
    _, values = log_loop.read(logs, LOG_GROUP, stream, definitions)
    return values


if __name__ == "__main__":
    main()
