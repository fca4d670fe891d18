"""Logs over several passes: followed, left off, gone on with; the result is that of one pass."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mlflow_smwatch.engine import Mirror as Engine
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from tests.jobs import (
    HOUR_MS,
    Events,
    arn,
    averages,
    curve,
    final_metrics,
    logged_job,
    moment,
    now_ms,
    put_log,
    put_loss,
    replayed,
    whole,
)
from tests.sync.conftest import EVENTS, METRICS, SEARCH, STREAMS, Mirror

LOSS = {"loss": r"loss=(\S+)"}
CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
EPOCH_S = CREATED_MS // 1000


def put_job(mirror: Mirror, name: str = "job", *, ended: bool = False, **changes: Any) -> None:
    """Put a job that began three hours ago; ended, it took one hour."""
    times = {"created_ms": CREATED_MS, "ended_ms": ENDED_MS if ended else None}
    definitions = changes.pop("definitions", LOSS)
    mirror.account.put_training_job(logged_job(name, definitions, **times, **changes))


def events(*numbers: float, start_s: float = 0, every_ms: int = 1000) -> Events:
    """Give one line per number, from so many seconds after the first minute of the job."""
    begin_ms = CREATED_MS + 60_000 + round(start_s * 1000)
    return [(begin_ms + place * every_ms, f"loss={each}") for place, each in enumerate(numbers)]


def values(mirror: Mirror, key: str = "loss", job: str = "job") -> list[float]:
    """Give the values of a metric in order of their steps, which count from 0."""
    points = sorted(mirror.series(job).get(key, []), key=lambda point: point[1])
    assert [step for _, step, _ in points] == list(range(len(points)))
    return [value for _, _, value in points]


def source(mirror: Mirror) -> str | None:
    """Give where the algorithm metrics came from; tag and watermark must agree."""
    tagged: str | None = mirror.run("job").data.tags.get("smwatch.metric_source")
    noted = mirror.watermark("job").source
    assert tagged == noted
    return tagged


class Follower:
    """One engine that makes pass after pass, as a watch does."""

    def __init__(self, mirror: Mirror, slack_s: float = 0, **options: Any) -> None:
        self._mirror = mirror
        self._engine = Engine(SyncOptions(tracking_uri=mirror.uri, **options), slack_s=slack_s)
        self._begun = False

    def look(self) -> SyncReport:
        """Make a pass; the account's calls are those of this pass afterwards."""
        since = datetime.now(tz=timezone.utc) - timedelta(days=1)
        self._mirror.account.reset_calls()
        report = self._engine.follow(since=since, sweep=not self._begun)
        self._begun = True
        assert report.failed == []
        return report


def interrupted(mirror: Mirror, pages: int, **options: Any) -> SyncReport:
    """Make a pass that is told to stop once so many pages of logs have been asked for."""
    calls = mirror.account.calls
    limit = calls[EVENTS] + pages
    options["tracking_uri"] = mirror.uri
    return Engine(SyncOptions(**options), lambda: calls[EVENTS] >= limit).sync()


def test_a_running_job_is_followed(mirror: Mirror) -> None:
    """Each pass writes what is new, steps go on; at the end all is there once."""
    put_job(mirror, hosts=2)
    put_log(mirror.account, "job", events(0, 1))
    assert mirror.sync().points == 2
    assert source(mirror) == "logs"
    put_log(mirror.account, "job", events(2, 3, start_s=2))
    put_log(mirror.account, "job", events(7), host="algo-2")
    assert mirror.sync().points == 3
    assert mirror.sync().points == 0
    put_log(mirror.account, "job", events(4, start_s=4))
    put_job(mirror, hosts=2, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert values(mirror, "loss/algo-2") == [7.0]
    assert mirror.is_final("job")
    mirror.sync()
    assert mirror.account.calls == {SEARCH: 1}


def test_a_running_job_without_news_is_not_written(mirror: Mirror) -> None:
    """Not even its time."""
    put_job(mirror)
    put_log(mirror.account, "job", events(0, 1))
    mirror.sync()
    before = mirror.dump()
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.dump() == before


def test_events_of_one_millisecond_come_in_two_passes(mirror: Mirror) -> None:
    """A position counts the events of its timestamp."""
    put_job(mirror)
    put_log(mirror.account, "job", events(0, 1, every_ms=0))
    mirror.sync()
    put_log(mirror.account, "job", events(1, 2, every_ms=0))
    mirror.sync()
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 1.0, 2.0]


