"""Reads the metric series of trial components from SageMaker Metrics (``BatchGetMetrics``).

A query gives one value an iteration, and either the iterations or the timestamps: so each metric is
asked for twice, and the two answers are matched by position. Results have no id: they come in the
order of the queries (botocore model ``sagemaker-metrics`` 2022-09-30).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlflow_smwatch.aws.operations import BATCH_GET_METRICS
from mlflow_smwatch.aws.search import chunks
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.errors import (
    AccessDeniedError,
    AwsUnreachableError,
    JobError,
    LogsGoneError,
    RetriableError,
)

_QUERIES = 100
"""Queries in one call ("BatchGetMetrics")."""

COMPONENTS_PER_READING = 25
"""How many components are read together, so that those of few metrics share a call."""

_ROUNDS = 40
_FIRST_MS = 10**11
"""Seconds since the epoch stay below that until the year 5138, milliseconds since 1973 above it."""

ComponentPoint = tuple[int, int, float]
"""Iteration, timestamp in milliseconds, value."""

_Points = dict[int, list[float]]

_Key = tuple[str, str, str]
"""ARN, metric name, axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSeries:
    """What SageMaker Metrics gave of some trial components.

    Attributes
    ----------
    series
        ARN → metric name → its points by iteration; absent where there is no such series, or it
        was not given whole: its summary is all there is.
    denied
        Why series could not be read, in words; None where they could.
    """

    series: Mapping[str, Mapping[str, tuple[ComponentPoint, ...]]] = field(default_factory=dict)
    denied: str | None = None


@dataclass(frozen=True, slots=True)
class _Query:
    """One metric of one component on one axis, within inclusive bounds on that axis."""

    arn: str
    metric: str
    axis: str
    start: int | None = None
    end: int | None = None

    @property
    def key(self) -> _Key:
        return self.arn, self.metric, self.axis

    def request(self) -> dict[str, Any]:
        bounds = {"Start": self.start, "End": self.end}
        return {
            "MetricName": self.metric,
            "ResourceArn": self.arn,
            "MetricStat": "Last",
            "Period": "IterationNumber",
            "XAxisType": self.axis,
            **{key: bound for key, bound in bounds.items() if bound is not None},
        }


_ITERATIONS, _TIMES = "IterationNumber", "Timestamp"


@dataclass
class _Axis:
    """What is known of one metric on one axis."""

    points: _Points = field(default_factory=dict)
    failed: bool = False

    def add(self, stamps: Sequence[int], values: Sequence[float]) -> None:
        """Take points; of those of one stamp, all are in one of the answers."""
        fresh: _Points = {}
        for stamp, value in zip(stamps, values, strict=True):
            fresh.setdefault(int(stamp), []).append(float(value))
        for stamp, some in fresh.items():
            if len(some) > len(self.points.get(stamp, ())):
                self.points[stamp] = some

    def ordered(self) -> list[tuple[int, float]]:
        """Give stamps and values by stamp."""
        return [(stamp, value) for stamp in sorted(self.points) for value in self.points[stamp]]


def read_component_series(
    aws: Aws, components: Mapping[str, Mapping[str, int]], live: Container[str] = ()
) -> ComponentSeries:
    """Read the series of trial components, up to 50 metrics a call.

    Parameters
    ----------
    aws
        The clients.
    components
        ARN → metric name → timestamp (ms) for all of its points where AWS does not tell theirs, one
        for each iteration.

    Raises
    ------
    CredentialsError
        When the credentials are missing, wrong or expired.
    """
    queries = [
        _Query(arn, name, axis)
        for arn, metrics in components.items()
        for name in metrics
        for axis in (_ITERATIONS, _TIMES)
    ]
    axes = {query.key: _Axis() for query in queries}
    try:
        _read(aws, queries, axes)
    except AccessDeniedError as error:
        return ComponentSeries(denied=str(error))
    series: dict[str, dict[str, tuple[ComponentPoint, ...]]] = {}
    for arn, metrics in components.items():
        for name, fallback_ms in metrics.items():
            by_iteration, by_time = axes[arn, name, _ITERATIONS], axes[arn, name, _TIMES]
            points = _joined(by_iteration, by_time, fallback_ms, live=arn in live)
            if points is not None:
                series.setdefault(arn, {})[name] = points
    return ComponentSeries(series=series)


