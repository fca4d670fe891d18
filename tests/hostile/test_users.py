"""What users do to mirrored runs, and runs that only look like mirrored ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from mlflow.entities import Run, ViewType

import mlflow_smwatch
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.watermark import STATE_TAG
from mlflow_smwatch.status import status as status_of
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    arn,
    averages,
    curve,
    job_answer,
    moment,
    now_ms,
    put_loss,
    whole,
)
from tests.sync.conftest import Mirror

CREATED_MS = whole(now_ms()) - 3 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
EXPECTED = averages(curve(CREATED_MS, 10), CREATED_MS)


@pytest.fixture
def one_job(mirror: Mirror) -> Mirror:
    """Mirror one finished job."""
    put_job(mirror)
    assert mirror.sync().jobs["created"] == 1
    return mirror


def put_job(mirror: Mirror, *, ended: bool = True, **changes: Any) -> None:
    """Put the job, with ten points."""
    ended_ms = ENDED_MS if ended else None
    answer = job_answer("job", created_ms=CREATED_MS, ended_ms=ended_ms, **changes)
    mirror.account.put_training_job({"HyperParameters": {"lr": "0.1"}, **answer})
    put_loss(mirror.account, "job", curve(CREATED_MS, 10))


def image_of(mirror: Mirror, run: Run) -> dict[str, Any]:
    """Give all that MLflow says of a run, with every point."""
    found = mirror.client.get_run(run.info.run_id)
    return {**found.to_dictionary(), "points": mirror.points(found)}


def copied(mirror: Mirror, run: Run, *, start_ms: int, points: bool = True) -> Run:
    """Copy a run as tools for export and import do: tags, params, points; under another start."""
    client = mirror.client
    tags = {key: text for key, text in run.data.tags.items() if key != "mlflow.runName"}
    copy = client.create_run(
        run.info.experiment_id, start_time=start_ms, tags=tags, run_name="a copy of mine"
    )
    for key, text in run.data.params.items():
        client.log_param(copy.info.run_id, key, text)
    for key, found in mirror.points(run).items() if points else ():
        for timestamp, step, value in found:
            client.log_metric(copy.info.run_id, key, value, timestamp, step)
    client.set_terminated(copy.info.run_id, "FINISHED", end_time=start_ms + HOUR_MS)
    return client.get_run(copy.info.run_id)


@pytest.mark.parametrize(("artifacts", "points"), [("link", True), ("overlay", False)])
def test_a_copy_is_left_alone(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, artifacts: str, *, points: bool
) -> None:
    """A user's copy of a run is neither removed nor written, nor takes the place of the run."""
    monkeypatch.setenv("SMWATCH_SEAL_KEY", "key")
    put_job(mirror, ended=False)
    mirror.sync(artifacts=artifacts)
    run = mirror.run("job")
    copies = [
        copied(mirror, run, start_ms=CREATED_MS + offset, points=points)
        for offset in (-MINUTE_MS, MINUTE_MS, 2 * HOUR_MS)
    ]
    before = [image_of(mirror, each) for each in copies]
    put_job(mirror)
    report = mirror.sync(artifacts=artifacts)
    assert report.failed == []
    assert [each.run_id for each in report.runs] == [run.info.run_id]
    assert [image_of(mirror, each) for each in copies] == before
    genuine = mirror.client.get_run(run.info.run_id)
    assert genuine.info.lifecycle_stage == "active"
    assert genuine.info.end_time == ENDED_MS
    assert mirror.series(genuine)["loss"] == EXPECTED
    assert mirror.sync(artifacts=artifacts).jobs["unchanged"] == 1


def test_a_copy_of_a_deleted_run_is_left_alone(one_job: Mirror) -> None:
    """The deleted run stays the job's: no other is made, and none written into."""
    run = one_job.run("job")
    copy = copied(one_job, run, start_ms=now_ms())
    one_job.client.delete_run(run.info.run_id)
    before = one_job.dump()
    assert one_job.sync().jobs["unchanged"] == 1
    assert one_job.dump() == before
    assert one_job.client.get_run(copy.info.run_id).info.lifecycle_stage == "active"


FORGED: tuple[dict[str, str], ...] = (
    {},
    {STATE_TAG: "{"},
    {STATE_TAG: "[" * 7000},
    {STATE_TAG: '{"version": 99, "made_ms": 0}'},
    {STATE_TAG: '{"version": 1, "made_ms": "never"}'},
)


def forge(mirror: Mirror, name: str, state: Mapping[str, str]) -> Run:
    """Make a run by hand with all that tells the mirror its own, but the start."""
    tags = {
        "sagemaker.arn": arn(name),
        "sagemaker.created": iso_utc(CREATED_MS),
        "sagemaker.kind": "training-job",
        "sagemaker.name": name,
        "smwatch.version": "9.9",
        **state,
    }
    return mirror.client.create_run("0", start_time=CREATED_MS - 1, tags=tags)


