from __future__ import annotations

from typing import Any

import pytest

from mlflow_smwatch.core.entities import (
    artifact_node,
    bare_node,
    component_lineage,
    context_node,
    is_image,
    is_vertex,
    says_more,
)
from mlflow_smwatch.core.lineage import Edge, Node

ARNS = "arn:aws:sagemaker:us-east-1:123456789012"
ARTIFACT = f"{ARNS}:artifact/0123456789abcdef"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1"


@pytest.mark.parametrize(
    ("uri", "kind", "id_", "word"),
    [
        ("s3://bucket/train/", "DataSet", "s3://bucket/train/", "data"),
        ("s3://bucket/model.tar.gz", "Model", "s3://bucket/model.tar.gz", "model-data"),
        ("s3://bucket/ckpt", "Checkpoint", "s3://bucket/ckpt", "checkpoint"),
        ("s3://bucket/code.tar.gz", "Code", "s3://bucket/code.tar.gz", "code"),
        (IMAGE, "Image", IMAGE, "image"),
        ("s3://bucket/x", None, "s3://bucket/x", "data"),
        (f"{ARNS}:model-package/m/1", "Model", f"{ARNS}:model-package/m/1", "model-package"),
    ],
)
def test_artifacts_go_by_what_they_stand_for(
    uri: str, kind: str | None, id_: str, word: str
) -> None:
    """S3 URIs as AWS has them, images, and ARNs; the artifact's own ARN finds them too."""
    answer = {"ArtifactArn": ARTIFACT, "Source": {"SourceUri": uri}, "ArtifactType": kind}
    assert artifact_node(answer) == Node(id=id_, kind=word, aliases=(ARTIFACT,))


def test_other_artifacts_keep_their_arn() -> None:
    """They are named after themselves, else after their source, which may be a URL."""
    url = "https://example.com/x?version=1"
    answer: dict[str, Any] = {"ArtifactArn": ARTIFACT, "Source": {"SourceUri": url}}
    node = artifact_node(answer)
    assert (node.id, node.kind, node.aliases) == (ARTIFACT, "data", ())
    assert node.name == url
    assert artifact_node({**answer, "ArtifactName": "report"}).name == "report"
    assert artifact_node({"ArtifactArn": ARTIFACT}).name is None


@pytest.mark.parametrize("word", ["endpoint", "model-package-group"])
def test_contexts_of_endpoints_and_groups(word: str) -> None:
    """The context of an endpoint or a model package group is that; any other is itself."""
    arn, uri = f"{ARNS}:context/c", f"{ARNS}:{word}/serving"
    answer = {"ContextArn": arn, "ContextName": "c", "Source": {"SourceUri": uri}}
    assert context_node(answer) == Node(id=uri, kind=word, name="serving", aliases=(arn,))
    other = {**answer, "Source": {"SourceUri": f"{ARNS}:project/p"}}
    assert context_node(other) == Node(id=arn, kind="context", name="c")


@pytest.mark.parametrize(
    ("resource", "entity_type", "kind"),
    [
        ("experiment-trial-component/c", "SageMakerTrainingJob", "trial-component"),
        ("action/c", "ModelDeployment", "action"),
        ("context/c", "Endpoint", "context"),
        ("experiment/c", None, "experiment"),
    ],
)
def test_ends_of_associations(resource: str, entity_type: str | None, kind: str) -> None:
    """The ARN tells kind and name; a node that says no more need not be stored."""
    node = bare_node(f"{ARNS}:{resource}", entity_type, None)
    assert (node.kind, node.name, node.aliases) == (kind, "c", ())
    assert not says_more(node)
    assert says_more(bare_node(f"{ARNS}:{resource}", entity_type, "C"))


def test_an_artifact_that_cannot_be_read_has_the_kind_of_its_type() -> None:
    """Where artifacts are denied, the association still tells what it is."""
    assert bare_node(ARTIFACT, "Model", None) == Node(id=ARTIFACT, kind="model-data")
    assert says_more(bare_node(ARTIFACT, "Model", None))


def test_the_component_of_a_job() -> None:
    """The job is the node, its component an alias; what is no place in S3 and no image is none."""
    job, component = f"{ARNS}:training-job/j", f"{ARNS}:experiment-trial-component/j-x"
    found = component_lineage(
        {
            "TrialComponentArn": component,
            "TrialComponentName": "j-x",
            "Source": {"SourceArn": job},
            "InputArtifacts": {
                "train": {"Value": "s3://bucket/train"},
                "SageMaker.ImageUri": {"Value": IMAGE},
                "note": {"Value": "by hand"},
            },
            "OutputArtifacts": {"SageMaker.ModelArtifact": {"Value": "s3://bucket/m.tar.gz"}},
        }
    )
    assert found.nodes == (
        Node(id=job, kind="training-job", name="j", aliases=(component,)),
        Node(id="s3://bucket/train", kind="data"),
        Node(id=IMAGE, kind="image"),
        Node(id="s3://bucket/m.tar.gz", kind="model-data"),
    )
    assert found.edges == (
        Edge(source="s3://bucket/train", target=job, type="ContributedTo", origin="io"),
        Edge(source=IMAGE, target=job, type="ContributedTo", origin="io"),
        Edge(source=job, target="s3://bucket/m.tar.gz", type="Produced", origin="io"),
    )


def test_a_component_that_is_no_jobs() -> None:
    """It stands for itself, under the name as it is written."""
    component = f"{ARNS}:experiment-trial-component/by-hand"
    found = component_lineage({"TrialComponentArn": component, "TrialComponentName": "By-Hand"})
    assert found.nodes == (Node(id=component, kind="trial-component", name="By-Hand"),)


def test_what_associations_know() -> None:
    """Jobs and model packages are no vertices; images are told from names by their registry."""
    assert is_vertex(ARTIFACT)
    assert not is_vertex(f"{ARNS}:training-job/j")
    assert not is_vertex("artifact/x")
    assert is_image(IMAGE)
    assert is_image("public.ecr.aws/a/b:1")
    assert not is_image("train:1")