def test_lines_without_match_move_on_too(mirror: Mirror) -> None:
    """They are not read again, and not counted twice."""
    put_job(mirror)
    put_log(mirror.account, "job", [*events(0), *((ms, "loss=x") for ms, _ in events(1, 1))])
    mirror.sync()
    put_log(mirror.account, "job", [(ms, "loss=y") for ms, _ in events(1, start_s=9)])
    mirror.sync()
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0]
    assert "3 matches are skipped" in mirror.run("job").data.tags["smwatch.warning"]


def restart(mirror: Mirror, seconds: int, **changes: Any) -> None:
    """Change the job as a restart does: SageMaker notes when."""
    put_job(mirror, LastModifiedTime=moment(CREATED_MS + seconds * 1000), **changes)


def test_a_restarted_host_is_followed(mirror: Mirror) -> None:
    """Its next stream goes on with the steps."""
    put_job(mirror)
    put_log(mirror.account, "job", events(0, 1), epoch_s=EPOCH_S)
    mirror.sync()
    put_log(mirror.account, "job", events(2, start_s=10), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", events(3, start_s=100), epoch_s=EPOCH_S + 90)
    restart(mirror, 90)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0]
    put_log(mirror.account, "job", events(4, start_s=101), epoch_s=EPOCH_S + 90)
    assert mirror.sync().points == 1
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0, 4.0]
    streams = json.loads(mirror.run("job").data.tags["sagemaker.log_streams"])
    assert streams == [f"job/algo-1-{EPOCH_S}", f"job/algo-1-{EPOCH_S + 90}"]


def test_a_restarted_host_that_writes_later_is_followed(mirror: Mirror) -> None:
    """A container writes its first line some time after the status has changed."""
    put_job(mirror)
    put_log(mirror.account, "job", events(0, 1), epoch_s=EPOCH_S)
    mirror.sync()
    restart(mirror, 90, SecondaryStatus="Restarting")
    mirror.sync()
    put_log(mirror.account, "job", events(2, start_s=100), epoch_s=EPOCH_S + 95)
    mirror.sync()
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0]


def test_a_host_that_writes_later_is_followed(mirror: Mirror) -> None:
    """As long as a host has no stream it is looked for."""
    put_job(mirror, hosts=3)
    put_log(mirror.account, "job", events(0))
    mirror.sync()
    for number in (3, 2):
        put_log(mirror.account, "job", events(number), host=f"algo-{number}")
        mirror.sync()
        assert values(mirror, f"loss/algo-{number}") == [float(number)]


def test_late_events_are_found_at_the_last_look(mirror: Mirror) -> None:
    """What came into a stretch that was read before is there once, with the next free step."""
    put_job(mirror)
    put_log(mirror.account, "job", events(0, 1, 2, 3, every_ms=60_000))
    mirror.sync()
    put_log(mirror.account, "job", events(8, 9, start_s=61))
    put_log(mirror.account, "job", events(1, start_s=30))
    assert mirror.sync().points == 0
    put_log(mirror.account, "job", events(4, 5, start_s=600))
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 8.0, 9.0]
    times = {(timestamp, value) for timestamp, _, value in mirror.series("job")["loss"]}
    written = [*events(0, 1, 2, 3, every_ms=60_000), *events(8, 9, start_s=61)]
    written += [*events(1, start_s=30), *events(4, 5, start_s=600)]
    assert times == {(ms, float(text.removeprefix("loss="))) for ms, text in written}
    assert mirror.is_final("job")
    mirror.sync()
    assert mirror.account.calls == {SEARCH: 1}


