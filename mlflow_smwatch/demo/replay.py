"""Put the recorded jobs into the emulated account, moved to the present.

Everything is written by the calls that SageMaker, its users and its containers make in a real
account: CreateTrainingJob and its like, PutLogEvents, PutMetricData, PutObject, BatchPutMetrics.
Only what no AWS call can do, the life cycle of a job, goes through the account object. Each job is
dated in the past by the account's clock; a job whose stretched recording is not over yet goes on
by `advance`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.job_requests import EMULATED, tag_list
from mlflow_smwatch.demo.recording import RecordedHost, Recording
from mlflow_smwatch.demo.replayed_kinds import DATA_LOG, REPLAYED_KINDS, ReplayedKind
from mlflow_smwatch.demo.workloads.experiments import EXPERIMENTS
from mlflow_smwatch.demo.workloads.schedule import (
    PlacedJob,
    Transition,
    host_name,
    life_of,
    lines_of,
    place,
    utilisation_of,
)

EVENTS_PER_CALL = 1000  # PutLogEvents takes 10,000 events or 1 MB
DATA_PER_CALL = 500  # PutMetricData takes 1,000 metrics or 1 MB
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveJob:
    """A job, and how far it has been written.

    Attributes
    ----------
    written_until
        What happened up to and including this time is in the account.
    """

    job: PlacedJob
    clients: AccountClients
    written_until: datetime

    @property
    def name(self) -> str:
        """Return the name of the job."""
        return self.job.name

    @property
    def kind(self) -> ReplayedKind:
        """Return how its kind is written."""
        return REPLAYED_KINDS[self.job.kind]

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will happen."""
        return self.written_until >= self.job.finished

    def is_due(self, moment: datetime, now: datetime) -> bool:
        """Return whether a moment lies after what is written, and not after now."""
        return self.written_until < moment <= now


def replay(
    account: EmulatedAccount, recordings: Iterable[Recording], now: datetime
) -> tuple[LiveJob, ...]:
    """Create a job, or a trial component, of each recording, as of now.

    Parameters
    ----------
    account
        Running, and without these jobs.
    recordings
        Of different names.
    now
        Aware; the account's present.

    Returns
    -------
    tuple of LiveJob
        The jobs that are not over yet; give them to `advance` every few seconds.
    """
    clients = AccountClients.of(account)
    jobs = sorted((place(each, now) for each in recordings), key=lambda job: job.created)
    _prepare(account, clients, jobs)
    written = []
    for job in jobs:
        live = LiveJob(job=job, clients=clients, written_until=job.created)
        with account.clock.at(job.created):
            live.kind.create(job, clients, account)
        with account.clock.at(min(job.finished, now)):
            written.append(advance(account, live, now))
    return tuple(live for live in written if not live.is_over)


def advance(account: EmulatedAccount, live: LiveJob, now: datetime) -> LiveJob:
    """Write what has happened to a job since it was last written.

    Parameters
    ----------
    account
        Where `replay` created the job.
    live
        As `replay`, or the last call of this function, returned it.
    now
        Aware; the account's present.

    Returns
    -------
    LiveJob
        The job as written until now, for the next call.
    """
    if live.is_over:
        return live
    job = live.job
    due = [step for step in life_of(job) if live.is_due(step.at, now)]
    _move(account, live, [step for step in due if step.at <= job.started])
    if live.kind.folder:
        _put_logs(live, live.kind.folder, now)
        _put_metrics(live, live.kind.folder, now)
    if live.is_due(job.finished, now):
        live.kind.finish(job, live.clients, account)
    _move(account, live, [step for step in due if step.at > job.started])
    return dataclasses.replace(live, written_until=now)


def _move(account: EmulatedAccount, live: LiveJob, steps: Iterable[Transition]) -> None:
    for step in steps:
        live.kind.move(account, live.job, step)


def _prepare(account: EmulatedAccount, clients: AccountClients, jobs: list[PlacedJob]) -> None:
    """Create what jobs share, just before the first that needs it."""
    with account.clock.at(jobs[0].created - MINUTE):
        clients.s3.create_bucket(Bucket=clients.bucket)
        folders = {REPLAYED_KINDS[job.kind].folder for job in jobs} - {None}
        for folder in folders:
            clients.logs.create_log_group(logGroupName=folder)
    created = {job.name: job.created for job in jobs}
    for experiment in EXPERIMENTS:
        first = {
            trial: min(created[each] for each in members if each in created)
            for trial, members in experiment.trials.items()
            if created.keys() & set(members)
        }
        if not first:
            continue
        with account.clock.at(min(first.values()) - MINUTE):
            clients.sagemaker.create_experiment(
                ExperimentName=experiment.name,
                Description=experiment.description,
                Tags=tag_list({**EMULATED, **experiment.tags}),
            )
        for trial, moment in first.items():
            with account.clock.at(moment - MINUTE):
                clients.sagemaker.create_trial(
                    ExperimentName=experiment.name, TrialName=trial, Tags=tag_list(EMULATED)
                )


def _put_logs(live: LiveJob, group: str, now: datetime) -> None:
    """Write the lines of output that are due, one log stream per host."""
    job = live.job
    for host in job.recording.hosts:
        stream = f"{job.name}/{host_name(job, host)}-{int(job.started.timestamp())}"
        _put_stream(live, group, stream, lines_of(job, host), now)
        if job.kind == "transform-job":
            own = [(job.started, DATA_LOG)]
            _put_stream(live, group, f"{stream}/data-log", own, now)


def _put_stream(
    live: LiveJob, group: str, stream: str, lines: Iterable[tuple[datetime, str]], now: datetime
) -> None:
    logs = live.clients.logs
    if live.is_due(live.job.started, now):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    due = (
        {"timestamp": round(moment.timestamp() * 1000), "message": text}
        for moment, text in lines
        if live.is_due(moment, now)
    )
    for events in _batches(due, EVENTS_PER_CALL):
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _put_metrics(live: LiveJob, namespace: str, now: datetime) -> None:
    """Write the hosts' utilisation that is due, one datum a minute as SageMaker does."""
    data = itertools.chain.from_iterable(
        _utilisation(live, host, now) for host in live.job.recording.hosts
    )
    for batch in _batches(data, DATA_PER_CALL):
        live.clients.cloudwatch.put_metric_data(Namespace=namespace, MetricData=batch)


def _utilisation(live: LiveJob, host: RecordedHost, now: datetime) -> Iterator[dict[str, Any]]:
    name = f"{live.name}/{host_name(live.job, host)}"
    for minute, figures in utilisation_of(live.job, host):
        for metric in figures if live.is_due(minute, now) else ():
            if metric not in live.kind.without:
                yield {
                    "MetricName": metric,
                    "Dimensions": [{"Name": "Host", "Value": name}],
                    "Timestamp": minute,
                    "Value": figures[metric],
                    "Unit": "Percent",
                }


def _batches(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch
