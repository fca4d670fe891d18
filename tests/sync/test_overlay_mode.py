from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run, ViewType

import mlflow_smwatch
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.core.seal import is_sealed, sealed_creation_ms
from mlflow_smwatch.core.watermark import STATE_TAG
from mlflow_smwatch.engine.turnover import TurnReport, turn_over
from mlflow_smwatch.tracking.experiments import Experiments
from mlflow_smwatch.tracking.overlays import Overlays
from mlflow_smwatch.tracking.run_search import known_run
from mlflow_smwatch.tracking.seals import KEY_VARIABLE, Seals
from mlflow_smwatch.tracking.store import open_tracking
from tests.jobs import DAY_MS, HOUR_MS, MINUTE_MS, REGION, arn, job_answer, now_ms
from tests.sync import every_kind
from tests.sync.conftest import DOCUMENTS, Mirror
from tests.sync.test_kinds import put_every_kind
from tests.without_plugin import python_without_plugin

SEAL = "smwatch.seal"
HOME = "sagemaker/training-jobs"
SOURCE = Path(mlflow_smwatch.__file__).parents[1]
READ = """
import json, sys
from importlib.metadata import entry_points
import mlflow

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_registry_uri(sys.argv[1])
assert not any("smwatch" in each.name for each in entry_points(group="mlflow.artifact_repository"))
found = {}
for what, uri in json.loads(sys.argv[2]).items():
    try:
        found[what] = mlflow.artifacts.load_text(uri)
    except mlflow.MlflowException as error:
        found[what] = str(error)[:60]
trace = mlflow.get_trace(sys.argv[3])
found["trace"] = trace.data.spans[0].name if trace else None
print(json.dumps(found))
"""


MAKE_KEY = """
import sys
from mlflow_smwatch.tracking.seals import Seals

print(Seals.of(sys.argv[1], None, create=True).key.hex())
"""


def put_job(mirror: Mirror, name: str = "job") -> None:
    """Put a job with a model that is over for two days."""
    begin_ms = now_ms() - 2 * DAY_MS
    mirror.account.put_training_job(
        job_answer(
            name,
            created_ms=begin_ms,
            ended_ms=begin_ms + HOUR_MS,
            ModelArtifacts={"S3ModelArtifacts": f"s3://models/{name}/model.tar.gz"},
        )
    )


def locations(mirror: Mirror) -> dict[str, str]:
    """Give where each experiment is, by name."""
    return {each.name: each.artifact_location for each in mirror.experiments()}


def is_right(mirror: Mirror, run: Run, key: bytes | None = None) -> bool:
    """Whether a run has the seal of what its tags say, with the store's key or a given one."""
    key = key or Seals.of(mirror.uri, None, create=False).key
    assert key is not None
    tag, arn = run.data.tags[SEAL], run.data.tags["sagemaker.arn"]
    assert sealed_creation_ms(tag) == run.info.start_time
    return is_sealed(tag, key, run.info.run_id, arn, run.info.start_time)


def stored(run: Run) -> list[str]:
    """List what lies where a run keeps its own artifacts."""
    folder = Path(run.info.artifact_uri.removeprefix("smwatch+file:"))
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def alter(mirror: Mirror, statement: str) -> None:
    """Change the database as somebody else would."""
    with closing(sqlite3.connect(mirror.database)) as connection:
        connection.executescript(statement)


def turn(mirror: Mirror, *names: str, off: bool = False) -> TurnReport:
    """Turn experiments over or back; without a name that of training jobs."""
    return turn_over(names or (HOME,), tracking_uri=mirror.uri, off=off)


def test_a_fresh_store(mirror: Mirror, tmp_path: Path) -> None:
    """The experiment is made on the overlay, the run is sealed; then nothing is written."""
    put_job(mirror)
    report = mirror.sync(artifacts="overlay")
    assert report.jobs["created"] == 1
    assert not report.warnings
    assert locations(mirror)[HOME] == f"smwatch+file://{tmp_path}/mlruns/1"
    run = mirror.run("job")
    assert is_right(mirror, run)
    assert stored(run) == ["sagemaker/job.json"]
    before = mirror.dump()
    again = mirror.sync(artifacts="overlay")
    assert again.jobs["unchanged"] == 1
    assert mirror.dump() == before


