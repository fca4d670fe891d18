"""Which alarms watch a job, and what its run shows of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation as mlflow_validation

from mlflow_smwatch.core.alarm_history import (
    STATES,
    AlarmChanges,
    StateChange,
    in_life,
    read_changes,
    state_in,
)
from mlflow_smwatch.core.alarms import (
    SHOWN_ALARMS,
    Alarm,
    AlarmReading,
    Alarms,
    Metric,
    alarm_original,
    alarm_tags,
    as_of_job,
    is_alarm,
    shown,
)
from mlflow_smwatch.core.composite_rule import alarms_in
from mlflow_smwatch.core.job_series import steady_series
from mlflow_smwatch.core.progress import Measured, progress
from mlflow_smwatch.core.series import Point, Series
from mlflow_smwatch.core.watermark import Watermark, from_tags, to_tags
from mlflow_smwatch.core.windows import Reading
from tests.unit.jobs import completed_job

validation: Any = mlflow_validation
NAMESPACE = "/aws/sagemaker/TrainingJobs"
HOST = frozenset({("Host", "job/algo-1")})
CPU: Metric = (NAMESPACE, "CPUUtilization", HOST)
JOB = completed_job()
RUNNING = completed_job(status="InProgress", ended_ms=None)
START, END = JOB.created_ms, JOB.ended_ms or 0
SETTLE = 180_000
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)


def alarm(name: str = "hot", *metrics: Metric, **changes: Any) -> Alarm:
    return Alarm(**{"name": name, "title": name, "state": "OK", "metrics": metrics, **changes})


def composite(name: str, *children: str) -> Alarm:
    return alarm(name, children=children, rule="")


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("ALARM(CPUUtilizationTooHigh) AND NOT ALARM(DiskReadOpsTooHigh)", 2),
        ("(ALARM(a) OR ALARM(b)) AND OK(c) OR INSUFFICIENT_DATA(d)", ["a", "b", "c", "d"]),
        ('ALARM("a b") AND ALARM( "c" )AND(NOT(OK(d)))', ["a b", "c", "d"]),
        ('ALARM("says \\"ALARM(x)\\" (often)")', ['says "ALARM(x)" (often)']),
        ("ALARM(cpu (of host 1))", ["cpu (of host 1)"]),
        ("ALARM(a, b)", ["a, b"]),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a:b c)", ["a:b c"]),
        ('OK("arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:x")', ["x"]),
        ('AT_LEAST(2, ALARM, (a, "b, c", d)) AND OK(e)', ["a", "b, c", "d", "e"]),
        ("AT_LEAST(50%, NOT OK, (a,b))", ["a", "b"]),
        ("ALARM(a) AND ALARM(a)", ["a"]),
        ("ALARM(ALARM) OR OK(NOT_OK)", ["ALARM", "NOT_OK"]),
        ("TRUE", []),
        ("FALSE AND NOT TRUE", []),
        ("", []),
        ("ALARM(", []),
        ("ALARM(a", ["a"]),
        ('ALARM("a', ['"a']),
        ("AT_LEAST(nonsense)", []),
    ],
)
def test_a_rule_names_its_alarms(rule: str, names: list[str] | int) -> None:
    """Of text that is no rule whatever can be read is taken."""
    found = alarms_in(rule)
    assert (len(found) if isinstance(names, int) else list(found)) == names


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.booleans())
def test_quoted_names_are_read_whole(names: list[str], together: bool) -> None:
    """Whatever they hold."""
    quoted = ['"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names]
    each = " AND NOT ".join(f"ALARM({name})" for name in quoted)
    rule = f"AT_LEAST(1, ALARM, ({', '.join(quoted)}))" if together else each
    assert list(alarms_in(rule)) == names


@given(st.text())
def test_any_text_is_a_rule_of_something(text: str) -> None:
    """Nothing fails on it."""
    assert all(alarms_in(text))
    assert alarms_in(f"ALARM(x) {text}")[0] == "x"


@pytest.mark.parametrize(
    ("metric", "watches"),
    [
        (CPU, True),
        ((NAMESPACE, "GPUUtilization", HOST), True),
        (("/aws/sagemaker/ProcessingJobs", "CPUUtilization", HOST), False),
        ((NAMESPACE, "cpuutilization", HOST), False),
        ((NAMESPACE, "CPUUtilization", frozenset()), False),
        ((NAMESPACE, "CPUUtilization", HOST | {("Region", "x")}), False),
        ((NAMESPACE, "CPUUtilization", frozenset({("Host", "job/algo-2")})), False),
    ],
)
def test_an_alarm_watches_exactly_its_metric(metric: Metric, watches: bool) -> None:
    """Same namespace, name and dimensions, as CloudWatch itself tells metrics apart."""
    other: Metric = ("Elsewhere", "m", frozenset())
    for one in (alarm("hot", metric), alarm("hot", other, metric)):
        assert bool(Alarms([one]).on(steady_series(JOB))) == watches


def test_dimensions_have_no_order() -> None:
    """Those of an endpoint come in any."""
    pairs = (("EndpointName", "e"), ("VariantName", "v"))
    metric: Metric = ("AWS/SageMaker", "Invocations", frozenset(pairs))
    for dimensions in (pairs, pairs[::-1]):
        series = Series(
            original="x",
            namespace="AWS/SageMaker",
            metric_name="Invocations",
            dimensions=dimensions,
            stat="Sum",
        )
        assert Alarms([alarm("busy", metric)]).on([series]) == (alarm("busy", metric),)


def test_composite_alarms_watch_what_their_alarms_do() -> None:
    """At any depth, also in a circle; each alarm once, by name."""
    alarms = [
        alarm("hot", CPU),
        alarm("cold"),
        composite("b", "hot", "c"),
        composite("c", "b", "cold"),
        composite("d", "c", "gone"),
        composite("e", "cold"),
    ]
    found = Alarms(alarms).on((*steady_series(JOB), *steady_series(JOB)))
    assert [each.name for each in found] == ["b", "c", "d", "hot"]


def test_a_run_shows_so_many_alarms() -> None:
    """Those that it shows already stay; the others are named."""
    alarms = [alarm(f"alarm {n:03}") for n in range(SHOWN_ALARMS + 2)]
    chosen, left_out = shown(alarms, ())
    assert chosen == tuple(alarms[:SHOWN_ALARMS])
    assert left_out is not None
    assert left_out.endswith("not shown: alarm 050, alarm 051")
    chosen, left_out = shown(alarms, [alarm_original(alarms[-1])])
    assert alarms[-1] in chosen
    assert left_out is not None
    assert left_out.endswith("not shown: alarm 049, alarm 050")
    assert shown(alarms[:SHOWN_ALARMS], ()) == (tuple(alarms[:SHOWN_ALARMS]), None)


@pytest.mark.parametrize(
    ("data", "summary", "told"),
    [
        ('{"newState": {"stateValue": "ALARM", "stateReason": "r"}}', "", ("ALARM", "r")),
        ('{"newState": {"stateValue": "OK"}}', "", ("OK", None)),
        ('{"newState": {"stateValue": "AL', "Alarm updated from OK to ALARM", ("ALARM", None)),
        ("[]", "Alarm updated from ALARM to INSUFFICIENT_DATA", ("INSUFFICIENT_DATA", None)),
        ('{"newState": {"stateValue": ["OK"]}}', "updated from ALARM to OK", ("OK", None)),
        ('{"newState": {"stateValue": "odd"}}', "", None),
        ("null", "Alarm updated", None),
        ("", "", None),
        ('{"newState": {"stateValue": "OK", "stateReason": 1}}', "", ("OK", None)),
    ],
)
def test_an_item_of_history_tells_the_new_state(
    data: str, summary: str, told: tuple[str, str | None] | None
) -> None:
    """Of data that were cut off the summary does."""
    assert state_in(data, summary) == told


def change(at_ms: int, state: str = "ALARM") -> StateChange:
    return StateChange(at_ms, state)


def test_changes_of_a_job_are_those_of_its_life() -> None:
    """And what its last minutes lead to; that its metrics ended is no news."""
    before, first, last = change(START - 1), change(START), change(END)
    late, too_late = change(END + SETTLE), change(END + SETTLE + 1)
    silent, mute = change(END, "INSUFFICIENT_DATA"), change(END + 1, "INSUFFICIENT_DATA")
    every = (too_late, mute, late, last, first, before)
    assert in_life(JOB, every, SETTLE) == (first, last, late)
    assert in_life(JOB, (silent, mute), SETTLE) == (silent,)
    assert in_life(RUNNING, every, SETTLE) == (first, last, mute, late, too_late)
    assert in_life(JOB, (change(START, "OK"), first), SETTLE) == (first,)


def test_history_is_read_up_to_its_last_change() -> None:
    """Or to that of the alarm, once the history must have it."""
    found = (change(START + 5), change(START + 9, "OK"))

    def read(changes: tuple[StateChange, ...], changed_ms: int | None) -> int:
        return read_changes(
            changes, since_ms=START, changed_ms=changed_ms, believed_ms=START + 100
        ).read_to_ms

    assert read(found, START + 9) == START + 9
    assert read(found, START + 99) == START + 99
    assert read(found, START + 100) == START + 9
    assert read((), None) == START
    assert read((), START - 50) == START


def test_state_of_an_ended_job() -> None:
    """It is that of the job's life; where nobody knows it any more there is none."""
    ended = alarm("hot", state="INSUFFICIENT_DATA", changed_ms=END + 60_000, reason="no data")
    assert as_of_job(JOB, ended, (), SETTLE) is None
    was = as_of_job(JOB, ended, (StateChange(START + 1, "ALARM", "hot"),), SETTLE)
    assert was == replace(ended, state="ALARM", reason="hot", changed_ms=START + 1)
    assert as_of_job(RUNNING, ended, (), SETTLE) == ended
    steady = alarm("hot", state="INSUFFICIENT_DATA", changed_ms=START - 60_000)
    assert as_of_job(JOB, steady, (), SETTLE) == steady


