"""Price lists: what AWS charges for calls and for instances, and what a job came to by them.

Enters: the text of a list, a job. Leaves: :class:`PriceList`, :class:`Cost`. A price belongs to
one Region, says of which day it is and who says so, and stands for no other Region.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job import Job, Usage
from mlflow_smwatch.core.job_kinds import PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BILLED_KINDS = tuple(kind.word for kind in (TRAINING_JOB, PROCESSING_JOB, TRANSFORM_JOB))
"""Kinds of jobs whose instances have a price."""

_HOUR_S = 3600
_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")
_PER_METRIC = "cloudwatch:GetMetricData"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one instance costs.

    Attributes
    ----------
    usd_per_hour
        Dollars an hour.
    as_of
        The day of the price list, or its month or year.
    source
        Who says so.
    """

    usd_per_hour: float
    as_of: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices of one day and one source.

    Attributes
    ----------
    as_of, source
        Of what day, and who says so.
    instances
        Region (None for any), kind of job (None for any) and instance type → USD an hour.
    calls
        IAM action → USD for a call.
    metrics
        IAM action → USD for each metric that a call asks for.
    """

    as_of: str
    source: str
    instances: Mapping[tuple[str | None, str | None, str], float] = field(default_factory=dict)
    calls: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def price(self, region: str, kind: str, instance_type: str) -> Price | None:
        """Look a price up, the most particular first; None where the list has none."""
        for where in ((region, kind), (region, None), (None, kind), (None, None)):
            found = self.instances.get((*where, instance_type))
            if found is not None:
                return Price(usd_per_hour=found, as_of=self.as_of, source=self.source)
        return None


PriceOf = Callable[[str, str, str], Price | None]
"""Region, kind of job and instance type → price; None where it is not known."""


def first_of(lists: Sequence[PriceList]) -> PriceOf:
    """Look prices up in several lists, of which the first that has one counts."""

    def price(region: str, kind: str, instance_type: str) -> Price | None:
        found = (each.price(region, kind, instance_type) for each in lists)
        return next((each for each in found if each is not None), None)

    return price


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a job's instances came to.

    Attributes
    ----------
    usd
        Dollars.
    basis
        What was multiplied, as JSON text.
    """

    usd: float
    basis: str


def is_billed(job: Job) -> bool:
    """Whether a job has ended and ran on instances that are billed by the second."""
    return job.ended and job.usage is not None and bool(job.usage.instances)


def cost_of(job: Job, price_of: PriceOf) -> Cost | None:
    """Multiply what a job is billed for with the prices of its instances.

    Parameters
    ----------
    job
        The job.
    price_of
        Tells the prices.

    Returns
    -------
    Cost or None
        None where it is not billed by the second, goes on, or has a type without a known price.
    """
    usage = job.usage
    if usage is None or not is_billed(job):
        return None
    priced = list(_priced(job, usage, price_of))
    if any(price is None for *_, price in priced):
        return None
    known = [(kind, count, price) for kind, count, price in priced if price is not None]
    usd = sum(usage.seconds * count * price.usd_per_hour for _, count, price in known) / _HOUR_S
    return Cost(usd=usd, basis=_basis(job, usage, known, usd))


def noted_usd(basis: str | None) -> float | None:
    """Tell from the basis of a cost what it was; None where that is not there, or not readable."""
    try:
        usd = json.loads(basis or "")["usd"]
        return float(usd) if isinstance(usd, (int, float)) else None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def _priced(job: Job, usage: Usage, price_of: PriceOf) -> Iterator[tuple[str, int, Price | None]]:
    for instance_type, count in usage.instances:
        yield instance_type, count, price_of(job.arn.region, job.kind.word, instance_type)


def _basis(job: Job, usage: Usage, priced: Iterable[tuple[str, int, Price]], usd: float) -> str:
    content: dict[str, Any] = {
        "usd": usd,
        "billable_seconds": usage.seconds,
        "region": job.arn.region,
        "instances": [
            {
                "type": instance_type,
                "count": count,
                "usd_per_hour": price.usd_per_hour,
                "as_of": price.as_of,
                "source": price.source,
            }
            for instance_type, count, price in priced
        ],
    }
    notes = [*usage.notes, *(["spot: its discount is in the billable seconds"] if job.spot else ())]
    return json.dumps(content | ({"notes": notes} if notes else {}))


def read_price_list(text: str, name: str) -> PriceList:
    """Read a price list of a user's.

    Parameters
    ----------
    text
        TOML.
    name
        What to call it in messages, and where it names no source.

    Raises
    ------
    UsageError
        When it is no TOML, or holds anything that is not known: one line.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _refuse(name, f"no TOML: {error}")
    unknown = content.keys() - {"as_of", "source", "aws", "instances"}
    if unknown:
        _refuse(name, f"unknown key {min(unknown)}; known are as_of, source, aws, instances")
    for key in ("as_of", "source"):
        if key not in content:
            _refuse(name, f"{key} is missing: say of what day, and from where the prices are")
    calls, metrics = _operations(_table(content, "aws", name), name)
    return PriceList(
        as_of=str(content["as_of"]),
        source=str(content["source"]),
        instances=dict(_instances(_table(content, "instances", name), name)),
        calls=calls,
        metrics=metrics,
    )


def _table(content: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, Mapping):
        _refuse(name, f"{key} is no table")
    return table


def _operations(table: Mapping[str, Any], name: str) -> tuple[dict[str, float], dict[str, float]]:
    calls: dict[str, float] = {}
    metrics: dict[str, float] = {}
    for action, price in table.items():
        if not _ACTION.fullmatch(action):
            _refuse(name, f"aws.{action}: give an operation such as cloudwatch:GetMetricData")
        each = price if isinstance(price, Mapping) else {"call": price}
        if unknown := each.keys() - {"call", "metric"}:
            _refuse(name, f"unknown key aws.{action}.{min(unknown)}; known are call, metric")
        if "metric" in each and action != _PER_METRIC:
            _refuse(name, f"aws.{action}.metric: {_PER_METRIC} alone is paid by the metric")
        if "call" in each:
            calls[action] = _amount(each["call"], f"aws.{action}", name)
        if "metric" in each:
            metrics[action] = _amount(each["metric"], f"aws.{action}.metric", name)
    return calls, metrics


def _instances(
    table: Mapping[str, Any], name: str, region: str | None = None, kind: str | None = None
) -> Iterator[tuple[tuple[str | None, str | None, str], float]]:
    path = ".".join(("instances", *filter(None, (region, kind))))
    for key, value in table.items():
        if _INSTANCE.fullmatch(key):
            yield (region, kind, key), _amount(value, f"{path}.{key}", name)
        elif not isinstance(value, Mapping):
            _refuse(name, f"{path}.{key}: give an instance type such as ml.m5.xlarge")
        elif key in BILLED_KINDS and kind is None:
            yield from _instances(value, name, region, key)
        elif _REGION.fullmatch(key) and region is None and kind is None:
            yield from _instances(value, name, key)
        else:
            _refuse(name, f"{path}.{key}: give a Region, or one of {', '.join(BILLED_KINDS)}")


def _amount(value: object, path: str, name: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(amount := float(str(value))) or amount < 0:
        _refuse(name, f"{path}: give dollars, 0 or more")
    return amount


def _refuse(name: str, why: str) -> NoReturn:
    message = f"--prices {name}: {' '.join(why.split())}"
    raise UsageError(message)
