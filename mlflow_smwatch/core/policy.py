"""IAM policies: statements → the document that IAM takes.

Source: IAM User Guide, "IAM JSON policy elements reference"; of ARNs, the Service Authorization
Reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlflow_smwatch.core.errors import UsageError

ANY = "*"
"""Stands for whatever there is: any Region, any account, any resource."""

_VERSION = "2012-10-17"
_WITHOUT_REGION = frozenset({"s3"})
_GLOBAL = "cloudwatch:dashboard/"
"""Dashboards belong to an account, not to one of its Regions."""

_HOST = re.compile(r"(?:^|\.)(?:sqs(?:-fips)?\.(?P<new>[a-z0-9-]+)|(?P<old>[a-z0-9-]+)\.queue)\.")
_OLDEST_HOST = re.compile(r"queue\.amazonaws\.com")
_OLDEST_REGION = "us-east-1"
_PATH = re.compile(r".*/(?P<account>[0-9]{12})/(?P<name>[A-Za-z0-9_-]{1,80}(?:\.fifo)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where resources are.

    Attributes
    ----------
    partition
        Such as ``aws`` or ``aws-cn``.
    region, account
        Name and twelve digits; ``*`` for any.
    """

    partition: str = "aws"
    region: str = ANY
    account: str = ANY

    def arn(self, resource: str) -> str:
        """Write the ARN, or pattern, of a resource.

        Parameters
        ----------
        resource
            Service and resource, such as ``sagemaker:training-job/*``; ``*`` stands for all.
        """
        if resource == ANY:
            return ANY
        service, _, rest = resource.partition(":")
        region = "" if resource.startswith(_GLOBAL) else self.region
        here = ":" if service in _WITHOUT_REGION else f"{region}:{self.account}"
        return f"arn:{self.partition}:{service}:{here}:{rest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is allowed, for one purpose.

    Attributes
    ----------
    sid
        The purpose, letters and digits.
    actions
        IAM actions.
    resources
        ARNs or patterns.
    conditions
        Condition key → the only value that it may have.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueName:
    """What the URL of a queue says.

    Attributes
    ----------
    region
        None where the host does not tell it.
    account, name
        Of the queue.
    """

    region: str | None
    account: str
    name: str


def document(statements: Iterable[Statement]) -> dict[str, Any]:
    """Make the document of a policy.

    Parameters
    ----------
    statements
        Of which each allows something.

    Returns
    -------
    dict
        As IAM takes it; what is one of a kind stands there without a list.
    """
    allowed = [
        {
            "Sid": each.sid,
            "Effect": "Allow",
            "Action": _one_or_all(each.actions),
            "Resource": _one_or_all(each.resources),
            **({"Condition": {"StringEquals": dict(each.conditions)}} if each.conditions else {}),
        }
        for each in statements
    ]
    return {"Version": _VERSION, "Statement": allowed}


def queue_name(url: str) -> QueueName:
    """Read the URL of a queue ("SQS queue and message identifiers").

    Parameters
    ----------
    url
        Such as ``https://sqs.eu-west-1.amazonaws.com/123456789012/smwatch``.

    Raises
    ------
    UsageError
        When it does not end with an account and a name.
    """
    message = f"--queue {url!r}: give a queue's URL, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
    try:
        parts = urlsplit(url)
    except ValueError as error:  # such as an open bracket
        raise UsageError(message) from error
    found, host = _PATH.fullmatch(parts.path), parts.hostname or ""
    if found is None:
        raise UsageError(message)
    told = _HOST.search(host)
    region = told and (told["new"] or told["old"])
    if region is None and _OLDEST_HOST.fullmatch(host):
        region = _OLDEST_REGION
    return QueueName(region=region, account=found["account"], name=found["name"])


def _one_or_all(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
