"""What is mirrored, sent to an OpenTelemetry collector while the mirror goes on."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mlflow_smwatch.engine.observation import Observation
from mlflow_smwatch.exporters.job_events import JobEvent, JobEvents, JobMark
from mlflow_smwatch.exporters.otlp_data import MarkedPoint, Resources, log_records, metrics_data
from mlflow_smwatch.exporters.otlp_endpoint import OtlpEndpoint, require_sdk
from mlflow_smwatch.exporters.outbox import Delivery, Outbox
from mlflow_smwatch.exporters.receivers import ReceiverState

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter

FLUSH_S = 5.0
"""How long the end of a sync or a watch waits for a collector to take something, seconds."""

LONGEST_FLUSH_S = 60.0
"""How long the end of a sync waits for a collector that goes on taking, seconds."""

_TELLS_HEADERS = "opentelemetry.util.re"
"""Logger of what the SDK cannot read of its variable for headers, with their values: secrets."""


class OtlpExport:
    """Sends points as metrics and events of jobs as log records.

    ``OTEL_METRICS_EXPORTER=none`` and ``OTEL_LOGS_EXPORTER=none`` leave one of both out. Neither
    the SDK's global providers nor its variables are touched: MLflow's tracing has its own use of
    them.

    Parameters
    ----------
    endpoint
        The collector.

    Raises
    ------
    UsageError
        When the SDK is not installed.
    """

    def __init__(self, endpoint: OtlpEndpoint) -> None:
        require_sdk()
        logging.getLogger(_TELLS_HEADERS).setLevel(logging.CRITICAL)
        self._events = JobEvents(time.time)
        self._points: Outbox[MarkedPoint] | None = None
        self._logs: Outbox[JobEvent] | None = None
        if os.environ.get("OTEL_METRICS_EXPORTER") != "none":
            metrics = endpoint.metric_exporter()
            send_points = _metric_sender(metrics, endpoint.answers)
            self._points = Outbox("otlp metrics", send_points, _ender(metrics))
        if os.environ.get("OTEL_LOGS_EXPORTER") != "none":
            logs = endpoint.log_exporter()
            self._logs = Outbox("otlp logs", _log_sender(logs, endpoint.answers), _ender(logs))

    def observe(self, written: Observation) -> None:
        """Take what was written of a job."""
        if self._points and written.points:
            mark = JobMark.of(written)
            self._points.put((mark, each) for each in written.points)
        if self._logs:
            self._logs.put(self._events.of(written))

    def close(
        self, idle_s: float = FLUSH_S, at_most_s: float = LONGEST_FLUSH_S
    ) -> tuple[ReceiverState, ...]:
        """Send what is left, and end; what cannot be sent is dropped.

        Parameters
        ----------
        idle_s
            How long to wait for the next batch to be taken, seconds.
        at_most_s
            How long to wait in all, seconds from now.
        """
        until = time.monotonic() + at_most_s
        for each in self.receivers:
            each.finish()
        return tuple(each.close(idle_s, until - time.monotonic()) for each in self.receivers)

    @property
    def receivers(self) -> tuple[Outbox[MarkedPoint] | Outbox[JobEvent], ...]:
        """The outboxes for metrics and for log records."""
        return tuple(each for each in (self._points, self._logs) if each is not None)


def _metric_sender(
    exporter: MetricExporter, answers: Callable[[], bool]
) -> Callable[[Sequence[MarkedPoint]], Delivery]:
    from opentelemetry.sdk.metrics.export import MetricExportResult

    resources = Resources()

    def send(points: Sequence[MarkedPoint]) -> Delivery:
        result = exporter.export(metrics_data(points, resources))
        return _delivery(result is MetricExportResult.SUCCESS, answers)

    return send


def _log_sender(
    exporter: LogRecordExporter, answers: Callable[[], bool]
) -> Callable[[Sequence[JobEvent]], Delivery]:
    from opentelemetry.sdk._logs.export import LogRecordExportResult

    resources = Resources()

    def send(events: Sequence[JobEvent]) -> Delivery:
        result = exporter.export(log_records(events, resources))
        return _delivery(result is LogRecordExportResult.SUCCESS, answers)

    return send


def _delivery(taken: bool, answers: Callable[[], bool]) -> Delivery:  # noqa: FBT001 - what is judged
    if taken:
        return Delivery.TAKEN
    return Delivery.REFUSED if answers() else Delivery.UNREACHABLE


def _ender(exporter: MetricExporter | LogRecordExporter) -> Callable[[], None]:
    """Make what shuts an exporter down, which ends what it is sending."""

    def end() -> None:
        with suppress(Exception):
            exporter.shutdown()

    return end
