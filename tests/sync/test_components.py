"""Trial components that are no job's: what a user logged with SageMaker Experiments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlflow_smwatch.core.lineage_tags import from_tags
from tests import kinds
from tests.jobs import MINUTE_MS, moment
from tests.sync.conftest import Mirror, datasets, models
from tests.sync.every_kind import (
    COMPONENT,
    CREATED_MS,
    ENDED_MS,
    home,
    parent,
    put_component,
    put_trials,
    run,
    settled,
    state,
    sync,
    verified,
)

BATCH = "sagemaker-metrics:BatchGetMetrics"
LAST_MS = ENDED_MS - MINUTE_MS


def summary(name: str, count: int, **values: float) -> dict[str, Any]:
    """Give an entry of Metrics."""
    source = {"SourceArn": kinds.kind_arn(f"{COMPONENT}/loose"), "TimeStamp": moment(LAST_MS)}
    return {"MetricName": name, "Count": count, **source, **values}


def series(count: int, first: int = 0) -> list[tuple[int | None, int, float]]:
    """Give iterations, their times and values."""
    return [(n, CREATED_MS + n * 1000, n / 8) for n in range(first, first + count)]


def points(count: int) -> list[tuple[int, int, float]]:
    """Give the points that they must become: AWS tells iterations, and not when they were."""
    return [(CREATED_MS, n, n / 8) for n in range(count)]


def loose(mirror: Mirror) -> dict[str, list[tuple[int, int, float]]]:
    return mirror.points(run(mirror, f"{COMPONENT}/loose"))


def end(mirror: Mirror) -> None:
    """Let the component end."""
    mirror.account.experiments.update_trial_component(
        "loose",
        Status={"PrimaryStatus": "Completed"},
        EndTime=moment(ENDED_MS),
        LastModifiedTime=moment(ENDED_MS),
    )


def test_summaries(mirror: Mirror) -> None:
    """One value is a point; of several the extremes are too. What is not told has none."""
    put_component(
        mirror.account,
        "loose",
        Metrics=[
            summary("once", 1, Last=0.5, Min=0.5, Max=0.5, Avg=0.5, StdDev=0.0),
            summary("often", 4, Last=0.5, Min=0.25, Max=1.0, Avg=0.75, StdDev=0.125),
            summary("part", 3, Last=0.5, Max=1.0),
            summary("nothing", 0),
        ],
    )
    sync(mirror)
    at = {
        "once": 0.5,
        "often": 0.5,
        "often/min": 0.25,
        "often/max": 1.0,
        "often/avg": 0.75,
        "often/stddev": 0.125,
        "part": 0.5,
        "part/max": 1.0,
    }
    assert loose(mirror) == {key: [(LAST_MS, 0, value)] for key, value in at.items()}
    assert run(mirror, f"{COMPONENT}/loose").data.tags["smwatch.metric_source"] == "final"
    assert parent(mirror, f"{COMPONENT}/loose") is None
    assert home(mirror, f"{COMPONENT}/loose") == "sagemaker/trial-components"
    assert settled(mirror) == {}
    verified(mirror)


def test_series(mirror: Mirror) -> None:
    """Where there is one it is taken, step by step while the component runs, and nothing twice."""
    put_component(mirror.account, "loose", status="InProgress")
    metrics = mirror.account.lineage
    metrics.put_metric_series("loose", "loss", series(3))
    sync(mirror)
    assert loose(mirror) == {"loss": points(3)}
    assert set(settled(mirror)) == {BATCH}
    metrics.put_metric_series("loose", "loss", series(2, first=3))
    sync(mirror)
    assert loose(mirror) == {"loss": points(5)}
    metrics.put_metric_series("loose", "loss", series(1, first=5))
    end(mirror)
    sync(mirror)
    assert loose(mirror) == {"loss": points(6)}
    assert state(mirror, f"{COMPONENT}/loose") == ("FINISHED", ENDED_MS, True)
    assert settled(mirror) == {}
    verified(mirror)


def test_a_series_beside_a_summary(mirror: Mirror) -> None:
    """Each metric has the one or the other."""
    put_component(mirror.account, "loose", Metrics=[summary("acc", 2, Last=0.5, Min=0.25)])
    mirror.account.lineage.put_metric_series("loose", "loss", series(3))
    end(mirror)
    sync(mirror)
    assert loose(mirror) == {
        "loss": points(3),
        "acc": [(LAST_MS, 0, 0.5)],
        "acc/min": [(LAST_MS, 0, 0.25)],
    }
    assert settled(mirror) == {}
    verified(mirror)


def test_series_are_denied(mirror: Mirror) -> None:
    """Summaries stand for them; that is said once, however many components there are."""
    for number in range(30):
        put_component(mirror.account, f"c-{number}", Metrics=[summary("acc", 1, Last=0.5)])
    mirror.account.faults.deny(BATCH)
    report = sync(mirror)
    assert report.failed == []
    assert mirror.warnings(report).count("sagemaker:BatchGetMetrics is denied") == 1
    assert mirror.account.calls[BATCH] == 2
    for number in (0, 29):
        assert mirror.points(run(mirror, f"{COMPONENT}/c-{number}")) == {"acc": [(LAST_MS, 0, 0.5)]}
    assert settled(mirror) == {}


@pytest.mark.slow
def test_series_that_cannot_be_read_now(mirror: Mirror) -> None:
    """A component of which AWS fails to tell the series waits: its summary is no stand-in."""
    summaries = [summary("loss", 3, Last=0.25, Min=0.0, Max=0.25, Avg=0.1, StdDev=0.1)]
    put_component(mirror.account, "loose", Metrics=summaries)
    mirror.account.lineage.put_metric_series("loose", "loss", series(3))
    mirror.account.faults.fail(BATCH, times=None)
    report = sync(mirror)
    assert [each.arn.rpartition("/")[2] for each in report.failed] == ["loose"]
    assert loose(mirror) == {}
    mirror.account.faults.clear()
    assert sync(mirror).failed == []
    assert loose(mirror) == {"loss": points(3)}


def test_inputs_and_outputs(mirror: Mirror) -> None:
    """What lies in S3 is an input of the run; all of it is lineage."""
    put_component(
        mirror.account,
        "loose",
        InputArtifacts={
            "table": {"Value": "s3://data/table.csv", "MediaType": "text/csv"},
            "image": {"Value": kinds.IMAGE},
            "page": {"Value": "https://example.com/"},
        },
        OutputArtifacts={"report": {"Value": "s3://out/report.html"}},
    )
    sync(mirror)
    one = run(mirror, f"{COMPONENT}/loose")
    inputs = {each.name: json.loads(each.source)["uri"] for each in datasets(one)}
    assert inputs == {"table": "s3://data/table.csv"}
    edges = {(each.source, each.target) for each in from_tags(one.data.tags).edges}
    arn = kinds.kind_arn(f"{COMPONENT}/loose")
    assert edges == {
        ("s3://data/table.csv", arn),
        (kinds.IMAGE, arn),
        (arn, "s3://out/report.html"),
    }
    assert settled(mirror) == {}


def test_odd_components(mirror: Mirror) -> None:
    """No name and no number of parameters stops it; a missing status is complete."""
    parameters: dict[str, Any] = {
        f"p-{number:03}": {"NumberValue": number / 4} for number in range(296)
    }
    parameters |= {
        "größe/x": {"StringValue": "ß" * 2500},
        "../up": {"StringValue": ""},
        "a b:c(d)": {"StringValue": "1"},
        "a b:c[d]": {"StringValue": "2"},
    }
    put_component(
        mirror.account,
        "loose",
        status=None,
        DisplayName="日本/run ✓",
        Parameters=parameters,
        Metrics=[summary("größe/x%", 1, Last=0.5), summary("größe/x_", 1, Last=0.25)],
    )
    report = sync(mirror)
    assert report.failed == []
    one = run(mirror, f"{COMPONENT}/loose")
    assert one.info.run_name == "日本/run ✓"
    assert one.data.tags["sagemaker.name"] == "loose"
    assert state(mirror, f"{COMPONENT}/loose") == ("FINISHED", ENDED_MS, True)
    assert len(one.data.params) == 300
    assert one.data.params["p-001"] == "0.25"
    assert set(one.data.params.values()) >= {"ß" * 2500, "", "1", "2"}
    assert len(mirror.points(one)) == 2
    assert settled(mirror) == {}
    verified(mirror)


@pytest.mark.parametrize("kind", ["trial-component", "training-job"])
def test_one_kind_alone(mirror: Mirror, kind: str) -> None:
    """No run of a trial is made."""
    put_trials(mirror.account, "trial")
    put_component(mirror.account, "loose", "trial")
    report = sync(mirror, kinds=(kind,))
    assert [line.name for line in report.runs] == (["loose"] if kind == "trial-component" else [])
    settled(mirror, kinds=(kind,))


def test_a_component_by_name(mirror: Mirror) -> None:
    """By name or ARN, with its trial's run above it."""
    put_trials(mirror.account, "trial")
    for name in ("loose", "other"):
        put_component(mirror.account, name, "trial")
    sync(mirror, "loose")
    assert parent(mirror, f"{COMPONENT}/loose") == "experiment-trial/trial"
    sync(mirror, kinds.kind_arn(f"{COMPONENT}/other"))
    assert parent(mirror, f"{COMPONENT}/other") == "experiment-trial/trial"
    assert settled(mirror) == {}


def test_artifacts_are_linked(mirror: Mirror) -> None:
    """The model is a model as a job's is; the first of the other outputs is linked as it stands."""
    outputs = {
        "SageMaker.ModelArtifact": {"Value": "s3://models/loose/model.tar.gz"},
        "b": {"Value": "s3://data/b.csv"},
        "a": {"Value": "s3://data/a.csv"},
        "0-text": {"Value": "no place"},
    }
    put_component(mirror.account, "loose", OutputArtifacts=outputs)
    sync(mirror)
    one = run(mirror, f"{COMPONENT}/loose")
    assert one.data.tags["sagemaker.model_artifact"] == "s3://models/loose/model.tar.gz"
    assert one.data.tags["sagemaker.output"] == "s3://data/a.csv"
    assert len(models(one)) == 1
    settled(mirror)
