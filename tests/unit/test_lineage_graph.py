"""The lineage graph against plain definitions of what it says."""

from __future__ import annotations

import random
import sys
from itertools import pairwise, permutations

import networkx as nx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_smwatch.core.errors import StopError, UnknownJobError, UsageError
from mlflow_smwatch.core.lineage import (
    ASSOCIATION,
    CONTRIBUTED_TO,
    IO,
    PRODUCED,
    Edge,
    Lineage,
    Node,
    reads,
    writes,
)
from mlflow_smwatch.core.lineage_graph import LineageGraph

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:"
PREPARE = f"{ARN}processing-job/prepare"
CHURN = f"{ARN}training-job/Churn-1"
COMPONENT = f"{ARN}experiment-trial-component/churn-1-aws-training-job"
ARTIFACT = f"{ARN}artifact/0123456789abcdef"
SCORE = f"{ARN}transform-job/score"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1.4"

RUNS = (
    Node(id=PREPARE, kind="processing-job", name="prepare", run_id="a" * 32),
    Node(id=CHURN, kind="training-job", name="Churn-1", run_id="b" * 32, aliases=(COMPONENT,)),
    Node(id=SCORE, kind="transform-job", name="score", run_id="c" * 32),
)


def data(uri: str, name: str | None = None) -> Node:
    return Node(id=uri, kind="data", name=name)


def pipeline() -> LineageGraph:
    """Three jobs, in a row because of where their data lies."""
    piece = (
        reads(PREPARE, data("s3://raw/2026/"))
        + writes(PREPARE, Node(id="s3://b/prep/train", kind="output"))
        + writes(PREPARE, Node(id="s3://b/prep/test", kind="output"))
        + reads(CHURN, data("s3://b/prep/train/", "train"))
        + reads(CHURN, Node(id=IMAGE, kind="image"))
        + writes(CHURN, Node(id="s3://b/out/churn", kind="output"))
        + reads(SCORE, Node(id="s3://b/out/churn/model.tar.gz", kind="model-data"))
        + reads(SCORE, data("s3://b/prep"))
    )
    return LineageGraph.of([piece], RUNS)


def ids(nodes: tuple[Node, ...]) -> list[str]:
    return [node.id for node in nodes]


numbers = st.integers(0, 7)
pairs = st.lists(st.tuples(numbers, numbers), max_size=20)


def numbered(edges: list[tuple[int, int]]) -> LineageGraph:
    """Return a graph of models that have numbers for names."""
    return LineageGraph.of(
        [
            Lineage(
                edges=tuple(
                    Edge(source=model(a), target=model(b), type="DerivedFrom", origin=ASSOCIATION)
                    for a, b in edges
                ),
                nodes=tuple(Node(id=model(n), kind="model") for n in range(8)),
            )
        ]
    )


def model(number: int) -> str:
    return f"{ARN}model/{number}"


def distances(edges: list[tuple[int, int]], start: int) -> dict[int, int]:
    """Find the steps to all that can be reached, by trying all edges again and again."""
    found = {start: 0}
    for steps in range(1, 9):
        near = {b for a, b in edges if found.get(a) == steps - 1}
        found.update(dict.fromkeys(near - found.keys(), steps))
    return {node: steps for node, steps in found.items() if steps}


@given(pairs, numbers, st.none() | st.integers(0, 4))
def test_closure(edges: list[tuple[int, int]], start: int, depth: int | None) -> None:
    """Upstream and downstream are the transitive closure, nearest first, cycles or not."""
    graph = numbered(edges)
    for found, wanted in (
        (graph.downstream(model(start), depth), distances(edges, start)),
        (graph.upstream(model(start), depth), distances([(b, a) for a, b in edges], start)),
    ):
        steps = [wanted[int(node.name or "")] for node in found]
        assert steps == sorted(steps)
        within = {n for n, s in wanted.items() if depth is None or s <= depth}
        assert set(ids(found)) == {model(n) for n in within}
        assert len(found) == len(within)


