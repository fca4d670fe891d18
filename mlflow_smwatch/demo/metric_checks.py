"""What CloudWatch refuses in requests for metric data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NoReturn

from mlflow_smwatch.demo.clock import to_milliseconds
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.validation import Parameters

QUERIES_PER_CALL = 500
STATISTICS_POINTS = 1_440
STATISTICS = {"Average", "Sum", "Minimum", "Maximum", "SampleCount"}
PERCENTILE = re.compile(r"p(?:\d{1,2}(?:\.\d{1,10})?|100)")
QUERY_ID = re.compile(r"[a-z][A-Za-z0-9_]{0,254}")
SHORT_PERIODS = {1, 5, 10, 20, 30}
MINUTE_S = 60


def span(parameters: Parameters) -> tuple[int, int]:
    """Give StartTime and EndTime in milliseconds; refuse an empty span."""
    start: datetime = parameters["StartTime"].astimezone(timezone.utc)
    end: datetime = parameters["EndTime"].astimezone(timezone.utc)
    if start >= end:
        message = "The parameter StartTime must be less than the parameter EndTime."
        refuse("ValidationError", message)
    return to_milliseconds(start), to_milliseconds(end)


def check_queries(queries: Sequence[Parameters]) -> None:
    """Refuse MetricDataQueries that are too many, not unique or not computable."""
    if not queries:
        refuse("ValidationError", "The parameter MetricDataQueries is required.")
    if len(queries) > QUERIES_PER_CALL:
        message = (
            "The collection MetricDataQueries must not have a size greater than "
            f"{QUERIES_PER_CALL}."
        )
        refuse("ValidationError", message)
    seen: set[str] = set()
    for query in queries:
        if not QUERY_ID.fullmatch(query["Id"]):
            message = f"The value {query['Id']} for parameter Id is not a valid identifier."
            refuse("ValidationError", message)
        if query["Id"] in seen:
            message = (
                f"The values for parameter Id in MetricDataQueries are not unique: {query['Id']}."
            )
            refuse("ValidationError", message)
        seen.add(query["Id"])
        _check_stat(query)


def _check_stat(query: Parameters) -> None:
    if ("MetricStat" in query) == ("Expression" in query):
        message = "Each MetricDataQuery must have either MetricStat or Expression, and not both."
        refuse("ValidationError", message)
    if "Expression" in query:
        message = "Error in expression: the emulated account computes no expressions."
        refuse("ValidationError", message)
    check_period(query["MetricStat"]["Period"])
    stat = query["MetricStat"]["Stat"]
    if stat not in STATISTICS and not PERCENTILE.fullmatch(stat):
        message = f"The value {stat} for parameter Stat is not supported."
        refuse("ValidationError", message)


def check_period(period_s: int) -> None:
    """Refuse a Period that is neither short nor whole minutes."""
    if period_s in SHORT_PERIODS or period_s % MINUTE_S == 0:
        return
    _refuse_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")


def check_number_of_points(span_ms: int, period_s: int) -> None:
    """Refuse a span that could hold more points than GetMetricStatistics gives."""
    points = -(-span_ms // (period_s * 1000))
    if points <= STATISTICS_POINTS:
        return
    message = (
        f"You have requested up to {points:,} datapoints, which exceeds the limit of "
        f"{STATISTICS_POINTS:,}. You may reduce the datapoints requested by increasing Period, "
        "or decreasing the time range."
    )
    refuse("InvalidParameterCombination", message)


def check_statistics(parameters: Parameters) -> tuple[list[str], list[str]]:
    """Give Statistics and ExtendedStatistics; exactly one of the two may be there."""
    plain, extended = parameters.get("Statistics", []), parameters.get("ExtendedStatistics", [])
    if not plain and not extended:
        message = "At least one of the parameters Statistics and ExtendedStatistics is required."
        refuse("MissingParameter", message)
    if plain and extended:
        message = "The parameters Statistics and ExtendedStatistics cannot be used together."
        refuse("InvalidParameterCombination", message)
    for name in extended:
        if not PERCENTILE.fullmatch(name):
            _refuse_value(f"The value {name} for parameter ExtendedStatistics is invalid.")
    return plain, extended


def _refuse_value(message: str) -> NoReturn:
    refuse("InvalidParameterValue", message)
