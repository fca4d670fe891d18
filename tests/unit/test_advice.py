"""Warnings about definitions: clear, sorted, and with a pattern that reads the right value."""

from __future__ import annotations

import pytest
import re2

from mlflow_smwatch.core.advice import PATTERN_LIMIT, better_pattern, warnings
from mlflow_smwatch.core.definitions import MetricReader
from mlflow_smwatch.core.job import MetricDefinition

KNOWN_BAD = [
    ("exponent", r"'learning_rate': ([0-9]+(.|e\-)[0-9]+),?", "'learning_rate': 3.6457e-05,"),
    ("exponent", r"'learning_rate': ([0-9\.]+)", "'learning_rate': 3.6457e-05,"),
    ("exponent", r"lr=(\d)\.?\d*e", "lr=3.6457e-05"),
    ("exponent", r"lr=([\d.]+)e-[0-9]{2}", "lr=3.6457e-05"),
    ("exponent", r"lr=(?P<lr>\d+)", "lr=0.000036457"),
    ("exponent", r"lr=(\d+)\.\d+", "lr=0.000036457"),
    ("sign", r"lr=-?([0-9.e-]+)", "lr=-3.6457e-05"),
    ("sign", r"lr: \D*([0-9.]+e-05)", "lr: -3.6457e-05"),
    ("sign", r"lr=.?([0-9.]+e-05);", "lr=-3.6457e-05;"),
    ("sign", r"lr=[^0-9]{0,5}(\S+)", "lr=-3.6457e-05"),
    ("dot", r"lr ([0-9]+.[0-9]*)", "lr 1, then"),
    ("swallowed", r"lr=(.*)", "lr=3.6457e-05 acc=0.9"),
    ("swallowed", r"lr=(.*)$", "lr=3.6457e-05 acc=0.9"),
    ("swallowed", r"(?:x|lr)=(\S+) acc", "lr=3.6457e-05, acc=0.9"),
    ("swallowed", r"lr:(\S+)", "lr:3.6457e-05#011acc:0.5"),
    ("beginning", r"lr.*([0-9]+\.[0-9]+e-05)", "lr 1: 13.6457e-05"),
    ("beginning", r"lr=([0-9e.-])+", "lr=3.6457e-05"),
]
RIGHT = {"lr 1, then": 1.0, "lr 1: 13.6457e-05": 1.0, "lr=0.000036457": 3.6457e-05}


def read(pattern: str, line: str) -> tuple[list[float], dict[str, int]]:
    matches = MetricReader([MetricDefinition(name="m", regex=pattern)], lambda: 0.0).read([line])
    return [value for _, value in matches.values.get("m", ())], dict(matches.findings.get("m", {}))


@pytest.mark.parametrize(("code", "pattern", "line"), KNOWN_BAD)
def test_the_better_pattern_reads_the_right_value(code: str, pattern: str, line: str) -> None:
    """The user's pattern is found out; the proposed one reads the number as it stands."""
    right = RIGHT.get(line, -3.6457e-05 if code == "sign" else 3.6457e-05)
    wrong, codes = read(pattern, line)
    assert wrong != [right]
    assert codes.get(code) == 1
    better = better_pattern(pattern, code)
    assert better is not None
    assert read(better, line) == ([right], {})


def test_a_name_inside_a_longer_one_is_kept_out() -> None:
    """Two metrics that take the same number: the shorter name lets go of it, not of its own."""
    definitions = [
        MetricDefinition(name="loss", regex=r"loss: (\S+)"),
        MetricDefinition(name="val_loss", regex=r"val_loss: (\S+)"),
    ]
    matches = MetricReader(definitions, lambda: 0.0).read(["val_loss: 0.6", "loss: 0.5"])
    assert matches.findings == {"loss": {"inside-word": 1}}
    better = better_pattern(definitions[0].regex, "inside-word")
    assert better is not None
    for line, right in (
        ("val_loss: 0.6", []),
        ("loss: 0.5", [0.5]),
        ("epoch 1, loss: 0.5", [0.5]),
        ("[1]#011loss: 0.5", [0.5]),
    ):
        assert read(better, line) == (right, {})
    assert better_pattern("(?i)loss: (a)|b", "inside-word") == (
        r"(?i)(?:^|#0\d\d|[^\w.:/-])(?:loss: (a)|b)"
    )
    assert better_pattern("^loss: (.*)", "inside-word") is None


