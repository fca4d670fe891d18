"""MetricDefinitions on log messages: equal to a search in each line, bounded, honest."""

from __future__ import annotations

import itertools
import math
import re
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_smwatch.core import patterns
from mlflow_smwatch.core.definitions import LogMatches, MetricReader
from mlflow_smwatch.core.job import MetricDefinition
from mlflow_smwatch.core.patterns import BlockPattern, LogPage, TimedPattern, compile_pattern

ATOMS = [
    *("a", "b", "0", "1", ".", r"\.", "=", " ", "ä", "[^a]", "[^0-9]", r"\d", r"\D", r"\s", r"\S"),
    *(
        r"\w",
        r"\W",
        "^",
        "$",
        r"\b",
        r"\B",
        "|",
        "(",
        "(?:",
        "(?P<n>",
        ")",
        ")",
        "*",
        "+",
        "?",
        "*?",
    ),
    *(
        "+?",
        "??",
        "{2}",
        "{0,2}",
        r"\A",
        r"\z",
        r"\C",
        r"\n",
        "\n",
        "[\n]",
        r"\x0a",
        r"\pL",
        r"\PN",
    ),
    *(
        r"\Q^$\E",
        r"\Q",
        "(?s)",
        "(?s:",
        "(?m)",
        "(?-m)",
        "(?i)",
        "(?-s)",
        "(?U)",
        "(?i-m:",
        "[^\\S]",
    ),
    *("(?-im)", "(?s-m:", "()", "[[:^alpha:]]", r"[\x00-\x{10FFFF}]", r"\\", r"\\A", ".*", "(.*)"),
]
PATTERNS = st.lists(st.sampled_from(ATOMS), min_size=1, max_size=8).map("".join)
LINES = st.text(st.sampled_from("ab01.= äA\n\r\\^\x0b\u2028"), max_size=8)
PAGES = st.lists(LINES, max_size=6)


def read(messages: list[str], *definitions: tuple[str, str]) -> LogMatches:
    given_ = [MetricDefinition(name=name, regex=pattern) for name, pattern in definitions]
    return MetricReader(given_, time.monotonic).read(messages)


def values(messages: list[str], *patterns_: str) -> list[tuple[int, float]]:
    return list(read(messages, *(("m", each) for each in patterns_)).values.get("m", ()))


def findings(line: str, pattern: str) -> dict[str, int]:
    return dict(read([line], ("m", pattern)).findings.get("m", {}))


@settings(max_examples=1500)
@given(PATTERNS, PAGES.filter(bool))
def test_a_page_at_once_is_a_search_in_each_line(pattern: str, messages: list[str]) -> None:
    """RE2 on the block finds the first match of each line, as RE2 on the line alone does."""
    alone = patterns.compile_re2(pattern)
    if alone is None or "{,2}" in pattern:
        return
    if not alone.groups:
        pattern = f"(){pattern}"
        alone = patterns.compile_re2(pattern)
        assert alone is not None
    page = LogPage.of(messages)
    found = list(compile_pattern(pattern, float).hits(page))
    expected = []
    for offset, line in page.lines():
        match = alone.search(line)
        if match is not None:
            first, last = match.span(1)
            group = (offset + first, offset + last) if first >= 0 else (-1, -1)
            expected.append((offset + match.start(), *group))
    assert found == expected


@given(st.lists(PATTERNS, min_size=1, max_size=3), PAGES, st.integers(0, 6))
def test_where_a_page_is_cut_changes_nothing(
    pool: list[str], messages: list[str], cut: int
) -> None:
    """Values are the same for any page size."""
    definitions = [MetricDefinition(name=f"m{len(each) % 2}", regex=each) for each in pool]
    whole = MetricReader(definitions, lambda: 0.0).read(messages)
    reader = MetricReader(definitions, lambda: 0.0)
    parts = [reader.read(messages[:cut]), reader.read(messages[cut:])]
    joined: dict[str, list[tuple[int, float]]] = {}
    for skipped, part in zip((0, min(cut, len(messages))), parts, strict=True):
        for name, found in part.values.items():
            moved = [(skipped + index, value) for index, value in found]
            joined.setdefault(name, []).extend(moved)
    assert joined == whole.values


