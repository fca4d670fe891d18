"""A pass is killed between points from logs and their watermark, then an earlier event comes."""

from __future__ import annotations

import pytest

from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import HOUR_MS, curve, job_answer, now_ms, put_log, put_loss, whole
from tests.sync.conftest import EVENTS, STREAMS, Mirror
from tests.sync.test_crash import killed

LINES = 4000


def put_running_job(account: EmulatedAccount, lines: int = LINES) -> int:
    """Put a job with a log; return when it was created."""
    created_ms = whole(now_ms()) - HOUR_MS
    account.put_training_job(job_answer("job", created_ms=created_ms))
    if lines:
        put_log(account, "job", [(created_ms + n * 10, f"value={n}") for n in range(lines)])
    return created_ms


def end(account: EmulatedAccount, created_ms: int) -> None:
    """End the job, long ago."""
    ended_ms = created_ms + HOUR_MS // 2
    account.put_training_job(job_answer("job", created_ms=created_ms, ended_ms=ended_ms))


def forget(mirror: Mirror) -> None:
    """Set the watermark back to the one that a run is made with, as a kill would leave it."""
    run = mirror.run("job").info.run_id
    for key, value in to_tags(Watermark(made_ms=mirror.watermark("job").made_ms)).items():
        mirror.client.set_tag(run, key, value)
    mirror.client.delete_tag(run, "smwatch.final")


@pytest.fixture
def created_ms(mirror: Mirror) -> int:
    """Put a job and kill a pass that has written some of its points."""
    created_ms = put_running_job(mirror.account)
    mirror.refuse_units()
    assert killed(mirror, 1200)
    assert mirror.watermark("job").points == {}
    return created_ms


def test_nothing_is_doubled(mirror: Mirror, created_ms: int) -> None:
    """Points that were written keep their steps; the late one gets the next that is free."""
    written = {step: value for _, step, value in mirror.series("job")["loss"]}
    put_log(mirror.account, "job", [(created_ms + 5005, "value=0.5")])
    mirror.sync()
    found = mirror.series("job")["loss"]
    assert sorted(value for *_, value in found) == sorted([*map(float, range(LINES)), 0.5])
    steps = {step: value for _, step, value in found}
    assert sorted(steps) == list(range(LINES + 1))
    assert written.items() <= steps.items()
    assert mirror.watermark("job").points == {"loss": LINES + 1}


@pytest.mark.slow
def test_a_second_kill_leaves_it_to_the_next_pass(mirror: Mirror, created_ms: int) -> None:
    """The watermark stays where it was until the logs are read whole."""
    put_log(mirror.account, "job", [(created_ms + 5005, "value=0.5")])
    put_log(mirror.account, "job", [(created_ms + 50_000 + n, f"value=-{n}") for n in range(6000)])
    assert killed(mirror, 3000)
    assert mirror.watermark("job").points == {}
    mirror.sync()
    found = mirror.series("job")["loss"]
    assert len(found) == LINES + 1 + 6000
    assert sorted(step for _, step, _ in found) == list(range(LINES + 1 + 6000))


def test_all_points_are_written_and_none_is_vouched_for(mirror: Mirror) -> None:
    """The source is the logs, whose points are all there; CloudWatch gives none of its own."""
    created_ms = put_running_job(mirror.account, lines=40)
    end(mirror.account, created_ms)
    put_loss(mirror.account, "job", curve(created_ms, 5))
    mirror.sync()
    forget(mirror)
    mirror.sync()
    assert [value for *_, value in mirror.series("job")["loss"]] == list(map(float, range(40)))
    run = mirror.run("job")
    assert run.data.tags["smwatch.metric_source"] == "logs"
    assert mirror.is_final("job")


def test_points_of_cloudwatch_that_are_not_vouched_for(mirror: Mirror) -> None:
    """The logs hold no match, so what the run has is from CloudWatch, and stays so."""
    created_ms = put_running_job(mirror.account, lines=0)
    put_log(mirror.account, "job", [(created_ms, "nothing to see")])
    end(mirror.account, created_ms)
    put_loss(mirror.account, "job", curve(created_ms, 5))
    mirror.sync()
    before = mirror.series("job")
    forget(mirror)
    mirror.sync()
    assert mirror.series("job") == before
    assert mirror.run("job").data.tags["smwatch.metric_source"] == "cloudwatch"
    assert mirror.watermark("job").points["loss"] == 5


@pytest.mark.parametrize("denied", [STREAMS, EVENTS])
def test_logs_that_are_denied_in_between(mirror: Mirror, created_ms: int, denied: str) -> None:
    """A pass that cannot read the logs leaves the recovery to the next one."""
    mirror.account.faults.deny(denied)
    mirror.sync(metrics="logs")
    mirror.account.faults.clear()
    put_log(mirror.account, "job", [(created_ms + 5005, "value=0.5")])
    mirror.sync(metrics="logs")
    found = mirror.series("job")["loss"]
    assert sorted(step for _, step, _ in found) == list(range(LINES + 1))
    assert len({(at, value) for at, _, value in found}) == LINES + 1


@pytest.mark.slow
def test_names_of_other_hosts(mirror: Mirror) -> None:
    """A metric of another host is recovered under its own key."""
    created_ms = now_ms() - HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms, hosts=2))
    for host in ("algo-1", "algo-2"):
        events = [(created_ms + n * 10, f"value={n}") for n in range(2500)]
        put_log(mirror.account, "job", events, host=host)
    mirror.refuse_units()
    assert killed(mirror, 4000)
    put_log(mirror.account, "job", [(created_ms + 5, "value=0.5")], host="algo-2")
    mirror.sync()
    counts = {key: len(points) for key, points in mirror.series("job").items()}
    assert counts == {"loss": 2500, "loss/algo-2": 2501}


def test_a_run_that_is_not_ahead_is_read_from_its_position(mirror: Mirror) -> None:
    """Where points and watermark agree, no history is asked for and one page is enough."""
    created_ms = put_running_job(mirror.account)
    mirror.sync()
    put_log(mirror.account, "job", [(created_ms + HOUR_MS // 2, "value=7")])
    mirror.sync()
    assert len(mirror.series("job")["loss"]) == LINES + 1
    assert (mirror.account.calls[STREAMS], mirror.account.calls[EVENTS]) == (1, 2)
    starts = [each.parameters.get("startTime") for each in mirror.account.requests]
    assert created_ms + (LINES - 1) * 10 in starts
