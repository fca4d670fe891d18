"""What a pass read → new points and the next watermark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.job import FinalMetric, Job, MetricDefinition, Phase
from mlflow_smwatch.core.job_kinds import TRAINING_JOB
from mlflow_smwatch.core.log_progress import LogPart
from mlflow_smwatch.core.log_streams import StreamPosition
from mlflow_smwatch.core.progress import Measured, Progress, progress
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.core.windows import Reading, TimeWindow

START = 1_790_000_040_000
MINUTE = 60_000
CPU = "system/algo-1/cpu_utilization_percentage"
JOB = Job(
    kind=TRAINING_JOB,
    arn=Arn.parse("arn:aws:sagemaker:eu-west-1:123456789012:training-job/job"),
    name="job",
    status="Completed",
    created_ms=START + 500,
    ended_ms=START + 20 * MINUTE,
    modified_ms=START + 20 * MINUTE,
    document="{}",
    hosts=("algo-1",),
    billable_s=120,
    phases=(Phase(status="Training", duration_ms=1500),),
    definitions=(
        MetricDefinition(name="loss", regex="(.)"),
        MetricDefinition(name="acc", regex="(.)"),
    ),
    final_metrics=(
        FinalMetric(name="loss", value=0.5, timestamp_ms=START + MINUTE),
        FinalMetric(name="acc", value=0.75, timestamp_ms=START + 2 * MINUTE),
    ),
)


def points(*minutes: int) -> list[Point]:
    return [Point(START + minute * MINUTE, float(minute)) for minute in minutes]


def reading(start: int, end: int, *, complete: bool) -> Reading:
    window = TimeWindow(START + start * MINUTE, START + end * MINUTE, 60)
    return Reading(windows=(window,), complete=complete)


def no_history(key: str) -> Iterable[WrittenPoint]:
    message = f"nothing was to be asked of MLflow, but {key} was"
    raise AssertionError(message)


def history(*moments_ms: int) -> list[WrittenPoint]:
    return [WrittenPoint(moment_ms, 0.0, 0) for moment_ms in moments_ms]


def step(
    before: Watermark, series: Mapping[str, Sequence[Point]], read: Reading, **options: Any
) -> Progress:
    denied = options.pop("denied", ())
    measured = Measured(series=series, reading=read, denied=denied)
    return progress(JOB, before, measured, **{"written": no_history, **options})


def written(found: Progress) -> list[tuple[str, int, float]]:
    return [(point.key, point.step, point.value) for point in found.points]


def test_steps_are_whole_seconds_since_creation_rounded_down() -> None:
    """A period that began before CreationTime has a step below 0."""
    found = step(Watermark(made_ms=1), {"loss": points(0, 1)}, reading(0, 5, complete=False))
    assert written(found) == [("loss", -1, 0.0), ("loss", 59, 1.0)]
    assert found.watermark.source == "cloudwatch"
    assert found.watermark.read_to_ms == START + 5 * MINUTE
    assert not found.watermark.final


def test_final_values_stand_in_only_for_metrics_without_a_point() -> None:
    """The metric loss has points, acc has none."""
    found = step(Watermark(made_ms=1), {"loss": points(1)}, reading(0, 30, complete=True))
    assert ("acc", 119, 0.75) in written(found)
    assert [each for each in written(found) if each[0] == "loss"] == [("loss", 59, 1.0)]
    assert found.watermark.source == "cloudwatch"
    assert found.watermark.final


def test_only_final_values_make_the_source_final() -> None:
    """CloudWatch was read to the end and has nothing."""
    found = step(Watermark(made_ms=1), {"loss": []}, reading(0, 30, complete=True))
    assert found.watermark.source == "final"


def test_denied_is_not_empty() -> None:
    """No final values for what could not be read, and the run stays open."""
    found = step(
        Watermark(made_ms=1), {}, reading(0, 30, complete=True), denied=("no metrics: denied",)
    )
    assert {point.key for point in found.points} == {
        "sagemaker/billable_seconds",
        "sagemaker/phase_seconds/Training",
    }
    assert not found.watermark.final
    assert found.watermark.read_to_ms is None


def test_giving_up_what_is_denied_makes_it_final() -> None:
    """Still without final values."""
    found = step(
        Watermark(made_ms=1),
        {},
        reading(0, 30, complete=True),
        denied=("no metrics: denied",),
        give_up_denied=True,
    )
    assert {point.key for point in found.points} == {
        "sagemaker/billable_seconds",
        "sagemaker/phase_seconds/Training",
    }
    assert found.watermark.final
    assert found.watermark.source == "none"


def test_durations_are_written_once_at_the_end() -> None:
    """Step 0, timestamp = the job's end, in seconds."""
    found = step(Watermark(made_ms=1), {}, reading(0, 30, complete=True))
    durations = {point.key: point for point in found.points if point.key.startswith("sagemaker/")}
    assert durations["sagemaker/phase_seconds/Training"].value == 1.5
    assert durations["sagemaker/billable_seconds"].value == 120.0
    assert {point.timestamp_ms for point in durations.values()} == {JOB.ended_ms}
    assert {point.step for point in durations.values()} == {0}
    again = step(found.watermark, {}, reading(0, 30, complete=True))
    assert again.points == ()


