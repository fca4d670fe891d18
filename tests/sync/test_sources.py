"""Sources: what else of CloudWatch the user attaches to runs, each point exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import mlflow_smwatch
from mlflow_smwatch.core.sources import read_sources
from mlflow_smwatch.core.stream_notes import STREAMS_LIMIT
from mlflow_smwatch.core.watermark import STATE_TAG, from_tags
from mlflow_smwatch.report import SyncReport
from tests import kinds
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    Events,
    averages,
    curve,
    logged_job,
    now_ms,
)
from tests.sync.conftest import (
    DISCOVERY,
    EVENTS,
    METRICS,
    ONLY_TRAINING_JOBS,
    STREAMS,
    Mirror,
)
from tests.sync.logged import CREATED_MS, ENDED_MS, events, interrupted, values, warning

CLUSTER = {"cluster": "blue"}
GROUP = "/aws/containerinsights/blue/application"
EKS: dict[str, Any] = {
    "name": "eks",
    "kinds": ["training-job"],
    "tag": {"cluster": "*"},
    "namespace": "ContainerInsights",
    "metrics": ["pod_cpu_utilization", {"name": "pod_network_rx_bytes", "stat": "Sum"}],
    "dimensions": {"ClusterName": "{tag:cluster}", "PodName": "{name}"},
}
POD = {"ClusterName": "blue", "PodName": "train-1"}
APP: dict[str, Any] = {
    "name": "app",
    "name-matches": r"train-\d+",
    "log-groups": ["/aws/containerinsights/{tag:cluster}/application"],
    "streams": "*.{name}_*",
    "definitions": [{"name": "batch", "regex": r"batch=(\S+)"}],
}


def put_train(mirror: Mirror, name: str = "train-1", *, ended: bool = True) -> None:
    """Put a job of an hour in the blue cluster; what it logs itself has no metrics."""
    ended_ms = ENDED_MS if ended else None
    answer = logged_job(name, {}, created_ms=CREATED_MS, ended_ms=ended_ms)
    mirror.account.put_training_job(answer, tags=CLUSTER)


def put_lines(mirror: Mirror, events: Events, pod: str = "a", group: str = GROUP) -> None:
    """Let a pod of the job log."""
    stream = f"node.train-1_default_{pod}.log"
    mirror.account.put_log_events(group, stream, events, publish=False)


def batches(numbers: Sequence[float], start_s: float = 60) -> Events:
    """Give lines, one a second."""
    return events(*(f"batch={each}" for each in numbers), start_s=start_s)


def sync(mirror: Mirror, *tables: dict[str, Any], **options: Any) -> SyncReport:
    """Make a pass with sources, given as Python takes them."""
    report = mirror.sync(sources=list(tables or (APP,)), **options)
    assert report.failed == []
    return report


def verified(mirror: Mirror, *tables: dict[str, Any], repair: bool = False) -> list[Any]:
    """Give what a verification finds."""
    return mlflow_smwatch.verify(
        sources=list(tables or (APP,)),
        tracking_uri=mirror.uri,
        kinds=ONLY_TRAINING_JOBS,
        repair=repair,
    ).differences


def batch(mirror: Mirror, key: str = "app/batch") -> list[float]:
    """Give the values of a metric from attached logs, by steps from 0."""
    return values(mirror, key, "train-1")


def test_series_belong_to_the_jobs_that_a_source_means(mirror: Mirror) -> None:
    """By tag; with the statistics that are asked for; in the call that asks for the job's own."""
    put_train(mirror)
    mirror.account.put_training_job(
        logged_job("other", {}, created_ms=CREATED_MS, ended_ms=ENDED_MS)
    )
    load, bytes_in = curve(CREATED_MS, 20, every_s=30), curve(CREATED_MS, 9, 4.0)
    mirror.account.put_metric("ContainerInsights", "pod_cpu_utilization", POD, load)
    mirror.account.put_metric("ContainerInsights", "pod_network_rx_bytes", POD, bytes_in)
    plain = mirror.beside()
    sync(mirror, EKS)
    assert mirror.series("train-1") == {
        "eks/pod_cpu_utilization": averages(load, CREATED_MS),
        "eks/pod_network_rx_bytes/Sum": averages(bytes_in, CREATED_MS),
    }
    assert mirror.account.calls[METRICS] == 1
    assert mirror.series("other") == {}
    assert mirror.is_final("train-1")
    again = sync(mirror, EKS)
    assert (again.points, mirror.account.calls) == (0, DISCOVERY)
    assert verified(mirror, EKS) == []
    plain.sync()
    with_none = plain.account.calls.copy()
    plain.beside().sync(sources=[{**EKS, "tag": {"cluster": "green"}}])
    assert plain.account.calls == with_none


