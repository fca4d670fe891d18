"""The lineage page: well-formed for any name, self-contained, small, without overlap."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.lineage import IO, PRODUCED, Edge, Lineage, Node, reads, writes
from mlflow_smwatch.core.lineage_graph import LineageGraph
from mlflow_smwatch.core.lineage_html import DRAWN_EDGES, DRAWN_NODES, LISTED
from mlflow_smwatch.core.lineage_layout import BOX_HEIGHT, BOX_WIDTH, lay_out, to_layers
from tests.strategies import any_text, awkward_names

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:"
JOB = f"{ARN}training-job/churn-2026-11-21"
VOID = {"meta", "input", "br"}

hostile = st.one_of(
    awkward_names,
    any_text,
    st.sampled_from(
        (
            "<script>alert(1)</script>",
            "</title></svg><img src=x onerror=alert(1)>",
            '" onmouseover="alert(1)',
            "' autofocus onfocus='alert(1)",
            "]]><!--",
            "&lt;b&gt;",
            "\u202etxt.exe",
        )
    ),
).filter(bool)
numbers = st.integers(0, 7)
pairs = st.lists(st.tuples(numbers, numbers).filter(lambda p: p[0] != p[1]), unique=True)


class Page(HTMLParser):
    """Elements, attributes and texts of a page; refuses tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def twelve() -> LineageGraph:
    """Return a job with eight inputs and three outputs, as they are named in real accounts."""
    piece = Lineage()
    for n in range(8):
        uri = f"s3://sagemaker-eu-west-1-123456789012/churn/2026-11-21/input/channel-{n}/"
        piece += reads(JOB, Node(id=uri, kind="data", name=f"channel-{n}"))
    for n in range(3):
        uri = f"s3://sagemaker-eu-west-1-123456789012/churn/2026-11-21/output/{n}.tar.gz"
        piece += writes(JOB, Node(id=uri, kind="model-data"))
    run = Node(id=JOB, kind="training-job", name="churn-2026-11-21", run_id="0123456789abcdef" * 2)
    return LineageGraph.of([piece], [run]).around(JOB)


def test_small() -> None:
    """A page that is stored with each run is small."""
    assert len(twelve().nodes) == 12
    assert len(twelve().to_html().encode()) < 17_000


def test_loads_nothing() -> None:
    """The policy lets the page's own script run and nothing be loaded; nothing is."""
    html = twelve().to_html()
    policy = str(Page(html).all("meta")[1]["content"])
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}';" in policy
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:|//)""", html)
    assert not any(name.startswith("on") for _, each in Page(html).elements for name in each)


def test_content() -> None:
    """Each node is a link that keys reach, with kind, name, run and id; the tables have all."""
    graph = twelve()
    page = Page(graph.to_html())
    boxes = [each for each in page.all("a") if "data-l" in each]
    rows = {each["id"] for each in page.all("tr") if "id" in each}
    assert len(boxes) == len(graph.nodes)
    assert {str(each["href"])[1:] for each in boxes} == rows
    assert [each["class"] for each in boxes if each.get("class")] == ["root"]
    assert len(page.all("tr")) == 2 + len(graph.nodes) + len(graph.edges)
    assert "★ training-job · run 01234567" in page.texts
    assert f"training-job · churn-2026-11-21 · {JOB} · run {'0123456789abcdef' * 2}" in page.texts
    assert {each for each in page.texts if each.startswith("s3://")} == {
        node.id for node in graph.nodes if node.kind != "training-job"
    }
    assert "Lineage of churn-2026-11-21" in page.texts
    assert "Mine &amp; yours</h1>" in graph.to_html(title="Mine & yours")


