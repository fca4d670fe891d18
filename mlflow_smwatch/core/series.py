"""CloudWatch series and their points, and how the mirror tells one series of a job from another."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_HOST = "algo-1"
"""The host whose algorithm metrics from the logs carry the metric's bare name."""

AVERAGE = "Average"

_MIRRORS_OWN = ("system/", "sagemaker/", "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One CloudWatch metric of one job.

    Attributes
    ----------
    original
        Identifies it among all series of the job; for all but a few algorithm metrics (see
        :func:`metric_original`) and further series (see :func:`further_original`) the MLflow key
        before MLflow's rules are applied.
    namespace, metric_name, dimensions
        What CloudWatch stores it under; dimensions match exactly or not at all.
    stat
        The statistic of each period, as ``GetMetricData`` takes it: ``Average``, ``Sum``, ``p90``.
    """

    original: str
    namespace: str
    metric_name: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str = AVERAGE


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one series.

    Attributes
    ----------
    timestamp_ms
        Milliseconds since the epoch, as AWS gives it.
    value
        As AWS gives it.
    """

    timestamp_ms: int
    value: float


def metric_original(name: str) -> str:
    """Identify an algorithm metric, apart from every utilisation and duration of the same name."""
    return f"{name}\n" if name.startswith(_MIRRORS_OWN) else name


def host_original(name: str, host: str) -> str:
    """Identify an algorithm metric of one host, apart from every metric of another name.

    No name of a MetricDefinition holds a line break.
    """
    return metric_original(name) if host == FIRST_HOST else f"{name}\n{host}"


def further_original(name: str, rest: str | None = None) -> str:
    """Identify a series that is neither an algorithm metric nor a host's, by its key's name.

    Parameters
    ----------
    name
        What the key is made of.
    rest
        What the name does not tell of an endpoint's series, in one line; None for others.
    """
    return f"\n{name}" if rest is None else f"\n{name}\n{rest}"


def name_of(original: str) -> str:
    """Return what the key of a host's or a further series is made of."""
    rest = told_of(original)
    name = original.removeprefix("\n")
    return name if rest is None else name[: -len(rest) - 1]


def told_of(original: str) -> str | None:
    """Return what the original of an endpoint's series tells besides its name; else None."""
    _, between, rest = original[1:].rpartition("\n")
    return rest if between and original.startswith("\n") else None


def metric_of(original: str) -> str | None:
    """Return the name of the algorithm metric that an original stands for, on whichever host.

    None for a series of the mirror's own: utilisation, durations, further series.
    """
    name, separator, _ = original.partition("\n")
    own = original.startswith(_MIRRORS_OWN) and not (name and separator)
    return None if own else name


def step_of(timestamp_ms: int, created_ms: int) -> int:
    """Return the step of a CloudWatch point: whole seconds since CreationTime, rounded down."""
    return (timestamp_ms - created_ms) // 1000
