"""Who AWS takes the caller for, whose clock is right, and what quotas the account has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from mlflow_smwatch.aws.operations import (
    DESCRIBE_LOG_STREAMS,
    GET_CALLER_IDENTITY,
    GET_LOG_EVENTS,
    GET_METRIC_DATA,
    OPERATIONS,
)
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.errors import SmwatchError, StopError
from mlflow_smwatch.core.findings import WARN, Finding, failed

LIST_QUOTAS = "servicequotas:ListServiceQuotas"

_SERVICE_QUOTAS = "service-quotas"
_QUOTA_CODES = {
    GET_METRIC_DATA: "monitoring",
    DESCRIBE_LOG_STREAMS: "logs",
    GET_LOG_EVENTS: "logs",
}
_A_RATE = re.compile(r"(?i)\brate of\b|per second|throttle")
_NO_RATE = re.compile(r"(?i)data ?points|metrics per")
_PAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What one call tells of the caller.

    Attributes
    ----------
    arn, account
        Who it is; empty where AWS did not say.
    error
        Why it did not.
    ahead
        By how much this machine's clock is ahead of AWS's; None where AWS did not answer.
    """

    arn: str = ""
    account: str = ""
    error: SmwatchError | None = None
    ahead: timedelta | None = None


def identify(aws: Aws, clock: Callable[[], datetime]) -> Caller:
    """Ask AWS who the caller is (``GetCallerIdentity``), and compare clocks.

    Parameters
    ----------
    aws
        The clients.
    clock
        Tells this machine's time, aware.
    """
    try:
        asked = aws.client("sts").get_caller_identity
        answer = ask(GET_CALLER_IDENTITY, asked, {}, "Arn", "Account")
    except SmwatchError as error:
        refused = error.__cause__
        told = refused.response if isinstance(refused, ClientError) else {}
        return Caller(error=error, ahead=_ahead(told, clock()))
    return Caller(
        arn=str(answer["Arn"]), account=str(answer["Account"]), ahead=_ahead(answer, clock())
    )


def quota_findings(aws: Aws) -> Iterator[Finding]:
    """Compare the account's quotas with the rates that the mirror allows itself.

    That takes ``servicequotas:ListServiceQuotas``, which the mirror itself does not need.

    Raises
    ------
    StopError
        When AWS is not to be reached any more.
    """
    rates: dict[str, Mapping[str, float]] = {}
    for operation, service in _QUOTA_CODES.items():
        if service not in rates:
            try:
                rates[service] = dict(_rates(aws, service))
            except StopError:
                raise
            except SmwatchError as error:
                why = failed("quotas", error).detail
                yield Finding(check="quotas", detail=f"not readable for {service} ({why})")
                rates[service] = {}
        name = operation.partition(":")[2]
        found = [rate for title, rate in rates[service].items() if name in title]
        if found:
            yield _compared(operation, min(found), aws.region)


def _compared(operation: str, quota: float, region: str) -> Finding:
    rate = OPERATIONS[operation].rate_in(region)
    detail = f"{operation}: {quota:g} calls a second; the mirror makes up to {rate:g}"
    if rate <= quota:
        return Finding(check="quotas", detail=detail)
    fix = "ask for more in Service Quotas; throttled calls are waited out"
    return Finding(check="quotas", status=WARN, detail=detail, fix=fix)


def _rates(aws: Aws, service: str) -> Iterator[tuple[str, float]]:
    """List the quotas of a service that count calls a second."""
    request: dict[str, Any] = {"ServiceCode": service, "MaxResults": 100}
    list_quotas = aws.client(_SERVICE_QUOTAS).list_service_quotas
    for _ in range(_PAGES):
        answer = ask(LIST_QUOTAS, list_quotas, request, "Quotas")
        for each in answer["Quotas"]:
            title = str(each.get("QuotaName"))
            if _A_RATE.search(title) and not _NO_RATE.search(title) and "Value" in each:
                yield title, float(each["Value"])
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def _ahead(answer: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Compare a clock with the header ``Date`` of an answer, which has whole seconds."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return now - parsedate_to_datetime(headers["date"])
    except (KeyError, TypeError, ValueError):
        return None
