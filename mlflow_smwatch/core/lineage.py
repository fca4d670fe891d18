"""Pieces of lineage: what made what. Edges point the way data flows.

Enters: what a job's description says of its inputs and outputs, or an association that SageMaker
recorded. Leaves: values that :mod:`.lineage_tags` writes into tags and :mod:`.lineage_graph` joins.
"""

from __future__ import annotations

from dataclasses import dataclass

CONTRIBUTED_TO = "ContributedTo"
PRODUCED = "Produced"

ASSOCIATION = "association"
"""Origin of an edge that SageMaker recorded (``ListAssociations``)."""
IO = "io"
"""Origin of an edge that follows from inputs and outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing that made another, or was made of it.

    Attributes
    ----------
    id
        ARN, S3 URI or image URI.
    kind
        Word of its job kind where it is one, else ``data``, ``model-data``, ``code``, ``image``,
        ``checkpoint``, ``output``, or the type in its ARN, such as ``model`` or ``artifact``.
    name
        What people call it; None where only the id tells.
    run_id
        The MLflow run that stands for it.
    aliases
        Further ids of the same thing: the ARN of a job's trial component, of an artifact.
    """

    id: str
    kind: str
    name: str | None = None
    run_id: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One step of data from a thing to the next.

    Attributes
    ----------
    source, target
        Ids, or aliases, of nodes.
    type
        SageMaker's association type; ``Produced`` and ``ContributedTo`` for inputs and outputs.
    origin
        :data:`ASSOCIATION` or :data:`IO`.
    """

    source: str
    target: str
    type: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Some edges, and what is known of the nodes at their ends."""

    edges: tuple[Edge, ...] = ()
    nodes: tuple[Node, ...] = ()

    def __add__(self, other: Lineage) -> Lineage:
        """Put two pieces together."""
        return Lineage(edges=self.edges + other.edges, nodes=self.nodes + other.nodes)


def reads(reader: str, node: Node) -> Lineage:
    """State that a thing reads another: its input, image or code."""
    edge = Edge(source=node.id, target=reader, type=CONTRIBUTED_TO, origin=IO)
    return Lineage(edges=(edge,), nodes=(node,))


def writes(writer: str, node: Node) -> Lineage:
    """State that a thing writes another."""
    edge = Edge(source=writer, target=node.id, type=PRODUCED, origin=IO)
    return Lineage(edges=(edge,), nodes=(node,))
