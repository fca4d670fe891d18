"""CloudWatch's alarms on the metrics of jobs are shown on their runs: state, settings, history."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import boto3
import pytest
from mlflow.entities import Run

import mlflow_smwatch
from mlflow_smwatch.core.alarms import SHOWN_ALARMS
from mlflow_smwatch.core.errors import LimitReachedError
from mlflow_smwatch.core.watermark import Watermark, from_tags, to_tags
from mlflow_smwatch.engine.mirror import Mirror as Engine
from tests import kinds
from tests.jobs import HOUR_MS, MINUTE_MS, NAMESPACE, Points, job_answer, moment, now_ms, whole
from tests.sync.conftest import Mirror
from tests.sync.every_kind import run

LIST, HISTORY = "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"
CREATED_MS = whole(now_ms()) - 2 * HOUR_MS + 250
ENDED_MS = CREATED_MS + HOUR_MS
CPU: dict[str, Any] = {
    "Namespace": NAMESPACE,
    "MetricName": "CPUUtilization",
    "Dimensions": [{"Name": "Host", "Value": "job/algo-1"}],
}
LOSS: dict[str, Any] = {
    "Namespace": NAMESPACE,
    "MetricName": "loss",
    "Dimensions": [{"Name": "TrainingJobName", "Value": "job"}],
}
VALUES = {"OK": 0.0, "ALARM": 1.0, "INSUFFICIENT_DATA": -1.0}


@cache
def _client(endpoint: str) -> Any:
    return boto3.client("cloudwatch", endpoint_url=endpoint)


def cloudwatch(mirror: Mirror) -> Any:
    """Give a client of the account."""
    return _client(mirror.account.endpoint)


def put_alarm(mirror: Mirror, name: str = "hot", minute: int = 0, **changes: Any) -> None:
    """Put an alarm on the host's CPU, some minutes after the job began."""
    settings = {
        **CPU,
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 90.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **changes,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    with mirror.account.clock.at(moment(CREATED_MS + minute * MINUTE_MS)):
        cloudwatch(mirror).put_metric_alarm(AlarmName=name, **given)


def change(mirror: Mirror, minute: int, state: str, name: str = "hot") -> None:
    """Let an alarm change, some minutes after the job began."""
    with mirror.account.clock.at(moment(CREATED_MS + minute * MINUTE_MS)):
        cloudwatch(mirror).set_alarm_state(
            AlarmName=name,
            StateValue=state,
            StateReason=f"{state} at {minute}",
            StateReasonData=json.dumps({"version": "1.0", "recentDatapoints": [float(minute)]}),
        )


def at(*changes: tuple[int, str]) -> Points:
    """Give the points of changes: minute and state."""
    return [
        (CREATED_MS + minute * MINUTE_MS, minute * 60, VALUES[state]) for minute, state in changes
    ]


def put_job(mirror: Mirror, *, ended_ms: int | None = None, **changes: Any) -> None:
    mirror.account.put_training_job(
        job_answer("job", created_ms=CREATED_MS, ended_ms=ended_ms, **changes)
    )


def told(mirror: Mirror, name: str = "job") -> dict[str, dict[str, Any]]:
    """Give what the tags of a run say of alarms."""
    tags = mirror.run(name).data.tags
    prefix = "sagemaker.alarm."
    return {k.removeprefix(prefix): json.loads(v) for k, v in tags.items() if k.startswith(prefix)}


def alarm_series(mirror: Mirror) -> dict[str, Points]:
    return mirror.series("job", prefix="alarm/")


def asked(mirror: Mirror) -> tuple[int, int]:
    """Give how often alarms were listed, and histories read, in the last pass."""
    return mirror.account.calls[LIST], mirror.account.calls[HISTORY]


def watermark_of(one: Run) -> Watermark:
    watermark = from_tags(one.data.tags)
    assert watermark is not None
    return watermark


def unchanged(mirror: Mirror) -> None:
    """Run a pass that must write nothing."""
    before = mirror.dump()
    report = mirror.sync(alarms=True)
    assert (report.failed, mirror.dump() == before) == ([], True)


def test_the_life_of_an_alarm(mirror: Mirror) -> None:
    """It is shown as it is; its changes are points, once; after the job's end it tells nothing."""
    put_job(mirror)
    put_alarm(mirror, minute=-10)
    put_alarm(mirror, "other", Dimensions=[{"Name": "Host", "Value": "job/algo-2"}])
    change(mirror, -5, "OK")
    mirror.sync(alarms=True)
    assert asked(mirror) == (1, 0)
    assert told(mirror) == {
        "hot": {
            "state": "OK",
            "reason": "OK at -5",
            "metric": "CPUUtilization",
            "statistic": "Average",
            "comparison": "GreaterThanThreshold",
            "threshold": 90.0,
            "period": 60,
            "evaluation_periods": 3,
            "updated": moment(CREATED_MS - 5 * MINUTE_MS)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "url": "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
            "#alarmsV2:alarm/hot",
        }
    }
    assert alarm_series(mirror) == {}
    unchanged(mirror)
    assert asked(mirror) == (1, 0)

    change(mirror, 5, "ALARM")
    change(mirror, 7, "OK")
    change(mirror, 9, "ALARM")
    mirror.sync(alarms=True)
    assert asked(mirror) == (1, 1)
    assert told(mirror)["hot"]["state"] == "ALARM"
    assert alarm_series(mirror) == {"alarm/hot": at((5, "ALARM"), (7, "OK"), (9, "ALARM"))}
    unchanged(mirror)
    assert asked(mirror) == (1, 0)

    change(mirror, 30, "OK")
    put_job(mirror, ended_ms=ENDED_MS)
    change(mirror, 61, "ALARM")
    change(mirror, 62, "INSUFFICIENT_DATA")
    change(mirror, 90, "OK")
    mirror.sync(alarms=True)
    points = at((5, "ALARM"), (7, "OK"), (9, "ALARM"), (30, "OK"), (61, "ALARM"))
    assert alarm_series(mirror) == {"alarm/hot": points}
    assert told(mirror)["hot"]["reason"] == "ALARM at 61"
    assert mirror.is_final("job")
    change(mirror, 91, "ALARM")
    unchanged(mirror)
    assert asked(mirror) == (0, 0)
    report = mlflow_smwatch.verify(tracking_uri=mirror.uri, kinds=("training-job",), alarms=True)
    assert (report.differences, report.equal) == ([], 1)


def test_without_the_option_nothing_is_asked(mirror: Mirror) -> None:
    """And what an earlier pass showed stays."""
    put_job(mirror)
    put_alarm(mirror)
    change(mirror, 1, "ALARM")
    mirror.sync()
    assert (asked(mirror), told(mirror), alarm_series(mirror)) == ((0, 0), {}, {})
    mirror.sync(alarms=True)
    assert told(mirror)["hot"]["state"] == "ALARM"
    put_job(mirror, ended_ms=ENDED_MS)
    mirror.sync()
    assert asked(mirror) == (0, 0)
    assert told(mirror)["hot"]["state"] == "ALARM"
    assert alarm_series(mirror) == {"alarm/hot": at((1, "ALARM"))}


def test_a_job_that_ended_before_it_was_seen(mirror: Mirror) -> None:
    """Its alarms are shown as they were, as far as AWS still knows."""
    put_job(mirror, ended_ms=ENDED_MS)
    put_alarm(mirror, minute=-1)
    put_alarm(mirror, "late", minute=100)
    change(mirror, 1, "ALARM")
    change(mirror, 80, "INSUFFICIENT_DATA")
    mirror.sync(alarms=True)
    assert alarm_series(mirror) == {"alarm/hot": at((1, "ALARM"))}
    assert told(mirror)["hot"]["state"] == "ALARM"
    assert told(mirror)["late"].keys().isdisjoint({"state", "reason", "updated"})
    assert mirror.is_final("job")


def test_composite_alarms_and_expressions(mirror: Mirror) -> None:
    """They watch a job where what they are made of does; pages and names may be odd."""
    put_job(mirror)
    query = {"Id": "m1", "ReturnData": False}
    query["MetricStat"] = {"Metric": LOSS, "Period": 60, "Stat": "Average"}
    result = {"Id": "e1", "Expression": "m1 * 100", "ReturnData": True}
    none: dict[str, Any] = dict.fromkeys((*CPU, "Statistic", "Period"), None)
    put_alarm(mirror, "loss: *too* (high)", Metrics=[query, result], **none)
    put_alarm(mirror, "p99 of loss", -1, Statistic=None, ExtendedStatistic="p99", **LOSS)
    for number in range(5):
        put_alarm(mirror, f"other {number}", Dimensions=[])
    rule = 'ALARM("loss: *too* (high)") OR OK("other 0")'
    inner = {"AlarmName": "any/of/them", "AlarmRule": rule}
    outer = {"AlarmName": "outer", "AlarmRule": "AT_LEAST(1, ALARM, (any/of/them, other 1))"}
    with mirror.account.clock.at(moment(CREATED_MS - MINUTE_MS)):
        for each in (inner, outer, {"AlarmName": "apart", "AlarmRule": "ALARM(other 1)"}):
            cloudwatch(mirror).put_composite_alarm(**each)
    for minute, state in enumerate(("OK", "ALARM", "OK", "INSUFFICIENT_DATA", "ALARM"), 1):
        for name in ("loss: *too* (high)", "outer"):
            change(mirror, minute, state, name)
    for operation in (LIST, HISTORY):
        mirror.account.faults.page_size(operation, 3)
    mirror.account.faults.empty_pages(LIST)
    mirror.sync(alarms=True)
    shown = told(mirror)
    assert sorted(shown) == ["any/of/them", "loss: _too_ _high_", "outer", "p99 of loss"]
    assert shown["loss: _too_ _high_"]["metric"] == "m1 * 100"
    assert shown["any/of/them"]["rule"] == rule
    assert shown["p99 of loss"]["statistic"] == "p99"
    states = ("OK", "ALARM", "OK", "INSUFFICIENT_DATA", "ALARM")
    points = at(*enumerate(states, 1))
    assert alarm_series(mirror) == {"alarm/loss: _too_ _high_": points, "alarm/outer": points}
    unchanged(mirror)


def test_alarms_come_and_go(mirror: Mirror) -> None:
    """One that is deleted, or watches something else, has no tag; its history stays."""
    put_job(mirror)
    for name in ("gone", "turned"):
        put_alarm(mirror, name)
        change(mirror, 1, "ALARM", name)
    mirror.sync(alarms=True)
    assert sorted(told(mirror)) == ["gone", "turned"]
    cloudwatch(mirror).delete_alarms(AlarmNames=["gone"])
    put_alarm(mirror, "turned", minute=2, Dimensions=[])
    put_alarm(mirror, "new", minute=3)
    change(mirror, 4, "OK", "new")
    mirror.sync(alarms=True)
    assert sorted(told(mirror)) == ["new"]
    points = at((1, "ALARM"))
    expected = {"alarm/gone": points, "alarm/turned": points, "alarm/new": at((4, "OK"))}
    assert alarm_series(mirror) == expected
    put_alarm(mirror, "turned", minute=5)
    change(mirror, 6, "OK", "turned")
    mirror.sync(alarms=True)
    assert alarm_series(mirror)["alarm/turned"] == at((1, "ALARM"), (6, "OK"))
    unchanged(mirror)


def test_more_alarms_than_a_run_shows(mirror: Mirror) -> None:
    """The rest is named."""
    put_job(mirror)
    for each in range(SHOWN_ALARMS + 3):
        put_alarm(mirror, f"alarm {each:02}", minute=-1)
    report = mirror.sync(alarms=True)
    assert len(told(mirror)) == SHOWN_ALARMS
    assert mirror.warnings(report).endswith("not shown: alarm 50, alarm 51, alarm 52")
    assert mirror.account.calls[LIST] == 1
    unchanged(mirror)


@pytest.mark.parametrize("action", [LIST, HISTORY])
def test_denied(mirror: Mirror, action: str) -> None:
    """One warning a pass, whatever the number of jobs; they are mirrored and become final."""
    put_job(mirror, ended_ms=ENDED_MS)
    for number in range(3):
        name = f"job-{number}"
        mirror.account.put_training_job(
            job_answer(name, created_ms=CREATED_MS, ended_ms=ENDED_MS, metrics=())
        )
    put_alarm(mirror)
    change(mirror, 1, "ALARM")
    mirror.account.faults.deny(action)
    report = mirror.sync(alarms=True)
    (warning,) = [each.warning for each in report.warnings]
    assert warning.startswith(f"alarms are not shown: {action} is denied")
    assert mirror.account.calls[action] == 1
    assert report.failed == []
    assert alarm_series(mirror) == {}
    assert bool(told(mirror)) == (action == HISTORY)
    assert mirror.is_final("job")


@pytest.mark.parametrize("action", [LIST, HISTORY])
def test_an_alarm_service_that_is_down(mirror: Mirror, action: str) -> None:
    """The jobs are mirrored; an ended one stays open until its alarms are read."""
    put_job(mirror, ended_ms=ENDED_MS, metrics=())
    put_alarm(mirror)
    change(mirror, 1, "ALARM")
    mirror.account.faults.fail(action, code="Overloaded", times=1)
    report = mirror.sync(alarms=True)
    assert report.failed == []
    assert "alarms are not shown" in mirror.warnings(report)
    assert not mirror.is_final("job")
    assert told(mirror) == {}
    mirror.account.faults.clear()
    mirror.sync(alarms=True)
    assert mirror.is_final("job")
    assert alarm_series(mirror) == {"alarm/hot": at((1, "ALARM"))}


@pytest.mark.slow
def test_an_alarm_service_that_hangs(mirror: Mirror) -> None:
    """The jobs wait for some seconds, once, and are mirrored without; a later pass shows all."""
    for name in ("job", "other"):
        answer = job_answer(name, created_ms=CREATED_MS, ended_ms=ENDED_MS)
        mirror.account.put_training_job(answer)
    put_alarm(mirror)
    change(mirror, 1, "ALARM")
    mirror.account.faults.fail(LIST, code="StalledBody", times=None)
    begun_s = time.monotonic()
    report = mirror.sync(alarms=True)
    assert time.monotonic() - begun_s < 15
    (warning,) = [each.warning for each in report.warnings]
    assert warning.startswith(f"alarms are not shown: {LIST} does not answer soon")
    assert (report.failed, report.counts["created"]) == ([], 2)
    assert not mirror.is_final("job")
    assert told(mirror) == {}
    mirror.account.faults.clear()
    mirror.sync(alarms=True)
    assert mirror.is_final("job")
    assert alarm_series(mirror) == {"alarm/hot": at((1, "ALARM"))}


def test_a_history_that_keeps_failing_is_not_asked_for_again(mirror: Mirror) -> None:
    """By no other job of the pass; there is one warning."""
    for number in range(4):
        name = f"job-{number}"
        answer = job_answer(name, created_ms=CREATED_MS, ended_ms=ENDED_MS, metrics=())
        mirror.account.put_training_job(answer)
        put_alarm(mirror, name, Dimensions=[{"Name": "Host", "Value": f"{name}/algo-1"}])
        change(mirror, 1, "ALARM", name)
    mirror.account.faults.fail(HISTORY, times=None)
    report = mirror.sync(alarms=True)
    assert asked(mirror)[0] == 1
    assert 2 <= asked(mirror)[1] <= 4
    assert len(report.warnings) == 1
    assert (report.failed, report.counts["created"]) == ([], 4)
    assert not mirror.is_final("job-3")


def test_cut_off_between_points_and_watermark(mirror: Mirror) -> None:
    """What was written without a note of it is not written twice."""
    mirror.refuse_units()
    put_job(mirror)
    put_alarm(mirror, minute=-1)
    mirror.sync(alarms=True)
    run_id = mirror.run("job").info.run_id
    before = mirror.client.get_run(run_id).data.tags
    change(mirror, 1, "ALARM")
    change(mirror, 2, "OK")
    mirror.sync(alarms=True)
    mirror.client.set_tag(run_id, "smwatch.state", before["smwatch.state"])
    change(mirror, 3, "ALARM")
    mirror.sync(alarms=True)
    assert alarm_series(mirror) == {"alarm/hot": at((1, "ALARM"), (2, "OK"), (3, "ALARM"))}
    beside = mirror.beside()
    beside.sync(alarms=True)
    assert alarm_series(beside) == alarm_series(mirror)
    assert told(beside) == told(mirror)
    unchanged(mirror)


def test_an_endpoint(mirror: Mirror) -> None:
    """It has no end: its alarms are followed without a description of it."""
    mirror.account.put_model(kinds.model("model", created_ms=CREATED_MS))
    mirror.account.put_endpoint_config(kinds.endpoint_config("config", created_ms=CREATED_MS))
    mirror.account.put_job("endpoint", kinds.endpoint("live", created_ms=CREATED_MS))
    names = {"VariantName": "AllTraffic", "EndpointName": "live"}
    errors: dict[str, Any] = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocation5XXErrors",
        "Dimensions": [{"Name": name, "Value": value} for name, value in names.items()],
    }
    put_alarm(mirror, minute=-1, **errors)
    change(mirror, 1, "ALARM")
    mirror.sync(alarms=True, kinds=("endpoint",))
    resource = "endpoint/live"
    first = run(mirror, resource).data.tags
    assert json.loads(first["sagemaker.alarm.hot"])["state"] == "ALARM"
    change(mirror, 2, "OK")
    one = run(mirror, resource)
    earlier = replace(watermark_of(one), read_to_ms=CREATED_MS)
    for key, text in to_tags(earlier).items():
        mirror.client.set_tag(one.info.run_id, key, text)
    mirror.sync(alarms=True, kinds=("endpoint",))
    assert asked(mirror) == (1, 1)
    assert "sagemaker:DescribeEndpoint" not in mirror.account.calls
    assert mirror.series(one, "alarm/") == {"alarm/hot": at((1, "ALARM"), (2, "OK"))}
    second = run(mirror, resource).data.tags
    assert json.loads(second["sagemaker.alarm.hot"])["state"] == "OK"
    notes = ("sagemaker.alarm.", "smwatch.")
    assert {k: v for k, v in second.items() if not k.startswith(notes)} == {
        k: v for k, v in first.items() if not k.startswith(notes)
    }


