"""Logs of ended jobs, replayed in one pass: keys, steps, values, sources."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import (
    HOUR_MS,
    NAMESPACE,
    Events,
    Points,
    arn,
    averages,
    curve,
    final_metrics,
    logged_job,
    now_ms,
    put_host,
    put_log,
    put_loss,
    replayed,
    whole,
)
from tests.sync.conftest import EVENTS, METRICS, SEARCH, STREAMS, Mirror

LOSS = {"loss": r"loss=(\S+)"}
LARGEST = sys.float_info.max
CREATED_MS = whole(now_ms()) - 3 * HOUR_MS


def put_job(
    mirror: Mirror, name: str = "job", definitions: dict[str, str] | None = None, **changes: Any
) -> None:
    """Put a job of one hour that ended two hours ago."""
    times = {"created_ms": CREATED_MS, "ended_ms": CREATED_MS + HOUR_MS}
    answer = logged_job(name, LOSS if definitions is None else definitions, **times, **changes)
    mirror.account.put_training_job(answer)


def events(*messages: str, start_s: int = 60, every_ms: int = 1000) -> Events:
    """Give messages their times, from so many seconds after the job's creation."""
    begin_ms = CREATED_MS + start_s * 1000
    return [(begin_ms + place * every_ms, text) for place, text in enumerate(messages)]


def values(mirror: Mirror, key: str, job: str = "job") -> list[float]:
    """Give the values of a metric in order of their steps, which count from 0."""
    points = sorted(mirror.series(job)[key], key=lambda point: point[1])
    assert [step for _, step, _ in points] == list(range(len(points)))
    return [value for _, _, value in points]


def source(mirror: Mirror, job: str = "job") -> str | None:
    """Give where the algorithm metrics came from; tag and watermark must agree."""
    tagged: str | None = mirror.run(job).data.tags.get("smwatch.metric_source")
    noted = mirror.watermark(job).source
    assert tagged == noted
    return tagged


def warning(mirror: Mirror, job: str = "job") -> str:
    """Give the run's warning."""
    text: str = mirror.run(job).data.tags.get("smwatch.warning", "")
    return text


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
    first, second, third = (
        events(f"loss={n}", f"loss={n}.5", start_s=n * 100) for n in (1, 2, 3)
    )
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
    pytest.param({"auc": r"#011auc:([\d.]+)"}, ["[0]#011auc:0.5#011x:1", "[1]#011auc:0.75"], id="tab"),
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