def test_warnings_are_sorted_sentences() -> None:
    """One for each metric and code, with the count, the user's pattern and a better one."""
    definitions = [
        MetricDefinition(name="loss", regex="loss=(.*)"),
        MetricDefinition(name="acc", regex="acc=[0-9"),
        MetricDefinition(name="acc", regex="acc=([0-9])"),
        MetricDefinition(name="f1", regex="f1=.*"),
        MetricDefinition(name="lr", regex=r"(a+)+\1$"),
    ]
    findings = {
        "lr": {"runaway": 1},
        "loss": {"swallowed": 1, "not-a-number": 2},
        "f1": {"no-group": 1},
        "acc": {"broken": 1},
        "gone": {"sign": 3},
    }
    said = warnings(definitions, findings)
    assert [each.partition(":")[0] for each in said] == [
        "metric acc",
        "metric f1",
        "metric gone",
        "metric loss",
        "metric loss",
        "metric lr",
    ]
    assert said[0] == "metric acc: its pattern does not compile; pattern acc=[0-9"
    assert said[3] == (
        "metric loss: 2 matches are skipped, the captured text is not a number;"
        " pattern loss=(.*); let the group capture the number alone"
    )
    assert said[4] == (
        "metric loss: 1 match is skipped, the group goes on after the number; pattern loss=(.*);"
        r" better loss=([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    )
    assert warnings(definitions, dict(reversed(findings.items()))) == said


def test_users_text_is_shown_short_and_without_control_characters() -> None:
    """A pattern of 500 characters is cut; a line break in a name does not break the line."""
    definitions = [MetricDefinition(name="a\nb", regex="\x1b" + "x" * 400 + "=([0-9]+)")]
    (said,) = warnings(definitions, {"a\nb": {"not-a-number": 1}})
    assert said.startswith("metric a\\nb: ")
    assert "\\x1b" + "x" * 195 + "…" in said
    assert said.isprintable()


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<!val_)loss=([0-9]+)",  # RE2 has no look-behind
        r"(l)oss=\1([0-9]+)",
        "x" * 460 + "=([0-9]+)",  # the better one would be too long
        "\u200b=([0-9]+)",  # cannot be shown as RE2 writes it
        "loss=[0-9]+",
        "loss=([0-9]+",
    ],
)
def test_where_no_pattern_is_safe_words_must_do(pattern: str) -> None:
    """What is proposed compiles on RE2 and is one that SageMaker accepts; else it is said."""
    assert better_pattern(pattern, "exponent") is None
    (said,) = warnings([MetricDefinition(name="m", regex=pattern)], {"m": {"exponent": 2}})
    assert "let the group capture the whole number" in said


@pytest.mark.parametrize(
    ("pattern", "better"),
    [
        (r"\(x\) [(] \Q(\E (?:a|(?P<n>b(c)d))", r"\(x\) [(] \Q(\E (?:a|(?P<n>NUMBER))"),
        (r"[]()] (\))", r"[]()] (NUMBER)"),
        (r"[[:alpha:](] ([)])", r"[[:alpha:](] (NUMBER)"),
        (r"a*?(x)", r"a*?(NUMBER)"),
        (r"a\+(x)", r"a\+(NUMBER)"),
    ],
)
def test_the_first_group_is_found(pattern: str, better: str) -> None:
    """Brackets that are text, in a class or of another kind of group are not taken for it."""
    number = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
    proposed = better_pattern(pattern, "sign")
    assert proposed == better.replace("NUMBER", number)
    assert len(proposed) <= PATTERN_LIMIT
    assert re2.compile(proposed).groups >= 1