def passes(engine: Engine, mirror: Mirror, count: int) -> Sequence[int]:
    """Let a mirror follow its jobs; give how often alarms were listed each time."""
    listed = []
    for _ in range(count):
        mirror.account.reset_calls()
        engine.follow(since=None, sweep=False)
        listed.append(mirror.account.calls[LIST])
    return listed


def test_a_watch_lists_alarms_once_a_minute(mirror: Mirror) -> None:
    """However often it looks; without a job that has series, never."""
    engine = Engine(mirror.options(alarms=True))
    engine.sync()
    assert mirror.account.calls[LIST] == 0
    put_job(mirror)
    engine.sync()
    assert mirror.account.calls[LIST] == 1
    assert passes(engine, mirror, 3) == [0, 0, 0]


def test_a_dry_run_counts_the_calls(mirror: Mirror) -> None:
    """Alarms are listed for that; nothing is written."""
    put_job(mirror)
    put_alarm(mirror)
    change(mirror, 1, "ALARM")
    forecast = mirror.sync(alarms=True, dry_run=True)
    assert asked(mirror) == (1, 0)
    assert mirror.runs() == []
    report = mirror.sync(alarms=True)
    assert asked(mirror) == (1, 1)
    for action in (LIST, HISTORY):
        assert forecast.aws_calls[action] == report.aws_calls[action]


def test_without_metrics_the_tags_stay(mirror: Mirror) -> None:
    """State and settings are shown, the history is not."""
    put_job(mirror)
    put_alarm(mirror)
    change(mirror, 1, "ALARM")
    mirror.sync(alarms=True, metrics="off")
    assert asked(mirror) == (1, 0)
    assert told(mirror)["hot"]["state"] == "ALARM"
    assert mirror.points("job") == {}


def test_secrets_in_names_and_reasons(mirror: Mirror) -> None:
    """They are hidden, in keys too; two alarms stay two."""
    put_job(mirror)
    for name in ("blue of team-red", "blue of team-sun"):
        put_alarm(mirror, name)
        change(mirror, 1, "ALARM", name)
    mirror.sync(alarms=True, redact=("team-[a-z]+",))
    held = json.dumps([told(mirror), alarm_series(mirror)])
    assert "team-" not in held
    assert len(told(mirror)) == len(alarm_series(mirror)) == 2


def test_a_limit_on_calls_holds(mirror: Mirror) -> None:
    """Alarms are calls like others."""
    put_job(mirror)
    put_alarm(mirror)
    mirror.sync(alarms=True)
    with pytest.raises(LimitReachedError):
        mirror.sync(alarms=True, max_calls=1)
