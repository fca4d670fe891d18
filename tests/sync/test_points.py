from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.jobs import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Points,
    Samples,
    averages,
    billed,
    curve,
    final_metrics,
    job_answer,
    moment,
    now_ms,
    put_host,
    put_loss,
    whole,
)
from tests.sync.conftest import DISCOVERY, METRICS, STREAMS, Mirror

INSTANCE_KEYS = {
    "CPUUtilization": "cpu_utilization_percentage",
    "MemoryUtilization": "system_memory_usage_percentage",
    "DiskUtilization": "disk_usage_percentage",
    "GPUUtilization": "gpu_utilization_percentage",
    "GPUMemoryUtilization": "gpu_memory_usage_percentage",
}


def put_hosts(mirror: Mirror, job: str, created_ms: int, hosts: list[str]) -> dict[str, Points]:
    """Publish all instance metrics of hosts; give the series that the run must have."""
    expected = {}
    for number, host in enumerate(hosts, start=1):
        for place, (metric, key) in enumerate(INSTANCE_KEYS.items(), start=1):
            samples = curve(created_ms, 4, first=number * 10 + place)
            put_host(mirror.account, job, samples, host=host, metric=metric)
            expected[f"system/{host}/{key}"] = averages(samples, created_ms)
    return expected


def test_series_are_those_of_cloudwatch(mirror: Mirror) -> None:
    """Key, timestamp, step and value of each point are CloudWatch's, for each host and metric."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS + 12_345
    mirror.account.put_training_job(
        job_answer(
            "job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS, metrics=("a", "b"), hosts=3
        )
    )
    expected = put_hosts(mirror, "job", created_ms, ["algo-1", "algo-2", "algo-3"])
    a, b = curve(created_ms, 300, every_s=7), curve(created_ms, 11, first=-4.0, every_s=240)
    put_loss(mirror.account, "job", a, "a")
    put_loss(mirror.account, "job", b, "b")
    expected |= {"a": averages(a, created_ms), "b": averages(b, created_ms)}

    report = mirror.sync(metrics="cloudwatch")

    assert mirror.series("job") == expected
    assert report.points == sum(map(len, expected.values()))
    assert report.jobs == {"seen": 1, "created": 1, "updated": 0, "unchanged": 0, "failed": 0}
    assert mirror.account.calls == {**DISCOVERY, METRICS: 1}
    assert mirror.is_final("job")
    assert mirror.run("job").data.tags["smwatch.metric_source"] == "cloudwatch"


def test_instance_groups_have_hosts_of_their_own(mirror: Mirror) -> None:
    """Groups are counted through: two of one type and one of another are three hosts."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    groups = [
        {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
        {"InstanceGroupName": "gpu", "InstanceType": "ml.g5.xlarge", "InstanceCount": 1},
    ]
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            ResourceConfig={"InstanceGroups": groups, "VolumeSizeInGB": 10},
        )
    )
    expected = put_hosts(mirror, "job", created_ms, ["algo-1", "algo-2", "algo-3"])
    mirror.sync()
    assert mirror.series("job") == expected
    tags = mirror.run("job").data.tags
    assert tags["sagemaker.instance_type"] == "ml.c5.xlarge, ml.g5.xlarge"
    assert tags["sagemaker.instance_count"] == "3"


def test_steps_are_whole_seconds_from_a_creation_within_a_second(mirror: Mirror) -> None:
    """A period that began before CreationTime has a step below 0, rounded down."""
    minute_ms = whole(now_ms()) - 2 * HOUR_MS
    created_ms = minute_ms + 20_999
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    put_loss(mirror.account, "job", [(minute_ms + 30_000, 1.5), (minute_ms + MINUTE_MS, 2.5)])
    mirror.sync()
    assert mirror.points("job")["loss"] == [
        (minute_ms, -21, 1.5),
        (minute_ms + MINUTE_MS, 39, 2.5),
    ]
    run = mirror.run("job")
    assert run.info.start_time == created_ms
    assert run.info.end_time == created_ms + HOUR_MS
    assert run.data.tags["sagemaker.created"].endswith(".999Z")


