"""Reads packed requests from CloudWatch: every page, every partial result, joined by Id."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

from mlflow_smwatch.aws.operations import DATAPOINTS_PER_SECOND, GET_METRIC_DATA
from mlflow_smwatch.aws.packing import MAX_POINTS, MetricRequest, Query, halves, parted
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.describe import to_ms
from mlflow_smwatch.core.errors import InvalidRequestError, RetriableError
from mlflow_smwatch.core.series import Point
from mlflow_smwatch.core.windows import kept_from_ms

logger = logging.getLogger(__name__)

_ROUNDS = 5
_RECENT = timedelta(hours=3)
_OUTLIVED = "the pass outlived what CloudWatch stores at this period; run again"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesReading:
    """What CloudWatch answered for one query.

    Attributes
    ----------
    query
        The query.
    points
        Its points within its own window, in time order; may be empty.
    forbidden
        True where CloudWatch refused this one metric.
    error
        Why this one series was not read: CloudWatch no longer stores its start at its period.
    """

    query: Query
    points: tuple[Point, ...] = ()
    forbidden: bool = False
    error: RetriableError | None = None


@dataclass(slots=True)
class _Answer:
    status: str = ""
    said: str = ""
    values: dict[int, float] = field(default_factory=dict)


def read_metrics(aws: Aws, request: MetricRequest) -> Iterator[SeriesReading]:
    """Read all points of a request.

    Queries whose start is no longer stored by now are readings with an error; the others are read
    without them.

    Raises
    ------
    AccessDeniedError
        When ``cloudwatch:GetMetricData`` is denied.
    RetriableError
        When CloudWatch goes on giving partial results or failing, or stores no query's start.
    """
    try:
        return _read_whole(aws, request)
    except RetriableError:
        stored, faded = parted(request, _kept_from_ms(request))
        if stored and faded:
            return chain(map(_faded, faded), read_metrics(aws, stored))
        if faded or request.datapoints <= DATAPOINTS_PER_SECOND:
            raise
        return chain.from_iterable(read_metrics(aws, half) for half in halves(request))


def _faded(query: Query) -> SeriesReading:
    return SeriesReading(query=query, error=RetriableError(_OUTLIVED))


def _read_whole(aws: Aws, request: MetricRequest) -> Iterator[SeriesReading]:
    answers = {f"q{number}": _Answer() for number in range(len(request.queries))}
    waiting = list(answers)
    for _ in range(_ROUNDS):
        _read_pages(aws, request, waiting, answers)
        waiting = [each for each in waiting if answers[each].status not in _SETTLED]
        if not waiting:
            return _readings(request.queries, answers.values())
    said = "".join(
        dict.fromkeys(f" ({answers[each].said})" for each in waiting if answers[each].said)
    )
    message = f"{GET_METRIC_DATA} gave only part of {len(waiting)} series{said}; run again later"
    raise RetriableError(message)


_SETTLED = frozenset({"Complete", "Forbidden"})
_FAILED = "InternalError"
"""A page that failed may leave a gap, whatever the pages after it say: the series is read again."""


def _read_pages(
    aws: Aws, request: MetricRequest, ids: list[str], answers: dict[str, _Answer]
) -> None:
    call: dict[str, Any] = {
        "StartTime": _moment(request.start_ms),
        "EndTime": _moment(request.end_ms),
        "ScanBy": "TimestampAscending",
        "MaxDatapoints": MAX_POINTS,
        "MetricDataQueries": [_metric_query(each, request.queries[int(each[1:])]) for each in ids],
    }
    for each in ids:
        answers[each].status = ""
    recent = _moment(request.start_ms) > datetime.now(tz=timezone.utc) - _RECENT
    aws.ledger.spend_datapoints(request.periods * len(ids), recent=recent)
    while True:
        _require_stored(request)
        aws.ledger.announce_metrics(len(ids))
        try:
            page = ask(GET_METRIC_DATA, aws.cloudwatch.get_metric_data, call, "MetricDataResults")
        except InvalidRequestError:
            if "NextToken" not in call:
                raise
            return  # the token has died: the next round asks for what is not complete
        if said := _words(page):
            logger.warning("%s answered: %s", GET_METRIC_DATA, said)
        _take(page, answers)
        if not page.get("NextToken"):
            _require_stored(request)  # the call may have waited for its turn, or been repeated
            return
        call["NextToken"] = page["NextToken"]


def _take(page: Mapping[str, Any], answers: Mapping[str, _Answer]) -> None:
    """Join the points of a page to those of the pages before."""
    for result in page["MetricDataResults"]:
        answer = answers[result["Id"]]
        if answer.status != _FAILED:
            answer.status = result.get("StatusCode") or "Complete"
        answer.said = _words(result)
        stamps = (to_ms(moment) for moment in result.get("Timestamps") or ())
        answer.values.update(zip(stamps, result.get("Values") or (), strict=True))


def _words(answer: Mapping[str, Any]) -> str:
    """Give the messages of an answer or of one result, as text."""
    messages = answer.get("Messages") or ()
    return "; ".join(f"{each.get('Code')}: {each.get('Value')}" for each in messages)


def _require_stored(request: MetricRequest) -> None:
    """Refuse a start that has faded: CloudWatch gives nothing then, as if there were no points."""
    if request.start_ms < _kept_from_ms(request):
        raise RetriableError(_OUTLIVED)


def _kept_from_ms(request: MetricRequest) -> int:
    return kept_from_ms(to_ms(datetime.now(tz=timezone.utc)), request.period_s)


def _metric_query(query_id: str, query: Query) -> dict[str, Any]:
    series = query.series
    dimensions = [{"Name": name, "Value": value} for name, value in series.dimensions]
    metric = {
        "Namespace": series.namespace,
        "MetricName": series.metric_name,
        "Dimensions": dimensions,
    }
    stat = {"Metric": metric, "Period": query.window.period_s, "Stat": series.stat}
    return {"Id": query_id, "MetricStat": stat, "ReturnData": True}


def _readings(queries: list[Query], answers: Iterable[_Answer]) -> Iterator[SeriesReading]:
    for query, answer in zip(queries, answers, strict=True):
        window = query.window
        points = tuple(
            Point(stamp, value)
            for stamp, value in sorted(answer.values.items())
            if window.start_ms <= stamp < window.end_ms
        )
        forbidden = answer.status == "Forbidden"
        yield SeriesReading(query=query, points=points, forbidden=forbidden)


def _moment(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms / 1000, tz=timezone.utc)