@pytest.mark.parametrize(("size", "empty"), [(10_000, False), (7, False), (1, True), (100, True)])
def test_forty_definitions_on_four_hosts(mirror: Mirror, size: int, *, empty: bool) -> None:
    """Every curve is there whatever the size of pages; one DescribeLogStreams in all."""
    definitions = {f"m{n}": rf"\bm{n}=(\S+)" for n in range(40)}
    put_job(mirror, definitions=definitions, hosts=4)
    written = {
        f"algo-{host}": events(
            *(" ".join(f"m{n}={host * 1000 + n}.{line}" for n in range(line, 40)) for line in range(20)),
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
    assert mirror.account.calls == {SEARCH: 1, STREAMS: 1, EVENTS: 2, METRICS: 1}


# ------------------------------------------------------------------------------- other sources

FINAL_MS = CREATED_MS + 61_000
SAMPLES = curve(CREATED_MS, 5)
CLOUDWATCH: dict[str, Points] = {"loss": averages(SAMPLES, CREATED_MS)}
FINALS: dict[str, Points] = {"loss": [(FINAL_MS, 61, 9.0)], "extra": [(FINAL_MS, 61, 7.0)]}
EXTRA = {"extra": FINALS["extra"]}


def put_both(mirror: Mirror, *messages: str) -> None:
    """Put a job with CloudWatch points, final values, and a log where messages are given."""
    final = final_metrics({"loss": 9.0, "extra": 7.0}, FINAL_MS)
    put_job(mirror, FinalMetricDataList=final)
    put_loss(mirror.account, "job", SAMPLES)
    if messages:
        put_log(mirror.account, "job", events(*messages))


def expire(account: EmulatedAccount, job: str, before_ms: int) -> None:
    """Take away early events, as retention does; AWS goes on telling when the first one was."""
    store = account._home.log_store
    for stream in store.with_prefix(NAMESPACE, f"{job}/"):
        stream.to_describe_dict()
        stream._update = lambda: None  # type: ignore[method-assign]
        stream.events = [each for each in stream.events if each.timestamp >= before_ms]


NOTHING_TO_FIND = [
    pytest.param((), id="gone"),
    pytest.param(("nothing here", "nor here"), id="no-match"),
    pytest.param(("loss=oops",), id="no-number"),
]


@pytest.mark.parametrize("messages", NOTHING_TO_FIND)
def test_auto_falls_back_to_cloudwatch(mirror: Mirror, messages: tuple[str, ...]) -> None:
    """Where logs are gone or hold no match, CloudWatch is taken; final values for the rest."""
    put_both(mirror, *messages)
    mirror.sync()
    assert mirror.series("job") == CLOUDWATCH | EXTRA
    assert source(mirror) == "cloudwatch"
    assert mirror.is_final("job")
    mirror.sync()
    assert mirror.account.calls == {SEARCH: 1}


@pytest.mark.parametrize("messages", NOTHING_TO_FIND)
def test_logs_alone_do_not_fall_back(mirror: Mirror, messages: tuple[str, ...]) -> None:
    """The chosen source was read to its end without a point: final values stand in."""
    put_both(mirror, *messages)
    mirror.sync(metrics="logs")
    assert mirror.series("job") == FINALS
    assert source(mirror) == "final"
    assert mirror.is_final("job")


@pytest.mark.parametrize("wanted", ["auto", "logs"])
def test_final_values_stand_beside_logs(mirror: Mirror, wanted: str) -> None:
    """Only for a metric that no host logged."""
    put_both(mirror, "loss=1")
    mirror.sync(metrics=wanted)
    assert mirror.series("job") == {"loss": [(CREATED_MS + 60_000, 0, 1.0)]} | EXTRA
    assert source(mirror) == "logs"


def test_no_final_value_where_another_host_has_points(mirror: Mirror) -> None:
    """A metric that only algo-2 logged has a point."""
    put_job(mirror, hosts=2, FinalMetricDataList=final_metrics({"loss": 9.0}, FINAL_MS))
    put_log(mirror.account, "job", events("no match"))
    put_log(mirror.account, "job", events("loss=1"), host="algo-2")
    mirror.sync()
    assert mirror.series("job") == {"loss/algo-2": [(CREATED_MS + 60_000, 0, 1.0)]}


DENIALS = [STREAMS, EVENTS, "logs:*"]


@pytest.mark.parametrize("denied", DENIALS)
def test_denied_logs_in_auto(mirror: Mirror, denied: str) -> None:
    """CloudWatch is taken, with a warning; final once the logs can be read, without them."""
    put_both(mirror, "loss=1")
    mirror.account.faults.deny(denied)
    report = mirror.sync()
    assert report.failed == []
    assert "no logs: " in mirror.warnings(report)
    assert "no logs: " in warning(mirror)
    assert mirror.series("job") == CLOUDWATCH
    assert source(mirror) == "cloudwatch"
    assert "sagemaker.log_streams" not in mirror.run("job").data.tags
    assert not mirror.is_final("job")
    mirror.account.faults.clear()
    mirror.sync()
    assert mirror.series("job") == CLOUDWATCH | EXTRA
    assert mirror.is_final("job")
    assert warning(mirror) == ""


@pytest.mark.parametrize("denied", DENIALS)
def test_denied_logs_are_not_empty(mirror: Mirror, denied: str) -> None:
    """With logs alone nothing stands in for them; once they can be read they are mirrored."""
    put_both(mirror, "loss=1")
    mirror.account.faults.deny(denied)
    report = mirror.sync(metrics="logs")
    assert report.failed == []
    assert "no logs: " in warning(mirror)
    assert mirror.series("job") == {}
    assert not mirror.is_final("job")
    before = mirror.dump()
    mirror.sync(metrics="logs")
    assert mirror.dump() == before
    mirror.account.faults.clear()
    mirror.sync(metrics="logs")
    assert mirror.series("job") == {"loss": [(CREATED_MS + 60_000, 0, 1.0)]} | EXTRA
    assert warning(mirror) == ""
    assert mirror.is_final("job")


@pytest.mark.parametrize(
    ("wanted", "series", "origin"),
    [("auto", CLOUDWATCH | EXTRA, "cloudwatch"), ("logs", {}, "none")],
)
def test_denied_logs_given_up(
    mirror: Mirror, wanted: str, series: dict[str, Points], origin: str
) -> None:
    """The run is final with what could be read; final values only of a source that was read."""
    put_both(mirror, "loss=1")
    mirror.account.faults.deny("logs:*")
    mirror.sync(metrics=wanted, give_up_denied=True)
    assert mirror.series("job") == series
    assert source(mirror) == origin
    assert mirror.is_final("job")


def test_denied_logs_and_metrics(mirror: Mirror) -> None:
    """With neither readable there is no point and no source, and both are named."""
    put_both(mirror, "loss=1")
    mirror.account.faults.deny("logs:*")
    mirror.account.faults.deny(METRICS)
    report = mirror.sync()
    assert report.failed == []
    assert mirror.series("job") == {}
    assert "logs:DescribeLogStreams" in warning(mirror)
    assert METRICS in warning(mirror)
    assert source(mirror) is None
    mirror.account.faults.clear()
    mirror.sync()
    assert values(mirror, "loss") == [1.0]
    assert source(mirror) == "logs"
    assert mirror.is_final("job")


def test_logs_whose_beginning_has_expired(mirror: Mirror) -> None:
    """Steps would not be those of the job: auto takes CloudWatch, logs takes what is left."""
    put_both(mirror, *(f"loss={n}" for n in range(120)))
    expire(mirror.account, "job", CREATED_MS + 60_000 + 100_000)
    other = mirror.beside()
    mirror.sync()
    assert mirror.series("job") == CLOUDWATCH | EXTRA
    assert source(mirror) == "cloudwatch"
    assert mirror.is_final("job")
    other.sync(metrics="logs")
    assert values(other, "loss") == [float(n) for n in range(100, 120)]
    assert source(other) == "logs"


def test_one_host_has_lost_its_beginning(mirror: Mirror) -> None:
    """One source for the whole job."""
    put_job(mirror, hosts=2)
    put_loss(mirror.account, "job", SAMPLES)
    put_log(mirror.account, "job", events(*(f"loss={n}" for n in range(120))), host="algo-2")
    expire(mirror.account, "job", CREATED_MS + 60_000 + 100_000)
    put_log(mirror.account, "job", events("loss=1"))
    mirror.sync()
    assert mirror.series("job") == CLOUDWATCH
    assert source(mirror) == "cloudwatch"


def test_a_job_without_definitions_has_no_look_at_its_logs(mirror: Mirror) -> None:
    """There is nothing to find."""
    put_job(mirror, definitions={})
    put_log(mirror.account, "job", events("loss=1"))
    mirror.sync()
    assert mirror.account.calls == {SEARCH: 1, METRICS: 1}
    assert mirror.is_final("job")


@pytest.mark.parametrize("wanted", ["off", "cloudwatch"])
def test_logs_are_not_looked_at_where_they_are_not_wanted(mirror: Mirror, wanted: str) -> None:
    """Neither streams nor events are asked for, and no stream is named."""
    put_both(mirror, "loss=1")
    mirror.sync(metrics=wanted)
    assert not {STREAMS, EVENTS} & set(mirror.account.calls)
    assert "sagemaker.log_streams" not in mirror.run("job").data.tags
    assert mirror.series("job") == ({} if wanted == "off" else CLOUDWATCH | EXTRA)


def test_what_was_off_is_replayed_when_it_is_wanted(mirror: Mirror) -> None:
    """A pass without metrics chooses no source."""
    put_both(mirror, "loss=1")
    mirror.sync(metrics="off")
    mirror.sync()
    assert values(mirror, "loss") == [1.0]
    assert source(mirror) == "logs"
    mirror.sync()
    assert mirror.account.calls == {SEARCH: 1}


def test_a_dry_run_looks_at_no_log(mirror: Mirror) -> None:
    """The calls are forecast: one list of streams, two looks at each host."""
    put_job(mirror, hosts=3)
    for host in ("algo-1", "algo-2", "algo-3"):
        put_log(mirror.account, "job", events("loss=1"), host=host)
    before = mirror.dump()
    forecast = mirror.sync(dry_run=True)
    assert mirror.account.calls == {SEARCH: 1}
    assert mirror.dump() == before
    real = mirror.sync()
    assert dict(forecast.aws_calls) == dict(real.aws_calls) == mirror.account.calls
    assert mirror.account.calls == {SEARCH: 1, STREAMS: 1, EVENTS: 6, METRICS: 1}


def test_a_second_sync_reads_job_lists_only(mirror: Mirror) -> None:
    """It writes nothing."""
    put_both(mirror, "loss=1", "loss=nan", "loss=x")
    assert mirror.sync().points == 3
    before = mirror.dump()
    report = mirror.sync()
    assert mirror.dump() == before
    assert report.jobs["unchanged"] == 1
    assert mirror.account.calls == {SEARCH: 1}


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
