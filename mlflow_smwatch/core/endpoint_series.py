"""Endpoint → the CloudWatch series that it may have, from its description and from ``ListMetrics``.

Names, units and dimensions: "Amazon SageMaker AI metrics in Amazon CloudWatch", "Amazon SageMaker
AI enhanced metrics for inference endpoints", "Inference pipeline logs and metrics". No value is
rescaled: latencies stay microseconds.

A series is told again by what stands in the watermark, since ``ListMetrics`` forgets it after two
weeks: its original is the name of its key, and behind that what the name alone does not tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlflow_smwatch.core.job_series import INSTANCE_METRICS
from mlflow_smwatch.core.series import AVERAGE, Series, further_original, told_of
from mlflow_smwatch.core.variants import Variant

INVOCATIONS = "AWS/SageMaker"
INSTANCES = "/aws/sagemaker/Endpoints"
COMPONENTS = "/aws/sagemaker/InferenceComponents"

ENDPOINT_NAME = "EndpointName"
VARIANT_NAME = "VariantName"
CONTAINER_NAME = "ContainerName"
COMPONENT_NAME = "InferenceComponentName"
HOST = "Host"

SUM = "Sum"
SUMMED = frozenset(
    {
        "Invocations",
        "InvocationsPerInstance",
        "InvocationsPerCopy",
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "InvocationModelErrors",
        "InvocationsProcessed",
        "InvocationFailures",
        "InvocationsFailed",
        "ExpiredRequests",
        "MidStreamErrors",
    }
)
"""Metrics that count what happened in a period; of all others the average is read."""

CONTAINER_LATENCY = "ContainerLatency"
VARIANT_METRICS = (
    "Invocations",
    "InvocationsPerInstance",
    "Invocation4XXErrors",
    "Invocation5XXErrors",
    "ModelLatency",
    "OverheadLatency",
    CONTAINER_LATENCY,
)
COMPONENT_METRICS = (
    "Invocations",
    "InvocationsPerCopy",
    "Invocation4XXErrors",
    "Invocation5XXErrors",
    "ModelLatency",
)
COMPONENT_UTILISATION = (
    "CPUUtilizationNormalized",
    "MemoryUtilizationNormalized",
    "GPUUtilizationNormalized",
    "GPUMemoryUtilizationNormalized",
)
_SERVERLESS_UTILISATION = "MemoryUtilization"

_UTILISATION = dict(INSTANCE_METRICS)
_NAMED = {INVOCATIONS: VARIANT_METRICS, INSTANCES: tuple(_UTILISATION)}
_BY_NAME = "@"
"""Stands behind the name of a series of a variant whose name tells the rest."""

_SYSTEM = "system"
_PERCENTILE = re.compile(r"p[0-9.]+")
_LATENCY = "Latency"
_CAMEL_CASE = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_WORD = re.compile(r"[0-9]+[A-Z]*(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_SEGMENTS = (CONTAINER_NAME, "InstanceId", "ContainerId", "AcceleratorId")
PASSING = frozenset({HOST, *_SEGMENTS[1:]})
"""Dimensions that name what comes and goes with an instance."""


@dataclass(frozen=True, slots=True, order=True)
class EndpointMetric:
    """A metric as CloudWatch lists it.

    Attributes
    ----------
    namespace, name
        Of the metric.
    dimensions
        Name and value pairs, sorted by name.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    @property
    def latency(self) -> bool:
        """Whether it has percentiles that are worth a series."""
        return self.namespace == INVOCATIONS and self.name.endswith(_LATENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What is known of an endpoint's metrics besides its description.

    Attributes
    ----------
    listed
        What ``ListMetrics`` tells.
    remembered
        Originals of what the run's watermark knows.
    present
        Names of its variants and inference components.
    quiet
        Whether a metric that is not listed has nothing that is not read yet.
    """

    listed: Sequence[EndpointMetric] = ()
    remembered: Sequence[str] = ()
    present: frozenset[str] = frozenset()
    quiet: bool = False


def described_series(endpoint: str, variants: Iterable[Variant]) -> tuple[Series, ...]:
    """List the series that every endpoint of such variants may have.

    Parameters
    ----------
    endpoint
        Its name.
    variants
        Production and shadow variants.
    """
    return tuple(
        series_of(endpoint, metric) for each in variants for metric in _of_variant(endpoint, each)
    )


def all_series(
    endpoint: str, described: Iterable[Series], discovered: Discovered
) -> tuple[Series, ...]:
    """Join the series that the description tells with the others that are known.

    What is gone is asked for no longer: the series of an instance, or of a variant that is not
    there any more, once they are not listed although all before the last two weeks is read.

    Parameters
    ----------
    endpoint
        Its name.
    described
        As of :func:`described_series`; they come first, in their order.
    discovered
        What else is known.

    Returns
    -------
    tuple of Series
        Each once.
    """
    known = {each.original: each for each in described}
    listed = {
        one.original: one for one in (series_of(endpoint, each) for each in discovered.listed)
    }
    past = {}
    for original in discovered.remembered:
        series = remembered_series(endpoint, original)
        if series and not (discovered.quiet and _is_gone(series, discovered.present)):
            past[original] = series
    others = {**past, **listed}
    return (*known.values(), *(others[each] for each in sorted(others.keys() - known.keys())))


def with_percentiles(series: Iterable[Series], percentiles: Iterable[str]) -> tuple[Series, ...]:
    """Add the percentiles of endpoints' latencies; the same again where they are there.

    Parameters
    ----------
    series
        Of one endpoint.
    percentiles
        Statistics such as ``p90``.
    """
    given = tuple(series)
    wanted = {each.original: each for each in given}
    for each in given:
        metric = EndpointMetric(each.namespace, each.metric_name, each.dimensions)
        endpoint = dict(each.dimensions).get(ENDPOINT_NAME, "")
        if told_of(each.original) and each.stat == AVERAGE and metric.latency:
            for percentile in percentiles:
                one = series_of(endpoint, metric, percentile)
                wanted.setdefault(one.original, one)
    return tuple(wanted.values())


def series_of(endpoint: str, metric: EndpointMetric, stat: str | None = None) -> Series:
    """Make the series of a metric of an endpoint.

    Parameters
    ----------
    endpoint
        Its name.
    metric
        The metric.
    stat
        A percentile; None for the sum of what is counted, and the average of all else.
    """
    key, plain = _key(metric), SUM if metric.name in SUMMED else AVERAGE
    name = "/".join([*_place(endpoint, metric), key, *([stat] if stat else [])])
    by_name = _told_by(endpoint, name) == (metric, stat or plain)
    rest = [metric.namespace, metric.name, metric.dimensions, stat or plain]
    return Series(
        original=further_original(name, _BY_NAME if by_name else json.dumps(rest)),
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=metric.dimensions,
        stat=stat or plain,
    )


def remembered_series(endpoint: str, original: str) -> Series | None:
    """Tell a series again by its original; None for what is no series of an endpoint."""
    rest = told_of(original)
    if rest is None:
        return None
    name = original[1 : -len(rest) - 1]
    told = _told_by(endpoint, name) if rest == _BY_NAME else _told_at_length(rest)
    if told is None:
        return None
    metric, stat = told
    return Series(
        original=original,
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=metric.dimensions,
        stat=stat,
    )


def snake_case(name: str) -> str:
    """Write the name of a metric as a key: ``Invocation4XXErrors`` → ``invocation_4xx_errors``.

    What is not written in camel case stays as it is.
    """
    if not _CAMEL_CASE.fullmatch(name):
        return name
    return "_".join(word.lower() for word in _WORD.findall(name))


def _of_variant(endpoint: str, variant: Variant) -> Iterator[EndpointMetric]:
    place = {ENDPOINT_NAME: endpoint, VARIANT_NAME: variant.name}
    utilisation = (_SERVERLESS_UTILISATION,) if variant.serverless else tuple(_UTILISATION)
    several = variant.containers if len(variant.containers) > 1 else ()
    alone = (name for name in VARIANT_METRICS if not (several and name == CONTAINER_LATENCY))
    yield from (_metric(INVOCATIONS, name, place) for name in alone)
    yield from (
        _metric(INVOCATIONS, CONTAINER_LATENCY, {**place, CONTAINER_NAME: each}) for each in several
    )
    yield from (_metric(INSTANCES, name, place) for name in utilisation)
    for component in variant.components:
        own = {COMPONENT_NAME: component.name}
        yield from (_metric(INVOCATIONS, name, own) for name in COMPONENT_METRICS)
        yield from (_metric(COMPONENTS, name, own) for name in COMPONENT_UTILISATION)


def _metric(namespace: str, name: str, dimensions: Mapping[str, str]) -> EndpointMetric:
    return EndpointMetric(namespace, name, tuple(sorted(dimensions.items())))


def _key(metric: EndpointMetric) -> str:
    if metric.namespace == INVOCATIONS:
        return snake_case(metric.name)
    return _UTILISATION.get(metric.name) or snake_case(metric.name)


def _place(endpoint: str, metric: EndpointMetric) -> Iterator[str]:
    """Give the parts of a key before the metric's own: of whose it is, from the large to the small.

    ``Host`` is ``<endpoint>/<variant>/<instance>``.
    """
    dimensions = dict(metric.dimensions)
    host, own = dimensions.pop(HOST, ""), dimensions.pop(ENDPOINT_NAME, None)
    variant, component = dimensions.pop(VARIANT_NAME, None), dimensions.pop(COMPONENT_NAME, None)
    if metric.namespace != INVOCATIONS:
        yield _SYSTEM
    if host:
        yield host.removeprefix(f"{endpoint}/")
    if variant:
        yield variant
    if component:
        yield from (component,) if variant or own else ("component", component)
    yield from (dimensions.pop(each) for each in _SEGMENTS if each in dimensions)
    yield from (value for _, value in sorted(dimensions.items()))


def _told_by(endpoint: str, name: str) -> tuple[EndpointMetric, str] | None:
    """Tell a metric of a whole variant, and its statistic, by the name of its key."""
    *place, last = name.split("/")
    stat = None
    if _PERCENTILE.fullmatch(last) and place:
        stat = last
        *place, last = place
    namespace = INVOCATIONS
    if len(place) > 1 and place[0] == _SYSTEM:
        namespace, place = INSTANCES, place[1:]
    if len(place) != 1:
        return None
    dimensions = {ENDPOINT_NAME: endpoint, VARIANT_NAME: place[0]}
    metrics = (_metric(namespace, each, dimensions) for each in _NAMED[namespace])
    found = next((each for each in metrics if _key(each) == last), None)
    if found is None:
        return None
    return found, stat or (SUM if found.name in SUMMED else AVERAGE)


def _told_at_length(rest: str) -> tuple[EndpointMetric, str] | None:
    try:
        namespace, name, dimensions, stat = json.loads(rest)
        pairs = tuple((str(key), str(value)) for key, value in dimensions)
    except (ValueError, TypeError):
        return None
    return EndpointMetric(str(namespace), str(name), pairs), str(stat)


def _is_gone(series: Series, present: frozenset[str]) -> bool:
    """Whether a series is of an instance, or of a variant or component that is not there."""
    dimensions = dict(series.dimensions)
    if not PASSING.isdisjoint(dimensions):
        return True
    owners = [dimensions[each] for each in (VARIANT_NAME, COMPONENT_NAME) if each in dimensions]
    return any(each not in present for each in owners)


def graphed(series: Iterable[Series]) -> tuple[Series, ...]:
    """Leave out what ``ListMetrics`` alone tells, so that a link does not change with it."""
    return tuple(each for each in series if told_of(each.original) in {None, _BY_NAME})