def calls_for(components: Mapping[str, Collection[str]]) -> int:
    """Tell how many calls :func:`read_component_series` makes where each answer is whole.

    Parameters
    ----------
    components
        ARN → metric names.
    """
    queries = len((_ITERATIONS, _TIMES)) * sum(map(len, components.values()))
    return -(-queries // _QUERIES)


def _read(aws: Aws, queries: list[_Query], axes: Mapping[_Key, _Axis]) -> None:
    """Ask until every answer is whole; what is not by then has failed."""
    for _ in range(_ROUNDS):
        further: list[_Query] = []
        for some in chunks(queries, _QUERIES):
            for query, result in zip(some, _results(aws, some), strict=True):
                further += _take(query, result, axes[query.key])
        queries = further
        if not queries:
            return
    for query in queries:
        axes[query.key].failed = True


def _results(aws: Aws, queries: Sequence[_Query]) -> list[Mapping[str, Any]]:
    """Give a result for each query; an empty one where none came."""
    request = {"MetricQueries": [query.request() for query in queries]}
    call = aws.sagemaker_metrics.batch_get_metrics
    try:
        answer = ask(BATCH_GET_METRICS, call, request, "MetricQueryResults")
    except (JobError, LogsGoneError, AwsUnreachableError):
        return [{} for _ in queries]
    results = list(answer["MetricQueryResults"])
    return results if len(results) == len(queries) else [{} for _ in queries]


def _take(query: _Query, result: Mapping[str, Any], axis: _Axis) -> list[_Query]:
    """Take one result; give the queries for what it lacks."""
    stamps, values = result.get("XAxisValues") or (), result.get("MetricValues") or ()
    status = result.get("Status")
    if status == "InternalError":
        message = (
            f"AWS failed on the metric {query.metric} of {query.arn}: the next pass asks again"
        )
        raise RetriableError(message)
    if status not in {"Complete", "Truncated"} or len(stamps) != len(values):
        axis.failed = True
        return []
    axis.add(stamps, values)
    if status == "Complete":
        return []
    narrower = _narrower(query, [int(each) for each in stamps])
    axis.failed = axis.failed or not narrower
    return narrower


def _narrower(query: _Query, stamps: Sequence[int]) -> list[_Query]:
    """Cut a query whose answer was too long into shorter ones, which overlap at their ends."""
    if not stamps:
        return []
    first, last = min(stamps), max(stamps)
    if query.start is not None and query.end is not None:
        return _halves(query, query.start, query.end)
    if first == last in {query.start, query.end}:
        return []
    parts = [replace(query, start=first, end=last)]
    if query.start != first:
        parts.append(replace(query, end=first))
    if query.end != last:
        parts.append(replace(query, start=last))
    return parts


def _halves(query: _Query, start: int, end: int) -> list[_Query]:
    if start == end:
        return []
    middle = (start + end) // 2
    lower = middle if middle > start else end
    return [replace(query, end=middle), replace(query, start=lower)]


def _joined(
    iterations: _Axis, times: _Axis, fallback_ms: int, *, live: bool
) -> tuple[ComponentPoint, ...] | None:
    """Put iterations and timestamps together; None where there is no whole series."""
    points = iterations.ordered()
    if iterations.failed or not points:
        return None
    stamps = [_milliseconds(stamp) for stamp, _ in times.ordered()]
    if live and not times.failed and len(stamps) != len(points):
        return None
    if times.failed or len(stamps) != len(points):
        stamps = [fallback_ms] * len(points)
    return tuple(
        (iteration, stamp, value) for (iteration, value), stamp in zip(points, stamps, strict=True)
    )


def _milliseconds(stamp: int) -> int:
    """Read a timestamp, whose unit AWS does not document, by its magnitude."""
    return stamp * 1000 if abs(stamp) < _FIRST_MS else stamp
