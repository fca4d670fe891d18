"""A run that a job's own script logged takes the place of the mirror's, whenever it comes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from mlflow.entities import Run, ViewType

from mlflow_smwatch.audit.verify import verify
from mlflow_smwatch.core.tags import DUPLICATE_OF, FINAL, PARENT
from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.report import SyncReport
from tests.jobs import (
    MINUTE_MS,
    REGION,
    arn,
    averages,
    curve,
    logged_job,
    put_host,
    put_log,
    put_loss,
)
from tests.sync.conftest import DESCRIBE, DISCOVERY, METRICS, SEARCH, Mirror, models
from tests.sync.logged import CREATED_MS, ENDED_MS, Follower, events
from tests.sync.test_run_switch import LONGEST_S, SlowMirror, held

CPU = "system/algo-1/cpu_utilization_percentage"
DEFINITIONS = {"loss": r"loss=(\S+)", "acc": r"acc=(\S+)"}
ACC = [(CREATED_MS + MINUTE_MS + n * 1000, n, n / 4) for n in range(5)]
HOST_CURVE = curve(CREATED_MS, 10)
TAGS = {
    "sagemaker.arn": arn("job"),
    "sagemaker.kind": "training-job",
    "sagemaker.name": "job",
    "sagemaker.region": REGION,
    "sagemaker.host": "algo-1",
}
SCRIPT_START_MS = CREATED_MS + 5 * MINUTE_MS


def put_job(mirror: Mirror, *, ended: bool, name: str = "job", **changes: Any) -> None:
    """Put a job whose log has a loss and an accuracy, and whose host is measured."""
    mirror.account.put_training_job(
        logged_job(
            name,
            DEFINITIONS,
            created_ms=CREATED_MS,
            ended_ms=ENDED_MS if ended else None,
            HyperParameters={"lr": "0.1", "depth": "3"},
            BillableTimeInSeconds=60 if ended else None,
            **changes,
        )
    )


def put_signals(mirror: Mirror, name: str = "job") -> None:
    """Put the log and the host's curve."""
    put_log(mirror.account, name, events(*(f"loss={n} acc={n / 4}" for n in range(5))))
    put_host(mirror.account, name, HOST_CURVE)


def log_run(mirror: Mirror, start_ms: int = SCRIPT_START_MS, **tags: str) -> Run:
    """Start a run as the script does: own name, note and param."""
    client = mirror.client
    known = client.get_experiment_by_name("script")
    experiment_id = known.experiment_id if known else client.create_experiment("script")
    own = {"mlflow.note.content": "mine", "team": "blue", **TAGS, **tags}
    said = {key: value for key, value in own.items() if value}
    run = client.create_run(experiment_id, start_time=start_ms, tags=said, run_name="mine")
    client.log_param(run.info.run_id, "lr", "the script's")
    return client.get_run(run.info.run_id)


def log_loss(mirror: Mirror, run: Run) -> None:
    """Log a metric as the script does."""
    mirror.client.log_metric(run.info.run_id, "loss", 99.0, timestamp=SCRIPT_START_MS + 7, step=3)


