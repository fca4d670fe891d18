from __future__ import annotations

import pytest

import mlflow_smwatch
from tests.jobs import (
    HOUR_MS,
    arn,
    averages,
    billed,
    curve,
    final_metrics,
    job_answer,
    now_ms,
    put_host,
    put_loss,
    whole,
)
from tests.sync.conftest import (
    ASSOCIATIONS,
    DESCRIBE,
    DISCOVERY,
    LIST,
    LIST_COMPONENTS,
    LIST_TAGS,
    METRICS,
    SEARCH,
    STREAMS,
    Mirror,
)


def put_jobs(mirror: Mirror, *names: str) -> int:
    """Put jobs of one hour with tags, final metrics and points; give their CreationTime."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS + 250
    for name in names:
        mirror.account.put_training_job(
            job_answer(
                name,
                created_ms=created_ms,
                ended_ms=created_ms + HOUR_MS,
                metrics=("loss", "auc"),
                HyperParameters={"lr": "0.1", "sagemaker_program": '"train.py"'},
                BillableTimeInSeconds=77,
                FinalMetricDataList=final_metrics({"auc": 0.5}, created_ms + 1000),
            ),
            tags={"team": "vision", "stage": "test"},
        )
        put_loss(mirror.account, name, curve(created_ms, 10))
        put_host(mirror.account, name, curve(created_ms, 10))
    return created_ms


def test_without_search_list_and_describe_give_the_same_runs(mirror: Mirror) -> None:
    """Search denied: List, Describe and ListTags find the same; the detour is named once."""
    put_jobs(mirror, "a", "b", "c")
    mirror.sync()
    mirror.account.faults.deny(SEARCH)
    mirror.account.faults.page_size(LIST, 2)
    other = mirror.beside()
    report = other.sync()
    assert other.content() == mirror.content()
    assert mirror.account.calls == {
        SEARCH: 1,
        LIST_COMPONENTS: 1,
        LIST: 2,
        ASSOCIATIONS: 1,
        DESCRIBE: 3,
        LIST_TAGS: 3,
        STREAMS: 3,
        METRICS: 1,
    }
    assert other.run("a").data.tags["sagemaker.tag.team"] == "vision"
    (warned,) = report.warnings
    assert warned.arn is None
    assert "sagemaker:Search" in warned.warning
    assert report.failed == []

    before = other.dump()
    report = other.sync()
    assert other.dump() == before
    assert mirror.account.calls == {SEARCH: 1, LIST_COMPONENTS: 1, LIST: 2, ASSOCIATIONS: 1}
    assert report.jobs["unchanged"] == 3


def test_change_of_way_writes_nothing(mirror: Mirror) -> None:
    """What was mirrored by Describe is unchanged when Search is allowed again, and back."""
    put_jobs(mirror, "a")
    mirror.account.faults.deny(SEARCH)
    mirror.sync()
    before = mirror.dump()
    mirror.account.faults.clear()
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.account.calls == DISCOVERY
    mirror.account.faults.deny(SEARCH)
    assert mirror.sync().jobs["unchanged"] == 1
    assert mirror.dump() == before


def test_named_jobs_without_search(mirror: Mirror) -> None:
    """A job named by name or ARN is described where Search is denied."""
    put_jobs(mirror, "a", "b", "c")
    mirror.account.faults.deny(SEARCH)
    report = mirror.sync("a", arn("b"))
    assert {line.name for line in report.runs} == {"a", "b"}
    assert mirror.account.calls == {
        SEARCH: 1,
        DESCRIBE: 2,
        LIST_TAGS: 2,
        LIST_COMPONENTS: 2,
        STREAMS: 2,
        METRICS: 1,
    }
    assert mirror.runs("c") == []


def test_filters_hold_without_search(mirror: Mirror) -> None:
    """Tags and a part of the name choose the same jobs by List and Describe."""
    created_ms = put_jobs(mirror, "a-vision", "b-vision", "other")
    mirror.account.put_training_job(
        job_answer("c-vision", created_ms=created_ms, ended_ms=created_ms + HOUR_MS),
        tags={"team": "speech"},
    )
    mirror.account.faults.deny(SEARCH)
    report = mirror.sync(name_contains="vision", tags=(("team", "vision"),))
    assert {line.name for line in report.runs} == {"a-vision", "b-vision"}
    assert {run.data.tags["sagemaker.name"] for run in mirror.runs()} == {"a-vision", "b-vision"}


def test_neither_search_nor_list_is_the_end(mirror: Mirror) -> None:
    """Where jobs cannot be listed at all, the pass stops and names both permissions."""
    put_jobs(mirror, "a")
    mirror.account.faults.deny(SEARCH)
    mirror.account.faults.deny(LIST)
    with pytest.raises(mlflow_smwatch.StopError) as error:
        mirror.sync()
    assert "sagemaker:Search" in str(error.value)
    assert "sagemaker:ListTrainingJobs" in str(error.value)
    assert mirror.runs() == []


def test_denied_tags_keep_a_job_open(mirror: Mirror) -> None:
    """ListTags denied: mirrored with a warning, not final; allowed again, the tags come."""
    created_ms = put_jobs(mirror, "a")
    mirror.account.faults.deny(SEARCH)
    mirror.account.faults.deny(LIST_TAGS)
    report = mirror.sync()
    assert report.failed == []
    assert "sagemaker:ListTags" in mirror.warnings(report)
    assert arn("a") in {warned.arn for warned in report.warnings}
    assert mirror.series("a")["loss"] == averages(curve(created_ms, 10), created_ms)
    tags = mirror.run("a").data.tags
    assert "sagemaker:ListTags" in tags["smwatch.warning"]
    assert "sagemaker.tag.team" not in tags
    assert not mirror.is_final("a")

    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before

    mirror.account.faults.allow(LIST_TAGS)
    mirror.sync()
    tags = mirror.run("a").data.tags
    assert tags["sagemaker.tag.team"] == "vision"
    assert "smwatch.warning" not in tags
    assert mirror.is_final("a")
    assert mirror.series("a")["auc"] == [(created_ms + 1000, 1, 0.5)]


def test_denied_tags_do_not_hide_final_values(mirror: Mirror) -> None:
    """Given up, denied tags take nothing but the tags: metrics were read to their end."""
    created_ms = put_jobs(mirror, "a")
    mirror.account.faults.deny(SEARCH)
    mirror.account.faults.deny(LIST_TAGS)
    mirror.sync(give_up_denied=True)
    assert mirror.is_final("a")
    assert mirror.series("a")["auc"] == [(created_ms + 1000, 1, 0.5)]


def test_denied_metrics_keep_a_job_open(mirror: Mirror) -> None:
    """GetMetricData denied: all else is mirrored, with a warning; the points come when allowed."""
    created_ms = put_jobs(mirror, "a", "b")
    mirror.account.faults.deny(METRICS)
    report = mirror.sync()
    assert report.failed == []
    assert report.jobs["created"] == 2
    assert {warned.arn for warned in report.warnings} == {arn("a"), arn("b")}
    run = mirror.run("a")
    assert "cloudwatch:GetMetricData" in run.data.tags["smwatch.warning"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"lr": "0.1"}
    assert mirror.series("a") == {}
    assert not mirror.is_final("a")

    before = mirror.dump()
    report = mirror.sync()
    assert mirror.dump() == before
    assert report.jobs["unchanged"] == 2
    assert "cloudwatch:GetMetricData" in mirror.warnings(report)

    mirror.account.faults.clear()
    mirror.sync()
    expected = averages(curve(created_ms, 10), created_ms)
    assert mirror.points("a") == {
        "loss": expected,
        "system/algo-1/cpu_utilization_percentage": expected,
        "auc": [(created_ms + 1000, 1, 0.5)],
        **billed(created_ms + HOUR_MS, 77.0),
    }
    assert mirror.is_final("a")
    assert "smwatch.warning" not in mirror.run("a").data.tags


def test_denied_metrics_given_up(mirror: Mirror) -> None:
    """``give_up_denied`` makes the job final; FinalMetricDataList does not fill in for denied."""
    created_ms = put_jobs(mirror, "a")
    mirror.account.faults.deny(METRICS)
    report = mirror.sync(give_up_denied=True)
    assert mirror.is_final("a")
    assert mirror.points("a") == billed(created_ms + HOUR_MS, 77.0)
    assert mirror.run("a").data.tags["smwatch.metric_source"] == "none"
    assert "cloudwatch:GetMetricData" in mirror.warnings(report)
    assert "cloudwatch:GetMetricData" in mirror.run("a").data.tags["smwatch.warning"]
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


def test_denied_for_a_while_in_a_running_job(mirror: Mirror) -> None:
    """What could not be read of a running job is read by a later pass, once it is allowed."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    samples = curve(created_ms, 60)
    put_loss(mirror.account, "job", samples)
    mirror.sync_to(created_ms + 20 * 60_000)
    mirror.account.faults.deny(METRICS)
    report = mirror.sync_to(created_ms + 40 * 60_000)
    assert report.points == 0
    assert report.failed == []
    mirror.account.faults.clear()
    report = mirror.sync_to(created_ms + 50 * 60_000)
    assert report.points == 30
    assert mirror.series("job")["loss"] == averages(samples[:50], created_ms)


def test_describe_is_not_needed_where_search_works(mirror: Mirror) -> None:
    """Describe, ListTags and all lists of jobs denied: nothing is missing."""
    created_ms = put_jobs(mirror, "a")
    for operation in (DESCRIBE, LIST_TAGS, LIST, LIST_COMPONENTS):
        mirror.account.faults.deny(operation)
    report = mirror.sync()
    assert (report.failed, report.warnings) == ([], [])
    assert mirror.account.calls == {**DISCOVERY, STREAMS: 1, METRICS: 1}
    assert mirror.series("a")["loss"] == averages(curve(created_ms, 10), created_ms)
    assert mirror.is_final("a")


def test_nothing_but_discovery_is_allowed(mirror: Mirror) -> None:
    """With no permission but Search, each job is there, open, with its reason."""
    put_jobs(mirror, "a")
    mirror.account.faults.deny("cloudwatch:*")
    mirror.account.faults.deny("logs:*")
    mirror.account.faults.deny("sts:*")
    report = mirror.sync()
    assert report.jobs["created"] == 1
    assert report.failed == []
    assert mirror.run("a").data.tags["sagemaker.tag.team"] == "vision"
