"""What the page on notebooks says can be done is done here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import mlflow_smwatch as smwatch
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.sdk import autologging
from mlflow_smwatch.sdk.patch_points import POINTS, Role
from mlflow_smwatch.sdk.pursuit import GRACE_S
from mlflow_smwatch.sdk.references import _RESOURCES
from tests.docs.documents import ROOT, blocks, names, read, rows
from tests.jobs import HOUR_MS, job_answer, moment, now_ms

PAGE = read("docs/notebooks.md")
LOOKALIKE = ROOT / "tests" / "sdk" / "lookalike"
JOB = "my-training-job"


def block(mark: str) -> str:
    (found,) = [each.text for each in blocks(PAGE) if each.mark == mark]
    return found


@pytest.fixture
def account(empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an account to which the environment leads, and a store that MLflow chooses."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{empty_database}")
        monkeypatch.chdir(empty_database.parent)
        yield account


@pytest.fixture
def estimator(account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give an estimator whose job has ended when a call waits for it."""
    monkeypatch.syspath_prepend(str(LOOKALIKE))
    for name in [each for each in sys.modules if each.partition(".")[0] == "sagemaker"]:
        monkeypatch.delitem(sys.modules, name)
    from sagemaker.estimator import Estimator

    class Quick(Estimator):  # type: ignore[misc]
        def fit(self, *args: Any, **kwargs: Any) -> Any:
            self.released = End(account)
            return super().fit(*args, job_name=JOB, **kwargs)

    made = Quick()
    yield made
    smwatch.autolog(disable=True)
    autologging._background._stop()
    autologging._background = type(autologging._background)()


class End:
    """Ends the job when it is waited for."""

    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account

    def wait(self, _: float) -> None:
        self._account.move_training_job(JOB, status="Completed", at=moment(now_ms() - HOUR_MS))


def status() -> str:
    """Return the status of the job's run."""
    client = MlflowClient()
    (run,) = client.search_runs([each.experiment_id for each in client.search_experiments()])
    return str(run.info.status)


def test_one_line(account: EmulatedAccount) -> None:
    """The run of the job, with its links."""
    begin_ms = now_ms() - 2 * HOUR_MS
    account.put_training_job(job_answer(JOB, created_ms=begin_ms, ended_ms=begin_ms + HOUR_MS))
    told: dict[str, Any] = {}
    exec(block("one line"), told)  # noqa: S102 - the page's own code
    assert told["run"].info.run_name == JOB
    assert "Run in MLflow" in told["run"]._repr_html_()


def test_wait(
    account: EmulatedAccount,
    estimator: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The job's end is in the run that is returned."""
    started = estimator.fit

    def fit(*args: Any, **kwargs: Any) -> None:
        started(*args, **kwargs)
        End(account).wait(0)

    monkeypatch.setattr(estimator, "fit", fit)
    exec(block("wait"), {"smwatch": smwatch, "estimator": estimator})  # noqa: S102 - the page's own
    assert capsys.readouterr().out.startswith("FINISHED {")


@pytest.mark.usefixtures("account")
def test_autolog(estimator: Any) -> None:
    """The run has the job's end when the call comes back."""
    exec(block("autolog"), {"estimator": estimator})  # noqa: S102 - the page's own code
    assert status() == "FINISHED"


def test_every_block_is_tested() -> None:
    """A new one must say how."""
    assert {each.mark for each in blocks(PAGE)} == {"one line", "wait", "autolog"}


def test_every_resource_is_listed() -> None:
    """Each class that stands for a job is on the page, and so are the methods that are wrapped."""
    listed = {each for row in rows(PAGE, "`mirror` takes", "and mirrors") for each in names(row[0])}
    public = {name for name in _RESOURCES if not name.startswith("_") and name != "TrialSummary"}
    assert public <= listed
    methods = {f"{point.method}()" for point in POINTS if point.role is Role.CALL}
    assert methods <= names(PAGE)


def test_the_times() -> None:
    """Those of the page are those of the code."""
    assert GRACE_S == 5 * 60
    assert autologging._UP_TO_DATE_S == 60
    assert "five minutes later" in PAGE
    assert "after at most a minute" in PAGE
