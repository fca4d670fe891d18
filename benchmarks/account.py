"""The emulated account in a process of its own, so that its work is not charged to its clients.

``python -m benchmarks.account 1000`` fills an account, prints its environment as one line of JSON,
then answers each line on stdin with the calls served since the last one, until stdin ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from benchmarks.jobs import ALGORITHM_METRICS, INSTANCE_METRICS, NAMESPACE, place
from benchmarks.programs import environment
from mlflow_smwatch.demo.account import EmulatedAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A running account, seen from outside.

    Attributes
    ----------
    variables
        Environment variables that lead an AWS client there.
    """

    variables: dict[str, str]
    process: subprocess.Popen[str]

    def calls(self) -> dict[str, int]:
        """Return the number of requests that it served since it was last asked, by operation."""
        if self.process.stdin is None:
            message = "the account's process was started without a pipe"
            raise RuntimeError(message)
        print(file=self.process.stdin, flush=True)
        counted: dict[str, int] = _line(self.process)
        return dict(sorted(counted.items()))


@contextmanager
def serving(jobs: int) -> Iterator[Account]:
    """Run an account with that many jobs for the duration of a block."""
    command = [sys.executable, "-m", "benchmarks.account", str(jobs)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield Account(variables=_line(process), process=process)
        finally:
            process.terminate()


def _line(process: subprocess.Popen[str]) -> Any:  # noqa: ANN401 - JSON
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        message = "the emulated account ended early"
        raise RuntimeError(message)
    return json.loads(line)


def fill(account: EmulatedAccount, jobs: int) -> None:
    """Put the jobs and all their points into an account."""
    for job in place(jobs, datetime.now(tz=timezone.utc)):
        account.put_training_job(job.answer())
        for metric in (*ALGORITHM_METRICS, *INSTANCE_METRICS):
            dimensions = job.dimensions(metric)
            account.put_metric(NAMESPACE, metric, dimensions, job.points(metric))


def main() -> None:
    """Serve an account until stdin ends."""
    with EmulatedAccount() as account:
        fill(account, int(sys.argv[1]))
        print(json.dumps(account.environment), flush=True)
        for _ in sys.stdin:
            print(json.dumps(account.calls), flush=True)
            account.reset_calls()


if __name__ == "__main__":
    main()
