"""An emulated account over HTTP and a real SQLite store, and what a test looks at in both."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, Experiment, Run, ViewType

import mlflow_smwatch
from mlflow_smwatch.core.watermark import Watermark, from_tags
from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import SyncReport
from tests.jobs import Points, arn, now_ms

ONLY_TRAINING_JOBS = ("training-job",)

SEARCH = "sagemaker:Search"
ASSOCIATIONS = "sagemaker:ListAssociations"
LIST = "sagemaker:ListTrainingJobs"
DESCRIBE = "sagemaker:DescribeTrainingJob"
LIST_TAGS = "sagemaker:ListTags"
LIST_COMPONENTS = "sagemaker:ListTrialComponents"
METRICS = "cloudwatch:GetMetricData"
STREAMS = "logs:DescribeLogStreams"
EVENTS = "logs:GetLogEvents"
IDENTITY = "sts:GetCallerIdentity"

DOCUMENTS = ["sagemaker/job.json", "sagemaker/lineage.html"]

FINDING = {SEARCH: 2}
"""Calls that find up to a hundred training jobs: one for trial components, one for the jobs."""

DISCOVERY = {**FINDING, ASSOCIATIONS: 1}
"""All calls of a pass over training jobs of which none is new."""

DISCOVERY_OF_NOTHING = {**DISCOVERY, IDENTITY: 1}
"""The same where no job tells which account it is."""


def datasets(run: Run) -> list[Dataset]:
    """Give the datasets that a run has as inputs."""
    return [each.dataset for each in run.inputs.dataset_inputs] if run.inputs else []


def models(run: Run) -> list[str]:
    """Give the ids of the models that a run has as outputs."""
    return [each.model_id for each in run.outputs.model_outputs] if run.outputs else []


@dataclass
class Mirror:
    """One emulated account and the MLflow store that mirrors it.

    Passes are over training jobs alone, unless ``kinds`` are given.
    """

    account: EmulatedAccount
    database: Path
    empty_database: Path

    def beside(self) -> Mirror:
        """Make another empty store that mirrors the same account."""
        database = self.database.with_name(f"{self.database.stem}-2.db")
        shutil.copy(self.empty_database, database)
        return Mirror(self.account, database, self.empty_database)

    @property
    def uri(self) -> str:
        """Tracking URI of the store."""
        return f"sqlite:///{self.database}"

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client of the store."""
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def refuse_units(self) -> None:
        """Give the database a schema that the mirror does not know: MLflow's own calls write then.

        Points, and the watermark that vouches for them, are committed one after the other.
        """
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("ALTER TABLE metrics ADD COLUMN a_later_addition TEXT")

    def options(self, **options: Any) -> SyncOptions:
        """Give the options of a pass into this store."""
        return SyncOptions(**{**self._usual, **options})

    def sync(self, *names: str, **options: Any) -> SyncReport:
        """Run one pass; the account's calls are those of this pass afterwards."""
        self.account.reset_calls()
        return mlflow_smwatch.sync(*names, **{**self._usual, **options})

    @property
    def _usual(self) -> dict[str, Any]:
        return {"tracking_uri": self.uri, "kinds": ONLY_TRAINING_JOBS}

    def sync_to(self, horizon_ms: int, **options: Any) -> SyncReport:
        """Run a pass that reads a running job up to a moment (whole minutes).

        Settling is what holds points back, so a long one stands for an earlier present: a pass with
        it sees what a pass at that moment, plus half a minute, would have seen.
        """
        settle_s = (now_ms() - horizon_ms) // 1000 - 30
        return self.sync(settle_s=settle_s, **options)

    def experiments(self) -> list[Experiment]:
        """Give all experiments, deleted ones too."""
        return list(self.client.search_experiments(view_type=ViewType.ALL))

    def runs(self, name: str | None = None, view: int = ViewType.ALL) -> list[Run]:
        """Give all runs of a job (of all jobs), deleted ones too."""
        ids = [experiment.experiment_id for experiment in self.experiments()]
        condition = f"tags.`sagemaker.arn` = '{arn(name)}'" if name else ""
        return list(self.client.search_runs(ids, condition, view, max_results=10_000))

    def run(self, name: str) -> Run:
        """Give the one run of a job, read alone so that inputs and outputs are there."""
        (found,) = self.runs(name)
        return self.client.get_run(found.info.run_id)

    def points(self, run: str | Run) -> dict[str, Points]:
        """Give all points of a run (of a job's one run), by key, sorted; doubled ones twice."""
        found = self.run(run) if isinstance(run, str) else run
        client, run_id = self.client, found.info.run_id
        return {
            key: sorted(
                (each.timestamp, each.step, each.value)
                for each in client.get_metric_history(run_id, key)
            )
            for key in found.data.metrics
        }

    def series(self, run: str | Run, prefix: str = "") -> dict[str, Points]:
        """Give the points read from CloudWatch: all but the durations; only keys with a prefix."""
        return {
            key: points
            for key, points in self.points(run).items()
            if key.startswith(prefix) and not key.startswith("sagemaker/")
        }

    def watermark(self, name: str) -> Watermark:
        """Give the mirror's note on a job's run."""
        watermark = from_tags(self.run(name).data.tags)
        assert watermark is not None
        return watermark

    def is_final(self, name: str) -> bool:
        """Tell whether a run is final; its tag and its watermark must agree."""
        tagged = self.run(name).data.tags.get("smwatch.final") == "true"
        assert tagged == self.watermark(name).final
        return tagged

    def dump(self) -> str:
        """Digest the whole database."""
        digest = hashlib.sha256()
        with closing(sqlite3.connect(self.database)) as connection:
            for line in connection.iterdump():
                digest.update(line.encode())
        return digest.hexdigest()

    def content(self) -> dict[str, Any]:
        """Give all that the runs hold, by job, apart from ids and the times of notes."""
        return {run.data.tags["sagemaker.name"]: self._content(run) for run in self.runs()}

    def _content(self, run: Run) -> dict[str, Any]:
        found = self.client.get_run(run.info.run_id)
        watermark = from_tags(found.data.tags)
        assert watermark is not None
        noted = {"smwatch.state", "smwatch.synced_at"}
        return {
            "status": (found.info.status, found.info.start_time, found.info.end_time),
            "tags": {key: value for key, value in found.data.tags.items() if key not in noted},
            "watermark": replace(watermark, made_ms=0),
            "params": found.data.params,
            "points": self.points(found),
            "inputs": sorted(each.digest for each in datasets(found)),
            "models": len(models(found)),
        }

    def warnings(self, report: SyncReport) -> str:
        """Give all warnings of a report as one text."""
        return "\n".join(each.warning for each in report.warnings)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store as MLflow does; that takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedAccount]:
    """Serve an empty account in real time; the environment leads to it."""
    with EmulatedAccount() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        yield account


@pytest.fixture
def mirror(
    account: EmulatedAccount,
    empty_database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Mirror:
    """Pair the account with an empty store; artifacts lie beside the database."""
    database = tmp_path / "mlflow.db"
    shutil.copy(empty_database, database)
    monkeypatch.chdir(tmp_path)
    return Mirror(account, database, empty_database)
