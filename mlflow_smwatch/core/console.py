"""Links into the AWS console.

AWS documents no contract for these addresses: the pages of training, processing and transform
jobs are those that the SageMaker Python SDK prints, the others those that the console itself
shows. Every function returns an empty string where there is no link to be had: a partition whose
console is not public, a region that is not one, a URI that is not in S3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import quote

from mlflow_smwatch.core.arn import Arn

CONSOLE_HOSTS: Mapping[str, str] = MappingProxyType(
    {
        "aws": "console.aws.amazon.com",
        "aws-cn": "console.amazonaws.cn",
        "aws-us-gov": "console.amazonaws-us-gov.com",
        "aws-eusc": "console.amazonaws-eusc.eu",
    }
)

MetricSeries: TypeAlias = tuple[str, str, Sequence[tuple[str, str]]]
"""Namespace, metric name, and (dimension, value) pairs."""

_Jsurl: TypeAlias = "str | int | Sequence[_Jsurl] | Mapping[str, _Jsurl]"

_JOB_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "training-job": "jobs",
        "processing-job": "processing-jobs",
        "transform-job": "transform-jobs",
        "hyper-parameter-tuning-job": "hyper-tuning-jobs",
        "endpoint": "endpoints",
        "notebook-instance": "notebook-instances",
    }
)

_REGION = re.compile(r"[a-z0-9-]+")
_S3_URI = re.compile(r"s3://(?P<bucket>[A-Za-z0-9._-]+)(?:/(?P<key>.*))?", re.DOTALL)
_JSURL_SPECIAL = re.compile(r"[^A-Za-z0-9_.-]")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def job_url(arn: Arn) -> str:
    """Link to the page of a job, an endpoint or a notebook instance.

    Parameters
    ----------
    arn
        Its ARN.

    Returns
    -------
    str
        The address, or an empty string, also for what has no page outside of SageMaker Studio,
        as AutoML jobs.
    """
    page = _JOB_PAGES.get(arn.resource_type)
    if page is None:
        return ""
    return _service_url(
        arn.partition, arn.region, "sagemaker", f"/{page}/{_once(arn.resource_name)}"
    )


def log_group_url(partition: str, region: str, group: str, stream_prefix: str | None = None) -> str:
    """Link to the streams of a log group.

    Parameters
    ----------
    partition, region
        Where the group is.
    group
        Its name, such as ``/aws/sagemaker/TrainingJobs``.
    stream_prefix
        Only streams whose name begins so; ``my-job/`` leaves out those of ``my-job-2``.

    Returns
    -------
    str
        The address, or an empty string.
    """
    page = f"logsV2:log-groups/log-group/{_twice(group)}"
    if stream_prefix is not None:
        page += f"$3FlogStreamNameFilter$3D{_twice(stream_prefix)}"
    return _service_url(partition, region, "cloudwatch", page)


def alarm_url(partition: str, region: str, name: str) -> str:
    """Link to a CloudWatch alarm.

    Parameters
    ----------
    partition, region
        Where the alarm is.
    name
        Its name.

    Returns
    -------
    str
        The address, or an empty string.
    """
    return _service_url(partition, region, "cloudwatch", f"alarmsV2:alarm/{_once(name)}")


def s3_url(partition: str, region: str, uri: str) -> str:
    """Link to an object in S3, or to a folder where the URI ends with ``/``.

    Parameters
    ----------
    partition, region
        Where the bucket is.
    uri
        ``s3://bucket/key``, ``s3://bucket/prefix/`` or ``s3://bucket``.

    Returns
    -------
    str
        The address, or an empty string.
    """
    origin = _origin(partition, region)
    match = _S3_URI.fullmatch(uri)
    if not origin or match is None:
        return ""
    key = match["key"] or ""
    page = "object" if key and not key.endswith("/") else "buckets"
    address = f"{origin}/s3/{page}/{_once(match['bucket'])}?region={region}"
    return f"{address}&prefix={_once(key)}" if key else address


def dashboard_url(partition: str, region: str, name: str) -> str:
    """Link to a CloudWatch dashboard.

    Parameters
    ----------
    partition, region
        Where it is looked at; dashboards belong to the whole account.
    name
        Its name.

    Returns
    -------
    str
        The address, or an empty string.
    """
    return _service_url(partition, region, "cloudwatch", f"dashboards/dashboard/{_once(name)}")


def metrics_url(
    partition: str,
    region: str,
    series: Sequence[MetricSeries],
    start_ms: int,
    end_ms: int,
    period_s: int,
) -> str:
    """Link to a graph of CloudWatch metrics.

    Parameters
    ----------
    partition, region
        Where the metrics are.
    series
        What to draw: (namespace, metric name, ((dimension, value), …)) for each line. An address
        grows by about 150 characters with each.
    start_ms, end_ms
        The time shown, milliseconds since the epoch.
    period_s
        Length of a period, seconds.

    Returns
    -------
    str
        The address, or an empty string.
    """
    graph: dict[str, _Jsurl] = {
        "metrics": [_metric_row(*one) for one in series],
        "view": "timeSeries",
        "region": region,
        "stat": "Average",
        "period": period_s,
        "start": _iso(start_ms),
        "end": _iso(end_ms),
    }
    return _service_url(partition, region, "cloudwatch", f"metricsV2:graph={_jsurl(graph)}")


def _origin(partition: str, region: str) -> str:
    host = CONSOLE_HOSTS.get(partition)
    return f"https://{region}.{host}" if host and _REGION.fullmatch(region) else ""


def _service_url(partition: str, region: str, service: str, page: str) -> str:
    origin = _origin(partition, region)
    return f"{origin}/{service}/home?region={region}#{page}" if origin else ""


def _once(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _twice(text: str) -> str:
    """Encode as the logs console does: percent-encoded twice, with ``$`` for ``%``."""
    return _once(_once(text)).replace("%", "$")


def _metric_row(namespace: str, name: str, dimensions: Sequence[tuple[str, str]]) -> list[str]:
    return [namespace, name, *(part for dimension in dimensions for part in dimension)]


def _iso(timestamp_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=timestamp_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _jsurl(value: _Jsurl) -> str:
    """Encode a value in JSURL, the notation of the metrics console."""
    if isinstance(value, str):
        return "~'" + _JSURL_SPECIAL.sub(_jsurl_escape, value)
    if isinstance(value, int):
        return f"~{value}"
    if isinstance(value, Mapping):
        return "~(" + "~".join(name + _jsurl(member) for name, member in value.items()) + ")"
    return "~(" + ("".join(_jsurl(item) for item in value) or "~") + ")"


def _jsurl_escape(match: re.Match[str]) -> str:
    """Escape one character as ``*xx``, or as ``**xxxx`` for each of its UTF-16 units."""
    character = match.group()
    if ord(character) < 0x100:
        return f"*{ord(character):02x}"
    units = character.encode("utf-16-be", "replace")
    return "".join(f"**{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
