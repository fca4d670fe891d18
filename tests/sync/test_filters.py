from __future__ import annotations

import pytest

from mlflow_smwatch.demo.account import EmulatedAccount
from tests.jobs import HOUR_MS, arn, curve, job_answer, moment, now_ms, put_loss
from tests.sync.conftest import (
    DESCRIBE,
    DISCOVERY,
    DISCOVERY_OF_NOTHING,
    FINDING,
    METRICS,
    SEARCH,
    Mirror,
)


@pytest.fixture
def jobs(account: EmulatedAccount) -> None:
    """Put four jobs that ended 1, 2, 3 and 4 days ago, of two teams."""
    for days in (1, 2, 3, 4):
        created_ms = now_ms() - days * 24 * HOUR_MS - HOUR_MS
        team = "vision" if days % 2 else "speech"
        account.put_training_job(
            job_answer(
                f"{team}-day-{days}",
                created_ms=created_ms,
                ended_ms=created_ms + HOUR_MS,
                metrics=(),
            ),
            tags={"team": team, "all": "yes"},
        )


CHOICES = [
    pytest.param({}, {"vision-day-1", "speech-day-2", "vision-day-3", "speech-day-4"}, id="all"),
    pytest.param({"since": "60h"}, {"vision-day-1", "speech-day-2"}, id="since"),
    pytest.param({"until": "60h"}, {"vision-day-3", "speech-day-4"}, id="until"),
    pytest.param({"since": "84h", "until": "36h"}, {"speech-day-2", "vision-day-3"}, id="between"),
    pytest.param({"name_contains": "day-3"}, {"vision-day-3"}, id="name"),
    pytest.param({"name_contains": "Day"}, set(), id="name-case"),
    pytest.param({"tags": (("team", "speech"),)}, {"speech-day-2", "speech-day-4"}, id="one-tag"),
    pytest.param(
        {"tags": (("team", "speech"), ("all", "yes")), "since": "60h"},
        {"speech-day-2"},
        id="two-tags-and-since",
    ),
    pytest.param({"tags": (("team", "speech"), ("all", "no"))}, set(), id="no-such-tag"),
]


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(("options", "expected"), CHOICES)
def test_filters_choose_jobs(mirror: Mirror, options: dict[str, str], expected: set[str]) -> None:
    """Times, a part of the name and tags choose by LastModifiedTime, case and all pairs."""
    report = mirror.sync(**options)
    assert {line.name for line in report.runs} == expected
    assert {run.data.tags["sagemaker.name"] for run in mirror.runs()} == expected
    assert report.jobs["seen"] == len(expected)
    assert report.failed == []
    assert mirror.account.calls[SEARCH] == FINDING[SEARCH]


@pytest.mark.usefixtures("jobs")
def test_names_and_arns_that_cannot_be_mirrored_are_named(mirror: Mirror) -> None:
    """Each is one failure under what was typed, with the next step; the others are mirrored."""
    bad = {
        "no-such-job": "no training job 'no-such-job'",
        "bad_name!": "is no job name",
        "x" * 64: "is no job name",
        "arn:aws:sagemaker:us-east-1": "not an ARN",
        arn("vision-day-1", region="eu-west-1"): "--region eu-west-1",
        arn("vision-day-1", account="999999999999"): "another account",
        arn("vision-day-1").replace("training-job", "endpoint"): "no endpoint 'vision-day-1'",
        "arn:aws:s3:::bucket/key": "training-job",
    }
    report = mirror.sync("vision-day-3", *bad, arn("speech-day-2"))
    assert {line.name for line in report.runs} == {"vision-day-3", "speech-day-2"}
    errors = {failure.arn: failure.error for failure in report.failed}
    assert set(errors) == set(bad)
    for asked, part in bad.items():
        assert part in errors[asked]
    assert report.jobs == {"seen": 10, "created": 2, "updated": 0, "unchanged": 0, "failed": 8}
    assert mirror.account.calls[SEARCH] == FINDING[SEARCH]
    assert mirror.account.calls[DESCRIBE] == 1


@pytest.mark.usefixtures("jobs")
def test_a_name_typed_twice_is_one_job(mirror: Mirror) -> None:
    """Name and ARN of the same job are one job, one run, one line."""
    report = mirror.sync("vision-day-1", arn("vision-day-1"), "vision-day-1")
    assert [line.name for line in report.runs] == ["vision-day-1"]
    assert report.jobs["seen"] == 1
    assert len(mirror.runs()) == 1


