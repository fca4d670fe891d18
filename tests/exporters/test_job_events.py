"""What happened to a job, by what is written of it."""

from __future__ import annotations

from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.exporters.job_events import CREATED, FINAL, STATUS, JobEvents
from tests.exporters.observations import CREATED_MS, point, written

NOW_S = CREATED_MS / 1000 + 7200


def test_the_life_of_a_job() -> None:
    """Created, each change of its status once, and the end; points alone are no event."""
    events = JobEvents(lambda: NOW_S)
    loss: MetricPoint = point("loss", 1.0)
    told = [
        events.of(written("job", created=True, status="SCHEDULED", secondary_status="Starting")),
        events.of(written("job", loss, secondary_status="Training")),
        events.of(written("job", loss, secondary_status="Training")),
        events.of(written("job", status="FAILED", status_="", failure_reason="no disk")),
        events.of(written("job", final=True, status="FAILED", failure_reason="no disk")),
    ]
    assert [[each.name for each in some] for some in told] == [
        [CREATED, STATUS],
        [STATUS],
        [],
        [STATUS],
        [FINAL],
    ]
    failed = told[3][0]
    assert failed.text == "training-job job: FAILED: no disk"
    assert (failed.previous, failed.status) == ("RUNNING", "FAILED")
    assert (failed.timestamp_ms, failed.observed_ms) == (CREATED_MS + 3_600_000, NOW_S * 1000)
    assert told[0][0].timestamp_ms == CREATED_MS
    assert told[1][0].text == "training-job job: RUNNING (Training)"
    assert told[4][0].text == "training-job job: mirrored to the end"


def test_a_job_that_another_process_began() -> None:
    """Its status is told as it is; of a trial, whose state is its jobs', nothing but the start."""
    events = JobEvents(lambda: NOW_S)
    (first,) = events.of(written("job"))
    assert (first.name, first.previous) == (STATUS, None)
    trial = written("a-trial", kind="trial", created=True, final=True)
    assert [each.name for each in events.of(trial)] == [CREATED]
