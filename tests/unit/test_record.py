"""Jobs → run records."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.deployments import Deployment, Deployments
from mlflow_smwatch.core.hyperparameters import decoded
from mlflow_smwatch.core.job import Channel
from mlflow_smwatch.core.kinship import Kinship
from mlflow_smwatch.core.lineage import Lineage, Node, reads
from mlflow_smwatch.core.lineage_tags import from_tags
from mlflow_smwatch.core.record import ModelRecord, run_record
from mlflow_smwatch.core.series import Series, further_original
from tests.unit.jobs import completed_job

KINSHIP = Kinship(
    experiment="e",
    trial="t",
    trials=("t", "u"),
    component="c",
    component_arn="arn:c",
    tuning_job="tune",
    automl_job="auto",
    candidate="best",
    pipeline_execution="arn:p",
)


@pytest.mark.parametrize(
    ("status", "secondary", "expected"),
    [
        ("Completed", "Completed", "FINISHED"),
        ("Failed", "Failed", "FAILED"),
        ("Stopped", "MaxRuntimeExceeded", "KILLED"),
        ("Stopping", "Stopping", "RUNNING"),
        ("InProgress", "Starting", "SCHEDULED"),
        ("InProgress", "Pending", "SCHEDULED"),
        ("InProgress", "Downloading", "SCHEDULED"),
        ("InProgress", "LaunchingMLInstances", "SCHEDULED"),
        ("InProgress", "PreparingTrainingStack", "SCHEDULED"),
        ("InProgress", "DownloadingTrainingImage", "SCHEDULED"),
        ("InProgress", "Training", "RUNNING"),
        ("InProgress", "Uploading", "RUNNING"),
        ("InProgress", "Interrupted", "RUNNING"),
        ("InProgress", "Restarting", "RUNNING"),
        ("InProgress", None, "RUNNING"),
    ],
)
def test_statuses(status: str, secondary: str | None, expected: str) -> None:
    """Each SageMaker status has its MLflow status."""
    record = run_record(completed_job(status=status, secondary_status=secondary))
    assert record.status == expected
    assert record.warnings == ()


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (None, "job"),
        ("Nightly", "Nightly"),
        ("a\x00b\ud800c", "a\ufffdb\ufffdc"),
        ("é" * 251, "é" * 250),
    ],
)
def test_every_store_takes_the_name_of_a_run(title: str | None, expected: str) -> None:
    """MLflow keeps 250 characters of it, PostgreSQL no NUL."""
    assert run_record(completed_job(title=title)).title == expected


def test_an_unknown_status_is_running_with_a_warning() -> None:
    """AWS may add statuses."""
    record = run_record(completed_job(status="Deleting"))
    assert record.status == "RUNNING"
    assert "Deleting" in record.warnings[0]


def test_every_fact_is_known_as_the_mirrors_own() -> None:
    """Only such tags are removed once a job has the fact no more."""
    texts = "secondary_status failure_reason image algorithm role_arn"
    uris = ("checkpoint", "tensorboard", "model_artifact", "output")
    facts = (
        "best_training_job best_objective best_candidate endpoint_config model pipeline jobs"
        " code_repository lifecycle_config notebook_url platform volume_size_gb"
        " monitoring_schedule monitoring_status monitoring_type profiling_status"
    )
    everything = {
        **dict.fromkeys(texts.split(), "x"),
        **dict.fromkeys(uris, "s3://bucket/key"),
        "billable_s": 1,
        "spot": True,
        "tags": (("team", "x"), ("long" * 100, "y")),
        "hyperparameters": (("sagemaker_program", "train.py"),),
        "facts": (*((name, "x") for name in facts.split()), ("training_jobs.Completed", "1")),
        "kinship": replace(KINSHIP, endpoint="wine"),
        "deployments": Deployments(known=(Deployment(at_ms=0, text="{}"),)),
        "lineage": reads("job", Node(id="s3://bucket/data", kind="data")),
    }
    written = {
        key
        for key, _ in run_record(completed_job(**everything)).tags
        if not key.startswith("mlflow.")
    }
    assert all(names.is_fact(key) for key in written)
    assert {key for key in written if not key.startswith(names.FACT_PREFIXES)} == names.FACTS


def test_absent_facts_have_no_tag() -> None:
    """No empty tags, no None."""
    tags = dict(run_record(completed_job()).tags)
    assert "sagemaker.failure_reason" not in tags
    assert "sagemaker.spot" not in tags
    assert tags["sagemaker.created"] == "2026-09-21T14:13:20.123Z"
    assert tags["sagemaker.instance_count"] == "1"
    assert all(tags.values())


def test_sdk_settings_are_tags_and_not_params() -> None:
    """Hyperparameters that start with sagemaker_ belong to the SDK."""
    settings = (("lr", "0.1"), ("name", '"adam"'), ("sagemaker_program", '"train.py"'))
    record = run_record(completed_job(hyperparameters=settings))
    assert record.params == (("lr", "0.1"), ("name", "adam"))
    tags = dict(record.tags)
    assert tags["sagemaker.sdk.program"] == "train.py"
    assert tags["mlflow.source.name"] == "train.py"
    assert tags["mlflow.source.type"] == "JOB"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"adam"', "adam"),
        ('"\\"0.1\\""', '"0.1"'),
        ("0.1", "0.1"),
        ('"open', '"open'),
        ('["a"]', '["a"]'),
        ("", ""),
        ('"a" "b"', '"a" "b"'),
    ],
)
def test_only_json_string_literals_are_decoded(value: str, expected: str) -> None:
    """Other values stay as they are."""
    assert decoded(value) == expected


def test_experiment_of_the_job_or_of_the_user_or_of_its_kind() -> None:
    """The user's choice wins, then the job's, then the kind's."""
    assert run_record(completed_job()).experiment == "sagemaker/training-jobs"
    member = completed_job(kinship=Kinship(experiment="e", tuning_job="t"))
    assert run_record(member).experiment == "e"
    assert run_record(member, "mine").experiment == "mine"


