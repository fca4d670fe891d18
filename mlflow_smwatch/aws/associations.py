"""Associations, which are SageMaker's own record of lineage: all of an account, or from some on.

``QueryLineage`` would end at a depth of 10, and is not in every Region; ``ListAssociations`` gives
every edge of a node, or of the account, page by page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from mlflow_smwatch.aws.operations import LIST_ASSOCIATIONS
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import AccessDeniedError, UnknownJobError

PAGE_SIZE = 100
ASSOCIATED_WITH = "AssociatedWith"

Way: TypeAlias = Literal["upstream", "downstream"]

UPSTREAM: Final = "upstream"
DOWNSTREAM: Final = "downstream"

_ASKED_END: dict[Way, str] = {UPSTREAM: "DestinationArn", DOWNSTREAM: "SourceArn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What an association tells of one of its ends.

    Attributes
    ----------
    arn
        Of a trial component, artifact, action, context or experiment.
    type
        Such as ``DataSet``, ``Model`` or ``SageMakerTrainingJob``; None where AWS gives none.
    name
        None where it has none.
    """

    arn: str
    type: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """One association.

    Attributes
    ----------
    source, target
        Its ends, the way data flows.
    type
        SageMaker's word; ``AssociatedWith`` where AWS gives none.
    created_ms
        CreationTime.
    """

    source: End
    target: End
    type: str
    created_ms: int


Page: TypeAlias = tuple[Association, ...]


def read_associations(aws: Aws, created_after: datetime | None) -> Iterator[Page]:
    """Read the associations of an account and Region, oldest first (``ListAssociations``).

    Parameters
    ----------
    aws
        Account and Region.
    created_after
        Aware; None for all.

    Yields
    ------
    tuple of Association
        A page of at most 100; empty ones too.

    Raises
    ------
    AccessDeniedError, RetriableError
        When the operation is denied or keeps failing.
    """
    since = {"CreatedAfter": created_after} if created_after else {}
    yield from _pages(aws, {"SortBy": "CreationTime", "SortOrder": "Ascending", **since})


def walk(aws: Aws, start_arns: Iterable[str], way: Way, depth: int | None = None) -> Iterator[Page]:
    """Read all associations that lead to some nodes, or from them on, breadth first.

    Each node is asked for once (``ListAssociations`` by its ARN), so cycles end.

    Parameters
    ----------
    aws
        Account and Region.
    start_arns
        ARNs of trial components, artifacts, actions or contexts.
    way
        ``upstream`` or ``downstream``.
    depth
        How many steps to go; None for all.

    Yields
    ------
    tuple of Association
        A page of at most 100.

    Raises
    ------
    AccessDeniedError, RetriableError
        When the operation is denied or keeps failing.
    """
    level = list(dict.fromkeys(start_arns))
    seen, steps = set(level), 0
    home = Arn.parse(level[0]).account if level else None
    while level and (depth is None or steps < depth):
        following: list[str] = []
        for arn in level:
            for page in _around(aws, arn, way, home):
                yield page
                met = dict.fromkeys(_far_end(each, way) for each in page)
                following += [each for each in met if each not in seen]
                seen |= met.keys()
        level, steps = following, steps + 1


def _around(aws: Aws, arn: str, way: Way, home: str | None) -> Iterator[Page]:
    """Read the associations of one node; what is gone, or elsewhere and closed, has none."""
    node = Arn.parse(arn)
    if node.region != aws.region:
        return
    try:
        yield from _pages(aws, {_ASKED_END[way]: arn})
    except UnknownJobError:
        return
    except AccessDeniedError:
        if node.account == home:
            raise


def _far_end(association: Association, way: Way) -> str:
    return (association.source if way == UPSTREAM else association.target).arn


def _pages(aws: Aws, request: Mapping[str, Any]) -> Iterator[Page]:
    asked, member = {**request, "MaxResults": PAGE_SIZE}, "AssociationSummaries"
    for answer in answers(LIST_ASSOCIATIONS, aws.sagemaker.list_associations, asked, member):
        yield tuple(
            _association(aws.redaction.answer(each))
            for each in answer[member]
            if "SourceArn" in each and "DestinationArn" in each
        )


def _association(summary: Mapping[str, Any]) -> Association:
    created = summary.get("CreationTime")
    return Association(
        source=_end(summary, "Source"),
        target=_end(summary, "Destination"),
        type=summary.get("AssociationType") or ASSOCIATED_WITH,
        created_ms=to_ms(created) if created else 0,
    )


def _end(summary: Mapping[str, Any], side: str) -> End:
    return End(
        arn=summary[f"{side}Arn"],
        type=summary.get(f"{side}Type") or None,
        name=summary.get(f"{side}Name") or None,
    )