@given(st.lists(hostile, min_size=8, max_size=8, unique=True), pairs, st.data())
def test_hostile_names(names: list[str], edges: list[tuple[int, int]], data: st.DataObject) -> None:
    """Whatever texts AWS gives, the page has the same elements and attributes as for plain ones."""
    run_id = data.draw(st.none() | hostile)
    kind = data.draw(hostile)

    def page(texts: list[str], other: str, run: str | None) -> Page:
        nodes = tuple(Node(id=each, kind=other, name=each, run_id=run and "r") for each in texts)
        told = tuple(
            Edge(source=texts[a], target=texts[b], type=other, origin=other) for a, b in edges
        )
        graph = LineageGraph(nodes, told, texts[:1])
        return Page(graph.to_html(title=other, run_url=lambda _: f"javascript:{other}"))

    plain = page([f"s3://b/{n}" for n in range(8)], "kind", run_id)
    found = page(names, kind, run_id)
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert [[*each] for _, each in found.elements] == [[*each] for _, each in plain.elements]
    assert all(each.replace("\n", "").isprintable() for each in found.texts)
    assert not any(str(each.get("href")).startswith("javascript") for each in found.all("a"))


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://mlflow.example/#/runs/1?a=1&b=%22", True),
        ("http://localhost:5000/#/", True),
        ("javascript:alert(1)", False),
        (" https://x", False),
        ("data:text/html,x", False),
        ("https://x/\n", False),
        ("", False),
        (None, False),
    ],
)
def test_run_links(address: str | None, *, linked: bool) -> None:
    """Runs are linked to pages only."""
    page = Page(twelve().to_html(run_url=lambda node: address if node.run_id else None))
    links = [each["href"] for each in page.all("a") if not str(each["href"]).startswith("#")]
    assert links == ([address] if linked else [])


def test_capped() -> None:
    """Of a big graph the nearest are drawn and the first are listed; what is left out is said."""
    edges = tuple(
        Edge(source=JOB, target=f"s3://b/{n}", type=PRODUCED, origin=IO) for n in range(LISTED + 50)
    ) + tuple(
        Edge(source=f"s3://b/{a}", target=f"s3://b/{b}", type=PRODUCED, origin=IO)
        for a, b in combinations(range(60), 2)
    )
    graph = LineageGraph.of([Lineage(edges=edges)]).around(JOB)
    html = graph.to_html()
    page = Page(html)
    assert sum("data-l" in each for each in page.all("a")) == DRAWN_NODES
    assert sum("data-e" in each for each in page.all("path")) == DRAWN_EDGES
    assert len(page.all("tr")) == 2 + 2 * LISTED
    assert f"Drawn are the {DRAWN_NODES} nodes nearest to the root." in html
    assert f"Drawn are the first {DRAWN_EDGES} edges." in html
    assert f"the first {LISTED} of {LISTED + 51}" in html
    ids = {each["id"] for each in page.all("tr") if "id" in each}
    ids |= {each["id"] for each in page.all("a") if "id" in each}
    assert {str(each["href"])[1:] for each in page.all("a")} <= ids


def test_empty() -> None:
    """A graph without nodes is a page, too."""
    assert "0 nodes, 0 edges" in LineageGraph.of([]).to_html()


@given(pairs)
def test_layout(edges: list[tuple[int, int]]) -> None:
    """No two boxes overlap, all is within the drawing, and lines end at their boxes."""
    layout = lay_out(8, edges)
    for (x, y), (other_x, other_y) in combinations(layout.corners, 2):
        assert abs(x - other_x) >= BOX_WIDTH or abs(y - other_y) >= BOX_HEIGHT
    for x, y in layout.corners:
        assert 0 <= x <= layout.width - BOX_WIDTH
        assert 0 <= y <= layout.height - BOX_HEIGHT
    for (source, target), route in zip(edges, layout.routes, strict=True):
        for node, (x, y) in ((source, route[0]), (target, route[-1])):
            left, top = layout.corners[node]
            assert left <= x <= left + BOX_WIDTH
            assert top <= y <= top + BOX_HEIGHT


@given(pairs)
def test_layers(edges: list[tuple[int, int]]) -> None:
    """Without cycles data flows to the right on every edge."""
    forward = {(min(pair), max(pair)) for pair in edges}
    layers = to_layers(8, sorted(forward))
    assert all(layers[a] < layers[b] for a, b in forward)
    assert min(layers) == 0


def test_cycle() -> None:
    """A cycle is opened at one edge; an input stands beside the first that reads it."""
    assert to_layers(5, [(0, 1), (1, 2), (2, 1), (2, 3), (4, 3)]) == [0, 1, 2, 3, 2]
