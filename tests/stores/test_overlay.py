"""The overlay where MLflow is a server, or its database is PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Experiment, Run

import mlflow_smwatch
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.seal import is_sealed, knowledge, sealed_creation_ms
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.engine.turnover import turn_over
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from mlflow_smwatch.tracking.overlays import Overlays
from mlflow_smwatch.tracking.seals import KEY_VARIABLE, Seals
from mlflow_smwatch.tracking.store import Tracking, ask_server, open_tracking
from tests.stores.servers import mlflow_server_on
from tests.without_plugin import python_without_plugin

HOME = "sagemaker/training-jobs"
SEAL = "smwatch.seal"


def sync(uri: str, *names: str, **options: str) -> SyncReport:
    """Run one overlay pass over training jobs."""
    report = mlflow_smwatch.sync(
        *names, tracking_uri=uri, kinds=("training-job",), artifacts="overlay", **options
    )
    assert not report.failed
    return report


def runs(uri: str) -> list[Run]:
    """Give the mirrored runs."""
    client = MlflowClient(tracking_uri=uri)
    return list(client.search_runs([experiment(uri)[0]]))


def experiment(uri: str) -> tuple[str, str]:
    """Give id and place of the experiment of training jobs."""
    found = MlflowClient(tracking_uri=uri).get_experiment_by_name(HOME)
    assert found is not None
    return found.experiment_id, found.artifact_location


def is_right(run: Run, key: bytes | None = None) -> bool:
    """Whether a run is sealed with a key, or with what a reader of its job knows."""
    tags, created_ms = run.data.tags, run.info.start_time
    key = key or knowledge(tags["sagemaker.arn"], created_ms, tags.get("sagemaker.role_arn"))
    return is_sealed(tags[SEAL], key, run.info.run_id, tags["sagemaker.arn"], created_ms)


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_a_server_that_keeps_artifacts_itself(mlflow_server: str) -> None:
    """It decides; its runs have what ``link`` gives them, and once it is said how to have more."""
    options = SyncOptions(
        tracking_uri=mlflow_server, kinds=("training-job",), artifacts="overlay", since="3650d"
    )
    mirror = Mirror(options)
    first, later = mirror.naming(["plain"]).sync(), mirror.sync()
    (warned,) = [each.warning for each in first.warnings]
    assert f"runs in {HOME!r}" in warned
    assert "show job.json and lineage.html only" in warned
    assert "--artifacts-destination smwatch+<its destination>" in warned
    assert later.jobs["created"] == 3
    assert later.warnings == []
    run = next(each for each in runs(mlflow_server) if each.info.run_name == "plain")
    listed = MlflowClient(tracking_uri=mlflow_server).list_artifacts(run.info.run_id, "sagemaker")
    assert [each.path for each in listed] == ["sagemaker/job.json", "sagemaker/lineage.html"]
    assert experiment(mlflow_server)[1].startswith("mlflow-artifacts:/")
    assert all(is_right(run) for run in runs(mlflow_server))
    assert sync(mlflow_server).jobs["unchanged"] == 4


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_a_server_whose_destination_is_the_overlay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Draws the pages of lineage itself; a key that it does not share is missed."""
    monkeypatch.setenv(KEY_VARIABLE, "shared")
    place = tmp_path / "served"
    with mlflow_server_on(
        f"sqlite:///{tmp_path}/mlflow.db", tmp_path, f"smwatch+{place.as_uri()}"
    ) as address:
        assert sync(address, "plain").warnings == []
        files = [each.name for each in place.rglob("*") if each.is_file()]
        assert files == ["job.json"]
        monkeypatch.setenv(KEY_VARIABLE, "another")
        (warned,) = [each.warning for each in sync(address, "second").warnings]
        assert f"the same {KEY_VARIABLE}" in warned
        assert "lineage.html" in [each.name for each in place.rglob("*")]


def test_a_store_that_keeps_its_credentials() -> None:
    """Of another version of MLflow, or of a plug-in: then nothing is asked."""
    client = MlflowClient(tracking_uri="http://127.0.0.1:9")
    client._tracking_client = object()  # type: ignore[assignment]
    assert ask_server(client, "/", {}, 1) is None


def test_a_server_that_does_not_answer() -> None:
    """Is a warning, once; nothing is raised after all was written."""
    uri = "http://127.0.0.1:9"
    overlays = Overlays(Tracking(uri=uri, client=MlflowClient(tracking_uri=uri)), None)
    kept = Experiment("1", "kept", "mlflow-artifacts:/1", "active")
    assert overlays.shows_job(kept.artifact_location) is None
    for _ in range(2):
        overlays.ask_server(kept, "run", "training-job")
    (warned,) = overlays.answers()
    assert "is not known" in warned
    assert overlays.shows_job(kept.artifact_location) is False
    assert overlays.warning(kept) is None


