"""``--otlp``: what a collector gets is what MLflow holds; one that is down disturbs nothing."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.exporters.otlp import FLUSH_S, OtlpExport
from mlflow_smwatch.exporters.otlp_endpoint import PROTOCOLS, OtlpEndpoint
from tests.exporters.conftest import Smwatch, points_in, receiving
from tests.exporters.observations import point, written
from tests.jobs import arn


def nobody() -> str:
    """Give an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_collector_gets_what_mlflow_holds(
    protocol: str, smwatch: Smwatch, database: Path, tmp_path: Path
) -> None:
    """Each point once with its own time, key, value and run; events of each job; nothing later."""
    with receiving(protocol, tmp_path / "received") as received:
        spoken = {"grpc": "grpc", "http": "http/protobuf"}[protocol]
        sync = ("sync", "--json", "--otlp", received.url)
        headers = {"OTEL_EXPORTER_OTLP_HEADERS": "x-team=vision"}
        done = smwatch(
            *sync, OTEL_EXPORTER_OTLP_PROTOCOL=spoken, OTEL_SERVICE_NAME="mirror", **headers
        )
        assert (done.code, done.err) == (0, "")
        again = smwatch(*sync, "--otlp-protocol", spoken)
    points = points_in(database)
    assert received.points == points
    assert len(points) > 10
    assert done.document["exports"] == [
        {"receiver": "otlp metrics", "reachable": True, "sent": len(points), "waiting": 0}
        | {"dropped": 0},
        {"receiver": "otlp logs", "reachable": True, "sent": 9, "waiting": 0, "dropped": 0},
    ]
    assert [each["sent"] for each in again.document["exports"]] == [0, 0]
    point = next(each for each in received.metrics if arn("alpha") in each["attributes"].values())
    assert point["name"] == "smwatch.job.metric"
    assert point["resource"]["service.name"] == "mirror"
    assert point["resource"]["cloud.account.id"] == "123456789012"
    assert point["resource"]["cloud.region"] == "us-east-1"
    assert point["headers"]["x-team"] == "vision"
    broken = [each for each in received.events if each["attributes"]["sagemaker.name"] == "broken"]
    assert [each["event"].rpartition(".")[2] for each in broken] == ["created", "status", "final"]
    status = broken[1]
    assert status["severity"] == "ERROR"
    assert status["body"] == "training-job broken: FAILED (Failed / Completed): no <data>"
    assert status["attributes"]["sagemaker.failure_reason"] == "no <data>"


def test_nobody_listens(smwatch: Smwatch, database: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same runs and exit code; the end waits some seconds, and says what was lost, once."""
    began = time.monotonic()
    done = smwatch("sync", "--json", "--otlp", nobody(), "--otlp-protocol", "grpc")
    assert time.monotonic() - began < done.document["seconds"] + FLUSH_S + 3
    points = len(points_in(database))
    assert (done.code, done.document["points"]) == (0, points)
    assert [each["dropped"] for each in done.document["exports"]] == [points, 9]
    assert sorted(caplog.messages) == [
        "otlp logs: 9 of 9 were not delivered",
        "otlp logs: cannot be reached; it is tried again; the mirror goes on without it",
        f"otlp metrics: {points} of {points} were not delivered",
        "otlp metrics: cannot be reached; it is tried again; the mirror goes on without it",
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_collector_that_never_answers(protocol: str) -> None:
    """It takes connections, and no more: what is told waits for nothing, the end but a moment."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        export = OtlpExport(OtlpEndpoint(url=url, protocol=protocol))
        began = time.monotonic()
        for step in range(2000):
            export.observe(written("job", point("loss", 0.5, step), created=step == 0))
        told_s = time.monotonic() - began
        states = export.close(idle_s=1.0)
        assert time.monotonic() - began < told_s + 4
    assert told_s < 2
    assert [(each.sent, each.dropped) for each in states] == [(0, 2000), (0, 2)]


def test_a_collector_that_refuses(
    smwatch: Smwatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A path that it does not have: said once, counted; the mirror goes on."""
    secret = {"OTEL_EXPORTER_OTLP_HEADERS": "no header but a secret"}
    caplog.set_level(logging.WARNING, "opentelemetry.exporter")
    with receiving("http", tmp_path / "received") as received:
        done = smwatch("sync", "-v", "--json", "--otlp", f"{received.url}/elsewhere", **secret)
    assert done.code == 0
    assert "a secret" not in caplog.text + done.err
    assert "404" in caplog.text
    assert [each["reachable"] for each in done.document["exports"]] == [False, False]
    assert "otlp logs: what is sent is answered but not taken" in caplog.text
    assert received.all == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--otlp", "localhost:4317"), "give the address of a collector"),
        (("--otlp", "http://me:secret@localhost:4317"), "OTEL_EXPORTER_OTLP_HEADERS"),
        (("--otlp", "http://localhost:4317/path"), "an address for gRPC has no path"),
        (("--otlp", "http://[::1"), "give the address of a collector"),
        (("--otlp", "http://localhost", "--otlp-protocol", "http/json"), "choose from grpc, http"),
        (
            ("--otlp", "http://h", "--executor", "dask", "--scheduler", "tcp://h:8786"),
            "--otlp is not for --executor dask",
        ),
    ],
    ids=["no scheme", "password", "path", "no address", "protocol", "dask"],
)
def test_what_is_refused(
    arguments: tuple[str, ...], named: str, account: EmulatedAccount, smwatch: Smwatch
) -> None:
    """One line, exit 2, nothing done; a password is not repeated."""
    account.reset_calls()
    done = smwatch("sync", *arguments)
    assert done.code == 2
    assert named in done.message
    assert "secret" not in done.err
    assert not account.calls