@pytest.mark.parametrize(
    ("kinship", "experiment"),
    [
        (Kinship(tuning_job="x", pipeline_execution="y"), "sagemaker/tuning-jobs"),
        (Kinship(automl_job="x"), "sagemaker/automl-jobs"),
        (Kinship(pipeline_execution="x"), "sagemaker/pipelines"),
    ],
)
def test_children_stand_beside_their_parent(kinship: Kinship, experiment: str) -> None:
    """In the experiment of its kind."""
    assert run_record(completed_job(kinship=kinship)).experiment == experiment


def test_parent_and_lineage_are_tags() -> None:
    """The fingerprint follows what the job belongs to: not its run's parent, nor the lineage."""
    job = completed_job()
    child = run_record(job, parent_run_id="abc")
    assert dict(child.tags)["mlflow.parentRunId"] == "abc"
    alone = run_record(job)
    assert "mlflow.parentRunId" not in dict(alone.tags)
    assert child.fingerprint == alone.fingerprint
    member = run_record(completed_job(kinship=Kinship(trial="t")))
    assert member.fingerprint != alone.fingerprint
    lineage = reads(str(job.arn), Node(id="s3://bucket/data", kind="data"))
    linked = run_record(completed_job(lineage=lineage))
    assert from_tags(dict(linked.tags)).edges == lineage.edges
    assert linked.fingerprint == alone.fingerprint


def test_long_lineage_goes_on_in_further_tags() -> None:
    """No edge is cut."""
    nodes = [Node(id=f"s3://bucket/{n}/{'x' * 500}", kind="data") for n in range(40)]
    lineage = sum((reads("job", node) for node in nodes), Lineage())
    tags = dict(run_record(completed_job(lineage=lineage)).tags)
    assert "smwatch.lineage.1" in tags
    assert set(from_tags(tags).edges) == set(lineage.edges)


def test_many_trials_are_a_list_of_whole_names() -> None:
    """A list that is too long drops names at its end."""
    trials = tuple(f"{n}{'x' * 100}" for n in range(100))
    tags = dict(run_record(completed_job(kinship=Kinship(trial=trials[0], trials=trials))).tags)
    listed = json.loads(tags["sagemaker.trials"])
    assert 60 < len(listed) < 100
    assert tuple(listed) == trials[: len(listed)]