@pytest.fixture
def bare_server(tmp_path: Path) -> Iterator[str]:
    """Serve without this package; clients are told where artifacts are."""
    python = python_without_plugin(tmp_path)
    options = ("--no-serve-artifacts", "--default-artifact-root", str(tmp_path / "root"))
    database = f"sqlite:///{tmp_path}/served.db"
    with mlflow_server_on(database, tmp_path, python=python, options=options) as address:
        yield address


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_a_server_without_the_package(bare_server: str, tmp_path: Path) -> None:
    """The experiment is made beside the first one; one warning says what that means."""
    report = sync(bare_server, "plain", "second")
    (warned,) = [each.warning for each in report.warnings]
    assert "lacks this package" in warned
    assert "nothing is lost" in warned
    assert "pip install mlflow-smwatch" in warned
    assert f"smwatch overlay --off {HOME} --tracking-uri DATABASE-URI" in warned
    begin, _, folder = experiment(bare_server)[1].rpartition("/")
    assert (begin, len(folder)) == (f"smwatch+file://{tmp_path}/root", 32)
    assert list(tmp_path.glob("root/*/*/artifacts/sagemaker/job.json"))
    again = sync(bare_server, "plain", "second")
    assert (again.jobs["unchanged"], again.warnings) == (2, [])
    with pytest.raises(UsageError, match="no call to an MLflow server"):
        turn_over([HOME], tracking_uri=bare_server)
    turn_over([HOME], tracking_uri=f"sqlite:///{tmp_path}/served.db", off=True)
    assert experiment(bare_server)[1] == f"{tmp_path}/root/{folder}"
    plain = sync(bare_server, "failed")
    (warned,) = [each.warning for each in plain.warnings]
    assert "is not on the overlay" in warned
    assert "DATABASE-URI" in warned


@pytest.fixture
def poor_user(postgresql: str) -> Iterator[str]:
    """Give a user who may write to MLflow's tables and make none."""
    open_tracking(f"postgresql://{postgresql}")
    owner = sqlalchemy.create_engine(
        f"postgresql://{postgresql}", poolclass=sqlalchemy.pool.NullPool
    )
    rights = (
        "DROP TABLE IF EXISTS smwatch_key",
        "CREATE ROLE poor LOGIN",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO poor",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO poor",
    )
    with owner.begin() as connection:
        for each in rights:
            connection.execute(sqlalchemy.text(each))
    yield postgresql.replace("mirror@", "poor@")
    with owner.begin() as connection:
        connection.execute(sqlalchemy.text("DROP OWNED BY poor"))
        connection.execute(sqlalchemy.text("DROP ROLE poor"))


@pytest.mark.postgresql
@pytest.mark.usefixtures("aws")
def test_postgresql(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made on the overlay, sealed with a key of the database, turned back and over."""
    monkeypatch.chdir(tmp_path)
    uri = f"postgresql://{postgresql}"
    assert sync(uri).warnings == []
    key = Seals.of(f"smwatch+postgresql+psycopg2://{postgresql}", None, create=False).key
    assert key is not None
    assert all(is_right(run, key) for run in runs(uri))
    assert sync(uri).jobs["unchanged"] == 4
    over = (experiment(uri), [run.info.artifact_uri for run in runs(uri)])
    assert over[0][1].startswith(f"smwatch+file://{tmp_path}/mlruns/")
    (back,) = turn_over([HOME], tracking_uri=uri, off=True).experiments
    assert back.changed == 1 + 4 + 3
    assert not any("smwatch+" in run.info.artifact_uri for run in runs(uri))
    turn_over([HOME], tracking_uri=uri)
    assert experiment(uri) == over[0]
    long = MlflowClient(tracking_uri=uri).create_experiment("long", f"s3://bucket/{'x' * 140}")
    MlflowClient(tracking_uri=uri).create_run(long)
    (refused,) = turn_over(["long"], tracking_uri=uri).failed
    assert "longer than the 200 characters" in refused.error
    stays = MlflowClient(tracking_uri=uri).get_experiment(long)
    assert stays.artifact_location.startswith("s3://")


@pytest.mark.postgresql
@pytest.mark.usefixtures("aws")
def test_a_user_who_may_not_keep_a_key(
    poor_user: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is told so, with the way out; runs show knowledge of their job."""
    monkeypatch.chdir(tmp_path)
    uri = f"postgresql://{poor_user}"
    report = sync(uri, "plain")
    (warned,) = [each.warning for each in report.warnings]
    assert "permission denied" in warned
    assert "SMWATCH_SEAL_KEY" in warned
    (run,) = [each for each in runs(uri) if each.info.run_name == "plain"]
    assert sealed_creation_ms(run.data.tags[SEAL]) == run.info.start_time