def test_tags_say_what_the_alarm_is() -> None:
    """In JSON, with a link to the console; what is not known is left out."""
    hot = alarm(
        "too hot/αβ",
        CPU,
        state="ALARM",
        reason="Threshold Crossed",
        changed_ms=START,
        watched="CPUUtilization",
        statistic="Average",
        comparison="GreaterThanThreshold",
        threshold=90.0,
        period_s=60,
        evaluation_periods=3,
        datapoints=2,
    )
    tags = alarm_tags(JOB, [(hot, hot)])
    assert {key: json.loads(text) for key, text in tags.items()} == {
        "sagemaker.alarm.too hot/αβ": {
            "state": "ALARM",
            "reason": "Threshold Crossed",
            "metric": "CPUUtilization",
            "statistic": "Average",
            "comparison": "GreaterThanThreshold",
            "threshold": 90.0,
            "period": 60,
            "evaluation_periods": 3,
            "datapoints_to_alarm": 2,
            "updated": "2026-09-21T14:13:20.123Z",
            "url": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
            "#alarmsV2:alarm/too%20hot%2F%CE%B1%CE%B2",
        }
    }
    (text,) = alarm_tags(JOB, [(hot, None)]).values()
    assert json.loads(text).keys().isdisjoint({"state", "reason", "updated"})