def test_late_events_of_equal_value_and_time(mirror: Mirror) -> None:
    """As many points as events, NaN among them."""
    put_job(mirror, hosts=2)
    for host in ("algo-1", "algo-2"):
        put_log(mirror.account, "job", events(1, float("inf"), 2), host=host)
    mirror.sync()
    late = [*events(1, 1, every_ms=0), *events(float("inf"), start_s=1)]
    put_log(mirror.account, "job", late, host="algo-2")
    put_job(mirror, hosts=2, ended=True)
    mirror.sync()
    assert len(values(mirror)) == 3
    found = values(mirror, "loss/algo-2")
    assert sorted(found) == [1.0, 1.0, 1.0, 2.0, *[max(found)] * 2]
    assert len(mirror.series("job")["loss/algo-2"]) == 6


def test_late_nan(mirror: Mirror) -> None:
    """A NaN that is written is known again."""
    put_job(mirror)
    put_log(mirror.account, "job", events(float("nan"), float("nan"), 2))
    mirror.sync()
    put_log(mirror.account, "job", events(float("nan"), start_s=1))
    put_job(mirror, ended=True)
    mirror.sync()
    assert len(mirror.series("job")["loss"]) == 4
    assert len(values(mirror)) == 4


def test_a_late_event_in_a_stream_before_the_last(mirror: Mirror) -> None:
    """Also in the stream of a host that has been restarted since, not followed any more."""
    put_job(mirror)
    put_log(mirror.account, "job", events(0, 1), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", events(2, 3, start_s=100), epoch_s=EPOCH_S + 90)
    mirror.sync()
    put_log(mirror.account, "job", events(8, start_s=0.5), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", events(9, start_s=5), epoch_s=EPOCH_S)
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror)[:4] == [0.0, 1.0, 2.0, 3.0]
    assert sorted(values(mirror)[4:]) == [8.0, 9.0]


def test_an_undecided_job(mirror: Mirror) -> None:
    """Without a match there is no source; each finding is counted once in the end."""
    put_job(mirror)
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
    put_job(mirror)
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
    put_job(mirror)
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", [(CREATED_MS + 9, "nothing")])
    mirror.sync()
    put_log(mirror.account, "job", events(1, 2))
    mirror.sync()
    assert values(mirror) == [1.0, 2.0]
    assert source(mirror) == "logs"


@pytest.mark.parametrize("later", ["auto", "cloudwatch", "logs"])
@pytest.mark.parametrize("first", ["auto", "cloudwatch", "logs"])
def test_the_source_sticks(mirror: Mirror, first: str, later: str) -> None:
    """The one that gave the first point, whatever --metrics says later."""
    put_job(mirror)
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", events(5, 6))
    mirror.sync(metrics=first)
    chosen = "cloudwatch" if first == "cloudwatch" else "logs"
    assert source(mirror) == chosen
    put_log(mirror.account, "job", events(7, start_s=9))
    put_loss(mirror.account, "job", curve(CREATED_MS + 180_000, 2, first=9.0))
    put_job(mirror, ended=True)
    mirror.sync(metrics=later)
    all_samples = [*curve(CREATED_MS, 3), *curve(CREATED_MS + 180_000, 2, first=9.0)]
    logged = replayed(LOSS, {"algo-1": [*events(5, 6), *events(7, start_s=9)]})
    measured = {"loss": averages(all_samples, CREATED_MS)}
    assert mirror.series("job") == (measured if chosen == "cloudwatch" else logged)
    assert source(mirror) == chosen
    assert (EVENTS in mirror.account.calls) == (chosen == "logs")
    assert mirror.is_final("job")


def test_logs_that_are_denied_later(mirror: Mirror) -> None:
    """Nothing of CloudWatch stands in; the run goes on once they can be read again."""
    put_job(mirror, FinalMetricDataList=final_metrics({"loss": 9.0}, ENDED_MS))
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", events(0, 1))
    mirror.sync()
    put_log(mirror.account, "job", events(2, start_s=10))
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
    put_job(mirror)
    put_loss(mirror.account, "job", curve(CREATED_MS, 3))
    put_log(mirror.account, "job", events(0, 1))
    mirror.sync()
    mirror.account._home.log_store._backend.groups.clear()
    put_job(mirror, ended=True)
    report = mirror.sync()
    assert report.failed == []
    assert values(mirror) == [0.0, 1.0]
    assert source(mirror) == "logs"
    assert mirror.is_final("job")


def test_a_final_job_that_aws_touches(mirror: Mirror) -> None:
    """It is looked at once more, and not again."""
    put_job(mirror, ended=True)
    put_log(mirror.account, "job", events(0, 1))
    mirror.sync()
    put_job(mirror, ended=True, LastModifiedTime=moment(ENDED_MS + 1000))
    put_log(mirror.account, "job", events(2, start_s=10))
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0]
    mirror.sync()
    assert mirror.account.calls == {SEARCH: 1}
    put_job(mirror, ended=True, LastModifiedTime=moment(ENDED_MS + 2000))
    mirror.sync()
    mirror.sync()
    assert mirror.account.calls == {SEARCH: 1}


def test_an_adopted_run_over_several_passes(mirror: Mirror) -> None:
    """The mirror's own keys stay its own; the script's are never sent, late events neither."""
    put_job(mirror, definitions={**LOSS, "acc": r"acc=(\S+)"})
    lines = [(ms, f"{text} acc={place}") for place, (ms, text) in enumerate(events(5, 6, 7))]
    put_log(mirror.account, "job", lines[:1])
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
    put_log(mirror.account, "job", lines[2:])
    mirror.sync()
    put_log(mirror.account, "job", lines[1:2])
    put_job(mirror, ended=True, definitions={**LOSS, "acc": r"acc=(\S+)"})
    mirror.sync()
    assert mirror.series("job")["loss"] == [(CREATED_MS + 7, 3, 99.0)]
    assert values(mirror, "acc") == [0.0, 2.0, 1.0]
    assert mirror.is_final("job")


# ---------------------------------------------------------------------------------- one engine


def test_a_live_stream_costs_one_call(mirror: Mirror) -> None:
    """Once it is known, a pass of the same engine asks for its events once, and for no list."""
    put_job(mirror, hosts=2)
    for host in ("algo-1", "algo-2"):
        put_log(mirror.account, "job", events(0, 1), host=host)
    follower = Follower(mirror, slack_s=60)
    follower.look()
    for number in range(3):
        put_log(mirror.account, "job", events(number + 2, start_s=number + 2))
        assert follower.look().points == 1
        calls = {name: count for name, count in mirror.account.calls.items() if "logs" in name}
        assert calls == {EVENTS: 2}
    assert follower.look().points == 0
    assert mirror.account.calls[EVENTS] == 2
    put_job(mirror, hosts=2, ended=True)
    follower.look()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert mirror.is_final("job")
    follower.look()
    assert set(mirror.account.calls) == {SEARCH}


