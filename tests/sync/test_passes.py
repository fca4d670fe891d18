from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest

from mlflow_smwatch.core.job_kinds import USUAL_KINDS
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.engine import mirror as engine
from tests.jobs import (
    HOUR_MS,
    MINUTE_MS,
    Samples,
    averages,
    billed,
    curve,
    job_answer,
    moment,
    now_ms,
    put_host,
    put_loss,
    whole,
)
from tests.sync.conftest import ASSOCIATIONS, DISCOVERY, FINDING, METRICS, Mirror

EVERY_LIST = {
    "sagemaker:ListPipelines": 1,
    "sagemaker:ListAutoMLJobs": 1,
    "sagemaker:ListHyperParameterTuningJobs": 1,
    "sagemaker:Search": 2,
    "sagemaker:ListTrials": 1,
    "sagemaker:ListProcessingJobs": 1,
    "sagemaker:ListTransformJobs": 1,
    "sagemaker:ListEndpoints": 1,
    "sagemaker:ListAssociations": 1,
}
"""All calls of a pass over an account with nothing but training jobs, of which none is new."""

CPU = "system/algo-1/cpu_utilization_percentage"


def asked_from(mirror: Mirror) -> list[int]:
    """Give StartTime (ms) of each GetMetricData request of the last pass."""
    return [
        _to_ms(each.parameters["StartTime"])
        for each in mirror.account.requests
        if each.operation == METRICS
    ]


def _to_ms(value: Any) -> int:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return round(float(value) * 1000)