@given(pairs, numbers)
def test_around(edges: list[tuple[int, int]], start: int) -> None:
    """A subgraph has the root, its ancestors and descendants, all edges between them, no more."""
    graph = numbered(edges)
    part = graph.around(model(start))
    kept = {model(start), *ids(graph.upstream(model(start))), *ids(graph.downstream(model(start)))}
    assert part.root == part.nodes[0].id == model(start)
    assert set(ids(part.nodes)) == kept
    assert set(part.edges) == {e for e in graph.edges if {e.source, e.target} <= kept}
    assert set(part.upstream()) == set(graph.upstream(model(start)))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_paths(edges: list[tuple[int, int]]) -> None:
    """Paths are all simple ones, shortest first, up to the limit."""
    graph = numbered(edges)
    wanted = {
        tuple(map(model, (0, *between, 4)))
        for count in range(4)
        for between in permutations((1, 2, 3), count)
        if all(step in edges for step in pairwise((0, *between, 4)))
    }
    found = [tuple(ids(path)) for path in graph.paths(model(0), model(4), limit=None)]
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert [*map(len, found)] == sorted(map(len, found))
    assert len(graph.paths(model(0), model(4), limit=1)) == min(1, len(wanted))


@given(pairs, numbers, numbers)
def test_diff(edges: list[tuple[int, int]], a: int, b: int) -> None:
    """The ancestors of two things fall into three parts."""
    graph = numbered(edges)
    diff = graph.diff(model(a), model(b))
    of_a, of_b = set(graph.upstream(model(a))), set(graph.upstream(model(b)))
    assert set(diff.only_a) == of_a - of_b
    assert set(diff.only_b) == of_b - of_a
    assert set(diff.both) == of_a & of_b


places = st.lists(st.sampled_from(("a", "ab", "a-b", "a.b", "")), max_size=4).map(
    lambda parts: "s3://b/" + "/".join(parts)
)
ends = st.lists(st.tuples(st.integers(0, 2), st.booleans(), places), max_size=12)


def segments(uri: str) -> tuple[str, ...]:
    return tuple(uri.rstrip("/").split("/"))


@given(ends)
@example([(0, True, "s3://b/a/c"), (1, False, "s3://b/a"), (2, False, "s3://b/a-b")])
def test_edges_between_places(told: list[tuple[int, bool, str]]) -> None:
    """Outputs within inputs of other jobs, and around them, give edges; by whole segments."""
    jobs = [f"{ARN}training-job/{n}" for n in range(3)]
    pieces = [
        writes(jobs[job], data(uri)) if is_output else reads(jobs[job], data(uri))
        for job, is_output, uri in told
    ]
    wanted = {
        (segments(out), segments(source), CONTRIBUTED_TO if inside else "DerivedFrom")
        for writer, is_output, out in told
        for reader, is_other, source in told
        for inside in [len(segments(source)) < len(segments(out))]
        if is_output and not is_other and writer != reader and segments(out) != segments(source)
        if segments(out)[: len(segments(source))] == segments(source)
        or segments(source)[: len(segments(out))] == segments(out)
    }
    found = [e for e in LineageGraph.of(pieces).edges if not {e.source, e.target} & {*jobs}]
    assert {(segments(e.source), segments(e.target), e.type) for e in found} == wanted
    assert len(found) == len(wanted)
    assert {e.origin for e in found} <= {IO}


def test_whole_way() -> None:
    """Jobs are joined by what lies at one place, within it and around it."""
    graph = pipeline()
    assert ids(graph.upstream(SCORE)) == [
        "s3://b/out/churn/model.tar.gz",
        "s3://b/prep",
        "s3://b/out/churn",
        "s3://b/prep/test",
        "s3://b/prep/train",
        CHURN,
        PREPARE,
        IMAGE,
        "s3://raw/2026/",
    ]
    assert ids(graph.runs()) == [PREPARE, CHURN, SCORE]
    assert ids(graph.before(graph.find(CHURN))) == ["s3://b/prep/train", IMAGE]
    assert ids(graph.after(graph.find(CHURN))) == ["s3://b/out/churn"]
    up = graph.around(CHURN, "upstream", depth=1)
    assert ids(up.nodes) == [CHURN, "s3://b/prep/train", IMAGE]
    assert SCORE in ids(graph.around(CHURN, "downstream").nodes)


