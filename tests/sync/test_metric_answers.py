"""Answers of GetMetricData that are not whole, and what is made of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlflow_smwatch import RetriableError
from mlflow_smwatch.aws.cloudwatch import read_metrics
from mlflow_smwatch.aws.packing import MAX_POINTS, MetricRequest, Query
from mlflow_smwatch.aws.session import connect
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.core.windows import TimeWindow
from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    NAMESPACE,
    arn,
    curve,
    now_ms,
    put_loss,
    whole,
)
from tests.sync.conftest import METRICS

Answer = dict[str, Any]
BEGIN_MS = whole(now_ms()) - 5 * HOUR_MS


def put_answers(account: EmulatedAccount, changes: list[Callable[[Answer], None]]) -> None:
    """Change the first answers of GetMetricData, one after the other."""
    operations = account._home.operations
    whole_answer = operations[METRICS]

    def answer(parameters: Answer) -> Answer:
        given = whole_answer(parameters)
        if changes:
            changes.pop(0)(given)
        return given

    operations[METRICS] = answer


def put_series(account: EmulatedAccount, names: list[str]) -> MetricRequest:
    """Put three points of each of some metrics; give the request for them."""
    window = TimeWindow(BEGIN_MS, BEGIN_MS + HOUR_MS, 60)
    request = MetricRequest(60, window.start_ms, window.end_ms)
    for place, name in enumerate(names):
        put_loss(account, "job", curve(BEGIN_MS, 3, first=10.0 * place), name)
        series = Series(
            original=name,
            namespace=NAMESPACE,
            metric_name=name,
            dimensions=(("TrainingJobName", "job"),),
        )
        request.add(Query(arn("job"), series, window))
    return request


def ids(account: EmulatedAccount) -> list[list[str]]:
    calls = [each.parameters for each in account.requests if each.operation == METRICS]
    assert {call["MaxDatapoints"] for call in calls} == {MAX_POINTS}
    return [[query["Id"] for query in call["MetricDataQueries"]] for call in calls]


def fail(place: int, status: str, said: str = "") -> Callable[[Answer], None]:
    """Take the points of one result away."""

    def change(answer: Answer) -> None:
        messages = [{"Code": status, "Value": said}] if said else []
        lost = {"Timestamps": [], "Values": [], "StatusCode": status, "Messages": messages}
        answer["MetricDataResults"][place] |= lost

    return change


def leave_out(answer: Answer) -> None:
    """Give all but the last series, and say why."""
    answer["MetricDataResults"].pop()
    answer["Messages"] = [{"Code": "MaxMetricsExceeded", "Value": "too many"}]


@pytest.mark.parametrize(
    "change",
    [fail(2, "InternalError"), fail(2, "PartialData"), leave_out],
    ids=["internal-error", "partial-data", "left-out"],
)
def test_a_series_that_is_not_whole_is_asked_for_again(
    account: EmulatedAccount, change: Callable[[Answer], None], caplog: pytest.LogCaptureFixture
) -> None:
    """That series alone; what CloudWatch says of the whole answer is logged."""
    request = put_series(account, ["a", "b", "c"])
    put_answers(account, [change])
    aws = connect(None, None, 1)
    readings = list(read_metrics(aws, request))
    assert ids(account) == [["q0", "q1", "q2"], ["q2"]]
    assert [len(each.points) for each in readings] == [3, 3, 3]
    assert [each.points[0].value for each in readings] == [0.0, 10.0, 20.0]
    assert aws.ledger.cost_usd == pytest.approx(4 * 0.01 / 1000)
    assert ("MaxMetricsExceeded: too many" in caplog.text) == (change is leave_out)


def test_a_series_that_goes_over_pages_is_joined(account: EmulatedAccount) -> None:
    """An error on a later page is that of its series, points of earlier pages or not."""
    request = put_series(account, ["a", "b"])
    account.faults.page_size(METRICS, 2)
    put_answers(account, [lambda _: None, fail(0, "InternalError")])
    readings = list(read_metrics(connect(None, None, 1), request))
    assert [[point.timestamp_ms for point in each.points] for each in readings] == [
        [BEGIN_MS + minute * MINUTE_MS for minute in range(3)]
    ] * 2


def test_a_failed_page_is_not_made_good_by_the_next(account: EmulatedAccount) -> None:
    """Its points are missing, although the series is said to be complete in the end."""
    request = put_series(account, ["a", "b"])
    account.faults.page_size(METRICS, 2)
    put_answers(account, [fail(0, "InternalError")])
    readings = list(read_metrics(connect(None, None, 1), request))
    assert [len(each.points) for each in readings] == [3, 3]


def add_old(request: MetricRequest, name: str, start_ms: int) -> None:
    """Ask for an hour of one more series too."""
    window = TimeWindow(start_ms, start_ms + HOUR_MS, 60)
    series = replace(request.queries[0].series, original=name)
    request.add(Query(arn("old"), series, window))


def test_a_series_that_has_faded_fails_alone(account: EmulatedAccount) -> None:
    """The others are read, in a request that is no wider than they are; nothing else is paid."""
    request = put_series(account, ["a", "b", "c"])
    for name in ("old-1", "old-2"):
        add_old(request, name, whole(now_ms()) - 15 * DAY_MS - HOUR_MS)
    aws = connect(None, None, 1)
    readings = list(read_metrics(aws, request))
    read = [each for each in readings if each.error is None]
    assert [(each.query.series.original, len(each.points)) for each in read] == [
        ("a", 3),
        ("b", 3),
        ("c", 3),
    ]
    failed = {each.query.series.original: str(each.error) for each in readings if each.error}
    assert failed.keys() == {"old-1", "old-2"}
    assert all("outlived what CloudWatch stores" in each for each in failed.values())
    (call,) = (each.parameters for each in account.requests if each.operation == METRICS)
    assert call["StartTime"] == BEGIN_MS // 1000
    assert aws.ledger.cost_usd == pytest.approx(3 * 0.01 / 1000)


def test_a_series_that_fades_while_it_is_read_fails_alone(account: EmulatedAccount) -> None:
    """CloudWatch may have given nothing for any of them, so the others are asked for again."""
    request = put_series(account, ["a", "b"])
    start_ms = now_ms() - 15 * DAY_MS + 2000
    add_old(request, "old", start_ms)

    def lose(answer: Answer) -> None:
        time.sleep(max(0, start_ms + 15 * DAY_MS - now_ms() + 1) / 1000)
        for result in answer["MetricDataResults"]:
            result |= {"Timestamps": [], "Values": []}

    put_answers(account, [lose])
    readings = list(read_metrics(connect(None, None, 1), request))
    assert {each.query.series.original: len(each.points) for each in readings} == {
        "old": 0,
        "a": 3,
        "b": 3,
    }
    assert [each.query.series.original for each in readings if each.error] == ["old"]
    assert ids(account) == [["q0", "q1", "q2"], ["q0", "q1"]]


def test_a_series_that_is_never_whole_is_no_reading(account: EmulatedAccount) -> None:
    """After five times it is an error, in CloudWatch's words; the caller may come again."""
    request = put_series(account, ["a", "b"])
    put_answers(account, [fail(-1, "InternalError", "ask later") for _ in range(5)])
    with pytest.raises(RetriableError, match=r"part of 1 series .*ask later.*run again"):
        list(read_metrics(connect(None, None, 1), request))
    assert ids(account) == [["q0", "q1"], *[["q1"]] * 4]
