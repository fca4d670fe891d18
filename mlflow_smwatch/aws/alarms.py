"""CloudWatch's alarms and their history.

``DescribeAlarms`` gives 100 a page, and metric alarms alone unless it is told otherwise. Composite
alarms are only given to who may ask for all alarms (``*``). ``DescribeAlarmHistory`` gives 100 a
page too; CloudWatch keeps about two weeks of it, whether or not the alarm is deleted.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from botocore.config import Config

from mlflow_smwatch.aws.operations import DESCRIBE_ALARM_HISTORY, DESCRIBE_ALARMS
from mlflow_smwatch.aws.paging import answers
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.alarm_history import STATES, StateChange, state_in
from mlflow_smwatch.core.alarms import Alarm, Metric
from mlflow_smwatch.core.composite_rule import alarms_in
from mlflow_smwatch.core.moments import from_ms, to_ms
from mlflow_smwatch.core.redact import Redaction

logger = logging.getLogger(__name__)

_LISTS = ("MetricAlarms", "CompositeAlarms")
_LISTED = "Alarms"
_TYPES = ("MetricAlarm", "CompositeAlarm")
_PAGE = 100
_ATTEMPTS = 2
_CONNECT_S = 2
_READ_S = 4
_DIGITS = 8


def hasty(aws: Aws) -> Aws:
    """Give other clients of the same account, which soon give up: nothing is to wait for alarms."""
    retries: Any = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
    config = Config(retries=retries, connect_timeout=_CONNECT_S, read_timeout=_READ_S)
    return replace(aws, config=aws.config.merge(config), _clients={})


def alarm_pages(aws: Aws) -> Iterator[tuple[Alarm, ...]]:
    """List all metric alarms and composite alarms of the account and Region (``DescribeAlarms``).

    Yields
    ------
    tuple of Alarm
        Those of one answer; an alarm that changes meanwhile may come twice.

    Raises
    ------
    AccessDeniedError
        When ``cloudwatch:DescribeAlarms`` is denied.
    RetriableError, InvalidRequestError
        When the operation keeps failing or does not take the request.
    """
    request = {"AlarmTypes": list(_TYPES), "MaxRecords": _PAGE}
    call = partial(_one_list, aws.cloudwatch.describe_alarms)
    for page in answers(DESCRIBE_ALARMS, call, request, _LISTED):
        found = (each for each in page[_LISTED] if each.get("StateValue") in STATES)
        yield tuple(_alarm(each, aws.redaction) for each in found)


def _one_list(describe_alarms: Callable[..., Any], **request: Any) -> Mapping[str, Any]:
    """Join the lists of an answer; one that has neither was cut off."""
    answer: Mapping[str, Any] = describe_alarms(**request)
    lists = [answer[each] for each in _LISTS if each in answer]
    return {**answer, _LISTED: [alarm for each in lists for alarm in each]} if lists else answer


def read_history(aws: Aws, name: str, since_ms: int) -> tuple[StateChange, ...]:
    """Read how the state of an alarm changed (``DescribeAlarmHistory``).

    Parameters
    ----------
    aws
        The clients.
    name
        The alarm's.
    since_ms
        From when on, milliseconds since the epoch.

    Returns
    -------
    tuple of StateChange
        In time order.

    Raises
    ------
    AccessDeniedError
        When ``cloudwatch:DescribeAlarmHistory`` is denied.
    RetriableError, InvalidRequestError
        When the operation keeps failing or does not take the request.
    """
    request: dict[str, Any] = {
        "AlarmName": name,
        "AlarmTypes": list(_TYPES),
        "HistoryItemType": "StateUpdate",
        "StartDate": from_ms(since_ms),
        "ScanBy": "TimestampAscending",
        "MaxRecords": _PAGE,
    }
    changes: list[StateChange] = []
    while True:
        call = aws.cloudwatch.describe_alarm_history
        page = ask(DESCRIBE_ALARM_HISTORY, call, request, "AlarmHistoryItems")
        changes += _changes(page["AlarmHistoryItems"], aws.redaction)
        if not page.get("NextToken"):
            return tuple(sorted(changes, key=lambda each: each.timestamp_ms))
        request["NextToken"] = page["NextToken"]


def _changes(items: Sequence[Mapping[str, Any]], redaction: Redaction) -> Iterator[StateChange]:
    for item in items:
        told = state_in(item.get("HistoryData") or "", item.get("HistorySummary") or "")
        if told is None:
            logger.warning("an item of the history of %s tells no state", item.get("AlarmName"))
            continue
        state, reason = told
        yield StateChange(to_ms(item["Timestamp"]), state, _redacted(reason, redaction))


def _alarm(answer: Mapping[str, Any], redaction: Redaction) -> Alarm:
    name, rule = str(answer["AlarmName"]), answer.get("AlarmRule")
    changed = answer.get("StateTransitionedTimestamp") or answer.get("StateUpdatedTimestamp")
    return Alarm(
        name=name,
        title=_title(name, redaction),
        state=answer["StateValue"],
        reason=_redacted(answer.get("StateReason"), redaction),
        changed_ms=to_ms(changed) if changed else None,
        metrics=tuple(_metrics(answer)),
        watched=_redacted(_watched(answer), redaction),
        rule=_redacted(rule, redaction),
        children=alarms_in(rule or ""),
        statistic=answer.get("Statistic") or answer.get("ExtendedStatistic"),
        comparison=answer.get("ComparisonOperator"),
        threshold=answer.get("Threshold"),
        period_s=answer.get("Period"),
        evaluation_periods=answer.get("EvaluationPeriods"),
        datapoints=answer.get("DatapointsToAlarm"),
    )


def _title(name: str, redaction: Redaction) -> str:
    """Give what is shown of a name; of two that hold secrets, not the same."""
    title = redaction.text(name)
    if title == name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{title} {digest[:_DIGITS]}"


def _metrics(answer: Mapping[str, Any]) -> Iterator[Metric]:
    """Give what an alarm watches in its own account; ``Metrics`` stands for a single metric."""
    own = str(answer.get("AlarmArn") or "").split(":")[4:5]
    if answer.get("MetricName"):
        yield _metric(answer)
    for query in answer.get("Metrics") or ():
        metric = (query.get("MetricStat") or {}).get("Metric") or {}
        if metric.get("MetricName") and query.get("AccountId") in {None, "", *own}:
            yield _metric(metric)


def _metric(metric: Mapping[str, Any]) -> Metric:
    dimensions = frozenset((each["Name"], each["Value"]) for each in metric.get("Dimensions") or ())
    return metric.get("Namespace") or "", metric["MetricName"], dimensions


def _watched(answer: Mapping[str, Any]) -> str | None:
    """Name the metric, or the expression whose result an alarm compares."""
    if answer.get("MetricName"):
        return str(answer["MetricName"])
    queries = answer.get("Metrics") or ()
    band = answer.get("ThresholdMetricId")
    for query in queries:
        if query.get("ReturnData", True) and query.get("Id") != band:
            metric = (query.get("MetricStat") or {}).get("Metric") or {}
            shown = query.get("Expression") or metric.get("MetricName") or query.get("Label")
            return str(shown) if shown else None
    return None


def _redacted(text: str | None, redaction: Redaction) -> str | None:
    return redaction.text(text) if text else None
