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