@given(st.lists(NAMES, max_size=5, unique=True), st.text(max_size=1023), st.text(max_size=10_240))
def test_tags_are_legal(names: list[str], reason: str, rule: str) -> None:
    """One for each alarm, whatever its name; and JSON text that a tag holds whole."""
    alarms = [alarm(name, reason=reason, rule=rule, watched=rule) for name in names]
    tags = alarm_tags(JOB, [(each, each) for each in alarms])
    assert len(tags) == len(names)
    for key, text in tags.items():
        validation._validate_tag_name(key)
        assert len(text) <= 8000
        assert json.loads(text)["state"] == "OK"


CHANGES = st.lists(
    st.tuples(st.integers(START - 60_000, END + 400_000), st.sampled_from(sorted(STATES))),
    max_size=20,
    unique_by=lambda each: each[0],
)


@given(CHANGES, st.lists(st.integers(START, END), max_size=5), st.integers(0, 2))
def test_each_change_is_a_point_once(
    made: list[tuple[int, str]], passes: list[int], again: int
) -> None:
    """However many passes look at it, and whenever; the last one may come more than once."""
    history = [StateChange(*each) for each in sorted(made)]
    original = alarm_original(alarm("hot"))
    watermark, points = Watermark(made_ms=0), []
    for now_ms in (*sorted(passes), *[END + SETTLE + 1] * (1 + again)):
        job = RUNNING if now_ms < END else JOB
        known = [each for each in history if each.timestamp_ms <= now_ms]
        since_ms = START if job.ended else watermark.alarms.get(original, START)
        found = in_life(job, [e for e in known if e.timestamp_ms >= since_ms], SETTLE)
        changed_ms = known[-1].timestamp_ms if known else None
        read = read_changes(
            found, since_ms=since_ms, changed_ms=changed_ms, believed_ms=now_ms - SETTLE
        )
        measured = Measured(
            series={},
            reading=Reading(windows=(), complete=job.ended),
            alarms=AlarmReading(changes={original: read}),
        )
        done = progress(job, watermark, measured, written=lambda _: ())
        points += [each for each in done.points if is_alarm(each.original)]
        watermark = done.watermark
        assert from_tags(to_tags(watermark)) == watermark
    expected = [
        (each.timestamp_ms, (each.timestamp_ms - START) // 1000, STATES[each.state])
        for each in in_life(JOB, history, SETTLE)
    ]
    assert [(each.timestamp_ms, each.step, each.value) for each in points] == expected
    assert {each.key for each in points} <= {"alarm/hot"}
    assert watermark.points.get(original, 0) == len(expected)


def test_an_algorithm_metric_of_the_same_name_keeps_its_key() -> None:
    """Metric names are settled first."""
    job = completed_job(final_metrics=(), definitions=())
    original = alarm_original(alarm("hot"))
    changes = AlarmChanges(points=(Point(START, 1.0),), read_to_ms=START)
    measured = Measured(
        series={},
        reading=Reading(windows=(), complete=True),
        alarms=AlarmReading(changes={original: changes}),
    )
    taken = Watermark(made_ms=0, points={"alarm/hot": 3})
    done = progress(job, taken, measured, written=lambda _: ())
    assert [each.key for each in done.points] == ["alarm/hot_2"]
    assert done.watermark.final


def test_what_could_not_be_read_keeps_a_job_open() -> None:
    """The next pass reads it, unless that is given up."""
    measured = Measured(
        series={}, reading=Reading(windows=(), complete=True), alarms=AlarmReading(whole=False)
    )
    before = Watermark(made_ms=0)
    assert not progress(JOB, before, measured, written=lambda _: ()).watermark.final
    given_up = progress(JOB, before, measured, written=lambda _: (), give_up_denied=True)
    assert given_up.watermark.final
