from __future__ import annotations

from mlflow_smwatch.core.matching import JobIdentity
from mlflow_smwatch.engine.own_runs import OwnRuns
from tests.jobs import arn


def job(name: str) -> JobIdentity:
    """Give a training job."""
    return JobIdentity(
        arn=arn(name),
        name=name,
        kind="training-job",
        region="eu-west-1",
        created_ms=1,
        life_end_ms=2,
    )


def test_only_so_many_jobs_are_remembered() -> None:
    """The one that nobody wanted for longest is asked for again."""
    runs, asked = OwnRuns(most=2), []

    def of(name: str) -> str | None:
        def ask() -> str:
            asked.append(name)
            return f"run of {name}"

        return runs.of(job(name), ["x"], ended=True, ask=ask)

    for name in ("a", "b", "a", "c", "a", "b"):
        assert of(name) == f"run of {name}"
    assert asked == ["a", "b", "c", "b"]


def test_it_is_asked_once_more_at_the_end() -> None:
    """Where nothing was said before."""
    runs, asked = OwnRuns(), []
    for ended in (False, False, True, True):
        assert runs.of(job("a"), ["x"], ended=ended, ask=lambda: asked.append(1)) is None
    assert len(asked) == 2
