"""What was deployed on an endpoint, and when, is on its run, once and for good."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

import mlflow_smwatch
from mlflow_smwatch.core.deployments import KEPT, Deployment, Deployments
from mlflow_smwatch.core.moments import iso_utc
from tests import kinds
from tests.jobs import MINUTE_MS, moment
from tests.sync.conftest import Mirror
from tests.sync.every_kind import CREATED_MS, run

ENDPOINT = "endpoint/live"
KEY = "sagemaker/deployment"
ENDPOINTS = ("endpoint",)
LIST_COMPONENTS = "sagemaker:ListInferenceComponents"


def put_config(mirror: Mirror, name: str, **variants: str) -> None:
    """Put a configuration, and the models that its variants name."""
    for model in variants.values():
        mirror.account.put_model(kinds.model(model, created_ms=CREATED_MS))
    config = kinds.endpoint_config(name, created_ms=CREATED_MS, variants=variants)
    mirror.account.put_endpoint_config(config)


def put_endpoint(mirror: Mirror, **changes: Any) -> None:
    """Put an endpoint of one variant into service."""
    put_config(mirror, "config-1", blue="model-1")
    answer = kinds.endpoint(
        "live", created_ms=CREATED_MS, config="config-1", variants=("blue",), **changes
    )
    mirror.account.put_job("endpoint", answer)


def move(mirror: Mirror, minute: int, status: str = "InService", **changes: Any) -> None:
    """Change the endpoint, some minutes after it was made."""
    mirror.account.update_job(
        "endpoint",
        "live",
        EndpointStatus=status,
        LastModifiedTime=moment(CREATED_MS + minute * MINUTE_MS),
        **changes,
    )


def weighted(weight: float, count: int = 1) -> list[dict[str, Any]]:
    """Say how the variant is at this moment."""
    return [{"VariantName": "blue", "CurrentWeight": weight, "CurrentInstanceCount": count}]


def deployments(mirror: Mirror) -> dict[int, Any]:
    """Give what the run's tags say, by the minute since when it is in service."""
    prefix = "sagemaker.deployment."
    tags = run(mirror, ENDPOINT).data.tags
    minutes = {iso_utc(CREATED_MS + minute * MINUTE_MS): minute for minute in range(600)}
    return {
        minutes[key.removeprefix(prefix)]: json.loads(value)
        for key, value in sorted(tags.items())
        if key.startswith(prefix)
    }


def stairs(mirror: Mirror) -> list[tuple[int, int, float]]:
    """Give minute, step and number of each point."""
    points = mirror.points(run(mirror, ENDPOINT)).get(KEY, [])
    return [((at - CREATED_MS) // MINUTE_MS, step, value) for at, step, value in points]


def sync(mirror: Mirror) -> Any:
    """Run a pass over endpoints."""
    report = mirror.sync(kinds=ENDPOINTS)
    assert (report.failed, mirror.warnings(report)) == ([], "")
    return report


def test_from_update_to_update(mirror: Mirror) -> None:
    """A new configuration and new weights are deployments; states on the way are none."""
    put_endpoint(mirror, status="Creating")
    sync(mirror)
    assert (deployments(mirror), stairs(mirror)) == ({}, [])

    move(mirror, 4)
    sync(mirror)
    first: dict[str, Any] = {
        "config": "config-1",
        "variants": {
            "blue": {
                "model": "model-1",
                "weight": 1,
                "instance_type": "ml.m5.large",
                "instance_count": 1,
            }
        },
    }
    assert deployments(mirror) == {4: first}

    put_config(mirror, "config-2", blue="model-2")
    move(mirror, 10, "Updating", EndpointConfigName="config-2")
    sync(mirror)
    assert deployments(mirror) == {4: first}
    move(mirror, 12)
    sync(mirror)
    assert deployments(mirror)[12]["variants"]["blue"]["model"] == "model-2"

    move(mirror, 20, ProductionVariants=weighted(0.25))
    sync(mirror)
    found = deployments(mirror)
    assert found[20] == {
        "config": "config-2",
        "variants": {"blue": {**first["variants"]["blue"], "model": "model-2", "weight": 0.25}},
    }
    tags = run(mirror, ENDPOINT).data.tags
    assert tags["sagemaker.deployments"] == "3"
    assert tags["sagemaker.variant.blue.weight"] == "1"
    assert tags["sagemaker.variant.blue.current_weight"] == "0.25"

    move(mirror, 30)  # as it was: a rollback, maintenance
    sync(mirror)
    assert list(deployments(mirror)) == [4, 12, 20]
    assert stairs(mirror) == [(4, 240, 1.0), (12, 720, 2.0), (20, 1200, 3.0)]


def test_a_further_pass_adds_nothing(mirror: Mirror) -> None:
    """Nor does one by another mirror, at the same time or later, or one by name."""
    put_endpoint(mirror)
    sync(mirror)
    before = mirror.dump()
    assert sync(mirror).jobs["updated"] == 0
    assert mirror.dump() == before
    mirror.sync("live", kinds=ENDPOINTS)
    assert (list(deployments(mirror)), stairs(mirror)) == ([0], [(0, 0, 1.0)])

    move(mirror, 7, ProductionVariants=weighted(0.5))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: mirror.sync(kinds=ENDPOINTS), range(2)))
    sync(mirror)
    assert list(deployments(mirror)) == [0, 7]
    assert stairs(mirror) == [(0, 0, 1.0), (7, 420, 2.0)]


