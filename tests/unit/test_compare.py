"""What AWS has and what MLflow has → the differences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.compare import (
    Difference,
    PointDifference,
    compare_cloudwatch,
    compare_described,
    compare_final,
    compare_logs,
    compare_points,
    settled,
)
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.record import run_record
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.windows import Reading, TimeWindow
from tests.unit.jobs import completed_job

MINUTE = 60_000
HOUR = 60 * MINUTE
BEGIN = 1_790_000 * 1_000_000 // HOUR * HOUR
LARGEST = 1.7976931348623157e308

Series = Sequence[tuple[int, float]]
Shown = list[tuple[str, int, object, object]]

values = st.sampled_from([0.0, -0.0, 1.0, 2.0, math.nan, math.inf, -math.inf, LARGEST])
some_points = st.lists(st.builds(Point, st.integers(0, 3), values), max_size=8)
long_points = st.lists(
    st.builds(Point, st.integers(-100, 500).map(lambda n: BEGIN + n * MINUTE), values), max_size=12
)


def points(series: Series, begin_ms: int = 0) -> list[Point]:
    return [Point(begin_ms + at, value) for at, value in series]


def shown(found: Sequence[PointDifference], begin_ms: int = 0) -> Shown:
    return [(each.what, each.timestamp_ms - begin_ms, each.aws, each.mlflow) for each in found]


@pytest.mark.parametrize(
    ("aws", "mlflow", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([(1, 0.5), (2, 1.0)], [(2, 1.0), (1, 0.5)], [], id="any order"),
        pytest.param([(1, math.nan)], [(1, math.nan)], [], id="nan"),
        pytest.param([(1, math.inf)], [(1, LARGEST)], [], id="inf"),
        pytest.param([(1, -math.inf)], [(1, -LARGEST)], [], id="-inf"),
        pytest.param([(1, 0.0)], [(1, -0.0)], [], id="zero"),
        pytest.param([(1, math.nan)], [], [("missing", 1, "NaN", None)], id="missing"),
        pytest.param([], [(1, math.inf)], [("extra", 1, None, LARGEST)], id="extra"),
        pytest.param([(1, 5.0)], [(1, 5.0)] * 3, [("doubled", 1, 5.0, 5.0)] * 2, id="doubled"),
        pytest.param([(1, 5.0)] * 2, [(1, 5.0)], [("missing", 1, 5.0, None)], id="twice in AWS"),
        pytest.param(
            [(1, 5.0)],
            [(1, 6.0)],
            [("missing", 1, 5.0, None), ("extra", 1, None, 6.0)],
            id="another value",
        ),
        pytest.param(
            [(2, 1.0), (1, 1.0)],
            [(3, 1.0)],
            [("missing", 1, 1.0, None), ("missing", 2, 1.0, None), ("extra", 3, None, 1.0)],
            id="in time order",
        ),
    ],
)
def test_points(aws: Series, mlflow: Series, expected: Shown) -> None:
    """As many of each timestamp and value on both sides."""
    assert shown(compare_points(points(aws), points(mlflow))) == expected


@pytest.mark.parametrize(
    ("aws", "mlflow", "expected"),
    [
        pytest.param([(1, 5.0)], [(1, 6.0)], [("revised", 1, 5.0, 6.0)], id="one"),
        pytest.param([(1, math.nan)], [(1, 6.0)], [("revised", 1, "NaN", 6.0)], id="nan"),
        pytest.param(
            [(1, 5.0)],
            [(1, 6.0), (1, 7.0)],
            [("revised", 1, 5.0, 6.0), ("extra", 1, None, 7.0)],
            id="one of two",
        ),
        pytest.param([(1, 5.0)], [(1, 5.0), (1, 6.0)], [("extra", 1, None, 6.0)], id="both values"),
    ],
)
def test_revised_points(aws: Series, mlflow: Series, expected: Shown) -> None:
    """Another value at the same time is the same point where AWS may revise it."""
    assert shown(compare_points(points(aws), points(mlflow), revisable=True)) == expected


@given(some_points, st.randoms(use_true_random=False))
def test_a_series_equals_itself(series: list[Point], order: Any) -> None:
    """Whatever the order."""
    mixed = list(series)
    order.shuffle(mixed)
    assert compare_points(series, mixed) == []


@given(some_points, some_points, st.booleans())
def test_differences_lead_from_one_side_to_the_other(
    aws: list[Point], mlflow: list[Point], revisable: bool
) -> None:
    """What MLflow has, with the missing added and all else undone, is what AWS has."""
    have: Counter[object] = Counter((at, value) for at, value in _stamped(mlflow))
    for each in compare_points(aws, mlflow, revisable=revisable):
        if each.what in {"missing", "revised"}:
            have[each.timestamp_ms, each.aws] += 1
        if each.what != "missing":
            have[each.timestamp_ms, each.mlflow] -= 1
    assert +have == Counter(_stamped(aws))
    assert not -have


def _stamped(series: list[Point]) -> list[tuple[int, object]]:
    """Give points as differences show them; written out once more, on purpose."""
    return [
        (
            each.timestamp_ms,
            "NaN" if math.isnan(each.value) else min(max(each.value, -LARGEST), LARGEST),
        )
        for each in series
    ]


FADED = Reading(
    windows=(
        TimeWindow(BEGIN, BEGIN + HOUR, 3600),
        TimeWindow(BEGIN + HOUR, BEGIN + 2 * HOUR, 300),
        TimeWindow(BEGIN + 2 * HOUR, BEGIN + 3 * HOUR, 60),
    ),
    complete=True,
)
RUNNING = replace(FADED, complete=False)
GONE = Reading(windows=(), complete=True)


@pytest.mark.parametrize(
    ("aws", "mlflow", "expected"),
    [
        pytest.param([(0, 5.0)], [(MINUTE, 1.0), (7 * MINUTE, 2.0)], [], id="finer in an hour"),
        pytest.param([(HOUR, 5.0)], [(HOUR, 1.0), (HOUR + MINUTE, 2.0)], [], id="finer in five"),
        pytest.param([(HOUR, 5.0)], [(HOUR + MINUTE, 2.0)], [], id="one finer"),
        pytest.param([], [(HOUR, 1.0)], [], id="AWS forgot"),
        pytest.param([(HOUR, 5.0)], [(HOUR, 5.0)], [], id="as coarse"),
        pytest.param(
            [(HOUR, 5.0)], [(HOUR, 1.0)], [("revised", HOUR, 5.0, 1.0)], id="as coarse, revised"
        ),
        pytest.param(
            [(HOUR, 5.0)],
            [(HOUR - MINUTE, 1.0), (HOUR + 5 * MINUTE, 1.0)],
            [("missing", HOUR, 5.0, None)],
            id="missing in five minutes",
        ),
        pytest.param([(0, 5.0)], [], [("missing", 0, 5.0, None)], id="missing in an hour"),
        pytest.param(
            [(HOUR, 5.0)],
            [(HOUR, 5.0), (HOUR, 5.0)],
            [("doubled", HOUR, 5.0, 5.0)],
            id="coarse, doubled",
        ),
        pytest.param(
            [(0, 5.0)],
            [(MINUTE, 1.0), (MINUTE, 1.0), (2 * MINUTE, 1.0)],
            [("doubled", MINUTE, 1.0, 1.0)],
            id="finer, doubled",
        ),
        pytest.param(
            [(2 * HOUR, 5.0), (2 * HOUR + MINUTE, 6.0)],
            [(2 * HOUR, 4.0), (2 * HOUR + 2 * MINUTE, 7.0)],
            [
                ("revised", 2 * HOUR, 5.0, 4.0),
                ("missing", 2 * HOUR + MINUTE, 6.0, None),
                ("extra", 2 * HOUR + 2 * MINUTE, None, 7.0),
            ],
            id="minutes",
        ),
        pytest.param([], [(3 * HOUR, 1.0)], [("extra", 3 * HOUR, None, 1.0)], id="after the end"),
    ],
)
def test_faded_periods(aws: Series, mlflow: Series, expected: Shown) -> None:
    """Each stretch is compared at the period at which CloudWatch still stores it."""
    found = compare_cloudwatch(points(aws, BEGIN), points(mlflow, BEGIN), FADED, BEGIN)
    assert shown(found, BEGIN) == expected


@pytest.mark.parametrize(
    ("reading", "begin_ms", "at", "expected"),
    [
        pytest.param(FADED, BEGIN + 1, -MINUTE, ["extra"], id="before the job"),
        pytest.param(FADED, BEGIN - 1, -MINUTE, [], id="before what is stored"),
        pytest.param(RUNNING, BEGIN, 3 * HOUR, [], id="after what was read"),
        pytest.param(FADED, BEGIN, 3 * HOUR, ["extra"], id="after the last period"),
        pytest.param(GONE, BEGIN, 0, [], id="nothing stored"),
    ],
)
def test_borders_of_what_is_stored(
    reading: Reading, begin_ms: int, at: int, expected: list[str]
) -> None:
    """Beyond what is stored, and beyond what was read, nothing is compared."""
    found = compare_cloudwatch([], points([(at, 1.0)], BEGIN), reading, begin_ms)
    assert [each.what for each in found] == expected


@given(long_points, long_points, st.sampled_from([FADED, RUNNING, GONE]))
def test_faded_series_never_lose_a_fine_one(
    aws: list[Point], mlflow: list[Point], reading: Reading
) -> None:
    """In a coarse stretch nothing is extra; nothing is found outside of both sides."""
    coarse_ms = BEGIN + 2 * HOUR
    found = compare_cloudwatch(aws, mlflow, reading, BEGIN)
    assert [each.timestamp_ms for each in found] == sorted(each.timestamp_ms for each in found)
    assert not [e for e in found if e.what == "extra" and BEGIN <= e.timestamp_ms < coarse_ms]
    assert {each.timestamp_ms for each in found} <= {
        point.timestamp_ms for point in (*aws, *mlflow)
    }
    assert {each.what for each in compare_cloudwatch(aws, aws, reading, BEGIN)} <= {"doubled"}


@pytest.mark.parametrize(
    ("aws", "mlflow", "written", "expected"),
    [
        pytest.param([(3, 1.0)], [(1, 1.0), (2, 1.0), (3, 1.0)], 3, [], id="beginning gone"),
        pytest.param([], [(1, 1.0)], 1, [], id="all gone"),
        pytest.param([(3, 1.0)], [(1, 1.0), (3, 1.0)], 1, ["extra"], id="invented"),
        pytest.param([(3, 1.0)], [(2, 1.0), (4, 1.0)], 2, ["missing", "extra"], id="after it"),
        pytest.param([(3, 1.0)], [(3, 1.0), (3, 1.0)], 2, ["doubled"], id="doubled"),
        pytest.param([(3, 1.0), (4, 1.0)], [(3, 1.0)], 1, ["missing"], id="late"),
    ],
)
def test_logs(aws: Series, mlflow: Series, written: int, expected: list[str]) -> None:
    """Where the mirror wrote more than there is, what comes before the first point has expired."""
    found = compare_logs(points(aws), points(mlflow), written)
    assert [each.what for each in found] == expected


@pytest.mark.parametrize(
    ("mlflow", "expected"),
    [
        pytest.param([], ["missing"], id="nothing"),
        pytest.param([(5, 1.0)], [], id="equal"),
        pytest.param([(4, 1.0), (5, 1.5)], [], id="a curve that AWS forgot"),
        pytest.param([(5, 1.0), (6, 1.0)], ["extra"], id="beside it"),
    ],
)
def test_final_value(mlflow: Series, expected: list[str]) -> None:
    """A run that has a curve instead of the final value has what AWS no longer stores."""
    found = compare_final(points([(5, 1.0)]), points(mlflow))
    assert [each.what for each in found] == expected


def test_what_is_not_due() -> None:
    """Missing points may be on their way; what MLflow has beyond the reading came after it."""
    found = compare_points(points([(1, 1.0), (5, 1.0)]), points([(2, 2.0), (5, 2.0)]))
    assert [each.what for each in found] == ["missing", "extra", "missing", "extra"]
    assert settled(found, due=True) == found
    assert settled(found, due=False) == [found[1], found[3]]
    assert settled(found, due=False, read_to_ms=5) == [found[1]]


RECORD = run_record(
    completed_job(hyperparameters=(("depth", "3"), ("lr", '"0.1"')), ended_ms=1_790_000_500_000)
)


def run(**changes: Any) -> KnownRun:
    """Make a run that is as the record says."""
    base: dict[str, Any] = {
        "run_id": "1",
        "experiment_id": "0",
        "status": "FINISHED",
        "start_ms": RECORD.start_ms,
        "end_ms": 1_790_000_500_000,
        "active": True,
        "tags": {"smwatch.version": "1"},
        "params": {"depth": "3", "lr": "0.1", "mine": "1"},
    }
    return KnownRun(**{**base, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [], id="equal"),
        pytest.param({"status": "FAILED"}, [("status", None, "FINISHED", "FAILED")], id="status"),
        pytest.param(
            {"end_ms": None}, [("status", "end_time", 1_790_000_500_000, None)], id="no end"
        ),
        pytest.param({"params": {"lr": "0.1"}}, [("param", "depth", "3", None)], id="lost param"),
        pytest.param(
            {"params": {"lr": "1", "depth": "3"}}, [("param", "lr", "0.1", "1")], id="other param"
        ),
        pytest.param({"params": {"lr": "1", "depth": "3"}, "tags": {}}, [], id="script's param"),
    ],
)
def test_described(changes: dict[str, Any], expected: list[tuple[object, ...]]) -> None:
    """Status, end and params; what a job's own script logged is the script's."""
    found = list(compare_described(RECORD, run(**changes), as_written=True))
    arn = RECORD.arn
    assert found == [
        Difference(arn=arn, what=what, key=key, aws=aws, mlflow=mlflow)  # type: ignore[arg-type]
        for what, key, aws, mlflow in expected
    ]
    assert list(compare_described(RECORD, run(**changes), as_written=False)) == []


def test_end_of_a_run_that_goes_on() -> None:
    """MLflow may keep an end that somebody set: a running job has none to compare."""
    running = run_record(completed_job(status="InProgress", ended_ms=None))
    now = run(status=running.status, params={})
    assert list(compare_described(running, now, as_written=True)) == []