def test_params_of_one_name_are_both_there() -> None:
    """The hyperparameter keeps its name."""
    job = completed_job(
        hyperparameters=(("objective/metric", "mine"),), params=(("objective/metric", "loss"),)
    )
    assert dict(run_record(job).params) == {
        "objective/metric": "mine",
        "objective/metric_": "loss",
    }


def test_datasets_and_model() -> None:
    """The digest is the first 16 hex digits of the URI's SHA-256."""
    record = run_record(
        completed_job(
            channels=(Channel(name="train", uri="s3://b/t"),), model_artifact="s3://b/m.tar.gz"
        )
    )
    (dataset,) = record.datasets
    assert dataset.digest == hashlib.sha256(b"s3://b/t").hexdigest()[:16]
    assert (dataset.name, dataset.context, dataset.uri) == ("train", "train", "s3://b/t")
    assert record.model == ModelRecord(name="job", uri="s3://b/m.tar.gz")
    assert dict(record.tags)["sagemaker.model_artifact_url"].endswith("prefix=m.tar.gz")


def test_long_values_are_cut_and_odd_characters_replaced() -> None:
    """Tags hold 8,000 characters, params 6,000; the document has the whole."""
    record = run_record(
        completed_job(failure_reason="x" * 10_000, hyperparameters=(("p", "y\x00" * 5_000),))
    )
    assert len(dict(record.tags)["sagemaker.failure_reason"]) == 8000
    assert len(dict(record.params)["p"]) == 6000
    assert "\x00" not in dict(record.params)["p"]


def test_resource_tags_keep_legal_keys() -> None:
    """Keys that MLflow refuses are made legal, two never into one."""
    tags = dict(run_record(completed_job(tags=(("a=b", "1"), ("a@b", "2"), ("aws:x", "3")))).tags)
    assert tags["sagemaker.tag.a_b"] == "1"
    assert tags["sagemaker.tag.a_b_2"] == "2"
    assert tags["sagemaker.tag.aws:x"] == "3"


def test_the_commit_is_mlflows_own_tag() -> None:
    """It is shown as the run's version."""
    tags = dict(run_record(completed_job(commit="0a1b2c3")).tags)
    assert tags["mlflow.source.git.commit"] == "0a1b2c3"
    assert "mlflow.source.git.commit" not in dict(run_record(completed_job()).tags)


def test_the_note_escapes_what_came_from_aws() -> None:
    """Markdown and HTML in a name stay text."""
    note = run_record(completed_job(name="a<script>*b*[x](y)", instance_type="t")).note
    assert "<script>" not in note
    assert "*b*" not in note.replace("\\*", "")


def test_the_fingerprint_follows_the_facts() -> None:
    """Equal for equal jobs, another for each change, blind to the document."""
    first = run_record(completed_job())
    assert run_record(completed_job(document='{"other": 1}')).fingerprint == first.fingerprint
    for change in (
        {"tags": (("a", "b"),)},
        {"status": "Failed"},
        {"ended_ms": 1_790_000_500_001},
        {"hyperparameters": (("a", "b"),)},
        {"channels": (Channel(name="a", uri="s3://a/b"),)},
    ):
        assert run_record(replace(completed_job(), **change)).fingerprint != first.fingerprint


def test_the_fingerprint_is_blind_to_what_is_attached() -> None:
    """Mirrors of one job may attach different things to its run."""
    attached = run_record(
        replace(
            completed_job(),
            facts=(*completed_job().facts, ("source.app.log_group", "/app")),
            further=(
                Series(
                    original=further_original("app/cpu"),
                    namespace="App",
                    metric_name="cpu",
                    dimensions=(),
                ),
            ),
        )
    )
    plain = run_record(completed_job())
    assert dict(attached.tags)["sagemaker.source.app.log_group"] == "/app"
    assert dict(attached.tags)["sagemaker.metrics_url"] != dict(plain.tags)["sagemaker.metrics_url"]
    assert attached.fingerprint == plain.fingerprint


def test_runs_of_earlier_releases_are_written_once_more() -> None:
    """An earlier way to write this job had this digest."""
    assert run_record(completed_job()).fingerprint != "1d9d70566617f56c"
