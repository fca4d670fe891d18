"""``watch --prometheus`` while a job runs, ends and is final: what a scrape says."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.program import PROGRAM, environment
from tests.exporters.conftest import Smwatch, points_in, receiving
from tests.exporters.scrapes import scraped, value
from tests.stores.jobs import completed, put_loss

LONGEST_S = 120
Program = subprocess.Popen[str]
Watching = Callable[..., AbstractContextManager[tuple[Program, str]]]


@pytest.fixture
def watching(account: EmulatedAccount, database: Path, tmp_path: Path) -> Watching:
    """Run ``watch`` with the exporter; gives it, and where it can be scraped."""

    @contextmanager
    def begun(*arguments: str) -> Iterator[tuple[Program, str]]:
        usual = ("--interval", "0.5", "--settle", "0", "--tracking-uri", f"sqlite:///{database}")
        with subprocess.Popen(
            (*PROGRAM, "watch", "--prometheus", "0", "--json", *usual, *arguments),
            cwd=tmp_path,
            env=environment(tmp_path, account.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as program:
            assert program.stderr is not None
            try:
                line = next(each for each in program.stderr if "metrics for Prometheus" in each)
                yield program, line.split()[-1]
            finally:
                if program.poll() is None:
                    program.kill()

    return begun


def eventually(told: Callable[[], bool]) -> None:
    """Wait until something holds."""
    last = time.monotonic() + LONGEST_S
    while not told():
        assert time.monotonic() < last
        time.sleep(0.2)


def running(**changes: Any) -> dict[str, Any]:
    """Describe a job that began half an hour ago and runs."""
    created = datetime.now(tz=timezone.utc) - timedelta(minutes=30)
    live = {
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
        "TrainingEndTime": None,
        "BillableTimeInSeconds": None,
        "ModelArtifacts": None,
        "LastModifiedTime": created,
    }
    return completed("live", created, **{**live, **changes})


def test_a_job_runs_and_ends(
    account: EmulatedAccount, watching: Watching, database: Path, tmp_path: Path
) -> None:
    """Its latest values are there while it runs and gone when it is final; a collector has all."""
    described = running()
    account.put_training_job(described)
    put_loss(account, "live", described["CreationTime"])
    with (
        receiving("http", tmp_path / "received") as received,
        watching("--otlp", received.url, "--status-file", "status.json") as (program, url),
    ):
        eventually(lambda: value(scraped(url), "smwatch_job_metric", metric="train:loss") == 0.25)
        found = scraped(url)
        assert value(found, "smwatch_job_status", name="live", status="RUNNING") == 1
        eventually(lambda: (value(scraped(url), "smwatch_open_jobs") or 0) == 1)
        now = datetime.now(tz=timezone.utc) - timedelta(minutes=10)
        ended = {"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed"}
        account.put_training_job(
            {**described, **ended, "TrainingEndTime": now, "LastModifiedTime": now}
        )
        eventually(lambda: not any(each.name == "smwatch_job_status" for each in scraped(url)))
        found = scraped(url)
        program.send_signal(signal.SIGTERM)
        out, err = program.communicate(timeout=LONGEST_S)
    assert program.returncode == 0, err
    points = points_in(database)
    assert received.points == points
    assert value(found, "smwatch_points_written_total") == len(points)
    assert value(found, "smwatch_receiver_up", receiver="otlp logs") == 1
    document = json.loads(out)
    assert {each["receiver"]: each["sent"] for each in document["exports"]} == {
        "otlp metrics": len(points),
        "otlp logs": len(received.events),
    }
    status = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert [each["receiver"] for each in status["exports"]] == ["otlp metrics", "otlp logs"]
    of_live = [each for each in received.events if each["attributes"]["sagemaker.name"] == "live"]
    assert [each["attributes"]["mlflow.status"] for each in of_live] == [
        "RUNNING",
        "RUNNING",
        "FINISHED",
        "FINISHED",
    ]
    assert of_live[2]["attributes"]["mlflow.previous_status"] == "RUNNING"


def test_what_ends_it_at_once(
    account: EmulatedAccount, smwatch: Smwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that is taken: exit 3; an address that is none, or no library: 2; nothing is asked."""
    account.reset_calls()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = smwatch("watch", "--prometheus", str(port))
    assert (refused.code, f":{port}: cannot listen there: Address" in refused.message) == (3, True)
    wrong = smwatch("watch", "--prometheus", "everywhere")
    assert (wrong.code, "give PORT or HOST:PORT" in wrong.message) == (2, True)
    for option, module, extra in (
        ("--prometheus=0", "prometheus_client", "prometheus"),
        ("--otlp=http://h", "opentelemetry.exporter.otlp.proto.http", "otlp"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        missing = smwatch("watch", option)
        assert missing.code == 2
        assert f"pip install 'mlflow-smwatch[{extra}]'" in missing.message
    assert not account.calls


def test_throttled_calls_are_counted(
    account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer that says so, though botocore makes the call again; other errors are not."""
    for name, text in account.environment.items():
        monkeypatch.setenv(name, text)
    aws = connect(None, None, 1)
    account.faults.fail("sagemaker:ListEndpoints", times=2, code="ThrottlingException")
    account.faults.fail("sagemaker:ListTrials", times=1, code="InternalFailure", status=500)
    aws.sagemaker.list_endpoints()
    aws.sagemaker.list_trials()
    account.faults.clear()
    assert aws.ledger.throttled == {"sagemaker:ListEndpoints": 2}
    assert aws.ledger.calls["sagemaker:ListEndpoints"] == 3
    assert aws.ledger.calls["sagemaker:ListTrials"] == 2


@pytest.mark.slow
def test_a_real_prometheus_scrapes(watching: Watching, tmp_path: Path) -> None:
    """Where one is installed: the target is up, and the samples are there."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.skip("no prometheus")
    with watching() as (_, url):
        target = url.removeprefix("http://").removesuffix("/metrics")
        scrape = {"job_name": "smwatch", "static_configs": [{"targets": [target]}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        path = tmp_path / "prometheus.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        with subprocess.Popen(
            (
                prometheus,
                f"--config.file={path}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                "--web.listen-address=127.0.0.1:0",
            ),
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as server:
            assert server.stderr is not None
            try:
                listens = next(each for each in server.stderr if "Listening on" in each)
                address = listens.partition("address=")[2].split()[0]
                next(each for each in server.stderr if "Server is ready" in each)
                eventually(lambda: _asked(address, "smwatch_passes_total") > 0)
                assert _asked(address, "up") == 1
                assert _asked(address, "smwatch_build_info") == 1
            finally:
                server.kill()


def _asked(address: str, query: str) -> float:
    """Ask Prometheus for one value; 0 where there is none."""
    with urllib.request.urlopen(f"http://{address}/api/v1/query?query={query}") as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0
