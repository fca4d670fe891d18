"""``List``, ``Describe`` and ``ListTags`` of SageMaker, whatever the kind: raw answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore import xform_name

from mlflow_smwatch.aws.operations import LIST_TAGS
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws, ask

PAGE_SIZE = 100


def list_pages(
    aws: Aws, action: str, request: Mapping[str, Any], member: str
) -> Iterator[list[dict[str, Any]]]:
    """List the pages of an operation; empty ones as well, as long as there is a token.

    Where a token has died on the way, the listing begins anew without what was given already.

    Parameters
    ----------
    aws
        The clients.
    action
        The operation, such as ``sagemaker:ListTrials``.
    request
        Its arguments; 100 items a page where they do not say otherwise.
    member
        Member of the answer that holds the items.

    Raises
    ------
    SmwatchError
        As :func:`~mlflow_smwatch.aws.session.ask` says.
    """
    asked: dict[str, Any] = {"MaxResults": PAGE_SIZE, **request}
    for answer in answers(action, _operation(aws, action), asked, member):
        yield list(answer[member])


def list_all(
    aws: Aws, action: str, request: Mapping[str, Any], member: str
) -> list[dict[str, Any]]:
    """List all items of an operation; arguments and errors as for :func:`list_pages`."""
    return [item for page in list_pages(aws, action, request, member) for item in page]


def has_any(aws: Aws, action: str, member: str) -> bool:
    """Tell by one small page whether an operation lists anything at all."""
    return any(list_pages(aws, action, {"MaxResults": 1}, member))


def describe(aws: Aws, action: str, request: Mapping[str, str], member: str) -> dict[str, Any]:
    """Call a ``Describe`` operation; it is not redacted yet.

    Parameters
    ----------
    aws
        The clients.
    action
        The operation.
    request
        Its arguments.
    member
        A member that every answer has.

    Raises
    ------
    UnknownJobError
        When AWS has nothing of that name.
    """
    answer = ask(action, _operation(aws, action), request, member)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def list_tags(aws: Aws, arn: str) -> list[dict[str, str]]:
    """List the resource tags of an ARN (``ListTags``)."""
    return list_all(aws, LIST_TAGS, {"ResourceArn": arn}, "Tags")


def _operation(aws: Aws, action: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(aws.sagemaker, xform_name(action.partition(":")[2]))
    return found
