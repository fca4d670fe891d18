"""``python -m benchmarks.store_writes URI RUNS``: writes a database both ways, in turns.

Prints one JSON document: seconds of each way to write the same, and whether the same was stored.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Param
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy import func, select, table

from mlflow_smwatch.core.points import MetricPoint
from mlflow_smwatch.core.record import DatasetRecord, ModelRecord
from mlflow_smwatch.tracking.dataset_inputs import dataset_input
from mlflow_smwatch.tracking.units import NewRun, RunChange

POINTS = 5000
POINTS_OF_RUN = 480
SERIES = 8
TAGS, PARAMS, INPUTS = 30, 20, 3
REPEATS = 5

_START_MS = 1_700_000_000_000
_APART_MS = 10_000_000
_DOCUMENT = json.dumps({"describe": "x" * 2000})
_MODEL = ModelRecord(name="model", uri="s3://bucket/model.tar.gz")


class Writes:
    """Writes through MLflow's own client, through this package's, and in units.

    Parameters
    ----------
    uri
        The database.
    runs
        How many runs a unit has.
    folder
        Where artifacts go.
    """

    def __init__(self, uri: str, runs: int, folder: Path) -> None:
        self.own = MlflowClient(uri)
        self.bulk = MlflowClient(f"smwatch+{uri}")
        self.store: Any = self.bulk._tracking_client.store  # noqa: SLF001 - as the mirror does
        self.runs = runs
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._made = 0
        self._folder = folder
        self.experiment_id = self.own.create_experiment("jobs", f"file://{self._folder}")

    def timed(self, name: str, write: Callable[[], object]) -> None:
        """Note how long a write takes."""
        gc.collect()
        began = time.perf_counter()
        write()
        self.seconds[name].append(time.perf_counter() - began)

    def points(self, count: int) -> list[MetricPoint]:
        """Make points of a job that began at a time of its own."""
        self._made += 1
        began = _START_MS + self._made * _APART_MS
        return [
            MetricPoint(
                original="",
                key=f"system/algo-1/metric_{n % SERIES}",
                value=0.1 + 0.37 * n,
                timestamp_ms=began + n // SERIES * 60_000,
                step=n // SERIES * 60,
            )
            for n in range(count)
        ]

    def new_run(self) -> str:
        """Make a run."""
        return str(self.own.create_run(self.experiment_id).info.run_id)

    def change(self, run_id: str, **more: Any) -> RunChange:
        """Return a change of a run."""
        return RunChange(arn=run_id, run_id=run_id, experiment_id=self.experiment_id, **more)

    def one_run(self) -> None:
        """Write many points of one run by each way, and once more."""
        for way in ("own", "client", "unit"):
            run_id, points = self.new_run(), self.points(POINTS)
            client = self.bulk if way == "client" else self.own
            metrics, change = metrics_of(points), [self.change(run_id, points=points)]
            for when in ("first", "resent"):
                name = f"{way}_{when}"
                if way == "unit":
                    self.timed(name, lambda: self.store.write_unit(change))  # noqa: B023 - at once
                else:
                    self.timed(name, lambda: client.log_batch(run_id, metrics))  # noqa: B023 - at once

    def many_runs(self) -> None:
        """Write the points of many runs, one after the other and as a unit."""
        own = [(self.new_run(), metrics_of(self.points(POINTS_OF_RUN))) for _ in range(self.runs)]
        self.timed("own_runs", lambda: [self.own.log_batch(*each) for each in own])
        unit = [
            self.change(self.new_run(), points=self.points(POINTS_OF_RUN)) for _ in range(self.runs)
        ]
        self.timed("unit_runs", lambda: self.store.write_unit(unit))

    def jobs(self) -> None:
        """Write what stands beside the points of many jobs."""
        self.timed("own_jobs", self._own_jobs)
        self.timed("unit_jobs", self._unit_of_jobs)

    def _own_jobs(self) -> None:
        for number in range(self.runs):
            self._own_job(number)

    def _own_job(self, number: int) -> None:
        run = self.own.create_run(self.experiment_id, 1, tags_of(number), f"job-{number}")
        run_id = run.info.run_id
        self.own.log_batch(run_id, params=[Param(*each) for each in params_of().items()])
        self.own.log_inputs(run_id, [dataset_input(each) for each in datasets_of()])
        uri = {"sagemaker.model_artifact": _MODEL.uri}
        model = self.own.create_logged_model(
            self.experiment_id, _MODEL.name, run_id, {**uri, "sagemaker.arn": run_id}, uri
        )
        self.own.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        self.own.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        self.own.set_terminated(run_id, "FINISHED", 2)
        self.own.log_text(run_id, _DOCUMENT, "sagemaker/job.json")

    def _unit_of_jobs(self) -> None:
        new = [
            NewRun(
                experiment_id=self.experiment_id,
                name=f"job-{number}",
                start_ms=1,
                tags=tags_of(number),
            )
            for number in range(self.runs)
        ]
        run_ids = self.store.create_runs(new)
        self.store.write_unit(
            [
                self.change(
                    run_id,
                    status="FINISHED",
                    end_ms=2,
                    params=params_of(),
                    datasets=datasets_of(),
                    model=_MODEL,
                )
                for run_id in run_ids
            ]
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "job.json")
            path.write_text(_DOCUMENT, encoding="utf-8")
            for run_id in run_ids:
                place = f"file://{self._folder}/{run_id}/artifacts"
                get_artifact_repository(place).log_artifact(str(path), "sagemaker")  # type: ignore[no-untyped-call]

    def stored(self) -> bool:
        """Whether all runs hold what was written: points, params, inputs and outputs."""
        rounds = len(self.seconds["own_runs"])
        wanted = {
            "metrics": rounds * (3 * POINTS + 2 * self.runs * POINTS_OF_RUN),
            "latest_metrics": rounds * (3 + 2 * self.runs) * SERIES,
            "params": rounds * 2 * self.runs * PARAMS,
            "inputs": rounds * 2 * self.runs * (INPUTS + 1),
            "datasets": INPUTS,
            "logged_models": rounds * 2 * self.runs,
        }
        with self.store.engine.connect() as connection:
            return all(
                connection.execute(select(func.count()).select_from(table(name))).scalar() == count
                for name, count in wanted.items()
            )


def metrics_of(points: Sequence[MetricPoint]) -> list[Metric]:
    """Return points as MLflow's."""
    return [Metric(each.key, each.value, each.timestamp_ms, each.step) for each in points]


def tags_of(number: int) -> dict[str, str]:
    """Return the tags of a job."""
    return {f"sagemaker.fact_{n}": f"value {n} of job {number} " * 2 for n in range(TAGS)}


def params_of() -> dict[str, str]:
    """Return the params of a job."""
    return {f"param_{n}": str(n / 7) for n in range(PARAMS)}


def datasets_of() -> list[DatasetRecord]:
    """Return the inputs of a job; others share them."""
    return [
        DatasetRecord(
            name=f"channel-{n}", uri=f"s3://bucket/{n}", digest=f"{n:016}", context=f"channel-{n}"
        )
        for n in range(INPUTS)
    ]


def main() -> None:
    """Write in turns, once without a look at the clock."""
    logging.disable(logging.WARNING)
    writes = Writes(sys.argv[1], int(sys.argv[2]), Path.cwd() / "artifacts")
    for _ in range(REPEATS + 1):
        writes.one_run()
        writes.many_runs()
        writes.jobs()
    seconds = {name: median(all_of[1:]) for name, all_of in writes.seconds.items()}
    print(json.dumps({"seconds": seconds, "stored": writes.stored()}))


if __name__ == "__main__":
    main()