def test_a_second_look_with_as_many_points_writes_nothing() -> None:
    """MLflow is not even asked."""
    before = Watermark(made_ms=1, points={CPU: 3}, read_to_ms=START + 3 * MINUTE)
    found = step(before, {CPU: points(0, 1, 2)}, reading(0, 30, complete=True))
    assert CPU not in {point.key for point in found.points}


def test_a_late_point_is_found_by_the_second_look() -> None:
    """Only what MLflow lacks is written."""
    before = Watermark(made_ms=1, points={CPU: 2}, read_to_ms=START + 3 * MINUTE)
    have = history(START, START + 2 * MINUTE)
    found = step(
        before, {CPU: points(0, 1, 2)}, reading(0, 30, complete=True), written=lambda _: have
    )
    assert [each for each in written(found) if each[0] == CPU] == [(CPU, 59, 1.0)]
    assert found.watermark.points[CPU] == 3


def test_what_the_script_logged_is_never_sent() -> None:
    """A key that an adopted run has belongs to its script."""
    found = step(
        Watermark(made_ms=1, adopted=True),
        {"loss": points(1), CPU: points(1)},
        reading(0, 30, complete=True),
        logged_keys=frozenset({"loss"}),
    )
    keys = {point.key for point in found.points}
    assert "loss" not in keys
    assert {CPU, "acc"} <= keys


minutes = st.sets(st.integers(0, 29))


@given(minutes, st.lists(st.integers(1, 29), max_size=4), st.data())
def test_any_split_into_passes_writes_the_same_points(
    have: set[int], cuts: list[int], data: st.DataObject
) -> None:
    """With points that come late, and passes at any time, each point is written once."""
    late = data.draw(st.sets(st.sampled_from(sorted(have)))) if have else set()
    stored: list[int] = []
    watermark = Watermark(made_ms=1)
    for end in sorted(set(cuts)):
        start = 0
        if watermark.read_to_ms is not None:
            start = (watermark.read_to_ms - START) // MINUTE
        seen = sorted(minute for minute in have - late if start <= minute < end)
        found = step(watermark, {CPU: points(*seen)}, reading(start, end, complete=False))
        stored += [point.timestamp_ms for point in found.points]
        watermark = found.watermark
    last = step(
        replace(watermark),
        {CPU: points(*sorted(have))},
        reading(0, 30, complete=True),
        written=lambda _: history(*stored),
    )
    stored += [point.timestamp_ms for point in last.points if point.key == CPU]
    assert sorted(stored) == [START + minute * MINUTE for minute in sorted(have)]
    assert last.watermark.points.get(CPU, 0) == len(have)


@pytest.mark.parametrize("source", ["logs", "final"])
def test_a_curve_of_another_source_gets_no_points_of_cloudwatch(source: str) -> None:
    """Another mirror chose the source between the plan and the writing; utilisation goes on."""
    series = {"loss": points(1), CPU: points(1, 2)}
    before = Watermark(made_ms=1, source=source)
    found = step(before, series, reading(0, 5, complete=False))
    assert written(found) == [(CPU, 59, 1.0), (CPU, 119, 2.0)]
    assert found.watermark.source == source


def test_a_curve_of_cloudwatch_gets_no_points_of_the_logs() -> None:
    """Nor does the watermark move on in the streams."""
    part = LogPart(steps={})
    part.add({"loss": points(1)}, {"algo-1-1": StreamPosition(START, 1)}, {})
    measured = Measured(series={}, reading=reading(0, 5, complete=False), logs=part)
    before = Watermark(made_ms=1, source="cloudwatch", points={"loss": 3})
    found = progress(JOB, before, measured, written=no_history)
    assert written(found) == []
    assert (found.watermark.points, found.watermark.streams) == ({"loss": 3}, {})


def test_a_run_without_a_source_takes_the_first_that_gives_points() -> None:
    """A final run without any algorithm metric is open to one that comes late."""
    before = Watermark(made_ms=1, source="none", final=True)
    found = step(before, {"loss": points(1)}, reading(0, 5, complete=False))
    assert found.watermark.source == "cloudwatch"


def test_a_run_without_any_algorithm_metric_stays_so() -> None:
    """A look that reads nothing does not open its source again."""
    before = Watermark(made_ms=1, source="none", final=True)
    found = step(before, {}, Reading(windows=(), complete=True))
    assert found.watermark.source == "none"
