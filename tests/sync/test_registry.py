"""``--register``: models become versions of an MLflow registered model, once each."""

from __future__ import annotations

import threading

from mlflow.entities.model_registry import ModelVersion

from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.report import SyncReport
from tests.jobs import DAY_MS, job_answer, moment
from tests.sync.conftest import Mirror
from tests.sync.every_kind import CREATED_MS, EVERY_KIND, LIFE, run, settled, sync

URI = "s3://models/{}/output/model.tar.gz"


def put_jobs(mirror: Mirror, *names: str) -> None:
    """Put training jobs that left a model, and one that left none."""
    for name in names:
        artifacts = {"S3ModelArtifacts": URI.format(name)}
        mirror.account.put_training_job(job_answer(name, ModelArtifacts=artifacts, **LIFE))
    mirror.account.put_training_job(job_answer("none", status="Failed", **LIFE))


def put_package(mirror: Mirror, uri: str, modified_ms: int = CREATED_MS) -> str:
    """Put the next version of a model package group."""
    mirror.account.lineage.put_model_package_group("churn-models")
    return mirror.account.lineage.put_model_package(
        {
            "ModelPackageGroupName": "churn-models",
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {"Containers": [{"Image": "image:1", "ModelDataUrl": uri}]},
            "CreationTime": moment(modified_ms),
            "LastModifiedTime": moment(modified_ms),
        }
    )


def versions(mirror: Mirror) -> dict[str, ModelVersion]:
    """Give the versions by their source; none is doubled."""
    every = list(mirror.client.search_model_versions("name = 'churn'"))
    by_source = {str(each.source): each for each in every}
    assert len(by_source) == len(every)
    return by_source


def test_model_artifacts_become_versions(mirror: Mirror) -> None:
    """By their S3 URI, with the job's run; a second pass makes none and writes nothing."""
    put_jobs(mirror, "a", "b")
    report = sync(mirror, register="churn")
    assert [each.source for each in report.registered or ()] == [URI.format("a"), URI.format("b")]
    made = versions(mirror)
    assert set(made) == {URI.format("a"), URI.format("b")}
    for name in ("a", "b"):
        version = made[URI.format(name)]
        assert version.run_id == run(mirror, f"training-job/{name}").info.run_id
        assert version.tags["sagemaker.name"] == name
    assert settled(mirror, register="churn") == {}
    assert settled(mirror) == {}


def test_unchanged_jobs_are_registered_too(mirror: Mirror) -> None:
    """A name may be given later; of named jobs only their models are."""
    put_jobs(mirror, "a", "b")
    sync(mirror)
    report = sync(mirror, "a", register="churn")
    assert [each.source for each in report.registered or ()] == [URI.format("a")]
    assert set(versions(mirror)) == {URI.format("a")}
    sync(mirror, register="churn")
    assert set(versions(mirror)) == {URI.format("a"), URI.format("b")}


def test_model_packages(mirror: Mirror) -> None:
    """Those of the window; of a job's model, the version is the job's."""
    put_jobs(mirror, "a")
    own = put_package(mirror, URI.format("a"))
    put_package(mirror, "s3://models/bought.tar.gz")
    put_package(mirror, "s3://models/old.tar.gz", CREATED_MS - 30 * DAY_MS)
    sync(mirror, register="churn")
    made = versions(mirror)
    assert set(made) == {URI.format("a"), "s3://models/bought.tar.gz"}
    assert made[URI.format("a")].run_id == run(mirror, "training-job/a").info.run_id
    bought = made["s3://models/bought.tar.gz"].tags
    assert bought["sagemaker.model_package_group"] == "churn-models"
    assert bought["sagemaker.model_package_version"] == "2"
    assert bought["sagemaker.model_approval_status"] == "Approved"
    assert bought["sagemaker.arn"] != own
    assert settled(mirror, register="churn") == {}


def test_a_model_package_by_its_arn(mirror: Mirror) -> None:
    """It stands among the names of jobs, whenever it was made."""
    put_jobs(mirror, "a", "b")
    package = put_package(mirror, "s3://models/old.tar.gz", CREATED_MS - 30 * DAY_MS)
    report = sync(mirror, "a", package, register="churn")
    assert report.failed == []
    assert set(versions(mirror)) == {URI.format("a"), "s3://models/old.tar.gz"}
    report = sync(mirror, package, register="churn")
    assert report.failed == []
    assert report.registered == []


def test_two_mirrors_at_once(mirror: Mirror) -> None:
    """One version of each model stays."""
    names = [f"job-{number}" for number in range(4)]
    put_jobs(mirror, *names)
    sync(mirror)
    gate = threading.Barrier(3)
    reports: list[SyncReport] = []

    def work() -> None:
        engine = Engine(mirror.options(kinds=EVERY_KIND, register="churn"))
        gate.wait()
        reports.append(engine.sync())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 3
    assert set(versions(mirror)) == {URI.format(name) for name in names}
    assert settled(mirror, register="churn") == {}


def test_model_packages_are_denied(mirror: Mirror) -> None:
    """Jobs are mirrored and registered; the permission is named once."""
    put_jobs(mirror, "a")
    package = put_package(mirror, "s3://models/bought.tar.gz")
    mirror.account.faults.deny("sagemaker:Search")
    mirror.account.faults.deny("sagemaker:DescribeModelPackage")
    report = sync(mirror, register="churn")
    assert report.failed == []
    assert set(versions(mirror)) == {URI.format("a")}
    assert "model packages are not registered" in mirror.warnings(report)
    report = sync(mirror, "a", package, register="churn")
    (failure,) = report.failed
    assert failure.arn == package
    assert failure.error.count("sagemaker:DescribeModelPackage is denied") == 1


def test_a_dry_run_registers_nothing(mirror: Mirror) -> None:
    """Neither versions nor the model are made."""
    put_jobs(mirror, "a")
    before = mirror.dump()
    sync(mirror, register="churn", dry_run=True)
    assert mirror.dump() == before
