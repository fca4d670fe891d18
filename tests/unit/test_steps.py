"""Steps of a run's points → those that cannot be right."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.compare import PointDifference, compare_logs, compare_points
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.steps import WrittenPoint, compare_numbers, compare_steps

Shown = list[tuple[int, object, object]]

LOG = [(1, 1.0), (2, 2.0), (3, 3.0)]
TWICE = [(1, 1.0), (2, 2.0), (2, 2.0)]


def points(series: Sequence[tuple[int, float]]) -> list[Point]:
    return [Point(at, value) for at, value in series]


def written(series: Sequence[tuple[int, float, int]]) -> list[WrittenPoint]:
    return [WrittenPoint(at, value, step) for at, value, step in series]


def shown(found: Sequence[PointDifference]) -> Shown:
    assert {each.what for each in found} <= {"step"}
    return [(each.timestamp_ms, each.aws, each.mlflow) for each in found]


@pytest.mark.parametrize(
    ("aws", "mlflow", "mirrored", "expected"),
    [
        pytest.param(LOG, [(1, 1.0, 0), (2, 2.0, 1), (3, 3.0, 2)], 3, [], id="right"),
        pytest.param(LOG, [(3, 3.0, 1), (2, 2.0, 2), (1, 1.0, 0)], 3, [], id="one came late"),
        pytest.param(LOG, [(1, 1.0, 0), (2, 2.0, 9), (3, 3.0, 2)], 3, [(2, 1, 9)], id="beyond"),
        pytest.param(LOG, [(1, 1.0, -1), (2, 2.0, 1), (3, 3.0, 2)], 3, [(1, 0, -1)], id="below"),
        pytest.param(LOG, [(1, 1.0, 0), (2, 2.0, 2), (3, 3.0, 2)], 3, [(2, 1, 2)], id="used twice"),
        pytest.param(
            LOG,
            [(1, 1.0, 1), (2, 2.0, 0), (3, 3.0, 0)],
            3,
            [(2, None, 0), (3, 2, 0)],
            id="by none of those whose it is",
        ),
        pytest.param(LOG, [(1, 1.0, 0), (3, 3.0, 2)], 3, [], id="one is missing"),
        pytest.param(
            LOG,
            [(1, 1.0, 0), (2, 2.0, 1), (3, 3.0, 2), (2, 2.0, 7), (4, 4.0, 1)],
            3,
            [],
            id="doubled and extra ones are named already",
        ),
        pytest.param(
            TWICE, [(1, 1.0, 8), (2, 2.0, 2), (2, 2.0, 9)], 3, [(1, 0, 8), (2, 1, 9)], id="equal"
        ),
        pytest.param(
            LOG[2:], [(1, 1.0, 0), (2, 2.0, 1), (3, 3.0, 2)], 3, [], id="beginning is gone"
        ),
        pytest.param(
            LOG[2:],
            [(1, 1.0, 0), (2, 2.0, 1), (3, 3.0, 1)],
            3,
            [(2, None, 1), (3, None, 1)],
            id="beginning is gone, used twice",
        ),
    ],
)
def test_numbers(
    aws: list[tuple[int, float]],
    mlflow: list[tuple[int, float, int]],
    mirrored: int,
    expected: Shown,
) -> None:
    """Steps of n points from logs are 0 to n-1, each once."""
    found = compare_logs(points(aws), written(mlflow), mirrored)
    steps = compare_numbers(points(aws), written(mlflow), found, mirrored)
    assert shown(list(steps)) == expected


@given(st.lists(st.builds(Point, st.integers(0, 3), st.sampled_from([0.0, 1.0]))), st.data())
def test_any_order_of_numbers_may_be_right(aws: list[Point], data: st.DataObject) -> None:
    """Whichever events came late; moved beyond the end, each one is found."""
    steps = data.draw(st.permutations(range(len(aws))))
    have = [
        WrittenPoint(point.timestamp_ms, point.value, step)
        for point, step in zip(aws, steps, strict=True)
    ]
    assert list(compare_numbers(aws, have, [], len(aws))) == []
    moved = [WrittenPoint(each.timestamp_ms, each.value, each.step + len(aws)) for each in have]
    found = list(compare_numbers(aws, moved, [], len(aws)))
    assert len(found) == len(aws)
    assert sorted(str(each.aws) for each in found) == sorted(str(n) for n in range(len(aws)))


@pytest.mark.parametrize(
    ("aws", "mlflow", "expected"),
    [
        pytest.param([(20, 1.0)], [(20, 1.0, 2)], [], id="right"),
        pytest.param([(20, 1.0)], [(20, 1.0, 3)], [(20, 2, 3)], id="another"),
        pytest.param([(20, 1.0)], [(20, 5.0, 3)], [(20, 2, 3)], id="of a revised point"),
        pytest.param([(20, 1.0)], [(20, 1.0, 2), (20, 1.0, 3)], [], id="doubled"),
        pytest.param([(20, 1.0)], [(20, 1.0, 2), (30, 1.0, 9)], [], id="extra"),
    ],
)
def test_steps_that_follow_from_the_time(
    aws: list[tuple[int, float]], mlflow: list[tuple[int, float, int]], expected: Shown
) -> None:
    """Only what is not named otherwise is named."""
    found = compare_points(points(aws), written(mlflow), revisable=True)
    steps = compare_steps(written(mlflow), found, lambda timestamp_ms: timestamp_ms // 10)
    assert shown(list(steps)) == expected
