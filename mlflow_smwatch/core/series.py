"""Job → the CloudWatch series that it may have, from its own description.

Asking for a series that has no data costs less than a scan of ``ListMetrics``, which also forgets
metrics after two weeks: so every host is asked for all instance metrics of the job's kind.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_smwatch.core.job import Job

INSTANCE_METRICS: tuple[tuple[str, str], ...] = (
    ("CPUUtilization", "cpu_utilization_percentage"),
    ("MemoryUtilization", "system_memory_usage_percentage"),
    ("DiskUtilization", "disk_usage_percentage"),
    ("GPUUtilization", "gpu_utilization_percentage"),
    ("GPUMemoryUtilization", "gpu_memory_usage_percentage"),
)
"""CloudWatch metric name → last part of the MLflow key."""


FIRST_HOST = "algo-1"
"""The host whose algorithm metrics from the logs carry the metric's bare name."""

_MIRRORS_OWN = ("system/", "sagemaker/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One CloudWatch metric of one job.

    Attributes
    ----------
    original
        Identifies it among all series of the job; for all but a few algorithm metrics (see
        :func:`metric_original`) the MLflow key before MLflow's rules are applied.
    namespace, metric_name, dimensions
        What CloudWatch stores it under; dimensions match exactly or not at all.
    """

    original: str
    namespace: str
    metric_name: str
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one series.

    Attributes
    ----------
    timestamp_ms
        Milliseconds since the epoch, as AWS gives it.
    value
        As AWS gives it.
    """

    timestamp_ms: int
    value: float


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


def metric_original(name: str) -> str:
    """Identify an algorithm metric, apart from every utilisation and duration of the same name."""
    return f"{name}\n" if name.startswith(_MIRRORS_OWN) else name


def host_original(name: str, host: str) -> str:
    """Identify an algorithm metric of one host, apart from every metric of another name.

    No name of a MetricDefinition holds a line break.
    """
    return metric_original(name) if host == FIRST_HOST else f"{name}\n{host}"


def metric_of(original: str) -> str | None:
    """Return the name of the algorithm metric that an original stands for, on whichever host.

    None for a series of the mirror's own: utilisation and durations.
    """
    name, separator, _ = original.partition("\n")
    return None if original.startswith(_MIRRORS_OWN) and not separator else name


def step_of(timestamp_ms: int, created_ms: int) -> int:
    """Return the step of a CloudWatch point: whole seconds since CreationTime, rounded down."""
    return (timestamp_ms - created_ms) // 1000
