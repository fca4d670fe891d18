"""Trials are the parents of their jobs and components, and as far as these are."""

from __future__ import annotations

import json
import threading

import pytest
from mlflow.entities import ViewType

from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import DAY_MS, HOUR_MS, MINUTE_MS, job_answer, moment
from tests.sync.conftest import Mirror
from tests.sync.every_kind import (
    COMPONENT,
    CREATED_MS,
    ENDED_MS,
    EVERY_KIND,
    LIFE,
    TRIAL,
    found,
    home,
    parent,
    put_component,
    put_job_in,
    put_trials,
    run,
    settled,
    state,
    sync,
    verified,
)


def put_study(mirror: Mirror) -> None:
    """Put a trial with a training job, a processing job and a component that is no job's."""
    put_trials(mirror.account, "trial")
    mirror.account.put_training_job(job_answer("train", **LIFE))
    mirror.account.put_job("processing-job", kinds.processing_job("prep", **LIFE))
    put_job_in(mirror.account, "training-job/train", "trial")
    put_job_in(mirror.account, "processing-job/prep", "trial")
    put_component(mirror.account, "loose", "trial")


MEMBERS = ("training-job/train", "processing-job/prep", f"{COMPONENT}/loose")


def end(mirror: Mirror, name: str, ended_ms: int) -> None:
    """Let a component end."""
    mirror.account.experiments.update_trial_component(
        name,
        Status={"PrimaryStatus": "Completed"},
        EndTime=moment(ended_ms),
        LastModifiedTime=moment(ended_ms),
    )


def trials_of(mirror: Mirror, resource: str) -> list[str]:
    return list(json.loads(run(mirror, resource).data.tags.get("sagemaker.trials", "[]")))


def test_a_trial_is_the_parent_of_its_members(mirror: Mirror) -> None:
    """All are in the experiment's; a job's component has no run of its own."""
    put_study(mirror)
    report = sync(mirror)
    assert report.failed == []
    assert report.jobs["created"] == 4
    for resource in MEMBERS:
        assert parent(mirror, resource) == f"{TRIAL}/trial"
        assert home(mirror, resource) == "study"
        tags = run(mirror, resource).data.tags
        assert (tags["sagemaker.experiment"], tags["sagemaker.trial"]) == ("study", "trial")
        assert json.loads(tags["sagemaker.trials"]) == ["trial"]
    tags = run(mirror, "training-job/train").data.tags
    assert tags["sagemaker.trial_component"] == "train-aws-training-job"
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", ENDED_MS, True)
    assert run(mirror, f"{TRIAL}/trial").info.start_time == CREATED_MS
    assert settled(mirror) == {}
    verified(mirror)


def test_a_trial_runs_as_long_as_a_member_does(mirror: Mirror) -> None:
    """Then it ends with the last of them; a further one opens it again."""
    put_trials(mirror.account, "trial", "empty")
    put_component(mirror.account, "first", "trial")
    put_component(mirror.account, "second", "trial", status="InProgress")
    sync(mirror)
    assert state(mirror, f"{TRIAL}/trial") == ("RUNNING", None, False)
    assert state(mirror, f"{TRIAL}/empty") == ("FINISHED", CREATED_MS + 1, True)
    settled(mirror)
    end(mirror, "second", ENDED_MS + MINUTE_MS)
    sync(mirror)
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", ENDED_MS + MINUTE_MS, True)
    assert settled(mirror) == {}
    put_component(mirror.account, "third", "trial", status="InProgress")
    sync(mirror)
    assert state(mirror, f"{TRIAL}/trial")[::2] == ("RUNNING", False)
    settled(mirror)
    end(mirror, "third", ENDED_MS + 2 * MINUTE_MS)
    sync(mirror)
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", ENDED_MS + 2 * MINUTE_MS, True)
    settled(mirror)
    verified(mirror)


def test_a_component_in_several_trials(mirror: Mirror) -> None:
    """The first by CreationTime, then name, is the parent; all of them are as far as it is."""
    account = mirror.account
    put_trials(account, "z-first", "a-second")
    account.experiments.put_trial("b-first", "study", created=moment(CREATED_MS))
    put_component(account, "shared", "a-second", "z-first", "b-first", status="InProgress")
    sync(mirror)
    assert parent(mirror, f"{COMPONENT}/shared") == f"{TRIAL}/b-first"
    assert trials_of(mirror, f"{COMPONENT}/shared") == ["b-first", "z-first", "a-second"]
    for name in ("z-first", "a-second", "b-first"):
        assert state(mirror, f"{TRIAL}/{name}") == ("RUNNING", None, False)
    end(mirror, "shared", ENDED_MS)
    sync(mirror)
    for name in ("z-first", "a-second", "b-first"):
        assert state(mirror, f"{TRIAL}/{name}") == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


