"""Sources: what is read and refused, which jobs they are for, what fills their places."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.api import _plain
from mlflow_smwatch.core.attachments import attached
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.further_logs import (
    FurtherStream,
    begin_ms,
    is_metric_of_stream,
    is_named,
    is_of_stream,
    names_of,
    stream_original,
)
from mlflow_smwatch.core.job import Job, MetricDefinition
from mlflow_smwatch.core.job_kinds import ENDPOINT
from mlflow_smwatch.core.log_streams import LAG_MS, START, LogStream, StreamPosition
from mlflow_smwatch.core.points import metric_keys
from mlflow_smwatch.core.series import metric_of
from mlflow_smwatch.core.sources import Source, attachment, is_meant, read_sources
from mlflow_smwatch.core.stream_notes import STREAMS_LIMIT, StreamNotes, stream_id
from mlflow_smwatch.core.templates import Filling, UnfilledError, filled, require_template
from mlflow_smwatch.core.watermark import Watermark
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.policy import needs_of, policy
from tests.unit.jobs import completed_job

EKS: dict[str, Any] = {
    "name": "eks",
    "name_matches": r"(\w+)-(\d+)?",
    "namespace": "ContainerInsights",
    "metrics": ["cpu"],
    "dimensions": {"PodName": "{name}", "Number": "{group:2}", "Cluster": "{tag:cluster}"},
    "log-groups": ["/aws/{tag:cluster}/{region}"],
    "streams": ["*.{name}_*"],
    "definitions": [{"name": "loss", "regex": r"loss=(\S+)"}],
}
JOB = completed_job(name="train-7", tags=(("cluster", "blue"),))


def source(**changes: Any) -> Source:
    """Read one table; None leaves a key out."""
    table = {key: value for key, value in {**EKS, **changes}.items() if value is not None}
    (read,) = read_sources("smwatch.toml", [table])
    return read


REFUSED = [
    ({"name": None}, "name: missing"),
    ({"name": "a/b"}, "name: 'a/b'"),
    ({"nane": "x"}, "nane: unknown; choose from name, kinds, name-matches"),
    ({"name-matches": "x"}, "name-matches: given twice"),
    ({"name_matches": None}, "name-matches: give name-matches, tag or both"),
    ({"name_matches": "("}, "name-matches: '(': not a pattern of RE2"),
    ({"name_matches": r"(?=x)"}, "not a pattern of RE2"),
    ({"kinds": ["job"]}, "kinds: 'job': unknown; choose from training-job"),
    ({"kinds": 7}, "kinds: give a text or a list of texts"),
    ({"tag": ["a=b"]}, "tag: give a table such as"),
    ({"tag": {"a": 1}}, "tag: give a table such as"),
    ({"namespace": None}, "namespace: missing"),
    ({"namespace": ":x"}, "namespace: ':x'"),
    ({"metrics": "cpu"}, "metrics: give texts, or tables"),
    ({"metrics": []}, "metrics: missing"),
    ({"metrics": [{"name": "cpu", "statistic": "Sum"}]}, "metrics 1: statistic: unknown"),
    ({"metrics": ["cpu", "cpu"]}, "metrics: 'cpu' is there already"),
    ({"metrics": ["x" * 256]}, "metrics 1: name"),
    ({"stat": "average"}, "stat: 'average': choose from Average"),
    ({"stat": "p101"}, "stat: 'p101'"),
    ({"dimensions": {f"d{n}": "x" for n in range(31)}}, "dimensions: 31 are given"),
    ({"dimensions": {":x": "x"}}, "dimensions: ':x'"),
    ({"dimensions": {"x": "{nane}"}}, "dimensions: {nane}: unknown; choose from {name}"),
    ({"dimensions": {"x": "{group:3}"}}, "dimensions: {group:3}: name-matches has 2 groups"),
    ({"dimensions": {"x": "{tag:}"}}, "dimensions: {tag:}: unknown"),
    ({"log-groups": ["{"]}, "log-groups: '{': a brace that has no other"),
    ({"streams": "a:*"}, "streams: 'a:': no name of a log stream holds a colon"),
    ({"log-groups": None}, "streams: has no effect without log-groups"),
    ({"metrics": None}, "namespace: has no effect without metrics"),
    ({"series": {"metrics": ["cpu"]}}, "series: give a list of tables"),
    ({"series": [{"metrics": ["cpu"]}]}, "series 1: metrics: 'cpu' is there already"),
    ({"series": [{"metrics": ["gpu"], "streams": "x"}]}, "series 1: streams: unknown"),
    ({"definitions": [{"name": "x"}]}, "definitions 1: regex: missing"),
    ({"definitions": [{"name": "x", "regex": "y"}]}, "definitions 1: regex: 'y': has no group"),
    ({"definitions": [{"name": "x", "regex": "("}]}, "definitions 1: regex: '(': does not"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_a_table_that_cannot_be_understood_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    """One line with the file, the number of the table, the key and what is allowed."""
    with pytest.raises(UsageError) as refused:
        source(**changes)
    assert str(refused.value).startswith("smwatch.toml: source 1: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_are_those_of_one_source() -> None:
    """Two of a name would share keys."""
    with pytest.raises(UsageError, match="'eks' is given 2 times"):
        read_sources("smwatch.toml", [EKS, EKS])


@pytest.mark.parametrize(
    "stat",
    [
        *("Average", "Sum", "Minimum", "Maximum", "SampleCount", "IQM"),
        *("p90", "p99.9", "p100", "tm90", "wm98", "tc1", "ts99"),
        *("TM(10%:90%)", "TS(:5%)", "PR(:300)", "TC(0.5:)"),
    ],
)
def test_statistics_of_cloudwatch_are_taken(stat: str) -> None:
    """Those of its documentation."""
    assert source(stat=stat).series[0].stat == stat


MEANT = [
    ({}, True),
    ({"name_matches": "train"}, False),
    ({"name_matches": "train.*"}, True),
    ({"kinds": "endpoint"}, False),
    ({"kinds": ["endpoint", "training-job"]}, True),
    ({"tag": {"cluster": "blue"}}, True),
    ({"tag": {"cluster": "*"}}, True),
    ({"tag": {"cluster": "green"}}, False),
    ({"tag": {"team": "*"}}, False),
    ({"tag": {"cluster": "blue", "team": "a"}}, False),
]


@pytest.mark.parametrize(("changes", "meant"), MEANT)
def test_which_jobs_a_source_is_for(changes: dict[str, Any], *, meant: bool) -> None:
    """Kind, whole name and every tag."""
    plain = {"dimensions": {}, "log-groups": "x", **changes}
    assert is_meant(source(**plain), JOB) is meant


def test_what_is_attached() -> None:
    """Series, tags and logs, with the job's own words in their places; twice is once."""
    job = attached(JOB, [source()], ())
    (series,) = job.further
    assert (series.original, series.namespace, series.stat) == (
        "\neks/cpu",
        "ContainerInsights",
        "Average",
    )
    assert series.dimensions == (("PodName", "train-7"), ("Number", "7"), ("Cluster", "blue"))
    (logs,) = job.further_logs
    assert (logs.groups, logs.streams) == (("/aws/blue/eu-west-1",), (("", ".train-7_", ""),))
    assert [each.name for each in logs.definitions] == ["eks/loss"]
    assert dict(job.facts)["source.eks.log_group"] == "/aws/blue/eu-west-1"
    assert attached(job, [source()], ()) == job
    assert metric_keys(job, {})["\neks/cpu"] == "eks/cpu"


