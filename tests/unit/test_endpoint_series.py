"""Which series an endpoint has, under which names, and how they are told again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.endpoint_series import (
    COMPONENTS,
    INSTANCES,
    INVOCATIONS,
    Discovered,
    EndpointMetric,
    all_series,
    described_series,
    graphed,
    remembered_series,
    series_of,
    snake_case,
    with_percentiles,
)
from mlflow_smwatch.core.series import Series, further_original, metric_of, name_of
from mlflow_smwatch.core.variants import Component, Variant

BLUE = (("EndpointName", "shop"), ("VariantName", "blue"))


def names(series: tuple[Series, ...]) -> list[str]:
    """Give what the keys of series are made of."""
    return [name_of(each.original) for each in series]


def metric(namespace: str, name: str, **dimensions: str) -> EndpointMetric:
    """Make a metric as CloudWatch lists it."""
    return EndpointMetric(namespace, name, tuple(sorted(dimensions.items())))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Invocations", "invocations"),
        ("InvocationsPerInstance", "invocations_per_instance"),
        ("Invocation4XXErrors", "invocation_4xx_errors"),
        ("Invocation5XXErrors", "invocation_5xx_errors"),
        ("ModelLatency", "model_latency"),
        ("GPUMemoryUtilizationNormalized", "gpu_memory_utilization_normalized"),
        ("CPUReservation", "cpu_reservation"),
        ("a metric: of its own", "a metric: of its own"),
        ("already_snake", "already_snake"),
        ("", ""),
    ],
)
def test_names_of_metrics(name: str, key: str) -> None:
    """Camel case becomes snake case; what is written otherwise stays."""
    assert snake_case(name) == key


def test_a_variant() -> None:
    """The keys that are promised, their statistics, namespaces and dimensions."""
    series = described_series("shop", [Variant(name="blue")])
    assert {
        (name_of(each.original), each.namespace, each.metric_name, each.stat) for each in series
    } == {
        ("blue/invocations", INVOCATIONS, "Invocations", "Sum"),
        ("blue/invocations_per_instance", INVOCATIONS, "InvocationsPerInstance", "Sum"),
        ("blue/invocation_4xx_errors", INVOCATIONS, "Invocation4XXErrors", "Sum"),
        ("blue/invocation_5xx_errors", INVOCATIONS, "Invocation5XXErrors", "Sum"),
        ("blue/model_latency", INVOCATIONS, "ModelLatency", "Average"),
        ("blue/overhead_latency", INVOCATIONS, "OverheadLatency", "Average"),
        ("blue/container_latency", INVOCATIONS, "ContainerLatency", "Average"),
        ("system/blue/cpu_utilization_percentage", INSTANCES, "CPUUtilization", "Average"),
        ("system/blue/system_memory_usage_percentage", INSTANCES, "MemoryUtilization", "Average"),
        ("system/blue/disk_usage_percentage", INSTANCES, "DiskUtilization", "Average"),
        ("system/blue/gpu_utilization_percentage", INSTANCES, "GPUUtilization", "Average"),
        ("system/blue/gpu_memory_usage_percentage", INSTANCES, "GPUMemoryUtilization", "Average"),
    }
    assert {each.dimensions for each in series} == {BLUE}
    assert {metric_of(each.original) for each in series} == {None}


def test_several_containers() -> None:
    """Each has its latency; there is none of all."""
    series = described_series("shop", [Variant(name="blue", containers=("prepare", "container-2"))])
    latencies = {name_of(each.original): each for each in series if "container" in each.original}
    assert sorted(latencies) == [
        "blue/container-2/container_latency",
        "blue/prepare/container_latency",
    ]
    assert latencies["blue/prepare/container_latency"].dimensions == (
        ("ContainerName", "prepare"),
        *BLUE,
    )


def test_a_serverless_variant() -> None:
    """It has no instances, and of their utilisation the memory's alone."""
    series = described_series("shop", [Variant(name="blue", serverless=(("MaxConcurrency", 5),))])
    assert [each for each in names(series) if each.startswith("system/")] == [
        "system/blue/system_memory_usage_percentage"
    ]


def test_an_inference_component() -> None:
    """Its metrics name it alone; one name is one component of the account."""
    series = described_series("shop", [Variant(name="blue", components=(Component(name="llm"),))])
    own = {name_of(each.original): each for each in series if "component/" in each.original}
    assert own["component/llm/invocations_per_copy"].stat == "Sum"
    assert own["component/llm/model_latency"].namespace == INVOCATIONS
    assert own["system/component/llm/cpu_utilization_normalized"].namespace == COMPONENTS
    assert {each.dimensions for each in own.values()} == {(("InferenceComponentName", "llm"),)}


