"""However long an endpoint goes on, and however many instances it has, its notes are bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.endpoint_bounds import INSTANCE_METRICS_LIMIT, bounded, pruned
from mlflow_smwatch.core.endpoint_series import (
    INSTANCES,
    INVOCATIONS,
    Discovered,
    EndpointMetric,
    all_series,
    described_series,
    series_of,
    with_percentiles,
)
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import ENDPOINT
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.progress import Measured, progress
from mlflow_smwatch.core.series import Point, Series, name_of
from mlflow_smwatch.core.steps import WrittenPoint
from mlflow_smwatch.core.variants import Variant
from mlflow_smwatch.core.watermark import Watermark, to_tags
from mlflow_smwatch.core.windows import Reading, TimeWindow
from mlflow_smwatch.tracking.publication import mirrored_keys

METRICS = ("CPUUtilization", "MemoryUtilization", "DiskUtilization", "Loaded", "Used")
START, MINUTE = 1_790_000_040_000, 60_000
DESCRIBED = described_series("shop", [Variant(name="blue")])
JOB = Job(
    kind=ENDPOINT,
    arn=Arn.parse("arn:aws:sagemaker:eu-west-1:123456789012:endpoint/shop"),
    name="shop",
    status="InService",
    created_ms=START,
    modified_ms=START,
    document="{}",
    further=DESCRIBED,
)


def of_instances(first: int, count: int) -> list[EndpointMetric]:
    """Give what is listed of instances, five metrics of each."""
    hosts = [(("Host", f"shop/blue/i-{at:017d}"),) for at in range(first, first + count)]
    return [EndpointMetric(INSTANCES, name, each) for each in hosts for name in METRICS]


def asked(listed: list[EndpointMetric], watermark: Watermark) -> tuple[Series, ...]:
    """Give the series of a pass, as those of an endpoint whose reading is up to date."""
    known = Discovered(
        listed=listed,
        remembered=tuple(watermark.points),
        present=frozenset({"blue"}),
        quiet=True,
    )
    return bounded(all_series("shop", DESCRIBED, known), known.remembered)[0]


def after_pass(series: tuple[Series, ...], watermark: Watermark) -> Watermark:
    """Give the notes after a pass that read a point of each series."""
    reading = Reading(windows=(TimeWindow(START, START + MINUTE, 60),), complete=False)
    measured = Measured(
        series={each.original: [Point(START, 1.0)] for each in series}, reading=reading
    )
    job = replace(JOB, further=series)
    return progress(job, watermark, measured, written=lambda _: ()).watermark


def test_instances_that_come_and_go() -> None:
    """A year of automatic scaling takes no more tags than its busiest two weeks."""
    watermark, sizes = Watermark(made_ms=START), []
    for fortnight in range(26):
        series = asked(of_instances(fortnight * 30, 40), watermark)
        watermark = after_pass(series, watermark)
        assert watermark.points.keys() == {each.original for each in series}
        assert watermark.keys.keys() <= watermark.points.keys()
        sizes.append(len(to_tags(watermark)))
    assert max(sizes) == sizes[0]


def test_more_instances_than_are_mirrored() -> None:
    """A hundred are, whole, and the same ones in the next pass; all else is as it is."""
    listed = of_instances(0, 300)
    series, left_out = bounded(all_series("shop", DESCRIBED, Discovered(listed=listed)), ())
    assert (len(series), left_out) == (len(DESCRIBED) + INSTANCE_METRICS_LIMIT, 1000)
    hosts = [dict(each.dimensions).get("Host") for each in series]
    assert {hosts.count(host) for host in hosts if host} == {len(METRICS)}
    later = [*of_instances(1000, 100), *listed[750:]]
    watermark = Watermark(made_ms=START, points={each.original: 1 for each in series})
    assert set(asked([*later, *listed], watermark)) == set(series)
    assert len(to_tags(after_pass(series, Watermark(made_ms=START)))) < 50


def test_percentiles_stay_with_their_metric() -> None:
    """What is chosen does not change when percentiles become known."""
    latencies = [
        EndpointMetric(
            INVOCATIONS,
            "ModelLatency",
            (("EndpointName", "shop"), ("InstanceId", f"i-{number}"), ("VariantName", "blue")),
        )
        for number in range(6)
    ]
    plain = [series_of("shop", each) for each in latencies]
    first = with_percentiles(bounded(plain, (), 4)[0], ("p50", "p90"))
    known = [each.original for each in first]
    again = {each.original: each for each in (*plain, *first)}
    assert set(bounded(again.values(), known, 4)[0]) == set(first)


def test_what_is_forgotten() -> None:
    """Series of the endpoint that are not asked for; neither those of sources nor of logs."""
    (gone,) = (series_of("shop", each) for each in of_instances(1, 1)[:1])
    others = {"\neks/pod_cpu": 3, "\napp/score\n/apps/shop:shop-1": 2, "\nalarm/busy": 1}
    mine = {DESCRIBED[0].original: 5}
    watermark = Watermark(
        made_ms=START,
        points={gone.original: 7, **others, **mine},
        keys={gone.original: name_of(gone.original), "\neks/pod_cpu": "eks/pod_cpu"},
    )
    left = pruned(JOB, watermark)
    assert left.points == {**others, **mine}
    assert left.keys == {"\neks/pod_cpu": "eks/pod_cpu"}
    assert pruned(JOB, left) is left


@pytest.mark.parametrize("forgotten", [True, False])
def test_what_comes_back(*, forgotten: bool) -> None:
    """A series that was forgotten is read from the beginning, next to what the run has of it."""
    host = series_of("shop", of_instances(1, 1)[0])
    have = [WrittenPoint(START + at * MINUTE, 1.0, at * 60) for at in range(3 * forgotten)]
    found = [Point(START + at * MINUTE, 1.0) for at in range(5)]
    measured = Measured(
        series={host.original: found},
        reading=Reading(
            windows=(TimeWindow(START + 4 * MINUTE, START + 5 * MINUTE, 60),), complete=False
        ),
    )
    job = replace(JOB, further=(*DESCRIBED, host))
    watermark = Watermark(made_ms=START, read_to_ms=START + 4 * MINUTE)
    made = progress(job, watermark, measured, written=lambda _: have)
    assert [each.step // 60 for each in made.points] == list(range(len(have), 5))
    assert made.watermark.points[host.original] == len(made.points)


def test_what_is_forgotten_is_nobody_elses() -> None:
    """Points of an instance that the notes do not name are not taken for the user's own."""
    mirrors = {"system/blue/i-1/cpu_utilization_percentage", "blue/i-1/model_latency"}
    tags = {
        "sagemaker.kind": "endpoint",
        "sagemaker.variant.blue.model": "model",
        **to_tags(Watermark(made_ms=START)),
    }
    run = KnownRun(
        run_id="1",
        experiment_id="1",
        status="RUNNING",
        start_ms=START,
        end_ms=None,
        active=True,
        tags=tags,
        metric_keys=frozenset({*mirrors, "quality/drift"}),
    )
    assert mirrored_keys(run) == mirrors
