"""A run that was forgotten leaves nothing but the note that its job is not wanted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mlflow.entities import ViewType

import mlflow_smwatch
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine.connection import Connection
from mlflow_smwatch.forget import ForgetReport, find
from tests.jobs import HOUR_MS, arn, curve, job_answer, now_ms, put_host, put_log, put_loss, whole
from tests.sync.conftest import Mirror
from tests.sync.test_runs import context_tags, log_run

SECRET = "a-secret-of-the-user"
LEFT = {"sagemaker.arn", "sagemaker.created", "sagemaker.kind", "sagemaker.name"}
LEFT |= {"sagemaker.account", "sagemaker.region", "smwatch.version", "smwatch.forgotten"}
LEFT |= {"smwatch.state", "mlflow.runName"}


def put_job(mirror: Mirror, name: str = "job", **changes: Any) -> int:
    """Put a job that ended an hour ago, with points, a param, data and a model."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://data/{name}"}}
    answer = job_answer(
        name,
        created_ms=created_ms,
        ended_ms=created_ms + HOUR_MS,
        HyperParameters={"lr": "0.1"},
        InputDataConfig=[{"ChannelName": "train", "DataSource": source}],
        ModelArtifacts={"S3ModelArtifacts": f"s3://models/{name}/model.tar.gz"},
        **changes,
    )
    mirror.account.put_training_job(answer)
    put_loss(mirror.account, name, curve(created_ms, 10))
    put_host(mirror.account, name, curve(created_ms, 10))
    return created_ms


def forget(mirror: Mirror, *things: str) -> ForgetReport:
    """Remove runs without asking."""
    return find(things, mirror.uri).carry_out()


def artifacts(uri: str | None) -> list[Path]:
    """List the files below a place."""
    assert uri
    return [each for each in Path(urlsplit(uri).path).rglob("*") if each.is_file()]


def tables_about(mirror: Mirror, *texts: str) -> set[str]:
    """Name the tables of which a row holds one of these texts."""
    with closing(sqlite3.connect(mirror.database)) as connection:
        rows = [line for line in connection.iterdump() if line.startswith("INSERT INTO")]
    return {row.split()[2].strip('"') for row in rows if any(text in row for text in texts)}


