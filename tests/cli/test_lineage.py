from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import mlflow_smwatch
from mlflow_smwatch.core.lineage import Lineage, Node, reads, writes
from mlflow_smwatch.core.lineage_tags import to_tags
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.cli.conftest import Smwatch
from tests.cli.shapes import TEXT_OR_NONE, misfits

ARNS = "arn:aws:sagemaker:us-east-1:123456789012"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1"
NODE = {"id": str, "kind": str, "name": TEXT_OR_NONE, "run_id": TEXT_OR_NONE, "aliases": [str]}
GRAPH: dict[Any, Any] = {
    "root": str,
    "nodes": [NODE],
    "edges": [{"source": str, "target": str, "type": str, "origin": str}],
}


def put_run(client: MlflowClient, kind: str, name: str, lineage: Lineage) -> str:
    """Make a run as the mirror does."""
    tags = {
        "sagemaker.arn": f"{ARNS}:{kind}/{name}",
        "sagemaker.kind": kind,
        "sagemaker.name": name,
        "smwatch.version": "1",
        **to_tags(lineage),
    }
    return str(client.create_run("0", run_name=name, tags=tags).info.run_id)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """Give a store with a processing job, two trainings on its data, and two jobs of one name."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('lineage')}/mlflow.db"
    client = MlflowClient(tracking_uri=uri)
    clean, *trainings = (
        f"{ARNS}:{each}" for each in ("processing-job/clean", "training-job/a", "training-job/b")
    )
    pieces = {
        "clean": (
            reads(clean, Node(id="s3://bucket/raw/", kind="data")),
            writes(clean, Node(id="s3://bucket/clean/", kind="data")),
        ),
        "a": (
            reads(trainings[0], Node(id="s3://bucket/clean/", kind="data")),
            reads(trainings[0], Node(id=IMAGE, kind="image")),
            writes(trainings[0], Node(id="s3://bucket/a/model.tar.gz", kind="model-data")),
        ),
        "b": (
            reads(trainings[1], Node(id="s3://bucket/clean/part-1/", kind="data")),
            reads(trainings[1], Node(id="s3://bucket/code.tar.gz", kind="code")),
        ),
    }
    kinds = {"clean": "processing-job", "a": "training-job", "b": "training-job"}
    runs = {
        name: put_run(client, kinds[name], name, sum(each, Lineage()))
        for name, each in pieces.items()
    }
    for kind in ("training-job", "transform-job"):
        runs[kind] = put_run(client, kind, "twice", Lineage())
    return uri, runs


def ids(document: dict[str, Any]) -> set[str]:
    return {each["id"] for each in document["nodes"]}


def test_json_from_mlflow_alone(smwatch: Smwatch, store: tuple[str, dict[str, str]]) -> None:
    """Data, image and job that made a model, without any AWS; a run id or an ARN does as well."""
    uri, runs = store
    asked = ("lineage", "a", "--json", "--tracking-uri", uri)
    shown = smwatch(*asked, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (shown.code, shown.err) == (0, "")
    assert not misfits(shown.document, GRAPH)
    assert shown.document["root"] == f"{ARNS}:training-job/a"
    assert ids(shown.document) == {
        f"{ARNS}:training-job/a",
        f"{ARNS}:processing-job/clean",
        "s3://bucket/raw/",
        "s3://bucket/clean/",
        IMAGE,
        "s3://bucket/a/model.tar.gz",
    }
    for same in (runs["a"], f"{ARNS}:training-job/a"):
        assert mlflow_smwatch.lineage(same, tracking_uri=uri).to_json() == shown.document


@pytest.mark.slow
def test_what_came_from_data(smwatch: Smwatch, store: tuple[str, dict[str, str]]) -> None:
    """Both trainings, one of which read only a part of it; no more steps than are wanted."""
    asked = ("lineage", "s3://bucket/raw/", "--format", "json", "--tracking-uri", store[0])
    made = smwatch(*asked, "--direction", "downstream").document
    assert {f"{ARNS}:training-job/a", f"{ARNS}:training-job/b"} <= ids(made)
    assert IMAGE not in ids(made)
    near = smwatch(*asked, "--depth", "1").document
    assert ids(near) == {"s3://bucket/raw/", f"{ARNS}:processing-job/clean"}


def test_a_tree_by_default(smwatch: Smwatch, store: tuple[str, dict[str, str]]) -> None:
    """Lines for a terminal, sources above the root and what was made of it below."""
    lines = smwatch("lineage", "a", "--tracking-uri", store[0]).out.splitlines()
    (root,) = [number for number, line in enumerate(lines) if line.startswith("training-job")]
    above, below = "\n".join(lines[:root]), "\n".join(lines[root:])
    assert all(each in above for each in ("s3://bucket/raw/", IMAGE, "processing-job"))
    assert "s3://bucket/a/model.tar.gz" in below


def test_other_formats(smwatch: Smwatch, store: tuple[str, dict[str, str]]) -> None:
    """Text for other tools, alone on stdout."""
    shown = smwatch("lineage", "a", "--format", "dot", "--tracking-uri", store[0])
    assert shown.out.startswith("digraph")
    assert "model.tar.gz" in shown.out
    assert mlflow_smwatch.lineage("a", tracking_uri=store[0]).to_dot() == shown.out


def test_a_page_in_a_file(
    smwatch: Smwatch, store: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    """One page that links each run, and an empty stdout."""
    uri, runs = store
    arguments = ("lineage", "a", "--format", "html", "--output", "page.html")
    shown = smwatch(*arguments, "--tracking-uri", uri, "--ui-url", "https://mlflow.example")
    assert (shown.code, shown.out, shown.err) == (0, "", "")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    HTMLParser().feed(page)
    for name in ("a", "clean"):
        assert f"https://mlflow.example/#/experiments/0/runs/{runs[name]}" in page


@pytest.mark.slow
def test_what_differs(smwatch: Smwatch, store: tuple[str, dict[str, str]]) -> None:
    """What only one of two models came from, and what both did, as text and as JSON."""
    asked = ("lineage", "a", "--diff", "b", "--tracking-uri", store[0])
    document = smwatch(*asked, "--json").document
    assert not misfits(
        document, {"a": str, "b": str, "only_a": [NODE], "only_b": [NODE], "both": [NODE]}
    )
    only = {part: {each["id"] for each in document[part]} for part in ("only_a", "only_b", "both")}
    assert only["only_a"] == {IMAGE}
    assert "s3://bucket/code.tar.gz" in only["only_b"]
    assert {"s3://bucket/raw/", f"{ARNS}:processing-job/clean"} <= only["both"]
    lines = smwatch(*asked).out.splitlines()
    assert lines[0] == "only a: 1"
    assert lines[1] == f"  image  train:1  {IMAGE}"
    refused = smwatch(*asked, "--format", "dot")
    assert (refused.code, refused.out) == (2, "")
    assert "--diff gives --format tree or json" in refused.message


def test_a_name_of_several(smwatch: Smwatch, store: tuple[str, dict[str, str]]) -> None:
    """All of them are shown, and named on stderr."""
    shown = smwatch("lineage", "twice", "--json", "--tracking-uri", store[0])
    assert ids(shown.document) == {f"{ARNS}:training-job/twice", f"{ARNS}:transform-job/twice"}
    assert "twice stands for 2 things, all are shown" in shown.err


def test_what_is_not_known(smwatch: Smwatch, store: tuple[str, dict[str, str]]) -> None:
    """One line, exit code 1; with --json a document too."""
    shown = smwatch("lineage", "nothing", "--json", "--tracking-uri", store[0])
    assert shown.code == 1
    assert "nothing is in the lineage of no mirrored job" in shown.message
    assert shown.document == {"error": shown.message}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["a", "--depth", "0"], 2, "--depth"),
        (["a", "--format", "pdf"], 2, "--format"),
        (["a", "--output", "no/such/folder.html"], 2, "No such file or directory"),
        (["a", "--tracking-uri", "sqlite:///missing.db"], 3, "no such database"),
    ],
)
def test_wrong_usage(
    smwatch: Smwatch,
    store: tuple[str, dict[str, str]],
    arguments: list[str],
    code: int,
    part: str,
) -> None:
    """One line that says what is wrong."""
    shown = smwatch("lineage", "--tracking-uri", store[0], *arguments)
    assert (shown.code, shown.out) == (code, "")
    assert part in shown.message


@pytest.mark.slow
def test_asking_aws(smwatch: Smwatch, account: EmulatedAccount) -> None:
    """--source aws needs no MLflow, and says so where SageMaker recorded nothing."""
    data = account.lineage.put_artifact("s3://bucket/aws/")
    component = account.experiments.put_trial_component({"TrialComponentName": "by-hand"})
    account.lineage.associate(data, component)
    shown = smwatch("lineage", "by-hand", "--source", "aws", "--json")
    assert (shown.code, shown.err) == (0, "")
    assert ids(shown.document) == {"s3://bucket/aws/", component}
    missing = smwatch("lineage", "nothing", "--source", "aws")
    assert (missing.code, missing.out) == (1, "")
    assert "SageMaker has recorded no lineage of nothing in us-east-1" in missing.message