def test_without_it_nothing_is_sealed(mirror: Mirror) -> None:
    """Nor is there a key, nor another place."""
    put_job(mirror)
    mirror.sync()
    assert SEAL not in mirror.run("job").data.tags
    assert Seals.of(mirror.uri, None, create=False).key is None
    assert "smwatch+" not in locations(mirror)[HOME]


def test_runs_of_before_are_sealed_once(mirror: Mirror) -> None:
    """In one write without a call for the job; their experiment is named, with the command."""
    put_job(mirror)
    mirror.sync()
    calls = dict(mirror.account.calls)
    forecast = mirror.sync(artifacts="overlay", dry_run=True)
    assert forecast.jobs["updated"] == 1
    assert Seals.of(mirror.uri, None, create=False).key is None
    report = mirror.sync(artifacts="overlay")
    assert report.jobs["updated"] == 1
    assert report.points == 0
    assert set(mirror.account.calls) <= set(calls)
    assert f"smwatch overlay {HOME} --tracking-uri 'sqlite:///" in mirror.warnings(report)
    assert len(report.warnings) == 1
    assert is_right(mirror, mirror.run("job"))
    before = mirror.dump()
    again = mirror.sync(artifacts="overlay")
    assert (again.jobs["unchanged"], again.warnings) == (1, [])
    assert mirror.dump() == before
    turn(mirror)
    assert mirror.sync(artifacts="overlay").jobs["unchanged"] == 1


def test_a_plain_experiment_keeps_its_pages_of_lineage(mirror: Mirror) -> None:
    """Nothing draws them there when somebody looks: they are stored, and drawn again."""
    mirror.client.create_experiment(HOME)
    put_job(mirror)
    mirror.sync(artifacts="overlay")
    run = mirror.run("job")
    page = Path(run.info.artifact_uri, "sagemaker", "lineage.html")
    assert stored(run) == DOCUMENTS
    before = page.read_text(encoding="utf-8")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://models/job/model.tar.gz"}}
    channel = {"ChannelName": "model", "DataSource": source}
    begin_ms = now_ms() - DAY_MS
    tuned = job_answer(
        "tuned", created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS, InputDataConfig=[channel]
    )
    mirror.account.put_training_job(tuned)
    mirror.sync(artifacts="overlay")
    assert "tuned" not in before
    assert "tuned" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["smwatch+file", "file"])
