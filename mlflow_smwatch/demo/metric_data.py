"""PutMetricData: its limits, and its three ways to give values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NoReturn

from mlflow_smwatch.demo.clock import to_milliseconds
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.metrics import DAY_MS, HOUR_MS, MINUTE_MS, MetricStore, Sample
from mlflow_smwatch.demo.validation import Parameters

DATA_PER_CALL = 1_000
VALUES_PER_DATUM = 150
LARGEST_VALUE = 2.0**360
VALUE_FIELDS = ("Value", "Values", "StatisticValues")
ONE_SECOND_MS = 1_000


def is_storable(value: float) -> bool:
    """Tell whether CloudWatch takes a value: finite, within ±2^360."""
    return math.isfinite(value) and abs(value) <= LARGEST_VALUE


def put_metric_data(store: MetricStore, parameters: Parameters, now_ms: int) -> None:
    """Store the data of one request, all or none.

    Source: PutMetricData.

    Parameters
    ----------
    store
        Where to.
    parameters
        Of the request.
    now_ms
        The account's time; timestamps may be two weeks older, or two hours newer.

    Raises
    ------
    AwsError
        A limit is crossed.
    """
    namespace = parameters["Namespace"]
    if namespace.startswith("AWS/"):
        _refuse("The value AWS/ for parameter Namespace is invalid.")
    data = list(_all_data(parameters))
    if not data:
        refuse("MissingParameter", "The parameter MetricData is required.")
    if len(data) > DATA_PER_CALL:
        message = f"The collection MetricData must not have a size greater than {DATA_PER_CALL}."
        refuse("ValidationError", message)
    for index, datum in enumerate(data, start=1):
        _check_datum(f"MetricData.member.{index}", datum, now_ms)
    for datum in data:
        _store_datum(store, namespace, datum, now_ms)


def _all_data(parameters: Parameters) -> Iterator[Parameters]:
    yield from parameters.get("MetricData", ())
    for entity in parameters.get("EntityMetricData", ()):
        yield from entity.get("MetricData", ())


def _refuse(message: str) -> NoReturn:
    refuse("InvalidParameterValue", message)


def _check_datum(where: str, datum: Parameters, now_ms: int) -> None:
    _check_names(where, datum)
    given = [field for field in VALUE_FIELDS if field in datum]
    if not given:
        message = f"At least one of the parameters {where}.{', '.join(VALUE_FIELDS)} is required."
        refuse("MissingParameter", message)
    if len(given) > 1:
        message = f"The parameters {where}.{' and '.join(given)} are mutually exclusive."
        refuse("InvalidParameterCombination", message)
    _check_values(where, datum)
    _check_timestamp(where, datum, now_ms)
    if datum.get("StorageResolution", 60) not in {1, 60}:
        _refuse(f"The parameter {where}.StorageResolution must be 1 or 60.")


def _check_names(where: str, datum: Parameters) -> None:
    """Refuse what is not ASCII, as CloudWatch does, and names of dimensions with a colon first."""
    texts = {f"{where}.MetricName": datum["MetricName"]}
    for number, dimension in enumerate(datum.get("Dimensions", ()), start=1):
        texts[f"{where}.Dimensions.member.{number}.Name"] = dimension["Name"]
        texts[f"{where}.Dimensions.member.{number}.Value"] = dimension["Value"]
        if dimension["Name"].startswith(":"):
            _refuse(f"The value for parameter {where}.Dimensions.member.{number}.Name is invalid.")
    for name, text in texts.items():
        if not text.isascii():
            _refuse(f"The value for parameter {name} contains non-ASCII characters.")
        if not text.strip() or any(ord(each) < ord(" ") for each in text):
            _refuse(f"The value for parameter {name} is blank or has control characters.")


def _check_values(where: str, datum: Parameters) -> None:
    values, counts = datum.get("Values", []), datum.get("Counts")
    if len(values) > VALUES_PER_DATUM:
        message = f"The collection {where}.Values must not have a size greater than 150."
        refuse("ValidationError", message)
    if counts is not None and len(counts) != len(values):
        _refuse(f"The parameters {where}.Values and Counts must have the same size.")
    numbers = [*values, *datum.get("StatisticValues", {}).values(), datum.get("Value", 0.0)]
    for number in numbers:
        if not is_storable(number):
            _refuse(f"The value {number} for parameter {where}.Value is invalid.")


def _check_timestamp(where: str, datum: Parameters, now_ms: int) -> None:
    if "Timestamp" not in datum:
        return
    age_ms = now_ms - to_milliseconds(datum["Timestamp"])
    if age_ms < -2 * HOUR_MS:
        message = (
            f"The parameter {where}.Timestamp must specify a time no more than two hours in the "
            "future."
        )
        _refuse(message)
    if age_ms > 14 * DAY_MS:
        message = f"The parameter {where}.Timestamp must specify a time within the past two weeks."
        _refuse(message)


def _store_datum(store: MetricStore, namespace: str, datum: Parameters, now_ms: int) -> None:
    dimensions = tuple(sorted((d["Name"], d["Value"]) for d in datum.get("Dimensions", ())))
    series = store.writable(namespace, datum["MetricName"], dimensions, datum.get("Unit", "None"))
    timestamp_ms = to_milliseconds(datum["Timestamp"]) if "Timestamp" in datum else now_ms
    resolution_ms = ONE_SECOND_MS if datum.get("StorageResolution") == 1 else MINUTE_MS
    if "Value" in datum:
        series.add([(timestamp_ms, datum["Value"])], resolution_ms)
        return
    cut_ms = timestamp_ms - timestamp_ms % resolution_ms
    series.add_sets(_samples(datum, cut_ms))


def _samples(datum: Parameters, timestamp_ms: int) -> Iterator[Sample]:
    if "StatisticValues" in datum:
        given = datum["StatisticValues"]
        yield Sample(
            timestamp_ms=timestamp_ms,
            count=given["SampleCount"],
            total=given["Sum"],
            minimum=given["Minimum"],
            maximum=given["Maximum"],
        )
        return
    values = datum["Values"]
    for value, count in zip(values, datum.get("Counts") or [1.0] * len(values), strict=True):
        yield Sample(
            timestamp_ms=timestamp_ms,
            count=count,
            total=value * count,
            minimum=value,
            maximum=value,
        )
