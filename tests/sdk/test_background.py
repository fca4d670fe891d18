"""What is followed in the background is looked at when it is due, or sooner."""

from __future__ import annotations

from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.core.job_kinds import TRAINING_JOB
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.sdk.background import _Thread
from mlflow_smwatch.sdk.references import JobReference

JOB = JobReference(kind=TRAINING_JOB, name="job")


def test_a_hurry_outlasts_a_look_that_fails() -> None:
    """A call that came back during it gets a look of its own at once, and waits for that."""
    thread = _Thread(SyncOptions())
    assert thread.take(JOB, 60.0)
    due = thread._next()
    seen = thread.hurry(JOB)
    thread._note_failure(StopError("no connection"), due)
    assert seen is not None
    assert not seen.is_set()
    (job,) = thread._jobs.values()
    assert job.due_s == 0.0
    assert thread._next() == due


def test_without_a_hurry_a_failure_is_waited_out() -> None:
    """Twice as long after each, up to five minutes."""
    thread = _Thread(SyncOptions())
    thread.take(JOB, 60.0)
    pauses = []
    for _ in range(4):
        (job,) = thread._jobs.values()
        job.due_s = 0.0
        due = thread._next()
        looked_s = job.due_s - 60.0
        thread._note_failure(StopError("no connection"), due)
        pauses.append(round(job.due_s - looked_s))
    assert pauses == [60, 120, 240, 300]
