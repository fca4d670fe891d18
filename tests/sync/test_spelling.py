"""SageMaker may write a job's name in small letters into its ARN; it is one job all the same."""

from __future__ import annotations

from tests.jobs import MINUTE_MS, arn, job_answer, now_ms
from tests.sync.conftest import Mirror

NAME = "My-Job"
ARN = arn(NAME.lower())
CREATED_MS = now_ms() - 60 * MINUTE_MS


def put(mirror: Mirror, *, ended: bool) -> None:
    """Put the job as AWS describes it."""
    ended_ms = CREATED_MS + 10 * MINUTE_MS if ended else None
    answer = job_answer(NAME, created_ms=CREATED_MS, ended_ms=ended_ms)
    mirror.account.put_training_job({**answer, "TrainingJobArn": ARN})


def test_a_running_job_is_followed_to_its_end(mirror: Mirror) -> None:
    """An open run is asked for by the name that stands in its tags, and never taken for gone."""
    put(mirror, ended=False)
    mirror.sync()
    put(mirror, ended=True)
    report = mirror.sync(since="1m")
    assert not report.failed
    (run,) = mirror.runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["sagemaker.arn"] == ARN


def test_a_job_is_found_by_such_an_arn(mirror: Mirror) -> None:
    """An ARN that was copied from AWS leads to its job."""
    put(mirror, ended=True)
    report = mirror.sync(ARN)
    assert [line.name for line in report.runs] == [NAME]
    assert not report.failed


def test_a_name_tag_that_was_edited_leads_nowhere_else(mirror: Mirror) -> None:
    """A name that does not belong to the ARN is not asked for."""
    put(mirror, ended=False)
    mirror.sync()
    (run,) = mirror.runs()
    mirror.client.set_tag(run.info.run_id, "sagemaker.name", "another-job")
    report = mirror.sync(since="1m")
    assert not report.failed
    (run,) = mirror.runs()
    assert run.info.status == "RUNNING"
