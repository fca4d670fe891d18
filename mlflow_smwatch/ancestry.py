"""What a thing was made from, and what was made from it: from MLflow alone, or from AWS."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from mlflow_smwatch.aws.associations import DOWNSTREAM, UPSTREAM, Way, walk
from mlflow_smwatch.aws.entities import EntityReader
from mlflow_smwatch.aws.session import Aws, connect
from mlflow_smwatch.aws.vertices import describe_component, find_vertices
from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.entities import is_vertex
from mlflow_smwatch.core.errors import AccessDeniedError, UnknownJobError, UsageError
from mlflow_smwatch.core.job_kinds import TRIAL_COMPONENT
from mlflow_smwatch.core.lineage import ASSOCIATION, Edge, Lineage, Node
from mlflow_smwatch.core.lineage_compare import LineageDiff
from mlflow_smwatch.core.lineage_graph import Direction, LineageGraph
from mlflow_smwatch.core.redact import Redaction
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.tracking.lineage import StoredLineage, read_lineage
from mlflow_smwatch.tracking.pages import run_url, ui_address
from mlflow_smwatch.tracking.store import Tracking, open_tracking
from mlflow_smwatch.tracking.uris import chosen_uri

Source = Literal["mlflow", "aws"]

_GRAPHS_KEPT = 4
_WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where lineage is read.

    Attributes
    ----------
    source
        ``mlflow`` or ``aws``.
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.
    region, profile
        For ``aws``: Region and profile; None for boto3's own choice.
    redact
        For ``aws``: regular expressions of what is a secret too.

    Raises
    ------
    UsageError
        When a value cannot be understood.
    """

    source: Source = "mlflow"
    tracking_uri: str | None = None
    region: str | None = None
    profile: str | None = None
    redact: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be understood."""
        Redaction(self.redact)
        if self.source not in get_args(Source):
            message = f"source {self.source!r}: it is mlflow or aws"
            raise UsageError(message)


@dataclass(slots=True)
class _Kept:
    """A store, and the graph of what was read of it last."""

    tracking: Tracking
    stored: StoredLineage | None = None
    graph: LineageGraph | None = None


_kept: OrderedDict[str, _Kept] = OrderedDict()
_lock = threading.Lock()


def around(
    x: str, origin: Origin, direction: Direction = "both", depth: int | None = None
) -> LineageGraph:
    """Give what a thing was made from, and what was made from it.

    Parameters
    ----------
    x
        Name, ARN, run id, S3 URI or image URI.
    origin
        Where lineage is read.
    direction
        ``upstream``, ``downstream`` or ``both``.
    depth
        Most steps in each direction; None for all.

    Returns
    -------
    LineageGraph
        With the thing as root; a name that stands for several makes all of them roots.

    Raises
    ------
    UnknownJobError
        When there is no such thing.
    UsageError
        When an argument cannot be understood.
    StopError
        When MLflow or AWS cannot be used.
    """
    if direction not in get_args(Direction):
        message = f"direction {direction!r}: it is upstream, downstream or both"
        raise UsageError(message)
    if depth is not None and depth < 1:
        message = f"depth {depth}: give 1 or more steps"
        raise UsageError(message)
    if origin.source == "mlflow":
        return mirrored(origin.tracking_uri).around(x, direction, depth)
    ways: tuple[Way, ...] = (UPSTREAM, DOWNSTREAM) if direction == "both" else (direction,)
    return _recorded(origin, (x,), ways, depth).around(x, direction, depth)


def compare(a: str, b: str, origin: Origin) -> LineageDiff:
    """Compare what two things were made from.

    Parameters
    ----------
    a, b
        Names, ARNs, run ids, S3 or image URIs.
    origin
        Where lineage is read.

    Returns
    -------
    LineageDiff

    Raises
    ------
    UnknownJobError
        When there is no such thing.
    UsageError
        When an argument cannot be understood.
    StopError
        When MLflow or AWS cannot be used.
    """
    if origin.source == "mlflow":
        return mirrored(origin.tracking_uri).diff(a, b)
    return _recorded(origin, (a, b), (UPSTREAM,), None).diff(a, b)


def mirrored(tracking_uri: str | None = None) -> LineageGraph:
    """Give all lineage that MLflow holds; the same graph as long as nothing new is there.

    Parameters
    ----------
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.

    Returns
    -------
    LineageGraph
        Without a root.

    Raises
    ------
    TrackingError
        When MLflow cannot be used, or nothing was ever written there.
    """
    uri = chosen_uri(tracking_uri)
    with _lock:
        kept = _kept.get(uri) or _Kept(open_tracking(uri, create=False))
        stored = read_lineage(kept.tracking)
        if kept.graph is None or stored is not kept.stored:
            kept.stored, kept.graph = stored, LineageGraph.of(stored.pieces, stored.runs)
        _kept[uri] = kept
        _kept.move_to_end(uri)
        while len(_kept) > _GRAPHS_KEPT:
            _kept.popitem(last=False)
        return kept.graph


def run_pages(
    tracking_uri: str | None = None, ui_url: str | None = None
) -> Callable[[Node], str | None]:
    """Give what tells the page of a node's run.

    Parameters
    ----------
    tracking_uri
        MLflow tracking URI; None for MLflow's own choice.
    ui_url
        Address of MLflow's pages, where it is not the tracking server's.

    Returns
    -------
    Callable
        Node → address; None where the node has no run, or MLflow's pages no fixed address.
    """
    mirrored(tracking_uri)
    uri = chosen_uri(tracking_uri)
    address, stored = ui_address(uri, ui_url), _kept[uri].stored
    experiment_ids = stored.experiment_ids if stored else {}

    def page(node: Node) -> str | None:
        experiment_id = experiment_ids.get(node.run_id or "")
        return (
            run_url(address, experiment_id, node.run_id) if experiment_id and node.run_id else None
        )

    return page


def _recorded(
    origin: Origin, asked: tuple[str, ...], ways: tuple[Way, ...], depth: int | None
) -> LineageGraph:
    """Read from AWS what lies around some things."""
    redaction = Redaction(origin.redact)
    aws = connect(origin.region, origin.profile, _WORKERS, redaction=redaction)
    entities = EntityReader(aws)
    entities.begin()
    pieces: list[Lineage] = []
    starts: list[str] = []
    for text in asked:
        found = find_vertices(aws, entities, text)
        if not found:
            message = (
                f"SageMaker has recorded no lineage of {visible(text)} in {aws.region}: check it,"
                " --region and --profile; the ARN of a job is surer than its name"
            )
            raise UnknownJobError(message)
        pieces.append(Lineage(nodes=found))
        starts += [id_ for node in found for id_ in (node.id, *node.aliases) if is_vertex(id_)]
    pieces += _associated(aws, entities, starts, ways, depth)
    return LineageGraph.of([*pieces, *_described(aws, pieces)])


def _associated(
    aws: Aws, entities: EntityReader, starts: list[str], ways: tuple[Way, ...], depth: int | None
) -> list[Lineage]:
    pieces = []
    for way in ways:
        for page in walk(aws, starts, way, depth):
            edges = (
                Edge(
                    source=each.source.arn,
                    target=each.target.arn,
                    type=each.type,
                    origin=ASSOCIATION,
                )
                for each in page
            )
            pieces.append(Lineage(edges=tuple(edges), nodes=entities.nodes(page)))
    return pieces


def _described(aws: Aws, pieces: list[Lineage]) -> list[Lineage]:
    """Read the jobs of all trial components, with inputs and outputs, where that is allowed."""
    ids = (id_ for piece in pieces for node in piece.nodes for id_ in (node.id, *node.aliases))
    components = (
        each
        for each in dict.fromkeys(ids)
        if is_vertex(each) and Arn.parse(each).resource_type == TRIAL_COMPONENT.resource_type
    )
    found: list[Lineage] = []
    denied: set[str] = set()
    for each in components:
        arn = Arn.parse(each)
        if arn.region != aws.region or arn.account in denied:
            continue
        try:
            found.append(describe_component(aws, each))
        except AccessDeniedError:
            denied.add(arn.account)
    return found
