from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy
from mlflow.entities import Run, ViewType

from mlflow_smwatch.aws.describing import JobDescriber
from mlflow_smwatch.aws.discovery import Found
from mlflow_smwatch.aws.finder import JobFinder
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.run_update import RunUpdate
from mlflow_smwatch.tracking.runs import RunIndex
from mlflow_smwatch.tracking.store import open_tracking
from mlflow_smwatch.tracking.writer import RunWriter
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    REGION,
    arn,
    averages,
    curve,
    final_metrics,
    job_answer,
    now_ms,
    put_host,
    put_loss,
    whole,
)
from tests.sync.conftest import DESCRIBE, DISCOVERY, METRICS, Mirror

CPU = "system/algo-1/cpu_utilization_percentage"
EXPERIMENT = "sagemaker/training-jobs"


def context_tags(job: str) -> dict[str, str]:
    """Give the tags that a run gets from its own script inside a training job."""
    return {
        "sagemaker.arn": arn(job),
        "sagemaker.kind": "training-job",
        "sagemaker.name": job,
        "sagemaker.region": REGION,
    }


def log_run(mirror: Mirror, start_ms: int, tags: dict[str, str]) -> Run:
    """Make a run as a training script does: own name, param and metric; still running."""
    client = mirror.client
    known = client.get_experiment_by_name("script")
    experiment_id = known.experiment_id if known else client.create_experiment("script")
    run = client.create_run(experiment_id, start_time=start_ms, tags=tags, run_name="mine")
    client.log_param(run.info.run_id, "lr", "from-the-script")
    client.log_metric(run.info.run_id, "loss", 99.0, timestamp=start_ms + 7, step=3)
    return client.get_run(run.info.run_id)


def snapshot(mirror: Mirror, run: Run) -> dict[str, Any]:
    """Give all that MLflow says of a run, with every point."""
    found = mirror.client.get_run(run.info.run_id)
    return {**found.to_dictionary(), "points": mirror.points(found)}


def put_job(mirror: Mirror, job: str = "job", *, hours: int = 2, ended: bool = True) -> int:
    """Put a job of one hour with ten points of two metrics; give its CreationTime."""
    created_ms = whole(now_ms()) - hours * HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            job,
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS if ended else None,
            HyperParameters={"lr": "0.1", "depth": "3"},
        )
    )
    put_loss(mirror.account, job, curve(created_ms, 10))
    put_host(mirror.account, job, curve(created_ms, 10))
    return created_ms


def test_run_that_the_job_logged_itself_is_adopted(mirror: Mirror) -> None:
    """It keeps its start, params and metrics; the mirror adds; the last pass ends it."""
    created_ms = put_job(mirror, ended=False)
    tags = {**context_tags("job"), "mlflow.source.name": "train.py", "mine": "stays"}
    own = log_run(mirror, created_ms + MINUTE_MS, tags)
    mirror.sync()
    run = mirror.run("job")
    assert run.info.run_id == own.info.run_id
    assert (run.info.status, run.info.end_time) == ("RUNNING", None)
    put_job(mirror)
    mirror.sync()

    run = mirror.run("job")
    assert run.info.run_id == own.info.run_id
    assert run.info.run_name == "mine"
    assert run.info.start_time == created_ms + MINUTE_MS
    assert run.info.status == "FINISHED"
    assert run.info.end_time == created_ms + HOUR_MS
    assert run.data.params == {"lr": "from-the-script", "depth": "3"}
    doubled = [(at, value + 0.0) for at, value in curve(created_ms, 10)]
    assert mirror.series("job") == {
        "loss": [(created_ms + MINUTE_MS + 7, 3, 99.0)],
        CPU: averages(doubled, created_ms),
    }
    assert run.data.tags["mine"] == "stays"
    assert run.data.tags["mlflow.source.name"] == "train.py"
    assert run.data.tags["sagemaker.status"] == "Completed"
    assert "smwatch.version" not in run.data.tags
    assert mirror.is_final("job")
    assert mirror.watermark("job").adopted

    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before
    assert mirror.account.calls == DISCOVERY


def test_tags_of_the_script_stay(mirror: Mirror) -> None:
    """Of ``sagemaker.*`` tags, only those that the mirror writes go with their fact."""
    created_ms = put_job(mirror)
    tags = {
        **context_tags("job"),
        "sagemaker.my_note": "mine",
        "sagemaker.tagged": "mine",
        "sagemaker.spot": "true",
        "sagemaker.tag.team": "gone",
    }
    log_run(mirror, created_ms + MINUTE_MS, tags)
    mirror.sync()
    found = mirror.run("job").data.tags
    assert (found["sagemaker.my_note"], found["sagemaker.tagged"]) == ("mine", "mine")
    assert "sagemaker.spot" not in found
    assert "sagemaker.tag.team" not in found


