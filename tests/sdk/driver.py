"""An emulated account in which jobs live as SageMaker's do, and programs of users that ask it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import NAMESPACE, now_ms

ROOT = Path(__file__).parents[2]
LINES = 40
"""How many lines with a loss a training job logs."""

NO_TELEMETRY = """\
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""
"""The SDK's settings: it would tell AWS of its use."""

_TICK_S = 0.25
_JOBS = {
    "CreateTrainingJob": ("TrainingJobName", "training-job"),
    "CreateProcessingJob": ("ProcessingJobName", "processing-job"),
    "CreateTransformJob": ("TransformJobName", "transform-job"),
    "CreateHyperParameterTuningJob": ("HyperParameterTuningJobName", "tuning-job"),
}
_STATUS = {
    "processing-job": "ProcessingJobStatus",
    "transform-job": "TransformJobStatus",
    "tuning-job": "HyperParameterTuningJobStatus",
}
_END = {"processing-job": "ProcessingEndTime", "transform-job": "TransformEndTime"}


class Lives:
    """Lets every job that is created run for a while: half its lines, the rest, its end.

    Parameters
    ----------
    account
        In which the jobs are.
    ticks
        After how many quarters of a second a job ends.
    """

    def __init__(self, account: EmulatedAccount, ticks: int = 12) -> None:
        self._account = account
        self._ticks = ticks
        self._ages: dict[tuple[str, str], int] = {}
        self._read = 0
        self.stopped = threading.Event()

    def take_on(self, kind: str, name: str) -> None:
        """Let a job live that was put into the account."""
        self._ages[kind, name] = 0

    def run(self) -> None:
        """Go on until stopped."""
        while not self.stopped.wait(_TICK_S):
            self._take_new()
            for job in list(self._ages):
                self._ages[job] += 1
                self._live(*job, self._ages[job])

    def _take_new(self) -> None:
        requests = self._account.requests[self._read :]
        self._read += len(requests)
        for request in requests:
            field, kind = _JOBS.get(request.operation.removeprefix("sagemaker:"), ("", ""))
            if field and request.status == 200:
                self._ages[kind, request.parameters[field]] = 0

    def _live(self, kind: str, name: str, age: int) -> None:
        is_over = age == self._ticks
        if is_over:
            del self._ages[kind, name]
        if kind == "training-job":
            self._train(name, age)
        elif is_over:
            changes: dict[str, Any] = {_STATUS[kind]: "Completed"}
            if kind in _END:
                changes[_END[kind]] = self._account.clock.now()
            self._account.update_job(kind, name, **changes)

    def _train(self, name: str, age: int) -> None:
        if age == 1:
            self._account.move_training_job(name, secondary_status="Training")
            self._log(name, 0, LINES // 2)
        if age == self._ticks:
            self._log(name, LINES // 2, LINES)
            status = "Failed" if "fails" in name else "Completed"
            self._account.move_training_job(name, status=status)

    def _log(self, name: str, first: int, last: int) -> None:
        events = [(now_ms() - 1, f"loss={1 / (n + 1)};") for n in range(first, last)]
        self._account.put_log_events(NAMESPACE, f"{name}/algo-1-1700000000", events)


@contextmanager
def living(account: EmulatedAccount, ticks: int = 12) -> Iterator[Lives]:
    """Let the jobs of an account live, as long as the block lasts."""
    lives = Lives(account, ticks)
    thread = threading.Thread(target=lives.run)
    thread.start()
    try:
        yield lives
    finally:
        lives.stopped.set()
        thread.join()


def run_program(
    python: Path | str, program: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a user's program with an interpreter, in a folder; nothing else of AWS's is around it."""
    settings = folder / "sagemaker.yaml"
    settings.write_text(NO_TELEMETRY, encoding="utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [str(python), "-c", program],
        cwd=folder,
        env={
            **kept,
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
            "SAGEMAKER_VALIDATE_ROLE": "false",  # it would ask IAM to simulate the role's policy
            "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            **environment,
        },
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
