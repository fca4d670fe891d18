"""``mirror()`` takes what a user has in hand, and returns its run now or at its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

import mlflow_smwatch as smwatch
from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.jobs import HOUR_MS, job_answer, logged_job, moment, now_ms, put_log
from tests.sdk.driver import LINES, living
from tests.sdk.test_references import session, thing

NAME = "job"
QUICK: dict[str, Any] = {"interval_s": 0.2, "settle_s": 1, "artifacts": "none"}


def estimator(name: str = NAME) -> Any:
    """Make an estimator as version 2 leaves it, in the account's Region."""
    here = session()
    here.boto_region_name = "us-east-1"
    job = thing("_TrainingJob", sagemaker_session=here, job_name=name)
    return thing("Estimator", sagemaker_session=here, latest_training_job=job)


def put_ended(account: EmulatedAccount, name: str = NAME) -> None:
    """Put a training job that ended an hour ago."""
    created_ms = now_ms() - 2 * HOUR_MS
    account.put_training_job(job_answer(name, created_ms=created_ms, ended_ms=created_ms + HOUR_MS))


@pytest.mark.usefixtures("store")
def test_a_name_is_not_mistaken_for_another_kind(account: EmulatedAccount) -> None:
    """An object stands for one job; what else has its name is not even mirrored."""
    put_ended(account)
    life: dict[str, Any] = {"created_ms": now_ms() - HOUR_MS, "ended_ms": now_ms() - HOUR_MS // 2}
    account.put_job("processing-job", kinds.processing_job(NAME, **life))
    run = smwatch.mirror(estimator(), artifacts="none")
    assert run.data.tags["sagemaker.kind"] == "training-job"
    assert run.url.endswith(f"/runs/{run.info.run_id}?workflowType=machine_learning")
    made = MlflowClient().search_experiments(filter_string="name != 'Default'")
    assert [each.name for each in made] == ["sagemaker/training-jobs"]
    stand_in: Any = SimpleNamespace(latest_training_job=SimpleNamespace(job_name=NAME))
    assert smwatch.mirror(stand_in, artifacts="none").info.run_id == run.info.run_id


@pytest.mark.usefixtures("store")
def test_without_the_account_the_name_is_asked(account: EmulatedAccount) -> None:
    """Where nobody tells the account, the run of the right kind is returned all the same."""
    put_ended(account)
    life: dict[str, Any] = {"created_ms": now_ms() - HOUR_MS, "ended_ms": now_ms() - HOUR_MS // 2}
    account.put_job("processing-job", kinds.processing_job(NAME, **life))
    account.faults.deny("sts:GetCallerIdentity")
    run = smwatch.mirror(estimator(), artifacts="none")
    assert run.data.tags["sagemaker.kind"] == "training-job"


@pytest.mark.usefixtures("store")
def test_the_region_of_the_session_is_asked(account: EmulatedAccount) -> None:
    """Not that of the environment, unless the user says so."""
    put_ended(account)
    elsewhere = estimator()
    elsewhere.sagemaker_session.boto_region_name = "eu-west-1"
    with pytest.raises(smwatch.JobError, match="eu-west-1"):
        smwatch.mirror(elsewhere)
    assert smwatch.mirror(elsewhere, region="us-east-1", artifacts="none").info.run_name == NAME


@pytest.mark.usefixtures("store", "account")
def test_what_is_refused() -> None:
    """Before AWS is asked for anything."""
    with pytest.raises(smwatch.UsageError, match="does not stand for a job"):
        smwatch.mirror(17)
    with pytest.raises(smwatch.UsageError, match="leave dry_run out"):
        smwatch.mirror(NAME, dry_run=True)
    with pytest.raises(smwatch.UsageError, match="seconds above 0"):
        smwatch.mirror(NAME, wait=True, interval_s=0)


@pytest.mark.usefixtures("store")
def test_wait_follows_the_job_to_its_end(
    account: EmulatedAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is final and whole; off a terminal nothing is drawn."""
    account.put_training_job(logged_job(NAME, {"loss": "loss=(.*?);"}, created_ms=now_ms()))
    with living(account, ticks=6) as lives:
        lives.take_on("training-job", NAME)
        run = smwatch.mirror(estimator(), wait=True, **QUICK)
    assert (run.info.status, run.data.tags["smwatch.final"]) == ("FINISHED", "true")
    assert len(MlflowClient().get_metric_history(run.info.run_id, "loss")) == LINES
    assert "points" not in capsys.readouterr().err


@pytest.mark.usefixtures("store")
def test_a_bar_on_a_terminal(
    account: EmulatedAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows status, phase and points."""
    put_ended(account)
    put_log(account, NAME, [(now_ms() - HOUR_MS, "value=1"), (now_ms() - HOUR_MS, "value=2")])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    smwatch.mirror(estimator(), wait=True, **QUICK)
    shown = capsys.readouterr().err
    assert f"{NAME}: " in shown
    assert " points" in shown
    assert "Completed" in shown


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT raise, even where this process was started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("store", "interruptible")
def test_an_interrupt_ends_the_wait_alone(account: EmulatedAccount) -> None:
    """It reaches the user as always; the job goes on, and so can the mirror."""
    account.put_training_job(job_answer(NAME, created_ms=now_ms()))

    def interrupt() -> None:
        while not account.calls["logs:DescribeLogStreams"]:
            threading.Event().wait(0.05)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)  # it ends a sleep too

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        smwatch.mirror(estimator(), wait=True, interval_s=30, artifacts="none")
    thread.join()
    account.move_training_job(NAME, status="Completed", at=moment(now_ms()))
    assert smwatch.mirror(estimator(), artifacts="none").info.status == "FINISHED"
    assert "sagemaker:StopTrainingJob" not in account.calls


@pytest.mark.usefixtures("store")
def test_an_experiment_gives_the_runs_of_its_trials(account: EmulatedAccount) -> None:
    """One for each, in the order in which they are listed."""
    account.experiments.put_experiment("study")
    for name in ("one", "two"):
        account.experiments.put_trial(name, "study", created=moment(now_ms()))
    trials = [thing("TrialSummary", trial_name=name) for name in ("one", "two")]
    study = thing("Experiment", experiment_name="study", list_trials=lambda: iter(trials))
    runs = smwatch.mirror(study, artifacts="none")
    assert isinstance(runs, tuple)
    assert [run.info.run_name for run in runs] == ["one", "two"]
