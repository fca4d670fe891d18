"""Fills an MLflow database with the lineage of many jobs, in rows as the mirror makes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient

from mlflow_smwatch.core.lineage import Lineage, Node, reads, writes
from mlflow_smwatch.core.lineage_tags import to_tags

EDGES_PER_RUN = 10
FAMILY = 50
"""So many jobs in a row read each other's models."""

_ARNS = "arn:aws:sagemaker:us-east-1:123456789012"
_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training"
_BUCKET = "s3://sagemaker-us-east-1-123456789012"
_SYNCED = "2026-01-31T12:00:00.000Z"


def name_of(number: int) -> str:
    """Name a job."""
    return f"pytorch-training-2026-01-31-{number:06}"


def lineage_of(number: int) -> Lineage:
    """Give the ten edges of a job: it reads eight things and writes two."""
    job = f"{_ARNS}:training-job/{name_of(number)}"
    read = [
        Node(id=f"{_IMAGE}:{number % 20}", kind="image"),
        Node(id=f"{_BUCKET}/{name_of(number)}/source/sourcedir.tar.gz", kind="code"),
        *(Node(id=f"{_BUCKET}/features/{number // FAMILY}/{n}/", kind="data") for n in range(5)),
        Node(id=_model(number - 1) if number % FAMILY else f"{_BUCKET}/base/", kind="model-data"),
    ]
    written = [
        Node(id=_model(number), kind="model-data"),
        Node(id=f"{_BUCKET}/checkpoints/{name_of(number)}/", kind="checkpoint"),
    ]
    pieces = [*(reads(job, each) for each in read), *(writes(job, each) for each in written)]
    return sum(pieces, Lineage())


def fill(path: Path, runs: int) -> None:
    """Make a database with that many runs of one experiment.

    Parameters
    ----------
    path
        Of the new SQLite file.
    runs
        How many; each is a copy of one that MLflow itself made, with tags of its own.
    """
    client = MlflowClient(tracking_uri=f"sqlite:///{path}")
    experiment_id = client.create_experiment("sagemaker/training-jobs")
    template = client.create_run(experiment_id).info.run_id
    with closing(sqlite3.connect(path)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
        query = f"SELECT {', '.join(names)} FROM runs WHERE run_uuid = ?"  # noqa: S608 - MLflow's own names
        row = dict(zip(names, connection.execute(query, [template]).fetchone(), strict=True))
        marks = ", ".join(f":{name}" for name in names)
        connection.executemany(
            f"INSERT INTO runs ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 - as above
            ({**row, "run_uuid": _run_id(n), "name": name_of(n)} for n in range(runs)),
        )
        connection.executemany(
            "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)",
            ((_run_id(n), key, value) for n in range(runs) for key, value in _tags(n)),
        )
        connection.executemany(
            "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)",
            ((_run_id(n), f"param-{each}", "0.1") for n in range(runs) for each in range(10)),
        )
    client.delete_run(template)


def _tags(number: int) -> Iterator[tuple[str, str]]:
    name = name_of(number)
    yield from {
        "mlflow.runName": name,
        "sagemaker.arn": f"{_ARNS}:training-job/{name}",
        "sagemaker.kind": "training-job",
        "sagemaker.name": name,
        "sagemaker.created": _SYNCED,
        "sagemaker.trial_component_arn": (
            f"{_ARNS}:experiment-trial-component/{name}-aws-training-job"
        ),
        "sagemaker.image": f"{_IMAGE}:{number % 20}",
        "sagemaker.output": f"{_BUCKET}/output/",
        "sagemaker.model_artifact": _model(number),
        "smwatch.version": "1",
        "smwatch.synced_at": _SYNCED,
        "smwatch.final": "true",
        **to_tags(lineage_of(number)),
    }.items()


def _model(number: int) -> str:
    return f"{_BUCKET}/output/{name_of(number)}/output/model.tar.gz"


def _run_id(number: int) -> str:
    return f"{number:032x}"
