"""Logs of ended jobs, replayed in one pass: hosts, steps, values, keys."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest

from tests.jobs import arn, averages, curve, put_host, put_log, put_loss, replayed
from tests.sync.conftest import DISCOVERY, EVENTS, FINDING, METRICS, STREAMS, Mirror
from tests.sync.logged import CREATED_MS, LOSS, events, put_job, source, values, warning

LARGEST = sys.float_info.max


def test_each_host_has_its_own_curve(mirror: Mirror) -> None:
    """The metric's name is algo-1's; others add their own name; steps count on each host."""
    hosts = [f"algo-{number}" for number in range(1, 12)]
    put_job(mirror, hosts=11)
    written = {
        host: events(*(f"loss={place}.{n}" for n in range(place)), start_s=place)
        for place, host in enumerate(hosts, start=1)
    }
    for host, each in written.items():
        put_log(mirror.account, "job", each, host=host)
    report = mirror.sync()
    assert mirror.series("job") == replayed(LOSS, written)
    assert set(mirror.series("job")) == {"loss", *(f"loss/algo-{n}" for n in range(2, 12))}
    assert len(mirror.series("job")["loss/algo-10"]) == 10
    assert report.points == sum(range(12))
    assert source(mirror) == "logs"
    assert mirror.is_final("job")
    assert mirror.account.calls[STREAMS] == 1


def test_restarts_follow_each_other_in_time(mirror: Mirror) -> None:
    """Epochs are numbers, in seconds or milliseconds: names alone would sort otherwise."""
    put_job(mirror, hosts=2)
    first, second, third = (events(f"loss={n}", f"loss={n}.5", start_s=n * 100) for n in (1, 2, 3))
    put_log(mirror.account, "job", second, epoch_s=1_000_000_000)
    put_log(mirror.account, "job", third, epoch_s=1_700_000_000_000)
    put_log(mirror.account, "job", first, epoch_s=999_999_999)
    put_log(mirror.account, "job", second, host="algo-2", epoch_s=1_000_000_000)
    mirror.sync()
    assert values(mirror, "loss") == [1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    assert values(mirror, "loss/algo-2") == [2.0, 2.5]
    assert json.loads(mirror.run("job").data.tags["sagemaker.log_streams"]) == [
        "job/algo-1-999999999",
        "job/algo-1-1000000000",
        "job/algo-1-1700000000000",
        "job/algo-2-1000000000",
    ]


MESSAGES = [
    pytest.param(LOSS, ["loss=1 loss=2", "x loss=3"], id="several-matches-in-a-line"),
    pytest.param(LOSS, ["loss=1\nloss=2\n\nno\nloss=3", "loss=4"], id="lines"),
    pytest.param(LOSS, ["10% loss=1\r20% loss=2\r\n30% loss=3\r"], id="progress-bar"),
    pytest.param(
        {"auc": r"#011auc:([\d.]+)"}, ["[0]#011auc:0.5#011x:1", "[1]#011auc:0.75"], id="tab"
    ),
    pytest.param({"loss": r"loss=(\S+?)#015"}, ["loss=1#015loss=2#015"], id="escaped-return"),
    pytest.param({"loss": r"^loss=(\S+)$"}, ["loss=1", " loss=2", "x\nloss=3"], id="anchors"),
    pytest.param({"loss": r"loss(=|:)?\s*"}, ["nothing"], id="no-match"),
    pytest.param({"lr": r"lr=(\d+(\.\d+)?)"}, ["lr=1.25", "lr=2"], id="first-group"),
    pytest.param({"loss": r"(?<!val_)loss=(\S+)"}, ["val_loss=1", "a loss=2"], id="look-behind"),
    pytest.param({"loss": r"(7)\1 loss="}, ["77 loss=3"], id="back"),
    pytest.param({"損失": r"損失:(\S+)"}, ["損失:1.5 😀", "é 損失:2"], id="any-language"),
    pytest.param(LOSS, ["loss=" + "9" * 15 + " " + "x" * 250_000, "loss=1"], id="long-line"),
    pytest.param(LOSS, ["", "\n", "\r", "loss=1"], id="empty-messages"),
]


@pytest.mark.parametrize(("definitions", "messages"), MESSAGES)
def test_messages_are_read_line_by_line(
    mirror: Mirror, definitions: dict[str, str], messages: list[str]
) -> None:
    """The first match in each line, its first group, the event's timestamp."""
    put_job(mirror, definitions=definitions)
    written = events(*messages)
    put_log(mirror.account, "job", written)
    mirror.sync(metrics="logs")
    assert mirror.series("job") == replayed(definitions, {"algo-1": written})
    assert mirror.is_final("job")