def test_a_forged_run_of_the_mirrors_harms_nothing(mirror: Mirror) -> None:
    """Whatever its state says: the job keeps its run, and the forged one stays as it was."""
    names = put_jobs(mirror, len(FORGED))
    run_ids = {name: mirror.run(name).info.run_id for name in names}
    forged = [forge(mirror, name, state) for name, state in zip(names, FORGED, strict=True)]
    before = [image_of(mirror, each) for each in forged]
    for name in names:
        change(mirror, name)
    report = mirror.sync()
    assert report.failed == []
    assert {line.name: line.run_id for line in report.runs} == run_ids
    assert report.jobs["updated"] == len(names)
    assert [image_of(mirror, each) for each in forged] == before
    assert mirror.sync().jobs["unchanged"] == len(names)


def test_a_forged_run_that_is_the_only_one_is_not_removed(mirror: Mirror) -> None:
    """It says that the mirror made it: the job fails with a reason, or goes on in it."""
    for number, state in enumerate(FORGED):
        name = f"job-{number}"
        answer = job_answer(name, created_ms=CREATED_MS, ended_ms=ENDED_MS)
        mirror.account.put_training_job(answer)
        forge(mirror, name, state)
    report = mirror.sync()
    assert len(report.failed) == len(FORGED) - 1
    assert "please report" not in str(report.failed)
    assert len(mirror.runs(view=ViewType.ACTIVE_ONLY)) == len(FORGED)


BROKEN = [
    "",
    "{",
    "null",
    "[]",
    "[" * 7000,
    '{"version": 1, "made_ms": "x"}',
    '{"version": 1, "made_ms": 1, "points": {"loss": "many"}}',
    '{"version": 1, "made_ms": 1, "points": []}',
    '{"version": 1, "made_ms": 1, "streams": {"a": [1]}}',
    '{"version": 1, "made_ms": 1, "keys": {"loss": 1}}',
    '{"version": 1, "made_ms": 1, "findings": {"loss": {"broken": "often"}}}',
    '{"version": 1, "made_ms": 1, "final": "yes"}',
    '{"version": 1, "made_ms": ' + "9" * 5000 + "}",
    '{"version": 99, "made_ms": 1, "\\u001b[2J": "x"}',
]


def put_jobs(mirror: Mirror, count: int) -> list[str]:
    """Put and mirror jobs with a point each; give their names."""
    names = [f"job-{number:02}" for number in range(count)]
    for name in names:
        answer = job_answer(name, created_ms=CREATED_MS, ended_ms=ENDED_MS)
        mirror.account.put_training_job(answer)
        put_loss(mirror.account, name, curve(CREATED_MS, 10))
    assert mirror.sync().jobs["created"] == count
    return names


def change(mirror: Mirror, name: str) -> None:
    """Let a job be another in AWS than when it was mirrored."""
    changed: dict[str, Any] = {
        "BillableTimeInSeconds": 7,
        "LastModifiedTime": moment(ENDED_MS + MINUTE_MS),
    }
    answer = job_answer(name, created_ms=CREATED_MS, ended_ms=ENDED_MS, **changed)
    mirror.account.put_training_job(answer)


def differences(mirror: Mirror) -> list[object]:
    """Compare the store with AWS."""
    report = mlflow_smwatch.verify(tracking_uri=mirror.uri, kinds=("training-job",))
    return [*report.differences, *report.failed]


def test_a_broken_state_is_named_and_mended_by_its_removal(mirror: Mirror) -> None:
    """Such jobs fail with the reason and the way out, the others go on; nothing is doubled."""
    names = put_jobs(mirror, len(BROKEN) + 1)
    run_ids = {name: mirror.run(name).info.run_id for name in names}
    for name, text in zip(names, BROKEN, strict=False):
        mirror.client.set_tag(run_ids[name], STATE_TAG, text)
        mirror.client.delete_tag(run_ids[name], "smwatch.final")
    report = mirror.sync()
    assert report.jobs["unchanged"] == 1
    assert [each.arn for each in report.failed] == [arn(name) for name in names[:-1]]
    for failed in report.failed:
        assert f"{STATE_TAG} is not readable: delete this tag" in failed.error or (
            "upgrade smwatch" in failed.error
        )
        assert failed.error.isprintable()
    assert status_of(mirror.uri).runs >= 1
    for name in names[:-1]:
        mirror.client.delete_tag(run_ids[name], STATE_TAG)
    assert mirror.sync().failed == []
    for name in names:
        assert mirror.run(name).info.run_id == run_ids[name]
        assert mirror.series(name)["loss"] == EXPECTED
        assert mirror.is_final(name)
    assert mirror.sync().jobs["unchanged"] == len(names)
    assert differences(mirror) == []