FIXED = {"log-groups": "/fixed", "dimensions": {}}


def tagged(cluster: str) -> Job:
    """Make a job with a tag."""
    return completed_job(name="train-7", tags=(("cluster", cluster),))


UNFIT: list[tuple[dict[str, Any], Job, str]] = [
    ({"dimensions": {"x": "{tag:team}"}}, JOB, "it has no tag 'team'"),
    ({}, completed_job(name="train-", tags=(("cluster", "b"),)), "group 2 of name-matches"),
    ({}, completed_job(name="train-7", tags=(("cluster", "***"),)), "no tag 'cluster'"),
    ({}, completed_job(name="train-7", tags=(("cluster", ""),)), "no tag 'cluster'"),
    ({}, completed_job(name="train-7", tags=(("cluster", "Zürich"),)), "no value of the dim"),
    ({"dimensions": {"x": "x" * 1025}}, JOB, "no value of the dimension x"),
    ({"log-groups": "{tag:cluster}:x"}, JOB, "no name of a log group"),
    ({**FIXED, "streams": "{tag:cluster}-*"}, tagged("a:b"), "'a:b-*' is no name of a log stream"),
    ({**FIXED, "streams": "x-{tag:cluster}"}, tagged("a*b"), "is no name of a log stream"),
    ({"streams": "x" * 513}, JOB, "is no name of a log stream"),
]


