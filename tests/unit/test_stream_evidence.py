"""When the streams that a listing shows of a job are taken for all that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mlflow_smwatch.core.describe import training_job
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.log_streams import LogStream, made_for
from mlflow_smwatch.core.stream_evidence import are_all
from tests.jobs import HOUR_MS, MINUTE_MS, arn, job_answer, moment

CREATED_MS = 1_700_000_000_000
BEGIN_MS = CREATED_MS + 4 * MINUTE_MS
END_MS = BEGIN_MS + 2 * HOUR_MS
ENDED_MS = END_MS + 10 * MINUTE_MS
SOON_MS = ENDED_MS + MINUTE_MS
LATER_MS = ENDED_MS + 7 * HOUR_MS

TRANSITIONS = (
    ("Starting", CREATED_MS),
    ("Downloading", CREATED_MS + MINUTE_MS),
    ("Training", BEGIN_MS),
    ("Uploading", END_MS),
    ("Completed", ENDED_MS),
)


def described(transitions: Sequence[tuple[str, int]] = TRANSITIONS, **changes: Any) -> Job:
    """Describe a job that trained for two hours."""
    ends_ms = [*(begin_ms for _, begin_ms in transitions), ENDED_MS][1:]
    answer = job_answer(
        "job",
        created_ms=CREATED_MS,
        ended_ms=ENDED_MS,
        SecondaryStatusTransitions=[
            {"Status": status, "StartTime": moment(begin_ms), "EndTime": moment(end_ms)}
            for (status, begin_ms), end_ms in zip(transitions, ends_ms, strict=True)
        ],
        TrainingJobArn=arn("job"),
        **changes,
    )
    return training_job(answer)


def stream(
    host: str = "algo-1", begin_ms: int = BEGIN_MS, last_ms: int | None = END_MS - 1
) -> LogStream:
    """Make a stream as it is listed."""
    return LogStream(name=f"{host}-{begin_ms // 1000}", created_ms=begin_ms, last_event_ms=last_ms)


TOLD = described()
TWO_HOSTS = described(hosts=2)

CASES = [
    pytest.param(TOLD, [stream()], SOON_MS, True, id="covered"),
    pytest.param(TOLD, [], LATER_MS, False, id="none"),
    pytest.param(TOLD, [stream(last_ms=None)], LATER_MS, False, id="end-unknown"),
    pytest.param(TOLD, [stream(last_ms=END_MS - HOUR_MS)], LATER_MS, False, id="ends-early"),
    pytest.param(TOLD, [stream(begin_ms=BEGIN_MS + HOUR_MS)], LATER_MS, False, id="begins-late"),
    pytest.param(TOLD, [stream(begin_ms=CREATED_MS - 5000)], LATER_MS, False, id="too-early"),
    pytest.param(TOLD, [stream("algo-2")], SOON_MS, False, id="other-host"),
    pytest.param(TOLD, [stream(), stream("algo-2")], SOON_MS, False, id="one-host-too-many"),
    pytest.param(TOLD, [stream(), stream(begin_ms=BEGIN_MS + 1000)], SOON_MS, False, id="twice"),
    pytest.param(TWO_HOSTS, [stream("algo-2"), stream()], SOON_MS, True, id="two-hosts"),
    pytest.param(TWO_HOSTS, [stream()], LATER_MS, False, id="one-of-two"),
    pytest.param(
        TWO_HOSTS, [stream(), stream("algo-2", last_ms=BEGIN_MS)], LATER_MS, False, id="one-died"
    ),
    pytest.param(replace(TOLD, restarted=True), [stream()], LATER_MS, False, id="restarted"),
    pytest.param(replace(TOLD, hosts=()), [], LATER_MS, False, id="hosts-unknown"),
]


@pytest.mark.parametrize(("job", "streams", "listed_ms", "expected"), CASES)
def test_streams_that_leave_no_room(
    job: Job, streams: list[LogStream], listed_ms: int, expected: bool
) -> None:
    """One stream of each host, from the training's begin to its end; the phases tell both."""
    assert are_all(job, streams, listed_ms) is expected


@pytest.mark.parametrize(("listed_ms", "expected"), [(SOON_MS, False), (LATER_MS, True)])
def test_short_trainings_have_less_slack_while_times_lag(listed_ms: int, expected: bool) -> None:
    """Four minutes lack at the end of a training of ten: a later stream may not be listed yet."""
    begin_ms = END_MS - 10 * MINUTE_MS
    job = described(
        [("Starting", CREATED_MS), ("Training", begin_ms), ("Completed", END_MS)],
        TrainingEndTime=moment(END_MS),
    )
    quiet = stream(begin_ms=begin_ms, last_ms=END_MS - 4 * MINUTE_MS)
    assert are_all(job, [quiet], listed_ms) is expected
    assert are_all(job, [stream(begin_ms=begin_ms, last_ms=END_MS - 30_000)], listed_ms)


RESTARTS = [
    pytest.param(["Starting", "Training", "Completed"], False, id="none"),
    pytest.param(["Starting", "Training", "Interrupted", "Starting", "Training"], True, id="spot"),
    pytest.param(["Starting", "Training", "Restarting", "Completed"], True, id="retry"),
    pytest.param(["Training", "Downloading", "Training"], True, id="twice"),
    pytest.param([], False, id="nothing-told"),
]


@pytest.mark.parametrize(("statuses", "restarted"), RESTARTS)
def test_a_description_tells_of_restarts(statuses: list[str], restarted: bool) -> None:
    """Also where it only says that the job trained twice."""
    assert described([(each, CREATED_MS) for each in statuses]).restarted is restarted


def test_streams_of_an_earlier_job_of_the_name() -> None:
    """What was made well before the job is not its own; a time that is not told is no time."""
    streams = [
        LogStream(name=f"algo-1-{n}", created_ms=created_ms)
        for n, created_ms in enumerate((0, CREATED_MS - 2 * MINUTE_MS, CREATED_MS - 1, BEGIN_MS))
    ]
    assert [each.name for each in made_for(streams, CREATED_MS)] == [
        "algo-1-0",
        "algo-1-2",
        "algo-1-3",
    ]