EDITED = (
    ("smwatch.final", "perhaps"),
    ("smwatch.final", "false"),
    ("smwatch.synced_at", "\x1b[2J"),
    ("smwatch.metric_source", "elsewhere"),
    ("smwatch.warning", "x" * 8000),
    ("smwatch.lineage", "[" * 7000),
    ("smwatch.lineage", '[{"source": "", "target": 1}]'),
    ("smwatch.lineage.1", "\\ud800"),
    ("sagemaker.trials", "[" * 7000),
    ("sagemaker.log_streams", "[" * 7000),
    ("sagemaker.trial", "' OR 1=1 --"),
    ("sagemaker.tuning_job", "%\\_'"),
    ("sagemaker.pipeline_execution", "arn:aws:nothing"),
    ("sagemaker.pipeline_execution", "x"),
    ("sagemaker.status", "Unheard"),
    ("sagemaker.kind", "x\ny"),
    ("mlflow.parentRunId", "no run"),
    ("mlflow.note.content", "mine"),
)


def test_an_edited_tag_ends_no_pass(mirror: Mirror) -> None:
    """Whatever a user makes of one, points stay as they are and every command goes on."""
    names = put_jobs(mirror, len(EDITED))
    for name, (tag, text) in zip(names, EDITED, strict=True):
        mirror.client.set_tag(mirror.run(name).info.run_id, tag, text)
        change(mirror, name)
    report = mirror.sync()
    assert [each.error for each in report.failed] == []
    for name, (tag, text) in zip(names, EDITED, strict=True):
        run = mirror.run(name)
        assert mirror.series(run)["loss"] == EXPECTED
        if tag == "mlflow.note.content":
            assert run.data.tags[tag] == text
    assert mirror.sync().jobs["unchanged"] == len(names)
    assert status_of(mirror.uri).runs == len(names)
    assert differences(mirror) == []
    graph = mlflow_smwatch.lineage(names[6], tracking_uri=mirror.uri)
    assert graph.to_tree().replace("\n", "").isprintable()


def test_what_users_add_stays(mirror: Mirror) -> None:
    """Params, tags, metrics and a name of one's own, also under keys that the job will have."""
    put_job(mirror, ended=False)
    mirror.sync_to(CREATED_MS + 3 * MINUTE_MS)
    client, run_id = mirror.client, mirror.run("job").info.run_id
    client.log_param(run_id, "mine", "kept")
    client.log_param(run_id, "depth", "my own")
    client.log_metric(run_id, "mine", 1.0, timestamp=5, step=1)
    client.log_metric(run_id, "loss", 77.0, timestamp=CREATED_MS + 5, step=999)
    client.update_run(run_id, name="<b>mine</b>")
    client.set_tag(run_id, "mlflow.note.content", "mine")
    client.set_tag(run_id, "sagemaker.tag.forged", "x")
    put_job(mirror, HyperParameters={"lr": "0.1", "depth": "3"})
    report = mirror.sync()
    assert report.failed == []
    run = mirror.run("job")
    assert run.info.run_name == "<b>mine</b>"
    assert run.data.tags["mlflow.note.content"] == "mine"
    assert run.data.params == {"lr": "0.1", "mine": "kept", "depth": "my own"}
    assert mirror.points("job")["mine"] == [(5, 1, 1.0)]
    mine = (CREATED_MS + 5, 999, 77.0)
    assert sorted(mirror.points("job")["loss"]) == sorted([*EXPECTED, mine])
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


def test_a_renamed_and_a_deleted_experiment(one_job: Mirror) -> None:
    """Runs stay where they are under another name; of a deleted one nothing is made anew."""
    client, run = one_job.client, one_job.run("job")
    client.rename_experiment(run.info.experiment_id, "renamed by me")
    put_job(one_job, BillableTimeInSeconds=7)
    assert one_job.sync().jobs["updated"] == 1
    assert one_job.run("job").info.experiment_id == run.info.experiment_id
    client.delete_experiment(run.info.experiment_id)
    put_job(one_job, BillableTimeInSeconds=8)
    report = one_job.sync()
    assert "please report" not in str(report.failed)
    assert len(one_job.runs("job")) == 1


def test_another_model_of_the_same_name(mirror: Mirror) -> None:
    """A registered model that somebody else made under the job's name is not changed."""
    mirror.client.create_registered_model("job", tags={"mine": "yes"}, description="mine")
    put_job(mirror, ModelArtifacts={"S3ModelArtifacts": "s3://b/job/model.tar.gz"})
    assert mirror.sync().failed == []
    model = mirror.client.get_registered_model("job")
    assert (model.description, model.tags, list(model.latest_versions)) == (
        "mine",
        {"mine": "yes"},
        [],
    )


def test_foreign_runs_are_no_parents(mirror: Mirror) -> None:
    """A foreign run with the ARN of a trial's job and SQL in its tags is not touched."""
    put_job(mirror)
    tags = {"sagemaker.arn": arn("job"), "sagemaker.name": "' OR '1'='1", "mine": json.dumps([1])}
    foreign = mirror.client.create_run("0", start_time=CREATED_MS, tags=tags)
    before = image_of(mirror, foreign)
    mirror.sync()
    mirror.sync()
    assert image_of(mirror, foreign) == before
    assert len(mirror.runs("job", ViewType.ACTIVE_ONLY)) == 2