@pytest.mark.slow
@pytest.mark.parametrize("resource", ["training-job/train", f"{COMPONENT}/loose"])
def test_a_component_that_moves(mirror: Mirror, resource: str) -> None:
    """The parent changes, no run is doubled; in no trial it has none; both trials follow."""
    put_study(mirror)
    account = mirror.account
    put_trials(account, "other", experiment="second")
    if resource == "training-job/train":
        component = "train-aws-training-job"
        later_ms = ENDED_MS
    else:
        component = "loose"
        later_ms = ENDED_MS + HOUR_MS
        end(mirror, component, later_ms)
    sync(mirror)
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", later_ms, True)
    account.experiments.move_trial_component(component, trials=["other"])
    report = sync(mirror)
    assert report.jobs["updated"] >= 1
    assert parent(mirror, resource) == f"{TRIAL}/other"
    assert trials_of(mirror, resource) == ["other"]
    assert run(mirror, resource).data.tags["sagemaker.experiment"] == "second"
    assert len(found(mirror, resource, ViewType.ALL)) == 1
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", ENDED_MS, True)
    assert state(mirror, f"{TRIAL}/other") == ("FINISHED", later_ms, True)
    assert settled(mirror) == {}
    account.experiments.move_trial_component(component, trials=[])
    sync(mirror)
    assert parent(mirror, resource) is None
    assert trials_of(mirror, resource) == []
    assert state(mirror, f"{TRIAL}/other") == ("FINISHED", CREATED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


def test_a_running_component_that_leaves(mirror: Mirror) -> None:
    """The trial that it leaves is finished."""
    put_trials(mirror.account, "one", "two")
    put_component(mirror.account, "loose", "one", status="InProgress")
    sync(mirror)
    mirror.account.experiments.move_trial_component("loose", trials=["two"])
    sync(mirror)
    assert state(mirror, f"{TRIAL}/one") == ("FINISHED", CREATED_MS, True)
    assert state(mirror, f"{TRIAL}/two")[::2] == ("RUNNING", False)
    settled(mirror)


def test_a_trial_that_aws_deleted(mirror: Mirror) -> None:
    """Its run stays; its former members stand alone."""
    put_study(mirror)
    sync(mirror)
    mirror.account.experiments.remove_trial("trial")
    report = sync(mirror)
    assert report.failed == []
    assert len(found(mirror, f"{TRIAL}/trial")) == 1
    for resource in MEMBERS:
        assert parent(mirror, resource) is None
    assert settled(mirror) == {}


def test_a_running_trial_that_aws_deleted(mirror: Mirror) -> None:
    """It is finished, since nobody is in it any more."""
    put_trials(mirror.account, "trial")
    put_component(mirror.account, "loose", "trial", status="InProgress")
    sync(mirror)
    mirror.account.experiments.remove_trial("trial")
    report = sync(mirror)
    assert report.failed == []
    assert state(mirror, f"{TRIAL}/trial")[::2] == ("FINISHED", True)
    settled(mirror)


def test_a_trial_outside_the_window(mirror: Mirror) -> None:
    """It is asked for by its name, once."""
    old = moment(CREATED_MS - 30 * DAY_MS)
    mirror.account.experiments.put_experiment("study", created=old)
    mirror.account.experiments.put_trial("old", "study", created=old)
    put_component(mirror.account, "one", "old")
    put_component(mirror.account, "two", "old")
    sync(mirror)
    assert parent(mirror, f"{COMPONENT}/one") == f"{TRIAL}/old"
    assert run(mirror, f"{TRIAL}/old").info.start_time == CREATED_MS - 30 * DAY_MS
    assert state(mirror, f"{TRIAL}/old") == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}


def test_trials_are_denied(mirror: Mirror) -> None:
    """Members are mirrored without a parent, the lack is named once, and made good later."""
    old = moment(CREATED_MS - 30 * DAY_MS)
    mirror.account.experiments.put_experiment("study", created=old)
    mirror.account.experiments.put_trial("old", "study", created=old)
    mirror.account.put_training_job(
        job_answer(
            "train", ExperimentConfig={"TrialName": "old", "ExperimentName": "study"}, **LIFE
        )
    )
    for name in ("Search", "DescribeTrial", "ListTrials", "ListTrialComponents"):
        mirror.account.faults.deny(f"sagemaker:{name}")
    report = sync(mirror)
    assert report.failed == []
    assert mirror.warnings(report).count("sagemaker:DescribeTrial is denied") == 1
    assert parent(mirror, "training-job/train") is None
    assert home(mirror, "training-job/train") == "study"
    assert not state(mirror, "training-job/train")[2]
    mirror.account.faults.clear()
    sync(mirror)
    assert parent(mirror, "training-job/train") == f"{TRIAL}/old"
    assert state(mirror, "training-job/train")[2]
    assert settled(mirror) == {}


def test_a_parent_that_the_user_chose(mirror: Mirror) -> None:
    """It stays as long as the job's trial is the same."""
    put_study(mirror)
    sync(mirror)
    chosen = run(mirror, "processing-job/prep").info.run_id
    own = run(mirror, "training-job/train").info.run_id
    mirror.client.set_tag(own, "mlflow.parentRunId", chosen)
    mirror.client.set_tag(own, "mlflow.note.content", "mine")
    mirror.account.put_training_job(job_answer("train", BillableTimeInSeconds=7, **LIFE))
    sync(mirror)
    tags = run(mirror, "training-job/train").data.tags
    assert tags["mlflow.parentRunId"] == chosen
    assert tags["mlflow.note.content"] == "mine"
    settled(mirror)


