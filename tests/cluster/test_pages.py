"""A pass that has its jobs mirrored elsewhere does what one does that mirrors them itself."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlflow_smwatch import StopError, UsageError
from mlflow_smwatch.core.errors import CredentialsError
from mlflow_smwatch.engine import cluster as cluster_pass
from mlflow_smwatch.engine.cluster_worker import mirror_shipment
from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.engine.shipment import Delivery, Shipment, shipped_options
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import NOT_REACHED, SyncReport
from mlflow_smwatch.tracking.uris import with_own_password
from tests import kinds
from tests.cluster.in_process import InProcess, sync
from tests.jobs import HOUR_MS, arn, curve, job_answer, now_ms, put_host, put_log, put_loss
from tests.sync.conftest import Mirror
from tests.sync.every_kind import (
    CREATED_MS,
    ENDED_MS,
    EVERY_KIND,
    LIFE,
    parent,
    put_component,
    put_job_in,
    put_trials,
    settled,
    state,
    verified,
)
from tests.sync.every_kind import sync as sync_here

EXECUTION_ID = "abcdefghijkl"


def put_everything(mirror: Mirror) -> None:
    """Put a job of each sort, and the groups that some of them belong to."""
    account = mirror.account
    put_trials(account, "trial")
    for name in ("train", "other"):
        account.put_training_job(job_answer(name, **LIFE, hosts=2))
        put_loss(account, name, curve(CREATED_MS, 30))
        put_host(account, name, curve(CREATED_MS, 30))
    account.put_training_job(job_answer("logged", **LIFE))
    put_log(account, "logged", [(CREATED_MS + n * 1000, f"value={n}") for n in range(50)])
    account.put_job("processing-job", kinds.processing_job("prep", **LIFE))
    put_job_in(account, "training-job/train", "trial")
    put_job_in(account, "processing-job/prep", "trial")
    put_component(account, "loose", "trial")
    account.put_job("processing-job", kinds.processing_job("listed", **LIFE))
    account.put_job("transform-job", kinds.transform_job("transform", **LIFE))
    account.put_job("tuning-job", kinds.tuning_job("tuning", **LIFE))
    child = {"TuningJobArn": kinds.kind_arn("hyper-parameter-tuning-job/tuning")}
    account.put_training_job({**job_answer("child", **LIFE), **child})
    account.put_training_job(job_answer("running", created_ms=now_ms() - HOUR_MS))
    put_loss(account, "running", curve(now_ms() - HOUR_MS, 40))


def content(mirror: Mirror) -> dict[str, Any]:
    """Give what the runs hold: of a parent its name for its id, of a running job no present."""
    names = {run.info.run_id: run.data.tags["sagemaker.name"] for run in mirror.runs()}
    held = mirror.content()
    for each in held.values():
        above = each["tags"].pop("mlflow.parentRunId", None)
        each["parent"] = names.get(above)
        if each["status"][0] == "RUNNING":
            each["watermark"] = replace(each["watermark"], read_to_ms=None)
    return held


def put_jobs(mirror: Mirror, count: int) -> list[str]:
    """Put training jobs that are over and have a few points."""
    names = [f"job-{number:03d}" for number in range(count)]
    for name in names:
        mirror.account.put_training_job(job_answer(name, **LIFE))
        put_loss(mirror.account, name, curve(CREATED_MS, 3))
    return names


def test_the_same_runs_as_with_threads(mirror: Mirror) -> None:
    """Every kind, with groups, logs, metrics and a running job; what is spent is counted."""
    put_everything(mirror)
    here, there, cluster = mirror, mirror.beside(), InProcess()
    wanted = sync_here(here)
    report = sync(there, cluster)
    assert report.failed == wanted.failed == []
    assert report.counts == wanted.counts
    assert report.points == wanted.points > 0
    assert content(there) == content(here)
    assert report.aws_calls == dict(mirror.account.calls)
    sent = {found.name for each in cluster.shipments for found in each.found}
    assert {"train", "other", "logged", "prep", "child", "running"} <= sent
    assert not sent & {"trial", "loose", "tuning"}
    assert parent(there, "training-job/child") == "hyper-parameter-tuning-job/tuning"
    assert state(there, "experiment-trial/trial") == ("FINISHED", ENDED_MS, True)
    verified(there, since="1d")


def test_a_second_pass_writes_nothing(mirror: Mirror) -> None:
    """Whether with a cluster or without."""
    put_everything(mirror)
    mirror.account.put_training_job(job_answer("running", **LIFE, status="Stopped"))
    assert sync(mirror, InProcess()).failed == []
    before = mirror.dump()
    report = sync(mirror, InProcess())
    assert report.jobs["unchanged"] == report.jobs["seen"], report.jobs
    assert mirror.dump() == before
    settled(mirror)


def test_steps_of_a_pipeline(mirror: Mirror) -> None:
    """Only the execution tells which jobs are its steps'; the workers are told."""
    mirror.account.put_training_job(job_answer("step", **LIFE))
    step = kinds.pipeline_step(
        "Train",
        started_ms=CREATED_MS,
        ended_ms=ENDED_MS,
        metadata={"TrainingJob": {"Arn": arn("step")}},
    )
    execution = kinds.pipeline_execution(EXECUTION_ID, **LIFE)
    mirror.account.put_job("pipeline-execution", execution, steps=[step])
    report = sync(mirror, InProcess())
    assert report.failed == []
    assert parent(mirror, "training-job/step") == f"pipeline/pipe/execution/{EXECUTION_ID}"


