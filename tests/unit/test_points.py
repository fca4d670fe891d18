"""Metrics of a trial component → points of its run."""

from __future__ import annotations

from mlflow_smwatch.core.job import Job, SummaryMetric
from mlflow_smwatch.core.job_kinds import TRIAL_COMPONENT
from mlflow_smwatch.core.points import metric_keys, series_points, summary_points
from mlflow_smwatch.core.series import metric_of
from tests.unit.jobs import completed_job

T_MS = 1_790_000_400_000


def component(*summaries: SummaryMetric) -> Job:
    """Make a trial component with these metrics."""
    return completed_job(kind=TRIAL_COMPONENT, summaries=summaries, hosts=())


def summary(name: str, count: int = 4, last: float | None = 0.5) -> SummaryMetric:
    """Make a summary of several values."""
    return SummaryMetric(
        name=name,
        timestamp_ms=T_MS,
        count=count,
        last=last,
        minimum=0.25,
        maximum=2.0,
        average=1.0,
        deviation=0.125,
    )


def points(job: Job) -> dict[str, tuple[float, int, int]]:
    """Give value, timestamp and step by key."""
    keys = metric_keys(job, {})
    return {
        each.key: (each.value, each.timestamp_ms, each.step) for each in summary_points(job, keys)
    }


def test_a_summary_of_several_values() -> None:
    """The last one, and what is known of all, at step 0."""
    assert points(component(summary("loss"))) == {
        "loss": (0.5, T_MS, 0),
        "loss/min": (0.25, T_MS, 0),
        "loss/max": (2.0, T_MS, 0),
        "loss/avg": (1.0, T_MS, 0),
        "loss/stddev": (0.125, T_MS, 0),
    }


def test_a_summary_of_one_value_is_that_value() -> None:
    """Its extremes would say the same again."""
    assert points(component(summary("loss", count=1))) == {"loss": (0.5, T_MS, 0)}


def test_what_aws_does_not_give_has_no_point() -> None:
    """A summary without a last value, or without any."""
    assert "loss" not in points(component(summary("loss", last=None)))
    assert points(component(SummaryMetric(name="loss", timestamp_ms=T_MS, count=5))) == {}


def test_names_go_before_statistics() -> None:
    """A metric that is named as another's statistic keeps its name."""
    job = component(summary("loss"), summary("loss/min"), summary("system/x"))
    found = points(job)
    assert found["loss/min"] == (0.5, T_MS, 0)
    assert found["loss/min_2"] == (0.25, T_MS, 0)
    assert found["loss/min/min"] == (0.25, T_MS, 0)
    assert found["system/x"] == (0.5, T_MS, 0)
    assert len(found) == 15
    names = {metric_of(each.original) for each in summary_points(job, metric_keys(job, {}))}
    assert names == {"loss", "loss/min", "system/x"}


def test_keys_stay() -> None:
    """A metric that comes later takes no key away."""
    before = metric_keys(component(summary("loss")), {})
    job = component(summary("loss"), summary("loss/min"))
    keys = metric_keys(job, before)
    assert before.items() <= keys.items()
    assert keys["loss/min"] == "loss/min_2"


def test_a_series_has_its_iterations_as_steps() -> None:
    """In the order given."""
    job = component(summary("loss"))
    series = [(0, T_MS, 2.0), (5, T_MS + 1, 0.5)]
    found = list(series_points(metric_keys(job, {}), "loss", series))
    assert [(each.step, each.timestamp_ms, each.value) for each in found] == series
    assert {each.key for each in found} == {"loss"}
