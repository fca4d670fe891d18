from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.seal import seal
from mlflow_smwatch.tracking.seals import Seals
from tests.jobs import HOUR_MS, arn, moment
from tests.overlay.conftest import (
    BUCKET,
    CREATED_MS,
    LOG,
    MODEL,
    MODEL_BYTES,
    TAIL,
    Shown,
    knowing,
    put_job,
    put_logs,
    put_objects,
)

PLACES = ("sagemaker/logs", "sagemaker/model", "sagemaker/output")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be what MLflow takes for a tracking server, which has no key."""
    monkeypatch.delenv("SMWATCH_SEAL_KEY")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(tmp_path))


def shows_nothing(shown: Shown, run: Run) -> None:
    """Neither root nor folders nor files show anything; S3 and logs are not even asked."""
    shown.calls()
    assert shown.listed(run) == {}
    for place in PLACES:
        assert shown.listed(run, place) == {}
    for path in (LOG, TAIL, MODEL, "sagemaker/job.json"):
        with pytest.raises(MlflowException, match="No such artifact"):
            shown.text(run, path)
    assert not any(call.startswith(("s3:", "logs:")) for call in shown.calls())


def test_an_edited_arn_shows_nothing(shown: Shown) -> None:
    """Its seal does not fit."""
    run = shown.run("job")
    shown.client.set_tag(run.info.run_id, names.ARN, arn("job-2"))
    shows_nothing(shown, run)


def test_copied_tags_show_nothing(shown: Shown) -> None:
    """On another run, whoever owns it."""
    run = shown.run("job")
    mine = shown.client.create_run(shown.experiment(), start_time=CREATED_MS)
    for name, value in run.data.tags.items():
        shown.client.set_tag(mine.info.run_id, name, value)
    shows_nothing(shown, mine)


@pytest.mark.parametrize("value", ["", "1:0:0", "1:x:y", "2:0:" + "0" * 64, "ü:0:0"])
def test_a_made_up_seal_shows_nothing(shown: Shown, value: str) -> None:
    """Whatever it looks like."""
    shows_nothing(shown, shown.run("job", key=None, tags={names.SEAL: value}))


def test_the_seal_of_another_key_shows_nothing(shown: Shown) -> None:
    """Where a key exists, not even knowledge of the job counts."""
    shows_nothing(shown, shown.run("job", key="another"))
    run = shown.run("job", key=None)
    shown.client.set_tag(run.info.run_id, names.SEAL, knowing(run.info.run_id, "job"))
    shows_nothing(shown, run)


def test_tags_are_never_followed(shown: Shown) -> None:
    """AWS alone says where logs, model and output are."""
    put_objects({"out/job-2/secret.txt": b"secret"})
    run = shown.run(
        "job",
        tags={
            "sagemaker.log_group": "/aws/lambda/secrets",
            "sagemaker.log_streams": '["secret"]',
            "sagemaker.model_artifact": f"s3://{BUCKET}/out/job-2/secret.txt",
            "sagemaker.output": f"s3://{BUCKET}/out/job-2",
            "sagemaker.name": "job-2",
            "sagemaker.region": "eu-west-1",
        },
    )
    assert list(shown.listed(run, "sagemaker/model")) == [MODEL]
    assert list(shown.listed(run, "sagemaker/logs")) == [LOG, TAIL]
    assert list(shown.listed(run, "sagemaker/output")) == ["sagemaker/output/output"]
    assert shown.content(run, MODEL) == MODEL_BYTES


def test_a_job_made_anew_under_the_name_is_not_shown(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of the earlier one does not show the later one, with a key or without."""
    later_ms = CREATED_MS + HOUR_MS // 2
    put_job(shown.account, "anew", CreationTime=moment(later_ms))
    put_logs(shown.account, "anew", "later")
    old = shown.run("anew")
    shows_logs_of_nothing(shown, old)
    monkeypatch.delenv("SMWATCH_SEAL_KEY")
    shows_logs_of_nothing(shown, old)


def shows_logs_of_nothing(shown: Shown, run: Run) -> None:
    """Find the folders empty, and nothing but the description asked for."""
    shown.calls()
    for place in PLACES:
        assert shown.listed(run, place) == {}
    assert not any(call.startswith(("s3:", "logs:")) for call in shown.calls())


