"""Copies SageMaker's own record of lineage into MLflow, as far as it is new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from mlflow_smwatch.aws.associations import (
    DOWNSTREAM,
    PAGE_SIZE,
    UPSTREAM,
    Association,
    Page,
    Way,
    read_associations,
    walk,
)
from mlflow_smwatch.aws.entities import EntityReader
from mlflow_smwatch.aws.operations import LIST_ASSOCIATIONS
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.entities import says_more
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    CredentialsError,
    JobError,
    LimitReachedError,
    RetriableError,
    SmwatchError,
)
from mlflow_smwatch.core.lineage import ASSOCIATION, Edge, Lineage, Node
from mlflow_smwatch.engine.context import PassContext
from mlflow_smwatch.tracking.lineage_runs import LineageRuns, Month, Progress
from mlflow_smwatch.tracking.store import Tracking

_OVERLAP = timedelta(minutes=15)
_OVERLAP_MS = _OVERLAP // timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MONTHS_KEPT = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What one copying did.

    Attributes
    ----------
    edges
        Number of associations that were written.
    warnings
        What was left out, in words.
    """

    edges: int = 0
    warnings: tuple[str, ...] = ()


class Recent:
    """The associations that the next pass reads again, of which all are stored."""

    def __init__(self) -> None:
        self._created_ms: dict[tuple[str, str, str], int] = {}

    def __contains__(self, each: Association) -> bool:
        """Whether an association was stored by an earlier pass."""
        return _key(each) in self._created_ms

    def keep(self, page: Page) -> None:
        """Remember what was stored now; forget what is too old to be read again."""
        first_ms = page[-1].created_ms - _OVERLAP_MS
        kept = {key: ms for key, ms in self._created_ms.items() if ms >= first_ms}
        self._created_ms = kept | {_key(each): each.created_ms for each in page}


