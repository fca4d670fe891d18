"""What a job reads and writes → pieces of lineage."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import Channel
from mlflow_smwatch.core.lineage import Lineage, Node, reads, writes
from mlflow_smwatch.core.mappers.answers import Answer, arn_in, part, parts, s3_uri, text

DATA, MODEL_DATA, CODE, IMAGE = "data", "model-data", "code", "image"
CHECKPOINT, OUTPUT = "checkpoint", "output"

_ECR_IMAGE = re.compile(r"\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.[a-z.-]+/\S+")


def read_by(reader: str | Arn, kind: str, *ids: str | None) -> Lineage:
    """State that a thing reads others of one kind; those that are None are left out."""
    nodes = _nodes(kind, ids)
    return sum((reads(str(reader), node) for node in nodes), Lineage())


def written_by(writer: str | Arn, kind: str, *ids: str | None) -> Lineage:
    """State that a thing writes others of one kind; those that are None are left out."""
    nodes = _nodes(kind, ids)
    return sum((writes(str(writer), node) for node in nodes), Lineage())


def named(arn: Arn) -> Node:
    """Make the node of a resource that is no job, such as a model."""
    return Node(id=str(arn), kind=arn.resource_type, name=arn.resource_name)


def s3_inputs(channels: Iterable[Channel], kind: str = DATA) -> tuple[str, ...]:
    """Give the S3 URIs of channels, but of code: a channel of that name only for this kind."""
    return tuple(
        each.uri
        for each in channels
        if each.uri.startswith("s3://") and (each.name == CODE) is (kind == CODE)
    )


def folder(uri: str | None, job: str | None = None) -> str | None:
    """Give the folder under an output path, of its own for each job where a job is named."""
    if not uri or not uri.startswith("s3://"):
        return None
    return f"{uri.rstrip('/')}/{job}/" if job else f"{uri.rstrip('/')}/"


def is_image(value: str, media_type: str = "") -> bool:
    """Whether an artifact is a container image, by its media type or its form."""
    return "docker" in media_type or _ECR_IMAGE.fullmatch(value) is not None


def containers(model: Answer) -> tuple[Answer, ...]:
    """List the containers of a ``DescribeModel`` answer."""
    primary = part(model, "PrimaryContainer")
    return (*((primary,) if primary else ()), *parts(model, "Containers"))


def packages_named(model: Answer) -> tuple[str, ...]:
    """List the names or ARNs of the model packages in a ``DescribeModel`` answer."""
    names = (text(container, "ModelPackageName") for container in containers(model))
    return tuple(dict.fromkeys(filter(None, names)))


def made_of(model: Answer) -> Lineage:
    """State what a model is made of: model data, images and model packages, and these in turn.

    Model packages are told by ``ModelPackages``, the answers of ``DescribeModelPackage``.
    """
    arn = arn_in(model, "ModelArn")
    if arn is None:
        return Lineage()
    lineage = Lineage()
    for container in containers(model):
        lineage += _contained(arn, container)
    told = parts(model, "ModelPackages")
    packages = (
        *(arn_in(each, "ModelPackageName") for each in containers(model)),
        *(arn_in(each, "ModelPackageArn") for each in told),
    )
    for package in dict.fromkeys(filter(None, packages)):
        lineage += reads(str(arn), named(package))
    return sum(map(_packed, told), lineage)


def _packed(package: Answer) -> Lineage:
    """State what a model package is made of."""
    arn = arn_in(package, "ModelPackageArn")
    if arn is None:
        return Lineage()
    packed = parts(package, "InferenceSpecification", "Containers")
    return sum((_contained(arn, each) for each in packed), Lineage())


def _contained(arn: Arn, container: Answer) -> Lineage:
    return read_by(arn, MODEL_DATA, *_model_data(container)) + read_by(
        arn, IMAGE, text(container, "Image")
    )


def _model_data(container: Answer) -> tuple[str | None, ...]:
    source = ("S3DataSource", "S3Uri")
    further = parts(container, "AdditionalModelDataSources")
    return (
        s3_uri(container, "ModelDataUrl") or s3_uri(container, "ModelDataSource", *source),
        *(s3_uri(each, *source) for each in further),
    )


def _nodes(kind: str, ids: Iterable[str | None]) -> list[Node]:
    return [Node(id=each, kind=kind) for each in dict.fromkeys(filter(None, ids))]