def test_a_planted_file_does_not_show(shown: Shown) -> None:
    """What is read through is AWS's, whatever lies in the run's own folder."""
    run = shown.run("job")
    for path in (LOG, MODEL, "sagemaker/logs/planted.log"):
        shown.client.log_text(run.info.run_id, "planted", path)
    assert list(shown.listed(run, "sagemaker/logs")) == [LOG, TAIL]
    assert shown.content(run, MODEL) == MODEL_BYTES
    assert "planted" not in shown.text(run, LOG)
    with pytest.raises(MlflowException):
        shown.text(run, "sagemaker/logs/planted.log")


def test_a_run_is_reached_through_its_own_place_alone(shown: Shown, tmp_path: Path) -> None:
    """Not through a folder that somebody made with its id."""
    run = shown.run("job")
    uri = f"smwatch+{tmp_path.as_uri()}/elsewhere/{run.info.run_id}/artifacts"
    repository = get_artifact_repository(uri, tracking_uri=shown.uri)
    assert repository.list_artifacts() == repository.list_artifacts("sagemaker/logs") == []
    mine = shown.run("job", key=None)
    inner = shown.repository(mine).list_artifacts(f"{run.info.run_id}/artifacts/sagemaker/logs")
    assert inner == []


REFUSED = [
    "sagemaker/logs/../../../secret",
    "sagemaker/output/../job-2/secret.txt",
    "sagemaker/output/%2e%2e/job-2/secret.txt",
    "sagemaker/output/%252e%252e/job-2/secret.txt",
    "sagemaker/output/..%2fjob-2",
    "sagemaker/output/a%2f..%2f..",
    "sagemaker/output/./x",
    "sagemaker/output//x",
    "sagemaker//output",
    "sagemaker/output/..\\job-2",
    "sagemaker/output/a%5c..",
    "sagemaker/output/a\x00b",
    "sagemaker/output/a%00b",
    "sagemaker/output/a\x1b[2Jb",
    "sagemaker/output/gpj%E2%80%AEexe.txt",
    "sagemaker/../sagemaker/output",
]


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_that_leads_elsewhere_is_refused(shown: Shown, path: str) -> None:
    """AWS is not asked."""
    run = shown.run("job")
    shown.calls()
    repository: Any = shown.repository(run)
    for ask in (repository.list_artifacts, repository.download_artifacts):
        with pytest.raises(MlflowException) as caught:
            ask(path)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert shown.calls() == {}


