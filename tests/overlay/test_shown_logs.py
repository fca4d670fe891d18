"""The overlay shows the logs of endpoints and of notebook instances."""

from __future__ import annotations

from mlflow.entities import Run

from tests.kinds import endpoint, endpoint_config, kind_arn, notebook_instance
from tests.overlay.conftest import CREATED_MS, ROLE, Shown, sealed_run

GROUP = "/aws/sagemaker/Endpoints/live"
NOTEBOOKS = "/aws/sagemaker/NotebookInstances"
STREAMS = "logs:DescribeLogStreams"


def put(shown: Shown, group: str, stream: str, *messages: str) -> None:
    """Put one log event a message, a second apart."""
    events = [(CREATED_MS + 1000 * n, message) for n, message in enumerate(messages)]
    shown.account.put_log_events(group, stream, events, publish=False)


def of_endpoint(shown: Shown) -> Run:
    """Put an endpoint with logs of two variants; make its run."""
    config = endpoint_config("config", created_ms=CREATED_MS, ExecutionRoleArn=ROLE)
    shown.account.put_endpoint_config(config)
    shown.account.put_job("endpoint", endpoint("live", created_ms=CREATED_MS))
    put(shown, GROUP, "blue/i-0a", "blue a", "blue b")
    put(shown, GROUP, "blue/i-0a/data-log", "asked")
    put(shown, GROUP, "green/i-0b/prepare", "prepared")
    put(shown, f"{GROUP}-2", "blue/i-0c", "of another endpoint")
    return sealed_run(shown, "endpoint/live")


def test_an_endpoint(shown: Shown) -> None:
    """Variants are folders: the names of its streams do not begin with its own."""
    run = of_endpoint(shown)
    assert shown.listed(run, "sagemaker/logs") == {
        "sagemaker/logs/blue": -1,
        "sagemaker/logs/green": -1,
    }
    assert shown.account.calls[STREAMS] == 1
    assert shown.listed(run, "sagemaker/logs/blue") == {
        "sagemaker/logs/blue/i-0a": -1,
        "sagemaker/logs/blue/i-0a.log": None,
        "sagemaker/logs/blue/i-0a.tail.txt": None,
    }
    assert list(shown.listed(run, "sagemaker/logs/green/i-0b")) == [
        "sagemaker/logs/green/i-0b/prepare.log",
        "sagemaker/logs/green/i-0b/prepare.tail.txt",
    ]
    assert "blue b" in shown.text(run, "sagemaker/logs/blue/i-0a.tail.txt")
    whole = shown.text(run, "sagemaker/logs/blue/i-0a.log").splitlines()
    assert whole == ["blue a", "blue b"]
    assert "asked" in shown.text(run, "sagemaker/logs/blue/i-0a/data-log.log")


def test_a_notebook_instance(shown: Shown) -> None:
    """Jupyter's log, and those of its lifecycle configuration; not those of a namesake."""
    shown.account.put_job("notebook-instance", notebook_instance("explore", created_ms=CREATED_MS))
    put(shown, NOTEBOOKS, "explore/jupyter.log", "serving notebooks")
    put(shown, NOTEBOOKS, "explore/LifecycleConfigOnStart", "pip install", "done")
    put(shown, NOTEBOOKS, "explore-2/jupyter.log", "secret")
    run = sealed_run(shown, "notebook-instance/explore")
    assert run.data.tags["sagemaker.arn"] == kind_arn("notebook-instance/explore")
    assert sorted(shown.listed(run, "sagemaker")) == [
        "sagemaker/job.json",
        "sagemaker/lineage.html",
        "sagemaker/logs",
    ]
    assert list(shown.listed(run, "sagemaker/logs")) == [
        "sagemaker/logs/LifecycleConfigOnStart.log",
        "sagemaker/logs/LifecycleConfigOnStart.tail.txt",
        "sagemaker/logs/jupyter.log.log",
        "sagemaker/logs/jupyter.log.tail.txt",
    ]
    assert "done" in shown.text(run, "sagemaker/logs/LifecycleConfigOnStart.tail.txt")
    assert "serving notebooks" in shown.text(run, "sagemaker/logs/jupyter.log.log")
