"""docs/endpoints.md and docs/notebook-instances.md: what they show is what happens."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner

from mlflow_smwatch.cli import main
from mlflow_smwatch.core.job_kinds import KINDS
from mlflow_smwatch.demo.account import EmulatedAccount
from tests import kinds
from tests.docs.documents import blocks, names, read, rows
from tests.jobs import HOUR_MS, now_ms

ENDPOINTS, NOTEBOOKS = read("docs/endpoints.md"), read("docs/notebook-instances.md")
CREATED_MS = now_ms() // 1000 * 1000 - HOUR_MS


def block(page: str, mark: str) -> str:
    """Give the block with a mark."""
    (found,) = [each.text for each in blocks(page) if each.mark == mark]
    return found


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, empty_database: Path) -> Iterator[EmulatedAccount]:
    """Serve an account; environment and tracking URI lead to it and to an empty store."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{empty_database}")
        yield account


def run(command: str) -> dict[str, Any]:
    """Run a command of a page; give its document."""
    done = CliRunner().invoke(main, [*shlex.split(command)[1:], "--json"])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def put_fraud(account: EmulatedAccount) -> None:
    """Put the endpoint that the page speaks of into service."""
    config = kinds.endpoint_config(
        "fraud-2", created_ms=CREATED_MS, variants={"blue": "fraud-7", "green": "fraud-8"}
    )
    blue, green = config["ProductionVariants"]
    blue.update(InitialInstanceCount=2, InitialVariantWeight=0.9)
    green.update(InitialVariantWeight=0.1)
    account.put_endpoint_config(config)
    for model in ("fraud-7", "fraud-8"):
        account.put_model(kinds.model(model, created_ms=CREATED_MS))
    answer = kinds.endpoint("fraud", created_ms=CREATED_MS, config="fraud-2")
    running = [{"VariantName": "blue"}, {"VariantName": "green"}]
    account.put_job("endpoint", {**answer, "ProductionVariants": running})


def test_deployments(account: EmulatedAccount) -> None:
    """The tag is as it is shown, and the program prints it."""
    put_fraud(account)
    assert run("smwatch sync --kinds endpoint")["jobs"]["created"] == 1
    (found,) = mlflow.search_runs(experiment_names=["sagemaker/endpoints"], output_format="list")
    ((key, value),) = [
        each for each in found.data.tags.items() if each[0].startswith("sagemaker.deployment.")
    ]
    assert json.loads(value) == json.loads(block(ENDPOINTS, "deployment"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block(ENDPOINTS, "deployments"), {})  # noqa: S102 - the page's own program
    assert printed.getvalue().split() == [key.removeprefix("sagemaker.deployment."), "fraud-2"]
    assert found.data.metrics["sagemaker/deployment"] == 1


def test_notebook_instances(account: EmulatedAccount) -> None:
    """Both commands mirror it; the tags of the page are on the run."""
    answer = kinds.notebook_instance(
        "explore",
        created_ms=CREATED_MS,
        DefaultCodeRepository="examples",
        PlatformIdentifier="notebook-al2-v3",
    )
    account.put_job("notebook-instance", answer)
    first, second = block(NOTEBOOKS, "sync").splitlines()
    assert run(first)["jobs"]["created"] == 1
    assert run(second)["jobs"]["seen"] == 1
    (found,) = mlflow.search_runs(
        experiment_names=["sagemaker/notebook-instances"], output_format="list"
    )
    told = {
        tag
        for _, tags in rows(NOTEBOOKS, "of the notebook instance", "in MLflow")
        for tag in names(tags)
        if tag.startswith("sagemaker.") and "<" not in tag
    }
    assert told <= found.data.tags.keys()


def test_all_kinds_of_the_file() -> None:
    """The list of the page is the table of the code."""
    assert set(re.findall(r'"(.+?)"', block(NOTEBOOKS, "kinds"))) == KINDS.keys()


def test_calls_of_notebook_instances() -> None:
    """Those of the policy."""
    done = CliRunner().invoke(main, ["policy", "--kinds", "notebook-instance"])
    allowed = {
        action
        for each in json.loads(done.stdout)["Statement"]
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    told = {each for calls, _ in rows(NOTEBOOKS, "call", "when") for each in names(calls)}
    lineage = {each for each in allowed if "Associations" in each or "Artifact" in each}
    lineage |= {each for each in allowed if "Context" in each}
    assert allowed - lineage == told


def test_percentiles(account: EmulatedAccount) -> None:
    """The program mirrors them; keys and numbers of the page are those of the run."""
    put_fraud(account)
    began_ms = (CREATED_MS + HOUR_MS // 2) // 60_000 * 60_000
    account.put_metric(
        "AWS/SageMaker",
        "ModelLatency",
        {"EndpointName": "fraud", "VariantName": "blue"},
        [(began_ms, 10.0), (began_ms, 20.0)],
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block(ENDPOINTS, "percentiles"), {})  # noqa: S102 - the page's own program
    assert printed.getvalue().split() == ["fraud", "RUNNING", "4"]
    (found,) = mlflow.search_runs(experiment_names=["sagemaker/endpoints"], output_format="list")
    told = {key: value for key, value in found.data.metrics.items() if key.startswith("blue/")}
    assert told == {
        "blue/model_latency": 15.0,
        "blue/model_latency/p50": 15.0,
        "blue/model_latency/p99": 19.9,
    }