def test_points_after_the_end_are_read(mirror: Mirror) -> None:
    """Hosts publish for some minutes after TrainingEndTime; those points belong to the job."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    ended_ms = created_ms + HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms, ended_ms=ended_ms))
    samples = [(ended_ms + n * MINUTE_MS, float(n)) for n in range(-1, 10)]
    put_host(mirror.account, "job", samples)
    mirror.sync()
    assert mirror.series("job") == {
        "system/algo-1/cpu_utilization_percentage": averages(samples, created_ms)
    }


def test_durations_are_written_once_at_the_end(mirror: Mirror) -> None:
    """Billable time and phases stand at step 0 and the end; a phase that came twice is summed."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    ended_ms = created_ms + 500_250
    spans = [
        ("Starting", 0, 30_250),
        ("Training", 30_250, 130_250),
        ("Interrupted", 130_250, 200_250),
        ("Training", 200_250, 450_250),
        ("Uploading", 450_250, 500_250),
        ("Completed", 500_250, 500_250),
    ]
    transitions = [
        {
            "Status": status,
            "StartTime": moment(created_ms + begin),
            "EndTime": moment(created_ms + end),
        }
        for status, begin, end in spans
    ]
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=ended_ms,
            BillableTimeInSeconds=123,
            SecondaryStatusTransitions=transitions,
        )
    )
    report = mirror.sync()
    assert mirror.points("job") == {
        **billed(ended_ms, 123.0),
        "sagemaker/phase_seconds/Starting": [(ended_ms, 0, 30.25)],
        "sagemaker/phase_seconds/Training": [(ended_ms, 0, 350.0)],
        "sagemaker/phase_seconds/Interrupted": [(ended_ms, 0, 70.0)],
        "sagemaker/phase_seconds/Uploading": [(ended_ms, 0, 50.0)],
    }
    assert report.points == 6
    assert mirror.sync().points == 0


def test_final_values_only_for_metrics_without_a_point(mirror: Mirror) -> None:
    """FinalMetricDataList fills in where CloudWatch has no point of a metric, nowhere else."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS + 500
    ended_ms = created_ms + HOUR_MS
    said_ms = created_ms + 61_000
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=ended_ms,
            metrics=("loss", "auc"),
            FinalMetricDataList=final_metrics({"loss": 9.0, "auc": 0.5, "extra": 7.0}, said_ms),
        )
    )
    samples = curve(created_ms, 3)
    put_loss(mirror.account, "job", samples)
    mirror.sync()
    assert mirror.series("job") == {
        "loss": averages(samples, created_ms),
        "auc": [(said_ms, 61, 0.5)],
        "extra": [(said_ms, 61, 7.0)],
    }
    assert mirror.run("job").data.tags["smwatch.metric_source"] == "cloudwatch"


@pytest.mark.parametrize(("final", "source"), [({"loss": 0.25}, "final"), ({}, "none")])
def test_source_says_where_points_came_from(
    mirror: Mirror, final: dict[str, float], source: str
) -> None:
    """``smwatch.metric_source`` is final, or none, where CloudWatch had no algorithm metric."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            FinalMetricDataList=final_metrics(final, created_ms + 1000),
        )
    )
    mirror.sync()
    assert mirror.series("job") == {
        key: [(created_ms + 1000, 1, value)] for key, value in final.items()
    }
    assert mirror.run("job").data.tags["smwatch.metric_source"] == source
    assert mirror.is_final("job")


def test_running_job_has_no_final_values_and_no_durations(mirror: Mirror) -> None:
    """What stands at the end of a job is not written before its end."""
    created_ms = whole(now_ms()) - HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            FinalMetricDataList=final_metrics({"loss": 1.0}, created_ms),
            SecondaryStatusTransitions=[
                {
                    "Status": "Starting",
                    "StartTime": moment(created_ms),
                    "EndTime": moment(created_ms + 1000),
                }
            ],
        )
    )
    mirror.sync()
    assert mirror.points("job") == {}
    assert not mirror.is_final("job")
    assert mirror.run("job").info.status == "RUNNING"
    assert mirror.run("job").info.end_time is None