@pytest.mark.parametrize(("changes", "job", "why"), UNFIT)
def test_all_or_nothing_is_attached(changes: dict[str, Any], job: Job, why: str) -> None:
    """CloudWatch refuses a whole request for one bad value: so it is never asked."""
    found = attachment(source(**changes), job)
    assert found is not None
    assert why in (found.remark or "")
    assert (found.series, found.facts, found.logs) == ((), (), None)


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)), st.text())
def test_values_are_data(tags: dict[str, str], literal: str) -> None:
    """Whatever a tag holds, it stands there as it is, between what stood there."""
    escaped = literal.replace("{", "{{").replace("}", "}}")
    keys = [key for key in tags if not set(key) & set("{}")]
    text = escaped.join(["", *(f"{{tag:{key}}}" for key in keys), ""])
    require_template(text, 0)
    filling = Filling(fields={}, tags=tags)
    assert filled(text, filling) == literal.join(["", *(tags[key] for key in keys), ""])


@given(st.text("{}abc:1", max_size=12))
def test_a_template_is_refused_or_filled(text: str) -> None:
    """Nothing else is raised but that a job has nothing for a place."""
    filling = Filling(fields={"name": "n", "arn": "a", "account": "1", "region": "r"})
    try:
        require_template(text, 1)
    except UsageError:
        return
    with suppress(UnfilledError):
        filled(text, filling)


@given(st.lists(st.text("ab.", max_size=3), min_size=1, max_size=4), st.text("ab.", max_size=9))
def test_stars_stand_for_anything(parts: list[str], name: str) -> None:
    """As in a regular expression that says so."""
    assert is_named(parts, name) is bool(re.fullmatch(".*".join(map(re.escape, parts)), name))


def stream(name: str, created_ms: int, group: str = "g") -> FurtherStream:
    """Make a stream."""
    return FurtherStream(group=group, stream=LogStream(name=name, created_ms=created_ms))


def test_streams_are_chosen_and_named() -> None:
    """The earliest has the bare name; what was read is read on; there is room for so many."""
    streams = [stream(f"s{n}", 1000 - n) for n in range(STREAMS_LIMIT + 5)]
    known = {stream_id("eks", streams[0]), "other:g:s1"}
    notes = StreamNotes.of("eks", dict.fromkeys(known, StreamPosition(1, 1)))
    taken, left = notes.chosen([*streams, streams[3]], now_ms=0)
    assert left == 5
    assert streams[0] in taken
    assert [each.stream.created_ms for each in taken] == sorted(
        each.stream.created_ms for each in taken
    )
    definitions = [MetricDefinition(name="eks/loss", regex="(x)")]
    names = names_of(definitions, (stream("a", 1), stream("b", 2)), ())
    assert list(names.values()) == ["eks/loss", "eks/loss/b"]
    given = stream_original("eks/loss", stream("gone", 0))
    assert set(names_of(definitions, (stream("a", 1),), (given,)).values()) == {"eks/loss/a"}


NOW_MS = 10 * LAG_MS


def instance(number: int, last_ms: int | None, created_ms: int | None = None) -> FurtherStream:
    """Make the stream of an endpoint's instance."""
    made = LogStream(
        name=f"AllTraffic/i-{number:03}",
        created_ms=number if created_ms is None else created_ms,
        last_event_ms=last_ms,
    )
    return FurtherStream(group="g", stream=made)


def test_instances_that_are_gone_take_no_room() -> None:
    """After so many replacements there is room for the next: those that may grow count alone."""
    old = [instance(number, 500) for number in range(STREAMS_LIMIT)]
    positions = {stream_id("s", each): StreamPosition(500, 1) for each in old}
    notes = StreamNotes.of("s", positions)
    new = instance(999, NOW_MS - 1, NOW_MS - 5)
    taken, left = notes.chosen([*old, new], NOW_MS)
    assert (taken[-1], left) == (new, 0)
    growing = [instance(number, NOW_MS - 1) for number in range(STREAMS_LIMIT)]
    taken, left = notes.chosen([*growing, new], NOW_MS)
    assert (new in taken, left) == (False, 1)


