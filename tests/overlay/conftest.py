"""An emulated account with a job that has logs, a model and outputs, and runs that stand for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.seal import knowledge, seal
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import ACCOUNT, HOUR_MS, NAMESPACE, arn, job_answer, now_ms
from tests.kinds import kind_arn

BUCKET = "models"
KEY = "shared-key"
STREAM = "algo-1-1700000000"
LOG = f"sagemaker/logs/{STREAM}.log"
TAIL = f"sagemaker/logs/{STREAM}.tail.txt"
MODEL = "sagemaker/model/model.tar.gz"
CREATED_MS = now_ms() // 1000 * 1000 - 2 * HOUR_MS
ENDED_MS = CREATED_MS + HOUR_MS
MODEL_BYTES = bytes(range(256)) * 300
LINES = 2500
ROLE = f"arn:aws:iam::{ACCOUNT}:role/training"
DESCRIBE = "sagemaker:DescribeTrainingJob"


def s3() -> Any:
    """Make a client of the emulated account's S3."""
    return boto3.client("s3")


def put_objects(contents: Mapping[str, bytes], bucket: str = BUCKET) -> None:
    """Put objects: key → content."""
    for key, body in contents.items():
        s3().put_object(Bucket=bucket, Key=key, Body=body)


def put_job(account: EmulatedAccount, name: str, **changes: Any) -> None:
    """Put a completed job with a model and output, all as AWS names them."""
    fields: dict[str, Any] = {
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/out/{name}/output/model.tar.gz"},
        **changes,
    }
    ended_ms = None if changes.get("status") == "InProgress" else ENDED_MS
    answer = job_answer(name, created_ms=CREATED_MS, ended_ms=ended_ms, **fields)
    account.put_training_job(answer)


def put_logs(account: EmulatedAccount, name: str, *messages: str, stream: str = STREAM) -> None:
    """Put one log event a message, a second apart."""
    events = [(CREATED_MS + 1000 * n, message) for n, message in enumerate(messages)]
    account.put_log_events(NAMESPACE, f"{name}/{stream}", events, publish=False)


@dataclass
class Shown:
    """A store, and a folder whose runs are looked at through the overlay."""

    account: EmulatedAccount
    uri: str
    base: Path

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client of the store."""
        return MlflowClient(tracking_uri=self.uri)

    def experiment(self, location: str | None = None) -> str:
        """Make an experiment on the overlay, or elsewhere."""
        place = location or f"smwatch+{self.base.as_uri()}"
        return str(self.client.create_experiment(f"e{len(self.experiments())}", place))

    def experiments(self) -> list[Any]:
        """Give all experiments."""
        return list(self.client.search_experiments())

    def run(
        self,
        job: str,
        *,
        key: str | None = KEY,
        experiment: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> Run:
        """Make a run that stands for a job, sealed as the mirror does; without a key, unsealed."""
        run = self.client.create_run(
            experiment or self.experiment(), start_time=CREATED_MS, tags={names.ARN: arn(job)}
        )
        run_id = run.info.run_id
        if key:
            value = seal(key.encode(), run_id, arn(job), CREATED_MS)
            self.client.set_tag(run_id, names.SEAL, value)
        for name, value in (tags or {}).items():
            self.client.set_tag(run_id, name, value)
        return self.client.get_run(run_id)

    def repository(self, run: Run) -> ArtifactRepository:
        """Open a run's artifacts."""
        return get_artifact_repository(run.info.artifact_uri, tracking_uri=self.uri)

    def listed(self, run: Run, path: str | None = None) -> dict[str, int | None]:
        """List a folder: path → size, -1 for folders."""
        infos = self.repository(run).list_artifacts(path)
        return {info.path: -1 if info.is_dir else info.file_size for info in infos}

    def text(self, run: Run, path: str) -> str:
        """Download a file and read it."""
        return self.content(run, path).decode()

    def content(self, run: Run, path: str) -> bytes:
        """Download a file and give its bytes."""
        repository: Any = self.repository(run)
        return Path(repository.download_artifacts(path)).read_bytes()

    def calls(self) -> dict[str, int]:
        """Give the calls since the last time, which are forgotten."""
        found = dict(self.account.calls)
        self.account.reset_calls()
        return found


def knowing(run_id: str, job: str, role: str = ROLE, created_ms: int = CREATED_MS) -> str:
    """Seal a run as a mirror without a key does."""
    return seal(knowledge(arn(job), created_ms, role), run_id, arn(job), created_ms)


def sealed_run(shown: Shown, resource: str) -> Run:
    """Make a run that stands for a job of another kind, such as ``processing-job/name``."""
    arn_of_it = kind_arn(resource)
    tags = {names.ARN: arn_of_it}
    run = shown.client.create_run(shown.experiment(), start_time=CREATED_MS, tags=tags)
    value = seal(KEY.encode(), run.info.run_id, arn_of_it, CREATED_MS)
    shown.client.set_tag(run.info.run_id, names.SEAL, value)
    return shown.client.get_run(run.info.run_id)


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """Serve an account with one bucket and one job; the environment leads to it."""
    patch = pytest.MonkeyPatch()
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            patch.setenv(name, value)
        patch.setenv("SMWATCH_SEAL_KEY", KEY)
        s3().create_bucket(Bucket=BUCKET)
        put_job(account, "job")
        put_logs(account, "job", *(f"line {n}" for n in range(LINES)))
        put_objects(
            {
                "out/job/output/model.tar.gz": MODEL_BYTES,
                "out/job/output/model.tar.gz.old": b"old",
                "out/job/output/output.tar.gz": b"output",
                "out/job-2/secret.txt": b"secret",
            }
        )
        yield account
    patch.undo()


@pytest.fixture(autouse=True)
def a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be a client, whatever other tests have imported."""
    monkeypatch.delitem(sys.modules, "mlflow.server.handlers", raising=False)


@pytest.fixture
def shown(account: EmulatedAccount, tmp_path: Path, store: Path) -> Shown:
    """Give a store of this test's own."""
    account.faults.clear()
    account.reset_calls()
    return Shown(account, f"sqlite:///{store}", tmp_path / "base")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store, which takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path
