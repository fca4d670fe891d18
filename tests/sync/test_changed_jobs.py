"""Jobs that an event names: asked of the source itself, alone, and followed from then on."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from mlflow_smwatch.core.errors import CredentialsError
from mlflow_smwatch.engine.mirror import Mirror as Engine
from mlflow_smwatch.report import SyncReport
from tests.jobs import HOUR_MS, arn, job_answer, now_ms
from tests.sync.conftest import DESCRIBE, IDENTITY, LIST_TAGS, SEARCH, Mirror

LATER = datetime(2100, 1, 1, tzinfo=timezone.utc)


def engine(mirror: Mirror, **options: Any) -> Engine:
    return Engine(mirror.options(artifacts="none", metrics="off", **options))


def put(mirror: Mirror, *names: str, **tags: str) -> None:
    """Put running jobs, without metrics."""
    for name in names:
        answer = job_answer(name, created_ms=now_ms() - HOUR_MS, metrics=())
        mirror.account.put_training_job(answer, tags=tags)


def changed(mirror: Mirror, watcher: Engine, *names: str) -> SyncReport:
    mirror.account.reset_calls()
    return watcher.follow_changed({arn(name): name for name in names})


def names(report: SyncReport) -> list[str]:
    return sorted(line.name for line in report.runs)


def test_exactly_these_jobs_are_described(mirror: Mirror) -> None:
    """Search may lag behind an event: it tells of trials alone. Other open jobs are left alone."""
    put(mirror, "open", "named")
    watcher = engine(mirror)
    assert names(changed(mirror, watcher, "open")) == ["open"]
    assert names(changed(mirror, watcher, "named")) == ["named"]
    assert mirror.account.calls == {DESCRIBE: 1, LIST_TAGS: 1, SEARCH: 1}
    (searched,) = [each for each in mirror.account.requests if each.operation == SEARCH]
    assert searched.parameters["Resource"] == "ExperimentTrialComponent"
    assert names(watcher.follow(since=None, sweep=False)) == ["named", "open"]
    mirror.account.move_training_job("named", status="Completed")
    assert changed(mirror, watcher, "named").runs[0].status == "FINISHED"


def test_described_in_the_spelling_of_the_event(mirror: Mirror) -> None:
    """The name may stand in small letters in the ARN; by that one too the job is found."""
    answer = job_answer("My-Job", created_ms=now_ms() - HOUR_MS, metrics=())
    mirror.account.put_training_job({**answer, "TrainingJobArn": arn("my-job")})
    watcher = engine(mirror)
    for name in ("My-Job", "my-job"):
        assert names(watcher.follow_changed({arn("my-job"): name})) == ["My-Job"]


@pytest.mark.parametrize("denied", [DESCRIBE, LIST_TAGS])
def test_search_takes_over_what_is_denied(mirror: Mirror, denied: str) -> None:
    """The job, or its tags, by which it is chosen."""
    put(mirror, "job", team="vision")
    mirror.account.faults.deny(denied)
    report = changed(mirror, engine(mirror, tags=(("team", "vision"),)), "job")
    assert (names(report), report.failed) == (["job"], [])


def test_tags_that_nobody_tells(mirror: Mirror) -> None:
    """A job is refused rather than left out, so that its message stays."""
    put(mirror, "job", team="vision")
    for each in (SEARCH, LIST_TAGS):
        mirror.account.faults.deny(each)
    report = changed(mirror, engine(mirror, tags=(("team", "vision"),)), "job")
    (failure,) = report.failed
    assert failure.arn == arn("job")
    assert failure.error.startswith("--tag cannot be applied")


def test_a_job_of_another_region(mirror: Mirror) -> None:
    """One failure; the others are mirrored."""
    put(mirror, "job")
    abroad = arn("job").replace("us-east-1", "eu-west-1")
    report = engine(mirror).follow_changed({abroad: "job", arn("job"): "job"})
    assert ([each.arn for each in report.failed], names(report)) == ([abroad], ["job"])


def test_a_job_that_is_gone_is_forgotten(mirror: Mirror) -> None:
    """Its run is closed by the sweep, and no later look opens it again."""
    put(mirror, "job")
    watcher = engine(mirror)
    watcher.follow_changed({arn("job"): "job"})
    mirror.account.remove_training_job("job")
    watcher.follow(since=LATER, sweep=True)
    closed = mirror.run("job").info.status
    assert closed != "RUNNING"
    assert watcher.follow(since=None, sweep=False).runs == []
    assert mirror.run("job").info.status == closed


def test_a_failed_job_that_is_gone_or_refused(mirror: Mirror) -> None:
    """Tried again, it is neither mirrored nor a failure any more."""
    put(mirror, "unwanted", team="speech")
    watcher = engine(mirror, tags=(("team", "vision"),))
    report = watcher.follow(since=LATER, names=[arn("gone"), arn("unwanted")], sweep=False)
    assert (report.runs, report.failed) == ([], [])


def test_expired_credentials_are_no_warning(mirror: Mirror) -> None:
    """Whose the open runs are is asked of STS; a denial is a warning with its remedy."""
    put(mirror, "job")
    engine(mirror).follow_changed({arn("job"): "job"})
    mirror.account.faults.deny(IDENTITY)
    warning = mirror.warnings(engine(mirror).follow(since=LATER, sweep=True))
    assert "runs of jobs that were not listed are left alone" in warning
    assert IDENTITY in warning
    mirror.account.faults.clear()
    mirror.account.faults.fail(IDENTITY, times=None, code="ExpiredTokenException")
    with pytest.raises(CredentialsError):
        engine(mirror).follow(since=LATER, sweep=True)