def test_lines_of_one_event_share_its_time(mirror: Mirror) -> None:
    """Two equal values of one event are two points: their steps tell them apart."""
    put_job(mirror)
    put_log(mirror.account, "job", [(CREATED_MS + 5, "loss=1\nloss=1"), (CREATED_MS + 5, "loss=1")])
    mirror.sync()
    assert mirror.series("job") == {"loss": [(CREATED_MS + 5, step, 1.0) for step in range(3)]}


def test_numbers_that_are_none(mirror: Mirror) -> None:
    """They are skipped, counted and named; they do not use up a step."""
    put_job(mirror, hosts=2)
    put_log(mirror.account, "job", events("loss=1", "loss=n/a", "loss=1_0", "loss=2"))
    put_log(mirror.account, "job", events("loss=--"), host="algo-2")
    mirror.sync()
    assert values(mirror, "loss") == [1.0, 2.0]
    assert "loss/algo-2" not in mirror.series("job")
    assert warning(mirror).startswith("metric loss: 3 matches are skipped")
    assert mirror.is_final("job")


def test_not_a_number_and_infinity(mirror: Mirror) -> None:
    """They are kept as MLflow keeps them: SQL stores take the largest number for infinity."""
    put_job(mirror)
    put_log(mirror.account, "job", events("loss=nan", "loss=inf", "loss=-Infinity", "loss=NaN"))
    mirror.sync()
    first, *rest, last = values(mirror, "loss")
    assert rest == [LARGEST, -LARGEST]
    assert math.isnan(first)
    assert math.isnan(last)
    before = mirror.dump()
    assert mirror.sync().points == 0
    assert mirror.dump() == before


BAD = {
    "broken": r"loss=(",
    "groupless": r"loss=\S+",
    "runaway": r"(?=a)(a+)+\1$",
}


def test_bad_patterns_cost_their_metric_only(mirror: Mirror) -> None:
    """Patterns that do not compile, have no group, or run away are named; others go on."""
    put_job(mirror, definitions={**BAD, **LOSS})
    put_log(mirror.account, "job", events("loss=1", "a" * 10_000 + "b", "loss=2"))
    report = mirror.sync()
    assert set(mirror.series("job")) == {"loss"}
    assert values(mirror, "loss") == [1.0, 2.0]
    text = warning(mirror)
    assert "metric broken: its pattern does not compile" in text
    assert "metric groupless: its pattern has no capture group" in text
    assert "metric runaway: its pattern took too long" in text
    assert "; ".join(mirror.warnings(report).splitlines()) == text
    assert mirror.is_final("job")
    assert mirror.sync().jobs["unchanged"] == 1


def test_all_patterns_are_bad(mirror: Mirror) -> None:
    """No definition can be used on logs: auto takes CloudWatch."""
    put_job(mirror, definitions={"broken": BAD["broken"]})
    put_log(mirror.account, "job", events("loss=1"))
    put_loss(mirror.account, "job", curve(CREATED_MS, 3), "broken")
    mirror.sync()
    assert mirror.series("job") == {"broken": averages(curve(CREATED_MS, 3), CREATED_MS)}
    assert source(mirror) == "cloudwatch"
    assert "does not compile" in warning(mirror)


def test_what_is_said_of_a_pattern_has_no_secrets(mirror: Mirror) -> None:
    """The advice quotes the pattern: what the user calls a secret is gone from it, everywhere."""
    put_job(mirror, definitions={"lr": r"adler 'lr': ([0-9]+(.|e\-)[0-9]+),?"})
    put_log(mirror.account, "job", events("adler 'lr': 3.6457e-05, "))
    report = mirror.sync(redact=("adler",))
    assert "*** 'lr':" in warning(mirror)
    assert mirror.warnings(report) == warning(mirror)


