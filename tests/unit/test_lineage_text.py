"""Lineage as JSON, tree, DOT and Mermaid, with names of whatever kind."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.lineage import IO, PRODUCED, Edge, Lineage, Node, reads, writes
from mlflow_smwatch.core.lineage_graph import LineageGraph
from mlflow_smwatch.core.lineage_text import shortened
from tests.strategies import any_text, awkward_names

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:"
JOB = f"{ARN}training-job/churn"
SCORE = f"{ARN}transform-job/score"
RUN = Node(
    id=JOB,
    kind="training-job",
    name="churn",
    run_id="a1",
    aliases=(f"{ARN}experiment-trial-component/c",),
)

hostile = st.one_of(
    awkward_names,
    any_text,
    st.sampled_from(
        (
            '"]; n0 --> n1',
            "`**bold**`",
            "%%{init: {}}%%",
            "end",
            "style x:#fff;",
            "#quot;",
            "\\",
            '\\"',
            "&quot;",
            "a\\Nb",
            "--&gt;",
            "\u2028|\x1b[31m",
            "subgraph",
            "x\r\n}\n",
        )
    ),
).filter(bool)


@st.composite
def hostile_graphs(draw: st.DrawFn) -> LineageGraph:
    """Return a graph whose ids, kinds, names, run ids and types are any text."""
    ids = draw(st.lists(hostile, min_size=2, max_size=5, unique=True))
    one = st.sampled_from(ids)
    nodes = [
        Node(id=each, kind=draw(hostile), name=draw(hostile), run_id=draw(st.none() | hostile))
        for each in ids
    ]
    edges = st.builds(Edge, source=one, target=one, type=hostile, origin=hostile)
    piece = Lineage(edges=tuple(draw(st.lists(edges, max_size=6))), nodes=tuple(nodes))
    graph = LineageGraph.of([piece])
    return graph.around(draw(st.sampled_from(graph.nodes))) if draw(st.booleans()) else graph


def small() -> LineageGraph:
    """Return a job between its data and what came of it, with a cycle through its checkpoint."""
    piece = (
        reads(JOB, Node(id="s3://b/train", kind="data"))
        + writes(f"{ARN}processing-job/prep", Node(id="s3://b/train", kind="data"))
        + reads(JOB, Node(id="s3://b/ck/1", kind="checkpoint"))
        + writes(JOB, Node(id="s3://b/ck/1", kind="checkpoint"))
        + writes(JOB, Node(id="s3://b/m.tar.gz", kind="model-data"))
        + reads(SCORE, Node(id="s3://b/m.tar.gz", kind="model-data"))
    )
    return LineageGraph.of([piece], [RUN])


def test_json() -> None:
    """The document has these keys and no others."""
    document = small().around(JOB, "downstream", depth=1).to_json()
    assert json.loads(json.dumps(document)) == {
        "root": JOB,
        "nodes": [
            {
                "id": JOB,
                "kind": "training-job",
                "name": "churn",
                "run_id": "a1",
                "aliases": [*RUN.aliases],
            },
            {
                "id": "s3://b/ck/1",
                "kind": "checkpoint",
                "name": "1",
                "run_id": None,
                "aliases": [],
            },
            {
                "id": "s3://b/m.tar.gz",
                "kind": "model-data",
                "name": "m.tar.gz",
                "run_id": None,
                "aliases": [],
            },
        ],
        "edges": [
            {"source": JOB, "target": "s3://b/ck/1", "type": PRODUCED, "origin": IO},
            {"source": JOB, "target": "s3://b/m.tar.gz", "type": PRODUCED, "origin": IO},
            {"source": "s3://b/ck/1", "target": JOB, "type": "ContributedTo", "origin": IO},
        ],
    }
    assert small().to_json()["root"] is None


def test_tree() -> None:
    """The root is in the middle; what was shown is not followed again."""
    assert small().around(JOB).to_tree().splitlines() == [
        f"   ┌─ training-job  churn  {JOB}  run a1  (as below)",
        "┌─ checkpoint  1  s3://b/ck/1",
        f"│  ┌─ processing-job  prep  {ARN}processing-job/prep",
        "├─ data  train  s3://b/train",
        f"training-job  churn  {JOB}  run a1",
        "├─ checkpoint  1  s3://b/ck/1",
        f"│  └─ training-job  churn  {JOB}  run a1  (as above)",
        "└─ model-data  m.tar.gz  s3://b/m.tar.gz",
        f"   └─ transform-job  score  {SCORE}",
    ]


def test_tree_without_root() -> None:
    """Without a root each thing is drawn, and followed, once."""
    lines = small().to_tree().splitlines()
    assert lines[0] == f"processing-job  prep  {ARN}processing-job/prep"
    shown = [line for line in lines if not line.endswith("(as above)")]
    assert len(shown) == len(small().nodes)


def test_deep_tree() -> None:
    """A branch ends, and says so, before its lines are wider than any screen."""
    edges = tuple(
        Edge(source=f"s3://b/{n}", target=f"s3://b/{n + 1}", type=PRODUCED, origin=IO)
        for n in range(2000)
    )
    lines = LineageGraph.of([Lineage(edges=edges)]).around("s3://b/0").to_tree().splitlines()
    assert len(lines) == 101
    assert lines[-1].endswith("(goes on)")


def test_dot() -> None:
    """Kinds have shapes and the root is emphasised."""
    lines = small().around(JOB, "upstream", depth=1).to_dot().splitlines()
    assert lines[4].startswith('  n0 [label="training-job\\nchurn\\nrun a1", shape=box')
    assert lines[4].endswith(f'tooltip="{JOB}", penwidth=3];')
    assert 'n1 [label="data\\ntrain", shape=cylinder' in "\n".join(lines)
    assert '  n2 -> n0 [label="ContributedTo", tooltip="io"];' in lines


def test_mermaid() -> None:
    """Kinds have shapes and the root is emphasised."""
    assert small().around(JOB, "downstream", depth=1).to_mermaid().splitlines() == [
        "flowchart LR",
        '  n0["training-job<br/>churn"]',
        '  n1[("checkpoint<br/>1")]',
        '  n2{{"model-data<br/>m.tar.gz"}}',
        '  n0 -->|"Produced"| n1',
        '  n0 -->|"Produced"| n2',
        '  n1 -->|"ContributedTo"| n0',
        "  style n0 stroke-width:4px",
    ]


DOT_STRING = r'"(?:[^"\\]|\\.)*"'
DOT_LINE = re.compile(rf"  n\d+(?: -> n\d+)? \[(?:\w+=(?:{DOT_STRING}|\w+)(?:, )?)+\];")
SAFE = r"(?:[\w ./-]|…|#\d+;)*"
MERMAID_NODE = re.compile(
    rf'  n\d+(?:\["|\[\("|\{{\{{"|\[\["|>"|\("){SAFE}<br/>{SAFE}(?:"\]|"\)\]|"\}}\}}|"\]\]|"\))'
)
MERMAID_EDGE = re.compile(rf'  n\d+ -->\|"{SAFE}"\| n\d+')


@given(hostile_graphs())
def test_hostile_names(graph: LineageGraph) -> None:
    """Whatever a name holds, each node and edge is one well-formed line."""
    nodes, edges = len(graph.nodes), len(graph.edges)
    head, *lines, end, rest = graph.to_dot().split("\n")
    assert (head, end, rest) == ("digraph lineage {", "}", "")
    assert len(lines) == 3 + nodes + edges
    assert all(DOT_LINE.fullmatch(line) for line in lines[3:])
    assert all(line.isprintable() for line in lines)
    _, *lines, rest = graph.to_mermaid().split("\n")
    assert len(lines) == nodes + edges + len(graph.roots)
    assert all(MERMAID_NODE.fullmatch(line) for line in lines[:nodes])
    assert all(MERMAID_EDGE.fullmatch(line) for line in lines[nodes : nodes + edges])
    assert all(line.isprintable() for line in graph.to_tree().split("\n"))
    document = json.loads(json.dumps(graph.to_json()))
    assert [node["name"] for node in document["nodes"]] == [node.name for node in graph.nodes]


def test_dot_shows_names_as_they_are() -> None:
    """What Graphviz would read as an escape or an entity comes out as it went in."""
    node = Node(id="s3://b/x", kind="data", name='a\\N"&lt;')
    assert 'label="data\\na\\\\N\\"&amp;lt;"' in LineageGraph.of([Lineage(nodes=(node,))]).to_dot()


@given(any_text, st.integers(3, 40))
def test_shortened(text: str, width: int) -> None:
    """A label is printable, no longer than wished, and keeps both ends of a name."""
    label = shortened(text, width)
    assert label.isprintable()
    assert len(label) <= width
    assert shortened("a" * 50 + "z", width)[-1] == "z"
    assert shortened("損失" * 50, 20) == "損失損失損…損失損失"