def test_a_running_job_has_each_point_once(mirror: Mirror) -> None:
    """Pass after pass, and in the last look at the whole."""
    samples = curve(CREATED_MS, 60)
    mirror.account.put_metric("ContainerInsights", "pod_cpu_utilization", POD, samples[:40])
    put_train(mirror, ended=False)
    for minutes in (10, 25, 40):
        mirror.sync_to(CREATED_MS + minutes * MINUTE_MS, sources=[EKS])
        expected = averages(samples[:minutes], CREATED_MS)
        assert mirror.series("train-1") == {"eks/pod_cpu_utilization": expected}
    mirror.account.put_metric("ContainerInsights", "pod_cpu_utilization", POD, samples[40:])
    put_train(mirror)
    sync(mirror, EKS)
    expected = averages(samples, CREATED_MS)
    assert mirror.series("train-1") == {"eks/pod_cpu_utilization": expected}


def test_a_source_that_lacks_something_is_named_on_the_run(mirror: Mirror) -> None:
    """A tag, a log group: the job is mirrored without, and final."""
    put_train(mirror)
    lacking = {**EKS, "dimensions": {"ClusterName": "{tag:team}"}}
    sync(mirror, lacking, APP)
    text = warning(mirror, "train-1")
    assert "the source eks is not attached: it has no tag 'team'" in text
    assert f"the source app: there is no log group {GROUP}" in text
    assert mirror.is_final("train-1")


def test_lines_of_attached_logs_become_metrics(mirror: Mirror) -> None:
    """The first stream's under the name alone; only those of the job's life; read once."""
    put_train(mirror)
    before, after = batches([-1], start_s=-5), batches([99], start_s=3600 + 601)
    put_lines(mirror, [*before, *batches([1, 2, 3]), *after])
    put_lines(mirror, batches([4, 5], start_s=90), pod="b")
    mirror.account.put_log_events(GROUP, "node.train-11_x.log", batches([7]), publish=False)
    sync(mirror)
    assert batch(mirror) == [1, 2, 3]
    assert batch(mirror, "app/batch/node.train-1_default_b.log") == [4, 5]
    assert len(mirror.series("train-1")) == 2
    tags = mirror.run("train-1").data.tags
    assert tags["sagemaker.source.app.log_group"] == GROUP
    link = tags["sagemaker.source.app.logs_url"]
    assert f"[Logs of app]({link})" in tags["mlflow.note.content"]
    again = sync(mirror)
    assert (again.points, mirror.account.calls) == (0, DISCOVERY)
    assert verified(mirror) == []


def test_growing_logs_are_read_on(mirror: Mirror) -> None:
    """From where they were left; what came late is found by the last look, with a step of its own.

    So it is after an interruption, and after a pass whose watermark was lost with its process.
    """
    put_train(mirror, ended=False)
    put_lines(mirror, batches([1, 2]))
    sync(mirror)
    noted = mirror.run("train-1").data.tags[STATE_TAG]
    put_lines(mirror, batches([3, 4], start_s=100))
    sync(mirror)
    assert batch(mirror) == [1, 2, 3, 4]
    run_id = mirror.run("train-1").info.run_id
    mirror.client.set_tag(run_id, STATE_TAG, noted)  # as if the points alone had come through
    put_lines(mirror, batches([5], start_s=200))
    sync(mirror)
    assert batch(mirror) == [1, 2, 3, 4, 5]
    put_lines(mirror, batches([6], start_s=300))
    interrupted(mirror, 1, sources=read_sources("sources", [APP]))
    put_lines(mirror, batches([2.5], start_s=90))
    put_train(mirror)
    sync(mirror)
    assert batch(mirror) == [1, 2, 3, 4, 5, 6, 2.5]
    assert mirror.is_final("train-1")
    assert verified(mirror) == []


