"""Jobs → the body of a dashboard."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mlflow_smwatch.core.dashboard import Body, Shown, dashboard_body, made_of
from mlflow_smwatch.core.dashboard_names import dashboard_name, require_dashboard_name
from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import ENDPOINT, TRAINING_JOB
from mlflow_smwatch.core.job_series import algorithm_series, steady_series
from mlflow_smwatch.core.series import Series
from mlflow_smwatch.demo.dashboards import put_dashboard
from mlflow_smwatch.demo.errors import AwsError, NotOursError
from tests.jobs import HOUR_MS, arn, job_answer

BEGIN_MS = 1_800_000_000_000


def training(name: str, *, hosts: int = 1, metrics: tuple[str, ...] = ("loss",)) -> Job:
    """Make a job that has ended."""
    answer = job_answer(
        name,
        created_ms=BEGIN_MS,
        ended_ms=BEGIN_MS + HOUR_MS,
        hosts=hosts,
        metrics=metrics,
    )
    return job_of(TRAINING_JOB, {"TrainingJobArn": arn(name), **answer})


def drawn(body: Body) -> list[list[Any]]:
    """Give the lines of all graphs; CloudWatch must take the body."""
    with pytest.raises(NotOursError):
        put_dashboard({"DashboardName": "a", "DashboardBody": body.text})
    widgets = body.document["widgets"]
    return [line for each in widgets for line in each["properties"].get("metrics", ())]


def test_every_series_is_a_line_once() -> None:
    """Of a job with two hosts: its algorithm metrics and its hosts', by the metric's name."""
    job = training("job", hosts=2, metrics=("loss", "acc"))
    body = dashboard_body(str(job.arn), [Shown(job=job, page="http://mlflow/run")])
    lines = drawn(body)
    wanted = {
        (each.namespace, each.metric_name, *each.dimensions[0])
        for each in (*algorithm_series(job), *steady_series(job))
    }
    assert {tuple(line[:4]) for line in lines} == wanted
    assert (len(lines), body.metrics, body.left_out) == (12, 12, 0)
    titles = [each["properties"].get("title") for each in body.document["widgets"]]
    assert titles[:4] == [None, "acc", "loss", "CPUUtilization"]
    cpu = body.document["widgets"][3]["properties"]["metrics"]
    assert [line[-1] for line in cpu] == [
        {"stat": "Average", "label": "algo-1"},
        {"stat": "Average", "label": "algo-2"},
    ]
    assert body.document["start"] == "2027-01-15T08:00:00.000Z"
    assert body.document["end"] == "2027-01-15T09:00:00.000Z"
    text = body.document["widgets"][0]["properties"]["markdown"]
    assert "[run in MLflow](http://mlflow/run)" in text
    assert "[SageMaker console](https://us-east-1.console.aws.amazon.com/" in text


def test_no_widget_lies_on_another() -> None:
    """Nor outside of the grid."""
    jobs = [Shown(job=training(f"job-{n}", metrics=("a", "b", "c", "d"))) for n in range(30)]
    body = dashboard_body("experiment", jobs, "http://mlflow/experiment")
    cells: set[tuple[int, int]] = set()
    for each in body.document["widgets"]:
        own = {
            (each["x"] + x, each["y"] + y)
            for x in range(each["width"])
            for y in range(each["height"])
        }
        assert not own & cells
        assert max(x for x, _ in own) < 24
        cells |= own
    assert {line[-1]["label"] for line in drawn(body)} >= {"job-0", "job-7/algo-1"}


@pytest.mark.parametrize(("jobs", "metrics"), [(600, 3), (4, 700), (1, 3000)])
def test_limits(jobs: int, metrics: int) -> None:
    """What CloudWatch does not take is left out, and counted."""
    names = tuple(f"m{n}" for n in range(metrics))
    shown = [Shown(job=training(f"job-{n}", metrics=names)) for n in range(jobs)]
    body = dashboard_body("experiment", shown)
    lines = drawn(body)
    assert body.metrics == len(lines) <= 2_500
    assert body.widgets <= 500
    assert body.left_out == jobs * (metrics + 5) - len(lines)


def test_an_endpoint_shows_its_last_day() -> None:
    """It has no end; each line is the statistic that the mirror reads."""
    series = tuple(
        Series(
            original=f"\n{stat}",
            namespace="AWS/SageMaker",
            metric_name="ModelLatency",
            dimensions=(("EndpointName", "live"), ("VariantName", "a")),
            stat=stat,
        )
        for stat in ("Average", "p90")
    )
    endpoint = replace(
        training("live"), kind=ENDPOINT, ended_ms=None, hosts=(), definitions=(), further=series
    )
    body = dashboard_body(
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/live", [Shown(job=endpoint)]
    )
    assert "end" not in body.document
    assert body.document["start"] == "-P1D"
    assert [line[-1] for line in drawn(body)] == [
        {"stat": "Average", "label": "a"},
        {"stat": "p90", "label": "a p90"},
    ]


def test_whose_a_dashboard_is() -> None:
    """It says what it is of; any other says nothing."""
    shown = [Shown(job=training("job"))]
    assert made_of(dashboard_body("my `odd` *experiment*", shown).text) == "my 'odd' *experiment*"
    text = {"type": "text", "properties": {"markdown": "# Ours"}}
    others: tuple[Any, ...] = ({"widgets": [text]}, {"widgets": [{"type": "text"}]}, {}, [])
    for other in others:
        assert made_of(json.dumps(other)) is None
    assert made_of("no JSON") is None


def test_text_of_others_is_no_markdown() -> None:
    """A name of an experiment neither links nor breaks out."""
    body = dashboard_body("[x](http://evil) <b>", [Shown(job=training("job"))])
    heading = body.document["widgets"][0]["properties"]["markdown"].splitlines()[0]
    assert "[x](" not in heading
    assert "<b>" not in heading


def test_names() -> None:
    """Legal, of legal length, and different for different things."""
    assert dashboard_name("my-job") == "smwatch-my-job"
    odd = [dashboard_name(each) for each in ("a/b", "a b", "ä" * 300, "a_b")]
    assert len(set(odd)) == 4
    for each in odd:
        require_dashboard_name(each)
    for bad in ("", "a b", "a/b", "n" * 256):
        with pytest.raises(UsageError, match="--name"):
            require_dashboard_name(bad)


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        '{"widgets": [{"type": "odd"}]}',
        '{"widgets": [{"type": "text", "properties": {}}]}',
        '{"widgets": [{"type": "text", "x": 20, "width": 6, "properties": {"markdown": ""}}]}',
        '{"widgets": [{"type": "metric", "properties": {"metrics": [["a", "b", "c"]]}}]}',
    ],
)
def test_the_emulated_account_refuses_what_cloudwatch_does(body: str) -> None:
    """Else the tests above would show nothing."""
    with pytest.raises(AwsError):
        put_dashboard({"DashboardName": "a", "DashboardBody": body})