def test_recorded_and_read_off_are_one() -> None:
    """Ids, aliases and spellings of a thing are one node; edges stay by type and origin."""
    recorded = Lineage(
        edges=(
            Edge(
                source=ARTIFACT,
                target=COMPONENT.upper()
                .replace("ARN:AWS", "arn:aws")
                .replace("SAGEMAKER:EU-WEST", "sagemaker:eu-west"),
                type=CONTRIBUTED_TO,
                origin=ASSOCIATION,
            ),
            Edge(source=CHURN.lower(), target=COMPONENT, type="SameAs", origin=ASSOCIATION),
        ),
        nodes=(
            Node(id="s3://b/train/", kind="artifact", aliases=(ARTIFACT,)),
            Node(id=COMPONENT, kind="trial-component", name="a component"),
        ),
    )
    told = reads(CHURN, data("s3://b/train", "train")) + reads(CHURN, data("s3://b/train", "train"))
    for pieces in ([recorded, told], [told, recorded, told]):
        graph = LineageGraph.of(pieces, RUNS[1:2])
        job, place = graph.find(CHURN), graph.find(ARTIFACT)
        assert job == Node(
            id=CHURN,
            kind="training-job",
            name="Churn-1",
            run_id="b" * 32,
            aliases=tuple(sorted({*job.aliases})),
        )
        assert {COMPONENT, CHURN.lower()} <= {*job.aliases}
        assert place == Node(
            id="s3://b/train", kind="data", name="train", aliases=(ARTIFACT, "s3://b/train/")
        )
        assert {(e.source, e.target, e.type, e.origin) for e in graph.edges} == {
            ("s3://b/train", CHURN, CONTRIBUTED_TO, IO),
            ("s3://b/train", CHURN, CONTRIBUTED_TO, ASSOCIATION),
        }
        assert len(graph.edges) == len(graph.nodes) == 2


@given(pairs, st.lists(st.tuples(numbers, numbers), max_size=5), st.randoms())
def test_aliases(
    edges: list[tuple[int, int]], same: list[tuple[int, int]], rng: random.Random
) -> None:
    """Whatever is an alias of an alias is one node; the order of the pieces makes no difference."""
    group = list(range(8))
    for a, b in same:
        group = [group[a] if each == group[b] else each for each in group]
    pieces = [
        *(Lineage(nodes=(Node(id=model(a), kind="model", aliases=(model(b),)),)) for a, b in same),
        *(
            Lineage(edges=(Edge(source=model(a), target=model(b), type=PRODUCED, origin=IO),))
            for a, b in edges
        ),
    ]
    graph = LineageGraph.of(pieces)
    told = {n for pair in (*edges, *same) for n in pair}
    for a in told:
        for b in told:
            assert (graph.find(model(a)) == graph.find(model(b))) is (group[a] == group[b])
    assert {(group[number(e.source)], group[number(e.target)]) for e in graph.edges} == {
        (group[a], group[b]) for a, b in edges if group[a] != group[b]
    }
    rng.shuffle(pieces)
    again = LineageGraph.of(pieces)
    assert {*again.nodes} == {*graph.nodes}
    assert {*again.edges} == {*graph.edges}


def number(model_id: str) -> int:
    return int(model_id.rpartition("/")[2])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (CHURN, [CHURN]),
        (CHURN.lower(), [CHURN]),
        (COMPONENT, [CHURN]),
        ("churn-1-aws-training-job", [CHURN]),
        ("Churn-1", [CHURN]),
        ("churn-1", [CHURN]),
        ("b" * 32, [CHURN]),
        (IMAGE, [IMAGE]),
        ("churn:1.4", [IMAGE]),
        ("s3://raw/2026", ["s3://raw/2026/"]),
        ("s3://b/out/churn/", ["s3://b/out/churn"]),
        ("s3://raw", ["s3://raw/2026/"]),
        ("s3://b/out", ["s3://b/out/churn", "s3://b/out/churn/model.tar.gz"]),
        ("s3://b/prep/train/part-0.csv", ["s3://b/prep/train"]),
        ("train", ["s3://b/prep/train"]),
        ("s3://b/prep/tra", ["s3://b/prep"]),
        ("s3://elsewhere/x", []),
        ("s3://", []),
        ("nobody", []),
        ("", []),
    ],
)
def test_find_all(text: str, found: list[str]) -> None:
    """A thing is found by whatever a user may know of it."""
    assert ids(pipeline().find_all(text)) == found


