"""The run context provider, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlflow_smwatch.plugins.run_context import SageMakerRunContext

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/job"
PROCESSING_ARN = "arn:aws:sagemaker:us-east-1:123456789012:processing-job/clean"
TAGS = {
    "sagemaker.arn": ARN,
    "sagemaker.kind": "training-job",
    "sagemaker.name": "job",
    "sagemaker.region": "us-east-1",
}
LOOK = """
import json, os, sys


opened = []
root = sys.argv[1]
sys.addaudithook(
    lambda event, args: opened.append(str(args[0])) if event == "open" else None
)
from mlflow_smwatch.plugins.run_context import SageMakerRunContext
provider = SageMakerRunContext(root=root)
opened.clear()
found = [(provider.in_context(), provider.tags()) for _ in range(2)]
print(json.dumps({
    "found": found,
    "opened": [path[len(root) + 1:] for path in opened if path.startswith(root)],
}))
"""
RUN = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run() as run:
    mlflow.log_param("lr", 1)
    with mlflow.start_run(nested=True):
        pass
print(run.info.run_id)
"""


def program(code: str, *arguments: str, **variables: str) -> str:
    """Run a program without anything of a container but what is given; give its last line."""
    mine = {
        key: value for key, value in os.environ.items() if not key.startswith(("SM_", "MLFLOW"))
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        env={**mine, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def look(root: Path, **variables: str) -> dict[str, Any]:
    """Ask the provider in a process of its own, with the container's files below a folder."""
    found: dict[str, Any] = json.loads(program(LOOK, str(root), **variables))
    assert found["found"][0] == found["found"][1]
    return found


def test_what_the_provider_imports() -> None:
    """What it takes to look at a container is neither boto3 nor MLflow."""
    code = "import sys, mlflow_smwatch.core.container; print(*sys.modules)"
    assert not {"boto3", "mlflow", "sqlalchemy"} & set(program(code).split())


def put(root: Path, path: str, content: object) -> None:
    """Put a file of a container."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(json.dumps(content), encoding="utf-8")


def test_training_container(tmp_path: Path) -> None:
    """The environment tells the job, the file the host; each file is read once."""
    put(tmp_path, "input/config/resourceconfig.json", {"current_host": "algo-2"})
    found = look(tmp_path, TRAINING_JOB_ARN=ARN, TRAINING_JOB_NAME="job")
    assert found["found"][0] == [True, {**TAGS, "sagemaker.host": "algo-2"}]
    assert found["opened"] == [
        "config/processingjobconfig.json",
        "input/config/resourceconfig.json",
    ]


def test_processing_container(tmp_path: Path) -> None:
    """Nothing is in the environment: the files tell."""
    job = {"ProcessingJobArn": PROCESSING_ARN, "ProcessingJobName": "clean"}
    put(tmp_path, "config/processingjobconfig.json", job)
    put(tmp_path, "config/resourceconfig.json", {"current_host": "algo-1"})
    active, tags = look(tmp_path)["found"][0]
    assert active
    assert tags["sagemaker.arn"] == PROCESSING_ARN
    assert tags["sagemaker.host"] == "algo-1"


def test_outside_of_a_container(tmp_path: Path) -> None:
    """Never active; it takes one look for a file that is not there."""
    found = look(tmp_path)
    assert found["found"][0] == [False, {}]
    assert found["opened"] == ["config/processingjobconfig.json"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b'{"ProcessingJobArn": 1}'])
def test_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be understood is no container, and no error."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/processingjobconfig.json").write_bytes(content)
    provider = SageMakerRunContext(str(tmp_path), {"TRAINING_JOB_ARN": ARN})
    assert not provider.in_context()
    assert provider.tags() == {}


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in a file's place is no error either."""
    (tmp_path / "config/processingjobconfig.json").mkdir(parents=True)
    assert not SageMakerRunContext(str(tmp_path), {}).in_context()


def test_mlflow_tags_a_run(tmp_path: Path) -> None:
    """MLflow itself finds the provider, and tags what a script starts; nested runs too."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run_id = program(RUN, uri, TRAINING_JOB_ARN=ARN, SM_CURRENT_HOST="algo-1")
    client = MlflowClient(tracking_uri=uri)
    runs = list(client.search_runs(["0"]))
    assert len(runs) == 2
    for run in runs:
        assert {**TAGS, "sagemaker.host": "algo-1"}.items() <= run.data.tags.items()
    (nested,) = (run for run in runs if run.info.run_id != run_id)
    assert nested.data.tags["mlflow.parentRunId"] == run_id