def test_kept_tags_stay(mirror: Mirror) -> None:
    """Facts that could not be read are not taken for gone."""
    put_job(mirror)
    record = run_record(JobDescriber(connect(None, None, 1)).describe("training-job", "job").job)
    tracking = open_tracking(mirror.uri)
    index, writer = RunIndex(tracking, Experiments(tracking)), RunWriter(tracking)
    run = index.create(record, Watermark(made_ms=1))
    writer.write_tags(run, {"sagemaker.tag.team": "kept", "sagemaker.spot": "true"})
    update = RunUpdate(
        run=index.reread(run),
        record=record,
        status=False,
        interrupted=False,
        kept=("sagemaker.tag.",),
    )
    assert update.former_facts == ["sagemaker.spot"]
    assert set(replace(update, kept=()).former_facts) == {"sagemaker.spot", "sagemaker.tag.team"}
    assert writer.write_record(update) == []
    tags = index.reread(run).tags
    assert "sagemaker.spot" not in tags
    assert tags["sagemaker.tag.team"] == "kept"


def test_final_values_are_not_sent_for_a_metric_of_the_script(mirror: Mirror) -> None:
    """A metric key that an adopted run has is never sent, from no source."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            FinalMetricDataList=final_metrics({"loss": 1.0, "auc": 0.5}, created_ms),
        )
    )
    log_run(mirror, created_ms + 5, context_tags("job"))
    mirror.sync()
    assert mirror.series("job") == {
        "loss": [(created_ms + 12, 3, 99.0)],
        "auc": [(created_ms, 0, 0.5)],
    }


def test_adopted_run_that_was_cut_off_is_completed(mirror: Mirror) -> None:
    """Points that a pass wrote into it before a crash are not taken for the script's."""
    created_ms = put_job(mirror)
    own = log_run(mirror, created_ms + 5, context_tags("job"))
    mirror.sync()
    after = mirror.watermark("job")
    claimed = Watermark(made_ms=after.made_ms, adopted=True).claiming(after)
    for key, value in to_tags(claimed).items():
        mirror.client.set_tag(own.info.run_id, key, value)
    mirror.client.delete_tag(own.info.run_id, "smwatch.final")
    more = curve(created_ms + 10 * MINUTE_MS, 10, first=10.0)
    put_host(mirror.account, "job", more)
    mirror.sync()
    assert mirror.series("job")[CPU] == averages(curve(created_ms, 10) + more, created_ms)
    assert mirror.series("job")["loss"] == [(created_ms + 12, 3, 99.0)]
    assert mirror.is_final("job")


def test_earliest_of_several_own_runs_is_adopted(mirror: Mirror) -> None:
    """Of several top-level runs of one job, the earliest is taken and the others are left."""
    created_ms = put_job(mirror)
    late = log_run(mirror, created_ms + 9000, context_tags("job"))
    early = log_run(mirror, created_ms + 4000, context_tags("job"))
    before = snapshot(mirror, late)
    report = mirror.sync()
    assert [line.run_id for line in report.runs] == [early.info.run_id]
    assert snapshot(mirror, late) == before
    assert len(mirror.runs("job")) == 2


def test_run_that_sagemaker_says_is_the_jobs_is_adopted(mirror: Mirror) -> None:
    """``MlflowDetails`` names the run; one Describe asks for it, where a candidate exists only."""
    created_ms = put_job(mirror)
    own = log_run(mirror, created_ms + 5, {"sagemaker.arn": arn("job")})
    answer = job_answer(
        "job",
        created_ms=created_ms,
        ended_ms=created_ms + HOUR_MS,
        MlflowDetails={"MlflowExperimentId": "1", "MlflowRunId": own.info.run_id},
    )
    mirror.account.put_training_job(answer)
    put_job(mirror, "other")
    mirror.sync()
    assert mirror.account.calls[DESCRIBE] == 1
    assert mirror.run("job").info.run_id == own.info.run_id
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


FOREIGN = [
    pytest.param(-1, {}, id="started-before-the-job"),
    pytest.param(HOUR_MS + 1, {}, id="started-after-the-job"),
    pytest.param(5, {"mlflow.parentRunId": "0" * 32}, id="child-run"),
    pytest.param(5, {"sagemaker.kind": ""}, id="no-kind"),
    pytest.param(5, {"sagemaker.region": "eu-west-1"}, id="other-region"),
]