class AssociationMirror:
    """Copies associations of one account and Region, in one pass.

    Lists of associations are eventually consistent, so the last quarter of an hour is read again;
    what is stored is not written again. Each page is written before the next is read.

    Parameters
    ----------
    context
        What all jobs of the pass share.
    tracking
        The store.
    entities
        Tells what artifacts and contexts stand for; may serve many passes.
    recent
        Saves reading from MLflow what an earlier pass of this process has stored; may serve many
        passes.
    """

    def __init__(
        self,
        context: PassContext,
        tracking: Tracking,
        entities: EntityReader,
        recent: Recent | None = None,
    ) -> None:
        self._recent = Recent() if recent is None else recent
        self._pass = context
        self._tracking = tracking
        self._entities = entities
        self._months: dict[str, Month] = {}
        self._edges = 0

    def mirror_new(self, account: str | None = None) -> Copied:
        """Copy what was recorded since the last pass (``ListAssociations`` by CreationTime).

        Parameters
        ----------
        account
            Whose associations these are, where that is known; else AWS is asked.

        Returns
        -------
        Copied
            A denied or failing operation, and an experiment that the user deleted, are warnings.

        Raises
        ------
        StopError
            When nothing can be done: no credentials, no MLflow.
        """
        return self._copy(1, account, self._read_new)

    def mirror_around(self, component_arns: Sequence[str]) -> Copied:
        """Copy all that leads to some trial components, and all that came from them.

        Parameters
        ----------
        component_arns
            ARNs of trial components of one account.

        Returns
        -------
        Copied
            As of :meth:`mirror_new`.

        Raises
        ------
        StopError
            When nothing can be done: no credentials, no MLflow.
        """
        if not component_arns:
            return Copied()
        account = Arn.parse(component_arns[0]).account
        ways: tuple[Way, ...] = (UPSTREAM, DOWNSTREAM)

        def read(runs: LineageRuns) -> None:
            self._entities.begin()
            for way in ways:
                self._write_all(runs, walk(self._pass.aws, component_arns, way))

        return self._copy(len(ways) * len(component_arns), account, read)

    def _copy(self, calls: int, account: str | None, read: Callable[[LineageRuns], None]) -> Copied:
        if self._pass.options.dry_run:
            self._pass.aws.ledger.count(LIST_ASSOCIATIONS, calls)
            return Copied()
        self._edges = 0
        self._months.clear()
        warnings = []
        try:
            read(self._runs(account or self._account()))
        except (AccessDeniedError, RetriableError, JobError) as error:
            warnings.append(f"lineage as SageMaker recorded it is left out: {error}")
        denied = self._entities.denied
        warnings += [f"artifacts and contexts stay mere ARNs in lineage: {each}" for each in denied]
        return Copied(edges=self._edges, warnings=tuple(warnings))

    def _account(self) -> str:
        try:
            return self._pass.aws.account
        except (CredentialsError, LimitReachedError):
            raise
        except SmwatchError as error:
            message = f"nobody tells whose it is: {error}"
            raise JobError(message) from error

    def _runs(self, account: str) -> LineageRuns:
        return LineageRuns(
            self._tracking,
            self._pass.experiments,
            account=account,
            region=self._pass.aws.region,
            now_ms=self._pass.now_ms,
        )

    def _read_new(self, runs: LineageRuns) -> None:
        before = runs.progress()
        again = before.unresolved_ms is not None and self._entities.readable()
        start_ms = before.unresolved_ms if again else before.read_to_ms
        start = None if start_ms is None else _EPOCH + timedelta(milliseconds=start_ms) - _OVERLAP
        self._entities.begin(start)
        settled_ms = self._pass.now_ms - _OVERLAP_MS
        noted, settled = before, 0
        for page in read_associations(self._pass.aws, start):
            self._write(runs, page if again else self._unknown(page), again=again)
            if page:
                self._recent.keep(page)
            noted = self._note(runs, page, noted)
            settled += sum(each.created_ms < settled_ms for each in page)
            if self._pass.stopped():
                return
        if again and not self._entities.denied:
            runs.note_unresolved(None)
        if settled >= PAGE_SIZE:  # else they cost no call when they are read again
            runs.note_read_to(self._pass.now_ms)

    def _unknown(self, page: Page) -> Page:
        return tuple(each for each in page if each not in self._recent)

    def _note(self, runs: LineageRuns, page: Page, noted: Progress) -> Progress:
        """Note how far was read, and from where on artifacts are to be read again."""
        if not page:
            return noted
        unresolved_ms, read_to_ms = noted.unresolved_ms, noted.read_to_ms
        if self._entities.denied and unresolved_ms is None:
            unresolved_ms = page[0].created_ms
            runs.note_unresolved(unresolved_ms)
        if page[-1].created_ms > (read_to_ms or 0):
            read_to_ms = page[-1].created_ms
            runs.note_read_to(read_to_ms)
        return Progress(read_to_ms=read_to_ms, unresolved_ms=unresolved_ms)

    def _write_all(self, runs: LineageRuns, pages: Iterable[Page]) -> None:
        for page in pages:
            self._write(runs, page)
            if self._pass.stopped():
                return

    def _write(self, runs: LineageRuns, page: Page, *, again: bool = False) -> None:
        """Write what is new of a page, or known by its ARNs alone."""
        fresh = tuple(each for each in page if again or not self._holds(runs, each))
        if not fresh:
            return
        nodes = self._entities.nodes(fresh)
        ids = {alias: node.id for node in nodes for alias in node.aliases}
        months: dict[str, list[Edge]] = defaultdict(list)
        for each in fresh:
            edge = _edge(each, ids)
            name = _month(each)
            known = self._month(runs, name).holds(edge.source, edge.target, edge.type)
            if not (known and self._holds(runs, each)):
                months[name].append(edge)
        for name, edges in months.items():
            lineage = _lineage(edges, nodes)
            runs.add(name, self._month(runs, name), lineage)
            self._pass.lineage.add(lineage)
            self._edges += len(edges)

    def _holds(self, runs: LineageRuns, each: Association) -> bool:
        month = self._month(runs, _month(each))
        return month.holds(each.source.arn, each.target.arn, each.type)

    def _month(self, runs: LineageRuns, name: str) -> Month:
        if name not in self._months:
            if len(self._months) == _MONTHS_KEPT:
                self._months.clear()
            self._months[name] = runs.month(name)
        return self._months[name]


def _key(association: Association) -> tuple[str, str, str]:
    return association.source.arn, association.target.arn, association.type


def _month(association: Association) -> str:
    created = _EPOCH + timedelta(milliseconds=association.created_ms)
    return created.strftime("%Y-%m")


def _edge(association: Association, ids: Mapping[str, str]) -> Edge:
    source, target = association.source.arn, association.target.arn
    return Edge(
        source=ids.get(source, source),
        target=ids.get(target, target),
        type=association.type,
        origin=ASSOCIATION,
    )


def _lineage(edges: Iterable[Edge], nodes: Iterable[Node]) -> Lineage:
    """Put edges together with what is known of their ends."""
    edges = tuple(edges)
    ends = {end for edge in edges for end in (edge.source, edge.target)}
    known = (node for node in nodes if node.id in ends and says_more(node))
    return Lineage(edges=edges, nodes=tuple(known))
