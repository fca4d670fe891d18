"""The whole content of the demo's account, and how it goes on."""

from __future__ import annotations

from datetime import datetime, timedelta

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.contents.automl import put_automl_job
from mlflow_smwatch.demo.contents.lineage import (
    put_endpoint_lineage,
    put_job_lineage,
    put_package_lineage,
)
from mlflow_smwatch.demo.contents.notebooks import put_notebook
from mlflow_smwatch.demo.contents.pipeline import checked_at, put_pipeline
from mlflow_smwatch.demo.contents.registry import ENDPOINT, put_endpoint, put_package
from mlflow_smwatch.demo.contents.reports import put_monitoring, put_rules
from mlflow_smwatch.demo.contents.tuning import put_tuning_job
from mlflow_smwatch.demo.recording import load_recordings
from mlflow_smwatch.demo.replay import LiveJob, advance, replay
from mlflow_smwatch.demo.workloads.families import PIPELINE_STEPS, TUNED
from mlflow_smwatch.demo.workloads.schedule import PlacedJob, place

DEPLOYED_AFTER = timedelta(minutes=40)


def fill(account: EmulatedAccount, now: datetime) -> tuple[LiveJob, ...]:
    """Put all recordings and what belongs to them into an empty account, as of now.

    Parameters
    ----------
    account
        Running and empty; its training, processing and transform jobs get trial components.
    now
        Aware; the account's present.

    Returns
    -------
    tuple of LiveJob
        The jobs that are not over yet; give them to `go_on` every few seconds.
    """
    account.makes_components = True
    recordings = load_recordings()
    live = replay(account, recordings, now)
    going_on = {each.name for each in live}
    clients = AccountClients.of(account)
    placed = {recording.name: place(recording, now) for recording in recordings}
    for job in sorted(placed.values(), key=lambda job: job.created):
        if job.name not in going_on:
            put_job_lineage(account, clients, job)
    put_tuning_job(account, clients, [placed[workload.name] for workload in TUNED])
    put_automl_job(account, clients, now)
    put_notebook(account, clients, now)
    put_rules(account, clients)
    _put_pipeline(account, clients, tuple(placed[workload.name] for workload in PIPELINE_STEPS))
    return live


def go_on(
    account: EmulatedAccount, live: tuple[LiveJob, ...], now: datetime
) -> tuple[LiveJob, ...]:
    """Write what has happened to jobs up to now, and return those that are not over yet."""
    moved = tuple(advance(account, each, now) for each in live)
    for each in moved:
        if each.is_over:
            put_job_lineage(account, each.clients, each.job)
    return tuple(each for each in moved if not each.is_over)


def _put_pipeline(
    account: EmulatedAccount, clients: AccountClients, jobs: tuple[PlacedJob, ...]
) -> None:
    """Put the pipeline's execution, and what became of its model."""
    training = jobs[1]
    registered = checked_at(training)
    package = put_package(account, clients, training, registered)
    put_package_lineage(account, clients, training, package, registered)
    put_pipeline(account, clients, jobs, package)
    deployed = jobs[-1].finished + DEPLOYED_AFTER
    endpoint = put_endpoint(account, clients, training, deployed)
    put_endpoint_lineage(account, clients, training, endpoint, deployed)
    put_monitoring(account, clients, ENDPOINT, deployed)