@pytest.mark.parametrize("slack_s", [0, 60])
def test_a_follower_of_small_pages(mirror: Mirror, slack_s: float) -> None:
    """However pages fall, what came at last is the log in its order, restarts among it."""
    put_job(mirror)
    put_log(mirror.account, "job", events(*range(9)), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", events(*range(9, 15), start_s=100), epoch_s=EPOCH_S + 90)
    mirror.account.faults.page_size(EVENTS, 4)
    follower = Follower(mirror, slack_s)
    for _ in range(3):
        follower.look()
    put_job(mirror, ended=True)
    follower.look()
    assert values(mirror) == [float(n) for n in range(15)]
    assert mirror.is_final("job")


def test_several_jobs_are_followed(mirror: Mirror) -> None:
    """Each has its own place; ended ones are not looked at again."""
    names = ("a", "b", "c")
    follower = Follower(mirror, slack_s=60)
    for name in names:
        put_job(mirror, name)
    for number in range(3):
        for name in names[number:]:
            put_log(mirror.account, name, events(number, start_s=number))
        follower.look()
        put_job(mirror, names[number], ended=True)
    follower.look()
    assert [len(values(mirror, job=name)) for name in names] == [1, 2, 3]
    assert all(mirror.is_final(name) for name in names)


# ------------------------------------------------------------------------------ interruptions


def big(count: int, seed: int = 1) -> Events:
    """Make a log of many points, some at one millisecond."""
    chance = random.Random(seed)
    at_ms, found = CREATED_MS, []
    for number in range(count):
        at_ms += chance.choice((0, 0, 1, 200))
        found.append((at_ms, f"loss={number}"))
    return found


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "running"])
@pytest.mark.parametrize("pages", [0, 1, 2, 5, 9])
def test_a_pass_that_is_stopped_is_gone_on_with(
    mirror: Mirror, pages: int, *, ended: bool
) -> None:
    """What is written stays and is vouched for; nothing is doubled, no step is given twice."""
    put_job(mirror, hosts=2, ended=ended)
    logs = {"algo-1": big(600), "algo-2": big(400, seed=2)}
    for host, each in logs.items():
        put_log(mirror.account, "job", each, host=host)
    mirror.account.faults.page_size(EVENTS, 100)
    assert interrupted(mirror, pages).failed == []
    if pages:
        written = sum(len(points) for points in mirror.series("job").values())
        assert written == sum(mirror.watermark("job").points.values())
        assert 0 < written < 1000
    else:
        assert mirror.runs("job") == []
    mirror.sync()
    assert mirror.series("job") == replayed(LOSS, logs)
    put_job(mirror, hosts=2, ended=True)
    mirror.sync()
    assert mirror.series("job") == replayed(LOSS, logs)
    assert mirror.is_final("job")


def test_a_stop_in_the_middle_keeps_what_was_read(mirror: Mirror) -> None:
    """The next pass begins where the first was stopped."""
    put_job(mirror, ended=True)
    put_log(mirror.account, "job", big(600))
    mirror.account.faults.page_size(EVENTS, 100)
    interrupted(mirror, 3)
    assert 0 < len(values(mirror)) < 600
    assert source(mirror) == "logs"
    assert not mirror.is_final("job")
    left = len(values(mirror))
    assert mirror.sync().points == 600 - left


def test_stopped_again_and_again_in_a_restarted_host(mirror: Mirror) -> None:
    """The rest of an early stream comes before the next stream, also where passes are cut off."""
    put_job(mirror)
    logs = big(300)
    put_log(mirror.account, "job", logs[:200], epoch_s=EPOCH_S)
    put_log(mirror.account, "job", logs[200:], epoch_s=EPOCH_S + 90)
    mirror.account.faults.page_size(EVENTS, 30)
    for pages in (1, 2, 3, 2):
        interrupted(mirror, pages)
        assert len(values(mirror)) < 300
    mirror.sync()
    assert values(mirror) == [float(n) for n in range(300)]
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [float(n) for n in range(300)]
    assert mirror.is_final("job")


