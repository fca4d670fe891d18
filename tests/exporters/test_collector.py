"""What the exporter says is what the watch did; the dashboard asks for nothing else."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from mlflow_smwatch.core.errors import StopError, UsageError
from mlflow_smwatch.exporters.prometheus import MetricsServer, listening_address
from mlflow_smwatch.report import SyncReport
from tests.docs.documents import ROOT
from tests.exporters.scrapes import exposed, samples, scraped, value
from tests.exporters.watches import NASTY, Watch, played
from tests.jobs import arn


@pytest.fixture
def watch() -> Watch:
    """Give a watch that made two passes, the second over another connection and broken off."""
    return played()


def test_the_figures(watch: Watch) -> None:
    """Of all connections together; the lag counts from the last pass that reached every job."""
    watch.now += 12
    found = samples(exposed(watch.collector))
    expected = {
        "smwatch_passes_total": 2,
        "smwatch_pass_failures_total": 1,
        "smwatch_last_pass_duration_seconds": 2.0,
        "smwatch_last_whole_pass_timestamp_seconds": 1000.0,
        "smwatch_lag_seconds": 42.0,
        "smwatch_open_jobs": 2,
        "smwatch_failed_jobs": 1,
        "smwatch_mlflow_writes_total": 1,
        "smwatch_points_written_total": 2,
        "smwatch_aws_calls_total": 4,
        "smwatch_aws_throttled_calls_total": 1,
        "smwatch_aws_cost_usd_total": 0.75,
        "smwatch_receiver_up": 0,
        "smwatch_exports_sent_total": 7,
        "smwatch_exports_waiting": 2,
        "smwatch_exports_dropped_total": 1,
        "smwatch_interval_seconds": 60,
    }
    assert {name: value(found, name) for name in expected} == expected
    assert value(found, "smwatch_jobs_written_total", outcome="created") == 1


def test_labels_are_escaped(watch: Watch) -> None:
    """Whatever a metric is called, it comes out of a scrape as it was; NaN stays NaN."""
    found = samples(exposed(watch.collector))
    assert value(found, "smwatch_job_metric", metric=NASTY, name="job", region="us-east-1") == 2.0
    loss = value(found, "smwatch_job_metric", metric="train:loss", kind="training-job")
    assert loss is not None
    assert math.isnan(loss)
    assert value(found, "smwatch_job_status", name="job", status="RUNNING") == 1


def test_a_job_that_is_gone_leaves(watch: Watch) -> None:
    """With the pass that no longer follows it."""
    watch.mirror.following = frozenset({arn("other")})
    watch.passes(SyncReport())
    assert not [each for each in samples(exposed(watch.collector)) if "job_metric" in each.name]


def test_promtool_has_nothing_to_say(watch: Watch) -> None:
    """Names and help texts by Prometheus's own conventions, where it can be asked."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool")
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposed(watch.collector).encode(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, b"")


def expressions(dashboard: Any) -> Iterator[str]:
    """List the queries of a dashboard."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_the_dashboard_asks_for_what_there_is(watch: Watch) -> None:
    """Each metric and label of its queries is exported, and each metric is asked for somewhere."""
    text = (ROOT / "docs/grafana/smwatch.json").read_text(encoding="utf-8")
    dashboard = json.loads(text)
    found = samples(exposed(watch.collector))
    asked = " ".join(expressions(dashboard))
    names = set(re.findall(r"\b(?:smwatch|process)_[a-z_]+", asked))
    own = {each.name for each in found if each.name.startswith("smwatch_")}
    assert names <= {each.name for each in found}
    assert own - names == {"smwatch_last_whole_pass_timestamp_seconds"}
    labels = {label for each in found for label in each.labels} | {"instance"}
    braces = re.findall(r"\{([^{}]*)\}", re.sub(r'"[^"]*"', "", asked))
    used = {each.rstrip("=!~ ") for part in braces for each in part.split(",")}
    assert used <= labels
    shown = set(re.findall(r"\{\{(\w+)\}\}", text))
    assert shown <= labels
    panels = [each for each in dashboard["panels"] if each["type"] != "row"]
    assert len({each["id"] for each in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(each["targets"] and each["title"] and each["description"] for each in panels)
    assert {each["datasource"]["uid"] for each in panels} == {"${datasource}"}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9108", ("127.0.0.1", 9108)),
        ("0.0.0.0:9108", ("0.0.0.0", 9108)),
        ("[::1]:0", ("::1", 0)),
        ("metrics.internal:80", ("metrics.internal", 80)),
    ],
)
def test_where_it_listens(text: str, address: tuple[str, int]) -> None:
    """On this machine alone, unless a host is given."""
    assert listening_address(text) == address


@pytest.mark.parametrize("text", ["", "http", ":9108", "1.2.3.4", "65536", "h:1:2", "::1:9108"])
def test_what_is_no_address(text: str) -> None:
    """Refused in one line."""
    with pytest.raises(UsageError, match="give PORT or HOST:PORT"):
        listening_address(text)


def test_a_port_that_is_taken(watch: Watch) -> None:
    """One line says which; the first goes on, and ends with its own close."""
    server = MetricsServer(watch.collector, "127.0.0.1", 0)
    port = int(server.url.split(":")[2].partition("/")[0])
    with pytest.raises(StopError, match=f"127.0.0.1:{port}: cannot listen there: Address already"):
        MetricsServer(watch.collector, "127.0.0.1", port)
    assert value(scraped(server.url), "smwatch_passes_total") == 2
    server.close()
    with pytest.raises(OSError, match="refused"):
        scraped(server.url)