def test_without_transactions(mirror: Mirror) -> None:
    """Where tags and points are written one after the other the numbers are the same."""
    mirror.refuse_units()
    put_endpoint(mirror)
    sync(mirror)
    move(mirror, 5, ProductionVariants=weighted(0.5))
    sync(mirror)
    sync(mirror)
    assert stairs(mirror) == [(0, 0, 1.0), (5, 300, 2.0)]


def test_only_the_latest_are_tags(mirror: Mirror) -> None:
    """Each is numbered on; what came while metrics were off is in the metric once they are on."""
    put_endpoint(mirror)
    mirror.sync(kinds=ENDPOINTS, metrics="off")
    one = run(mirror, ENDPOINT)
    tags = Deployments(
        known=tuple(
            Deployment(at_ms=CREATED_MS + minute * MINUTE_MS, text=f'{{"config": "c-{minute}"}}')
            for minute in range(1, KEPT)
        )
    ).to_tags()
    for key, value in {**tags, "sagemaker.deployments": str(KEPT)}.items():
        mirror.client.set_tag(one.info.run_id, key, value)
    assert stairs(mirror) == []
    move(mirror, KEPT, ProductionVariants=weighted(0.5))
    sync(mirror)
    assert list(deployments(mirror)) == list(range(1, KEPT + 1))
    assert run(mirror, ENDPOINT).data.tags["sagemaker.deployments"] == str(KEPT + 1)
    expected = [(minute, 60 * minute, minute + 1.0) for minute in range(1, KEPT + 1)]
    assert stairs(mirror) == expected
    move(mirror, KEPT + 1, ProductionVariants=weighted(0.75))
    sync(mirror)
    assert stairs(mirror)[:-1] == expected
    assert stairs(mirror)[-1] == (KEPT + 1, 60 * (KEPT + 1), KEPT + 2.0)


def test_what_cannot_be_read_is_no_deployment(mirror: Mirror) -> None:
    """A denied part is not taken for a change; what was written stays."""
    put_endpoint(mirror)
    sync(mirror)
    mirror.account.faults.deny("sagemaker:DescribeEndpointConfig")
    move(mirror, 9, ProductionVariants=weighted(0.5))
    mirror.sync(kinds=ENDPOINTS)
    assert list(deployments(mirror)) == [0]
    mirror.account.faults.clear()
    sync(mirror)
    assert list(deployments(mirror)) == [0, 9]


def test_through_the_operations(mirror: Mirror) -> None:
    """UpdateEndpointWeightsAndCapacities changes what is there now, not the configuration."""
    put_endpoint(mirror)
    sync(mirror)
    wanted = [{"VariantName": "blue", "DesiredWeight": 0.75, "DesiredInstanceCount": 3}]
    boto3.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName="live", DesiredWeightsAndCapacities=wanted
    )
    move(mirror, 6)
    sync(mirror)
    changed = deployments(mirror)[6]["variants"]["blue"]
    assert (changed["weight"], changed["instance_count"]) == (0.75, 3)


def put_components(mirror: Mirror, *names: str, **changes: Any) -> None:
    """Put inference components of a model each onto the endpoint."""
    for name in names:
        mirror.account.put_model(kinds.model(f"{name}-model", created_ms=CREATED_MS))
        answer = kinds.inference_component(
            name,
            created_ms=CREATED_MS,
            endpoint_name="live",
            variant="blue",
            ModelName=f"{name}-model",
            **changes,
        )
        mirror.account.put_job("inference-component", answer)