def test_two_mirrors_at_once_make_one_run_of_a_trial(mirror: Mirror) -> None:
    """And of each member; all members are below the run that stays."""
    put_trials(mirror.account, *(f"trial-{number}" for number in range(3)))
    for number in range(6):
        put_component(mirror.account, f"c-{number}", f"trial-{number % 3}")
    options = mirror.options(kinds=EVERY_KIND)
    gate = threading.Barrier(3)
    reports: list[SyncReport] = []

    def work() -> None:
        engine = Engine(options)
        gate.wait()
        reports.append(engine.sync())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sync(mirror)
    sync(mirror)
    for number in range(6):
        assert parent(mirror, f"{COMPONENT}/c-{number}") == f"{TRIAL}/trial-{number % 3}"
        above = run(mirror, f"{COMPONENT}/c-{number}").data.tags["mlflow.parentRunId"]
        assert above == run(mirror, f"{TRIAL}/trial-{number % 3}").info.run_id
    for number in range(3):
        assert state(mirror, f"{TRIAL}/trial-{number}") == ("FINISHED", ENDED_MS, True)
    settled(mirror)


def test_a_pass_that_ends_before_trials_are_finished(mirror: Mirror) -> None:
    """The next one finishes them."""
    put_study(mirror)
    written: list[int] = []

    def listen(report: SyncReport) -> None:
        written.append(report.counts["created"])

    Engine(mirror.options(kinds=EVERY_KIND), lambda: bool(written) and written[-1] >= 3).sync(
        listen
    )
    assert state(mirror, f"{TRIAL}/trial")[1:] == (None, False)
    sync(mirror)
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", ENDED_MS, True)
    assert all(parent(mirror, resource) == f"{TRIAL}/trial" for resource in MEMBERS)
    assert settled(mirror) == {}


def test_components_alone(mirror: Mirror) -> None:
    """No run is made of their trial; one that is there is their parent."""
    put_study(mirror)
    sync(mirror, kinds=("trial-component",))
    assert parent(mirror, f"{COMPONENT}/loose") is None
    assert home(mirror, f"{COMPONENT}/loose") == "study"
    assert found(mirror, f"{TRIAL}/trial") == found(mirror, "training-job/train") == []
    settled(mirror, kinds=("trial-component",))
    sync(mirror, kinds=("trial",))
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", ENDED_MS, True)
    sync(mirror, kinds=("training-job",))
    assert parent(mirror, "training-job/train") == f"{TRIAL}/trial"
    sync(mirror)
    assert parent(mirror, f"{COMPONENT}/loose") == f"{TRIAL}/trial"
    assert settled(mirror) == {}


def test_a_trial_by_name(mirror: Mirror) -> None:
    """All of its members are mirrored with it."""
    put_study(mirror)
    report = sync(mirror, "trial")
    assert report.jobs["created"] == 4
    assert state(mirror, f"{TRIAL}/trial") == ("FINISHED", ENDED_MS, True)
    verified(mirror, "trial")


def test_experiments(mirror: Mirror) -> None:
    """Description and tags come once; a note that the user wrote stays."""
    account = mirror.account
    account.experiments.put_experiment("study", description="Why?", tags={"team": "vision"})
    put_study(mirror)
    sync(mirror)

    def tags() -> dict[str, str]:
        experiment = mirror.client.get_experiment_by_name("study")
        assert experiment is not None
        return dict(experiment.tags)

    assert tags()["mlflow.note.content"] == "Why?"
    assert tags()["sagemaker.tag.team"] == "vision"
    assert settled(mirror) == {}
    experiment = mirror.client.get_experiment_by_name("study")
    assert experiment is not None
    mirror.client.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "mine")
    account.experiments.put_experiment("study", description="So!", tags={"team": "speech"})
    sync(mirror)
    assert tags()["mlflow.note.content"] == "mine"
    assert tags()["sagemaker.tag.team"] == "speech"
    for name in ("Search", "DescribeExperiment"):
        account.faults.deny(f"sagemaker:{name}")
    report = sync(mirror.beside())
    assert report.failed == []
    assert mirror.warnings(report).count("sagemaker:DescribeExperiment is denied") == 1


def test_a_parent_that_was_removed_as_a_double(mirror: Mirror) -> None:
    """A member below the run of a mirror that lost is put below the one that stays."""
    put_trials(mirror.account, "first")
    put_component(mirror.account, "member", "first")
    sync(mirror)
    lost = mirror.client.create_run("0", tags={"smwatch.duplicate_of": "another"}).info.run_id
    mirror.client.delete_run(lost)
    member = run(mirror, f"{COMPONENT}/member").info.run_id
    mirror.client.set_tag(member, "mlflow.parentRunId", lost)
    sync(mirror)
    assert parent(mirror, f"{COMPONENT}/member") == f"{TRIAL}/first"
    settled(mirror)