def test_denied_logs_leave_the_run_open(mirror: Mirror) -> None:
    """The job is mirrored with a warning; once the logs may be read it has all of them."""
    put_train(mirror)
    put_lines(mirror, batches([1, 2]))
    mirror.account.faults.deny(EVENTS)
    sync(mirror)
    assert "no logs of the source app" in warning(mirror, "train-1")
    assert not mirror.is_final("train-1")
    mirror.account.faults.clear()
    sync(mirror)
    assert batch(mirror) == [1, 2]
    assert mirror.is_final("train-1")


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (EVENTS, {"code": "InvalidParameterException"}),
        (STREAMS, {"code": "InvalidParameterException"}),
        (STREAMS, {"code": "UnknownOperationException", "status": 501}),
    ],
)
def test_trouble_with_attached_logs_is_theirs_alone(
    mirror: Mirror, operation: str, fault: dict[str, Any]
) -> None:
    """The job has its own metrics, a warning, and stays open until its logs are read."""
    put_train(mirror)
    put_lines(mirror, batches([1, 2]))
    samples = curve(CREATED_MS, 9)
    mirror.account.put_metric("ContainerInsights", "pod_cpu_utilization", POD, samples)
    mirror.account.faults.fail(operation, times=None, **fault)
    sync(mirror, APP, EKS)
    assert "no logs of the source app" in warning(mirror, "train-1")
    assert mirror.series("train-1") == {"eks/pod_cpu_utilization": averages(samples, CREATED_MS)}
    assert not mirror.is_final("train-1")
    mirror.account.faults.clear()
    sync(mirror, APP, EKS)
    assert batch(mirror) == [1, 2]
    assert mirror.is_final("train-1")
    assert warning(mirror, "train-1") == ""


@pytest.mark.slow
def test_logs_that_fail_for_now_are_not_given_up(mirror: Mirror) -> None:
    """To give up is for what is denied: what AWS fails to give now, it gives to a later pass."""
    put_train(mirror)
    put_lines(mirror, batches([1, 2]))
    mirror.account.faults.fail(EVENTS, times=None, code="InternalFailure", status=500)
    sync(mirror, give_up_denied=True)
    assert "no logs of the source app" in warning(mirror, "train-1")
    assert not mirror.is_final("train-1")
    mirror.account.faults.clear()
    sync(mirror)
    assert batch(mirror) == [1, 2]


def test_an_illegal_stream_is_never_asked_for(mirror: Mirror) -> None:
    """A tag with a colon is legal, a stream's name with one is not: the job goes without."""
    answer = logged_job("train-1", {}, created_ms=CREATED_MS, ended_ms=ENDED_MS)
    mirror.account.put_training_job(answer, tags={"cluster": "blue:green"})
    sync(mirror, {**APP, "log-groups": "/fixed", "streams": "{tag:cluster}-*"})
    assert "'blue:green-*' is no name of a log stream" in warning(mirror, "train-1")
    assert mirror.is_final("train-1")
    assert STREAMS not in mirror.account.calls


def test_mirrors_with_other_sources_leave_each_other_alone(mirror: Mirror) -> None:
    """What one attaches is no news for another; it stays until the run is written anew."""
    put_train(mirror)
    samples = curve(CREATED_MS, 9)
    mirror.account.put_metric("ContainerInsights", "pod_cpu_utilization", POD, samples)
    sync(mirror, APP, EKS)
    link = "sagemaker.source.app.log_group"
    elsewhere = {**APP, "log-groups": "/elsewhere"}
    for tables in ((), (elsewhere,), (APP, EKS), (EKS,), ()):
        report = mirror.sync(sources=list(tables))
        assert report.counts["unchanged"] == 1, tables
        assert mirror.account.calls == DISCOVERY
        assert mirror.run("train-1").data.tags[link] == GROUP
    changed = logged_job("train-1", {}, created_ms=CREATED_MS, ended_ms=ENDED_MS)
    mirror.account.put_training_job({**changed, "RoleArn": changed["RoleArn"] + "2"}, tags={})
    mirror.sync()
    assert link not in mirror.run("train-1").data.tags


def test_a_source_that_comes_after_the_end_is_linked(mirror: Mirror) -> None:
    """Its points are what the run lacks: a repair adds them, each once."""
    put_train(mirror)
    put_lines(mirror, batches([1, 2]))
    samples = curve(CREATED_MS, 9)
    mirror.account.put_metric("ContainerInsights", "pod_cpu_utilization", POD, samples)
    mirror.sync()
    sync(mirror, APP, EKS)
    assert mirror.run("train-1").data.tags["sagemaker.source.app.log_group"] == GROUP
    assert mirror.series("train-1") == {}
    assert {each.what for each in verified(mirror, APP, EKS, repair=True)} == {"missing"}
    assert batch(mirror) == [1, 2]
    assert mirror.series("train-1", "eks/") == {
        "eks/pod_cpu_utilization": averages(samples, CREATED_MS)
    }
    assert verified(mirror, APP, EKS) == []
    again = sync(mirror, APP, EKS)
    assert (again.points, mirror.account.calls) == (0, DISCOVERY)