@pytest.mark.parametrize(("offset_ms", "changes"), FOREIGN)
def test_foreign_run_is_never_touched(
    mirror: Mirror, offset_ms: int, changes: dict[str, str]
) -> None:
    """A run with the ARN that the job did not log stays as it is; the mirror makes its own."""
    created_ms = put_job(mirror)
    tags = {key: value for key, value in {**context_tags("job"), **changes}.items() if value}
    foreign = log_run(mirror, created_ms + offset_ms, tags)
    before = snapshot(mirror, foreign)
    assert mirror.sync().jobs["created"] == 1
    assert snapshot(mirror, foreign) == before
    (own,) = [run for run in mirror.runs("job") if run.info.run_id != foreign.info.run_id]
    assert own.info.run_name == "job"
    assert "smwatch.version" in own.data.tags
    assert len(mirror.series(own)["loss"]) == 10
    mirror.sync()
    assert snapshot(mirror, foreign) == before
    assert len(mirror.runs("job")) == 2


def test_own_run_is_found_among_hundreds_of_its_children(mirror: Mirror) -> None:
    """A script that logs many child runs is adopted all the same, also in a page of many jobs."""
    created_ms = put_job(mirror, "job-0", hours=4)
    others = [f"job-{number}" for number in range(1, 5)]
    for number, name in enumerate(others):
        mirror.account.put_training_job(
            job_answer(
                name,
                created_ms=created_ms + number * MINUTE_MS,
                ended_ms=created_ms + 2 * HOUR_MS,
                metrics=(),
            )
        )
    child = {**context_tags("job-0"), "mlflow.parentRunId": "0" * 32}
    client = mirror.client
    client.create_run("0", start_time=created_ms + MINUTE_MS, tags=child)
    parent = log_run(mirror, created_ms + 10 * MINUTE_MS, context_tags("job-0"))
    for number in range(70):
        client.create_run("0", start_time=created_ms + 20 * MINUTE_MS + number, tags=child)
    report = mirror.sync()
    lines = {line.name: line.run_id for line in report.runs}
    assert lines["job-0"] == parent.info.run_id
    assert set(lines) == {"job-0", *others}


def test_deleted_run_stays_deleted(mirror: Mirror) -> None:
    """A run that the user deleted is neither restored nor made anew, whatever the job does."""
    created_ms = put_job(mirror, ended=False)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    mirror.client.delete_run(run_id)
    before = mirror.dump()
    put_job(mirror)
    report = mirror.sync()
    assert mirror.dump() == before
    assert report.jobs == {"seen": 1, "created": 0, "updated": 0, "unchanged": 1, "failed": 0}
    assert [run.info.run_id for run in mirror.runs("job")] == [run_id]
    assert mirror.runs("job", ViewType.ACTIVE_ONLY) == []
    assert METRICS not in mirror.account.calls
    assert created_ms == mirror.client.get_run(run_id).info.start_time


def test_deleted_adopted_run_stays_deleted(mirror: Mirror) -> None:
    """An adopted run that the user deleted is not replaced by one of the mirror's own."""
    created_ms = put_job(mirror)
    own = log_run(mirror, created_ms + 5, context_tags("job"))
    mirror.sync()
    mirror.client.delete_run(own.info.run_id)
    before = mirror.dump()
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.dump() == before


def test_what_the_user_edited_stays(mirror: Mirror) -> None:
    """Name, note and own tags stay as edited while facts and points go on."""
    created_ms = put_job(mirror, ended=False)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    client = mirror.client
    client.update_run(run_id, name="my best run")
    client.set_tag(run_id, "mlflow.note.content", "keep this")
    client.set_tag(run_id, "reviewed", "yes")
    client.set_tag(run_id, "sagemaker-notes", "not a fact")
    put_job(mirror)
    assert mirror.sync().jobs["updated"] == 1
    run = mirror.run("job")
    assert run.info.run_name == "my best run"
    assert run.data.tags["mlflow.note.content"] == "keep this"
    assert run.data.tags["reviewed"] == "yes"
    assert run.data.tags["sagemaker-notes"] == "not a fact"
    assert run.data.tags["sagemaker.status"] == "Completed"
    assert run.info.end_time == created_ms + HOUR_MS


def test_a_note_that_the_user_deleted_is_not_written_again(mirror: Mirror) -> None:
    """The note is written once."""
    put_job(mirror, ended=False)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    mirror.client.delete_tag(run_id, "mlflow.note.content")
    put_job(mirror)
    mirror.sync()
    assert "mlflow.note.content" not in mirror.run("job").data.tags


def test_open_run_without_its_arn_does_not_stop_the_pass(mirror: Mirror) -> None:
    """A user who removes or breaks a run's ARN tag loses that run only; all else goes on."""
    put_job(mirror, "one", ended=False)
    put_job(mirror, "two", ended=False)
    mirror.sync()
    mirror.client.delete_tag(mirror.run("one").info.run_id, "sagemaker.arn")
    mirror.client.set_tag(mirror.run("two").info.run_id, "sagemaker.arn", "not an arn")
    put_job(mirror, "three")
    report = mirror.sync(name_contains="three")
    assert [line.name for line in report.runs] == ["three"]
    assert mirror.is_final("three")