def assert_adopted(mirror: Mirror, script: Run, *, removed: int = 1) -> None:
    """Check that the script's run is whole and the job's only one, and that all is quiet then."""
    (run,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
    assert run.info.run_id == script.info.run_id
    run = mirror.client.get_run(run.info.run_id)
    assert (run.info.run_name, run.info.start_time) == ("mine", script.info.start_time)
    assert (run.info.status, run.info.end_time) == ("FINISHED", ENDED_MS)
    assert run.data.params == {"lr": "the script's", "depth": "3"}
    tags = run.data.tags
    assert (tags["mlflow.note.content"], tags["team"]) == ("mine", "blue")
    assert (tags.get("sagemaker.host"), tags["sagemaker.status"]) == ("algo-1", "Completed")
    assert "smwatch.version" not in tags
    assert tags[FINAL] == "true"
    points = mirror.points(run)
    assert points["loss"] == [(SCRIPT_START_MS + 7, 3, 99.0)]
    assert points["acc"] == ACC
    assert points[CPU] == averages(HOST_CURVE, CREATED_MS)
    assert points["sagemaker/billable_seconds"] == [(ENDED_MS, 0, 60.0)]
    gone = [each for each in mirror.runs("job") if each.info.lifecycle_stage == "deleted"]
    assert [each.data.tags[DUPLICATE_OF] for each in gone] == [script.info.run_id] * removed
    assert_quiet(mirror)


def assert_quiet(mirror: Mirror) -> None:
    """Check that neither another pass nor a comparison finds anything to do."""
    before = mirror.dump()
    report = mirror.sync()
    assert (report.jobs["unchanged"], report.failed) == (1, [])
    assert mirror.account.calls == DISCOVERY
    compared = verify(mirror.options())
    assert (compared.differences, compared.equal) == ([], 1)
    assert mirror.dump() == before


def test_the_script_is_first(mirror: Mirror) -> None:
    """Its run is the job's from the first pass."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    script = log_run(mirror)
    log_loss(mirror, script)
    assert mirror.sync().jobs["updated"] == 1
    assert len(mirror.runs("job")) == 1
    put_job(mirror, ended=True)
    mirror.sync()
    assert_adopted(mirror, script, removed=0)


def test_the_mirror_is_first(mirror: Mirror) -> None:
    """Its own run goes once the script's holds what it held."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    mirror.sync()
    (own,) = mirror.runs("job")
    assert mirror.points(own)["acc"] == ACC
    script = log_run(mirror)
    mirror.sync()
    run = mirror.client.get_run(script.info.run_id)
    assert mirror.points(run) == {CPU: averages(HOST_CURVE, CREATED_MS)}
    assert run.info.status == "RUNNING"
    assert mirror.client.get_run(own.info.run_id).info.lifecycle_stage == "deleted"
    log_loss(mirror, script)
    put_job(mirror, ended=True)
    mirror.sync()
    assert_adopted(mirror, script)


def test_while_a_watch_looks_on(mirror: Mirror) -> None:
    """Pass after pass of one engine, without a Describe; the script ends its run when it likes."""
    put_job(mirror, ended=False)
    follower = Follower(mirror)
    follower.look()
    put_signals(mirror)
    script = log_run(mirror)
    follower.look()
    assert [run.info.run_id for run in mirror.runs("job", ViewType.ACTIVE_ONLY)] == [
        script.info.run_id
    ]
    log_loss(mirror, script)
    follower.look()
    mirror.client.set_terminated(script.info.run_id, "FAILED", ENDED_MS - 5)
    follower.look()
    assert mirror.client.get_run(script.info.run_id).info.status == "FAILED"
    put_job(mirror, ended=True)
    follower.look()
    assert DESCRIBE not in mirror.account.calls
    assert_adopted(mirror, script)


def test_among_too_many_runs(mirror: Mirror) -> None:
    """In a page of many jobs, among hundreds of runs: few searches, and it is found."""
    names = ("job", "a", "b", "c", "d")
    for name in names:
        put_job(mirror, ended=False, name=name)
    mirror.sync()
    for number in range(70):
        child = {**TAGS, PARENT: "0" * 32}
        mirror.client.create_run("0", start_time=SCRIPT_START_MS + number, tags=child)
    script = log_run(mirror)
    report = mirror.sync()
    lines = {line.name: line.run_id for line in report.runs}
    assert lines["job"] == script.info.run_id
    assert set(lines) == set(names)


def test_a_key_that_the_script_logs_later(mirror: Mirror) -> None:
    """Metrics of the logs wait for the job's end, so that none of the script's keys is sent."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    script = log_run(mirror)
    mirror.sync()
    mirror.sync()
    log_loss(mirror, script)
    put_job(mirror, ended=True)
    mirror.sync()
    assert_adopted(mirror, script, removed=0)


def test_metrics_of_cloudwatch_wait_too(mirror: Mirror) -> None:
    """They are read from the job's beginning at its end, though the hosts were read before."""
    put_job(mirror, ended=False)
    put_host(mirror.account, "job", HOST_CURVE)
    put_loss(mirror.account, "job", HOST_CURVE, metric="acc")
    put_loss(mirror.account, "job", HOST_CURVE)
    script = log_run(mirror)
    mirror.sync(metrics="cloudwatch")
    log_loss(mirror, script)
    assert set(mirror.points("job")) == {"loss", CPU}
    put_job(mirror, ended=True)
    mirror.sync(metrics="cloudwatch")
    points = mirror.points("job")
    assert points["acc"] == averages(HOST_CURVE, CREATED_MS)
    assert points["loss"] == [(SCRIPT_START_MS + 7, 3, 99.0)]
    assert_quiet(mirror)


def test_a_param_that_comes_while_the_job_is_read(mirror: Mirror) -> None:
    """The script's stays; the mirror sends the others after all."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    script = log_run(mirror)
    log_loss(mirror, script)
    mirror.sync()
    put_job(mirror, ended=True)
    with held(mirror.account, METRICS) as (asked, free), ThreadPoolExecutor(1) as pool:
        mirrored = pool.submit(Engine(mirror.options()).sync)
        assert asked.wait(LONGEST_S)
        mirror.client.log_param(script.info.run_id, "depth", "mine")
        free.set()
        assert mirrored.result().failed == []
    run = mirror.client.get_run(script.info.run_id)
    assert run.data.params == {"lr": "the script's", "depth": "mine"}
    assert run.data.tags[FINAL] == "true"
    assert_quiet(mirror)


@pytest.mark.parametrize("late", [False, True], ids=["before-the-last-pass", "after-it"])
def test_a_script_that_ends_its_run_after_the_job(mirror: Mirror, *, late: bool) -> None:
    """The last pass settles status and end; after it, the next one that sees the job."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    script = log_run(mirror)
    log_loss(mirror, script)
    mirror.sync()
    put_job(mirror, ended=True)
    if late:
        mirror.sync()
    mirror.client.set_terminated(script.info.run_id, "KILLED", ENDED_MS + 90_000)
    mirror.sync()
    assert_adopted(mirror, script, removed=0)


def test_runs_of_two_hosts_and_nested_ones(mirror: Mirror) -> None:
    """The earliest top-level one is the job's; the others stay as they are."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    mirror.sync()
    second = log_run(mirror, SCRIPT_START_MS + 1, **{"sagemaker.host": "algo-2"})
    script = log_run(mirror)
    log_loss(mirror, script)
    nested = log_run(mirror, SCRIPT_START_MS - 1, **{PARENT: script.info.run_id})
    others = [second.info.run_id, nested.info.run_id]
    before = [mirror.client.get_run(each).to_dictionary() for each in others]
    put_job(mirror, ended=True)
    mirror.sync()
    assert [mirror.client.get_run(each).to_dictionary() for each in others] == before
    for each in others:
        mirror.client.delete_run(each)
    gone = {run.info.run_id for run in mirror.runs("job", ViewType.DELETED_ONLY)} - set(others)
    assert len(gone) == 1
    assert mirror.runs("job", ViewType.ACTIVE_ONLY)[0].info.run_id == script.info.run_id
    assert_quiet(mirror)


FOREIGN = [
    pytest.param(CREATED_MS - 1, {}, id="before-the-job"),
    pytest.param(ENDED_MS + 1, {}, id="after-the-job"),
    pytest.param(SCRIPT_START_MS, {"sagemaker.kind": "processing-job"}, id="kind"),
    pytest.param(SCRIPT_START_MS, {"sagemaker.name": "another"}, id="name"),
    pytest.param(SCRIPT_START_MS, {"sagemaker.region": "eu-west-1"}, id="region"),
]


@pytest.mark.parametrize(("start_ms", "tags"), FOREIGN)
def test_foreign_runs_displace_nothing(mirror: Mirror, start_ms: int, tags: dict[str, str]) -> None:
    """A run that the job cannot have logged stays as it is, and so does the mirror's."""
    put_job(mirror, ended=False)
    mirror.sync()
    (own,) = mirror.runs("job")
    foreign = log_run(mirror, start_ms, **tags)
    before = mirror.client.get_run(foreign.info.run_id).to_dictionary()
    put_job(mirror, ended=True)
    mirror.sync()
    assert mirror.client.get_run(foreign.info.run_id).to_dictionary() == before
    kept = mirror.client.get_run(own.info.run_id)
    assert (kept.info.lifecycle_stage, kept.data.tags[FINAL]) == ("active", "true")
    assert DUPLICATE_OF not in kept.data.tags
    assert_quiet(mirror)


def test_a_final_run_is_not_displaced(mirror: Mirror) -> None:
    """Whoever can write to MLflow can log such a run at any time later."""
    put_job(mirror, ended=True)
    mirror.sync()
    (own,) = mirror.runs("job")
    forged = log_run(mirror)
    before = mirror.dump()
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.dump() == before
    assert mirror.client.get_run(own.info.run_id).info.lifecycle_stage == "active"
    assert mirror.client.get_run(forged.info.run_id).data.params == {"lr": "the script's"}


def test_killed_before_the_script_s_run_is_written(mirror: Mirror) -> None:
    """The mark alone says that the exchange was begun; the next pass makes it."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    mirror.sync()
    script = log_run(mirror)
    log_loss(mirror, script)
    (own,) = (run for run in mirror.runs("job") if run.info.run_id != script.info.run_id)
    mirror.client.set_tag(own.info.run_id, DUPLICATE_OF, script.info.run_id)
    put_job(mirror, ended=True)
    mirror.sync()
    assert_adopted(mirror, script)


def test_killed_before_the_mirror_s_run_is_removed(mirror: Mirror) -> None:
    """The next pass removes it, also where the adopted run is final by then."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    mirror.sync()
    (own,) = mirror.runs("job")
    script = log_run(mirror)
    log_loss(mirror, script)
    put_job(mirror, ended=True)
    mirror.sync()
    mirror.client.restore_run(own.info.run_id)
    (found,) = verify(mirror.options()).differences
    assert (found.what, str(found.mlflow)[:6]) == ("run", "2 runs")
    assert mirror.sync().jobs["unchanged"] == 1
    assert_adopted(mirror, script)


def test_killed_after_the_first_word_on_the_script_s_run(mirror: Mirror) -> None:
    """A run that holds nothing but the first watermark is not taken for another job's."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    script = log_run(mirror)
    log_loss(mirror, script)
    mirror.sync()
    first = mirror.client.get_run(script.info.run_id).data.tags
    for key in first.keys() - {*TAGS, "sagemaker.created", "smwatch.state", "team"}:
        if key.startswith("sagemaker."):
            mirror.client.delete_tag(script.info.run_id, key)
    put_job(mirror, ended=True)
    mirror.sync()
    assert_adopted(mirror, script, removed=0)


def test_two_mirrors_at_once(mirror: Mirror) -> None:
    """Both take the script's run, and one of them removes the mirror's own."""
    put_job(mirror, ended=False)
    put_signals(mirror)
    mirror.sync()
    script = log_run(mirror)
    log_loss(mirror, script)
    put_job(mirror, ended=True)
    with ThreadPoolExecutor(2) as pool:
        passes = [pool.submit(Engine(mirror.options()).sync) for _ in range(2)]
        reports: list[SyncReport] = [each.result() for each in passes]
    mirror.sync()
    assert {run_id for each in reports for run_id in _run_ids(each)} <= {script.info.run_id}
    assert_adopted(mirror, script)


def _run_ids(report: SyncReport) -> list[str | None]:
    return [line.run_id for line in report.runs]


def test_a_script_between_the_look_and_the_making(mirror: Mirror) -> None:
    """A mirror that has just made its run looks once more, and finds the script's."""
    put_job(mirror, ended=True)
    put_signals(mirror)
    slow = SlowMirror(mirror.options())
    script = log_run(mirror)
    log_loss(mirror, script)
    slow.make_runs()
    mirror.sync()
    assert_adopted(mirror, script)


def test_the_models_of_the_mirror_s_run_go_with_it(mirror: Mirror) -> None:
    """A script whose run comes to MLflow late: the model is there once."""
    model: dict[str, Any] = {"ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"}}
    put_job(mirror, ended=True, **model)
    mirror.sync(settle_s=100_000)
    (own,) = mirror.runs("job")
    assert len(models(mirror.client.get_run(own.info.run_id))) == 1
    script = log_run(mirror)
    mirror.sync()
    ids = [each.experiment_id for each in mirror.experiments()]
    (made,) = mirror.client.search_logged_models(ids)
    assert made.source_run_id == script.info.run_id
    assert models(mirror.client.get_run(script.info.run_id)) == [made.model_id]


