"""Rules: what a file may say, what becomes ALARM and OK, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.rule_alerts import restored, tag_value
from mlflow_smwatch.core.rule_state import Standing, Turn, judged, news, silent
from mlflow_smwatch.core.rule_tables import read_rules
from mlflow_smwatch.core.rule_targets import read_targets, require_targets, told, topics
from mlflow_smwatch.core.rules import MetricName, Rule, Silence, StatusIn, Threshold, span_text
from tests.exporters.observations import written

MINUTE_MS = 60_000
TOPIC = "arn:aws-cn:sns:cn-north-1:123456789012:alarms"
LOSS: dict[str, Any] = {"name": "r", "metric": "loss", "above": 1}


def one(**given_: Any) -> Rule:
    """Read one table; underscores stand for hyphens, as in the file."""
    (rule,) = read_rules("f.toml", [{"name": "r", **given_}])
    return rule


def test_a_rule_as_the_file_has_it() -> None:
    """Each key arrives, in the units that are used inside."""
    rule = one(
        kinds=["training-job", "endpoint"],
        name_matches="bert-.*",
        tag={"team": "vision"},
        metric="system/*/gpu_utilization_percentage",
        at_most=10,
        **{"for": "15m"},
        repeat="6h",
        notify="ops",
    )
    metric = MetricName(("system/*/gpu_utilization_percentage",))
    assert rule == Rule(
        name="r",
        condition=Threshold(metric=metric, comparison="at-most", value=10.0, for_ms=900_000),
        kinds=frozenset({"training-job", "endpoint"}),
        name_matches="bert-.*",
        tags=(("sagemaker.tag.team", "vision"),),
        repeat_ms=21_600_000,
        notify=("ops",),
    )
    assert str(rule.condition) == "at most 10 for 15m"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (3, "[[rule]] 1: give a table of keys"),
        ({}, "[[rule]] 1: name: give"),
        ({"name": "a/b"}, "[[rule]] 1: name: give"),
        ({"name": "ü"}, "[[rule]] 1: name: give"),
        ({**LOSS, "abvoe": 1}, "abvoe: unknown; choose from above, at-least"),
        ({"name": "r"}, "give one condition: metric with one of above, below"),
        ({"name": "r", "metric": "loss"}, "give one condition"),
        ({**LOSS, "below": 1}, "give one condition"),
        ({**LOSS, "status": "FAILED"}, "give one condition"),
        ({"name": "r", "above": 1}, "metric: give the key of an MLflow metric"),
        ({**LOSS, "metric": 7}, "metric: give a text or a list of texts"),
        ({**LOSS, "above": "1"}, "above: give a number"),
        ({**LOSS, "above": True}, "above: give a number"),
        ({**LOSS, "above": float("nan")}, "above: give a number"),
        ({**LOSS, "for": 10}, "for: give a span such as 90s, 10m, 6h"),
        ({**LOSS, "for": "0m"}, "for: give a span"),
        ({**LOSS, "repeat": "daily"}, "repeat: give a span"),
        ({"name": "r", "no-data": "2m"}, "no-data: give 5m or more"),
        ({"name": "r", "no-data": "9m", "for": "9m"}, "for: goes with above, below"),
        ({"name": "r", "status": "BAD"}, "status 'BAD': choose from"),
        ({"name": "r", "status": []}, "status '': choose from"),
        ({"name": "r", "status": "FAILED", "metric": "m"}, "metric: does not go with status"),
        ({**LOSS, "kinds": ["job"]}, "kinds: job is none; choose from training-job"),
        ({**LOSS, "kinds": 1}, "kinds: give a text or a list of texts"),
        ({**LOSS, "name-matches": "("}, "name-matches: give a regular expression that RE2 takes"),
        ({**LOSS, "name-matches": "(?=a)"}, "name-matches: give"),
        ({**LOSS, "name-matches": 3}, "name-matches: give"),
        ({**LOSS, "tag": ["team"]}, "tag: give a list such as"),
        ({**LOSS, "tag": 3}, "tag: give a list such as"),
        ({**LOSS, "notify": [""]}, "notify: give a text or a list of texts"),
    ],
)
def test_each_mistake_is_one_line(table: object, said: str) -> None:
    """With the file and the place in it."""
    with pytest.raises(UsageError) as caught:
        read_rules("f.toml", [table])
    assert str(caught.value).startswith("f.toml: [[rule]] 1")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_are_used_once() -> None:
    """They name tags of runs."""
    with pytest.raises(UsageError, match=r"\[\[rule\]\] 2: name: r is given twice"):
        read_rules("f.toml", [LOSS, LOSS])


def test_targets() -> None:
    """A name is one address or several; topics have two spellings and are told apart."""
    urls = ["slack://a/b/c", f"sns:{TOPIC}", TOPIC]
    targets = read_targets("f.toml", {"ops": urls, "me": "mailto://u:p@x.org"})
    rules = (one(**{**LOSS, "notify": ["ops", "me"]}), one(**{**LOSS, "name": "s"}))
    whom = told(rules, targets, ["json://h/p"])
    assert [each.shown for each in whom["r"]] == ["slack://", TOPIC, "mailto://"]
    assert [each.url for each in whom["s"]] == ["json://h/p"]
    assert topics(whom.values()) == (TOPIC,)
    assert whom["r"][1].region == "cn-north-1"
    assert told(rules[1:], targets, []) == {"s": ()}
    assert "a/b/c" not in repr(whom)


@pytest.mark.parametrize(
    "value", ["hush", "sns:arn:aws:sns:hush", "sns://arn:aws:sns:hush", [], ["x://y", 3], 7]
)
def test_what_is_no_address_is_not_shown(value: object) -> None:
    """It may be a secret all the same."""
    with pytest.raises(UsageError, match=r"^f.toml: \[notify\] ops: give a URL") as caught:
        read_targets("f.toml", {"ops": value})
    assert "hush" not in str(caught.value)


def test_rules_name_targets_that_are_there() -> None:
    """A typing error tells nobody of anything."""
    rules, targets = (one(**LOSS, notify="opps"),), read_targets("f", {"ops": "json://h"})
    with pytest.raises(UsageError, match=r"rule r: notify: opps is not in \[notify\] \(ops\)"):
        require_targets("f.toml", rules, targets)


@pytest.mark.parametrize(
    ("text", "key", "fits"),
    [
        ("loss", "loss", True),
        ("loss", "loss/algo-2", False),
        ("loss/*", "loss/algo-2", True),
        ("loss*", "loss", True),
        ("system/*/cpu", "system/algo-1/cpu", True),
        ("system/*/cpu", "system/a/b/cpu", False),
        ("a.c", "abc", False),
    ],
)
def test_metrics(text: str, key: str, *, fits: bool) -> None:
    """A star is what has no slash in it."""
    assert MetricName((text, "x")).fits(key) is fits


@pytest.mark.parametrize(
    ("span_ms", "text"), [(1000, "1s"), (90_000, "90s"), (600_000, "10m"), (7 * 86_400_000, "1w")]
)
def test_spans(span_ms: int, text: str) -> None:
    """In the largest unit that is whole."""
    assert span_text(span_ms) == text


def below(minutes: int) -> Threshold:
    return Threshold(
        metric=MetricName(("m",)), comparison="below", value=10.0, for_ms=minutes * MINUTE_MS
    )


def played(threshold: Threshold, *values: float | None) -> str:
    """Give the state after each minute: A or o; None is a minute without a point."""
    standing, states = Standing(), ""
    for minute, value in enumerate(values):
        if value is not None:
            standing, _ = judged(threshold, standing, [(minute * MINUTE_MS, value)])
        states += "A" if standing.alarm else "o"
    return states


@pytest.mark.parametrize(
    ("minutes", "values", "states"),
    [
        (0, (50, 5, 50), "oAo"),
        (3, (5, 5, 5, 5, 50), "oooAo"),
        (3, (5, 5, 50, 5, 5, 5, 5), "ooooooA"),
        (3, (5, None, None, 5), "oooA"),  # gaps of up to three minutes are none
        (3, (5, None, None, None, 5, 5, 5, 5), "oooooooA"),
        (3, (5, 5, 5, 5, *[None] * 5, 5), "oooAAAAAAA"),  # a gap ends nothing
        (3, (5, 5, 5, 5, float("nan")), "oooAo"),
        (0, (10,), "o"),
        (12, (5, *[None] * 5, 5, *[None] * 5, 5), "o" * 12 + "A"),  # up to half the span
    ],
)
def test_for_how_long(minutes: int, values: Sequence[float | None], states: str) -> None:
    """All points over the span; what is missing is not on the wrong side."""
    assert played(below(minutes), *values) == states


SAMPLES = st.lists(
    st.tuples(st.integers(0, 40).map(lambda n: n * MINUTE_MS), st.sampled_from([5.0, 50.0])),
    max_size=30,
    unique_by=lambda each: each[0],
)


@given(SAMPLES, st.integers(0, 6), st.randoms())
def test_order_within_a_pass_does_not_matter(
    samples: list[tuple[int, float]], minutes: int, random: Any
) -> None:
    """Points are judged by their own timestamps."""
    shuffled = random.sample(samples, len(samples))
    assert judged(below(minutes), Standing(), shuffled) == judged(
        below(minutes), Standing(), sorted(samples)
    )


@given(SAMPLES, st.integers(0, 6), st.integers(1, 7))
def test_passes_do_not_matter(samples: list[tuple[int, float]], minutes: int, size: int) -> None:
    """Points that come in order give the same standing however they are batched."""
    samples = sorted(samples)
    standing, turns = Standing(), list[Turn]()
    for first in range(0, len(samples), size):
        standing, some = judged(below(minutes), standing, samples[first : first + size])
        turns += some
    assert (standing, tuple(turns)) == judged(below(minutes), Standing(), samples)


@given(st.lists(SAMPLES, max_size=6), st.integers(0, 6), st.integers(0, 40))
def test_alarms_and_recoveries_alternate(
    passes: list[list[tuple[int, float]]], minutes: int, floor: int
) -> None:
    """Whatever comes, however late, and whatever of it is history: never two alarms on end."""
    standing, said = Standing(), list[bool]()
    for points in passes:
        before = standing
        standing, turns = judged(below(minutes), standing, points)
        said += [each.alarm for each in news(turns, floor * MINUTE_MS, was_alarm=before.alarm)]
        assert (said[-1] if said else False) == standing.alarm
    assert said == [number % 2 == 0 for number in range(len(said))]


@given(SAMPLES, st.integers(1, 6))
def test_an_alarm_has_its_span(samples: list[tuple[int, float]], minutes: int) -> None:
    """All points of it are on the wrong side, and the first of them is as old as the span."""
    _, turns = judged(below(minutes), Standing(), samples)
    for turn in turns:
        if turn.alarm:
            since_ms = turn.at_ms - minutes * MINUTE_MS
            span = [value for at_ms, value in samples if since_ms <= at_ms <= turn.at_ms]
            assert set(span) == {5.0}
            assert any(value == 5.0 and at_ms <= since_ms for at_ms, value in samples)


def test_a_late_point_has_the_span_counted_anew() -> None:
    """And ends no alarm, since newer points say otherwise."""
    threshold = below(3)
    standing, _ = judged(threshold, Standing(), [(0, 5.0), (2 * MINUTE_MS, 5.0)])
    standing, _ = judged(threshold, standing, [(MINUTE_MS, 50.0)])
    standing, turns = judged(threshold, standing, [(3 * MINUTE_MS, 5.0)])
    assert not standing.alarm
    standing, turns = judged(threshold, standing, [(5 * MINUTE_MS, 5.0)])
    assert [each.alarm for each in turns] == [True]
    standing, turns = judged(threshold, standing, [(4 * MINUTE_MS, 50.0)])
    assert standing.alarm
    assert turns == ()


def test_silence_goes_by_the_clock() -> None:
    """It counts from the first look or the newest point, and only while the job runs."""
    silence = Silence(metric=None, for_ms=10 * MINUTE_MS)
    standing, turns = silent(silence, Standing(), 0, runs=False)
    standing, turns = silent(silence, standing, 9 * MINUTE_MS, runs=False)
    standing, turns = silent(silence, standing, 18 * MINUTE_MS, runs=True)
    assert turns == ()
    standing, turns = silent(silence, standing, 19 * MINUTE_MS, runs=True)
    assert turns == (Turn(alarm=True, at_ms=19 * MINUTE_MS),)
    again, turns = silent(silence, standing, 30 * MINUTE_MS, runs=True)
    assert (again, turns) == (standing, ())


def test_what_a_run_is_marked_with_is_read_again() -> None:
    """So that an alarm is not told twice; a series that the rule no longer means is left out."""
    rule = one(metric="loss*", above=1)
    standings = {
        "loss": Standing(alarm=True, since_ms=3000),
        "loss-2": Standing(alarm=True, since_ms=2000),
        "loss-3": Standing(),
    }
    value = tag_value(standings, 9000)
    assert value == "ALARM since 1970-01-01T00:00:02.000Z: loss, loss-2"
    assert set(restored(rule, value, 9000)) == {"loss", "loss-2"}
    assert set(restored(one(**LOSS), value, 9000)) == {"loss"}
    assert all(each.alarm for each in restored(rule, value, 9000).values())


@pytest.mark.parametrize(
    "value",
    [
        None,
        "OK since 1970-01-01T00:00:02.000Z",
        "ended in ALARM since 1970-01-01T00:00:02.000Z: loss",
        "ALARM since long ago: loss",
        "what a user wrote",
    ],
)
def test_other_marks_say_nothing(value: str | None) -> None:
    """Nor do those of others."""
    assert restored(one(**LOSS), value, 9000) == {}


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({"name_matches": "job"}, True),
        ({"name_matches": "jo"}, False),
        ({"name_matches": "j.*"}, True),
        ({"tag": {"team": "*"}}, True),
        ({"tag": {"team": "audio"}}, False),
        ({"tag": {"cost": "*"}}, False),
    ],
)
def test_jobs_are_chosen_as_by_sources(table: dict[str, Any], wanted: bool) -> None:
    """The whole name matches; any value of a tag is ``*``."""
    rule = one(status="FAILED", **table)
    job = replace(written("job").record, tags=(("sagemaker.tag.team", "vision"),))
    assert rule.wants(job) is wanted


def test_the_status_that_is_told() -> None:
    """SageMaker's word; of a job that is gone MLflow's: the other is the last that was heard."""
    condition = StatusIn(statuses=frozenset({"KILLED"}))
    tags = (("sagemaker.status", "InProgress"),)
    killed = replace(written("job", status="KILLED").record, tags=tags)
    assert condition.holds(killed)
    assert condition.word(killed) == "InProgress"
    gone = replace(killed, tags=(*tags, ("smwatch.gone", "2026-11-22T00:00:00.000Z")))
    assert condition.word(gone) == "KILLED"