def test_inference_components(mirror: Mirror) -> None:
    """They are facts of their variant, parts of the deployment, and lead from model to endpoint."""
    config = kinds.endpoint_config("config-1", created_ms=CREATED_MS)
    variant = {
        "VariantName": "blue",
        "InstanceType": "ml.g5.xlarge",
        "InitialInstanceCount": 1,
    }
    mirror.account.put_endpoint_config({**config, "ProductionVariants": [variant]})
    mirror.account.put_job(
        "endpoint",
        kinds.endpoint("live", created_ms=CREATED_MS, config="config-1", variants=("blue",)),
    )
    put_components(mirror, "chat", copies=2)
    put_components(mirror, "embed", modified_ms=CREATED_MS + 3 * MINUTE_MS)
    adapter = kinds.inference_component(
        "adapter",
        created_ms=CREATED_MS,
        endpoint_name="live",
        variant="blue",
        BaseInferenceComponentName="chat",
        Container={"ArtifactUrl": "s3://models/adapter.tar.gz"},
    )
    mirror.account.put_job("inference-component", adapter)
    other = kinds.inference_component("other", created_ms=CREATED_MS, ModelName="model")
    mirror.account.put_job("inference-component", other)
    report = sync(mirror)
    assert report.aws_calls[LIST_COMPONENTS] == 1
    assert report.aws_calls["sagemaker:DescribeInferenceComponent"] == 3
    tags = run(mirror, ENDPOINT).data.tags
    prefix = "sagemaker.variant.blue.component."
    assert {k.removeprefix(prefix): v for k, v in tags.items() if k.startswith(prefix)} == {
        "chat.status": "InService",
        "chat.model": "chat-model",
        "chat.copies": "2",
        "embed.status": "InService",
        "embed.model": "embed-model",
        "embed.copies": "1",
        "adapter.status": "InService",
        "adapter.based_on": "chat",
        "adapter.copies": "1",
    }
    assert deployments(mirror)[3]["variants"]["blue"]["components"] == {
        "adapter": {"based_on": "chat", "copies": 1},
        "chat": {"model": "chat-model", "copies": 2},
        "embed": {"model": "embed-model", "copies": 1},
    }
    above = mlflow_ids(mirror)
    assert {
        kinds.kind_arn("inference-component/chat"),
        kinds.kind_arn("model/chat-model"),
        kinds.kind_arn("endpoint-config/config-1"),
        "s3://models/adapter.tar.gz",
        "s3://models/out/model.tar.gz",
    } <= above
    assert kinds.kind_arn("inference-component/other") not in above


def mlflow_ids(mirror: Mirror) -> set[str]:
    """Give the ids of all that the endpoint was made of."""
    graph = mlflow_smwatch.lineage(kinds.kind_arn(ENDPOINT), tracking_uri=mirror.uri)
    return {node.id for node in graph.upstream()}


@pytest.mark.parametrize("word", ["endpoint", "denied"])
def test_components_cost_nothing_elsewhere(mirror: Mirror, word: str) -> None:
    """An endpoint whose variants name models is not asked for components."""
    if word == "denied":
        mirror.account.faults.deny(LIST_COMPONENTS)
    put_endpoint(mirror)
    report = sync(mirror)
    assert LIST_COMPONENTS not in report.aws_calls
    tags = run(mirror, ENDPOINT).data.tags
    assert tags["sagemaker.log_group"] == "/aws/sagemaker/Endpoints/live"
    assert tags["sagemaker.logs_url"].endswith("$252Faws$252Fsagemaker$252FEndpoints$252Flive")
    assert "[Log streams](" in tags["mlflow.note.content"]


def test_containers_of_a_pipeline(mirror: Mirror) -> None:
    """Their names are a fact: those that have none are counted."""
    put_endpoint(mirror)
    containers = [
        {"Image": kinds.IMAGE, "ContainerHostname": "prepare"},
        {"Image": kinds.IMAGE, "ModelDataUrl": "s3://models/second.tar.gz"},
    ]
    model = kinds.model("model-1", created_ms=CREATED_MS, PrimaryContainer=None)
    mirror.account.put_model({**model, "Containers": containers})
    sync(mirror)
    tags = run(mirror, ENDPOINT).data.tags
    assert json.loads(tags["sagemaker.variant.blue.containers"]) == ["prepare", "container-2"]
    assert "s3://models/second.tar.gz" in mlflow_ids(mirror)