def test_name_of_several() -> None:
    """A name stands for all runs of that name before anything else of that name."""
    runs = [Node(id=f"{ARN}{kind}/x", kind=kind, name="x", run_id=kind) for kind in ("a", "b")]
    graph = LineageGraph.of([reads(runs[0].id, Node(id=f"{ARN}model/x", kind="model"))], runs)
    assert ids(graph.find_all("x")) == [each.id for each in runs]
    assert graph.around("x").roots == tuple(each.id for each in runs)
    with pytest.raises(UsageError, match=f"x stands for 2 things.*{ARN}a/x, {ARN}b/x"):
        graph.find("x")


def test_unknown() -> None:
    """What is not there is said in one line, with what may have been meant."""
    with pytest.raises(UnknownJobError, match="did you mean Churn-1") as raised:
        pipeline().find("CHUR")
    assert str(raised.value).isprintable()
    with pytest.raises(UnknownJobError, match="has it been mirrored"):
        pipeline().around("zz\n\x1b[31m")
    with pytest.raises(UsageError, match="no root"):
        pipeline().upstream()
    with pytest.raises(UsageError, match="sideways"):
        pipeline().around(CHURN, "sideways")  # type: ignore[arg-type]


def test_undescribed() -> None:
    """Kind and name follow from the id where nobody told them."""
    told = {
        f"{ARN}training-job/j": ("training-job", "j"),
        f"{ARN}hyper-parameter-tuning-job/t": ("tuning-job", "t"),
        f"{ARN}pipeline/p/execution/abc": ("pipeline-execution", "abc"),
        f"{ARN}model-package/group/3": ("model-package", "group/3"),
        "arn:aws:s3:::bucket": ("s3", "bucket"),
        "arn:broken": ("artifact", "arn:broken"),
        "s3://bucket": ("data", "bucket"),
        "s3://bucket/a/b/": ("data", "b"),
        IMAGE: ("image", "churn:1.4"),
        "https://github.com/o/r": ("artifact", "r"),
    }
    edges = tuple(Edge(source=each, target=CHURN, type=PRODUCED, origin=IO) for each in told)
    nodes = LineageGraph.of([Lineage(edges=edges)]).nodes
    assert {n.id: (n.kind, n.name) for n in nodes if n.id != CHURN} == told


def test_two_runs_of_one_arn() -> None:
    """Of two runs the first counts; the other's id still leads to the node."""
    graph = LineageGraph.of([], [RUNS[0], Node(id=PREPARE, kind="x", name="old", run_id="d" * 32)])
    assert graph.nodes == (
        Node(
            id=PREPARE, kind="processing-job", name="prepare", run_id="a" * 32, aliases=("d" * 32,)
        ),
    )
    assert graph.find("d" * 32).run_id == "a" * 32


def test_networkx() -> None:
    """Networkx has the same nodes and edges, parallel ones too, and finds the same ancestors."""
    graph = pipeline().around(SCORE)
    other = graph.to_networkx()
    assert isinstance(other, nx.MultiDiGraph)
    assert other.graph == {"root": SCORE}
    assert other.nodes[CHURN] == {
        "kind": "training-job",
        "name": "Churn-1",
        "run_id": "b" * 32,
        "aliases": (COMPONENT,),
    }
    assert sorted(other.edges(data="type")) == sorted(
        (e.source, e.target, e.type) for e in graph.edges
    )
    assert nx.ancestors(other, SCORE) == {*ids(graph.upstream())}


def test_dataframe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data frame has a row for each edge; without pandas the way out is named."""
    pytest.importorskip("pandas")
    graph = pipeline()
    frame = graph.to_dataframe()
    assert [*frame.columns] == ["source", "target", "type", "origin"]
    assert [Edge(**row) for row in frame.to_dict("records")] == [*graph.edges]
    assert [*LineageGraph.of([]).to_dataframe().columns] == [*frame.columns]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(StopError, match="pip install pandas"):
        graph.to_dataframe()


@pytest.mark.slow
def test_long_chain() -> None:
    """Depth costs no recursion; many places within each other are found at once."""
    edges = [(n, n + 1) for n in range(20_000)]
    piece = Lineage(
        edges=tuple(
            Edge(source=model(a), target=model(b), type=PRODUCED, origin=IO) for a, b in edges
        )
    )
    graph = LineageGraph.of([piece])
    assert len(graph.downstream(model(0))) == 20_000
    assert repr(graph) == "<LineageGraph: 20001 nodes, 20000 edges>"
    assert repr(graph.around(model(3), depth=0)).endswith(f"1 nodes, 0 edges, root {model(3)}>")
