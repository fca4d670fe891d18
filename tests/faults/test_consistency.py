"""Answers that lag behind: Search, Describe and the times of log streams; events out of order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.conftest import Weather, seeds, some_of
from tests.jobs import arn
from tests.sync.conftest import DESCRIBE, SEARCH

NOT_THERE: dict[str, Any] = {
    "code": "ValidationException",
    "message": "Requested resource not found.",
}


def test_search_does_not_know_a_job_yet(weather: Weather) -> None:
    """A job that is missing from Search comes as soon as it is there; the others come now."""
    name = weather.author.jobs[0].name
    weather.account.faults.hide(SEARCH, name)
    report = weather.sync()
    assert report.failed == []
    assert {each.name for each in report.runs} == {
        job.name for job in weather.author.jobs if job.name != name
    }
    weather.clear_up()


def test_search_shows_a_job_as_it_was(weather: Weather) -> None:
    """An old record does not take anything back, nor make a run final."""
    weather.sync()
    job = weather.author.growing
    assert job is not None
    weather.account.faults.freeze(SEARCH)
    weather.sync()
    weather.author.grow()
    weather.author.end()
    weather.sync()
    weather.clear_up()


def test_an_older_record_after_a_newer_one(weather: Weather) -> None:
    """Search's replicas differ: the older one is not believed."""
    weather.account.faults.freeze(SEARCH)
    weather.sync()
    weather.author.grow()
    weather.author.end()
    job = weather.author.jobs[-1]
    weather.account.faults.deny(SEARCH)
    weather.sync()
    weather.account.faults.allow(SEARCH)
    weather.sync()
    run = weather.mirror.run(job.name)
    assert run.info.status == job.status
    weather.clear_up()


@pytest.mark.parametrize("times", some_of((1, 3, None), None))
def test_describe_does_not_know_a_job_yet(weather: Weather, times: int | None) -> None:
    """A job that was created a minute ago is not taken for one that was deleted."""
    weather.sync()
    job = weather.author.growing
    assert job is not None
    weather.account.faults.hide(SEARCH, job.name)
    weather.account.faults.fail(DESCRIBE, times=times, **NOT_THERE)
    weather.sync()
    weather.account.faults.clear()
    weather.author.grow()
    weather.author.end()
    weather.clear_up()


def test_named_before_it_is_known(weather: Weather) -> None:
    """Asked for by name, such a job is reported as unknown, and mirrored the next time."""
    job = weather.author.jobs[0]
    weather.account.faults.hide(SEARCH, job.name)
    weather.account.faults.fail(DESCRIBE, times=None, **NOT_THERE)
    report = weather.mirror.sync(arn(job.name))
    assert [each.arn for each in report.failed] == [arn(job.name)]
    weather.clear_up()


@pytest.mark.parametrize("seed", seeds(1))
def test_streams_and_events_come_late(weather: Weather, seed: int) -> None:
    """Times of last events lag for hours, and events come with times that were read before."""
    weather.account.faults.lag_last_events("*")
    weather.sync()
    job = weather.author.growing
    assert job is not None
    for host in job.host_names:
        stream = job.streams[host][-1]
        last = job.events[host][-1][0]
        job.log(host, [(last + 5 + seed % 4, "loss=4"), (last + 9, "loss=5")])
        assert stream == job.streams[host][-1]
    weather.sync()
    weather.author.grow()
    weather.author.end()
    weather.clear_up()