SERVED: dict[str, Any] = {
    "name": "served",
    "kinds": "endpoint",
    "name-matches": ".*",
    "log-groups": "/aws/sagemaker/Endpoints/{name}",
    "definitions": [{"name": "score", "regex": r"score=(\S+)"}],
}


def put_shop(mirror: Mirror) -> None:
    """Put an endpoint of thirty hours ago."""
    created_ms, account = now_ms() - 30 * HOUR_MS, mirror.account
    account.put_model(kinds.model("model", created_ms=created_ms))
    account.put_endpoint_config(kinds.endpoint_config("config", created_ms=created_ms))
    account.put_job("endpoint", kinds.endpoint("shop", created_ms=created_ms))


def serve(mirror: Mirror, *scores: tuple[int, float], instance: str = "i-0123456789") -> None:
    """Let an instance of the endpoint log scores, each so long ago (ms)."""
    lines = [(now_ms() - ago, f"score={score}") for ago, score in scores]
    group = "/aws/sagemaker/Endpoints/shop"
    mirror.account.put_log_events(group, f"AllTraffic/{instance}", lines, publish=False)


def scores_of(mirror: Mirror) -> dict[str, list[float]]:
    """Give the scores by their keys, in order of their steps."""
    (run,) = mirror.client.search_runs(
        [each.experiment_id for each in mirror.experiments()],
        "tags.`sagemaker.kind` = 'endpoint'",
    )
    return {
        key: [each[2] for each in sorted(points, key=lambda each: each[1])]
        for key, points in mirror.series(run, "served/").items()
    }


def test_logs_of_an_endpoint(mirror: Mirror) -> None:
    """Its containers' streams, for as long as it is there; the window is for the first reading."""
    put_shop(mirror)
    serve(mirror, (29 * HOUR_MS, 0.1), (3 * HOUR_MS, 0.2), (HOUR_MS, 0.3))
    options: dict[str, Any] = {"kinds": ("endpoint",), "endpoint_window": "24h"}
    sync(mirror, SERVED, **options)
    assert scores_of(mirror)["served/score"] == [0.2, 0.3]
    serve(mirror, (MINUTE_MS, 0.4))
    sync(mirror, SERVED, **options)
    assert scores_of(mirror)["served/score"] == [0.2, 0.3, 0.4]
    assert mirror.account.calls[STREAMS] == 1
    again = sync(mirror, SERVED, **options)
    assert again.points == 0
    serve(mirror, (MINUTE_MS // 2, 0.5))
    serve(mirror, (2 * HOUR_MS, 0.6), instance="i-new")
    sync(mirror, SERVED, **{**options, "endpoint_window": "1s"})  # as after long without a pass
    assert scores_of(mirror) == {
        "served/score": [0.2, 0.3, 0.4, 0.5],
        "served/score/AllTraffic/i-new": [0.6],
    }


@pytest.mark.slow
def test_instances_are_replaced_for_years(mirror: Mirror) -> None:
    """However many an endpoint has had, the next one's logs are read; those of none twice."""
    put_shop(mirror)
    clock = mirror.account.clock
    clock.set(datetime.now(tz=timezone.utc) - timedelta(hours=20))
    for number in range(STREAMS_LIMIT + 1):
        serve(mirror, (20 * HOUR_MS - number, number), instance=f"i-{number:03}")
    clock.set(None)
    options: dict[str, Any] = {"kinds": ("endpoint",)}
    sync(mirror, SERVED, **options)
    assert len(scores_of(mirror)) == STREAMS_LIMIT
    sync(mirror, SERVED, **options)
    before = scores_of(mirror)
    assert len(before) == STREAMS_LIMIT + 1
    (run,) = mirror.runs()
    watermark = from_tags(run.data.tags)
    assert watermark is not None
    assert len(watermark.further_streams) <= 2
    serve(mirror, (MINUTE_MS, 0.5), instance="i-new")
    serve(mirror, (MINUTE_MS, 0.7), instance="i-007")
    report = sync(mirror, SERVED, **options)
    assert report.points == 2
    assert scores_of(mirror) == {
        **before,
        "served/score/AllTraffic/i-007": [7, 0.7],
        "served/score/AllTraffic/i-new": [0.5],
    }
    again = sync(mirror, SERVED, **options)
    assert (again.points, mirror.account.calls[EVENTS]) == (0, 4)  # of two streams