def plain_loop(messages: list[str], pattern: str) -> list[tuple[int, float]]:
    found = []
    for index, message in enumerate(messages):
        for line in re.split(r"[\n\r]", message):
            match = re.search(pattern, line, re.ASCII)
            if match is not None:
                found.append((index, float(match.group(1))))
    return found


@pytest.mark.parametrize(
    "pattern",
    [r"loss=([0-9.]+)", r"(?<!val_)loss=([0-9.]+)", r"ä.*loss=([0-9.]+)$", r"\bloss=(\d)"],
)
@given(
    messages=st.lists(
        st.lists(st.sampled_from(["loss=0.5", "val_loss=2", " ", "\n", "\r", "ä", "x"])).map(
            "".join
        )
    )
)
def test_it_reads_what_a_plain_loop_reads(pattern: str, messages: list[str]) -> None:
    """Either engine gives the values of ``re.search`` in each line."""
    assert values(messages, pattern) == plain_loop(messages, pattern)


def test_the_first_match_in_a_line_and_its_first_group_count() -> None:
    """A message of several lines has a match in each; carriage returns end lines too."""
    messages = ["m=1 m=2\rm=3\r\nm=4", "", "x", "m=5"]
    assert values(messages, r"m=(\d)(.*)") == [(0, 1.0), (0, 3.0), (0, 4.0), (3, 5.0)]
    assert values([], r"m=(\d)") == []


def test_definitions_of_one_name_are_joined_by_line_then_definition() -> None:
    """Whichever engine they run on."""
    messages = ["b=2 a=1", "a=3\nb=4 a=5"]
    expected = [(0, 1.0), (0, 2.0), (1, 3.0), (1, 5.0), (1, 4.0)]
    assert values(messages, r"a=(\d)", r"b=(\d)") == expected
    assert values(messages, r"(?=a)a=(\d)", r"b=(\d)") == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1.0), (" 1.5 ", 1.5), ("-3.6e-05", -3.6e-05), ("+.5", 0.5), ("5.", 5.0)),
        *(("inf", math.inf), ("-Infinity", -math.inf), ("1e999", math.inf)),
        *(("1_000", None), ("\u0661", None), ("", None), ("0x10", None)),
    ],
)
@pytest.mark.parametrize("pattern", ["<(.*)>", "(?=<)<(.*)>"])
def test_numbers_are_read_as_python_does(pattern: str, text: str, value: float | None) -> None:
    """Without underscores, and ASCII alone; on both engines."""
    matches = read([f"<{text}>"], ("m", pattern))
    if value is None:
        assert matches == LogMatches(values={}, findings={"m": {"not-a-number": 1}})
    else:
        assert matches == LogMatches(values={"m": [(0, value)]}, findings={})


def test_nan_is_kept_and_a_group_without_part_is_skipped() -> None:
    """Both are what the contract of the log says."""
    ((_, value),) = values(["loss=nan"], "loss=(.*)")
    assert math.isnan(value)
    assert findings("b", "(a)|b") == {"not-a-number": 1}
    assert findings("b", "(?=b)(?:(a)|b)") == {"not-a-number": 1}


@pytest.mark.parametrize("pattern", ["ä=(\\d)", "(?=ä)ä=(\\d)", "ä.(\\d)", r"\Aü?ä=(\d)"])
def test_text_beyond_ascii(pattern: str) -> None:
    """Patterns and messages are UTF-8; a lone surrogate does no harm; offsets are right."""
    messages = ["\ud800", "ä=1", "日本 ü", "\udfffä=2", "ä=3\nä=4"]
    expected = [(1, 1.0), (3, 2.0), (4, 3.0), (4, 4.0)]
    assert values(messages, pattern) == [
        each for each in expected if "A" not in pattern or each[0] != 3
    ]
    assert findings("x", "(\ud800)") == {}


def test_escaped_control_characters_are_text() -> None:
    """Definitions of built-in algorithms expect ``#011``."""
    line = "[12]#011train-rmse:0.5#011validation-rmse:0.6"
    both = read(
        [line],
        ("train", r".*\[[0-9]+\].*#011train-rmse:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*"),
        ("validation", r"#011validation-rmse:([0-9.]+)"),
    )
    assert both == LogMatches(values={"train": [(0, 0.5)], "validation": [(0, 0.6)]}, findings={})
    assert findings("x#0110.5#015", "#011([0-9.]+)") == {}


def test_unusable_definitions_cost_their_metric_and_are_named_once() -> None:
    """Also those that would take all memory to compile."""
    definitions = [
        MetricDefinition(name="a", regex="("),
        MetricDefinition(name="a", regex="a=(.)"),
        MetricDefinition(name="b", regex="b=."),
        MetricDefinition(name="c", regex="(((a{1001}){1001}){1001}){1001}"),
        MetricDefinition(name="d", regex="(?=" * 400 + ")" * 400),
    ]
    reader = MetricReader(definitions, time.monotonic)
    broken = {"broken": 1}
    expected = {"a": broken, "b": {"no-group": 1}, "c": broken, "d": broken}
    assert reader.read(["a=1"]) == LogMatches(values={"a": [(0, 1.0)]}, findings=expected)
    assert reader.read(["a=1"]) == LogMatches(values={"a": [(0, 1.0)]}, findings={})


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        *(
            (r"a++=(\d)", "aa=5"),
            (r"a{1001}=(\d)", "a" * 1001 + "=5"),
            (r"(?u)(?=é)\w=(\d)", "é=5"),
        ),
        *((r"(?P<q>['\"])a(?P=q): (?<=a.: )([0-9])", "'a': 5"), (r"x(a){,2}(\d)", "xaa5")),
    ],
)
def test_what_re2_cannot_run_runs_on_the_other_engine(pattern: str, line: str) -> None:
    """Look-around, back-references, possessive and large counts are common in Python."""
    assert isinstance(compile_pattern(pattern, time.monotonic), TimedPattern)
    matches = list(compile_pattern(pattern, time.monotonic).hits(LogPage.of([line])))
    assert len(matches) == 1
    assert isinstance(compile_pattern("(a+)+$", time.monotonic), BlockPattern)


def test_a_catastrophe_for_others_is_none_for_re2() -> None:
    """Ten thousand characters, and a line of a megabyte, in milliseconds."""
    began = time.perf_counter()
    assert findings("a" * 10_000 + "b", "(a+)+$") == {}
    assert (
        values(["x" * 1_000_000 + " loss=5"], r"loss=(\d)", r"(?<!val_)loss=(\d)") == [(0, 5.0)] * 2
    )
    assert time.perf_counter() - began < 1.0


def test_a_runaway_is_stopped_and_not_run_again() -> None:
    """It keeps what it had before that line; other metrics go on."""
    definitions = [
        MetricDefinition(name="bad", regex=r"(?=[a\d])(\d)|(a+)+\2$"),
        MetricDefinition(name="bad", regex=r"n=(\d)"),
        MetricDefinition(name="good", regex=r"n=(\d)"),
    ]
    messages = ["1", "n=2", "a" * 10_000 + "b", "n=3"]
    reader = MetricReader(definitions, time.monotonic)
    began = time.perf_counter()
    first, second = reader.read(messages), reader.read(messages)
    assert time.perf_counter() - began < 5.0
    assert first.values == {"bad": [(0, 1.0), (1, 2.0), (1, 2.0)], "good": [(1, 2.0), (3, 3.0)]}
    assert first.findings == {"bad": {"runaway": 1}}
    assert second == LogMatches(values={"good": [(1, 2.0), (3, 3.0)]}, findings={})
    again = MetricReader(definitions, time.monotonic, dropped=["bad"])
    assert again.read(messages) == second


def test_many_slow_lines_use_the_budget_up() -> None:
    """No line is too slow by itself: the clock says a tenth of a second for sixteen of them."""
    ticks = itertools.count(step=1)
    definitions = [MetricDefinition(name="m", regex=r"(?=n)n=(\d)")]
    reader = MetricReader(definitions, lambda: next(ticks) * 0.1)
    lines = ["n=1"] * 16
    reads = [reader.read(lines) for _ in range(20)]
    assert [index for index, each in enumerate(reads) if each.findings] == [10]
    assert reads[10].findings == {"m": {"runaway": 1}}
    assert not reads[11].values