def put_a_bit_of_everything(mirror: Mirror) -> None:
    """Put an ended job of each kind with data, a job without, and a running one without news."""
    created_ms = now_ms() - 2 * HOUR_MS
    for number, status in enumerate(("Completed", "Failed", "Stopped")):
        mirror.account.put_training_job(
            job_answer(
                f"job-{number}",
                created_ms=created_ms + number,
                ended_ms=created_ms + HOUR_MS,
                status=status,
                HyperParameters={"lr": "0.1", "optimizer": '"adam"'},
                FailureReason="AlgorithmError" if status == "Failed" else None,
                ModelArtifacts={"S3ModelArtifacts": f"s3://models/{number}/model.tar.gz"},
            ),
            tags={"team": "vision"},
        )
        put_loss(mirror.account, f"job-{number}", curve(created_ms, 20))
    mirror.account.put_training_job(
        job_answer("empty", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )


def test_second_sync_writes_nothing_and_reads_job_lists_only(mirror: Mirror) -> None:
    """Of an unchanged account nothing is written, and nothing but what finds jobs is called."""
    put_a_bit_of_everything(mirror)
    assert mirror.sync().jobs["created"] == 4
    before = mirror.dump()
    report = mirror.sync()
    assert mirror.dump() == before
    assert mirror.account.calls == DISCOVERY
    assert report.jobs == {"seen": 4, "created": 0, "updated": 0, "unchanged": 4, "failed": 0}
    assert report.points == 0
    assert dict(report.aws_calls) == DISCOVERY


def test_second_sync_of_all_kinds_writes_nothing_and_reads_lists_only(mirror: Mirror) -> None:
    """One list of each kind is read, and nothing is described; a forecast costs no more."""
    put_a_bit_of_everything(mirror)
    assert mirror.sync(kinds=USUAL_KINDS).jobs["created"] == 4
    before = mirror.dump()
    forecast = mirror.sync(kinds=USUAL_KINDS, dry_run=True)
    assert mirror.account.calls == {
        name: count for name, count in EVERY_LIST.items() if name != ASSOCIATIONS
    }
    report = mirror.sync(kinds=USUAL_KINDS)
    assert mirror.dump() == before
    assert mirror.account.calls == EVERY_LIST
    assert dict(forecast.aws_calls) == dict(report.aws_calls) == EVERY_LIST
    assert report.jobs == forecast.jobs
    assert report.jobs["unchanged"] == 4


def test_second_sync_of_jobs_by_name_writes_nothing(mirror: Mirror) -> None:
    """Names cost two Searches for twenty of them, and nothing is written again."""
    put_a_bit_of_everything(mirror)
    mirror.sync()
    before = mirror.dump()
    report = mirror.sync("job-0", "job-1", "empty")
    assert mirror.dump() == before
    assert mirror.account.calls == FINDING
    assert report.jobs["unchanged"] == 3


def test_running_job_without_news_is_not_written(mirror: Mirror) -> None:
    """A job in progress is looked at in each pass, and written only when it has news."""
    created_ms = whole(now_ms()) - HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    put_loss(mirror.account, "job", curve(created_ms, 5))
    mirror.sync_to(created_ms + 10 * MINUTE_MS)
    before = mirror.dump()
    assert mirror.sync_to(created_ms + 10 * MINUTE_MS).jobs["unchanged"] == 1
    report = mirror.sync_to(created_ms + 20 * MINUTE_MS)
    assert report.jobs["unchanged"] == 1
    assert mirror.dump() == before
    assert set(mirror.account.calls) <= {*DISCOVERY, METRICS}


def test_only_new_points_are_read_and_written(mirror: Mirror) -> None:
    """A later pass over a running job asks from the watermark on, and writes only what is new."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    samples = curve(created_ms, 60)
    put_loss(mirror.account, "job", samples[:30])
    first = mirror.sync_to(created_ms + 30 * MINUTE_MS)
    assert first.points == 30
    read_to_ms = mirror.watermark("job").read_to_ms
    assert read_to_ms == created_ms + 30 * MINUTE_MS
    put_loss(mirror.account, "job", samples[30:])
    second = mirror.sync_to(created_ms + 45 * MINUTE_MS)
    assert second.points == 15
    assert asked_from(mirror) == [read_to_ms]
    assert mirror.series("job") == {"loss": averages(samples[:45], created_ms)}
    assert second.runs[0].points == 15
    assert second.jobs["updated"] == 1


def test_a_period_that_is_not_settled_is_not_read(mirror: Mirror) -> None:
    """Of a running job, only periods that are closed and older than ``settle`` are mirrored."""
    created_ms = whole(now_ms()) - HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    samples = curve(created_ms, 60)
    put_loss(mirror.account, "job", samples)
    before_ms = now_ms()
    mirror.sync(settle_s=180)
    found = mirror.series("job")["loss"]
    assert found == averages(samples, created_ms)[: len(found)]
    last_end_ms = found[-1][0] + MINUTE_MS
    assert before_ms - 180_000 - MINUTE_MS < last_end_ms <= now_ms() - 180_000


def test_late_points_are_found_by_the_last_pass(mirror: Mirror) -> None:
    """A point that appears in a stretch that was read is mirrored at the end; none is doubled."""
    created_ms = whole(now_ms()) - 3 * HOUR_MS
    ended_ms = created_ms + HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    samples = curve(created_ms, 60)
    late = samples[3:40:9]
    put_loss(mirror.account, "job", [each for each in samples if each not in late])
    mirror.sync_to(created_ms + 50 * MINUTE_MS)
    put_loss(mirror.account, "job", late)
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=ended_ms, BillableTimeInSeconds=9)
    )
    report = mirror.sync()
    assert report.points == 10 + len(late) + 2
    assert mirror.series("job") == {"loss": averages(samples, created_ms)}
    assert mirror.is_final("job")
    assert mirror.watermark("job").points == {"loss": 60, **dict.fromkeys(billed(0, 0), 1)}


def test_final_only_when_the_job_is_over_for_settle(mirror: Mirror) -> None:
    """An ended job is looked at again until it has been over for ``settle`` seconds."""
    created_ms = whole(now_ms()) - 2 * HOUR_MS
    ended_ms = created_ms + HOUR_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=ended_ms, BillableTimeInSeconds=9)
    )
    samples = curve(created_ms, 60)
    put_loss(mirror.account, "job", samples)
    mirror.sync_to(ended_ms - 5 * MINUTE_MS)
    assert mirror.series("job") == {"loss": averages(samples[:55], created_ms)}
    assert mirror.run("job").info.status == "FINISHED"
    assert mirror.run("job").info.end_time == ended_ms
    assert not mirror.is_final("job")
    assert "sagemaker/billable_seconds" not in mirror.points("job")
    mirror.sync_to(ended_ms)
    assert mirror.is_final("job")
    assert mirror.series("job") == {"loss": averages(samples, created_ms)}
    assert mirror.points("job")["sagemaker/billable_seconds"] == [(ended_ms, 0, 9.0)]


def test_open_runs_are_looked_at_whatever_since_says(mirror: Mirror) -> None:
    """A run that is not final is finished by a pass whose window does not hold its job."""
    created_ms = whole(now_ms()) - 5 * HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    mirror.account.put_training_job(
        job_answer("never-seen", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    mirror.sync("job")
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    report = mirror.sync(since="10m")
    assert [line.name for line in report.runs] == ["job"]
    assert mirror.is_final("job")
    assert mirror.runs("never-seen") == []


def test_status_follows_the_life_of_a_job(mirror: Mirror) -> None:
    """Starting is SCHEDULED, Training and Stopping RUNNING; a stopped job ends KILLED."""
    created_ms = now_ms() - 2 * HOUR_MS
    answer = job_answer("job", created_ms=created_ms, SecondaryStatus="Starting")
    mirror.account.put_training_job(answer)
    seen = []
    for minute, secondary in enumerate(("Downloading", "Training", "Stopping", "Stopped")):
        mirror.sync()
        seen.append(mirror.run("job").info.status)
        mirror.account.move_training_job(
            "job", secondary_status=secondary, at=moment(created_ms + (minute + 1) * MINUTE_MS)
        )
    mirror.sync()
    run = mirror.run("job")
    assert [*seen, run.info.status] == ["SCHEDULED", "SCHEDULED", "RUNNING", "RUNNING", "KILLED"]
    assert run.info.end_time == created_ms + 4 * MINUTE_MS
    assert run.data.tags["sagemaker.status"] == "Stopped"
    assert run.data.tags["sagemaker.secondary_status"] == "Stopped"


@pytest.mark.parametrize("seed", range(4))
def test_any_split_into_passes_gives_the_points_of_one_pass(mirror: Mirror, seed: int) -> None:
    """Whenever passes come and points arrive, the run ends with CloudWatch's set of points."""
    chance = random.Random(seed)
    created_ms = whole(now_ms()) - 4 * HOUR_MS + chance.randrange(MINUTE_MS)
    ended_ms = created_ms + HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms, metrics=("a", "b")))
    series: dict[str, Samples] = {
        "a": curve(created_ms, chance.randrange(1, 61)),
        "b": curve(created_ms + 7 * MINUTE_MS, chance.randrange(1, 40), first=5.0),
        CPU: curve(created_ms, 61, first=50.0),
    }
    waiting = [
        (timestamp_ms + chance.choice((0, 0, 0, 25 * MINUTE_MS)), name, (timestamp_ms, value))
        for name, samples in series.items()
        for timestamp_ms, value in samples
    ]
    horizons = sorted(whole(chance.randrange(created_ms, ended_ms)) for _ in range(3))
    written = 0
    for horizon_ms in horizons:
        arrived = [each for each in waiting if each[0] < horizon_ms]
        waiting = [each for each in waiting if each[0] >= horizon_ms]
        _publish(mirror, arrived)
        written += mirror.sync_to(horizon_ms).points
    _publish(mirror, waiting)
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=ended_ms, metrics=("a", "b"))
    )
    written += mirror.sync().points
    expected = {name: averages(samples, created_ms) for name, samples in series.items()}
    assert mirror.series("job") == expected
    assert written == sum(map(len, expected.values()))
    assert mirror.is_final("job")
    before = mirror.dump()
    mirror.sync()
    assert mirror.dump() == before


