"""What the bar of a pass says beside the number of jobs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from mlflow_smwatch.cli.forecast import figures, growth_to_come
from mlflow_smwatch.report import Failure, SyncReport


def report(**changes: Any) -> SyncReport:
    given: dict[str, Any] = {"aws_calls": {"sagemaker:Search": 20, "logs:GetLogEvents": 80}}
    return SyncReport(**{**given, "points": 1234, "estimated_cost_usd": 0.5, **changes})


def test_what_has_come_and_what_will_come() -> None:
    """A quarter was found: calls and price will be four times as much."""
    assert figures(report(found=250, expected=1000)) == "1.23k points 100/400 calls $0.50/2.00"
    failed = report(found=250, expected=1000, failed=[Failure("job", "gone")])
    assert figures(failed).endswith("$0.50/2.00 1 failed")


@pytest.mark.parametrize(
    ("found", "expected"), [(0, 0), (0, 1000), (10, 1000), (1000, 1000), (1010, 1000)]
)
def test_no_forecast(found: int, expected: int) -> None:
    """Where nothing is known, too little was found, or nothing is left."""
    told = report(found=found, expected=expected)
    assert growth_to_come(told) == 1
    assert figures(told) == "1.23k points 100 calls $0.50"


def test_what_had_not_changed_costs_nothing() -> None:
    """A backfill that goes on where it was killed: what was done is no measure."""
    told = report(found=600, expected=1000, counts=Counter(unchanged=500, created=60))
    assert growth_to_come(told) == 1 + 400 / 100


def test_no_price() -> None:
    """Lists are free."""
    assert figures(report(estimated_cost_usd=0.0, points=0)) == "0 points 100 calls"
