"""What one job, one account or one option must not do to the others."""

from __future__ import annotations

from typing import Any

import mlflow
import pytest

from mlflow_smwatch.core.errors import StopError
from mlflow_smwatch.engine.mirror import sync
from mlflow_smwatch.report import SyncReport
from tests.jobs import HOUR_MS, arn, curve, final_metrics, job_answer, now_ms, put_loss, whole
from tests.sync.conftest import DISCOVERY, DOCUMENTS, METRICS, STREAMS, Mirror


def put_job(mirror: Mirror, name: str, *, ended: bool = True, points: int = 30, **more: Any) -> int:
    """Put a job of an hour that began two hours ago, with a curve."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    ended_ms = created_ms + HOUR_MS if ended else None
    mirror.account.put_training_job(
        job_answer(name, created_ms=created_ms, ended_ms=ended_ms, **more)
    )
    put_loss(mirror.account, name, curve(created_ms, points))
    return created_ms


def move_account(mirror: Mirror, name: str, account: str) -> str:
    """Make the run of a job one of another account that shares this MLflow; give its id."""
    run_id: str = mirror.run(name).info.run_id
    mirror.client.set_tag(run_id, "sagemaker.arn", arn(name, account=account))
    return run_id


def test_metrics_off_does_not_end_a_job_that_was_half_read(mirror: Mirror) -> None:
    """What a pass with metrics began, another pass with metrics ends."""
    created_ms = put_job(mirror, "job", ended=False, points=20)
    mirror.sync()
    put_loss(
        mirror.account, "job", [(created_ms + 20 * 60_000 + n * 60_000, 1.0) for n in range(5)]
    )
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    mirror.sync(metrics="off")
    assert not mirror.is_final("job")
    mirror.sync()
    assert len(mirror.series("job")["loss"]) == 25
    assert mirror.is_final("job")


def test_open_runs_of_another_account_are_left_alone(mirror: Mirror) -> None:
    """Development and production may share an MLflow: no failure, no call for the other's runs."""
    put_job(mirror, "theirs", ended=False)
    mirror.sync()
    theirs = move_account(mirror, "theirs", "999999999999")
    mirror.account.remove_training_job("theirs")
    put_job(mirror, "ours")
    report = mirror.sync()
    assert [failure.error for failure in report.failed] == []
    assert report.jobs["created"] == 1
    assert mirror.account.calls == {**DISCOVERY, STREAMS: 1, METRICS: 1}
    assert "smwatch.final" not in mirror.client.get_run(theirs).data.tags


def test_a_job_that_aws_deleted_is_closed(mirror: Mirror) -> None:
    """Its run ends, with a warning; the next pass does not ask again."""
    created_ms = put_job(mirror, "job", ended=False)
    put_job(mirror, "other")
    mirror.sync()
    mirror.account.remove_training_job("job")
    report = mirror.sync()
    assert report.jobs["failed"] == 0
    run = mirror.run("job")
    assert run.info.status == "KILLED"
    assert run.info.end_time == mirror.watermark("job").modified_ms
    assert run.info.end_time >= created_ms
    assert "AWS no longer knows this job" in run.data.tags["smwatch.warning"]
    assert mirror.is_final("job")
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


def test_an_unknown_account_does_not_end_the_pass(mirror: Mirror) -> None:
    """Where nothing was listed and STS is denied, open runs are left alone with a warning."""
    put_job(mirror, "job", ended=False)
    mirror.sync()
    mirror.account.remove_training_job("job")
    mirror.account.faults.deny("sts:GetCallerIdentity")
    report = mirror.sync()
    assert report.jobs["seen"] == 0
    assert "sts:GetCallerIdentity" in mirror.warnings(report)
    assert not mirror.is_final("job")


def test_a_job_that_is_being_deleted_keeps_its_end(mirror: Mirror) -> None:
    """AWS deletes ended jobs only: the run stays as it ended."""
    created_ms = put_job(mirror, "job")
    mirror.sync()
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            TrainingJobStatus="Deleting",
        )
    )
    mirror.sync()
    assert mirror.run("job").info.status == "FINISHED"


