"""A run that the user deleted comes back where it is asked for, and goes on where it stopped."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow.entities import ViewType

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.report import SyncReport
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    arn,
    averages,
    curve,
    job_answer,
    logged_job,
    now_ms,
    put_host,
    put_log,
    put_loss,
    replayed,
    whole,
)
from tests.sync.conftest import DISCOVERY, Mirror, models
from tests.sync.test_runs import context_tags, log_run

LOSS = {"loss": r"loss=(\S+)"}


def put_job(mirror: Mirror, name: str = "job", *, ended: bool = True, points: int = 10) -> int:
    """Put a job of one hour that began three hours ago, with a curve; give its CreationTime."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    ended_ms = created_ms + HOUR_MS if ended else None
    mirror.account.put_training_job(job_answer(name, created_ms=created_ms, ended_ms=ended_ms))
    put_loss(mirror.account, name, curve(created_ms, points))
    return created_ms


def delete(mirror: Mirror, name: str = "job") -> str:
    """Delete a job's run as MLflow's pages do; give its id."""
    run_id: str = mirror.run(name).info.run_id
    mirror.client.delete_run(run_id)
    return run_id


def restored(mirror: Mirror, *names: str, **options: Any) -> SyncReport:
    """Run a pass that brings runs back; nothing fails in it."""
    report = mirror.sync(*names, restore=True, **options)
    assert report.failed == []
    return report


def test_a_running_job_goes_on(mirror: Mirror) -> None:
    """What came in while the run was deleted is there, nothing is doubled, nothing is missing."""
    created_ms = put_job(mirror, ended=False, points=0)
    samples = curve(created_ms, 40)
    put_loss(mirror.account, "job", samples[:10])
    put_host(mirror.account, "job", samples[:10])
    mirror.sync_to(created_ms + 10 * MINUTE_MS)
    run_id = delete(mirror)
    put_loss(mirror.account, "job", samples[10:])
    put_host(mirror.account, "job", samples[10:])
    assert mirror.sync_to(created_ms + 25 * MINUTE_MS).jobs["unchanged"] == 1
    report = restored(mirror, "job")
    assert report.jobs["updated"] == 1
    assert mirror.run("job").info.run_id == run_id
    assert mirror.run("job").info.lifecycle_stage == "active"
    expected = averages(samples, created_ms)
    assert mirror.series("job") == {
        "loss": expected,
        "system/algo-1/cpu_utilization_percentage": expected,
    }


def test_a_log_is_read_on(mirror: Mirror) -> None:
    """Steps go on behind those that the run had when it was deleted."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    events = [(created_ms + n * 1000, f"loss={n / 8}") for n in range(30)]
    mirror.account.put_training_job(logged_job("job", LOSS, created_ms=created_ms))
    put_log(mirror.account, "job", events[:10])
    mirror.sync()
    delete(mirror)
    put_log(mirror.account, "job", events[10:])
    mirror.account.put_training_job(
        logged_job("job", LOSS, created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    restored(mirror, "job")
    assert mirror.points("job")["loss"] == replayed(LOSS, {"algo-1": events})["loss"]
    assert mirror.is_final("job")


def test_a_final_run_is_as_it_was(mirror: Mirror) -> None:
    """Nothing of it is read or written again; the report says that something was done."""
    put_job(mirror)
    put_job(mirror, "other")
    mirror.sync()
    before, lines = mirror.content(), mirror.sync("job").aws_calls
    delete(mirror)
    delete(mirror, "other")
    report = restored(mirror, "job")
    assert report.jobs == {"seen": 1, "created": 0, "updated": 1, "unchanged": 0, "failed": 0}
    assert report.aws_calls == lines
    assert report.warnings == []
    assert mirror.content() == before
    active = mirror.runs(view=ViewType.ACTIVE_ONLY)
    assert [run.info.run_name for run in active] == ["job"]
    assert mirror.sync().jobs["unchanged"] == 2
    assert mirror.account.calls == DISCOVERY


def test_without_it_the_way_back_is_named(mirror: Mirror) -> None:
    """Only who asks for the job is told, and with the command."""
    put_job(mirror)
    mirror.sync()
    delete(mirror)
    before = mirror.dump()
    assert mirror.sync().warnings == []
    (warned,) = mirror.sync("job").warnings
    assert "'smwatch sync job --restore' brings it back" in warned.warning
    (warned,) = restored(mirror, "job", dry_run=True).warnings
    assert "would be brought back" in warned.warning
    assert mirror.dump() == before


def test_it_needs_names(mirror: Mirror) -> None:
    """Nobody means to bring back everything."""
    with pytest.raises(UsageError, match="--restore needs names"):
        mirror.sync(restore=True)


def test_a_duplicate_stays_deleted(mirror: Mirror) -> None:
    """What the mirror itself removed because of another run is nothing that the user deleted."""
    put_job(mirror)
    context = Connection.to(mirror.options()).context(mirror.options())
    record = run_record(context.describer.describe("training-job", "job").job)
    newer = context.index.create(record, Watermark(made_ms=now_ms()))
    older = context.index.create(record, Watermark(made_ms=now_ms() - 1000))
    mirror.sync()
    restored(mirror, "job")
    (kept,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert kept.info.run_id == older.run_id
    mirror.client.delete_run(older.run_id)
    restored(mirror, "job")
    (kept,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert kept.info.run_id == older.run_id
    assert mirror.client.get_run(newer.run_id).info.lifecycle_stage == "deleted"


def test_an_adopted_run_comes_back(mirror: Mirror) -> None:
    """What the job's own script logged is restored as well, and stays adopted."""
    created_ms = put_job(mirror)
    own = log_run(mirror, created_ms + 5, context_tags("job"))
    mirror.sync()
    mirror.client.delete_run(own.info.run_id)
    assert restored(mirror, "job").jobs["updated"] == 1
    (active,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert active.info.run_id == own.info.run_id


def test_a_deleted_experiment(mirror: Mirror) -> None:
    """It may hold the runs of others: only the command that restores it is given."""
    put_job(mirror)
    mirror.sync()
    experiment_id = mirror.run("job").info.experiment_id
    mirror.client.delete_experiment(experiment_id)
    report = mirror.sync("job", restore=True)
    (failure,) = report.failed
    assert failure.arn == arn("job")
    assert f"mlflow experiments restore --experiment-id {experiment_id}" in failure.error
    assert mirror.run("job").info.lifecycle_stage == "deleted"


def test_a_deleted_model_stays_deleted(mirror: Mirror) -> None:
    """MLflow deletes models by themselves, and gives no way back."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    answer = job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    model = {"S3ModelArtifacts": "s3://models/job/model.tar.gz"}
    mirror.account.put_training_job({**answer, "ModelArtifacts": model})
    mirror.sync()
    run = mirror.run("job")
    (model_id,) = models(run)
    delete(mirror)
    mirror.client.delete_logged_model(model_id)
    restored(mirror, "job")
    assert mirror.client.search_logged_models([run.info.experiment_id]) == []


def test_a_job_that_aws_deleted(mirror: Mirror) -> None:
    """Its run comes back all the same, tagged as gone."""
    put_job(mirror)
    mirror.sync()
    run_id = delete(mirror)
    mirror.account.remove_training_job("job")
    (warned,) = mirror.sync("job").warnings
    assert "--restore' brings it back" in warned.warning
    report = restored(mirror, "job")
    assert report.jobs["updated"] == 1
    run = mirror.client.get_run(run_id)
    assert run.info.lifecycle_stage == "active"
    assert run.data.tags["smwatch.gone"]
    assert mirror.sync().failed == []
