"""The emulated account in a process of its own, so that its work is not charged to its clients.

``python -m benchmarks.account jobs 1000`` fills an account (``logs``: finished jobs with that many
log lines; ``logged``: that many jobs with small logs; ``running``: that many that run), prints its
environment as one line of JSON, then answers each line on stdin with the calls served since the
last one, until stdin ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import boto3

from benchmarks import log_jobs
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
        counted: dict[str, int] = next_line(self.process)
        return dict(sorted(counted.items()))

    def log_streams(self) -> dict[str, str]:
        """Return the log stream of each training job: name of the job → of the stream."""
        session = boto3.Session(
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name=self.variables["AWS_DEFAULT_REGION"],
        )
        client = session.client("logs", endpoint_url=self.variables["AWS_ENDPOINT_URL"])
        described = client.describe_log_streams(logGroupName=log_jobs.LOG_GROUP)["logStreams"]
        names = [each["logStreamName"] for each in described]
        return {name.partition("/")[0]: name for name in names}


@contextmanager
def serving(number: int, what: str = "jobs") -> Iterator[Account]:
    """Run an account with that many jobs (log lines, running jobs) while a block lasts."""
    command = [sys.executable, "-m", "benchmarks.account", what, str(number)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield Account(variables=next_line(process), process=process)
        finally:
            process.terminate()


def next_line(process: subprocess.Popen[str]) -> Any:  # noqa: ANN401 - JSON
    """Read the next line that a server prints.

    Raises
    ------
    RuntimeError
        When it has ended.
    """
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


def fill_logs(account: EmulatedAccount, lines: int) -> None:
    """Put finished jobs with logs into an account: two of many lines, the others of one."""
    for count in (log_jobs.FEW, log_jobs.MANY):
        job = log_jobs.finished(f"definitions-{count}", log_jobs.definitions(count))
        _put(account, job, log_jobs.events(job, lines))
    for job in log_jobs.single_line_jobs():
        _put(account, job, [(job.first_ms, log_jobs.long_line())])


def fill_logged(account: EmulatedAccount, jobs: int) -> None:
    """Put finished jobs into an account, each with a small log and the metrics of its host."""
    definitions = log_jobs.definitions(log_jobs.FEW)
    for placed in place(jobs, datetime.now(tz=timezone.utc)):
        job = log_jobs.LoggedJob(name=placed.name, definitions=definitions, created=placed.created)
        _put(account, job, log_jobs.events(job, log_jobs.SMALL_LOG))
        for metric in INSTANCE_METRICS:
            account.put_metric(NAMESPACE, metric, placed.dimensions(metric), placed.points(metric))


def fill_running(account: EmulatedAccount, jobs: int) -> None:
    """Put running jobs that have logged something into an account."""
    created = datetime.now(tz=timezone.utc) - log_jobs.RUNNING_FOR
    definitions = log_jobs.definitions(log_jobs.FEW)
    for number in range(jobs):
        job = log_jobs.LoggedJob(
            name=f"running-{number:03d}", definitions=definitions, created=created, running=True
        )
        _put(account, job, log_jobs.events(job, log_jobs.RUNNING_LINES))


def _put(
    account: EmulatedAccount, job: log_jobs.LoggedJob, events: Iterable[tuple[int, str]]
) -> None:
    account.put_training_job(job.answer())
    account.put_log_events(log_jobs.LOG_GROUP, job.stream, events, publish=False)


_FILLS: dict[str, Callable[[EmulatedAccount, int], None]] = {
    "jobs": fill,
    "logged": fill_logged,
    "logs": fill_logs,
    "running": fill_running,
}


def main() -> None:
    """Serve an account until stdin ends."""
    with EmulatedAccount() as account:
        _FILLS[sys.argv[1]](account, int(sys.argv[2]))
        print(json.dumps(account.environment), flush=True)
        for _ in sys.stdin:
            print(json.dumps(account.calls), flush=True)
            account.reset_calls()


if __name__ == "__main__":
    main()
