"""What a watch costs where nothing happens: the calls of AWS, and the requests to MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.engine.mirror import Mirror
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.watch import OVERLAP
from tests import kinds
from tests.jobs import HOUR_MS, job_answer, moment, now_ms
from tests.stores.proxy import Proxy, proxied

JOBS = 20


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an account in which jobs of most kinds ended hours ago, with lineage."""
    created_ms = now_ms() - 5 * HOUR_MS
    life: dict[str, Any] = {"created_ms": created_ms, "ended_ms": created_ms + HOUR_MS}
    with EmulatedAccount() as account:
        account.makes_components = True
        for number in range(JOBS):
            account.put_training_job(job_answer(f"job-{number}", **life))
        account.put_job("processing-job", kinds.processing_job("prep", **life))
        account.put_job("pipeline", kinds.pipeline("flow", created_ms=created_ms))
        account.put_job("pipeline-execution", kinds.pipeline_execution("abcdef123456", **life))
        account.experiments.put_experiment("study", created=moment(created_ms))
        account.experiments.put_trial("trial", "study", created=moment(created_ms))
        put_lineage(account, moment(life["ended_ms"]))
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        yield account


def put_lineage(account: EmulatedAccount, created: datetime) -> None:
    """Put what a component read, and what came of it."""
    ended = {"CreationTime": created, "LastModifiedTime": created, "EndTime": created}
    status = {"Status": {"PrimaryStatus": "Completed"}}
    component = account.experiments.put_trial_component(
        {"TrialComponentName": "step", **ended, **status}, trials=("trial",)
    )
    for uri, ends in (("s3://bucket/in/", True), ("s3://bucket/out/", False)):
        artifact = account.lineage.put_artifact(uri, kind="DataSet", created=created)
        pair = (artifact, component) if ends else (component, artifact)
        account.lineage.associate(*pair, "ContributedTo", created)


def asked(proxy: Proxy) -> list[str]:
    """Give the requests to MLflow by their routes, and forget them."""
    routes = [path.partition("/mlflow/")[2].partition("?")[0] for _, path, _ in proxy.requests]
    proxy.requests.clear()
    return routes


@pytest.mark.slow
def test_an_idle_pass(account: EmulatedAccount, mlflow_server: str) -> None:
    """One request to MLflow, and a call or two a kind, however many jobs there are."""
    with proxied(mlflow_server) as proxy:
        options = SyncOptions(tracking_uri=proxy.address, metrics="off", artifacts="none")
        mirror = Mirror(options)

        def look(back: timedelta, *, sweep: bool) -> tuple[dict[str, int], list[str]]:
            account.reset_calls()
            report = mirror.follow(since=datetime.now(tz=timezone.utc) - back, sweep=sweep)
            assert report.failed == []
            return dict(account.calls), asked(proxy)

        look(timedelta(days=1), sweep=True)
        assert mirror.open_jobs == 0
        look(OVERLAP, sweep=True)
        idle_calls, idle_requests = look(OVERLAP, sweep=False)
        sweep_calls, sweep_requests = look(OVERLAP, sweep=True)
    assert MlflowClient(mlflow_server).get_experiment_by_name("sagemaker/lineage") is not None
    assert idle_requests == ["experiments/search"]
    assert sweep_requests == ["experiments/search", "runs/search"]
    assert idle_calls == sweep_calls
    assert max(idle_calls.values()) == idle_calls["sagemaker:Search"] <= 4
    assert sum(idle_calls.values()) <= 2 * len(KINDS)
    assert len([name for name in idle_calls if "Describe" in name]) == 0