def test_a_busy_neighbour_does_not_make_a_runaway() -> None:
    """The engine keeps the interpreter's lock, and time of the thread is what counts."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            sum(range(1000))

    neighbour = threading.Thread(target=work)
    neighbour.start()
    try:
        reader = MetricReader([MetricDefinition(name="m", regex=r"(?<!x)n=(\d)")], time.thread_time)
        assert len(reader.read(["n=1"] * 2000).values["m"]) == 2000
    finally:
        done.set()
        neighbour.join()


@pytest.mark.parametrize(
    ("line", "pattern", "codes"),
    [
        (
            "'learning_rate': 3.6457e-05,",
            r"'learning_rate': ([0-9]+(.|e\-)[0-9]+),?",
            {"exponent": 1},
        ),
        ("lr=3e-05", r"lr=([0-9.]+)", {"exponent": 1}),
        ("lr=0.05", r"lr=([0-9]+)", {"exponent": 1}),
        ("lr=0.05", r"lr=([0-9]\.[0-9])", {"exponent": 1}),
        ("lr=1e-05", r"lr=([0-9]e-[0-9])", {"exponent": 1}),
        ("lr=0.05.", r"lr=([0-9.]+[0-9])", {}),
        ("epoch 5. loss", r"epoch ([0-9]+)", {}),
        ("version 1.2.3", r"version ([0-9]+)", {}),
        ("commit 12e4f", r"commit ([0-9]+)", {}),
        ("n=5e", r"n=(\d)", {}),
        ("5 items 6", r"(\d )", {}),
        ("loss=-0.5", r"loss=-?([0-9.]+)", {"sign": 1}),
        ("loss: -.5", r"loss: .([0-9.]+)", {"sign": 1}),
        ("loss -inf", r"loss -?(inf)", {"sign": 1}),
        ("#011-0.5", r"#011-([0-9.]+)", {"sign": 1}),
        ("algo-1", r"algo-(\d)", {}),
        ("[0]-1", r"-(\d)", {}),
        ("--5", r"--(\d)", {}),
        ("loss=-0.5", r"loss=(-[0-9.]+)", {}),
        ("loss 10.5", r"loss.*([0-9]\.[0-9])", {"beginning": 1}),
        ("loss 0.5", r"loss.*([0-9])", {"beginning": 1}),
        ("loss .5", r"loss .(\d)", {"beginning": 1}),
        ("layer.5", r"layer.(\d)", {}),
        ("lr 1,5", r"lr ([0-9]+.[0-9]+)", {"dot": 1}),
        ("at 10:30", r"at (\d+.\d+)", {"dot": 1}),
        ("lr 155", r"lr ([0-9]+.[0-9]+)", {}),
        ("lr 1.5", r"lr ([0-9]+.[0-9]+)", {}),
        ("at 10:30", r"at (\d+[.:]\d+)", {"not-a-number": 1}),
        ("loss=0.5 acc=0.9", "loss=(.*)", {"swallowed": 1}),
        ("loss=0.5,", r"loss=(\S+)", {"swallowed": 1}),
        ("acc=95%", r"acc=(\S+)", {"swallowed": 1}),
        ("day 2026-01-01", r"day (\S+)", {"not-a-number": 1}),
        ("commit 3fa87bc", r"commit (\S+)", {"not-a-number": 1}),
        ("loss=abc", "loss=(.*)", {"not-a-number": 1}),
    ],
)
def test_distortions_are_found(line: str, pattern: str, codes: dict[str, int]) -> None:
    """Values stay as SageMaker reads them; what is lost is counted."""
    assert findings(line, pattern) == codes


def test_a_number_taken_from_a_longer_name() -> None:
    """Counted for the metric whose match begins inside a word, if another has the number too."""
    loss, val_loss = ("loss", r"loss: (\S+)"), ("val_loss", r"val_loss: (\S+)")
    both = read(["val_loss: 0.6", "loss: 0.5 val_loss: 0.6", "#011loss: 1"], loss, val_loss)
    assert both.values["loss"] == [(0, 0.6), (1, 0.5), (2, 1.0)]
    assert both.findings == {"loss": {"inside-word": 1}}
    assert read(["val_loss: 0.6"], loss).findings == {}
    assert (
        read(["val_loss: 0.6"], ("loss", r"(?=l)loss: (\S+)"), val_loss).findings == both.findings
    )
    assert read(["loss: 0.6"], loss, ("again", r"loss: (\S+)")).findings == {}
