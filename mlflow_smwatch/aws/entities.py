"""Lineage entities: what the artifacts, contexts and trial components of associations stand for."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlflow_smwatch.aws.associations import PAGE_SIZE, End, Page
from mlflow_smwatch.aws.operations import (
    DESCRIBE_ARTIFACT,
    DESCRIBE_CONTEXT,
    LIST_ARTIFACTS,
    LIST_CONTEXTS,
)
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.entities import artifact_node, bare_node, context_node
from mlflow_smwatch.core.errors import AccessDeniedError, UnknownJobError
from mlflow_smwatch.core.lineage import Node

_FEW = 10
_KEPT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Entities of one sort, and how they are asked for.

    Attributes
    ----------
    word
        First word of their ARNs' resource.
    name
        As it stands in the names of operations and members.
    list_action, describe_action
        IAM actions.
    described_by
        Argument of the Describe operation that takes an ARN.
    """

    word: str
    name: str
    list_action: str
    describe_action: str
    described_by: str

    def node(self, aws: Aws, answer: Mapping[str, Any]) -> Node:
        """Read a summary or a description."""
        read = artifact_node if self.name == "Artifact" else context_node
        return read(aws.redaction.answer(answer))


_ARTIFACT = _Family(
    word="artifact",
    name="Artifact",
    list_action=LIST_ARTIFACTS,
    describe_action=DESCRIBE_ARTIFACT,
    described_by="ArtifactArn",
)
_CONTEXT = _Family(
    word="context",
    name="Context",
    list_action=LIST_CONTEXTS,
    describe_action=DESCRIBE_CONTEXT,
    described_by="ContextName",
)
_FAMILIES = (_ARTIFACT, _CONTEXT)


class EntityReader:
    """Tells the nodes at the ends of associations; may live as long as the process.

    What is known is kept, so that each entity is asked for once: by ``DescribeArtifact`` or
    ``DescribeContext`` where they are few, else by ``ListArtifacts`` or ``ListContexts``, 100 a
    call, as far as needed.

    Parameters
    ----------
    aws
        Account and Region.

    Attributes
    ----------
    denied
        Why entities keep their ARN as their only name, in words; each reason once.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._known: OrderedDict[str, Node | None] = OrderedDict()
        self._created_after: datetime | None = None
        self._listings: dict[str, Iterator[dict[str, Node]]] = {}
        self._described: Counter[str] = Counter()
        self._closed: set[str] = set()
        self.denied: list[str] = []

    def begin(self, created_after: datetime | None = None) -> None:
        """Begin to read associations that were created since a moment; None for all."""
        self._created_after = created_after
        self._listings.clear()
        self._described.clear()
        self._closed.clear()
        self.denied.clear()

    def readable(self) -> bool:
        """Whether artifacts and contexts may be listed now; one short page of each is asked for.

        Raises
        ------
        RetriableError
            When AWS keeps failing.
        """
        try:
            for family in _FAMILIES:
                next(self._pages(family, {}, size=1))
        except AccessDeniedError:
            return False
        return True

    def nodes(self, page: Page) -> tuple[Node, ...]:
        """Tell what stands at the ends of associations.

        Parameters
        ----------
        page
            Associations.

        Returns
        -------
        tuple of Node
            Each once.

        Raises
        ------
        RetriableError
            When AWS keeps failing.
        """
        ends = {end.arn: end for each in page for end in (each.source, each.target)}
        asked = [arn for arn in self._at_home(ends) if arn not in self._known]
        for family in _FAMILIES:
            unknown = [arn for arn in asked if Arn.parse(arn).resource_type == family.word]
            if unknown and family.word not in self._closed:
                self._ask(family, unknown)
        return tuple(
            self._known.get(end.arn) or bare_node(end.arn, end.type, end.name)
            for end in ends.values()
        )

    def sources(self, uri: str) -> tuple[Node, ...]:
        """Find the artifacts and contexts that stand for an S3 URI, an image or an ARN.

        Parameters
        ----------
        uri
            What is in their ``SourceUri``, at most 2,048 characters.

        Returns
        -------
        tuple of Node
            Their ARNs are aliases, or ids.

        Raises
        ------
        AccessDeniedError, RetriableError
            When an operation is denied or keeps failing.
        """
        pages = (page for family in _FAMILIES for page in self._pages(family, {"SourceUri": uri}))
        return tuple(node for page in pages for node in page.values())

    def _at_home(self, ends: Mapping[str, End]) -> Iterator[str]:
        """Leave out what other accounts and Regions share: it cannot be asked for here."""
        parsed = {arn: Arn.parse(arn) for arn in ends}
        home = Counter(each.account for each in parsed.values()).most_common(1)
        for arn, each in parsed.items():
            if each.region == self._aws.region and each.account == home[0][0]:
                yield arn

    def _ask(self, family: _Family, arns: list[str]) -> None:
        try:
            if len(arns) + self._described[family.word] > _FEW:
                arns = self._list_until_known(family, arns)
            for arn in arns:
                self._describe(family, arn)
        except AccessDeniedError as error:
            self._closed.add(family.word)
            self.denied.append(str(error))

    def _list_until_known(self, family: _Family, arns: list[str]) -> list[str]:
        """Go on with the listing, which is in order of time; give what it does not have."""
        if family.word not in self._listings:
            since = {"CreatedAfter": self._created_after} if self._created_after else {}
            request = {"SortBy": "CreationTime", "SortOrder": "Ascending", **since}
            self._listings[family.word] = self._pages(family, request)
        missing = set(arns)
        while missing:
            page = next(self._listings[family.word], None)
            if page is None:
                break
            self._keep(page)
            missing -= page.keys()
        return [arn for arn in arns if arn in missing]

    def _describe(self, family: _Family, arn: str) -> None:
        self._described[family.word] += 1
        describe = getattr(self._aws.sagemaker, f"describe_{family.word}")
        try:
            answer = ask(
                family.describe_action, describe, {family.described_by: arn}, f"{family.name}Arn"
            )
        except UnknownJobError:
            self._keep({arn: None})
        else:
            self._keep({arn: family.node(self._aws, answer)})

    def _pages(
        self, family: _Family, request: Mapping[str, Any], size: int = PAGE_SIZE
    ) -> Iterator[dict[str, Node]]:
        asked, member = {**request, "MaxResults": size}, f"{family.name}Summaries"
        listed, key = getattr(self._aws.sagemaker, f"list_{family.word}s"), f"{family.name}Arn"
        for answer in answers(family.list_action, listed, asked, member):
            yield {each[key]: family.node(self._aws, each) for each in answer[member]}

    def _keep(self, nodes: Mapping[str, Node | None]) -> None:
        """Keep what is known; the oldest goes when it is very much."""
        self._known.update(nodes)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