def test_within_a_server(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Its destination decides whether an experiment that it keeps is on the overlay."""
    folder = tmp_path / "served"
    destination = f"{scheme}://{folder}"
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", destination)
    mirror.client.create_experiment(HOME, "mlflow-artifacts:/7")
    put_job(mirror)
    warned = mirror.warnings(mirror.sync(artifacts="overlay"))
    pages = [path.name for path in folder.glob("7/*/artifacts/sagemaker/*")]
    if scheme == "file":
        assert "start it with --artifacts-destination smwatch+" in warned
        assert sorted(pages) == ["job.json", "lineage.html"]
    else:
        assert warned == ""
        assert pages == ["job.json"]


def test_what_cannot_be_looked_at_is_a_warning(mirror: Mirror) -> None:
    """An experiment that is gone by now does not hide what is known of the others."""
    plain = mirror.client.create_experiment("plain")
    tracking = open_tracking(mirror.uri)
    experiments = Experiments(tracking, Overlays(tracking, None))
    runs = [("run", "999", "training-job"), ("other", plain, "training-job")]
    gone, other = experiments.overlay_warnings(runs)
    assert "999" in gone
    assert "smwatch overlay plain" in other


def test_a_seal_that_somebody_edited(mirror: Mirror) -> None:
    """Is written anew, and the ARN as far as it is the mirror's to know."""
    put_job(mirror)
    mirror.sync(artifacts="overlay")
    run = mirror.run("job")
    mirror.client.set_tag(run.info.run_id, SEAL, "1:1:00")
    assert mirror.sync(artifacts="overlay").jobs["updated"] == 1
    assert is_right(mirror, mirror.run("job"))


def test_a_copy_of_a_run_is_never_sealed(mirror: Mirror) -> None:
    """Somebody copies all that can be copied, and says that it is older: it goes."""
    put_job(mirror)
    mirror.sync(artifacts="overlay")
    genuine = mirror.run("job")
    own = mirror.client.create_experiment("own", f"smwatch+{mirror.database.parent.as_uri()}/own")
    state = json.loads(genuine.data.tags[STATE_TAG])
    copied = {**genuine.data.tags, STATE_TAG: json.dumps({**state, "made_ms": 1})}
    copy = mirror.client.create_run(own, start_time=genuine.info.start_time, tags=copied)
    mirror.sync(artifacts="overlay")
    (left,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert left.info.run_id == genuine.info.run_id
    assert is_right(mirror, left)
    assert not is_right(mirror, mirror.client.get_run(copy.info.run_id))


def test_a_run_that_a_script_may_have_logged_is_not_sealed(mirror: Mirror) -> None:
    """Anyone can log one like it: it is adopted, and shows nothing of AWS."""
    put_job(mirror)
    begin_ms = now_ms() - 2 * DAY_MS + MINUTE_MS
    said = {"kind": "training-job", "name": "job", "region": REGION, "arn": arn("job")}
    tags = {f"sagemaker.{key}": value for key, value in said.items()}
    own = mirror.client.create_experiment("own")
    logged = mirror.client.create_run(own, start_time=begin_ms, tags=tags)
    assert mirror.sync(artifacts="overlay").jobs["updated"] == 1
    (run,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert run.info.run_id == logged.info.run_id
    assert "sagemaker.status" in run.data.tags
    assert SEAL not in run.data.tags
    assert mirror.sync(artifacts="overlay").jobs["unchanged"] == 1


def test_a_run_that_sagemaker_names_is_sealed(mirror: Mirror) -> None:
    """It is AWS that says whose run it is."""
    own = mirror.client.create_experiment("own")
    begin_ms = now_ms() - 2 * DAY_MS
    logged = mirror.client.create_run(own, start_time=begin_ms + MINUTE_MS)
    details = {"MlflowExperimentId": own, "MlflowRunId": logged.info.run_id}
    mirror.client.set_tag(logged.info.run_id, "sagemaker.arn", arn("job"))
    answer = job_answer("job", created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS)
    mirror.account.put_training_job({**answer, "MlflowDetails": details})
    mirror.sync(artifacts="overlay")
    (run,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert run.info.run_id == logged.info.run_id
    key = Seals.of(mirror.uri, None, create=False).key
    assert key is not None
    assert is_sealed(run.data.tags[SEAL], key, logged.info.run_id, arn("job"), begin_ms)


def test_without_the_key_a_seal_that_may_be_right_stays(mirror: Mirror) -> None:
    """A mirror through a server does not blind the server that another has sealed for."""
    put_job(mirror)
    mirror.sync(artifacts="overlay")
    run, job = mirror.run("job"), arn("job")
    known = known_run(run)
    keyless = Seals(wanted=True)
    assert keyless.notes(known, job, run.info.start_time, None) == {}
    assert keyless.notes(known, job, run.info.start_time + 1, None) != {}


@pytest.mark.parametrize("earlier", [False, True], ids=["new", "mirrored before"])
def test_every_kind_is_sealed(mirror: Mirror, *, earlier: bool) -> None:
    """Trials and endpoints too; once, then nothing is written."""
    put_every_kind(mirror)
    if earlier:
        every_kind.sync(mirror)
    every_kind.sync(mirror, artifacts="overlay")
    assert len(mirror.runs()) == len(KINDS)
    assert all(is_right(mirror, run) for run in mirror.runs())
    before = mirror.dump()
    assert every_kind.sync(mirror, artifacts="overlay").jobs["unchanged"] == len(KINDS)
    assert mirror.dump() == before


def test_a_key_of_the_environment_wins(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is made in the database; without it, runs are sealed again."""
    put_job(mirror)
    monkeypatch.setenv(KEY_VARIABLE, "shared")
    mirror.sync(artifacts="overlay")
    assert is_right(mirror, mirror.run("job"), b"shared")
    monkeypatch.delenv(KEY_VARIABLE)
    assert Seals.of(mirror.uri, None, create=False).key is None
    assert mirror.sync(artifacts="overlay").jobs["updated"] == 1
    assert is_right(mirror, mirror.run("job"))


def test_verify_makes_no_key(mirror: Mirror) -> None:
    """It writes nothing at all."""
    put_job(mirror)
    mirror.sync()
    before = mirror.dump()
    report = mlflow_smwatch.verify(
        tracking_uri=mirror.uri, kinds=("training-job",), artifacts="overlay"
    )
    assert report.equal == 1
    assert mirror.dump() == before


def test_a_base_of_ones_own(mirror: Mirror, tmp_path: Path) -> None:
    """Each experiment has a folder of its own below it."""
    put_job(mirror)
    base = tmp_path / "own base"
    mirror.sync(artifacts="overlay", artifact_base=str(base))
    begin, _, folder = locations(mirror)[HOME].rpartition("/")
    assert begin == f"smwatch+file://{base}"
    assert len(folder) == 32
    assert stored(mirror.run("job")) == ["sagemaker/job.json"]


def test_a_repair_makes_experiments_there_too(mirror: Mirror, tmp_path: Path) -> None:
    """The base is for those as well."""
    put_job(mirror)
    report = mlflow_smwatch.verify(
        tracking_uri=mirror.uri,
        kinds=("training-job",),
        artifacts="overlay",
        artifact_base=str(tmp_path / "base"),
        repair=True,
    )
    assert report.repaired
    assert locations(mirror)[HOME].startswith(f"smwatch+file://{tmp_path}/base/")


@pytest.mark.slow
def test_mirrors_that_make_the_key_at_once(mirror: Mirror) -> None:
    """All have the same."""
    command = [sys.executable, "-c", MAKE_KEY, mirror.uri]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}

    def made(_: int) -> str:
        done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=True)
        return done.stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(made, range(4)))
    assert len(keys) == 1
    assert keys == {(Seals.of(mirror.uri, None, create=False).key or b"").hex()}


def test_turning_over_and_back(mirror: Mirror) -> None:
    """Restores every byte, of deleted runs and of experiments elsewhere too; twice is once."""
    put_job(mirror)
    put_job(mirror, "removed")
    mirror.sync()
    mirror.client.delete_run(mirror.run("removed").info.run_id)
    elsewhere = mirror.client.create_experiment("elsewhere", "file:///srv/a b")
    mirror.client.create_run(elsewhere)
    mirror.client.create_run(mirror.client.create_experiment("remote", "s3://bucket/x"))
    mirror.client.delete_experiment(elsewhere)
    before, names = mirror.dump(), (HOME, "elsewhere", "remote")
    over = turn(mirror, *names)
    assert [each.changed for each in over.experiments] == [3, 2, 2]
    assert all(locations(mirror)[name].startswith("smwatch+") for name in names)
    assert all(run.info.artifact_uri.startswith("smwatch+") for run in mirror.runs())
    turned = mirror.dump()
    assert [each.changed for each in turn(mirror, *names).experiments] == [0, 0, 0]
    assert mirror.dump() == turned
    back = turn(mirror, *names, off=True)
    assert [each.changed for each in back.experiments] == [3, 2, 2]
    assert mirror.dump() == before
    turn(mirror, *names, off=True)
    assert mirror.dump() == before


def test_turning_back_all(mirror: Mirror) -> None:
    """Without a name: whatever has a place on the overlay, deleted ones too, and nothing else."""
    put_job(mirror)
    mirror.sync()
    mirror.client.create_experiment("plain")
    deleted = mirror.client.create_experiment("deleted", "s3://bucket/x")
    half = mirror.client.create_experiment("half", "/x")
    mirror.client.create_run(half)
    turn(mirror, HOME, "deleted", "half")
    alter(mirror, "UPDATE experiments SET artifact_location = '/x' WHERE name = 'half';")
    mirror.client.delete_experiment(deleted)
    back = turn_over((), tracking_uri=mirror.uri, off=True)
    assert sorted(each.experiment for each in back.experiments) == ["deleted", "half", HOME]
    assert not overlaid_tables(mirror)
    assert turn_over((), tracking_uri=mirror.uri, off=True).experiments == ()
    mirror.client.restore_experiment(deleted)
    assert locations(mirror)["deleted"] == "s3://bucket/x"


def test_it_is_turned_whole_or_not_at_all(mirror: Mirror) -> None:
    """A failure at the last run leaves everything as it was."""
    put_job(mirror)
    put_job(mirror, "last")
    mirror.sync()
    alter(
        mirror,
        "CREATE TRIGGER stop BEFORE UPDATE ON runs"
        " WHEN old.run_uuid = (SELECT max(run_uuid) FROM runs)"
        " BEGIN SELECT RAISE(ABORT, 'stopped at the last'); END;",
    )
    before = mirror.dump()
    report = turn(mirror)
    assert not report.experiments
    assert "nothing was changed: stopped at the last" in report.failed[0].error
    assert mirror.dump() == before


def test_what_has_no_overlay_stays(mirror: Mirror) -> None:
    """It is named with the reason, and the others are turned."""
    for name, location in {"ftp": "ftp://host/x", "server": "mlflow-artifacts:/7"}.items():
        mirror.client.create_experiment(name, location)
    mirror.client.create_experiment("good")
    before = locations(mirror)
    report = turn(mirror, "ftp", "server", "no such", "good")
    errors = {each.experiment: each.error for each in report.failed}
    assert "not ftp://host/x" in errors["ftp"]
    assert "--artifacts-destination" in errors["server"]
    assert "no such experiment" in errors["no such"]
    assert [each.experiment for each in report.experiments] == ["good"]
    assert {**locations(mirror), "good": ""} == {**before, "good": ""}


@pytest.mark.slow
def test_turned_back_it_is_read_without_the_plugin(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run, logged model, trace and model version, all made on the overlay; nothing is lost."""
    put_job(mirror)
    mirror.sync(artifacts="overlay")
    run = mirror.run("job")
    uris = {
        "run": f"runs:/{run.info.run_id}/sagemaker/job.json",
        "version": "models:/registered/1/sagemaker/job.json",
    }
    mirror.client.create_registered_model("registered")
    mirror.client.create_model_version("registered", run.info.artifact_uri, run.info.run_id)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mirror.uri)
    span = mirror.client.start_trace("span", experiment_id=run.info.experiment_id)
    mirror.client.end_trace(span.request_id)
    mlflow.flush_trace_async_logging()
    assert overlaid_tables(mirror) == {
        "experiments",
        "runs",
        "logged_models",
        "trace_tags",
        "model_versions",
    }
    before = read_without_plugin(mirror, uris, span.request_id, tmp_path)
    assert before["run"].startswith("Could not find a registered artifact repository")
    turn(mirror, off=True)
    assert not overlaid_tables(mirror)
    after = read_without_plugin(mirror, uris, span.request_id, tmp_path)
    assert json.loads(after["run"])["TrainingJobName"] == "job"
    assert after["version"] == after["run"]
    assert after["trace"] == "span"


def overlaid_tables(mirror: Mirror) -> set[str]:
    """Name the tables that hold an address on the overlay."""
    with closing(sqlite3.connect(mirror.database)) as connection:
        lines = [line for line in connection.iterdump() if "smwatch+" in line]
    return {line.split('"')[1] for line in lines}


def read_without_plugin(
    mirror: Mirror, uris: dict[str, str], trace_id: str, folder: Path
) -> dict[str, Any]:
    """Read in a fresh interpreter that has all packages but this one."""
    python = python_without_plugin(folder)
    command = [python, "-c", READ, mirror.uri, json.dumps(uris), trace_id]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
