"""SageMaker's lineage entities → nodes: what an artifact, a context or a component stands for.

Enters: answers of ``ListArtifacts``, ``DescribeContext``, ``DescribeTrialComponent`` and the like,
redacted.
Leaves: nodes under the id that jobs' inputs and outputs have too; the entity's ARN is an alias.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import kind_of
from mlflow_smwatch.core.lineage import Lineage, Node, reads, writes

Answer = Mapping[str, Any]

ARTIFACT_KINDS = {
    "DataSet": "data",
    "Model": "model-data",
    "Image": "image",
    "Checkpoint": "checkpoint",
    "Code": "code",
}
"""ArtifactType → kind ("Amazon SageMaker–Created Tracking Entities"); any other is ``data``."""

VERTICES = frozenset({"artifact", "context", "action", "experiment", "experiment-trial-component"})
"""Resource types that an association may have at its ends (``ListAssociations``)."""

_IMAGE = re.compile(r"(?:\d{12}\.dkr[.-]ecr[.-][\w.-]+|public\.ecr\.aws)/\S+")
_STANDS_FOR = frozenset({"endpoint", "model-package-group"})


def is_vertex(text: str) -> bool:
    """Whether a text is the ARN of something that ``ListAssociations`` knows."""
    arn = _parsed(text)
    return arn is not None and arn.service == "sagemaker" and arn.resource_type in VERTICES


def is_image(text: str) -> bool:
    """Whether a text is the URI of a container image in Amazon ECR."""
    return _IMAGE.fullmatch(text) is not None


def artifact_node(answer: Answer) -> Node:
    """Make the node of an artifact (``ListArtifacts``, ``DescribeArtifact``).

    Parameters
    ----------
    answer
        A summary or a description.

    Returns
    -------
    Node
        Under its S3 URI, image URI or the SageMaker ARN that it stands for, its own ARN as alias;
        else under its own ARN, named after what it stands for.
    """
    arn, name = str(answer["ArtifactArn"]), _text(answer.get("ArtifactName"))
    uri = _source_uri(answer)
    kind = ARTIFACT_KINDS.get(answer.get("ArtifactType") or "", "data")
    if uri.startswith("s3://") or is_image(uri):
        return Node(id=uri, kind=kind, name=name, aliases=(arn,))
    source = _parsed(uri)
    if source is not None and source.service == "sagemaker":
        return Node(id=uri, kind=_kind(source), name=name, aliases=(arn,))
    return Node(id=arn, kind=kind, name=name or uri or None)


def context_node(answer: Answer) -> Node:
    """Make the node of a context (``ListContexts``, ``DescribeContext``).

    Parameters
    ----------
    answer
        A summary or a description.

    Returns
    -------
    Node
        Under the ARN of the endpoint or model package group that it stands for, its own ARN as
        alias; else under its own ARN.
    """
    arn, name = str(answer["ContextArn"]), _text(answer.get("ContextName"))
    source = _parsed(_source_uri(answer))
    if source is not None and source.resource_type in _STANDS_FOR:
        return Node(id=str(source), kind=_kind(source), name=source.resource_name, aliases=(arn,))
    return Node(id=arn, kind="context", name=name)


def bare_node(arn: str, entity_type: str | None, name: str | None) -> Node:
    """Make a node of what an association tells of its end (``ListAssociations``).

    Parameters
    ----------
    arn
        ARN of the end.
    entity_type, name
        SourceType and SourceName, or DestinationType and DestinationName.
    """
    parsed = Arn.parse(arn)
    kind = ARTIFACT_KINDS.get(entity_type or "", "data")
    return Node(
        id=arn,
        kind=kind if parsed.resource_type == "artifact" else _kind(parsed),
        name=_text(name) or (None if parsed.resource_type == "artifact" else parsed.resource_name),
    )


def says_more(node: Node) -> bool:
    """Whether a node tells more than its ARN does."""
    arn = _parsed(node.id)
    return (
        arn is None
        or bool(node.aliases)
        or (node.kind, node.name)
        != (
            _kind(arn),
            arn.resource_name,
        )
    )


def component_lineage(answer: Answer) -> Lineage:
    """Read the job of a trial component, and what went in and out (``DescribeTrialComponent``).

    Parameters
    ----------
    answer
        A description.

    Returns
    -------
    Lineage
        With the node of the job, the component's ARN as alias; of a component that is no job's,
        its own.
    """
    component, name = str(answer["TrialComponentArn"]), _text(answer.get("TrialComponentName"))
    source = _parsed((answer.get("Source") or {}).get("SourceArn") or "")
    if source is None:
        node = Node(id=component, kind="trial-component", name=name)
    else:
        node = Node(
            id=str(source), kind=_kind(source), name=source.resource_name, aliases=(component,)
        )
    found = Lineage(nodes=(node,))
    for key, join in (("InputArtifacts", reads), ("OutputArtifacts", writes)):
        for label, value in (answer.get(key) or {}).items():
            uri = str(value.get("Value") or "")
            if uri.startswith("s3://") or is_image(uri):
                found += join(node.id, Node(id=uri, kind=_artifact_kind(label, uri)))
    return found


def _artifact_kind(label: str, uri: str) -> str:
    """Tell the kind of an entry of a component that SageMaker made: ``SageMaker.ModelArtifact``."""
    if not uri.startswith("s3://"):
        return "image"
    return "model-data" if "ModelArtifact" in label else "data"


def _source_uri(answer: Answer) -> str:
    return str((answer.get("Source") or {}).get("SourceUri") or "")


def _kind(arn: Arn) -> str:
    kind = kind_of(arn)
    return kind.word if kind else arn.resource_type


def _parsed(text: str) -> Arn | None:
    try:
        return Arn.parse(text)
    except UsageError:
        return None


def _text(value: str | None) -> str | None:
    return value or None
