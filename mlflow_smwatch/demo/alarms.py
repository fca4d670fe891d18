"""CloudWatch's alarms: they are kept, listed and given a history, but nothing evaluates them.

Their state is what ``SetAlarmState`` says; a composite alarm's too. No action is taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from mlflow_smwatch.core.composite_rule import alarms_in
from mlflow_smwatch.demo.clock import Clock, to_milliseconds
from mlflow_smwatch.demo.errors import AwsError, refuse
from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.metrics import DAY_MS
from mlflow_smwatch.demo.pages import Pager
from mlflow_smwatch.demo.validation import Answer, Parameters

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
LISTS = {METRIC: "MetricAlarms", COMPOSITE: "CompositeAlarms"}
HISTORY_MS = 14 * DAY_MS
HISTORY_DATA_LIMIT = 4095
PAGE = 50
FILTERS = ("ActionPrefix", "ChildrenOfAlarmName", "ParentsOfAlarmName")
NOT_KEPT = {"Tags"}


@dataclass(slots=True, kw_only=True)
class StoredAlarm:
    """One alarm: its type, what it was put with, its state."""

    kind: str
    arn: str
    settings: Answer
    configured_ms: int
    changed_ms: int
    state: Answer = field(default_factory=dict)

    @property
    def answer(self) -> Answer:
        """Give what ``DescribeAlarms`` says of it."""
        return {
            "AlarmArn": self.arn,
            "ActionsEnabled": True,
            **self.settings,
            "AlarmConfigurationUpdatedTimestamp": self.configured_ms / 1000,
            **self.state,
            "StateUpdatedTimestamp": self.changed_ms / 1000,
            "StateTransitionedTimestamp": self.changed_ms / 1000,
        }


class Alarms:
    """The alarms of one account and Region.

    Parameters
    ----------
    account_id, region, partition
        Whose, and where.
    clock
        Gives the times of what happens.
    faults
        May shorten pages.
    """

    def __init__(
        self, account_id: str, region: str, partition: str, clock: Clock, faults: Faults
    ) -> None:
        self._root = f"arn:{partition}:cloudwatch:{region}:{account_id}:alarm:"
        self._clock = clock
        self._alarms: dict[str, StoredAlarm] = {}
        self._history: list[tuple[int, Answer]] = []
        self._alarm_pager = Pager(faults, "cloudwatch:DescribeAlarms", _bad_token)
        self._history_pager = Pager(faults, "cloudwatch:DescribeAlarmHistory", _bad_token)
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "PutMetricAlarm": self.put_metric_alarm,
            "PutCompositeAlarm": self.put_composite_alarm,
            "SetAlarmState": self.set_alarm_state,
            "DeleteAlarms": self.delete_alarms,
            "DescribeAlarms": self.describe_alarms,
            "DescribeAlarmHistory": self.describe_alarm_history,
        }

    def put_metric_alarm(self, parameters: Parameters) -> Answer:
        """Answer ``PutMetricAlarm``: a new alarm has no data; another keeps its state."""
        single = bool(parameters.get("MetricName"))
        if single == bool(parameters.get("Metrics")):
            refuse("ValidationError", "Exactly one of MetricName and Metrics must be given.")
        needed = ["ComparisonOperator", "EvaluationPeriods"]
        needed += ["Namespace", "Period", "Threshold"] if single else []
        missing = [each for each in needed if each not in parameters]
        if missing:
            refuse("ValidationError", f"{', '.join(missing)} must be given.")
        self._put(METRIC, parameters)
        return {}

    def put_composite_alarm(self, parameters: Parameters) -> Answer:
        """Answer ``PutCompositeAlarm``: the alarms of its rule must be there."""
        named = alarms_in(parameters["AlarmRule"])
        missing = [name for name in named if name not in self._alarms]
        if missing:
            refuse(
                "ValidationError",
                f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm"
                " rule do not exist",
            )
        self._put(COMPOSITE, parameters)
        return {}

    def _put(self, kind: str, parameters: Parameters) -> None:
        name, now_ms = parameters["AlarmName"], self._clock.now_ms()
        known = self._alarms.get(name)
        if known is not None and known.kind != kind:
            refuse("ValidationError", f"{name} is an alarm of another type")
        settings = {key: value for key, value in parameters.items() if key not in NOT_KEPT}
        if known is not None:
            known.settings, known.configured_ms = settings, now_ms
        else:
            reason = "Unchecked: Initial alarm creation"
            self._alarms[name] = StoredAlarm(
                kind=kind,
                arn=self._root + name,
                settings=settings,
                configured_ms=now_ms,
                changed_ms=now_ms,
                state={"StateValue": "INSUFFICIENT_DATA", "StateReason": reason},
            )
        word = "created" if known is None else "updated"
        self._note(self._alarms[name], "ConfigurationUpdate", f'Alarm "{name}" {word}', "{}")

    def set_alarm_state(self, parameters: Parameters) -> Answer:
        """Answer ``SetAlarmState``: the state is another, with an item of history."""
        name = parameters["AlarmName"]
        alarm = self._alarms.get(name)
        if alarm is None:
            refuse("ResourceNotFound", f"There is no alarm {name}.", 404)
        old, new = alarm.state, {key: parameters[key] for key in ("StateValue", "StateReason")}
        alarm.state = new
        if old["StateValue"] == new["StateValue"]:
            return {}
        alarm.changed_ms = self._clock.now_ms()
        told = {"oldState": _told(old), "newState": _told(new, parameters.get("StateReasonData"))}
        data = json.dumps({"version": "1.0", **told})[:HISTORY_DATA_LIMIT]
        summary = f"Alarm updated from {old['StateValue']} to {new['StateValue']}"
        self._note(alarm, "StateUpdate", summary, data)
        return {}

    def _note(self, alarm: StoredAlarm, item_type: str, summary: str, data: str) -> None:
        now_ms = self._clock.now_ms()
        item: Answer = {
            "AlarmName": alarm.settings["AlarmName"],
            "AlarmType": alarm.kind,
            "Timestamp": now_ms / 1000,
            "HistoryItemType": item_type,
            "HistorySummary": summary,
            "HistoryData": data,
        }
        self._history.append((now_ms, item))

    def delete_alarms(self, parameters: Parameters) -> Answer:
        """Answer ``DeleteAlarms``: the history stays."""
        names = set(parameters["AlarmNames"])
        for alarm in self._alarms.values():
            held = names.intersection(alarms_in(alarm.settings.get("AlarmRule", "")))
            if held and alarm.settings["AlarmName"] not in names:
                text = f"Cannot delete {', '.join(sorted(held))} as a composite alarm depends on it"
                refuse("ValidationError", text)
        for name in names:
            self._alarms.pop(name, None)
        return {}

    def describe_alarms(self, parameters: Parameters) -> Answer:
        """Answer ``DescribeAlarms``: metric alarms alone, unless types are named."""
        unknown = [each for each in FILTERS if parameters.get(each)]
        if unknown:
            message = f"The emulated account does not filter alarms by {unknown[0]}."
            refuse("ValidationError", message)
        page, token = self._alarm_pager.cut(
            list(self._chosen(parameters)),
            parameters,
            size=parameters.get("MaxRecords", PAGE),
            token=parameters.get("NextToken"),
        )
        answer: Answer = {
            member: [alarm.answer for alarm in page if alarm.kind == kind]
            for kind, member in LISTS.items()
        }
        return {**answer, "NextToken": token} if token else answer

    def _chosen(self, parameters: Parameters) -> Iterator[StoredAlarm]:
        types = parameters.get("AlarmTypes") or [METRIC]
        names, state = parameters.get("AlarmNames"), parameters.get("StateValue")
        prefix = parameters.get("AlarmNamePrefix", "")
        ordered = sorted(self._alarms.items(), key=lambda each: (each[1].kind == COMPOSITE, each))
        for name, alarm in ordered:
            is_named = name.startswith(prefix) and (names is None or name in names)
            is_in_state = state is None or alarm.state["StateValue"] == state
            if alarm.kind in types and is_named and is_in_state:
                yield alarm

    def describe_alarm_history(self, parameters: Parameters) -> Answer:
        """Answer ``DescribeAlarmHistory``: two weeks, newest first unless asked otherwise."""
        found = list(self._items(parameters))
        if parameters.get("ScanBy") != "TimestampAscending":
            found.reverse()
        page, token = self._history_pager.cut(
            found,
            parameters,
            size=parameters.get("MaxRecords", PAGE),
            token=parameters.get("NextToken"),
        )
        answer: Answer = {"AlarmHistoryItems": page}
        return {**answer, "NextToken": token} if token else answer

    def _items(self, parameters: Parameters) -> Iterable[Answer]:
        types = parameters.get("AlarmTypes") or [METRIC]
        name, item_type = parameters.get("AlarmName"), parameters.get("HistoryItemType")
        now_ms = self._clock.now_ms()
        start_ms = max(_ms(parameters.get("StartDate"), 0), now_ms - HISTORY_MS)
        end_ms = _ms(parameters.get("EndDate"), now_ms)
        for at_ms, item in sorted(self._history, key=lambda each: each[0]):
            is_asked = name in {None, item["AlarmName"]} and item["AlarmType"] in types
            is_asked = is_asked and item_type in {None, item["HistoryItemType"]}
            if is_asked and start_ms <= at_ms <= end_ms:
                yield item


def _told(state: Answer, data: str | None = None) -> Answer:
    told: Answer = {"stateValue": state["StateValue"], "stateReason": state["StateReason"]}
    return {**told, "stateReasonData": json.loads(data)} if data else told


def _ms(moment: datetime | None, otherwise_ms: int) -> int:
    return otherwise_ms if moment is None else to_milliseconds(moment)


def _bad_token() -> AwsError:
    return AwsError("InvalidNextToken", "The token is not valid for this request.")
