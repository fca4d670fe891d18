"""Running jobs over several passes: followed, restarted, with events that come late."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.jobs import arn, moment, now_ms, put_log
from tests.sync.conftest import DISCOVERY, EVENTS, STREAMS, Mirror
from tests.sync.logged import (
    CREATED_MS,
    ENDED_MS,
    EPOCH_S,
    LOSS,
    Follower,
    losses,
    put_job,
    put_running,
    source,
    values,
)


def test_a_running_job_is_followed(mirror: Mirror) -> None:
    """Each pass writes what is new, steps go on; at the end all is there once."""
    put_running(mirror, hosts=2)
    put_log(mirror.account, "job", losses(0, 1))
    assert mirror.sync().points == 2
    assert source(mirror) == "logs"
    put_log(mirror.account, "job", losses(2, 3, start_s=2))
    put_log(mirror.account, "job", losses(7), host="algo-2")
    assert mirror.sync().points == 3
    assert mirror.sync().points == 0
    put_log(mirror.account, "job", losses(4, start_s=4))
    put_job(mirror, hosts=2, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert values(mirror, "loss/algo-2") == [7.0]
    assert mirror.is_final("job")
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


def test_a_running_job_without_news_is_not_written(mirror: Mirror) -> None:
    """Not even its time."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(0, 1))
    mirror.sync()
    before = mirror.dump()
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.dump() == before


def test_events_of_one_millisecond_come_in_two_passes(mirror: Mirror) -> None:
    """A position counts the events of its timestamp."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(0, 1, every_ms=0))
    mirror.sync()
    put_log(mirror.account, "job", losses(1, 2, every_ms=0))
    mirror.sync()
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 1.0, 2.0]


def test_lines_without_match_move_on_too(mirror: Mirror) -> None:
    """They are not read again, and not counted twice."""
    put_running(mirror)
    put_log(mirror.account, "job", [*losses(0), *((ms, "loss=x") for ms, _ in losses(1, 1))])
    mirror.sync()
    put_log(mirror.account, "job", [(ms, "loss=y") for ms, _ in losses(1, start_s=9)])
    mirror.sync()
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0]
    assert "3 matches are skipped" in mirror.run("job").data.tags["smwatch.warning"]


def restart(mirror: Mirror, seconds: int, **changes: Any) -> None:
    """Change the job as a restart does: SageMaker notes when."""
    put_running(mirror, LastModifiedTime=moment(CREATED_MS + seconds * 1000), **changes)


def test_a_restarted_host_is_followed(mirror: Mirror) -> None:
    """Its next stream goes on with the steps."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(0, 1), epoch_s=EPOCH_S)
    mirror.sync()
    put_log(mirror.account, "job", losses(2, start_s=10), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", losses(3, start_s=100), epoch_s=EPOCH_S + 90)
    restart(mirror, 90)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0]
    put_log(mirror.account, "job", losses(4, start_s=101), epoch_s=EPOCH_S + 90)
    assert mirror.sync().points == 1
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0, 4.0]
    streams = json.loads(mirror.run("job").data.tags["sagemaker.log_streams"])
    assert streams == [f"job/algo-1-{EPOCH_S}", f"job/algo-1-{EPOCH_S + 90}"]


def test_a_restarted_host_that_writes_later_is_followed(mirror: Mirror) -> None:
    """A container writes its first line some time after the status has changed."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(0, 1), epoch_s=EPOCH_S)
    follower = Follower(mirror, slack_s=60)
    follower.look()
    began_ms = now_ms()
    transitions = [
        {"Status": "Starting", "StartTime": moment(CREATED_MS), "EndTime": moment(began_ms)},
        {"Status": "Restarting", "StartTime": moment(began_ms), "EndTime": moment(began_ms)},
        {"Status": "Training", "StartTime": moment(began_ms)},
    ]
    put_running(mirror, LastModifiedTime=moment(began_ms), SecondaryStatusTransitions=transitions)
    assert follower.look().points == 0
    put_log(mirror.account, "job", losses(2, start_s=100), epoch_s=began_ms // 1000 + 5)
    assert follower.look().points == 1
    put_log(mirror.account, "job", losses(3, start_s=101), epoch_s=began_ms // 1000 + 5)
    assert follower.look().points == 1
    assert mirror.account.calls[STREAMS] == 0
    assert mirror.account.calls[EVENTS] == 1
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0]


def test_a_host_that_writes_later_is_followed(mirror: Mirror) -> None:
    """As long as a host has no stream it is looked for."""
    put_running(mirror, hosts=3)
    put_log(mirror.account, "job", losses(0))
    mirror.sync()
    for number in (3, 2):
        put_log(mirror.account, "job", losses(number), host=f"algo-{number}")
        mirror.sync()
        assert values(mirror, f"loss/algo-{number}") == [float(number)]


def test_late_events_are_found_at_the_last_look(mirror: Mirror) -> None:
    """What came into a stretch that was read before is there once, with the next free step."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(0, 1, 2, 3, every_ms=60_000))
    mirror.sync()
    put_log(mirror.account, "job", losses(8, 9, start_s=61))
    put_log(mirror.account, "job", losses(1, start_s=30))
    assert mirror.sync().points == 0
    put_log(mirror.account, "job", losses(4, 5, start_s=600))
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 8.0, 9.0]
    times = {(timestamp, value) for timestamp, _, value in mirror.series("job")["loss"]}
    written = [*losses(0, 1, 2, 3, every_ms=60_000), *losses(8, 9, start_s=61)]
    written += [*losses(1, start_s=30), *losses(4, 5, start_s=600)]
    assert times == {(ms, float(text.removeprefix("loss="))) for ms, text in written}
    assert mirror.is_final("job")
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


