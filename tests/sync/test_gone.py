"""A job that AWS has deleted keeps its run, tagged as gone; one that comes back goes on."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow.entities import Run

from mlflow_smwatch.core.moments import iso_utc
from tests import kinds
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    arn,
    averages,
    curve,
    job_answer,
    now_ms,
    put_loss,
    whole,
)
from tests.kinds import kind_arn
from tests.sync.conftest import DISCOVERY, DISCOVERY_OF_NOTHING, Mirror
from tests.sync.every_kind import sync

GONE = "smwatch.gone"


def put_job(mirror: Mirror, name: str = "job", *, ended: bool = True, **changes: Any) -> int:
    """Put a job that began three hours ago, with a curve; give its CreationTime."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    ended_ms = created_ms + HOUR_MS if ended else None
    mirror.account.put_training_job(
        job_answer(name, created_ms=created_ms, ended_ms=ended_ms, **changes)
    )
    put_loss(mirror.account, name, curve(created_ms, 10))
    return created_ms


def tagged_since(run: Run, begin_ms: int) -> bool:
    """Tell whether a run was tagged as gone, in ISO form, after a moment."""
    return iso_utc(begin_ms) <= run.data.tags[GONE] <= iso_utc(now_ms())


def test_an_open_run(mirror: Mirror) -> None:
    """It is closed and tagged with the time at which that was found."""
    put_job(mirror, ended=False)
    mirror.sync()
    mirror.account.remove_training_job("job")
    begin_ms = now_ms()
    report = mirror.sync()
    assert (report.jobs["updated"], report.failed) == (1, [])
    run = mirror.run("job")
    assert run.info.status == "KILLED"
    assert tagged_since(run, begin_ms)
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before
    assert mirror.account.calls == DISCOVERY_OF_NOTHING


def test_a_final_run_by_name(mirror: Mirror) -> None:
    """It is no failure: the run stays as it is but for the tag, and the user is told, each time."""
    put_job(mirror)
    mirror.sync()
    before, begin_ms = mirror.run("job"), now_ms()
    mirror.account.remove_training_job("job")
    report = mirror.sync("job")
    assert (report.jobs["updated"], report.failed) == (1, [])
    assert [line.run_id for line in report.runs] == [before.info.run_id]
    (warned,) = report.warnings
    assert (warned.arn, "no longer knows" in warned.warning) == (arn("job"), True)
    run = mirror.run("job")
    assert tagged_since(run, begin_ms)
    assert run.info.status == "FINISHED"
    changed = {GONE, "smwatch.synced_at"}
    tags = {key: value for key, value in run.data.tags.items() if key not in changed}
    assert tags == {key: value for key, value in before.data.tags.items() if key not in changed}
    written = mirror.dump()
    again = mirror.sync(arn("job"))
    assert (again.jobs["unchanged"], len(again.warnings)) == (1, 1)
    assert mirror.dump() == written
    assert mirror.sync().jobs["seen"] == 0


def test_a_name_that_nobody_knows(mirror: Mirror) -> None:
    """Neither AWS nor MLflow: that fails, and the others are mirrored."""
    put_job(mirror)
    report = mirror.sync("job", "nobody", arn("none"))
    assert [failure.arn for failure in report.failed] == ["nobody", arn("none")]
    assert report.jobs["created"] == 1


def test_a_dry_run(mirror: Mirror) -> None:
    """It only says what would be."""
    put_job(mirror)
    mirror.sync()
    mirror.account.remove_training_job("job")
    before = mirror.dump()
    report = mirror.sync("job", dry_run=True)
    assert (report.jobs["updated"], report.failed) == (1, [])
    assert mirror.dump() == before


def test_an_endpoint(mirror: Mirror) -> None:
    """It is finished and tagged, without a warning unless it is asked for."""
    account, created_ms = mirror.account, now_ms() - HOUR_MS
    account.put_model(kinds.model("model", created_ms=created_ms))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=created_ms))
    account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=created_ms))
    mirror.sync(kinds=("endpoint",))
    account.remove_job("endpoint", "endpoint")
    begin_ms = now_ms()
    assert mirror.sync(kinds=("endpoint",)).warnings == []
    (run,) = mirror.runs()
    assert run.data.tags["sagemaker.arn"] == kind_arn("endpoint/endpoint")
    assert run.info.status == "FINISHED"
    assert tagged_since(run, begin_ms)
    report = mirror.sync("endpoint", kinds=("endpoint",))
    assert (report.failed, len(report.warnings)) == ([], 1)


def test_a_name_that_is_used_again(mirror: Mirror) -> None:
    """The earlier job, which had not ended when it was seen, is gone; the later one is not."""
    put_job(mirror, ended=False)
    mirror.sync()
    first = mirror.run("job").info.run_id
    created_ms = whole(now_ms()) - HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    mirror.sync()
    tags = {run.info.run_id: run.data.tags for run in mirror.runs("job")}
    assert len(tags) == 2
    assert [run_id for run_id, each in tags.items() if GONE in each] == [first]