def test_final_values_do_not_come_after_giving_up(mirror: Mirror) -> None:
    """Denied is not empty, also when only a tag changes later."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    answer = job_answer(
        "job",
        created_ms=created_ms,
        ended_ms=created_ms + HOUR_MS,
        FinalMetricDataList=final_metrics({"loss": 0.5}, created_ms),
    )
    mirror.account.put_training_job(answer)
    mirror.account.faults.deny("cloudwatch:GetMetricData")
    mirror.sync(give_up_denied=True)
    assert mirror.is_final("job")
    mirror.account.faults.clear()
    mirror.account.put_training_job(answer, {"team": "vision"})
    mirror.sync()
    assert mirror.run("job").data.tags["sagemaker.tag.team"] == "vision"
    assert mirror.series("job") == {}


def test_who_asks_for_a_deleted_run_is_told_how_to_get_it_back(mirror: Mirror) -> None:
    """Only who names the job is told; others see it as unchanged."""
    put_job(mirror, "job")
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    mirror.client.delete_run(run_id)
    assert mirror.sync().warnings == []
    assert "smwatch sync job --restore" in mirror.warnings(mirror.sync("job"))


def test_a_foreign_run_and_a_denied_description_stop_nothing(mirror: Mirror) -> None:
    """The job gets its own run; which run it logged itself cannot be asked."""
    created_ms = put_job(mirror, "job")
    experiment = mirror.client.create_experiment("mine")
    mirror.client.create_run(
        experiment, start_time=created_ms + 1, tags={"sagemaker.arn": arn("job")}
    )
    mirror.account.faults.deny("sagemaker:DescribeTrainingJob")
    report = mirror.sync()
    assert report.jobs["created"] == 1
    assert report.failed == []


def test_tags_that_were_denied_are_kept(mirror: Mirror) -> None:
    """Denied is not gone."""
    created_ms = put_job(mirror, "job")
    for later_ms in (0, 1):
        ended_ms = created_ms + HOUR_MS + later_ms
        answer = job_answer("job", created_ms=created_ms, ended_ms=ended_ms)
        mirror.account.put_training_job(answer, {"team": "vision"})
        mirror.sync()
        mirror.account.faults.deny("sagemaker:Search")
        mirror.account.faults.deny("sagemaker:ListTags")
    assert mirror.run("job").data.tags["sagemaker.tag.team"] == "vision"


def test_a_dry_run_forecasts_no_work_where_none_is(mirror: Mirror) -> None:
    """An unchanged account: nothing to update, no price."""
    put_job(mirror, "job")
    mirror.sync()
    report = mirror.sync(dry_run=True)
    assert report.jobs == {"seen": 1, "created": 0, "updated": 0, "unchanged": 1, "failed": 0}
    assert report.points == 0
    assert report.estimated_cost_usd == 0


def test_nothing_can_be_done_without_credentials(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error for the whole pass is no job's failure."""
    mirror.account.faults.fail("sagemaker:*", times=None, code="ExpiredTokenException")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StopError, match="renew"):
        mirror.sync()


def test_a_document_that_could_not_be_stored_is_stored_later(mirror: Mirror) -> None:
    """Values that were cut in tags stand in it: a refusal is not the end."""
    put_job(mirror, "job")
    blocked = mirror.database.parent / "blocked"
    blocked.write_text("a file where a folder should be")
    mirror.client.create_experiment("blocked", artifact_location=f"file://{blocked}/artifacts")
    report = mirror.sync(experiment="blocked")
    assert "job.json and sagemaker/lineage.html could not be stored" in mirror.warnings(report)
    assert mirror.is_final("job")
    unchanged = mirror.dump()
    assert mirror.sync(experiment="blocked").jobs["unchanged"] == 1
    assert mirror.dump() == unchanged
    blocked.unlink()
    assert mirror.sync(experiment="blocked").jobs["updated"] == 1
    run = mirror.run("job")
    assert "smwatch.warning" not in run.data.tags
    mlflow.set_tracking_uri(mirror.uri)  # where MLflow 3.0 and 3.1 look, whatever the client's is
    paths = mirror.client.list_artifacts(run.info.run_id, "sagemaker")
    assert [each.path for each in paths] == DOCUMENTS


def test_a_document_that_was_not_wanted_is_stored_when_it_is(mirror: Mirror) -> None:
    """After --artifacts none, a pass with link adds it."""
    put_job(mirror, "job")
    mirror.sync(artifacts="none")
    assert mirror.sync(artifacts="none").jobs["unchanged"] == 1
    assert mirror.sync().jobs["updated"] == 1
    assert mirror.sync().jobs["unchanged"] == 1


@pytest.mark.slow
def test_a_token_that_expires_in_the_middle_leaves_a_report(mirror: Mirror) -> None:
    """What was written is reported, the rest has failed with the reason; a later pass heals it."""
    created_ms = whole(now_ms()) - 40 * HOUR_MS
    metrics = tuple(f"metric-{number}" for number in range(40))
    for number in range(100):
        begin_ms = created_ms + number * 60_000
        mirror.account.put_training_job(
            job_answer(
                f"job-{number}",
                created_ms=begin_ms,
                ended_ms=begin_ms + HOUR_MS,
                metrics=metrics,
            )
        )
    faults = mirror.account.faults
    faults.page_size("sagemaker:Search", 20)

    def expire(so_far: SyncReport) -> None:
        if so_far.jobs["created"]:
            for operation in ("sagemaker:Search", METRICS):
                faults.fail(operation, times=None, code="ExpiredTokenException")

    options = mirror.options(since="3d", workers=1, metrics="cloudwatch")
    report = sync(options, expire)
    assert 0 < report.jobs["created"] < 100
    assert report.failed
    assert all("renew" in failure.error for failure in report.failed)
    faults.clear()
    assert mirror.sync(since="3d").jobs["failed"] == 0
    assert all(mirror.is_final(f"job-{number}") for number in range(100))
