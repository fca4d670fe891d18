"""From what a user names to the nodes of SageMaker's own lineage, and from those to jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlflow_smwatch.aws.associations import PAGE_SIZE
from mlflow_smwatch.aws.entities import EntityReader
from mlflow_smwatch.aws.operations import DESCRIBE_TRIAL_COMPONENT, LIST_TRIAL_COMPONENTS
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.entities import bare_node, component_lineage, is_image, is_vertex
from mlflow_smwatch.core.errors import JobError, UnknownJobError
from mlflow_smwatch.core.job_kinds import (
    ENDPOINT,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TRIAL_COMPONENT,
)
from mlflow_smwatch.core.lineage import Lineage, Node

_WITH_COMPONENTS = frozenset(
    kind.resource_type for kind in (TRAINING_JOB, PROCESSING_JOB, TRANSFORM_JOB)
)
_NAMED = (
    *sorted(_WITH_COMPONENTS),
    TRIAL_COMPONENT.resource_type,
    ENDPOINT.resource_type,
    "model-package",
    "model-package-group",
)
"""Resource types whose names a user may give instead of an ARN."""


def find_vertices(aws: Aws, entities: EntityReader, text: str) -> tuple[Node, ...]:
    """Find what a user names in SageMaker's lineage.

    A job's ARN is no vertex: its trial component is (``ListTrialComponents`` by ``SourceArn``).
    Endpoints, model packages, S3 and image URIs are what artifacts and contexts stand for.

    Parameters
    ----------
    aws
        Account and Region.
    entities
        Finds artifacts and contexts.
    text
        ARN, S3 URI, image URI or name.

    Returns
    -------
    tuple of Node
        The ARN of a vertex is the id or an alias of each; empty where SageMaker has recorded
        nothing.

    Raises
    ------
    UsageError
        When an ARN cannot be understood.
    JobError
        When the ARN lies in another Region.
    AccessDeniedError, RetriableError
        When an operation is denied or keeps failing.
    """
    if is_arn(text):
        return _by_arn(aws, entities, Arn.parse(text))
    if text.startswith("s3://") or is_image(text):
        return entities.sources(text)
    if "/" in text or not text:
        return ()
    partition = aws.session.get_partition_for_region(aws.region)
    found: list[Node] = []
    for resource_type in _NAMED:
        named = Arn(
            partition=partition,
            service="sagemaker",
            region=aws.region,
            account=aws.account,
            resource=f"{resource_type}/{text}",
        )
        found += _by_arn(aws, entities, named, certain=False)
    return tuple(found)


def describe_component(aws: Aws, name: str) -> Lineage:
    """Read a trial component's job, and what it says of inputs and outputs.

    Parameters
    ----------
    aws
        Account and Region.
    name
        ARN or name of the component. SageMaker writes some names into ARNs in small letters, so
        none can be cut out of them.

    Returns
    -------
    Lineage
        Empty for a component that was deleted.

    Raises
    ------
    AccessDeniedError, RetriableError
        When ``DescribeTrialComponent`` is denied or keeps failing.
    """
    request = {"TrialComponentName": name}
    describe = aws.sagemaker.describe_trial_component
    try:
        answer = ask(DESCRIBE_TRIAL_COMPONENT, describe, request, "TrialComponentArn")
    except UnknownJobError:
        return Lineage()
    return component_lineage(aws.redaction.answer(answer))


def _by_arn(
    aws: Aws, entities: EntityReader, arn: Arn, *, certain: bool = True
) -> tuple[Node, ...]:
    """Find what an ARN stands for; one that is only guessed may be nothing's."""
    if arn.region != aws.region:
        message = f"{arn} lies in {arn.region}, not in {aws.region}: --region {arn.region}"
        raise JobError(message)
    text = str(arn)
    if is_vertex(text):
        if certain:
            return (bare_node(text, None, None),)
        return describe_component(aws, arn.resource_name).nodes[:1]
    if arn.resource_type in _WITH_COMPONENTS:
        return _job(aws, text)
    return entities.sources(text)


def _job(aws: Aws, arn: str) -> tuple[Node, ...]:
    """Find a job's components; its id is the ARN as SageMaker writes it, not as it was typed."""
    for spelling in dict.fromkeys((arn, arn.lower())):
        found = {each["TrialComponentArn"]: each for each in _components(aws, spelling)}
        for each in found.values():
            source = each.get("TrialComponentSource") or {}
            node = bare_node(source.get("SourceArn") or spelling, None, None)
            return (Node(id=node.id, kind=node.kind, name=node.name, aliases=tuple(found)),)
    return ()


def _components(aws: Aws, job_arn: str) -> Iterator[Mapping[str, Any]]:
    request: dict[str, Any] = {"SourceArn": job_arn, "MaxResults": PAGE_SIZE}
    listed = aws.sagemaker.list_trial_components
    member = "TrialComponentSummaries"
    for answer in answers(LIST_TRIAL_COMPONENTS, listed, request, member):
        yield from answer[member]