def test_nothing_is_left(mirror: Mirror) -> None:
    """No point, param, tag, artifact or model; a deleted run says which job is not wanted."""
    put_job(mirror)
    put_job(mirror, "other")
    mirror.sync()
    run = mirror.run("job")
    run_id, client = run.info.run_id, mirror.client
    client.log_text(run_id, SECRET, "notes/mine.txt")
    client.set_tag(run_id, "mine", SECRET)
    (model,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    assert len(artifacts(run.info.artifact_uri)) == 3
    other = mirror.content()["other"]
    report = forget(mirror, "job")
    assert [each.run_id for each in report.removed] == [run_id]
    assert (report.failed, report.kept, report.warnings, report.erased) == ([], [], [], True)
    assert artifacts(run.info.artifact_uri) == []
    assert tables_about(mirror, SECRET) == set()
    assert tables_about(mirror, run_id, model.model_id) <= {"inputs"}  # links, as mlflow gc
    note = mirror.run("job")
    assert note.info.lifecycle_stage == "deleted"
    assert set(note.data.tags) <= LEFT | {"mlflow.user"}
    assert (note.data.params, note.data.metrics) == ({}, {})
    assert mirror.content()["other"] == other


def test_it_is_not_mirrored_again(mirror: Mirror) -> None:
    """Neither by a listing nor by its name; who names it is told how to have it back."""
    put_job(mirror)
    mirror.sync()
    before = mirror.content()
    forget(mirror, "job")
    forgotten = mirror.dump()
    assert mirror.sync().jobs["unchanged"] == 1
    (warned,) = mirror.sync("job").warnings
    assert "removed by 'smwatch forget'" in warned.warning
    assert "'smwatch sync job --restore'" in warned.warning
    assert mirror.dump() == forgotten
    assert mirror.sync("job", restore=True).jobs["updated"] == 1
    assert mirror.content() == before
    again = mirror.dump()
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.dump() == again


def test_one_that_aws_deleted_too(mirror: Mirror) -> None:
    """Nothing can be brought back: who asks for that is told so, and the note stays a note."""
    put_job(mirror)
    mirror.sync()
    forget(mirror, "job")
    mirror.account.remove_training_job("job")
    before = mirror.dump()
    (warned,) = mirror.sync("job").warnings
    assert "AWS no longer knows this job" in warned.warning
    for options in ({}, {"dry_run": True}):
        report = mirror.sync("job", restore=True, **options)
        (failure,) = report.failed
        assert failure.arn == arn("job")
        assert "AWS no longer knows this job" in failure.error
    assert mirror.dump() == before


def killed_before_its_note_was_deleted(mirror: Mirror) -> str:
    """Leave what ``forget`` leaves when it is killed then; give the note's id."""
    run, client = mirror.run("job"), mirror.client
    forgotten = {"smwatch.forgotten": iso_utc(now_ms())}
    client.set_tag(run.info.run_id, *next(iter(forgotten.items())))
    client.delete_run(run.info.run_id)
    kept = {key: text for key, text in run.data.tags.items() if key in LEFT}
    tags = kept | forgotten | to_tags(Watermark(made_ms=now_ms()))
    note = client.create_run(run.info.experiment_id, run.info.start_time, tags, run_name="job")
    return str(note.info.run_id)


@pytest.mark.parametrize("known", [True, False], ids=["known", "gone"])
def test_a_note_that_was_not_deleted(mirror: Mirror, *, known: bool) -> None:
    """It is no run that waits for its points: the next pass, of any mirror, deletes it."""
    put_job(mirror)
    mirror.sync()
    note_id = killed_before_its_note_was_deleted(mirror)
    before = mirror.client.get_run(note_id).data.to_dictionary()
    if not known:
        mirror.account.remove_training_job("job")
    assert mirror.sync(dry_run=True).failed == []
    assert len(mirror.runs("job", ViewType.ACTIVE_ONLY)) == 1
    report = mirror.sync()
    assert (report.jobs["updated"], report.failed) == (0, [])
    assert mirror.runs("job", ViewType.ACTIVE_ONLY) == []
    assert mirror.client.get_run(note_id).data.to_dictionary() == before
    assert len(forget(mirror, "job").removed) == 1
    assert len(mirror.runs("job")) == 1


def test_a_return_that_is_cut_short(mirror: Mirror) -> None:
    """A run that comes back is no note any more: the next pass fills it."""
    put_job(mirror)
    mirror.sync()
    before = mirror.content()
    forget(mirror, "job")
    context = Connection.to(mirror.options()).context(mirror.options())
    (note,) = context.index.named("job")
    assert context.index.restore(note).active
    assert mirror.sync().jobs["updated"] == 1
    assert mirror.content() == before


def test_twice(mirror: Mirror) -> None:
    """The second time nothing is there to be removed, and that is no failure."""
    put_job(mirror)
    mirror.sync()
    forget(mirror, "job")
    before = mirror.dump()
    report = forget(mirror, arn("job"))
    assert (report.removed, report.failed, report.unmet) == ([], [], False)
    assert "forgotten already" in report.warnings[0].warning
    assert mirror.dump() == before
    mirror.sync("job", restore=True)
    assert len(forget(mirror, "job").removed) == 1
    assert len(mirror.runs("job")) == 1


def test_a_run_that_was_deleted_before(mirror: Mirror) -> None:
    """What lies in MLflow's trash is removed for good too, by its id."""
    put_job(mirror)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    mirror.client.delete_run(run_id)
    assert [each.run_id for each in forget(mirror, run_id).removed] == [run_id]
    assert mirror.run("job").info.run_id != run_id
    assert mirror.sync().jobs["unchanged"] == 1


def test_what_is_not_the_mirrors(mirror: Mirror) -> None:
    """An adopted run, a foreign one and one of no job are refused, each with a word."""
    created_ms = put_job(mirror)
    own = log_run(mirror, created_ms + 5, context_tags("job"))
    mirror.sync()
    put_job(mirror, "other")
    foreign = mirror.client.create_run("0", tags={"sagemaker.arn": arn("foreign")})
    plain = mirror.client.create_run("0")
    before = mirror.dump()
    reasons = {
        own.info.run_id: "script logged it",
        foreign.info.run_id: "did not make it",
        plain.info.run_id: "no job",
    }
    for run_id, reason in reasons.items():
        report = forget(mirror, run_id)
        (kept,) = report.kept
        assert (kept.run_id, report.removed, report.unmet) == (run_id, [], True)
        assert reason in kept.reason
    assert [each.run_id for each in forget(mirror, "job").kept] == [own.info.run_id]
    assert mirror.dump() == before


def test_a_copy_beside_the_mirrors_run(mirror: Mirror) -> None:
    """A user's run with the job's ARN, or with all tags of the mirror's, stays when that goes."""
    put_job(mirror)
    mirror.sync()
    tags = mirror.run("job").data.tags
    client = mirror.client
    mine = client.create_run("0", tags={"sagemaker.arn": arn("job")}).info.run_id
    copy = client.create_run("0", tags=tags).info.run_id
    report = forget(mirror, arn("job"))
    assert (len(report.removed), report.unmet) == (1, False)
    assert {each.run_id for each in report.kept} == {mine, copy}
    assert {client.get_run(each).info.lifecycle_stage for each in (mine, copy)} == {"active"}


def test_several(mirror: Mirror) -> None:
    """Names, ARNs and ids; one that nobody knows fails alone, and a pattern is only itself."""
    for name in ("a", "b", "c"):
        put_job(mirror, name)
    mirror.sync()
    third = mirror.run("c").info.run_id
    report = forget(mirror, "a", arn("b"), third, "a", "nobody", arn("%"), "0" * 32, 'it\'s "x"')
    assert sorted(each.name for each in report.removed) == ["a", "b", "c"]
    assert [each.arn for each in report.failed] == ["nobody", arn("%"), "0" * 32, 'it\'s "x"']


def test_versions_and_models_of_others_stay(mirror: Mirror) -> None:
    """They are named, so that nobody thinks that they are gone."""
    put_job(mirror)
    mirror.sync("job", register="churn")
    run = mirror.run("job").info
    client = mirror.client
    mine = client.create_logged_model(run.experiment_id, name="mine", source_run_id=run.run_id)
    (version,) = client.search_model_versions("name = 'churn'") or [None]
    report = forget(mirror, "job")
    said = " ".join(each.warning for each in report.warnings)
    assert "1 logged model that was made in it by others" in said
    assert client.get_logged_model(mine.model_id).name == "mine"
    if version is not None:
        assert "version 1 of the registered model churn" in said
        assert len(client.search_model_versions("name = 'churn'")) == 1


def move_artifacts(mirror: Mirror, run_id: str, uri: str) -> None:
    """Say in the database that a run's artifacts are elsewhere."""
    with closing(sqlite3.connect(mirror.database)) as connection, connection:
        statement = "UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?"
        connection.execute(statement, (uri, run_id))


def test_a_store_of_artifacts_that_refuses(mirror: Mirror, tmp_path: Path) -> None:
    """The run is deleted as MLflow's pages do it, and may be forgotten once that is mended."""
    put_job(mirror)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    move_artifacts(mirror, run_id, "nowhere://x")
    report = forget(mirror, "job")
    assert (report.removed, len(report.failed)) == ([], 1)
    assert "artifacts of the run" in report.failed[0].error
    assert mirror.client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert mirror.sync().jobs["unchanged"] == 1
    move_artifacts(mirror, run_id, f"{tmp_path}/none")
    assert len(forget(mirror, "job").removed) == 1


def test_lineage_forgets_it_too(mirror: Mirror) -> None:
    """What it read and wrote is its own; the graph has no node of the job any more."""
    put_job(mirror)
    put_job(mirror, "other")
    mirror.sync()
    forget(mirror, "job")
    nodes = mlflow_smwatch.lineage(tracking_uri=mirror.uri).nodes
    assert {node.name for node in nodes if node.kind == "training-job"} == {"other"}


def test_the_run_of_a_running_job(mirror: Mirror) -> None:
    """Forgetting it is final too; once it is wanted again, it is read from its beginning."""
    created_ms = whole(now_ms()) - HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    put_log(mirror.account, "job", [(created_ms + 1000 * n, f"value={n}") for n in range(5)])
    mirror.sync()
    forget(mirror, "job")
    assert mirror.sync().jobs["unchanged"] == 1
    mirror.sync("job", restore=True)
    assert [value for _, _, value in mirror.points("job")["loss"]] == [0, 1, 2, 3, 4]
