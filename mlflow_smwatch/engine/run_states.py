"""What a run says by itself of whether it is to be written."""

from __future__ import annotations

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.matching import KnownRun, is_note
from mlflow_smwatch.core.record import RunRecord
from mlflow_smwatch.engine.task import ENDED


def is_back(run: KnownRun) -> bool:
    """Whether a run is to be written although nothing is new: what it was noted to be is over."""
    return names.GONE in run.tags or names.FORGOTTEN in run.tags


def is_removed(run: KnownRun) -> bool:
    """Whether a run was deleted, or is a note that its job is forgotten."""
    return not run.active or is_note(run)


def is_ended_otherwise(run: KnownRun, record: RunRecord) -> bool:
    """Whether a job's own script has given its run another status or end than the job's."""
    if run.mirrored:
        return False
    return run.status != record.status or record.end_ms not in {None, run.end_ms}


def is_leaving(job: Job | None, run: KnownRun) -> bool:
    """Whether AWS is deleting a job whose run has ended: its status no longer tells the outcome."""
    if job is None or job.kind.state_from_children:
        return False
    return job.status not in job.kind.known_statuses and run.status in ENDED