@pytest.mark.parametrize("age_ms", [0, 4 * MINUTE_MS])
def test_a_young_job_is_not_given_up(mirror: Mirror, age_ms: int) -> None:
    """What was made just now may not be told of for a moment: a later pass goes on with it."""
    created_ms = now_ms() - age_ms
    answer = job_answer("job", created_ms=created_ms)
    mirror.account.put_training_job(answer)
    mirror.sync()
    before = mirror.dump()
    mirror.account.remove_training_job("job")
    assert mirror.sync().jobs["seen"] == 0
    assert [failure.arn for failure in mirror.sync("job").failed] == ["job"]
    assert mirror.dump() == before
    mirror.account.put_training_job(answer)
    assert mirror.sync().failed == []
    assert GONE not in mirror.run("job").data.tags


def test_a_job_that_comes_back(mirror: Mirror) -> None:
    """What AWS tells of again is gone no more: status, points and end are as if nothing was."""
    created_ms = put_job(mirror, ended=False)
    mirror.sync_to(created_ms + 5 * MINUTE_MS)
    mirror.account.remove_training_job("job")
    mirror.sync()
    assert mirror.is_final("job")
    put_job(mirror, ended=False)
    mirror.sync_to(created_ms + 8 * MINUTE_MS)
    run = mirror.run("job")
    assert run.info.status == "RUNNING"
    assert not {GONE, "smwatch.final", "smwatch.warning"} & set(run.data.tags)
    put_job(mirror)
    mirror.sync()
    assert mirror.run("job").info.status == "FINISHED"
    assert mirror.is_final("job")
    assert mirror.series("job")["loss"] == averages(curve(created_ms, 10), created_ms)
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


def test_an_endpoint_that_comes_back(mirror: Mirror) -> None:
    """It runs again, though nothing of its description has changed."""
    account, created_ms = mirror.account, now_ms() - HOUR_MS
    account.put_model(kinds.model("model", created_ms=created_ms))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=created_ms))
    for there in (True, False, True):
        if there:
            account.put_job("endpoint", kinds.endpoint("endpoint", created_ms=created_ms))
        else:
            account.remove_job("endpoint", "endpoint")
        mirror.sync(kinds=("endpoint",))
        (run,) = mirror.runs()
        assert run.info.status == ("RUNNING" if there else "FINISHED")
        assert (GONE in run.data.tags) is not there


def test_a_namesake_in_another_account(mirror: Mirror) -> None:
    """Its run is not this account's to tag: the name is an unknown one here."""
    put_job(mirror)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    mirror.client.set_tag(run_id, "sagemaker.arn", arn("job", account="999999999999"))
    mirror.account.remove_training_job("job")
    before = mirror.dump()
    assert [failure.arn for failure in mirror.sync("job").failed] == ["job"]
    assert mirror.dump() == before


def test_the_id_of_a_run(mirror: Mirror) -> None:
    """AWS knows no job by it, which says nothing of the job: that is asked for by its ARN."""
    put_job(mirror, ended=False)
    mirror.sync()
    run = mirror.run("job")
    report = mirror.sync(run.info.run_id)
    assert (report.jobs["seen"], report.failed) == (1, [])
    assert mirror.run("job").info.status == run.info.status == "RUNNING"
    assert GONE not in mirror.run("job").data.tags
    mirror.account.remove_training_job("job")
    assert mirror.sync(run.info.run_id).failed == []
    assert GONE in mirror.run("job").data.tags


def test_a_trial_component_that_was_deleted_alone(mirror: Mirror) -> None:
    """Its job is there: the run is that of the job, and goes on."""
    put_job(mirror, ended=False)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    component = "job-aws-training-job"
    mirror.client.set_tag(run_id, "sagemaker.trial_component", component)
    assert mirror.sync(component).failed == []
    assert mirror.run("job").info.status == "RUNNING"
    assert GONE not in mirror.run("job").data.tags


def test_an_execution_whose_name_cannot_be_searched(mirror: Mirror) -> None:
    """Only ``Search`` finds an execution by a name: without it nobody says that one is gone."""
    created_ms = now_ms() - HOUR_MS
    answer = kinds.pipeline_execution("abcdefghijkl", created_ms=created_ms)
    mirror.account.put_job("pipeline-execution", answer)
    sync(mirror)
    mirror.account.faults.deny("sagemaker:Search")
    assert sync(mirror, "abcdefghijkl").failed == []
    (run,) = mirror.runs()
    assert run.info.status == "RUNNING"
    assert GONE not in run.data.tags
