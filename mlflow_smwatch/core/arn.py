"""Amazon Resource Names: text in, parts out.

Source of the form: AWS General Reference, "Amazon Resource Names (ARNs)"; of the SageMaker
patterns: the `sagemaker` service model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mlflow_smwatch.core.errors import UsageError

EXAMPLE = "arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job"

_FORM = re.compile(
    r"arn:(?P<partition>aws[a-z-]*)"
    r":(?P<service>[a-z0-9][a-z0-9.-]*)"
    r":(?P<region>[a-z0-9-]*)"
    r":(?P<account>[0-9]{12}|aws|)"
    r":(?P<resource>[^\x00-\x1f\x7f\ud800-\udfff]+)"
)
_SEPARATOR = re.compile(r"[/:]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arn:
    """The parts of one ARN, as they are written.

    Attributes
    ----------
    partition
        ``aws``, ``aws-cn``, ``aws-us-gov``, ``aws-eusc``, …
    service
        Such as ``sagemaker``.
    region
        Such as ``us-east-1``; empty for services without regions.
    account
        Twelve digits, ``aws`` for what AWS itself owns, or empty.
    resource
        The rest, such as ``training-job/my-job``.
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Split an ARN into its parts.

        Parameters
        ----------
        text
            The whole ARN; nothing is trimmed, so ``str(Arn.parse(text)) == text``.

        Returns
        -------
        Arn
            Its parts.

        Raises
        ------
        UsageError
            If the text is not an ARN.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            message = f"not an ARN: {_shown(text)} (it should look like {EXAMPLE})"
            raise UsageError(message)
        return cls(**match.groupdict())

    @property
    def resource_type(self) -> str:
        """Return the word before the first ``/`` or ``:`` of the resource, or an empty string."""
        separator = _SEPARATOR.search(self.resource)
        return self.resource[: separator.start()] if separator else ""

    @property
    def resource_name(self) -> str:
        """Return the resource without its type; it may hold further ``/``."""
        separator = _SEPARATOR.search(self.resource)
        return self.resource[separator.end() :] if separator else self.resource

    def beside(self, resource_type: str, name: str) -> Arn:
        """Return the ARN of another resource of the same account and Region."""
        return replace(self, resource=f"{resource_type}/{name}")

    def __str__(self) -> str:
        """Return the ARN as AWS writes it."""
        parts = (self.partition, self.service, self.region, self.account, self.resource)
        return ":".join(("arn", *parts))


def is_arn(text: str) -> bool:
    """Say whether a text is meant as an ARN, rather than as a name or a URI.

    Parameters
    ----------
    text
        What a user typed or AWS answered. AWS allows no ``:`` in the name of a job.

    Returns
    -------
    bool
        True where it begins with ``arn:``. Whether it is a right one, `Arn.parse` decides.
    """
    return text.startswith("arn:")


def _shown(text: str) -> str:
    """Return a text on one line, short enough for an error message."""
    return ascii(text if len(text) <= 200 else text[:199] + "…") if _is_odd(text) else repr(text)


def _is_odd(text: str) -> bool:
    return len(text) > 200 or not text.isprintable()
