"""docs/prometheus.md and docs/otlp.md: their commands, files and tables fit the program."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from mlflow_smwatch.cli import main
from mlflow_smwatch.exporters import job_events, live_jobs, otlp, otlp_data, outbox
from mlflow_smwatch.exporters.otlp_endpoint import otlp_endpoint
from mlflow_smwatch.exporters.prometheus import listening_address
from mlflow_smwatch.exporters.receivers import ReceiverState
from tests.docs.documents import blocks, names, read, rows
from tests.exporters.scrapes import exposed, samples
from tests.exporters.watches import played

PROMETHEUS, OTLP = read("docs/prometheus.md"), read("docs/otlp.md")
BLOCKS = {each.mark: each.text for page in (PROMETHEUS, OTLP) for each in blocks(page)}
HEADER = ("metric", "labels", "is")


def given(mark: str) -> list[dict[str, object]]:
    """Parse the commands of a block by the program's own rules, without running them."""
    found = []
    for line in BLOCKS[mark].splitlines():
        program, *words = shlex.split(line)
        if program == "smwatch":
            command = main.get_command(click.Context(main), words[0])
            assert command is not None
            found.append(command.make_context(words[0], words[1:], resilient_parsing=True).params)
    return found


def test_the_commands() -> None:
    """They have the options, and the options take these values."""
    (watch,) = given("prometheus")
    assert listening_address(str(watch["prometheus"])) == ("127.0.0.1", 9108)
    sync, watch = given("otlp")
    assert otlp_endpoint(str(sync["otlp"]), None, {}).protocol == "grpc"
    assert otlp_endpoint(str(watch["otlp"]), str(watch["otlp_protocol"]), {}).protocol != "grpc"
    assert '- targets: ["127.0.0.1:9108"]' in BLOCKS["scrape"]
    collector = str(sync["otlp"]).removeprefix("http://")
    assert f'grpc: {{endpoint: "{collector}"}}' in BLOCKS["collector"]


def test_every_metric_is_listed() -> None:
    """With its labels, and no other."""
    mirror, live = PROMETHEUS.split("## Live jobs and endpoints")
    listed = {
        name: frozenset(re.findall(r"`([^`]+)`", labels))
        for part in (mirror, live)
        for cell, labels, _ in rows(part, *HEADER)
        for name in re.findall(r"`([^`]+)`", cell)
    }
    told = samples(exposed(played().collector))
    exported = {
        each.name: frozenset(each.labels) for each in told if each.name.startswith("smwatch_")
    }
    assert listed == exported
    assert f"No more than {live_jobs.MOST_SERIES:,} metrics" in PROMETHEUS


def test_prometheus_takes_the_files(tmp_path: Path) -> None:
    """Its own tool says so, where it is; each metric of a rule is exported."""
    exported = {each.name for each in samples(exposed(played().collector))}
    assert set(re.findall(r"smwatch_\w+", BLOCKS["alerts"])) <= exported
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool")
    for kind, mark in (("config", "scrape"), ("rules", "alerts")):
        path = tmp_path / f"{mark}.yml"
        path.write_text(BLOCKS[mark], encoding="utf-8")
        done = subprocess.run([promtool, "check", kind, path], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_document() -> None:
    """Its members are those of the program."""
    (shown,) = json.loads(BLOCKS["exports"])["exports"]
    assert ReceiverState(**shown).to_dict() == shown


def test_what_is_sent() -> None:
    """Names and attributes as the code has them, and the limits of the promise."""
    in_code = {otlp_data.METRIC, job_events.CREATED, job_events.STATUS, job_events.FINAL}
    listed = {name.strip("`") for _, name, _ in rows(OTLP, "signal", "name", "is")}
    assert listed == in_code
    assert {otlp_data.METRIC_KEY, otlp_data.STEP} <= names(OTLP)
    assert f"at most {outbox.CAPACITY:,} " in OTLP
    assert f"batches of {outbox.BATCH:,}" in OTLP
    assert f"every {outbox.LONGEST_PAUSE_S:.0f} seconds" in OTLP
    words = {5: "five"}
    assert f"after {words[outbox.TRIES]} tries" in OTLP
    assert f"{outbox.WHILE_TAKING * outbox.CAPACITY:,} (some 250 MB) for a collector" in OTLP
    assert f"every {words[int(otlp.FLUSH_S)]} seconds: for a minute at most" in OTLP
    assert otlp.LONGEST_FLUSH_S == 60
