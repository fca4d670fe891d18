"""Options that pass on what is mirrored, and what is made of them for one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from mlflow_smwatch.cli.diagnostics import Diagnostics
from mlflow_smwatch.cli.options import option
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.options import DASK, SyncOptions

if TYPE_CHECKING:
    from mlflow_smwatch.engine.following import Listener
    from mlflow_smwatch.engine.observation import Observer
    from mlflow_smwatch.exporters.otlp import OtlpExport
    from mlflow_smwatch.exporters.receivers import Receiver

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OTLP = option(
    "--otlp",
    metavar="URL",
    help="Send metrics and events of jobs to this OpenTelemetry collector too, such as"
    " http://127.0.0.1:4317 (extra [otlp]).",
)
_OTLP_PROTOCOL = option(
    "--otlp-protocol",
    metavar="grpc|http/protobuf",
    help="What the collector speaks. Default: OTEL_EXPORTER_OTLP_PROTOCOL, else grpc at port 4317,"
    " else http/protobuf.",
)

prometheus_option = option(
    "--prometheus",
    metavar="[HOST:]PORT",
    help="Serve how it goes, and the latest values of live jobs, for Prometheus at /metrics;"
    " without a host for this machine alone (extra [prometheus]).",
)


def otlp_options(command: _Command) -> _Command:
    """Declare ``--otlp`` and ``--otlp-protocol``."""
    return _OTLP(_OTLP_PROTOCOL(command))


@dataclass(slots=True)
class Exports:
    """Who is told of what is mirrored.

    Attributes
    ----------
    observers, listeners
        They are told of jobs, and of passes.
    receivers
        Whom they send things to.
    """

    observers: list[Observer] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    receivers: list[Receiver] = field(default_factory=list)

    def states(self) -> list[dict[str, Any]]:
        """Say how it stands with the receivers, as a document has it."""
        return [each.state.to_dict() for each in self.receivers]

    def to_dict(self) -> dict[str, Any]:
        """Return the members of a result; none where nothing is sent."""
        return {"exports": self.states()} if self.receivers else {}


@contextmanager
def sending(
    targets: tuple[SyncOptions, ...],
    url: str | None,
    protocol: str | None,
    *,
    patient: bool = True,
) -> Iterator[Exports]:
    """Send what is mirrored in a block to a collector; at its end, what is left.

    Parameters
    ----------
    targets
        What is mirrored.
    url, protocol
        Of the collector; no URL for none.
    patient
        Whether the end waits as long as the collector takes something, up to a minute; else, and
        after an error, for some seconds.

    Yields
    ------
    Exports

    Raises
    ------
    UsageError
        When they cannot be understood, or the jobs are written by other processes.
    """
    exports = Exports()
    if url is None:
        yield exports
        return
    if targets[0].executor == DASK:
        message = (
            "--otlp is not for --executor dask: its workers write jobs each for itself; leave one"
            " of both out"
        )
        raise UsageError(message)
    from mlflow_smwatch.exporters.otlp import FLUSH_S

    export = _otlp(url, protocol)
    exports.observers.append(export.observe)
    exports.receivers += export.receivers
    try:
        yield exports
    except BaseException:
        export.close(FLUSH_S, FLUSH_S)
        raise
    if patient:
        export.close()
    else:
        export.close(FLUSH_S, FLUSH_S)


def _otlp(url: str, protocol: str | None) -> OtlpExport:
    from mlflow_smwatch.exporters.otlp import OtlpExport
    from mlflow_smwatch.exporters.otlp_endpoint import otlp_endpoint

    return OtlpExport(otlp_endpoint(url, protocol))


@contextmanager
def scraped(
    exports: Exports, address: str | None, interval_s: float, say: Diagnostics
) -> Iterator[None]:
    """Serve how a watch goes on for Prometheus, in a block.

    Parameters
    ----------
    exports
        Who is told; the exporter joins them.
    address
        Where to listen; None for nowhere.
    interval_s
        Seconds from pass to pass.
    say
        Says where the metrics are.

    Yields
    ------
    None

    Raises
    ------
    UsageError, StopError
        When the address is none, or nothing can listen there.
    """
    if address is None:
        yield
        return
    from mlflow_smwatch.exporters.figures import WatchFigures
    from mlflow_smwatch.exporters.live_jobs import LiveJobs
    from mlflow_smwatch.exporters.prometheus import (
        MetricsServer,
        WatchCollector,
        listening_address,
        require_client,
    )

    host, port = listening_address(address)
    require_client()
    figures, live = WatchFigures(), LiveJobs()
    collector = WatchCollector(
        figures.read,
        live.view,
        lambda: [each.state for each in exports.receivers],
        interval_s,
    )
    server = MetricsServer(collector, host, port)
    say.note(f"metrics for Prometheus: {server.url}", prometheus=server.url)
    exports.observers += [figures.observe, live.observe]
    exports.listeners += [figures.listener, live.listener]
    try:
        yield
    finally:
        server.close()