def test_name_used_again_is_another_job(mirror: Mirror) -> None:
    """The same ARN with another CreationTime gets its own run; the earlier one stays as it was."""
    put_job(mirror, hours=6)
    mirror.sync()
    first = mirror.run("job")
    before = snapshot(mirror, first)
    created_ms = put_job(mirror, hours=2)
    report = mirror.sync()
    assert report.jobs["created"] == 1
    assert snapshot(mirror, first) == before
    (second,) = [run for run in mirror.runs("job") if run.info.run_id != first.info.run_id]
    assert second.info.start_time == created_ms
    assert len(mirror.series(second)["loss"]) == 10
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.account.calls == DISCOVERY


def test_doubled_runs_converge_to_the_oldest(mirror: Mirror) -> None:
    """Of two runs that two mirrors made for one job, the oldest stays and the other goes."""
    created_ms = put_job(mirror)
    aws = connect(None, None, 1)
    (found,) = JobFinder(aws).named(("job",))
    assert isinstance(found, Found)
    assert found.job is not None
    tracking = open_tracking(mirror.uri)
    index = RunIndex(tracking, Experiments(tracking))
    record = run_record(found.job)
    newer = index.create(record, Watermark(made_ms=now_ms() - 1000))
    older = index.create(record, Watermark(made_ms=now_ms() - 2000))
    mirror.sync()
    (kept,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert kept.info.run_id == older.run_id
    assert mirror.client.get_run(newer.run_id).info.lifecycle_stage == "deleted"
    assert mirror.series(kept)["loss"] == averages(curve(created_ms, 10), created_ms)
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


def test_double_that_another_mirror_marks_at_the_same_moment(mirror: Mirror) -> None:
    """The second of two equal marks is refused by the database; the run goes all the same."""
    put_job(mirror)
    record = run_record(JobDescriber(connect(None, None, 1)).describe("training-job", "job").job)
    tracking = open_tracking(mirror.uri)
    index = RunIndex(tracking, Experiments(tracking))
    kept, double = (index.create(record, Watermark(made_ms=made_ms)) for made_ms in (1, 2))
    marked: list[str] = []

    def mark_first(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        if not marked and statement.startswith("INSERT INTO tags"):
            marked.append(statement)
            with closing(sqlite3.connect(mirror.database)) as other, other:
                other.execute(statement, values)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", mark_first)
    try:
        index.remove_duplicate(double, kept)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", mark_first)
    assert marked
    assert not index.reread(double).active
    index.remove_duplicate(double, kept)


def test_run_doubled_after_the_end_goes_too(mirror: Mirror) -> None:
    """Every pass heals: a newer double of a final run is removed, the final one stays."""
    put_job(mirror)
    mirror.sync()
    first = mirror.run("job")
    aws = connect(None, None, 1)
    (found,) = JobFinder(aws).named(("job",))
    assert isinstance(found, Found)
    assert found.job is not None
    tracking = open_tracking(mirror.uri)
    index = RunIndex(tracking, Experiments(tracking))
    index.create(run_record(found.job), Watermark(made_ms=now_ms()))
    mirror.sync()
    (kept,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert kept.info.run_id == first.info.run_id


def test_jobs_of_a_deleted_experiment_fail_with_the_way_back(mirror: Mirror) -> None:
    """They are named with the command that restores it; the others are mirrored, none is lost."""
    created_ms = put_job(mirror, "old")
    mirror.sync()
    experiment = mirror.client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    mirror.client.delete_experiment(experiment.experiment_id)
    put_job(mirror, "new")
    mirror.account.put_training_job(
        job_answer(
            "elsewhere",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            ExperimentConfig={"ExperimentName": "churn"},
        )
    )
    report = mirror.sync()
    assert {failure.arn for failure in report.failed} == {arn("old"), arn("new")}
    command = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
    assert all(command in failure.error for failure in report.failed)
    assert [line.name for line in report.runs] == ["elsewhere"]
    assert report.runs[0].experiment == "churn"
    mirror.client.restore_experiment(experiment.experiment_id)
    report = mirror.sync()
    assert report.jobs == {"seen": 3, "created": 1, "updated": 0, "unchanged": 2, "failed": 0}
    assert mirror.is_final("old")
    assert mirror.is_final("new")


def test_experiment_option_puts_everything_in_one(mirror: Mirror) -> None:
    """``experiment`` wins over the job's own SageMaker experiment."""
    created_ms = now_ms() - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            ExperimentConfig={"ExperimentName": "churn", "TrialName": "trial-1"},
        )
    )
    report = mirror.sync(experiment="mine")
    assert report.runs[0].experiment == "mine"
    tags = mirror.run("job").data.tags
    assert (tags["sagemaker.experiment"], tags["sagemaker.trial"]) == ("churn", "trial-1")
    assert {each.name for each in mirror.experiments()} == {"Default", "mine"}
