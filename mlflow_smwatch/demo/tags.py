"""SageMaker's operations on tags, whatever the ARN names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from mlflow_smwatch.demo.errors import NotOursError, refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.training_jobs import bad_token
from mlflow_smwatch.demo.validation import Answer, Parameters

TAGS_PER_PAGE = 50
TAGS_PER_RESOURCE = 50


class Tagged(Protocol):
    """What carries tags."""

    tags: dict[str, str]

    def set_tags(self, tags: Mapping[str, str], *, removed: tuple[str, ...] = ()) -> None:
        """Add and remove tags."""

    def tag_list(self) -> list[dict[str, str]]:
        """Give the tags as AWS lists them."""


Owner: TypeAlias = Callable[[str], "Tagged | None"]
"""Finds what an ARN names: None for an ARN of another kind, an AwsError for one of nothing."""


class Tags:
    """The operations of one account and Region.

    Parameters
    ----------
    faults
        May shorten pages.
    owners
        Asked in turn for an ARN; ARNs that nobody knows are the underlying emulator's.
    """

    def __init__(self, faults: Faults, *owners: Owner) -> None:
        self._owners = list(owners)
        self._pager = Pager(faults, "sagemaker:ListTags", bad_token)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "ListTags": self.list_tags,
            "AddTags": self.add_tags,
            "DeleteTags": self.delete_tags,
        }

    def add_owner(self, owner: Owner) -> None:
        """Let the tags of another kind of resource be asked for."""
        self._owners.append(owner)

    def list_tags(self, parameters: Parameters) -> Answer:
        """Answer ``ListTags``."""
        tags = self._tagged(parameters["ResourceArn"]).tag_list()
        size = parameters.get("MaxResults", TAGS_PER_PAGE)
        page, token = self._pager.cut(
            tags, parameters, size=size, token=parameters.get("NextToken")
        )
        return {"Tags": page, **({"NextToken": token} if token else {})}

    def add_tags(self, parameters: Parameters) -> Answer:
        """Answer ``AddTags``."""
        found = self._tagged(parameters["ResourceArn"])
        tags = {tag["Key"]: tag["Value"] for tag in parameters["Tags"]}
        number = len({**found.tags, **tags})
        if number > TAGS_PER_RESOURCE:
            message = f"Too many tags: {number} exceeds the limit of {TAGS_PER_RESOURCE}."
            refuse("ValidationException", message)
        found.set_tags(tags)
        return {"Tags": found.tag_list()}

    def delete_tags(self, parameters: Parameters) -> Answer:
        """Answer ``DeleteTags``."""
        self._tagged(parameters["ResourceArn"]).set_tags({}, removed=tuple(parameters["TagKeys"]))
        return {}

    def _tagged(self, arn: str) -> Tagged:
        for owner in self._owners:
            found = owner(arn)
            if found is not None:
                return found
        raise NotOursError
