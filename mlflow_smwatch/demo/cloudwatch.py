"""CloudWatch's metric operations, with the limits that its API reference states."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.dashboards import put_dashboard
from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.metric_checks import (
    STATISTICS,
    check_number_of_points,
    check_period,
    check_queries,
    check_statistics,
    span,
)
from mlflow_smwatch.demo.metric_data import put_metric_data
from mlflow_smwatch.demo.metric_pages import MetricPage
from mlflow_smwatch.demo.metrics import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    RETENTION_MS,
    Dimensions,
    MetricStore,
    Series,
    Window,
    buckets,
    percentiles,
)
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.validation import Answer, Parameters

POINTS_PER_PAGE = 100_800
METRICS_PER_PAGE = 500
LISTED_FOR_MS = 14 * DAY_MS


def resolution_s(age_ms: int) -> int:
    """Give the finest period that is still stored of data that old.

    Source: GetMetricData, parameter Period.
    """
    if age_ms > 63 * DAY_MS:
        return 3600
    if age_ms > 15 * DAY_MS:
        return 300
    return 60 if age_ms > 3 * HOUR_MS else 1


def rounded_start(start_ms: int, now_ms: int, period_s: int) -> int:
    """Round a StartTime down as CloudWatch does.

    Source: GetMetricData, parameter StartTime.
    """
    age = now_ms - start_ms
    if age > 63 * DAY_MS:
        step = HOUR_MS
    elif age > 15 * DAY_MS:
        step = 5 * MINUTE_MS
    else:
        step = min(period_s * 1000, MINUTE_MS)
    return start_ms - start_ms % step


class CloudWatch:
    """The operations of one account and Region.

    Parameters
    ----------
    store
        Where the samples are.
    clock
        Ages are judged by it.
    faults
        May shorten pages.
    """

    def __init__(self, store: MetricStore, clock: Clock, faults: Faults) -> None:
        self._store = store
        self._clock = clock
        self._data_pager = Pager(faults, "cloudwatch:GetMetricData", _bad_token)
        self._list_pager = Pager(faults, "cloudwatch:ListMetrics", _bad_token)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "GetMetricData": self.get_metric_data,
            "GetMetricStatistics": self.get_metric_statistics,
            "ListMetrics": self.list_metrics,
            "PutMetricData": self.put_metric_data,
            "PutDashboard": put_dashboard,
        }

    def put_metric_data(self, parameters: Parameters) -> Answer:
        """Store samples: ``PutMetricData``."""
        put_metric_data(self._store, parameters, self._clock.now_ms())
        return {}

    def get_metric_data(self, parameters: Parameters) -> Answer:
        """Answer ``GetMetricData``: one page of points of up to 500 queries."""
        queries = parameters["MetricDataQueries"]
        check_queries(queries)
        start_ms, end_ms = span(parameters)
        position = self._data_pager.position(parameters, parameters.get("NextToken"))
        begin = (position.get("i", 0), position.get("o", 0))
        page = MetricPage(
            left=self._data_pager.size(parameters.get("MaxDatapoints", POINTS_PER_PAGE)),
            newest_first=parameters.get("ScanBy") != "TimestampAscending",
        )
        is_empty = self._data_pager.is_empty_page(position)
        if is_empty:
            page.left, page.stop = 0, begin
        page.fill(queries, begin, lambda stat: self._points(stat, start_ms, end_ms))
        answer: Answer = {"MetricDataResults": page.results, "Messages": []}
        if page.stop:
            index, offset = page.stop
            following = {"i": index, "o": offset, "e": is_empty}
            answer["NextToken"] = self._data_pager.token(parameters, following)
        return answer

    def _points(
        self, metric_stat: Parameters, start_ms: int, end_ms: int
    ) -> list[tuple[int, float]]:
        """Compute the points of one query, ascending, timestamps in whole seconds."""
        metric = metric_stat["Metric"]
        dimensions = _dimension_set(metric.get("Dimensions", ()))
        series = self._store.series(
            metric["Namespace"], metric["MetricName"], dimensions, metric_stat.get("Unit")
        )
        window = self._window(start_ms, end_ms, metric_stat["Period"])
        if window is None or not series:
            return []
        stat = metric_stat["Stat"]
        if stat in STATISTICS:
            found = buckets(series, window)
            return [(t // 1000, bucket.statistic(stat)) for t, bucket in found.items()]
        values = percentiles(series, window, float(stat[1:]))
        return [(t // 1000, value) for t, value in values.items()]

    def _window(self, start_ms: int, end_ms: int, period_s: int) -> Window | None:
        """Give the window to compute; None if its data are not stored that finely any more."""
        now_ms = self._clock.now_ms()
        if period_s % resolution_s(now_ms - start_ms):
            return None
        start_ms = max(rounded_start(start_ms, now_ms, period_s), now_ms - RETENTION_MS)
        return Window(start_ms=start_ms, end_ms=end_ms, period_ms=period_s * 1000)

    def get_metric_statistics(self, parameters: Parameters) -> Answer:
        """Answer ``GetMetricStatistics``: unordered points of one metric, at most 1,440."""
        start_ms, end_ms = span(parameters)
        period_s = parameters["Period"]
        check_period(period_s)
        check_number_of_points(end_ms - start_ms, period_s)
        plain, extended = check_statistics(parameters)
        series = self._store.series(
            parameters["Namespace"],
            parameters["MetricName"],
            _dimension_set(parameters.get("Dimensions", ())),
            parameters.get("Unit"),
        )
        window = self._window(start_ms, end_ms, period_s)
        points = _datapoints(series, window, plain, extended) if window else []
        random.Random(0).shuffle(points)
        return {"Label": parameters["MetricName"], "Datapoints": points}

    def list_metrics(self, parameters: Parameters) -> Answer:
        """Answer ``ListMetrics``: metrics with samples in the last two weeks, 500 a page."""
        recent = 3 * HOUR_MS if parameters.get("RecentlyActive") else LISTED_FOR_MS
        oldest = self._clock.now_ms() - recent
        wanted = parameters.get("Dimensions", ())
        found = [
            (namespace, name, dimensions)
            for namespace, name, dimensions, last_ms in self._store.metrics(
                parameters.get("Namespace"), parameters.get("MetricName")
            )
            if last_ms >= oldest and (not wanted or _has_dimensions(dimensions, wanted))
        ]
        page, token = self._list_pager.cut(
            found, parameters, size=METRICS_PER_PAGE, token=parameters.get("NextToken")
        )
        answer: Answer = {"Metrics": [_metric(*metric) for metric in page]}
        if token:
            answer["NextToken"] = token
        return answer


def _bad_token() -> AwsError:
    return AwsError("InvalidNextToken", "The token is not valid for this request.")


def _dimension_set(dimensions: Iterable[Parameters]) -> Dimensions:
    return tuple(sorted((d["Name"], d["Value"]) for d in dimensions))


def _metric(namespace: str, name: str, dimensions: Dimensions) -> Answer:
    listed = [{"Name": key, "Value": value} for key, value in dimensions]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": listed}


def _has_dimensions(dimensions: Dimensions, wanted: Iterable[Parameters]) -> bool:
    have = dict(dimensions)
    return all(
        w["Name"] in have and w.get("Value", have[w["Name"]]) == have[w["Name"]] for w in wanted
    )


def _datapoints(
    series: Sequence[Series], window: Window, plain: Iterable[str], extended: Iterable[str]
) -> list[Answer]:
    points: dict[tuple[int, str], Answer] = {}
    for one in series:
        for begin, bucket in buckets([one], window).items():
            values = {name: bucket.statistic(name) for name in plain}
            points[begin, one.unit] = {"Timestamp": begin // 1000, "Unit": one.unit, **values}
        for name in extended:
            for begin, value in percentiles([one], window, float(name[1:])).items():
                point = points[begin, one.unit]
                point.setdefault("ExtendedStatistics", {})[name] = value
    return [p for p in points.values() if plain or "ExtendedStatistics" in p]
