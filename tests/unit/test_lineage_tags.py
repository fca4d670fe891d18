"""Lineage in tags: round trip, limits, what a user may have done to them."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.lineage import ASSOCIATION, IO, Edge, Lineage, Node, reads, writes
from mlflow_smwatch.core.lineage_graph import LineageGraph
from mlflow_smwatch.core.lineage_tags import from_tags, to_tags
from tests.strategies import any_text, arns, image_uris, s3_uris

JOB = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/churn"
COMPONENT = "arn:aws:sagemaker:eu-west-1:123456789012:experiment-trial-component/churn-c"
EDGE = {"source": "s3://b/train", "target": JOB, "type": "ContributedTo", "origin": "io"}

ids = st.one_of(arns.map(str), s3_uris, image_uris, any_text.filter(bool))
kinds = st.sampled_from(("data", "model-data", "code", "image", "training-job", "artifact", "x"))


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    """Edges over a few nodes, some of which are described."""
    ends = draw(st.lists(ids, min_size=1, max_size=8, unique=True))
    one = st.sampled_from(ends)
    types = st.sampled_from(("Produced", "ContributedTo", "SameAs", "Own type"))
    origins = st.sampled_from((ASSOCIATION, IO))
    edges = st.lists(st.builds(Edge, source=one, target=one, type=types, origin=origins))
    names = st.one_of(st.none(), any_text.filter(bool))
    aliases = st.lists(any_text.filter(bool), max_size=2).map(tuple)
    nodes = st.builds(Node, id=one, kind=kinds, name=names, aliases=aliases)
    return Lineage(edges=tuple(draw(edges)), nodes=tuple(draw(st.lists(nodes, max_size=8))))


def graph_of(lineage: Lineage) -> tuple[object, object]:
    """Return what a graph makes of the edges, and of the nodes at their ends."""
    ends = {end for edge in lineage.edges for end in (edge.source, edge.target)}
    nodes = tuple(node for node in lineage.nodes if node.id in ends)
    graph = LineageGraph.of([Lineage(edges=lineage.edges, nodes=nodes)])
    return frozenset(graph.nodes), frozenset(graph.edges)


@given(lineages())
def test_round_trip(lineage: Lineage) -> None:
    """What was written is read again: the graph is the same."""
    read = from_tags(to_tags(lineage))
    assert set(read.edges) == set(lineage.edges)
    assert graph_of(read) == graph_of(lineage)


@given(lineages(), st.randoms())
def test_same_for_any_order(lineage: Lineage, rng: random.Random) -> None:
    """The order in which AWS gave the edges does not show."""
    edges = list(lineage.edges)
    rng.shuffle(edges)
    again = Lineage(edges=(*edges, *lineage.edges), nodes=lineage.nodes)
    assert to_tags(again) == to_tags(lineage)


@pytest.mark.parametrize("count", [1, 60, 61, 500])
def test_each_part_is_whole(count: int) -> None:
    """Each tag is a list of edges in itself, within MLflow's limit, in numbered order."""
    pieces = [reads(JOB, Node(id=f"s3://bucket/{n:04d}/é", kind="data")) for n in range(count)]
    tags = to_tags(Lineage(edges=tuple(edge for piece in pieces for edge in piece.edges)))
    assert [*tags] == ["smwatch.lineage", *(f"smwatch.lineage.{n}" for n in range(1, len(tags)))]
    lists = [json.loads(value) for value in tags.values()]
    assert sum(map(len, lists)) == count
    assert all(len(value) <= TAG_VALUE_LIMIT and value.isascii() for value in tags.values())
    assert len(from_tags({"smwatch.lineage": [*tags.values()][-1]}).edges) == len(lists[-1])


def test_full_to_the_limit() -> None:
    """An edge that just fits stays; one more character and it goes, others stay."""
    bare = len(json.dumps([{**EDGE, "source": "s3://b/"}], separators=(",", ":")))
    fits, over = ("s3://b/" + "x" * (TAG_VALUE_LIMIT - bare + n) for n in (0, 1))
    lineage = reads(JOB, Node(id=fits, kind="data")) + reads(JOB, Node(id=over, kind="data"))
    tags = to_tags(lineage + reads(JOB, Node(id="s3://b/short", kind="data")))
    assert max(map(len, tags.values())) == TAG_VALUE_LIMIT
    assert {edge.source for edge in from_tags(tags).edges} == {fits, "s3://b/short"}


def test_too_much_known() -> None:
    """An edge goes without what is known of its ends before it goes."""
    node = Node(id=JOB, kind="training-job", aliases=("a" * TAG_VALUE_LIMIT,))
    tags = to_tags(writes(JOB, Node(id="s3://b/o", kind="output")) + Lineage(nodes=(node,)))
    assert from_tags(tags).nodes == ()
    assert len(from_tags(tags).edges) == 1


def test_shape() -> None:
    """An edge says of its ends only what their ids do not, and once."""
    job = Node(id=JOB, kind="training-job", name="churn", aliases=(COMPONENT,))
    lineage = reads(JOB, Node(id="s3://b/train", kind="data", name="train")) + writes(
        JOB, Node(id="s3://b/m.tar.gz", kind="model-data", name="the model")
    )
    (value,) = to_tags(lineage + Lineage(nodes=(job,))).values()
    assert json.loads(value) == [
        {
            "source": JOB,
            "target": "s3://b/m.tar.gz",
            "type": "Produced",
            "origin": "io",
            "source_aliases": [COMPONENT],
            "target_kind": "model-data",
            "target_name": "the model",
        },
        EDGE,
    ]


def test_nothing() -> None:
    """No edges, no tag; no tag, no edges."""
    assert to_tags(Lineage(nodes=(Node(id=JOB, kind="training-job"),))) == {}
    assert from_tags({"sagemaker.arn": JOB}) == Lineage()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "{",
        "null",
        "7",
        '"text"',
        "{}",
        "[null, 1, [], {}]",
        "[" * 100_000,
        "[1" + "0" * 5000 + "]",
        json.dumps([{**EDGE, "source": None}]),
        json.dumps([{**EDGE, "target": ""}]),
        json.dumps([{**EDGE, "type": ["Produced"]}]),
        json.dumps([{**EDGE, "origin": "mine"}]),
        json.dumps([{key: EDGE[key] for key in ("source", "target")}]),
    ],
)
def test_unreadable(value: str) -> None:
    """What is no edge is passed over; what stands beside it is read."""
    tags = {"smwatch.lineage": value, "smwatch.lineage.2": json.dumps([3, EDGE])}
    assert from_tags(tags) == Lineage(edges=(Edge(**EDGE),))


@pytest.mark.parametrize("key", ["smwatch.lineage.0", "smwatch.lineage.x", "smwatch.lineages"])
def test_other_tags(key: str) -> None:
    """Tags of other names are nobody's business here."""
    assert from_tags({key: json.dumps([EDGE])}) == Lineage()


def test_odd_descriptions() -> None:
    """What is said of an end is taken only where it is text."""
    item = {**EDGE, "source_kind": 7, "source_name": ["x"], "source_aliases": ["a", 1, ""]}
    (node,) = from_tags({"smwatch.lineage": json.dumps([item])}).nodes
    assert node == Node(id="s3://b/train", kind="data", aliases=("a",))


@given(st.dictionaries(st.sampled_from(("smwatch.lineage", "smwatch.lineage.1")), any_text))
def test_any_text(tags: dict[str, str]) -> None:
    """No text of a user stops the reader."""
    assert isinstance(from_tags(tags), Lineage)
