"""SageMaker Metrics: whole series of trial components, and their summaries.

Source: botocore's model of sagemaker-metrics. What it does not say: times on the x-axis, in Start
and in End are seconds since the epoch; both ends belong to the range; only IterationNumber goes
with IterationNumber; what has no series is a ValidationError.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from mlflow_smwatch.demo.clock import to_milliseconds
from mlflow_smwatch.demo.entities import Entity
from mlflow_smwatch.demo.validation import Answer, Parameters

Point: TypeAlias = "tuple[int | None, int, float]"
"""Step, timestamp in milliseconds since the epoch, value."""

POINTS_PER_QUERY = 10_000
PERIODS_S = {"OneMinute": 60, "FiveMinute": 300, "OneHour": 3600}
ITERATION = "IterationNumber"
STATISTICS: Mapping[str, Callable[[list[float]], float]] = {
    "Min": min,
    "Max": max,
    "Avg": statistics.fmean,
    "Count": len,
    "StdDev": statistics.pstdev,
    "Last": lambda values: values[-1],
}


class MetricSeries:
    """The series of one account and Region, and the operations on them.

    Parameters
    ----------
    named
        Gives the component of a name; None where there is none.
    standing_for
        Gives the component that an ARN stands for: its own, or that of a job.

    Attributes
    ----------
    points_per_query
        A query that finds more gets its first ones and is Truncated.
    """

    def __init__(
        self,
        named: Callable[[str], Entity | None],
        standing_for: Callable[[str], Entity | None],
    ) -> None:
        self._named = named
        self._standing_for = standing_for
        self._series: dict[str, dict[str, list[Point]]] = {}
        self.points_per_query = POINTS_PER_QUERY
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "BatchGetMetrics": self.batch_get_metrics,
            "BatchPutMetrics": self.batch_put_metrics,
        }

    def add(self, component: Entity, metric: str, points: Iterable[Point]) -> None:
        """Add points to a series, and bring the component's summary of it up to date."""
        series = self._series.setdefault(component.arn, {}).setdefault(metric, [])
        series += [(step, timestamp_ms, float(value)) for step, timestamp_ms, value in points]
        series.sort(key=lambda point: point[1])
        if not series:
            return
        others = [one for one in component.answer.get("Metrics", ()) if one["MetricName"] != metric]
        summary = _summary(metric, component.arn, series)
        component.update(Metrics=[*others, summary])

    def batch_get_metrics(self, parameters: Parameters) -> Answer:
        """Answer ``BatchGetMetrics``: a result for each query, in their order."""
        return {"MetricQueryResults": [self._result(one) for one in parameters["MetricQueries"]]}

    def batch_put_metrics(self, parameters: Parameters) -> Answer:
        """Answer ``BatchPutMetrics``: what cannot be stored is told by its place."""
        component = self._named(parameters["TrialComponentName"])
        errors = []
        for index, datum in enumerate(parameters["MetricData"]):
            if component is None or not math.isfinite(datum["Value"]):
                errors.append({"Code": "VALIDATION_ERROR", "MetricIndex": index})
                continue
            point = (datum.get("Step"), to_milliseconds(datum["Timestamp"]), datum["Value"])
            self.add(component, datum["MetricName"], [point])
        return {"Errors": errors} if errors else {}

    def _result(self, query: Parameters) -> Answer:
        component = self._standing_for(query["ResourceArn"])
        if component is None:
            return _refused(f"There is no trial component for {query['ResourceArn']}.")
        series = self._series.get(component.arn, {}).get(query["MetricName"])
        if series is None:
            return _refused(f"{query['ResourceArn']} has no metric {query['MetricName']}.")
        if (query["Period"] == ITERATION) != (query["XAxisType"] == ITERATION):
            return _refused(f"{query['XAxisType']} does not go with {query['Period']}.")
        found = _condensed(series, query)
        kept = found[: self.points_per_query]
        return {
            "Status": "Complete" if len(kept) == len(found) else "Truncated",
            "XAxisValues": [x for x, _ in kept],
            "MetricValues": [float(value) for _, value in kept],
        }


def _refused(message: str) -> Answer:
    return {
        "Status": "ValidationError",
        "Message": message,
        "XAxisValues": [],
        "MetricValues": [],
    }


def _condensed(series: list[Point], query: Parameters) -> list[tuple[int, float]]:
    """Give one value for each step, or for each period that has a point, in their order."""
    period_s = PERIODS_S.get(query["Period"])
    start, end = query.get("Start", -math.inf), query.get("End", math.inf)
    values: dict[int, list[float]] = {}
    for step, timestamp_ms, value in series:
        x = step if period_s is None else timestamp_ms // 1000 // period_s * period_s
        if x is not None and start <= x <= end:
            values.setdefault(x, []).append(value)
    condense = STATISTICS[query["MetricStat"]]
    return [(x, condense(values[x])) for x in sorted(values)]


def _summary(metric: str, arn: str, series: list[Point]) -> Answer:
    values = [value for _, _, value in series]
    return {
        "MetricName": metric,
        "SourceArn": arn,
        "TimeStamp": series[-1][1] / 1000,
        **{name: condense(values) for name, condense in STATISTICS.items()},
    }
