"""``autolog()`` follows what the SDK starts, and the user's calls stay as they are."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import mlflow_smwatch as smwatch
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.sdk import autologging
from mlflow_smwatch.sdk.patching import replace_method
from tests.jobs import moment, now_ms
from tests.sdk.driver import run_program

LOOKALIKE = Path(__file__).parent / "lookalike"
QUICK: dict[str, Any] = {"interval_s": 0.2, "settle_s": 0, "artifacts": "none"}
LONG_S = 30


@pytest.fixture(scope="module")
def sdk() -> Iterator[Any]:
    """Import the SDK's lookalike, as users do before ``autolog()``; it goes when all is done."""
    real = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_sdk(name)}
    sys.path.insert(0, str(LOOKALIKE))
    import sagemaker.estimator

    yield sagemaker.estimator
    sys.path.remove(str(LOOKALIKE))
    for name in [name for name in sys.modules if _is_sdk(name)]:
        del sys.modules[name]
    sys.modules.update(real)


def _is_sdk(name: str) -> bool:
    return name.partition(".")[0] == "sagemaker"


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    """Leave nothing switched on, and nothing followed."""
    yield
    smwatch.autolog(disable=True)
    autologging._background._stop()
    autologging._background = type(autologging._background)()


def ended(account: EmulatedAccount, name: str = "job", status: str = "Completed") -> None:
    account.move_training_job(name, status=status, at=moment(now_ms()))


def eventually(told: Any) -> None:
    """Wait until something is so."""
    waited = threading.Event()
    for _ in range(LONG_S * 20):
        if told():
            return
        waited.wait(0.05)
    raise AssertionError(told)


def found(store: MlflowClient) -> dict[str, Run]:
    """Return the runs by name."""
    ids = [each.experiment_id for each in store.search_experiments()]
    return {str(run.info.run_name): run for run in store.search_runs(ids)}


def test_a_call_that_does_not_wait(sdk: Any, account: EmulatedAccount, store: MlflowClient) -> None:
    """It returns at once; the job is followed until its run is final, then nothing is left."""
    smwatch.autolog(**QUICK)
    assert sdk.Estimator().fit("data", wait=False) == "fit of data"
    eventually(lambda: "job" in found(store))
    ended(account)
    eventually(lambda: found(store)["job"].data.tags.get("smwatch.final") == "true")
    eventually(lambda: not autologging._background.open_jobs())
    eventually(lambda: not logging.getLogger("mlflow_smwatch.engine.books").filters)


def test_a_waiting_call_is_live_and_up_to_date(
    sdk: Any, account: EmulatedAccount, store: MlflowClient
) -> None:
    """The run is there while the call blocks, and has the end of the job when it returns."""
    smwatch.autolog(**{**QUICK, "interval_s": 60.0})
    estimator, results = sdk.Estimator(), []
    thread = threading.Thread(target=lambda: results.append(estimator.fit("data")))
    thread.start()
    eventually(lambda: "job" in found(store))
    assert not results
    ended(account)
    estimator.released.set()
    thread.join(LONG_S)
    assert results == ["fit of data"]
    assert found(store)["job"].info.status == "FINISHED"


def test_exceptions_of_the_call_are_untouched(
    sdk: Any, account: EmulatedAccount, store: MlflowClient
) -> None:
    """The very same one is raised, and the run tells of the failure."""
    smwatch.autolog(**QUICK)
    estimator = sdk.Estimator()
    estimator.error = RuntimeError("the job failed")
    estimator.released.set()
    threading.Timer(0.0, lambda: eventually(lambda: _fails(account))).start()
    with pytest.raises(RuntimeError) as raised:
        estimator.fit()
    assert raised.value is estimator.error
    eventually(lambda: found(store)["job"].info.status == "FAILED")


def _fails(account: EmulatedAccount) -> bool:
    if account.calls["sagemaker:CreateTrainingJob"]:
        ended(account, status="Failed")
        return True
    return False


