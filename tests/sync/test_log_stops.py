"""Passes over logs that are stopped or fail; any split into passes gives the result of one."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mlflow_smwatch.engine.mirror import Mirror as Engine
from tests.jobs import Events, arn, moment, put_log, replayed
from tests.sync.conftest import EVENTS, Mirror
from tests.sync.logged import (
    CREATED_MS,
    EPOCH_S,
    LOSS,
    Follower,
    interrupted,
    losses,
    put_job,
    put_running,
    source,
    values,
)


def big(count: int, seed: int = 1) -> Events:
    """Make a log of many points, some at one millisecond."""
    chance = random.Random(seed)
    at_ms, found = CREATED_MS, []
    for number in range(count):
        at_ms += chance.choice((0, 0, 1, 200))
        found.append((at_ms, f"loss={number}"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("ended", [True, False], ids=["ended", "running"])
@pytest.mark.parametrize("pages", [0, 1, 2, 5, 7])
def test_a_pass_that_is_stopped_is_gone_on_with(mirror: Mirror, pages: int, *, ended: bool) -> None:
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


@pytest.mark.slow
def test_stopped_again_and_again_in_a_restarted_host(mirror: Mirror) -> None:
    """The rest of an early stream comes before the next stream, also where passes are cut off."""
    put_running(mirror)
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
def test_many_points_are_written_in_parts(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the middle costs what was not written; the next pass goes on."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    put_job(mirror, hosts=2, ended=True)
    logs = {"algo-1": big(14_000), "algo-2": big(200, seed=2)}
    for host, each in logs.items():
        put_log(mirror.account, "job", each, host=host)
    mirror.account.faults.page_size(EVENTS, 1000)
    fail_after = failing_after(mirror, EVENTS, 9)
    report = Engine(mirror.options(), fail_after).sync()
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


def test_an_error_in_the_middle_of_one_job(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails alone with its reason and is read whole by the next pass."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    put_job(mirror, ended=True)
    put_job(mirror, "other", ended=True, definitions={})
    put_log(mirror.account, "job", big(300))
    mirror.account.faults.page_size(EVENTS, 50)
    options = mirror.options()
    report = Engine(options, failing_after(mirror, EVENTS, 3)).sync()
    assert [failure.arn for failure in report.failed] == [arn("job")]
    assert mirror.is_final("other")
    assert not mirror.is_final("job")
    mirror.account.faults.clear()
    mirror.sync()
    assert values(mirror) == [float(n) for n in range(300)]


def test_two_mirrors_replay_one_job(mirror: Mirror) -> None:
    """One after the other into one store, each from its own place: each point once."""
    put_running(mirror)
    one, two = Follower(mirror, slack_s=60), Follower(mirror)
    for number in range(4):
        put_log(mirror.account, "job", losses(number, start_s=number))
        (one if number % 2 else two).look()
    put_job(mirror, ended=True)
    one.look()
    two.look()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0]
    assert mirror.is_final("job")


# ---------------------------------------------------------------------------- any split


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
)
def test_any_split_into_passes_gives_the_result_of_one(mirror: Mirror, seed: int) -> None:
    """Pages, passes, engines, interruptions and the order of hosts change nothing."""
    chance = random.Random(seed)
    definitions = {**LOSS, "acc": r"acc[=:](\d\S*)"}
    hosts = {f"algo-{n}": big(chance.randrange(20, 60), seed=n) for n in range(1, 4)}
    hosts = {
        host: [(ms, chance.choice((text, f"{text}\nacc=1", "none"))) for ms, text in each]
        for host, each in hosts.items()
    }
    restarts = {host: chance.randrange(len(each)) for host, each in hosts.items()}
    put_running(mirror, hosts=3, definitions=definitions)
    mirror.account.faults.page_size(EVENTS, chance.choice((3, 7, 20, 1000)))
    follower = Follower(mirror, slack_s=chance.choice((0, 60)), workers=chance.choice((1, 8)))
    written = dict.fromkeys(hosts, 0)
    for number in range(8):
        for host, each in hosts.items():
            upto = len(each) if number == 7 else chance.randrange(written[host], len(each) + 1)
            put_part(mirror, host, each, (written[host], restarts[host], upto))
            written[host] = upto
        put_running(
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
