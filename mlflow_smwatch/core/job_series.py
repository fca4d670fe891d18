"""Job → the CloudWatch series that it may have, from its own description.

Asking for a series that has no data costs less than a scan of ``ListMetrics``, which also forgets
metrics after two weeks: so every host is asked for all instance metrics of the job's kind.
"""

from __future__ import annotations

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.series import Series, metric_original

INSTANCE_METRICS: tuple[tuple[str, str], ...] = (
    ("CPUUtilization", "cpu_utilization_percentage"),
    ("MemoryUtilization", "system_memory_usage_percentage"),
    ("DiskUtilization", "disk_usage_percentage"),
    ("GPUUtilization", "gpu_utilization_percentage"),
    ("GPUMemoryUtilization", "gpu_memory_usage_percentage"),
)
"""CloudWatch metric name → last part of the MLflow key."""


def steady_series(job: Job) -> tuple[Series, ...]:
    """List the series that are read whatever gives the algorithm metrics: hosts' and further."""
    return (*instance_series(job), *job.further)


def instance_series(job: Job) -> tuple[Series, ...]:
    """List the utilisation series of every host (dimension ``Host`` = ``<job>/<host>``)."""
    namespace = job.kind.namespace
    if namespace is None:
        return ()
    return tuple(
        Series(
            original=f"system/{host}/{key}",
            namespace=namespace,
            metric_name=metric_name,
            dimensions=(("Host", f"{job.name}/{host}"),),
        )
        for host in job.hosts
        for metric_name, key in INSTANCE_METRICS
        if metric_name in job.kind.instance_metrics
    )


def algorithm_series(job: Job) -> tuple[Series, ...]:
    """List the algorithm metrics (dimension ``TrainingJobName``, no host).

    What SageMaker did not see in the log it did not publish either.
    """
    namespace, dimension = job.kind.namespace, job.kind.name_dimension
    if namespace is None or dimension is None:
        return ()
    logged = {each.name for each in job.final_metrics if each.logged}
    names = sorted(logged | {each.name for each in job.definitions})
    return tuple(
        Series(
            original=metric_original(name),
            namespace=namespace,
            metric_name=name,
            dimensions=((dimension, job.name),),
        )
        for name in names
    )
