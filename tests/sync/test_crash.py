from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import mlflow_smwatch
from tests.jobs import (
    HOUR_MS,
    Points,
    averages,
    billed,
    curve,
    job_answer,
    now_ms,
    put_loss,
    whole,
)
from tests.sync.conftest import Mirror, datasets, models

ROOT = Path(mlflow_smwatch.__file__).parents[1]
POINTS = 1300
LONGEST_S = 60.0


def put_jobs(mirror: Mirror, count: int) -> dict[str, Points]:
    """Put jobs with inputs, a model and more points than one batch holds; give their series."""
    created_ms = whole(now_ms()) - 30 * HOUR_MS
    expected = {}
    for number in range(count):
        name = f"job-{number}"
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://data/{number}/"}
        mirror.account.put_training_job(
            job_answer(
                name,
                created_ms=created_ms,
                ended_ms=created_ms + 25 * HOUR_MS,
                BillableTimeInSeconds=3600,
                HyperParameters={"number": str(number)},
                InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
                ModelArtifacts={"S3ModelArtifacts": f"s3://models/{number}/model.tar.gz"},
            )
        )
        samples = curve(created_ms, POINTS, first=float(number))
        put_loss(mirror.account, name, samples)
        expected[name] = averages(samples, created_ms)
    return expected


def written(database: Path) -> int:
    """Count what a pass leaves behind, run by run and point by point."""
    tables = ("runs", "params", "inputs", "logged_models", "metrics")
    try:
        with closing(sqlite3.connect(database, timeout=0.1)) as connection:
            return sum(
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - names above
                for table in tables
            )
    except sqlite3.OperationalError:
        return 0


def started(mirror: Mirror) -> subprocess.Popen[bytes]:
    """Start a pass in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "mlflow_smwatch", "sync", "--tracking-uri", mirror.uri],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=mirror.database.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def killed(mirror: Mirror, rows: int) -> bool:
    """Start a pass and kill it when it has written so many rows more; False if it ended first."""
    target = written(mirror.database) + rows
    with started(mirror) as process:
        deadline = time.monotonic() + LONGEST_S
        while process.poll() is None and time.monotonic() < deadline:
            if written(mirror.database) >= target:
                process.kill()
                process.wait()
                return True
    return False


def check_whole(mirror: Mirror, expected: dict[str, Points]) -> None:
    """Check that each job has one run with exactly its points and one model."""
    runs = mirror.runs()
    assert sorted(run.data.tags["sagemaker.name"] for run in runs) == sorted(expected)
    for name, points in expected.items():
        assert mirror.series(name) == {"loss": points}
        assert len(mirror.points(name)["sagemaker/billable_seconds"]) == 1
        run = mirror.run(name)
        assert run.data.params == {"number": name.removeprefix("job-")}
        assert len(datasets(run)) == 1
        assert len(models(run)) == 1
        assert run.info.status == "FINISHED"
        assert mirror.is_final(name)
        assert mirror.watermark(name).points == {"loss": POINTS, **dict.fromkeys(billed(0, 0), 1)}
    experiments = [each.experiment_id for each in mirror.experiments()]
    made = mirror.client.search_logged_models(experiments)
    assert len(made) == len(expected)
    assert {str(model.status) for model in made} == {"READY"}


def test_killed_in_the_middle_of_the_points(mirror: Mirror) -> None:
    """A pass killed between two batches is completed by the next: all points, once."""
    mirror.refuse_units()
    expected = put_jobs(mirror, 2)
    assert killed(mirror, rows=700)
    mirror.sync()
    check_whole(mirror, expected)
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_again_and_again(mirror: Mirror, seed: int) -> None:
    """Whenever passes are killed, the end is one run, one model and the right points a job."""
    mirror.refuse_units()
    chance = random.Random(seed)
    expected = put_jobs(mirror, 6)
    kills = [killed(mirror, chance.choice((1, 3, 9, 20, 900, 1500, 3000))) for _ in range(4)]
    assert sum(kills) >= 2
    mirror.sync()
    check_whole(mirror, expected)
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


@pytest.mark.slow
def test_two_mirrors_at_once_make_one_run_a_job(mirror: Mirror) -> None:
    """Also where both begin by making the database: one run, each point once."""
    expected = put_jobs(mirror, 6)
    mirror.database.unlink()
    passes = [started(mirror), started(mirror)]
    assert [process.wait(timeout=LONGEST_S) for process in passes] == [0, 0]
    runs = mirror.runs()
    assert sorted(run.data.tags["sagemaker.name"] for run in runs) == sorted(expected)
    for name, points in expected.items():
        assert mirror.series(name) == {"loss": points}
        assert len(mirror.points(name)["sagemaker/billable_seconds"]) == 1
        assert len(datasets(mirror.run(name))) == 1
        assert models(mirror.run(name))
        assert mirror.is_final(name)
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before