@pytest.mark.slow
def test_many_points_are_written_in_parts(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the middle costs what was not written; the next pass goes on."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    put_job(mirror, hosts=2, ended=True)
    logs = {"algo-1": big(14_000), "algo-2": big(200, seed=2)}
    for host, each in logs.items():
        put_log(mirror.account, "job", each, host=host)
    mirror.account.faults.page_size(EVENTS, 1000)
    fail_after = failing_after(mirror, EVENTS, 9)
    report = Engine(SyncOptions(tracking_uri=mirror.uri), fail_after).sync()
    assert [failure.arn for failure in report.failed] == [arn("job")]
    assert "logs:GetLogEvents failed" in report.failed[0].error
    assert len(values(mirror)) >= 5000
    assert sum(mirror.watermark("job").points.values()) == sum(
        map(len, mirror.series("job").values())
    )
    mirror.account.faults.clear()
    report = mirror.sync()
    assert report.failed == []
    assert mirror.series("job") == replayed(LOSS, logs)
    assert mirror.is_final("job")
    assert "smwatch.warning" not in mirror.run("job").data.tags


def failing_after(mirror: Mirror, operation: str, calls: int) -> Callable[[], bool]:
    """Let an operation fail from a certain call on; looked at where a pass asks if it is to end."""

    def look() -> bool:
        if mirror.account.calls[operation] >= calls:
            mirror.account.faults.fail(operation, times=None, code="InternalFailure", status=500)
        return False

    return look


def test_an_error_in_the_middle_of_one_job(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails alone with its reason and is read whole by the next pass."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    put_job(mirror, ended=True)
    put_job(mirror, "other", ended=True, definitions={})
    put_log(mirror.account, "job", big(300))
    mirror.account.faults.page_size(EVENTS, 50)
    options = SyncOptions(tracking_uri=mirror.uri)
    report = Engine(options, failing_after(mirror, EVENTS, 3)).sync()
    assert [failure.arn for failure in report.failed] == [arn("job")]
    assert mirror.is_final("other")
    assert not mirror.is_final("job")
    mirror.account.faults.clear()
    mirror.sync()
    assert values(mirror) == [float(n) for n in range(300)]


def test_two_mirrors_replay_one_job(mirror: Mirror) -> None:
    """One after the other into one store, each from its own place: each point once."""
    put_job(mirror)
    one, two = Follower(mirror, slack_s=60), Follower(mirror)
    for number in range(4):
        put_log(mirror.account, "job", events(number, start_s=number))
        (one if number % 2 else two).look()
    put_job(mirror, ended=True)
    one.look()
    two.look()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0]
    assert mirror.is_final("job")


# ---------------------------------------------------------------------------- any split


@pytest.mark.parametrize("seed", range(6))
def test_any_split_into_passes_gives_the_result_of_one(mirror: Mirror, seed: int) -> None:
    """Pages, passes, engines, interruptions and the order of hosts change nothing."""
    chance = random.Random(seed)
    definitions = {**LOSS, "acc": r"acc[=:](\d\S*)"}
    hosts = {f"algo-{n}": big(chance.randrange(20, 120), seed=n) for n in range(1, 4)}
    hosts = {
        host: [(ms, chance.choice((text, f"{text}\nacc=1", "none"))) for ms, text in each]
        for host, each in hosts.items()
    }
    restarts = {host: chance.randrange(len(each)) for host, each in hosts.items()}
    put_job(mirror, hosts=3, definitions=definitions)
    mirror.account.faults.page_size(EVENTS, chance.choice((1, 3, 20, 1000)))
    follower = Follower(mirror, slack_s=chance.choice((0, 60)), workers=chance.choice((1, 8)))
    written = dict.fromkeys(hosts, 0)
    for number in range(8):
        for host, each in hosts.items():
            upto = len(each) if number == 7 else chance.randrange(written[host], len(each) + 1)
            put_part(mirror, host, each, (written[host], restarts[host], upto))
            written[host] = upto
        put_job(
            mirror,
            hosts=3,
            definitions=definitions,
            LastModifiedTime=moment(CREATED_MS + number * 1000),
        )
        way = chance.randrange(4)
        if way == 0:
            mirror.sync()
        elif way == 1:
            interrupted(mirror, chance.randrange(1, 6))
        else:
            follower.look()
    put_job(mirror, hosts=3, definitions=definitions, ended=True)
    mirror.sync()
    assert mirror.series("job") == replayed(definitions, hosts)
    assert mirror.is_final("job")


def put_part(mirror: Mirror, host: str, log: Events, borders: tuple[int, int, int]) -> None:
    """Store a stretch of a host's log, which goes over to a second stream at a restart."""
    start, at_restart, end = borders
    before, after = log[start : min(at_restart, end)], log[max(at_restart, start) : end]
    for epoch_s, part in ((EPOCH_S, before), (EPOCH_S + 90, after)):
        if part:
            put_log(mirror.account, "job", part, host=host, epoch_s=epoch_s)