def test_a_distorting_pattern_is_mirrored_as_aws_has_it(mirror: Mirror) -> None:
    """An exponent that is cut off stays cut off, and the user is told."""
    put_job(mirror, definitions={"lr": r"'lr': ([0-9]+(.|e\-)[0-9]+),?"})
    put_log(mirror.account, "job", events("{'lr': 3.6457e-05}"))
    mirror.sync()
    assert values(mirror, "lr") == [3.6457]
    assert "metric lr: 1 match is cut short" in warning(mirror)


COLLISIONS = [
    pytest.param(
        {"loss": r"a=(\S+)", "loss/algo-2": r"b=(\S+)"},
        {
            "loss": 1.0,
            "loss/algo-2": 2.0,
            "loss/algo-2_2": 3.0,
            "loss/algo-2/algo-2": 4.0,
        },
        id="named-like-a-host",
    ),
    pytest.param(
        {"a_": r"a=(\S+)", "a%": r"b=(\S+)"},
        {"a__2": 1.0, "a_": 2.0, "a_/algo-2_2": 3.0, "a_/algo-2": 4.0},
        id="replaced-characters",
    ),
    pytest.param(
        {"a b": r"a=(\S+)", "a_b": r"b=(\S+)"},
        {"a b": 1.0, "a_b": 2.0, "a b/algo-2": 3.0, "a_b/algo-2": 4.0},
        id="no-collision",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("definitions", "expected"), COLLISIONS)
def test_keys_never_collide(
    mirror: Mirror, definitions: dict[str, str], expected: dict[str, float]
) -> None:
    """Names of metrics are settled first, then those with a host, in sorted order."""
    put_job(mirror, definitions=definitions, hosts=2)
    put_log(mirror.account, "job", events("a=1 b=2"))
    put_log(mirror.account, "job", events("a=3 b=4"), host="algo-2")
    mirror.sync()
    at = CREATED_MS + 60_000
    assert mirror.series("job") == {key: [(at, 0, value)] for key, value in expected.items()}


def test_a_metric_named_like_the_utilisation(mirror: Mirror) -> None:
    """It keeps its key, and the utilisation gets another."""
    name = "system/algo-1/cpu_utilization_percentage"
    put_job(mirror, definitions={name: r"cpu=(\S+)"})
    put_log(mirror.account, "job", events("cpu=7"))
    put_host(mirror.account, "job", curve(CREATED_MS, 3))
    mirror.sync()
    assert mirror.series("job") == {
        name: [(CREATED_MS + 60_000, 0, 7.0)],
        f"{name}_2": averages(curve(CREATED_MS, 3), CREATED_MS),
    }
    assert source(mirror) == "logs"


@pytest.mark.parametrize(
    ("size", "empty"),
    [(10_000, False), (7, False), (100, True), pytest.param(1, True, marks=pytest.mark.slow)],
)
def test_forty_definitions_on_four_hosts(mirror: Mirror, size: int, *, empty: bool) -> None:
    """Every curve is there whatever the size of pages; one DescribeLogStreams in all."""
    definitions = {f"m{n}": rf"\bm{n}=(\S+)" for n in range(40)}
    put_job(mirror, definitions=definitions, hosts=4)
    written = {
        f"algo-{host}": events(
            *(
                " ".join(f"m{n}={host * 1000 + n}.{line}" for n in range(line, 40))
                for line in range(20)
            ),
            every_ms=host - 1,
        )
        for host in range(1, 5)
    }
    for host, each in written.items():
        put_log(mirror.account, "job", each, host=host)
    mirror.account.faults.page_size(EVENTS, size)
    if empty:
        mirror.account.faults.empty_pages(EVENTS)
    mirror.sync()
    assert mirror.series("job") == replayed(definitions, written)
    assert mirror.account.calls[STREAMS] == 1
    assert mirror.is_final("job")


def test_jobs_whose_names_begin_alike(mirror: Mirror) -> None:
    """The streams of ``x`` and ``x-2`` are not mixed."""
    for place, name in enumerate(("x", "x-2", "x-algo-1")):
        put_job(mirror, name)
        put_log(mirror.account, name, events(f"loss={place}"))
    mirror.sync()
    for place, name in enumerate(("x", "x-2", "x-algo-1")):
        assert values(mirror, "loss", name) == [float(place)]
        assert json.loads(mirror.run(name).data.tags["sagemaker.log_streams"]) == [
            f"{name}/algo-1-1700000000"
        ]


def test_utilisation_stands_beside_the_logs(mirror: Mirror) -> None:
    """Hosts are CloudWatch's, and the algorithm's metrics are not asked of it."""
    put_job(mirror)
    put_log(mirror.account, "job", events("loss=1"))
    put_loss(mirror.account, "job", curve(CREATED_MS, 5))
    put_host(mirror.account, "job", curve(CREATED_MS, 3))
    mirror.sync()
    assert mirror.series("job") == {
        "loss": [(CREATED_MS + 60_000, 0, 1.0)],
        "system/algo-1/cpu_utilization_percentage": averages(curve(CREATED_MS, 3), CREATED_MS),
    }
    assert mirror.account.calls == {**DISCOVERY, STREAMS: 1, EVENTS: 2, METRICS: 1}


def test_a_dry_run_looks_at_no_log(mirror: Mirror) -> None:
    """The calls are forecast: one list of streams, two looks at each host."""
    put_job(mirror, hosts=3)
    for host in ("algo-1", "algo-2", "algo-3"):
        put_log(mirror.account, "job", events("loss=1"), host=host)
    before = mirror.dump()
    forecast = mirror.sync(dry_run=True)
    assert mirror.account.calls == FINDING
    assert mirror.dump() == before
    real = mirror.sync()
    assert dict(forecast.aws_calls) == dict(real.aws_calls) == mirror.account.calls
    assert mirror.account.calls == {**DISCOVERY, STREAMS: 1, EVENTS: 6, METRICS: 1}


def test_a_second_sync_reads_job_lists_only(mirror: Mirror) -> None:
    """It writes nothing."""
    put_job(mirror)
    put_log(mirror.account, "job", events("loss=1", "loss=nan", "loss=x"))
    assert mirror.sync().points == 2
    before = mirror.dump()
    report = mirror.sync()
    assert mirror.dump() == before
    assert report.jobs["unchanged"] == 1
    assert mirror.account.calls == DISCOVERY


def test_a_run_that_the_job_logged_itself(mirror: Mirror) -> None:
    """A key that the script logged is never sent; other hosts' keys are."""
    put_job(mirror, definitions={**LOSS, "acc": r"acc=(\S+)"}, hosts=2)
    put_log(mirror.account, "job", events("loss=1 acc=2", "loss=3 acc=4"))
    put_log(mirror.account, "job", events("loss=5 acc=6"), host="algo-2")
    client = mirror.client
    tags = {
        "sagemaker.arn": arn("job"),
        "sagemaker.kind": "training-job",
        "sagemaker.name": "job",
        "sagemaker.region": "us-east-1",
    }
    run = client.create_run(client.create_experiment("own"), CREATED_MS + 1, tags=tags)
    client.log_metric(run.info.run_id, "loss", 99.0, timestamp=CREATED_MS + 7, step=3)
    mirror.sync()
    at = CREATED_MS + 60_000
    expected = {
        "loss": [(CREATED_MS + 7, 3, 99.0)],
        "acc": [(at, 0, 2.0), (at + 1000, 1, 4.0)],
        "loss/algo-2": [(at, 0, 5.0)],
        "acc/algo-2": [(at, 0, 6.0)],
    }
    assert mirror.run("job").info.run_id == run.info.run_id
    assert mirror.series("job") == expected
    assert mirror.watermark("job").adopted
    assert mirror.is_final("job")
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


FAULTS = [
    pytest.param({"code": "ThrottlingException"}, id="throttled"),
    pytest.param({"code": "ServiceUnavailableException", "status": 503}, id="503"),
    pytest.param({"code": None}, id="reset"),
    pytest.param({"code": "MalformedBody"}, id="malformed"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_pass_leave_no_trace(mirror: Mirror, fault: dict[str, Any]) -> None:
    """Streams and events are asked for again; each point is there once."""
    put_job(mirror, hosts=2)
    written = {host: events(*(f"loss={n}" for n in range(9))) for host in ("algo-1", "algo-2")}
    for host, each in written.items():
        put_log(mirror.account, "job", each, host=host)
    mirror.account.faults.page_size(EVENTS, 4)
    for operation in (STREAMS, EVENTS):
        mirror.account.faults.fail(operation, times=1, **fault)
    report = mirror.sync()
    assert report.failed == []
    assert report.points == 18
    assert mirror.series("job") == replayed(LOSS, written)