def test_metrics_off_mirrors_no_metrics(mirror: Mirror) -> None:
    """With ``metrics="off"`` no metric is read or written; all else is."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            BillableTimeInSeconds=5,
            FinalMetricDataList=final_metrics({"loss": 1.0}, created_ms),
        )
    )
    put_loss(mirror.account, "job", curve(created_ms, 3))
    report = mirror.sync(metrics="off")
    assert mirror.points("job") == {}
    assert report.points == 0
    assert mirror.account.calls == DISCOVERY
    assert mirror.run("job").info.status == "FINISHED"
    assert mirror.run("job").data.tags["sagemaker.billable_seconds"] == "5"
    assert mirror.run("job").data.tags["smwatch.metric_source"] == "none"


def test_metrics_that_were_off_are_read_when_they_are_wanted(mirror: Mirror) -> None:
    """A pass without metrics ends nothing for one with them; after that the run is settled."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    put_loss(mirror.account, "job", curve(created_ms, 3))
    mirror.sync(metrics="off")
    unchanged = mirror.dump()
    mirror.sync(metrics="off")
    assert mirror.dump() == unchanged
    assert mirror.sync().points == 3
    assert len(mirror.series("job")["loss"]) == 3
    assert mirror.run("job").data.tags["smwatch.metric_source"] == "cloudwatch"
    mirror.account.reset_calls()
    mirror.sync()
    assert mirror.account.calls == DISCOVERY


AGES: list[Any] = [
    pytest.param(20, 300, id="20-days"),
    pytest.param(100, 3600, id="100-days"),
    pytest.param(10, 60, id="10-days"),
]


@pytest.mark.parametrize(("days", "period_s"), AGES)
def test_old_jobs_are_read_at_the_finest_period_that_is_stored(
    mirror: Mirror, days: int, period_s: int
) -> None:
    """60 s up to 15 days, 300 s up to 63, 3600 s beyond; the first period is read whole."""
    created_ms = whole(now_ms()) - days * DAY_MS + 777
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + 3 * HOUR_MS)
    )
    samples = curve(created_ms, 180)
    put_loss(mirror.account, "job", samples)
    mirror.sync(since="400d")
    expected = averages(samples, created_ms, period_s)
    assert mirror.series("job") == {"loss": expected}
    assert all(timestamp % (period_s * 1000) == 0 for timestamp, _, _ in expected)
    (request,) = [each for each in mirror.account.requests if each.operation == METRICS]
    stats = [query["MetricStat"] for query in request.parameters["MetricDataQueries"]]
    assert {stat["Period"] for stat in stats} == {period_s}
    assert {stat["Stat"] for stat in stats} == {"Average"}


def test_job_that_straddles_fifteen_days_is_read_at_two_periods(mirror: Mirror) -> None:
    """Each stretch of a job's life has the finest period that is stored; none is read twice."""
    created_ms = whole(now_ms(), 3600) - 16 * DAY_MS
    ended_ms = created_ms + 2 * DAY_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms, ended_ms=ended_ms))
    samples = curve(created_ms, 2 * 24 * 60)
    put_loss(mirror.account, "job", samples)
    mirror.sync(since="30d")
    found = mirror.series("job")["loss"]
    starts = [timestamp for timestamp, _, _ in found]
    cut_ms = next(one for one, after in pairwise(starts) if after - one == MINUTE_MS)
    assert cut_ms % 300_000 == 0
    assert 55 * MINUTE_MS <= cut_ms - (now_ms() - 15 * DAY_MS) <= 65 * MINUTE_MS
    older: Samples = [each for each in samples if each[0] < cut_ms]
    newer: Samples = [each for each in samples if each[0] >= cut_ms]
    assert found == averages(older, created_ms, 300) + averages(newer, created_ms, 60)


def test_what_no_period_holds_any_more_is_not_asked_for(mirror: Mirror) -> None:
    """A job older than 455 days is mirrored without metrics, and is final."""
    created_ms = whole(now_ms()) - 500 * DAY_MS
    mirror.account.put_training_job(
        job_answer(
            "job",
            created_ms=created_ms,
            ended_ms=created_ms + HOUR_MS,
            FinalMetricDataList=final_metrics({"loss": 2.0}, created_ms),
        )
    )
    put_loss(mirror.account, "job", curve(created_ms, 5))
    mirror.sync(since="600d")
    assert mirror.series("job") == {"loss": [(created_ms, 0, 2.0)]}
    assert mirror.account.calls[STREAMS] == 1
    assert METRICS not in mirror.account.calls
    assert mirror.is_final("job")
