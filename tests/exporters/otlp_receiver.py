"""A receiver of OTLP as a program: what comes stands in a file, a JSON document a line.

``python otlp_receiver.py grpc|http FILE`` prints its port and serves until its stdin ends.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc

_WRITING = threading.Lock()


def plain(attributes: Iterable[Any]) -> dict[str, Any]:
    """Turn attributes into a dictionary."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def points(request: Any) -> Iterator[dict[str, Any]]:
    """List the gauge points of an ExportMetricsServiceRequest."""
    for placed in request.resource_metrics:
        for metric in (each for scope in placed.scope_metrics for each in scope.metrics):
            for point in metric.gauge.data_points:
                yield {
                    "resource": plain(placed.resource.attributes),
                    "name": metric.name,
                    "attributes": plain(point.attributes),
                    "time_ns": point.time_unix_nano,
                    "value": point.as_double,
                    "beside": [plain(each.filtered_attributes) for each in point.exemplars],
                }


def records(request: Any) -> Iterator[dict[str, Any]]:
    """List the log records of an ExportLogsServiceRequest."""
    for placed in request.resource_logs:
        for record in (each for scope in placed.scope_logs for each in scope.log_records):
            yield {
                "resource": plain(placed.resource.attributes),
                "event": record.event_name,
                "severity": record.severity_text,
                "body": record.body.string_value,
                "attributes": plain(record.attributes),
                "time_ns": record.time_unix_nano,
            }


def write(path: Path, received: Iterable[dict[str, Any]], headers: dict[str, str]) -> None:
    """Append what came."""
    with _WRITING, path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({**each, "headers": headers}) + "\n" for each in received)


class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    """The service for metrics."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
        write(self._path, points(request), dict(context.invocation_metadata()))
        return metrics_service_pb2.ExportMetricsServiceResponse()


class Logs(logs_service_pb2_grpc.LogsServiceServicer):
    """The service for log records."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
        write(self._path, records(request), dict(context.invocation_metadata()))
        return logs_service_pb2.ExportLogsServiceResponse()


def serve_grpc(path: Path) -> tuple[Any, int]:
    """Serve gRPC; give the server, which lives as long as it is held, and the port."""
    server = grpc.server(ThreadPoolExecutor(4))
    add_metrics: Any = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
    add_logs: Any = logs_service_pb2_grpc.add_LogsServiceServicer_to_server
    add_metrics(Metrics(path), server)
    add_logs(Logs(path), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, int(port)


def serve_http(path: Path) -> tuple[Any, int]:
    """Serve HTTP; give the server and the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.path == "/v1/metrics":
                metrics = metrics_service_pb2.ExportMetricsServiceRequest.FromString(body)
                write(path, points(metrics), headers)
            elif self.path == "/v1/logs":
                logs = logs_service_pb2.ExportLogsServiceRequest.FromString(body)
                write(path, records(logs), headers)
            self.send_response(200 if self.path.startswith("/v1/") else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, int(server.server_address[1])


if __name__ == "__main__":
    serve = {"grpc": serve_grpc, "http": serve_http}[sys.argv[1]]
    held, listening = serve(Path(sys.argv[2]))
    print(listening, flush=True)  # noqa: T201 - how it is told
    sys.stdin.read()
