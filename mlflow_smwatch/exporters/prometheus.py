"""The exporter for Prometheus: what a watch has done, and the latest values of what is live.

A scrape reads what the watch left in memory: it neither waits for the mirror nor makes it wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow_smwatch._version import __version__
from mlflow_smwatch.core.errors import StopError, UsageError
from mlflow_smwatch.exporters.figures import Figures
from mlflow_smwatch.exporters.live_jobs import LiveView
from mlflow_smwatch.exporters.receivers import ReceiverState

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

LOOPBACK = "127.0.0.1"

_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+):)?(?P<port>[0-9]{1,5})")
_LARGEST_PORT = 65_535
_PLACE = ("account", "region", "kind", "name")


def listening_address(text: str) -> tuple[str, int]:
    """Read where to listen.

    Parameters
    ----------
    text
        ``PORT``, which means loopback, or ``HOST:PORT``; an IPv6 address stands in brackets. Port 0
        is any that is free.

    Returns
    -------
    tuple
        Host and port.

    Raises
    ------
    UsageError
        When it is neither.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > _LARGEST_PORT:
        message = f"--prometheus {text!r}: give PORT or HOST:PORT, such as 9108 or 0.0.0.0:9108"
        raise UsageError(message)
    return (match["host"] or LOOPBACK).strip("[]"), int(match["port"])


def require_client() -> None:
    """Refuse to go on without the library.

    Raises
    ------
    UsageError
        When it is not installed.
    """
    try:
        import prometheus_client  # noqa: F401 - is it there?
    except ImportError as error:
        message = "--prometheus needs prometheus-client: pip install 'mlflow-smwatch[prometheus]'"
        raise UsageError(message) from error


class WatchCollector:
    """Makes the metrics of a scrape from what is known at that moment.

    Parameters
    ----------
    figures
        Reads how the watch goes on.
    live
        Reads the jobs that are live.
    receivers
        Reads how it stands with whom the watch sends things to.
    interval_s
        Seconds from pass to pass.
    """

    def __init__(
        self,
        figures: Callable[[], Figures],
        live: Callable[[], LiveView],
        receivers: Callable[[], Sequence[ReceiverState]],
        interval_s: float,
    ) -> None:
        self._figures, self._live, self._receivers = figures, live, receivers
        self._interval_s = interval_s

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, as ``prometheus_client`` asks for them."""
        figures = self._figures()
        yield _gauge("build_info", "Version of smwatch; always 1.", {(__version__,): 1}, "version")
        yield _gauge("interval_seconds", "Seconds from pass to pass.", {(): self._interval_s})
        yield from _passes(figures)
        yield from _written(figures)
        yield from _aws(figures)
        yield from _receivers(self._receivers())
        yield from _jobs(self._live())


def _gauge(name: str, text: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"smwatch_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, text: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"smwatch_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _passes(now: Figures) -> Iterator[Metric]:
    yield _counter("passes", "Passes that ended.", {(): now.passes})
    yield _counter(
        "pass_failures",
        "Passes that could not be made, or not to their end; each is waited out.",
        {(): now.failures},
    )
    if now.pass_s is not None:
        yield _gauge("last_pass_duration_seconds", "What the last pass took.", {(): now.pass_s})
    if now.whole_at is not None:
        yield _gauge(
            "last_whole_pass_timestamp_seconds",
            "When a pass last reached every job, since the epoch.",
            {(): now.whole_at},
        )
    yield _gauge(
        "lag_seconds",
        "Age of the last pass that reached every job; before the first, of the watch.",
        {(): now.lag_s},
    )
    yield _gauge("open_jobs", "Jobs that are followed: not final yet.", {(): now.open_jobs})
    yield _gauge("failed_jobs", "Jobs whose last try failed.", {(): now.failed_jobs})


def _written(now: Figures) -> Iterator[Metric]:
    yield _counter(
        "jobs_written",
        "Jobs of which a pass wrote something, once for each pass.",
        {("created",): now.created, ("updated",): now.updated},
        "outcome",
    )
    yield _counter("mlflow_writes", "Times that a job was written into MLflow.", {(): now.writes})
    yield _counter("points_written", "Points written into MLflow.", {(): now.points})


def _aws(now: Figures) -> Iterator[Metric]:
    yield _counter(
        "aws_calls",
        "AWS calls by IAM action, retries included.",
        _by_label(now.calls),
        "operation",
    )
    yield _counter(
        "aws_throttled_calls",
        "AWS calls that were throttled; they are made again.",
        _by_label(now.throttled),
        "operation",
    )
    yield _counter(
        "aws_cost_usd", "Estimated price of the AWS calls, US dollars.", {(): now.cost_usd}
    )


def _by_label(counts: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(label,): count for label, count in sorted(counts.items())}


def _receivers(states: Iterable[ReceiverState]) -> Iterator[Metric]:
    each = tuple(states)
    yield _gauge(
        "receiver_up",
        "Whether a receiver took what it was sent last.",
        {(state.receiver,): float(state.reachable) for state in each},
        "receiver",
    )
    yield _counter(
        "exports_sent",
        "Points, events and messages that a receiver took.",
        {(state.receiver,): state.sent for state in each},
        "receiver",
    )
    yield _counter(
        "exports_dropped",
        "Points, events and messages that a receiver will never get.",
        {(state.receiver,): state.dropped for state in each},
        "receiver",
    )
    yield _gauge(
        "exports_waiting",
        "Points, events and messages that are still to be sent.",
        {(state.receiver,): state.waiting for state in each},
        "receiver",
    )


def _jobs(view: LiveView) -> Iterator[Metric]:
    places = {(job.account, job.region, job.kind, job.name): job for job in view.jobs}
    yield _gauge(
        "job_status",
        "1 for the status of each live job, as MLflow names it.",
        {(*place, job.status): 1 for place, job in places.items()},
        *_PLACE,
        "status",
    )
    yield _gauge(
        "job_metric",
        "Latest value of a metric of a live job, as it was mirrored.",
        {(*place, key): value for place, job in places.items() for key, value in job.values},
        *_PLACE,
        "metric",
    )
    yield _gauge(
        "hidden_series",
        "Metrics of live jobs that are left out, because there are too many.",
        {(): view.hidden_series},
    )
    yield _gauge(
        "hidden_jobs",
        "Live jobs that are left out, because there are too many.",
        {(): view.hidden_jobs},
    )


def registry_of(collector: WatchCollector) -> CollectorRegistry:
    """Put a collector into a registry of its own, with what there is to say of the process.

    Parameters
    ----------
    collector
        Of the watch.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.registry import Collector

    class _Collector(Collector):
        def collect(self) -> Iterable[Metric]:
            return collector.collect()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector())
    ProcessCollector(registry=registry)
    return registry


class MetricsServer:
    """Answers scrapes at ``/metrics``, in threads of its own.

    Parameters
    ----------
    collector
        Makes the metrics.
    host, port
        Where to listen; port 0 is any that is free.

    Attributes
    ----------
    url
        Where the metrics are.

    Raises
    ------
    StopError
        When nothing can listen there.
    """

    def __init__(self, collector: WatchCollector, host: str, port: int) -> None:
        from prometheus_client import start_http_server

        try:
            self._server, self._thread = start_http_server(
                port, addr=host, registry=registry_of(collector)
            )
        except OSError as error:
            message = f"--prometheus {host}:{port}: cannot listen there: {error.strerror or error}"
            raise StopError(message) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
