"""When a followed job is looked at again, and when it is left."""

from __future__ import annotations

import pytest

from mlflow_smwatch.sdk.pursuit import GRACE_S, Pursuit
from tests.sdk.runs import run_with


def pursuit() -> Pursuit:
    return Pursuit(interval_s=20, settle_s=180)


@pytest.mark.parametrize(
    ("kind", "status", "final", "over"),
    [
        ("training-job", "SCHEDULED", None, False),
        ("training-job", "RUNNING", None, False),
        ("training-job", "FINISHED", None, False),
        ("training-job", "FINISHED", "true", True),
        ("training-job", "FAILED", "true", True),
        ("trial", "RUNNING", None, False),
        ("endpoint", "SCHEDULED", None, False),
        ("endpoint", "RUNNING", None, True),
        ("endpoint", "FAILED", None, True),
    ],
)
def test_what_is_over(kind: str, status: str, final: str | None, over: bool) -> None:
    """A job when its run is final; an endpoint when it has begun."""
    tags = {"sagemaker.kind": kind, **({"smwatch.final": final} if final else {})}
    assert pursuit().is_over(run_with(tags, status), 0) is over


def test_an_ended_job_is_looked_at_when_it_is_settled() -> None:
    """Not before: nothing would be new; and one that stays open is left in the end."""
    followed = pursuit()
    running = run_with({"sagemaker.kind": "training-job"}, "RUNNING")
    ended = run_with({"sagemaker.kind": "training-job"}, "FINISHED")
    assert not followed.is_over(running, 1000)
    assert followed.pause_s(1000) == 20
    assert not followed.is_over(ended, 1020)
    assert followed.pause_s(1020) == 181
    assert followed.pause_s(1100) == 101
    assert not followed.is_over(ended, 1201)
    assert followed.pause_s(1201) == 20
    assert followed.is_over(ended, 1020 + 180 + GRACE_S + 1)


def test_a_job_that_runs_again_has_not_ended() -> None:
    """A trial is over as long as none of its jobs runs."""
    followed = pursuit()
    followed.is_over(run_with({"sagemaker.kind": "trial"}, "FINISHED"), 0)
    followed.is_over(run_with({"sagemaker.kind": "trial"}, "RUNNING"), 10)
    assert followed.ended_s is None
