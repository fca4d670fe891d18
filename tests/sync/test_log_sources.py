"""Where algorithm metrics come from: logs, CloudWatch, final values, and what decides."""

from __future__ import annotations

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import (
    NAMESPACE,
    Points,
    averages,
    curve,
    final_metrics,
    put_log,
    put_loss,
    replayed,
)
from tests.sync.conftest import DISCOVERY, EVENTS, METRICS, STREAMS, Mirror
from tests.sync.logged import (
    CREATED_MS,
    ENDED_MS,
    LOSS,
    events,
    losses,
    put_job,
    put_running,
    source,
    values,
    warning,
)

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
    assert mirror.account.calls == DISCOVERY


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
    before = mirror.dump()
    assert mirror.sync().failed == []
    assert mirror.dump() == before
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
    assert mirror.account.calls == {**DISCOVERY, METRICS: 1}
    assert mirror.is_final("job")


def test_logs_alone_are_wanted_of_a_job_without_definitions(mirror: Mirror) -> None:
    """CloudWatch is asked for utilisation only; the final value stands for the metric."""
    put_job(mirror, definitions={}, FinalMetricDataList=final_metrics({"loss": 2.0}, FINAL_MS))
    mirror.sync(metrics="logs")
    (request,) = [each for each in mirror.account.requests if each.operation == METRICS]
    assert len(request.parameters["MetricDataQueries"]) == 5
    assert mirror.series("job") == {"loss": [(FINAL_MS, 61, 2.0)]}
    assert source(mirror) == "final"


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
    assert mirror.account.calls == DISCOVERY


# ------------------------------------------------------------------------ over several passes


def test_an_undecided_job(mirror: Mirror) -> None:
    """Without a match there is no source; each finding is counted once in the end."""
    put_running(mirror)
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    lines = ("loss=x", "nothing")
    put_log(mirror.account, "job", [(CREATED_MS + n, text) for n, text in enumerate(lines)])
    mirror.sync()
    assert source(mirror) is None
    assert mirror.series("job") == {}
    put_log(mirror.account, "job", [(CREATED_MS + 9, "nothing")])
    mirror.sync()
    assert source(mirror) is None
    put_job(mirror, ended=True)
    mirror.sync()
    assert mirror.series("job") == {"loss": averages(curve(CREATED_MS, 3), CREATED_MS)}
    assert source(mirror) == "cloudwatch"
    assert mirror.is_final("job")
    assert "1 match is skipped" in mirror.run("job").data.tags["smwatch.warning"]


def test_an_undecided_job_finds_late_events(mirror: Mirror) -> None:
    """The last look reads all: a match before the position decides for the logs."""
    put_running(mirror)
    put_log(mirror.account, "job", [(CREATED_MS + 9, "nothing")])
    mirror.sync()
    put_log(mirror.account, "job", [(CREATED_MS + 5, "loss=5")])
    mirror.sync()
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [5.0]
    assert source(mirror) == "logs"


def test_a_first_match_in_a_later_pass(mirror: Mirror) -> None:
    """It decides for the logs while the job runs."""
    put_running(mirror)
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", [(CREATED_MS + 9, "nothing")])
    mirror.sync()
    put_log(mirror.account, "job", losses(1, 2))
    mirror.sync()
    assert values(mirror) == [1.0, 2.0]
    assert source(mirror) == "logs"


@pytest.mark.slow
@pytest.mark.parametrize("later", ["auto", "cloudwatch", "logs"])
@pytest.mark.parametrize("first", ["auto", "cloudwatch", "logs"])
def test_the_source_sticks(mirror: Mirror, first: str, later: str) -> None:
    """The one that gave the first point, whatever --metrics says later."""
    put_running(mirror)
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", losses(5, 6))
    mirror.sync(metrics=first)
    chosen = "cloudwatch" if first == "cloudwatch" else "logs"
    assert source(mirror) == chosen
    put_log(mirror.account, "job", losses(7, start_s=9))
    put_loss(mirror.account, "job", curve(CREATED_MS + 180_000, 2, first=9.0))
    put_job(mirror, ended=True)
    mirror.sync(metrics=later)
    all_samples = [*curve(CREATED_MS, 3), *curve(CREATED_MS + 180_000, 2, first=9.0)]
    logged = replayed(LOSS, {"algo-1": [*losses(5, 6), *losses(7, start_s=9)]})
    measured = {"loss": averages(all_samples, CREATED_MS)}
    assert mirror.series("job") == (measured if chosen == "cloudwatch" else logged)
    assert source(mirror) == chosen
    assert (EVENTS in mirror.account.calls) == (chosen == "logs")
    assert mirror.is_final("job")


def test_logs_that_are_denied_later(mirror: Mirror) -> None:
    """Nothing of CloudWatch stands in; the run goes on once they can be read again."""
    put_running(mirror, FinalMetricDataList=final_metrics({"loss": 9.0}, ENDED_MS))
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", losses(0, 1))
    mirror.sync()
    put_log(mirror.account, "job", losses(2, start_s=10))
    put_job(mirror, ended=True)
    mirror.account.faults.deny("logs:*")
    report = mirror.sync()
    assert report.failed == []
    assert "no logs: " in mirror.run("job").data.tags["smwatch.warning"]
    assert values(mirror) == [0.0, 1.0]
    assert not mirror.is_final("job")
    mirror.account.faults.clear()
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0]
    assert mirror.is_final("job")
    assert "smwatch.warning" not in mirror.run("job").data.tags


def test_logs_that_are_gone_later(mirror: Mirror) -> None:
    """The run keeps its points, and its source."""
    put_running(mirror)
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", losses(0, 1))
    mirror.sync()
    mirror.account._home.log_store._backend.groups.clear()
    put_job(mirror, ended=True)
    report = mirror.sync()
    assert report.failed == []
    assert values(mirror) == [0.0, 1.0]
    assert source(mirror) == "logs"
    assert mirror.is_final("job")