def test_names_ignore_since(mirror: Mirror) -> None:
    """A job that is named is mirrored however old it is, without any other."""
    old_ms = now_ms() - 200 * 24 * HOUR_MS
    for name in ("old", "other"):
        mirror.account.put_training_job(
            job_answer(name, created_ms=old_ms, ended_ms=old_ms + HOUR_MS)
        )
    report = mirror.sync("old")
    assert [line.name for line in report.runs] == ["old"]
    assert mirror.runs("other") == []


def test_twenty_names_are_one_search(mirror: Mirror) -> None:
    """Names are looked up twenty at a time, and so are their components; none is described."""
    created_ms = now_ms() - 2 * HOUR_MS
    names = [f"job-{number}" for number in range(21)]
    for name in names:
        mirror.account.put_training_job(
            job_answer(name, created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
        )
    report = mirror.sync(*names, dry_run=True)
    assert [line.name for line in report.runs] == names
    assert mirror.account.calls == {SEARCH: 2 * FINDING[SEARCH]}


def test_filter_holds_for_open_runs(mirror: Mirror) -> None:
    """A run that is not final is not touched by a pass whose name or tags leave it out."""
    created_ms = now_ms() - 2 * HOUR_MS
    for name in ("one", "two"):
        mirror.account.put_training_job(
            job_answer(name, created_ms=created_ms), tags={"name": name}
        )
    mirror.sync()
    for name in ("one", "two"):
        mirror.account.move_training_job(name, status="Completed", at=moment(created_ms + HOUR_MS))
    mirror.sync(since="1m", tags=(("name", "one"),))
    assert mirror.is_final("one")
    assert not mirror.is_final("two")
    mirror.sync(since="1m", name_contains="two")
    assert mirror.is_final("two")


def test_job_that_aws_deleted_is_closed(mirror: Mirror) -> None:
    """The run of a job that AWS no longer knows keeps its points and says so; it is final."""
    created_ms = now_ms() - 2 * HOUR_MS
    mirror.account.put_training_job(job_answer("job", created_ms=created_ms))
    put_loss(mirror.account, "job", curve(created_ms, 10))
    mirror.sync()
    before = mirror.series("job")
    assert len(before["loss"]) == 10
    mirror.account.remove_training_job("job")
    report = mirror.sync()
    assert report.failed == []
    assert mirror.series("job") == before
    assert mirror.is_final("job")
    assert "no longer knows" in mirror.run("job").data.tags["smwatch.warning"]
    digest = mirror.dump()
    mirror.sync()
    assert mirror.dump() == digest
    assert mirror.account.calls == DISCOVERY_OF_NOTHING


def test_dry_run_of_an_unchanged_account(mirror: Mirror) -> None:
    """The forecast for an account without news is its job lists, and nothing is written."""
    created_ms = now_ms() - 2 * HOUR_MS
    mirror.account.put_training_job(
        job_answer("job", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
    )
    put_loss(mirror.account, "job", curve(created_ms, 10))
    mirror.sync()
    before = mirror.dump()
    forecast = mirror.sync(dry_run=True)
    real = mirror.sync()
    assert dict(forecast.aws_calls) == dict(real.aws_calls) == DISCOVERY
    assert forecast.jobs == real.jobs
    assert forecast.estimated_cost_usd == real.estimated_cost_usd == 0
    assert forecast.to_dict()["dry_run"] is True
    assert "dry_run" not in real.to_dict()
    assert mirror.dump() == before


@pytest.mark.parametrize("denied", [(), (SEARCH,)], ids=["search", "list"])
def test_dry_run_forecasts_the_calls_of_the_pass_that_follows(
    mirror: Mirror, denied: tuple[str, ...]
) -> None:
    """Calls and price are those of the real pass; no metric is read, and no run is made."""
    created_ms = now_ms() - 2 * HOUR_MS
    for number in range(3):
        mirror.account.put_training_job(
            job_answer(f"job-{number}", created_ms=created_ms, ended_ms=created_ms + HOUR_MS)
        )
    for operation in denied:
        mirror.account.faults.deny(operation)
    before = mirror.dump()
    forecast = mirror.sync(dry_run=True, metrics="cloudwatch")
    assert mirror.account.calls[METRICS] == 0
    assert mirror.account.calls[DESCRIBE] == (3 if denied else 0)
    assert mirror.dump() == before
    real = mirror.sync(metrics="cloudwatch")
    assert dict(forecast.aws_calls) == dict(real.aws_calls) == mirror.account.calls
    assert forecast.estimated_cost_usd == pytest.approx(real.estimated_cost_usd)
    assert forecast.jobs == real.jobs
    assert [line.run_id for line in forecast.runs] == [None, None, None]