def test_notes_on_silent_streams_go_and_their_points_stay() -> None:
    """Where there are too many; what was read is never taken for new, what comes then is read."""
    old = [instance(number, 500 + number) for number in range(STREAMS_LIMIT)]
    live = instance(998, NOW_MS - 1)
    odd = instance(997, 400, created_ms=NOW_MS - LAG_MS)  # sent long after it happened
    streams = [*old, live, odd]
    positions = {
        stream_id("s", each): StreamPosition(each.stream.last_event_ms or 0, 1) for each in streams
    }
    few = StreamNotes.of("s", dict(list(positions.items())[:STREAMS_LIMIT]))
    assert not few.silent(streams, NOW_MS)
    notes = StreamNotes.of("s", positions)
    silent = notes.silent(streams[1:], NOW_MS)  # the first is gone
    assert set(silent) == {stream_id("s", each) for each in old}
    kept = {note: each for note, each in positions.items() if note not in silent}
    after = StreamNotes.of("s", kept | notes.left_after(silent))
    assert set(after.read) == {stream_id("s", live), stream_id("s", odd)}
    assert after.left_ms == 500 + STREAMS_LIMIT - 1
    assert after.chosen(streams, NOW_MS) == ((live, odd), 0)
    again = instance(3, NOW_MS - 7)
    assert again in after.chosen([again], NOW_MS)[0]
    assert after.position(again) == StreamPosition(after.left_ms + 1, 0)
    assert after.position(instance(1000, NOW_MS, created_ms=NOW_MS)) == START


def test_the_window_is_for_the_first_reading_alone() -> None:
    """From then on what is endless is read from where it was begun: no pause loses an event."""
    new = Watermark(made_ms=0)
    assert begin_ms(new, 700) == 700
    assert begin_ms(replace(new, read_to_ms=600), 700) == 0
    assert begin_ms(replace(new, read_to_ms=600, read_from_ms=300), 700) == 300
    assert begin_ms(replace(new, further_streams={"s:g:a": [500, 1]}), 700) == 500
    assert begin_ms(replace(new, further_streams={"s:g:a": [900, 1]}), 700) == 700


@given(st.from_regex(r"[.\-_/#A-Za-z0-9]{1,9}", fullmatch=True), st.text(min_size=1))
def test_originals_tell_streams_apart(group: str, name: str) -> None:
    """From every series of another sort, and from algorithm metrics."""
    original = stream_original("eks/loss", stream(name.replace("\n", ""), 0, group))
    assert is_of_stream(original)
    assert is_metric_of_stream(original, "eks/loss")
    assert metric_of(original) is None
    others = ("\neks/loss", "loss\nalgo-2", "\nsystem\n", "\na/b\n@", '\na/b\n["x:y", "z"]')
    assert not any(map(is_of_stream, others))


def test_the_policy_names_what_is_read() -> None:
    """Groups with definitions, each place a star; groups that are linked need nothing."""
    linked = source(name="linked", definitions=None, streams=None, **{"log-groups": "/linked"})
    options = SyncOptions(sources=(source(), linked), kinds=("tuning-job",), metrics="auto")
    needs = needs_of(options)
    assert (needs.attached_series, needs.attached_groups) == (True, ("/aws/*/*",))
    statements = {each["Sid"]: each for each in policy([options])["Statement"]}
    assert statements["ReadLogs"]["Resource"] == "arn:aws:logs:*:*:log-group:/aws/*/*:*"
    assert statements["ReadMetrics"]["Action"] == "cloudwatch:GetMetricData"
    off = SyncOptions(sources=(source(),), kinds=("tuning-job",), metrics="off")
    assert "ReadLogs" not in {each["Sid"] for each in policy([off])["Statement"]}


def test_python_takes_tables_and_sources() -> None:
    """Dicts with the keys of a table, or what was read of one."""
    read = source()
    assert _plain({"sources": [EKS]})["sources"] == (read,)
    assert _plain({"sources": (read,)})["sources"] == (read,)
    with pytest.raises(UsageError, match="sources: source 1: nane: unknown"):
        _plain({"sources": [{"nane": 1}]})


def test_endpoints_have_sources_too() -> None:
    """The kinds are those of ``--kinds``."""
    assert is_meant(source(kinds="endpoint"), completed_job(name="train-7", kind=ENDPOINT))
