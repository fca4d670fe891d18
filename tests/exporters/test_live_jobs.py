"""Live jobs: the latest values, bounded; jobs leave when they are final or gone."""

from __future__ import annotations

from mlflow_smwatch.exporters.live_jobs import LiveJobs
from tests.exporters.observations import point, written
from tests.jobs import arn


def shown(live: LiveJobs) -> dict[str, dict[str, float]]:
    return {job.name: dict(job.values) for job in live.view().jobs}


def test_the_latest_value() -> None:
    """By time, whatever the order in which they come; a status without a point counts too."""
    live = LiveJobs()
    live.observe(written("one", point("loss", 0.5, 2), point("loss", 0.9, 1), point("acc", 1.0)))
    live.observe(written("one", point("loss", 0.7, 1), status="FINISHED"))
    live.observe(written("two"))
    assert shown(live) == {"one": {"loss": 0.5, "acc": 1.0}, "two": {}}
    assert [job.status for job in live.view().jobs] == ["FINISHED", "RUNNING"]


def test_no_more_than_the_limit() -> None:
    """What came first stays, what is hidden is counted and shown once there is room."""
    live = LiveJobs(most=3)
    live.observe(written("a", *(point(key, 1.0) for key in "xyz")))
    live.observe(written("b", point("x", 2.0), point("y", 2.0)))
    assert shown(live) == {"a": {"x": 1.0, "y": 1.0, "z": 1.0}, "b": {}}
    assert live.view().hidden_series == 2
    live.observe(written("a", final=True))
    live.observe(written("b", point("x", 3.0, 1)))
    assert shown(live) == {"b": {"x": 3.0}}
    assert live.view().hidden_series == 1
    for name in "cdef":
        live.observe(written(name))
    assert (len(shown(live)), live.view().hidden_jobs) == (3, 2)


def test_who_leaves() -> None:
    """A final job, one that is no longer followed, and one whose name another has by now."""
    live = LiveJobs()
    for name in ("final", "gone", "stays"):
        live.observe(written(name, point("loss", 1.0)))
    live.observe(written("final", point("loss", 0.5, 1), final=True, status="FINISHED"))
    live.retain({arn("stays")})
    assert shown(live) == {"stays": {"loss": 1.0}}
    live.observe(written("a-trial", kind="trial"))
    assert list(shown(live)) == ["stays"]