def test_a_page_that_fails(mirror: Mirror) -> None:
    """Its jobs are failed ones, with the reason; the others go on, the next pass makes it good."""
    names = put_jobs(mirror, 25)

    def work(shipment: Shipment) -> Delivery | None:
        if any(found.name == names[0] for found in shipment.found):
            message = "no memory"
            raise ValueError(message)
        return mirror_shipment(shipment)

    report = sync(mirror, InProcess(work))
    failed = {failure.arn: failure.error for failure in report.failed}
    assert arn(names[0]) in failed
    assert set(failed.values()) == {"its page failed on the cluster: ValueError: no memory"}
    assert report.jobs["created"] == 25 - len(failed) > 0
    assert sync(mirror, InProcess()).jobs["created"] == len(failed)


def test_a_worker_that_can_do_nothing(mirror: Mirror) -> None:
    """Its error stops the pass, as it would here; what is written stays, the rest has failed."""
    put_jobs(mirror, 25)
    pages: list[Shipment] = []

    def work(shipment: Shipment) -> Delivery | None:
        pages.append(shipment)
        if len(pages) > 1:
            return Delivery(stop=CredentialsError("no AWS credentials"))
        return mirror_shipment(shipment)

    report = sync(mirror, InProcess(work))
    assert report.jobs["created"] == len(pages[0].found)
    assert {failure.error for failure in report.failed} == {"no AWS credentials"}
    assert {failure.arn for failure in report.failed} > {NOT_REACHED}
    pages.append(pages[0])
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        sync(mirror.beside(), InProcess(work))


def test_credentials_of_another_account(mirror: Mirror) -> None:
    """CloudWatch has none of the jobs' series there: it is said, not taken for an empty answer."""
    put_jobs(mirror, 1)

    def work(shipment: Shipment) -> Delivery:
        (found,) = shipment.found
        elsewhere = replace(found, arn=arn(found.name, account="999999999999"))
        return mirror_shipment(replace(shipment, found=(elsewhere,)))

    with pytest.raises(CredentialsError, match=r"account 123456789012, the jobs are of 9{12}"):
        sync(mirror, InProcess(work))


def test_credentials_of_another_account_later(mirror: Mirror) -> None:
    """A connection that is kept for one account's jobs is not used for those of another."""
    names = put_jobs(mirror, 2)
    assert sync(mirror, InProcess(), names=names[:1]).failed == []

    def work(shipment: Shipment) -> Delivery:
        (found,) = shipment.found
        elsewhere = replace(found, arn=arn(found.name, account="999999999999"))
        return mirror_shipment(replace(shipment, found=(elsewhere,)))

    with pytest.raises(CredentialsError, match=r"account 123456789012, the jobs are of 9{12}"):
        sync(mirror, InProcess(work), names=names[:1])


def test_mlflow_that_is_gone(mirror: Mirror) -> None:
    """What workers have written by then is in the report, as is why it ended."""
    put_jobs(mirror, 20)

    class AtOnce(InProcess):
        """Has a page mirrored before it is asked for; after the last MLflow is gone."""

        def submit(self, shipment: Shipment) -> Future[Delivery | None]:
            mirrored = super().submit(shipment)
            wait([mirrored])
            if len(self.shipments) == 2:
                mirror.database.rename(mirror.database.with_suffix(".away"))
            return mirrored

    report = sync(mirror, AtOnce())
    assert report.jobs["created"] == 20
    (failure,) = report.failed
    assert failure.arn == NOT_REACHED
    assert "the database refused" in failure.error


def test_groups_that_stop_the_pass(mirror: Mirror) -> None:
    """Every job that was found by then has failed, also those that wait for their groups."""
    mirror.account.put_job("tuning-job", kinds.tuning_job("tuning", **LIFE))
    child = {"TuningJobArn": kinds.kind_arn("hyper-parameter-tuning-job/tuning")}
    mirror.account.put_training_job({**job_answer("child", **LIFE), **child})
    expired = "ExpiredTokenException"
    mirror.account.faults.fail("sagemaker:*HyperParameter*", times=None, code=expired)
    heard: list[SyncReport] = []
    options = mirror.options(kinds=("training-job",), executor="dask", scheduler="here")
    with pytest.raises(CredentialsError):
        Engine(options, cluster=InProcess()).sync(heard.append)
    assert {failure.arn for failure in heard[-1].failed} == {arn("child"), NOT_REACHED}


