"""Where an OpenTelemetry collector is, and which protocol it speaks."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mlflow_smwatch.core.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter

GRPC = "grpc"
HTTP = "http/protobuf"
PROTOCOLS = (GRPC, HTTP)

_PORTS = {4317: GRPC, 4318: HTTP}
"""OpenTelemetry Protocol Specification, "Default Port"."""

_USUAL_PORTS = {"http": 80, "https": 443}
_PROBE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpEndpoint:
    """A collector: its address without a path to a signal, and its protocol."""

    url: str
    protocol: str

    def metric_exporter(self) -> MetricExporter:
        """Make what sends metrics, by the settings of the SDK's variables."""
        if self.protocol == GRPC:
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

            return OTLPMetricExporter(endpoint=self.url)
        from opentelemetry.exporter.otlp.proto.http import metric_exporter as http

        return http.OTLPMetricExporter(endpoint=f"{self.url}/v1/metrics")

    def log_exporter(self) -> LogRecordExporter:
        """Make what sends log records, by the settings of the SDK's variables."""
        if self.protocol == GRPC:
            from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

            return OTLPLogExporter(endpoint=self.url)
        from opentelemetry.exporter.otlp.proto.http import _log_exporter as http

        return http.OTLPLogExporter(endpoint=f"{self.url}/v1/logs")

    def answers(self) -> bool:
        """Tell whether anybody listens there; through a proxy that cannot be told, so True."""
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port or _USUAL_PORTS[parts.scheme]
        if parts.scheme in getproxies() and not proxy_bypass(f"{host}:{port}"):
            return True
        try:
            socket.create_connection((host, port), timeout=_PROBE_S).close()
        except OSError:
            return False
        return True


def otlp_endpoint(
    text: str, protocol: str | None, environment: Mapping[str, str] = os.environ
) -> OtlpEndpoint:
    """Read where to send to.

    Parameters
    ----------
    text
        ``http://`` or ``https://``, host, port and, for HTTP, the path before ``/v1/metrics``.
    protocol
        ``grpc`` or ``http/protobuf``; None for what ``OTEL_EXPORTER_OTLP_PROTOCOL`` says, else for
        what the port stands for: 4317 is gRPC, everything else HTTP.
    environment
        Its variables.

    Raises
    ------
    UsageError
        When the address or the protocol is none.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _USUAL_PORTS or not parts.hostname or parts.query or parts.fragment:
        message = (
            "--otlp: give the address of a collector, such as http://127.0.0.1:4317 or"
            " https://otlp.example.com"
        )
        raise UsageError(message)
    if parts.username is not None or parts.password is not None:
        message = (
            "--otlp: no name or password in the address: set OTEL_EXPORTER_OTLP_HEADERS to"
            " authorization=…"
        )
        raise UsageError(message)
    chosen = protocol or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or _PORTS.get(port or 0)
    chosen = chosen or HTTP
    if chosen not in PROTOCOLS:
        message = f"--otlp-protocol {chosen}: choose from {', '.join(PROTOCOLS)}"
        raise UsageError(message)
    if chosen == GRPC and parts.path not in {"", "/"}:
        message = f"--otlp {text}: an address for gRPC has no path"
        raise UsageError(message)
    return OtlpEndpoint(url=text.rstrip("/"), protocol=chosen)


def require_sdk() -> None:
    """Refuse to go on without the SDK and its exporters.

    Raises
    ------
    UsageError
        When they are not installed.
    """
    try:
        import opentelemetry.exporter.otlp.proto.grpc
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401 - that both are there
        from opentelemetry.sdk._logs import ReadableLogRecord  # noqa: F401 - 1.39 and later
    except ImportError as error:
        message = (
            "--otlp needs OpenTelemetry's SDK and exporters: pip install 'mlflow-smwatch[otlp]'"
        )
        raise UsageError(message) from error
