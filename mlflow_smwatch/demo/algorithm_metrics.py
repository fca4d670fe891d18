"""SageMaker's reading of log lines: MetricDefinitions in, metric values out."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping

import regex

from mlflow_smwatch.demo.metric_data import is_storable

LINE_BREAKS = re.compile(r"[\r\n]+")
MATCH_TIMEOUT_S = 0.2


class MetricReader:
    """Applies a job's definitions to log messages.

    The first match in a line and its first group count; what is no number is dropped
    (aws/sagemaker-python-sdk issue 3208), and so is what CloudWatch cannot store. A pattern that
    does not compile, has no group or runs away yields nothing.

    Parameters
    ----------
    definitions
        ``AlgorithmSpecification.MetricDefinitions``.
    """

    def __init__(self, definitions: Iterable[Mapping[str, str]]) -> None:
        self._patterns = [
            (definition["Name"], pattern)
            for definition in definitions
            if (pattern := _compiled(definition["Regex"])) is not None
        ]

    def read(self, message: str) -> Iterator[tuple[str, float]]:
        """Find the metrics of one log event, in order of its lines.

        Parameters
        ----------
        message
            Text of the event; cut into lines first.

        Returns
        -------
        iterator
            Names and finite values.
        """
        for line in LINE_BREAKS.split(message):
            for name, pattern in tuple(self._patterns):
                value = self._value(name, pattern, line)
                if value is not None and is_storable(value):
                    yield name, value

    def _value(self, name: str, pattern: regex.Pattern[str], line: str) -> float | None:
        try:
            match = pattern.search(line, timeout=MATCH_TIMEOUT_S)
        except TimeoutError:
            self._patterns.remove((name, pattern))
            return None
        return None if match is None else _number(match.group(1))


def _compiled(pattern: str) -> regex.Pattern[str] | None:
    try:
        compiled = regex.compile(pattern)
    except regex.error:
        return None
    return compiled if compiled.groups else None


def _number(text: str | None) -> float | None:
    if text is None or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def single_precision(value: float) -> float:
    """Round a value as FinalMetricDataList holds it.

    Raises
    ------
    OverflowError
        The value is beyond single precision.
    """
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded
