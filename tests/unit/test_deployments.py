"""Deployments of an endpoint: AWS's answer, and what the run's tags say of earlier ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.deployments import (
    KEPT,
    Deployment,
    Deployments,
    deployment,
    deployments,
)
from mlflow_smwatch.core.describe import job_of
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import ENDPOINT
from mlflow_smwatch.core.keys import TAG_VALUE_LIMIT, legal_key
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.variants import Component, Variant
from tests.unit.answers import ANSWERS, CREATED, CREATED_MS, MODIFIED_MS

_, ANSWER = ANSWERS["endpoint"]


def endpoint(**changes: Any) -> Job:
    """Make the endpoint of an answer with changes; None leaves a field out."""
    answer = {**ANSWER, **changes}
    return job_of(ENDPOINT, {key: value for key, value in answer.items() if value is not None})


def deployed(**changes: Any) -> dict[str, Any]:
    """Read what is deployed, by such an answer."""
    made = endpoint(**changes).deployed
    assert made is not None
    found: dict[str, Any] = json.loads(made.text)
    return found


def test_what_is_deployed() -> None:
    """Configuration, and of each variant model, weight and instances, since the last change."""
    made = endpoint().deployed
    assert made is not None
    assert made.at_ms == MODIFIED_MS
    assert json.loads(made.text) == {
        "config": "live-2",
        "variants": {
            "blue": {
                "model": "classifier",
                "weight": 0.75,
                "instance_type": "ml.m5.large",
                "instance_count": 2,
            },
            "green": {
                "model": "packaged",
                "weight": 1,
                "instance_type": "ml.c5.large",
                "instance_count": 1,
            },
        },
    }


def test_what_is_there_now_goes_before_the_configuration() -> None:
    """Weights and instances may be changed without a new one."""
    now = [
        {"VariantName": "blue", "CurrentWeight": 0.0, "CurrentInstanceCount": 5},
        {"VariantName": "green", "DesiredWeight": 7.0},
    ]
    found = deployed(ProductionVariants=now)["variants"]
    assert (found["blue"]["weight"], found["blue"]["instance_count"]) == (0, 5)
    assert (found["green"]["weight"], found["green"]["instance_count"]) == (1, 1)
    facts = dict(endpoint(ProductionVariants=now).facts)
    assert facts["variant.blue.current_weight"] == "0"
    assert facts["variant.blue.current_instance_count"] == "5"
    assert "variant.green.current_weight" not in facts


def test_serverless_and_shadow_variants() -> None:
    """They are told apart."""
    config = {
        **ANSWER["EndpointConfig"],
        "ProductionVariants": [
            {
                "VariantName": "light",
                "ModelName": "classifier",
                "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
            }
        ],
        "ShadowProductionVariants": [{"VariantName": "dark", "ModelName": "packaged"}],
    }
    found = deployed(EndpointConfig=config)["variants"]
    assert found == {
        "light": {
            "model": "classifier",
            "serverless": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
        },
        "dark": {"model": "packaged", "shadow": True},
    }
    made = endpoint(EndpointConfig=config)
    assert dict(made.facts)["variant.dark.shadow"] == "true"
    assert made.instance_type is None


@pytest.mark.parametrize(
    "status", ["Creating", "Updating", "SystemUpdating", "RollingBack", "Failed", "OutOfService"]
)
def test_only_in_service(status: str) -> None:
    """On the way from one to the next nothing is certain."""
    assert endpoint(EndpointStatus=status).deployed is None


def test_nothing_is_known_without_the_configuration() -> None:
    """It may have been denied."""
    made = endpoint(EndpointConfig=None, Models=None)
    assert (made.deployed, made.variants) == (None, ())


def component(status: str = "InService", **changes: Any) -> dict[str, Any]:
    """Make an answer on a component."""
    return {
        "InferenceComponentName": "chat",
        "InferenceComponentArn": "arn:aws:sagemaker:eu-west-1:123456789012:inference-component/c",
        "VariantName": "blue",
        "InferenceComponentStatus": status,
        "Specification": {"ModelName": "classifier"},
        "LastModifiedTime": CREATED,
        **changes,
    }


def test_components_are_waited_for() -> None:
    """Of a variant without a model they are all there is."""
    config = {**ANSWER["EndpointConfig"], "ProductionVariants": [{"VariantName": "blue"}]}
    assert endpoint(EndpointConfig=config).deployed is None
    creating = endpoint(EndpointConfig=config, InferenceComponents=[component("Creating")])
    assert creating.deployed is None
    ready = endpoint(EndpointConfig=config, InferenceComponents=[component()])
    assert ready.deployed is not None
    by_type = [{"ModelName": "first", "InstanceType": "ml.g5.xlarge"}, {"ModelName": "second"}]
    several = endpoint(
        EndpointConfig=config,
        InferenceComponents=[component(Specification=None, Specifications=by_type)],
    )
    assert several.variants[0].components[0].model == "first"


def test_many_components_are_counted() -> None:
    """A tag is never cut."""
    many = tuple(Component(name=f"component-{number:04}", copies=1) for number in range(500))
    text = deployment(0, "config", [Variant(name="blue", components=many)]).text
    assert json.loads(text) == {"config": "config", "variants": {"blue": {"components": 500}}}
    few = deployment(0, "config", [Variant(name="blue", components=many[:2])]).text
    assert len(json.loads(few)["variants"]["blue"]["components"]) == 2
    assert max(len(text), len(few)) <= TAG_VALUE_LIMIT


def at(minute: int, text: str = "{}") -> Deployment:
    """Make a deployment."""
    return Deployment(at_ms=CREATED_MS + 60_000 * minute, text=text)


@pytest.mark.parametrize(
    ("present", "known"),
    [
        (None, [0, 1]),
        (at(1, "b"), [0, 1]),
        (at(2, "b"), [0, 1]),  # as it was
        (at(2, "a"), [0, 1, 2]),
        (at(1, "c"), [0, 1]),  # no later than what is known
        (at(0, "c"), [0, 1]),  # an answer that lags behind
    ],
)
def test_next_to_what_the_run_says(present: Deployment | None, known: list[int]) -> None:
    """A later one that is another."""
    tags = Deployments(known=(at(0, "a"), at(1, "b"))).to_tags()
    found = deployments(present, tags)
    assert [(each.at_ms - CREATED_MS) // 60_000 for each in found.known] == known
    assert found.to_tags().get("sagemaker.deployments") == str(len(known))


@pytest.mark.parametrize(
    "tags",
    [
        {"sagemaker.deployment.yesterday": "{}"},
        {"sagemaker.deployment.2026-99-99T00:00:00.000Z": "{}"},
        {"sagemaker.deployments": "many"},
        {"sagemaker.deployments": "-5"},
    ],
)
def test_odd_tags(tags: dict[str, str]) -> None:
    """What somebody wrote in their place is none."""
    assert deployments(None, tags) == Deployments()
    assert deployments(at(0), tags).count == 1


@given(st.lists(st.sampled_from("abc"), max_size=3 * KEPT))
def test_pass_after_pass(texts: list[str]) -> None:
    """Each change is counted once, the latest are kept, and a pass more changes nothing."""
    tags: dict[str, str] = {}
    changes = [text for n, text in enumerate(texts) if n == 0 or texts[n - 1] != text]
    for minute, text in enumerate(texts):
        tags = deployments(at(minute, text), tags).to_tags()
        assert deployments(at(minute, text), tags).to_tags() == tags
    found = deployments(None, tags)
    assert found.count == len(changes)
    assert [each.text for each in found.known] == changes[-KEPT:]
    assert [number for number, _ in found.numbered()] == list(
        range(found.count - len(found.known) + 1, found.count + 1)
    )


def test_keys_are_legal() -> None:
    """MLflow takes them as they are."""
    (key, _) = Deployments(known=(at(0),)).to_tags()
    assert key == legal_key(key) == f"sagemaker.deployment.{iso_utc(CREATED_MS)}"
