"""Model packages: the versions in SageMaker's model registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlflow_smwatch.aws.listing import describe
from mlflow_smwatch.aws.operations import DESCRIBE_MODEL_PACKAGE
from mlflow_smwatch.aws.search import Searcher, modified_between
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.describe import to_ms

MODEL_PACKAGES = "ModelPackage"
"""What ``Search`` calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage:
    """One model package.

    Attributes
    ----------
    arn
        Its ARN.
    name
        Its own name, where it is in no group.
    group, version
        Name of its group, and its number there.
    status, approval
        SageMaker's words, such as ``Completed`` and ``PendingManualApproval``.
    model_data
        S3 URI of its first container's model.
    image
        That container's image.
    description
        A user's text.
    created_ms, modified_ms
        CreationTime and LastModifiedTime, milliseconds since the epoch.
    """

    arn: str
    created_ms: int
    modified_ms: int
    name: str | None = None
    group: str | None = None
    version: int | None = None
    status: str | None = None
    approval: str | None = None
    model_data: str | None = None
    image: str | None = None
    description: str | None = None


def find_model_packages(
    aws: Aws, since: datetime | None = None, asked: Iterable[str] | None = None
) -> Iterator[ModelPackage]:
    """Find model packages, oldest first.

    Parameters
    ----------
    aws
        The clients.
    since
        Only those modified since then, aware (``Search``, 100 a call); None for all.
    asked
        Instead, exactly these ARNs or names (``DescribeModelPackage``, one a call).

    Raises
    ------
    UnknownJobError
        When AWS does not have one that was asked for.
    AccessDeniedError, RetriableError, InvalidRequestError
        When the operation is denied, keeps failing or does not take the request.
    """
    if asked is not None:
        yield from (_package(describe_model_package(aws, one)) for one in asked)
        return
    for page in Searcher(aws).pages(MODEL_PACKAGES, modified_between(since, None)):
        yield from map(_package, page.records)


def describe_model_package(aws: Aws, name: str) -> dict[str, Any]:
    """Describe a model package, redacted (``DescribeModelPackage``).

    Parameters
    ----------
    aws
        The clients.
    name
        Its ARN, or its name.

    Raises
    ------
    UnknownJobError
        When AWS does not have it.
    AccessDeniedError, RetriableError, InvalidRequestError
        When the operation is denied, keeps failing or does not take the request.
    """
    request = {"ModelPackageName": name}
    return aws.redaction.answer(describe(aws, DESCRIBE_MODEL_PACKAGE, request, "ModelPackageArn"))


def _package(record: Mapping[str, Any]) -> ModelPackage:
    containers: list[Mapping[str, Any]] = (record.get("InferenceSpecification") or {}).get(
        "Containers"
    ) or []
    container = containers[0] if containers else {}
    created = record["CreationTime"]
    return ModelPackage(
        arn=str(record["ModelPackageArn"]),
        name=record.get("ModelPackageName") or None,
        group=record.get("ModelPackageGroupName"),
        version=record.get("ModelPackageVersion"),
        status=record.get("ModelPackageStatus"),
        approval=record.get("ModelApprovalStatus"),
        model_data=_model_data(container),
        image=container.get("Image"),
        description=record.get("ModelPackageDescription"),
        created_ms=to_ms(created),
        modified_ms=to_ms(record.get("LastModifiedTime") or created),
    )


def _model_data(container: Mapping[str, Any]) -> str | None:
    """Find a container's model, which may be given as a folder as well."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    found = container.get("ModelDataUrl") or source.get("S3Uri")
    return str(found) if found else None