def test_what_stays_is_written_meanwhile(mirror: Mirror) -> None:
    """While workers are at work the pass goes on with its own jobs."""
    put_jobs(mirror, 3)
    mirror.account.put_job("tuning-job", kinds.tuning_job("tuning", **LIFE))
    written = threading.Event()

    def work(shipment: Shipment) -> Delivery | None:
        assert written.wait(20)
        return mirror_shipment(shipment)

    def listen(report: SyncReport) -> None:
        if report.jobs["created"] == 1:
            written.set()

    options = mirror.options(kinds=EVERY_KIND, executor="dask", scheduler="here")
    report = Engine(options, cluster=InProcess(work)).sync(listen)
    assert report.failed == []
    assert report.jobs["created"] == 4


@pytest.mark.slow
def test_pages_for_all_workers(mirror: Mirror) -> None:
    """Few jobs are divided among all workers, also where they would fit into fewer pages."""
    put_jobs(mirror, 110)
    cluster = InProcess(one=1, two=3)
    assert sync(mirror, cluster).failed == []
    assert sorted(len(each.found) for each in cluster.shipments) == [26, 28, 28, 28]


def test_a_worker_that_comes_later(mirror: Mirror) -> None:
    """It gives pages back until the rates are divided anew, once no larger share is in use."""
    put_jobs(mirror, 30)
    returned: list[Shipment] = []

    def work(shipment: Shipment) -> Delivery | None:
        if "late" not in shipment.counted:
            cluster.workers["late"] = 2
            returned.append(shipment)
            return None
        return mirror_shipment(shipment)

    cluster = InProcess(work, early=1)
    report = sync(mirror, cluster)
    assert report.jobs["created"] == 30
    assert returned
    for each in cluster.shipments:
        readers = 3 if "late" in each.counted else 1
        assert each.share.reading == pytest.approx(0.9 / readers)


def test_a_cluster_without_workers(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, but not for ever."""
    put_jobs(mirror, 1)
    monkeypatch.setattr(cluster_pass, "_PATIENCE_S", 0)
    cluster = InProcess()
    cluster.workers.clear()
    with pytest.raises(StopError, match="no worker"):
        sync(mirror, cluster)


def test_a_watch_takes_no_cluster(mirror: Mirror) -> None:
    """What follows jobs reads them itself; it says so."""
    with pytest.raises(UsageError, match="--executor dask is for sync"):
        Engine(mirror.options(executor="dask", scheduler="tcp://localhost:1"))


def test_no_password_travels() -> None:
    """A tracking URI goes to workers without it; they have their own."""
    options = SyncOptions(executor="dask", scheduler="here", profile="mine")
    shipped = shipped_options(options, "eu-west-1", "postgresql://user:pa:ss@host/db")
    assert shipped.tracking_uri == "postgresql://user@host/db"
    assert (shipped.region, shipped.profile, shipped.executor) == ("eu-west-1", "mine", "threads")


def test_workers_use_their_own_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of MLFLOW_TRACKING_URI, where this names the same store."""
    own = "postgresql://user:secret@host/db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own)
    assert with_own_password("postgresql://user@host/db") == own
    assert with_own_password("postgresql://user@other/db") == "postgresql://user@other/db"


def test_pages_of_lineage(mirror: Mirror) -> None:
    """A page that a worker drew shows also what another page of jobs told later."""
    model = "s3://bucket/model.tar.gz"
    first, *_, last = put_jobs(mirror, 24)
    made = {"ModelArtifacts": {"S3ModelArtifacts": model}}
    read = {"ChannelName": "model", "DataSource": {"S3DataSource": {"S3Uri": model}}}
    mirror.account.put_training_job({**job_answer(first, **LIFE), **made})
    mirror.account.put_training_job({**job_answer(last, **LIFE), "InputDataConfig": [read]})
    cluster = InProcess()
    sync(mirror, cluster)
    pages = [{found.name for found in each.found} for each in cluster.shipments]
    assert not any({first, last} <= each for each in pages)
    assert all(arn(last) in lineage_page(mirror, name) for name in (first, last))
    assert all(arn(first) in lineage_page(mirror, name) for name in (first, last))


def lineage_page(mirror: Mirror, name: str) -> str:
    """Read the page of lineage of a job's run."""
    place = mirror.run(name).info.artifact_uri.removeprefix("file://")
    return Path(place, "sagemaker", "lineage.html").read_text(encoding="utf-8")