@pytest.mark.parametrize(
    ("listed", "name", "stat"),
    [
        (metric(INVOCATIONS, "ModelSetupTime", **dict(BLUE)), "blue/model_setup_time", "Average"),
        (
            metric(INVOCATIONS, "InvocationModelErrors", **dict(BLUE)),
            "blue/invocation_model_errors",
            "Sum",
        ),
        (
            metric(INVOCATIONS, "Invocations", **dict(BLUE), ContainerName="prepare"),
            "blue/prepare/invocations",
            "Sum",
        ),
        (
            metric(INVOCATIONS, "ApproximateBacklogSize", EndpointName="shop"),
            "approximate_backlog_size",
            "Average",
        ),
        (
            metric(INSTANCES, "LoadedModelCount", **dict(BLUE)),
            "system/blue/loaded_model_count",
            "Average",
        ),
        (
            metric(INSTANCES, "CPUUtilization", Host="shop/blue/i-1"),
            "system/blue/i-1/cpu_utilization_percentage",
            "Average",
        ),
        (
            metric(INSTANCES, "GPUUtilization", **dict(BLUE), InstanceId="i-1", AcceleratorId="0"),
            "system/blue/i-1/0/gpu_utilization_percentage",
            "Average",
        ),
        (
            metric(
                INVOCATIONS,
                "Invocations",
                **dict(BLUE),
                InferenceComponentName="llm",
                ContainerId="c",
            ),
            "blue/llm/c/invocations",
            "Sum",
        ),
        (metric(INVOCATIONS, "Zählung", **dict(BLUE), Odd="x y"), "blue/x y/Zählung", "Average"),
    ],
)
def test_what_is_listed(listed: EndpointMetric, name: str, stat: str) -> None:
    """Other metrics are named in the same manner, from the large to the small."""
    series = series_of("shop", listed)
    assert (name_of(series.original), series.stat) == (name, stat)
    assert (series.namespace, series.metric_name, series.dimensions) == (
        listed.namespace,
        listed.name,
        listed.dimensions,
    )
    assert remembered_series("shop", series.original) == series


texts = st.text(
    st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=9
)


@given(
    st.builds(
        EndpointMetric,
        st.sampled_from([INVOCATIONS, INSTANCES, COMPONENTS]),
        st.sampled_from(["Invocations", "ModelLatency", "CPUUtilization", "x/y"]) | texts,
        st.dictionaries(
            st.sampled_from(["EndpointName", "VariantName", "ContainerName", "Host", "Other"]),
            st.sampled_from(["shop", "system", "component", "shop/blue/i-1"]) | texts,
        ).map(lambda each: tuple(sorted(each.items()))),
    ),
    st.none() | st.just("p99.9"),
)
def test_every_series_is_told_again(listed: EndpointMetric, stat: str | None) -> None:
    """Whatever the names, a watermark is enough, and different series have different originals."""
    series = series_of("shop", listed, stat)
    assert remembered_series("shop", series.original) == series


@pytest.mark.parametrize(
    "original",
    [
        "loss",
        "system/algo-1/cpu_utilization_percentage",
        further_original("shop/model_latency"),
        further_original("blue/nothing", "@"),
        further_original("blue/x/invocations", "@"),
        further_original("blue/x", "[1]"),
        further_original("blue/x", "no JSON"),
        further_original("blue/x", '["a", "b", [1], "Sum"]'),
        "loss\nalgo-2",
    ],
)
def test_what_is_no_series_of_an_endpoint(original: str) -> None:
    """Series of others, and what somebody wrote into the tag, are none."""
    assert remembered_series("shop", original) is None


def test_percentiles() -> None:
    """Of each latency, one more for each; twice gives the same."""
    described = described_series("shop", [Variant(name="blue")])
    source = Series(original="\nmine", namespace=INVOCATIONS, metric_name="XLatency", dimensions=())
    once = with_percentiles((*described, source), ("p50", "p99.9"))
    assert sorted(set(names(once)) - set(names(described))) == [
        "blue/container_latency/p50",
        "blue/container_latency/p99.9",
        "blue/model_latency/p50",
        "blue/model_latency/p99.9",
        "blue/overhead_latency/p50",
        "blue/overhead_latency/p99.9",
        "mine",
    ]
    assert {each.stat for each in once if each.original.endswith("p99.9\n@")} == {"p99.9"}
    assert with_percentiles(once, ("p50", "p99.9")) == once


HOST = series_of("shop", metric(INSTANCES, "CPUUtilization", Host="shop/blue/i-1"))
GREEN = series_of(
    "shop", metric(INVOCATIONS, "Invocations", EndpointName="shop", VariantName="green")
)
SETUP = series_of("shop", metric(INVOCATIONS, "ModelSetupTime", **dict(BLUE)))
PAST = tuple(each.original for each in (HOST, GREEN, SETUP))


@pytest.mark.parametrize(
    ("quiet", "left"), [(False, {HOST, GREEN, SETUP}), (True, {SETUP})], ids=["unsure", "quiet"]
)
def test_what_is_gone_is_asked_for_no_longer(quiet: bool, left: set[Series]) -> None:
    """Instances and variants that were, once it is sure that nothing of theirs is unread."""
    described = described_series("shop", [Variant(name="blue")])
    discovered = Discovered(remembered=("loss", *PAST), present=frozenset({"blue"}), quiet=quiet)
    assert set(all_series("shop", described, discovered)) - set(described) == left


def test_what_is_listed_is_there() -> None:
    """Whether or not it is remembered; what is described comes first, and each comes once."""
    described = described_series("shop", [Variant(name="blue")])
    host = EndpointMetric(HOST.namespace, HOST.metric_name, HOST.dimensions)
    known = EndpointMetric(INVOCATIONS, "Invocations", BLUE)
    discovered = Discovered(listed=(host, known), remembered=PAST, quiet=True)
    found = all_series("shop", described, discovered)
    assert found[: len(described)] == described
    assert found[len(described) :] == (HOST,)
    assert graphed(found) == described
