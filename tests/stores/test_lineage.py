from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

import mlflow_smwatch
from mlflow_smwatch.core.lineage import Edge, Lineage, Node, reads, writes
from mlflow_smwatch.core.lineage_tags import to_tags
from mlflow_smwatch.tracking.lineage import forget, read_lineage
from mlflow_smwatch.tracking.store import open_tracking

ARNS = "arn:aws:sagemaker:us-east-1:123456789012"
COMPONENT = "experiment-trial-component"
SYNCED = "2026-01-31T12:00:00.000Z"


def put_run(client: MlflowClient, number: int, synced_at: str = SYNCED) -> str:
    """Make the run of a job that reads what the one before it wrote."""
    job, component = (f"{ARNS}:{each}/x-{number}" for each in ("training-job", COMPONENT))
    before, own = (f"s3://bucket/x/{each}" for each in (number - 1, number))
    lineage = reads(job, Node(id=before, kind="data")) + writes(job, Node(id=own, kind="data"))
    tags = {
        "sagemaker.arn": job,
        "sagemaker.kind": "training-job",
        "sagemaker.created": SYNCED,
        "sagemaker.trial_component_arn": component,
        "smwatch.version": "1",
        "smwatch.synced_at": synced_at,
        **to_tags(lineage),
    }
    return str(client.create_run("0", tags=tags).info.run_id)


def put_associations(client: MlflowClient) -> None:
    """Make a run that holds an association, in tags with numbers of its own."""
    edge = Edge(source="s3://bucket/x/2", target="y", type="SameAs", origin="association")
    (value,) = to_tags(Lineage(edges=(edge,))).values()
    tags = {"smwatch.associations": "2026-01", "smwatch.lineage.123456789": value}
    client.create_run("0", tags=tags)


def check(uri: str) -> None:
    """Ask, write, and ask again: whatever the store is, the answers are the same."""
    open_tracking(uri)
    client = MlflowClient(tracking_uri=uri)
    first = put_run(client, 1)
    put_run(client, 2)
    put_associations(client)
    client.create_run("0", tags={"smwatch.lineage_of_somebody": "else"})
    asked = mlflow_smwatch.lineage(f"{ARNS}:{COMPONENT}/x-2", tracking_uri=uri)
    chain = ["s3://bucket/x/0", f"{ARNS}:training-job/x-1", "s3://bucket/x/1"]
    chain += [f"{ARNS}:training-job/x-2", "s3://bucket/x/2", "y"]
    everything = mlflow_smwatch.lineage("s3://bucket/x/0", tracking_uri=uri)
    assert asked.root == f"{ARNS}:training-job/x-2"
    assert [node.id for node in everything.nodes] == chain
    assert {node.run_id for node in everything.runs()} >= {first}
    tracking = open_tracking(uri)
    known = read_lineage(tracking)
    assert read_lineage(tracking) is known
    third = put_run(client, 3, synced_at="2026-01-31T12:00:01.000Z")
    if uri.startswith("http"):
        assert read_lineage(tracking) is known
        forget(uri)
    assert "s3://bucket/x/3" in {
        node.id for node in mlflow_smwatch.lineage(third, tracking_uri=uri).nodes
    }
    client.delete_run(third)
    if uri.startswith("http"):
        forget(uri)
    after = mlflow_smwatch.lineage(tracking_uri=uri)
    assert "s3://bucket/x/3" not in {node.id for node in after.nodes}


def test_lineage_from_sqlite(tmp_path: Path) -> None:
    """Read by one query; what another program writes or deletes is seen at once."""
    check(f"sqlite:///{tmp_path}/mlflow.db")


@pytest.mark.slow
def test_lineage_over_rest(mlflow_server: str) -> None:
    """Read run by run, and for a minute from memory."""
    check(mlflow_server)


@pytest.mark.postgresql
def test_lineage_from_postgresql(postgresql: str) -> None:
    """As from SQLite."""
    check(f"postgresql://{postgresql}")
