"""The judgement of the mirror, and the page made of what processes have written down."""

from __future__ import annotations

import copy
import html
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.server.documents import moment_text, part
from mlflow_smwatch.server.health import FRESH_S, SILENT_S, judge
from mlflow_smwatch.server.page import render_page

NOW = 1_800_000_000.0
TODAY, BEFORE = "2027-01-15", "2027-01-12"
PID = 77


def at(age_s: float) -> str | None:
    return moment_text(NOW - age_s)


def worker(**facts: Any) -> dict[str, Any]:
    return {
        "state": "running",
        "pid": PID,
        "host": "h",
        "worker_pid": 7,
        "started_at": at(5_000),
        "beat_at": at(1),
        **facts,
    }


def watch(**facts: Any) -> dict[str, Any]:
    return {
        "pid": PID,
        "state": "idle",
        "interval_s": 60,
        "error": None,
        "whole_pass_ended_at": at(30),
        **facts,
    }


OLD = {"whole_pass_ended_at": at(FRESH_S + 1)}
ENDED = {"state": "ended", "pid": None, "exit_code": 3, "message": "no AWS credentials"}


@pytest.mark.parametrize(
    ("of_worker", "of_watch", "ok", "state", "reason"),
    [
        (worker(), watch(), True, "fresh", "the last whole pass ended 30 s ago"),
        (worker(), watch(pid=1), False, "stale", "no whole pass for 5000 s"),
        (worker(started_at=at(9)), watch(pid=1), True, "starting", "first pass"),
        (worker(started_at=at(9)), {}, True, "starting", "first pass"),
        (worker(), watch(**OLD), False, "stale", "no whole pass for 601 s"),
        (worker(), watch(**OLD, interval_s=300), True, "fresh", "601 s ago"),
        (worker(), watch(**OLD, state="passing", progressed_at=at(2)), True, "fresh", "601 s"),
        (worker(), watch(**OLD, state="idle", progressed_at=at(2)), False, "stale", "601 s"),
        (worker(), watch(error="AWS is gone", state="waiting"), True, "waiting", "AWS is gone"),
        (worker(), watch(**OLD, error="AWS is gone"), False, "stale", "AWS is gone"),
        (worker(beat_at=at(SILENT_S + 1)), watch(), False, "absent", "no worker"),
        (worker(state="stopped"), watch(), False, "absent", "no worker"),
        (worker(**ENDED), watch(), False, "ended", "no AWS credentials"),
        (worker(**ENDED, beat_at=at(60)), watch(), False, "absent", "no worker"),
        ({}, {}, False, "absent", "no worker"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_judgement(
    of_worker: dict[str, Any], of_watch: dict[str, Any], ok: bool, state: str, reason: str
) -> None:
    """Alive is a worker that was heard of; fresh is a whole pass, or one that gets on."""
    found = judge(of_worker, of_watch, NOW)
    assert (found.ok, found.state) == (ok, state)
    assert reason in found.reason


def test_a_refusal_is_told_whatever_else_is_there() -> None:
    """It is why this server has no mirror."""
    found = judge(worker(), watch(), NOW, "a file store")
    assert found.to_dict() == {"ok": False, "state": "absent", "reason": "a file store"}


def view(text: str) -> dict[str, Any]:
    """Make a document in which every text is the same one."""
    arn = f"arn:aws:sagemaker:us-east-1:1:training-job/{text}"
    run = {"arn": arn, "name": text, "run_id": text, "status": text, "final": False}
    day = {"day": TODAY, "aws_calls": {text: 3}, "estimated_cost_usd": 0.5}
    return {
        "health": {"ok": False, "state": "stale", "reason": text},
        "server": {
            **dict.fromkeys(("smwatch", "mlflow", "tracking_uri", "host"), text),
            "pid": 1,
        },
        "worker": worker(host=text),
        "watch": watch(
            failed=[{"arn": arn, "error": text}],
            warnings=[{"arn": arn, "warning": text}, {"arn": None, "warning": text}],
            days=[day, {**day, "day": text}],
            aws_calls={text: 4},
            region=text,
            passes=2,
            last_pass={"ended_at": at(3), "seconds": 1.25},
        ),
        "store": {
            "runs": 1234,
            "open": 1,
            "points": 5,
            "synced_at": "2027-01-15T07:00:00.000Z",
            "kinds": {text: 1},
            "experiments": [{"experiment": text, "url": "./#/experiments/1/runs", "runs": 1}],
            "attention": [{**run, "synced_at": at(90), "warning": text, "url": text}],
            "more_attention": 7,
        },
    }


@given(st.text(st.sampled_from("<>&\"'a/:;=\x00\u202e\ud800"), max_size=12))
def test_no_text_becomes_markup(text: str) -> None:
    """The tags of the page are the same, whatever the texts are; none is linked."""
    page = render_page(view(text), NOW)
    plain = render_page(view("a"), NOW)
    assert [re.sub(r'"[^"]*"', '""', each) for each in re.findall(r"<[^>]*>", page)] == [
        re.sub(r'"[^"]*"', '""', each) for each in re.findall(r"<[^>]*>", plain)
    ]
    assert set(re.findall(r'href="([^"]*)"', page)) == {
        "./",
        "smwatch/status.json",
        "./#/experiments/1/runs",
    }
    assert all(each.isprintable() or each == "\n" for each in page)


def test_what_it_tells() -> None:
    """Numbers, ages, failures with reasons, cost by day, who runs it."""
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", render_page(view("name"), NOW)))
    told = html.unescape(text)
    for each in (
        "out of date",
        "1,234 runs mirrored, 1 still open",
        "3 s since the last pass, which took 1.2 s",
        "3 AWS calls today (UTC)",
        "$0.5000 estimated for these calls",
        "Failures 1 job reason name name",
        "all jobs name",
        "Open runs, and runs with a warning 1, and 7 more",
        "operation today (UTC) since the start name 3 4",
        "mirror process 77 on name",
        "run by worker 7",
    ):
        assert each in told


def test_an_empty_store() -> None:
    """The page is whole before anything was mirrored, and without a mirror."""
    empty = {**view("x"), "worker": {}, "watch": {}, "store": {"runs": 0}}
    assert "No run was mirrored yet." in render_page(empty, NOW)
    broken = {**empty, "store": {"error": "<locked>"}}
    assert "MLflow could not be read: &lt;locked&gt;" in render_page(broken, NOW)
    assert "<h2>Process" in render_page({**empty, "store": {}}, NOW)


def told(days: list[dict[str, Any]], **calls: int) -> str:
    """Give the texts of a page on which only the days differ."""
    spent = {**view("x"), "watch": watch(days=days, aws_calls=calls)}
    return " ".join(re.sub(r"<[^>]*>", " ", render_page(spent, NOW)).split())


def test_a_first_pass_without_a_call() -> None:
    """The page is there while nothing was spent on a day, or yet at all."""
    none = {"day": TODAY, "aws_calls": {}, "estimated_cost_usd": 0.0}
    assert f"since the start Cost estimated day calls USD {TODAY} 0 $0.0000" in told([none])
    assert "0 AWS calls today (UTC) $0.0000" in told([])


def test_today_is_not_the_last_day_on_which_it_ran() -> None:
    """What was spent before is told as that day's alone."""
    shown = told([{"day": BEFORE, "aws_calls": {"a": 9}, "estimated_cost_usd": 2.0}], a=9)
    assert "0 AWS calls today (UTC) $0.0000 estimated for these calls" in shown
    assert "since the start a 0 9 " in shown
    assert f"{BEFORE} 9 $2.0000" in shown


MISSING = object()
ODD: tuple[Any, ...] = (
    MISSING,
    None,
    True,
    -1,
    10**400,
    1e999,
    math.nan,
    "",
    "x",
    "0001-01-01",
    [],
    {},
    [[1]],
)
ODD_PARTS: tuple[Any, ...] = (
    [None, 3, {}, {"arn": []}],
    {"a": None},
    {"a": {"b": []}},
    [{"aws_calls": {"a": "b"}}],
)


def places(document: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Walk through all of a document."""
    members = document.items() if isinstance(document, dict) else enumerate(document)
    for key, member in members:
        yield (*path, key)
        if isinstance(member, dict | list):
            yield from places(member, *path, key)


def changed(document: Any, place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Put something else in one place of a copy."""
    other = copy.deepcopy(document)
    inner = other
    for key in place[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    found: dict[str, Any] = other
    return found


def test_whatever_is_written_down_is_shown() -> None:
    """Anything may be missing or of another type: it is left out, and the rest is there."""
    whole = view("a")
    for place in places(whole):
        for value in (*ODD, *ODD_PARTS):
            odd = changed(whole, place, value)
            health = judge(part(odd, "worker"), part(odd, "watch"), NOW)
            for shown in (odd, {**odd, "health": health.to_dict()}):
                page = render_page(shown, NOW)
                assert "<h2>Process" in page, (place, value)
                assert page.endswith("</html>\n")
    assert "<h2>Process" in render_page({}, NOW)