def _publish(mirror: Mirror, arrived: list[tuple[int, str, tuple[int, float]]]) -> None:
    for _, name, sample in arrived:
        if name == CPU:
            put_host(mirror.account, "job", [sample])
        else:
            put_loss(mirror.account, "job", [sample], name)


def test_points_whose_watermark_was_never_written_are_completed(mirror: Mirror) -> None:
    """A pass that was cut off between two batches is made good by the next; none is doubled."""
    created_ms = whole(now_ms()) - 30 * HOUR_MS
    ended_ms = created_ms + 25 * HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms, ended_ms=ended_ms))
    samples = curve(created_ms, 1400)
    put_loss(mirror.account, "job", samples)
    mirror.sync()
    run_id = mirror.run("job").info.run_id
    as_created = to_tags(Watermark(made_ms=mirror.watermark("job").made_ms))
    for key, value in as_created.items():
        mirror.client.set_tag(run_id, key, value)
    mirror.client.delete_tag(run_id, "smwatch.final")
    with closing(sqlite3.connect(mirror.database)) as connection:
        connection.execute("DELETE FROM metrics WHERE step > 30000")
        connection.commit()
    assert len(mirror.series("job")["loss"]) == 501
    mirror.sync()
    assert mirror.series("job") == {"loss": averages(samples, created_ms)}
    assert mirror.is_final("job")


def test_late_points_at_a_finer_period_than_the_first_ones(mirror: Mirror) -> None:
    """A second look at part of a life does not take as many points for the same points."""
    day_ms = 24 * HOUR_MS
    created_ms = whole(now_ms(), 3600) - 17 * day_ms
    early = [(created_ms, 1.0), (created_ms + HOUR_MS, 2.0)]
    late = [(created_ms + n * day_ms, float(n)) for n in (10, 11)]
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    put_loss(mirror.account, "job", early)
    assert mirror.sync(since="30d").points == 2
    put_loss(mirror.account, "job", late)
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=now_ms() - HOUR_MS)
    )
    mirror.sync()
    assert mirror.series("job") == {
        "loss": averages(early, created_ms, 300) + averages(late, created_ms, 60)
    }


def test_a_mirror_of_named_jobs_follows_its_own(mirror: Mirror) -> None:
    """It shares the connection, and nothing of what is followed."""
    mirror.account.put_training_job(job_answer("job", created_ms=now_ms() - HOUR_MS))
    whole_account = engine.Mirror(mirror.options())
    named = whole_account.naming(["job"])
    assert named.aws is whole_account.aws
    assert named.sync().jobs["created"] == 1
    assert (named.open_jobs, whole_account.open_jobs) == (1, 0)