ELSEWHERE = [
    "/sagemaker/output",
    "s3://models/out/job-2/secret.txt",
    "sagemaker-2/output",
    "SageMaker/output",
    "../sagemaker/output",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_other_paths_are_the_repositorys_own(shown: Shown, path: str) -> None:
    """Which knows what to do with them; AWS is not asked."""
    run = shown.run("job")
    shown.calls()
    repository: Any = shown.repository(run)
    with pytest.raises(MlflowException):
        repository.download_artifacts(path)
    assert shown.calls() == {}


def test_a_name_that_begins_like_another_is_another(shown: Shown) -> None:
    """Folders end at a slash."""
    put_job(shown.account, "jo")
    put_logs(shown.account, "jo", "line")
    put_objects({"out/jo/a.txt": b"a"})
    run = shown.run("jo")
    assert list(shown.listed(run, "sagemaker/output")) == ["sagemaker/output/a.txt"]
    assert shown.listed(run, "sagemaker/output/a.t") == {}
    assert len(shown.listed(run, "sagemaker/logs")) == 2


@pytest.mark.usefixtures("server")
def test_a_server_without_a_key_wants_knowledge_of_the_job(shown: Shown) -> None:
    """Of ARN, CreationTime and role, all as AWS has them."""
    run = shown.run("job", key=None)
    run_id = run.info.run_id
    shows_nothing(shown, run)
    knowing_run = shown.run("job", key=None)
    value = knowing(knowing_run.info.run_id, "job")
    shown.client.set_tag(knowing_run.info.run_id, names.SEAL, value)
    assert list(shown.listed(knowing_run, "sagemaker/logs")) == [LOG, TAIL]
    for wrong in (
        knowing(run_id, "job", role="arn:aws:iam::1:role/x"),
        knowing(run_id, "job", created_ms=CREATED_MS + 1),
        knowing("0" * 32, "job"),
        seal(b"guess", run_id, arn("job"), CREATED_MS),
    ):
        other = shown.run("job", key=None, tags={names.SEAL: wrong})
        shows_logs_of_nothing(shown, other)


def test_a_client_without_a_key_believes_the_time(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It acts with its user's rights: a run that began in the life of the job is its run."""
    monkeypatch.delenv("SMWATCH_SEAL_KEY")
    assert list(shown.listed(shown.run("job", key=None), "sagemaker/logs")) == [LOG, TAIL]
    late = shown.client.create_run(
        shown.experiment(), start_time=CREATED_MS + 2 * HOUR_MS, tags={names.ARN: arn("job")}
    )
    shows_logs_of_nothing(shown, late)


def test_the_key_of_a_database_counts(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, store: Path, tmp_path: Path
) -> None:
    """Where there is one, a client is asked for its seal too."""
    monkeypatch.delenv("SMWATCH_SEAL_KEY")
    shown.uri = f"sqlite:///{shutil.copy(store, tmp_path / 'own.db')}"
    key = Seals.of(shown.uri, None, create=True).key
    assert key is not None
    run = shown.run("job", key=None)
    assert shown.listed(run) == {}
    sealed = shown.run("job", key=None)
    value = seal(key, sealed.info.run_id, arn("job"), CREATED_MS)
    shown.client.set_tag(sealed.info.run_id, names.SEAL, value)
    assert list(shown.listed(sealed, "sagemaker/logs")) == [LOG, TAIL]


def test_names_from_aws_are_escaped_on_the_page(shown: Shown) -> None:
    """The page of lineage is HTML, and a data set may be called anything."""
    odd = "s3://data/<script>alert(1)</script>/"
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": odd}}}
    put_job(shown.account, "hostile", InputDataConfig=[channel])
    page = shown.text(shown.run("hostile"), "sagemaker/lineage.html")
    assert "<script>alert(1)" not in page
    assert "alert(1)" in page


URIS = [
    *(f"smwatch+{scheme}://host/x" for scheme in ("ftp", "sftp", "http", "https", "dbfs", "hdfs")),
    "smwatch+mlflow-artifacts:/x",
    "smwatch+mlflow-artifacts://host/x",
    "smwatch+r2://b@host/x",
    "smwatch+smwatch+file:///tmp",
    "smwatch+smwatch+s3://bucket/x",
    "smwatch+runs:/0/x",
    "smwatch+models:/x/1",
    "smwatch+/tmp",
    "smwatch+file:tmp",
    "smwatch+file://otherhost/tmp",
    "smwatch+file:///tmp/../etc",
    "smwatch+file:///tmp/%2e%2e/etc",
    "smwatch+file:///tmp/%252e%252e/etc",
    "smwatch+file:///tmp\\..\\etc",
    "smwatch+s3://bucket/a/../b",
    "file:///tmp",
]


@pytest.mark.parametrize("uri", URIS)
def test_only_the_four_schemes_are_opened(uri: str) -> None:
    """Nothing that leads elsewhere, or to another overlay."""
    from mlflow_smwatch.plugins.artifact_repository import overlay_repository

    with pytest.raises(MlflowException, match="is not opened"):
        overlay_repository(uri)


def test_a_server_opens_only_folders_that_mlflow_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A client may name any place as the source of a model version; MLflow refuses local ones."""
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", f"smwatch+{tmp_path.as_uri()}/root")
    for place in ("/etc", f"{tmp_path}/root-2", f"{tmp_path}/{'0' * 32}/secret"):
        with pytest.raises(MlflowException, match="keeps no artifacts there"):
            get_artifact_repository(f"smwatch+file://{place}")
    ids = ("0" * 32, f"m-{'0' * 32}", "tr-0a")
    for place in (f"{tmp_path}/root/1", *(f"/x/{each}/artifacts/a" for each in ids)):
        assert get_artifact_repository(f"smwatch+file://{place}").list_artifacts() == []
