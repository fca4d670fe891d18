"""Points and events of jobs → what OpenTelemetry's exporters send.

The metrics API of the SDK stamps each value with the moment it is recorded; a mirrored point has a
time of its own. So the data that a reader would collect is made here directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.exporters.job_events import JobEvent, JobMark

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData, NumberDataPoint
    from opentelemetry.sdk.resources import Resource

METRIC = "smwatch.job.metric"
"""Name of the one gauge; MLflow's keys are no legal names of instruments, so they are a value."""

METRIC_KEY = "mlflow.metric.key"
STEP = "mlflow.metric.step"

_NS_PER_MS = 1_000_000

MarkedPoint = tuple[JobMark, MetricPoint]


class Resources:
    """Makes the resource of each account and Region, once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Resource] = {}

    def of(self, mark: JobMark) -> Resource:
        """Give the resource of a job's place."""
        if mark.place not in self._made:
            self._made[mark.place] = _resource(*mark.place)
        return self._made[mark.place]


def _resource(account: str, region: str) -> Resource:
    """Describe this service in a place; ``OTEL_SERVICE_NAME`` and such have the last word on it."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    own = Resource({"service.name": "smwatch", "service.version": __version__})
    place = {
        "cloud.provider": "aws",
        "cloud.region": region,
        "cloud.account.id": account,
    }
    return own.merge(OTELResourceDetector().detect()).merge(Resource(place))


def metrics_data(points: Sequence[MarkedPoint], resources: Resources) -> MetricsData:
    """Make what a metric exporter sends: one gauge for each resource.

    Parameters
    ----------
    points
        Points with their jobs, at least one.
    resources
        Of their places.
    """
    from opentelemetry.sdk.metrics.export import (
        Gauge,
        Metric,
        MetricsData,
        ResourceMetrics,
        ScopeMetrics,
    )
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    placed: dict[tuple[str, str], list[MarkedPoint]] = {}
    for each in points:
        placed.setdefault(each[0].place, []).append(each)
    return MetricsData(
        resource_metrics=[
            ResourceMetrics(
                resource=resources.of(each[0][0]),
                scope_metrics=[
                    ScopeMetrics(
                        scope=InstrumentationScope("mlflow_smwatch", __version__),
                        metrics=[
                            Metric(
                                name=METRIC,
                                description="A point of a metric that SageMaker's job has.",
                                unit="",
                                data=Gauge(data_points=_data_points(each)),
                            )
                        ],
                        schema_url="",
                    )
                ],
                schema_url="",
            )
            for each in placed.values()
        ]
    )


def _data_points(points: Iterable[MarkedPoint]) -> list[NumberDataPoint]:
    """Give each point its own time; the step is what is measured beside it, not whose value it is.

    As an attribute of the point it would make each point a series of its own.
    """
    from opentelemetry.sdk.metrics import Exemplar
    from opentelemetry.sdk.metrics.export import NumberDataPoint

    return [
        NumberDataPoint(
            attributes={**_attributes(mark), METRIC_KEY: point.key},
            start_time_unix_nano=0,
            time_unix_nano=point.timestamp_ms * _NS_PER_MS,
            value=float(point.value),
            exemplars=[
                Exemplar(
                    filtered_attributes={STEP: point.step},
                    value=float(point.value),
                    time_unix_nano=point.timestamp_ms * _NS_PER_MS,
                )
            ],
        )
        for mark, point in points
    ]


def log_records(events: Iterable[JobEvent], resources: Resources) -> list[ReadableLogRecord]:
    """Make what a log exporter sends.

    Parameters
    ----------
    events
        What happened to jobs.
    resources
        Of their places.
    """
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    severities = {"FAILED": SeverityNumber.ERROR, "KILLED": SeverityNumber.WARN}
    scope = InstrumentationScope("mlflow_smwatch", __version__)
    records = []
    for event in events:
        severity = severities.get(event.status, SeverityNumber.INFO)
        record = LogRecord(
            timestamp=event.timestamp_ms * _NS_PER_MS,
            observed_timestamp=event.observed_ms * _NS_PER_MS,
            severity_number=severity,
            severity_text=severity.name,
            body=event.text,
            attributes=_event_attributes(event),
            event_name=event.name,
        )
        resource = resources.of(event.mark)
        records.append(ReadableLogRecord(record, resource, scope))
    return records


def _attributes(mark: JobMark) -> dict[str, str]:
    return {
        "sagemaker.arn": mark.arn,
        "sagemaker.kind": mark.kind,
        "sagemaker.name": mark.name,
        "mlflow.run_id": mark.run_id,
        "mlflow.experiment": mark.experiment,
    }


def _event_attributes(event: JobEvent) -> dict[str, str]:
    before = {"mlflow.previous_status": event.previous} if event.previous else {}
    status = {"mlflow.status": event.status}
    return {**_attributes(event.mark), **status, **before, **dict(event.facts)}