def test_the_run_that_a_description_names(mirror: Mirror) -> None:
    """Where the description is at hand, the run needs no tag at all."""
    mirror.account.faults.deny(SEARCH)
    script = log_run(mirror, SCRIPT_START_MS, **dict.fromkeys(TAGS, ""))
    told: dict[str, Any] = {
        "MlflowDetails": {"MlflowExperimentId": "1", "MlflowRunId": script.info.run_id}
    }
    put_job(mirror, ended=True, **told)
    mirror.sync()
    (run,) = mirror.runs("job")
    assert (run.info.run_id, run.data.tags["sagemaker.name"]) == (script.info.run_id, "job")
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


def test_a_run_that_another_store_has(mirror: Mirror) -> None:
    """A job that logs to another MLflow gets a run of the mirror's in this one."""
    mirror.account.faults.deny(SEARCH)
    put_job(mirror, ended=True, MlflowDetails={"MlflowRunId": "0" * 32})
    assert mirror.sync().jobs["created"] == 1


def test_a_managed_server(mirror: Mirror) -> None:
    """Runs without an ARN may be the jobs' own there: SageMaker is asked, each time once."""
    put_job(mirror, ended=False)
    put_job(mirror, ended=False, name="other")
    engine = Engine(mirror.options())
    tracking = replace(engine._connection.tracking, managed=True)
    engine._connection = replace(engine._connection, tracking=tracking)
    engine.sync()
    assert DESCRIBE not in mirror.account.calls
    script = log_run(mirror, SCRIPT_START_MS, **dict.fromkeys(TAGS, ""))
    told: dict[str, Any] = {"MlflowDetails": {"MlflowRunId": script.info.run_id}}
    put_job(mirror, ended=False, **told)
    for _ in range(2):
        engine.sync()
        assert mirror.account.calls[DESCRIBE] == 2
        (run,) = mirror.runs("job", ViewType.ACTIVE_ONLY)
        assert run.info.run_id == script.info.run_id
    (other,) = mirror.runs("other", ViewType.ACTIVE_ONLY)
    assert "smwatch.version" in other.data.tags