def test_late_events_of_equal_value_and_time(mirror: Mirror) -> None:
    """As many points as events, NaN among them."""
    put_running(mirror, hosts=2)
    for host in ("algo-1", "algo-2"):
        put_log(mirror.account, "job", losses(1, float("inf"), 2), host=host)
    mirror.sync()
    late = [*losses(1, 1, every_ms=0), *losses(float("inf"), start_s=1)]
    put_log(mirror.account, "job", late, host="algo-2")
    put_job(mirror, hosts=2, ended=True)
    mirror.sync()
    assert len(values(mirror)) == 3
    found = values(mirror, "loss/algo-2")
    assert sorted(found) == [1.0, 1.0, 1.0, 2.0, *[max(found)] * 2]
    assert len(mirror.series("job")["loss/algo-2"]) == 6


def test_late_nan(mirror: Mirror) -> None:
    """A NaN that is written is known again."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(float("nan"), float("nan"), 2))
    mirror.sync()
    put_log(mirror.account, "job", losses(float("nan"), start_s=1))
    put_job(mirror, ended=True)
    mirror.sync()
    assert len(mirror.series("job")["loss"]) == 4
    assert len(values(mirror)) == 4


def test_a_late_event_in_a_stream_before_the_last(mirror: Mirror) -> None:
    """Also in the stream of a host that has been restarted since, not followed any more."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(0, 1), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", losses(2, 3, start_s=100), epoch_s=EPOCH_S + 90)
    mirror.sync()
    put_log(mirror.account, "job", losses(8, start_s=0.5), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", losses(9, start_s=5), epoch_s=EPOCH_S)
    put_job(mirror, ended=True)
    mirror.sync()
    assert values(mirror)[:4] == [0.0, 1.0, 2.0, 3.0]
    assert sorted(values(mirror)[4:]) == [8.0, 9.0]


def test_a_final_job_that_aws_touches(mirror: Mirror) -> None:
    """It is looked at once more, and not again."""
    put_job(mirror, ended=True)
    put_log(mirror.account, "job", losses(0, 1))
    mirror.sync()
    put_job(mirror, ended=True, LastModifiedTime=moment(ENDED_MS + 1000))
    put_log(mirror.account, "job", losses(2, start_s=10))
    mirror.sync()
    assert values(mirror) == [0.0, 1.0, 2.0]
    mirror.sync()
    assert mirror.account.calls == DISCOVERY
    put_job(mirror, ended=True, LastModifiedTime=moment(ENDED_MS + 2000))
    mirror.sync()
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


def test_an_adopted_run_over_several_passes(mirror: Mirror) -> None:
    """Metrics of the logs come when the script can log none of them any more; its own never."""
    put_running(mirror, definitions={**LOSS, "acc": r"acc=(\S+)"})
    lines = [(ms, f"{text} acc={place}") for place, (ms, text) in enumerate(losses(5, 6, 7))]
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
    assert "acc" not in mirror.series("job")
    put_log(mirror.account, "job", lines[1:2])
    put_job(mirror, ended=True, definitions={**LOSS, "acc": r"acc=(\S+)"})
    mirror.sync()
    assert mirror.series("job")["loss"] == [(CREATED_MS + 7, 3, 99.0)]
    assert values(mirror, "acc") == [0.0, 1.0, 2.0]
    assert mirror.is_final("job")


# ---------------------------------------------------------------------------------- one engine


def test_a_live_stream_costs_one_call(mirror: Mirror) -> None:
    """Once it is known, a pass of the same engine asks for its events once, and for no list."""
    put_running(mirror, hosts=2)
    for host in ("algo-1", "algo-2"):
        put_log(mirror.account, "job", losses(0, 1), host=host)
    follower = Follower(mirror, slack_s=60)
    follower.look()
    for number in range(3):
        put_log(mirror.account, "job", losses(number + 2, start_s=number + 2))
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
    assert mirror.account.calls == DISCOVERY


@pytest.mark.parametrize("slack_s", [0, 60])
def test_a_follower_of_small_pages(mirror: Mirror, slack_s: float) -> None:
    """However pages fall, what came at last is the log in its order, restarts among it."""
    put_running(mirror)
    put_log(mirror.account, "job", losses(*range(9)), epoch_s=EPOCH_S)
    put_log(mirror.account, "job", losses(*range(9, 15), start_s=100), epoch_s=EPOCH_S + 90)
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
        put_running(mirror, name)
    for number in range(3):
        for name in names[number:]:
            put_log(mirror.account, name, losses(number, start_s=number))
        follower.look()
        put_job(mirror, names[number], ended=True)
    follower.look()
    assert [len(values(mirror, job=name)) for name in names] == [1, 2, 3]
    assert all(mirror.is_final(name) for name in names)
