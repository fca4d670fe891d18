"""Points → requests of PutMetricData, and the note of what is published."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlflow_smwatch.core.errors import JobError, UsageError
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT
from mlflow_smwatch.core.published import (
    PUBLISHED_TAG,
    Destination,
    advanced,
    published_tags,
    read_published,
    require_room,
)
from mlflow_smwatch.core.publishing import (
    Mark,
    PublishWindow,
    Skipped,
    batches,
    data_of,
    is_storable,
    request,
    select,
)
from mlflow_smwatch.core.publishing_names import (
    DEFAULT_DIMENSIONS,
    dimensions_of,
    metric_name,
    require_dimensions,
    require_namespace,
)
from mlflow_smwatch.core.steps import WrittenPoint
from tests.jobs import DAY_MS, HOUR_MS, MINUTE_MS

NOW_MS = 1_800_000_000_000
WINDOW = PublishWindow.at(NOW_MS)
TO = (("Experiment", "e" * 200), ("RunId", "0" * 32))
HUGE = 2.0**360

VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(0, 3).map(float),
    st.sampled_from([HUGE, -HUGE, HUGE * 2]),
)
TIMES = st.one_of(
    st.integers(NOW_MS - 16 * DAY_MS, NOW_MS + 4 * HOUR_MS),
    st.integers(NOW_MS - 3 * MINUTE_MS, NOW_MS),
)
POINTS = st.lists(
    st.builds(
        WrittenPoint, timestamp_ms=TIMES, value=VALUES, step=st.integers(-(2**63), 2**63 - 1)
    ),
    max_size=60,
)


def taken(point: WrittenPoint) -> bool:
    """Say whether CloudWatch takes a point; written out once more, on purpose."""
    age_ms = NOW_MS - point.timestamp_ms
    return (
        math.isfinite(point.value)
        and abs(point.value) <= HUGE
        and age_ms >= -110 * MINUTE_MS
        and point.timestamp_ms // MINUTE_MS * MINUTE_MS >= NOW_MS - 14 * DAY_MS + 10 * MINUTE_MS
    )


def minute(point: WrittenPoint) -> tuple[int, float]:
    """Give what CloudWatch keeps of a point: seconds of its minute, and its value."""
    return point.timestamp_ms // MINUTE_MS * 60, point.value


def put(requests: list[dict[str, object]]) -> dict[str, Counter[tuple[int, float]]]:
    """Give what requests put, by the metric's name."""
    found: dict[str, Counter[tuple[int, float]]] = {}
    for each in requests:
        for datum in each["MetricData"]:  # type: ignore[attr-defined]
            counter = found.setdefault(datum["MetricName"], Counter())
            for value, count in zip(datum["Values"], datum["Counts"], strict=True):
                counter[datum["Timestamp"], value] += int(count)
    return found


@given(st.dictionaries(st.sampled_from(["a", "b/c", "ä"]), POINTS))
@settings(max_examples=200)
def test_every_point_is_put_once(series: dict[str, list[WrittenPoint]]) -> None:
    """Each that CloudWatch takes, in its minute, and no other; what is left out is counted."""
    selections = {key: select(points, None, WINDOW) for key, points in series.items()}
    data = (datum for key, each in selections.items() for datum in data_of(key, each))
    cut = list(batches(data, "mlflow", TO))
    wanted = {metric_name(key): Counter(map(minute, filter(taken, p))) for key, p in series.items()}
    assert put([request(each, "mlflow", TO) for each in cut]) == {
        name: counts for name, counts in wanted.items() if counts
    }
    for key, points in series.items():
        skipped = selections[key].skipped
        left_out = skipped.unstorable + skipped.too_old + skipped.too_new
        assert left_out == len([each for each in points if not taken(each)])
        assert skipped.late == 0


@given(POINTS, st.integers(0, 60))
@settings(max_examples=200)
def test_stopping_anywhere_and_going_on_puts_the_same(
    points: list[WrittenPoint], stop: int
) -> None:
    """After any number of data: the mark says exactly what is left."""
    data = list(data_of("a", select(points, None, WINDOW)))
    done, mark = data[:stop], data[:stop][-1].mark if data[:stop] else None
    rest = select(points, mark, WINDOW)
    assert rest.skipped.late == 0
    again = [*done, *data_of("a", rest)]
    assert sum((Counter(each.values) for each in again), Counter()) == sum(
        (Counter(each.values) for each in data), Counter()
    )
    if data:
        assert again[-1].mark == data[-1].mark
        assert select(points, data[-1].mark, WINDOW).points == ()


@given(
    st.integers(1, 2500),
    st.integers(1, 400),
    st.integers(1, 250),
    st.sampled_from([1.0, 1 / 3, -1.2345678901234567e-100]),
)
@example(points=2500, per_minute=1, key_length=250, scale=1 / 3)
@example(points=2500, per_minute=400, key_length=1, scale=-1.2345678901234567e-100)
@settings(max_examples=25, deadline=None)
def test_requests_are_within_the_limits(
    points: int, per_minute: int, key_length: int, scale: float
) -> None:
    """Data, values and bytes, as JSON is sent before it is compressed."""
    begin_ms = NOW_MS - 13 * DAY_MS
    written = [
        WrittenPoint(begin_ms + n // per_minute * MINUTE_MS, n * scale, n) for n in range(points)
    ]
    data = data_of("k" * key_length, select(written, None, WINDOW))
    cut = list(batches(data, "n" * 255, (("D" * 255, "v" * 1024), *TO)))
    assert sum(each.points for each in cut) == points
    for each in cut:
        sent = request(each, "n" * 255, (("D" * 255, "v" * 1024), *TO))
        assert 1 <= len(sent["MetricData"]) <= 1_000
        assert all(1 <= len(datum["Values"]) <= 150 for datum in sent["MetricData"])
        assert len(json.dumps(sent)) <= 1_000_000
    assert len(cut) <= 1 + points // 100


def test_few_requests_take_many_points() -> None:
    """A day of a point a second, in less than a megabyte for each 20,000."""
    points = [WrittenPoint(NOW_MS - DAY_MS + n * 1000, n / 7, n) for n in range(86_400)]
    cut = list(batches(data_of("loss", select(points, None, WINDOW)), "mlflow", TO))
    assert sum(each.points for each in cut) == 86_400
    assert len(cut) <= 4


def test_late_points_are_told() -> None:
    """A point that is logged before the mark cannot be told from one that was put."""
    points = [WrittenPoint(NOW_MS + n, n, n) for n in range(5)]
    (datum,) = data_of("a", select(points, None, WINDOW))
    late = select([*points, WrittenPoint(NOW_MS - 9, 0.0, 9)], datum.mark, WINDOW)
    assert (late.points, late.skipped) == ((), Skipped(late=1))
    further = [*points, WrittenPoint(NOW_MS - 9, 0.0, 9), WrittenPoint(NOW_MS + 9, 1.0, 9)]
    (after,) = data_of("a", select(further, datum.mark, WINDOW))
    assert (after.points, after.mark.count) == (1, 7)


MARKS = st.builds(
    Mark,
    count=st.integers(1, 10**9),
    timestamp_ms=st.integers(0, 2**42),
    step=st.integers(-(2**63), 2**63 - 1),
    value=st.floats(allow_nan=False, allow_infinity=False).filter(is_storable),
)
PLACES = st.builds(
    Destination,
    account=st.just("123456789012"),
    region=st.sampled_from(["us-east-1", "eu-west-1"]),
    namespace=st.text("ab/ ", min_size=1, max_size=9),
    dimensions=st.dictionaries(st.text("AB", min_size=1), st.text("cd", min_size=1)).map(
        lambda each: tuple(sorted(each.items()))
    ),
)


@given(st.dictionaries(PLACES, st.dictionaries(st.text(max_size=250), MARKS), max_size=4))
def test_the_note_is_read_as_it_was_written(published: dict[Destination, dict[str, Mark]]) -> None:
    """In as many tags as it takes; what a longer one left behind it does not matter."""
    tags = published_tags(published)
    assert all(len(each) <= TAG_VALUE_LIMIT for each in tags.values())
    assert read_published({**tags, f"{PUBLISHED_TAG}.{len(tags)}": "left over"}) == published
    assert read_published({}) == {}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version":2,"to":[]}', '{"version":1,"to":[1]}']
)
def test_a_note_that_is_not_readable(text: str) -> None:
    """It is refused, so that nothing is put twice."""
    with pytest.raises(JobError, match=PUBLISHED_TAG):
        read_published({PUBLISHED_TAG: text})


def test_room_on_the_run() -> None:
    """More metrics than the tags of one request can name are refused before anything is put."""
    to = Destination(account="1", region="r", namespace="n", dimensions=())
    keys = [f"{number}".zfill(250) for number in range(2_000)]
    require_room({}, to, keys)
    with pytest.raises(JobError, match="--metric"):
        require_room({}, to, [f"{number}".zfill(250) for number in range(3_000)])
    marks = {"a": Mark(count=1, timestamp_ms=1, step=1, value=1.0)}
    assert advanced({to: marks}, to, {"b": marks["a"]}) == {to: {**marks, "b": marks["a"]}}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("loss", "loss"),
        ("val/acc (top 5)", "val/acc (top 5)"),
        ("größe", "gr__e_e3d7ce08"),
        (":a", "a_4e85b1a5"),
    ],
)
def test_metric_names(key: str, name: str) -> None:
    """ASCII stays; anything else is told from others by a digest."""
    assert metric_name(key)[:-8] == name[:-8]
    assert len(metric_name(key)) == len(name)


@given(st.text(min_size=1, max_size=250))
def test_metric_names_are_legal(key: str) -> None:
    """As CloudWatch wants them, and different for different keys."""
    name = metric_name(key)
    assert name.isascii()
    assert 1 <= len(name) <= 255
    assert name.strip()
    assert name == key or name != metric_name(name + "x")


@pytest.mark.parametrize(
    "namespace", ["AWS/EC2", "aws/x", "/aws/sagemaker/TrainingJobs", ":x", "", " ", "ä", "n" * 256]
)
def test_namespaces_that_are_refused(namespace: str) -> None:
    """AWS's own, SageMaker's, and what CloudWatch does not take."""
    with pytest.raises(UsageError, match="--namespace"):
        require_namespace(namespace)


@pytest.mark.parametrize(
    "dimensions",
    [
        (("A", "1"), ("A", "2")),
        ((":A", "1"),),
        (("Ä", "1"),),
        (("A", "ä"),),
        (("A", ""),),
        (("A", " "),),
        (("A", "{run}"),),
        (("A", "v" * 1025),),
        tuple((f"D{number}", "1") for number in range(31)),
    ],
)
def test_dimensions_that_are_refused(dimensions: tuple[tuple[str, str], ...]) -> None:
    """What CloudWatch does not take, and what nobody knows."""
    with pytest.raises(UsageError, match="--dimension"):
        require_dimensions(dimensions)


def test_dimensions_are_filled_in() -> None:
    """Names of MLflow's become ASCII, never blank, never too long."""
    facts = {"run_id": "r", "run_name": "\n", "experiment": "Größe" + "e" * 2000}
    require_namespace("My Team/models")
    require_dimensions(DEFAULT_DIMENSIONS)
    found = dict(dimensions_of((*DEFAULT_DIMENSIONS, ("Name", "{run_name}")), facts))
    assert found["RunId"] == "r"
    assert found["Experiment"].startswith("Gr__ee")
    assert len(found["Experiment"]) == 1024
    assert found["Name"].startswith("__")
    kept = {"run_id": "r", "run_name": "a b", "experiment": "e" * 1024}
    assert dict(dimensions_of(DEFAULT_DIMENSIONS, kept))["Experiment"] == kept["experiment"]


def test_names_that_differ_make_dimensions_that_differ() -> None:
    """Though CloudWatch takes none of their characters, nor all of them."""
    names = ["模型", "数据", "__", "", " ", "e" * 1025, "e" * 1026]
    made = {dimensions_of((("Name", "{run_name}"),), {"run_name": name}) for name in names}
    assert len(made) == len(names)
    assert (("Name", "__"),) in made
    require_dimensions(tuple((f"D{number}", value) for number, ((_, value),) in enumerate(made)))