def test_an_interrupt_is_not_kept_waiting(
    sdk: Any, account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No last pass is made before it reaches the user."""
    smwatch.autolog(**QUICK)
    asked: list[object] = []
    monkeypatch.setattr(
        autologging._background, "bring_up_to_date", lambda *given: asked.append(given)
    )
    estimator = sdk.Estimator()
    estimator.error = KeyboardInterrupt()
    estimator.released.set()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit()
    assert asked == []
    assert account.calls["sagemaker:CreateTrainingJob"] == 1


def test_a_mirror_that_fails_is_one_warning(
    sdk: Any, account: EmulatedAccount, store: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The call goes on; when AWS can be read again, so does the mirror."""
    for operation in ("sagemaker:Search", "sagemaker:DescribeTrainingJob"):
        account.faults.deny(operation)
    smwatch.autolog(**QUICK)
    with caplog.at_level(logging.WARNING, "mlflow_smwatch.sdk"):
        assert sdk.Estimator().fit("data", wait=False) == "fit of data"
        eventually(lambda: account.calls["sagemaker:DescribeTrainingJob"] > 2)
        warned = [each.message for each in caplog.records]
        assert len(warned) == 1
        assert "denied" in warned[0]
    for operation in ("sagemaker:Search", "sagemaker:DescribeTrainingJob"):
        account.faults.allow(operation)
    eventually(lambda: "job" in found(store))


@pytest.mark.usefixtures("store")
def test_subclasses_and_threads(sdk: Any, account: EmulatedAccount, store: MlflowClient) -> None:
    """An override that calls what is above it starts one job, followed once; so do many threads."""

    class Own(sdk.Estimator):  # type: ignore[misc]
        def fit(self, *args: Any, **kwargs: Any) -> str:
            return "own " + str(super().fit(*args, **kwargs))

    smwatch.autolog(**QUICK)
    results: list[str] = []

    def start(name: str) -> None:
        results.append(Own().fit(name, wait=False, job_name=name))

    names = [f"job-{n}" for n in range(4)]
    threads = [threading.Thread(target=start, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [f"own fit of {name}" for name in names]
    eventually(lambda: sorted(found(store)) == names)
    assert account.calls["sagemaker:CreateTrainingJob"] == 4
    assert len(autologging._background._threads) == 1


def test_on_again_and_off(sdk: Any) -> None:
    """Twice on is once on; off, the classes hold the very objects that they held before."""
    classes = (sdk.EstimatorBase, sdk._TrainingJob, sdk.Estimator)
    before = [dict(vars(each)) for each in classes]
    signature = inspect.signature(sdk.EstimatorBase.fit)
    for _ in range(2):
        smwatch.autolog(**QUICK)
    assert sdk.EstimatorBase.fit.__wrapped__ is before[0]["fit"]
    assert inspect.signature(sdk.EstimatorBase.fit) == signature
    assert "fit" not in vars(sdk.Estimator)
    for _ in range(2):
        smwatch.autolog(disable=True)
    for kind, held in zip(classes, before, strict=True):
        assert all(
            vars(kind)[name] is value
            for name, value in held.items()
            if name in {"fit", "start_new"}
        )


def test_off_nothing_is_mirrored(sdk: Any, account: EmulatedAccount) -> None:
    """Not even by a wrapper that somebody has kept."""
    smwatch.autolog(**QUICK)
    kept = sdk.EstimatorBase.fit
    smwatch.autolog(disable=True)
    assert kept(sdk.Estimator(), "data", wait=False) == "fit of data"
    assert autologging._background.open_jobs() == []
    assert set(account.calls) == {"sagemaker:CreateTrainingJob"}


def test_another_patch_on_top_stays(sdk: Any) -> None:
    """What somebody else has put over the wrapper is not taken away."""
    smwatch.autolog(**QUICK)
    other = replace_method(sdk.EstimatorBase, "fit", functools.partial)
    assert other is not None
    smwatch.autolog(disable=True)
    assert vars(sdk.EstimatorBase)["fit"] is other.replacement
    sdk.EstimatorBase.fit = inspect.unwrap(other.original)


def test_local_mode_is_left_alone(sdk: Any, account: EmulatedAccount) -> None:
    """AWS knows nothing of a job on this machine."""
    smwatch.autolog(**QUICK)
    here = sdk.Session()
    here.local_mode = True
    sdk.Estimator(here).fit("data", wait=False)
    assert autologging._background.open_jobs() == []
    assert set(account.calls) == {"sagemaker:CreateTrainingJob"}


def test_wrong_arguments_fail_as_always(sdk: Any) -> None:
    """The wrapper does not hide what the SDK says of them."""
    smwatch.autolog(**QUICK)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        sdk.Estimator().fit(nonsense=1)


def test_without_an_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install; switching off needs nothing."""
    for package in ("sagemaker", "sagemaker_core"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(smwatch.UsageError, match=r"pip install 'mlflow-smwatch\[sagemaker\]'"):
        smwatch.autolog()
    smwatch.autolog(disable=True)


def test_without_import_hooks(sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an MLflow that has none it is refused, and nothing is half on."""
    monkeypatch.delitem(sys.modules, "mlflow_smwatch.tracking.imports", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow.utils.import_hooks", None)
    with pytest.raises(smwatch.UsageError, match="autolog needs the import hooks of MLflow"):
        smwatch.autolog(**QUICK)
    assert autologging._switch.options is None
    assert not hasattr(sdk.EstimatorBase.fit, "__wrapped__")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_free_locks() -> None:
    """Whatever the parent's other threads do at that moment."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with autologging._switch.lock, autologging._background._lock:
            held.set()
            done.wait(LONG_S)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(LONG_S)
    child = os.fork()
    if not child:
        signal.alarm(5)  # which ends a process that waits for a lock
        smwatch.autolog(disable=True)
        os._exit(len(autologging._background.open_jobs()))
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"names": ("job",)}, "takes no job names"),
        ({"dry_run": True}, "no forecast"),
        ({"interval_s": 0}, "seconds above 0"),
        ({"metrics": "none"}, "--metrics"),
    ],
)
def test_options_are_checked_at_once(sdk: Any, options: dict[str, Any], reason: str) -> None:
    """Not in the background, where nobody would hear of it."""
    with pytest.raises(smwatch.UsageError, match=reason):
        smwatch.autolog(**options)
    assert not hasattr(sdk.EstimatorBase.fit, "__wrapped__")


def test_the_end_of_the_program(
    account: EmulatedAccount, empty_database: Path, tmp_path: Path
) -> None:
    """An SDK that is imported later counts too; nothing is waited for, and one line says more."""
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    program = """
import sys, threading, time
import mlflow_smwatch as smwatch
sys.path.insert(0, "LOOKALIKE")
smwatch.autolog(interval_s=30)
from sagemaker.estimator import Estimator
Estimator().fit("data", wait=False, job_name="left")
print("started", time.monotonic(), flush=True)
import atexit
atexit.register(lambda: print("ended", time.monotonic(), flush=True))
""".replace("LOOKALIKE", str(LOOKALIKE))
    done = run_program(sys.executable, program, tmp_path, account.environment)
    assert done.returncode == 0, done.stderr
    times = dict(line.split() for line in done.stdout.splitlines())
    assert float(times["ended"]) - float(times["started"]) < 5
    said = [line for line in done.stderr.splitlines() if "smwatch sync" in line]
    assert len(said) == 1
    assert said[0].endswith("to finish: smwatch sync left --region us-east-1")
    assert "Traceback" not in done.stderr
