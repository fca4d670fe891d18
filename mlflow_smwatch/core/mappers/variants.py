"""Variants and inference components of an endpoint: AWS's answers → values and facts.

The answers are those of ``DescribeEndpoint`` and, under keys of their own, of
``DescribeEndpointConfig``, ``DescribeModel`` and ``DescribeInferenceComponent``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from mlflow_smwatch.core.mappers.answers import Answer, number, part, parts, present, text, whole
from mlflow_smwatch.core.mappers.materials import containers
from mlflow_smwatch.core.variants import Component, Variant

PRODUCTION, SHADOW = "ProductionVariants", "ShadowProductionVariants"
_SERVERLESS = ("MemorySizeInMB", "MaxConcurrency", "ProvisionedConcurrency")


def variants(answer: Answer) -> tuple[Variant, ...]:
    """Read the variants of an endpoint's configuration, as they are now.

    Parameters
    ----------
    answer
        On an endpoint; see :mod:`.endpoint`.

    Returns
    -------
    tuple of Variant
        Production variants, then shadow variants; empty where the configuration is not known.
    """
    named = {text(model, "ModelName"): _container_names(model) for model in parts(answer, "Models")}
    components = parts(answer, "InferenceComponents")
    return tuple(
        _variant(
            configured,
            _running(parts(answer, key), name),
            shadow=key == SHADOW,
            containers=named.get(text(configured, "ModelName"), ()),
            components=tuple(_component(one) for one in components if _belongs(one, name)),
        )
        for key in (PRODUCTION, SHADOW)
        for configured in parts(answer, "EndpointConfig", key)
        if (name := text(configured, "VariantName"))
    )


def facts_of(variant: Variant) -> Iterator[tuple[str, str]]:
    """Give what is shown of a variant as tags: name and value.

    What is as configured is told once.
    """
    told = present(
        ("model", variant.model),
        ("instance_type", variant.instance_type),
        ("initial_instance_count", variant.initial_count),
        ("weight", variant.initial_weight),
        ("current_instance_count", _unless(variant.count, variant.initial_count)),
        ("current_weight", _unless(variant.weight, variant.initial_weight)),
        ("containers", json.dumps(variant.containers) if len(variant.containers) > 1 else None),
        ("shadow", "true" if variant.shadow else None),
    )
    for fact, value in told:
        yield f"variant.{variant.name}.{fact}", value
    for component in variant.components:
        for fact, value in _component_facts(component):
            yield f"variant.{variant.name}.component.{component.name}.{fact}", value


def _component_facts(component: Component) -> tuple[tuple[str, str], ...]:
    return present(
        ("status", component.status),
        ("model", component.model),
        ("image", component.image),
        ("based_on", component.based_on),
        ("copies", component.copies),
    )


def _unless(value: float | None, configured: float | None) -> float | None:
    return None if value == configured else value


def _variant(
    configured: Answer,
    running: Answer,
    *,
    shadow: bool,
    containers: tuple[str, ...],
    components: tuple[Component, ...],
) -> Variant:
    count, weight = whole(configured, "InitialInstanceCount"), _initial_weight(configured)
    current_count = whole(running, "CurrentInstanceCount")
    current_weight = number(running, "CurrentWeight")
    serverless = part(running, "CurrentServerlessConfig") or part(configured, "ServerlessConfig")
    return Variant(
        name=text(configured, "VariantName") or "",
        shadow=shadow,
        model=text(configured, "ModelName"),
        instance_type=text(configured, "InstanceType"),
        serverless=tuple(
            (name, value) for name in _SERVERLESS if (value := whole(serverless, name)) is not None
        ),
        initial_count=count,
        initial_weight=weight,
        count=count if current_count is None else current_count,
        weight=weight if current_weight is None else current_weight,
        containers=containers,
        components=components,
    )


def _initial_weight(configured: Answer) -> float | None:
    return number(configured, "InitialVariantWeight")


def _running(summaries: Iterable[Answer], name: str) -> Answer:
    """Find what ``DescribeEndpoint`` tells of a variant."""
    return next((one for one in summaries if text(one, "VariantName") == name), {})


def _container_names(model: Answer) -> tuple[str, ...]:
    """Name the containers of a model; without a name they are counted.

    "Inference pipeline logs and metrics": ``container-1``, ``container-2``, …
    """
    return tuple(
        text(each, "ContainerHostname") or f"container-{position}"
        for position, each in enumerate(containers(model), 1)
    )


def _belongs(component: Answer, variant: str) -> bool:
    return text(component, "VariantName") == variant and bool(_name(component))


def _name(component: Answer) -> str | None:
    return text(component, "InferenceComponentName")


def _component(answer: Answer) -> Component:
    told = specification(answer)
    copies = whole(answer, "RuntimeConfig", "CurrentCopyCount")
    if copies is None:
        copies = whole(answer, "RuntimeConfig", "DesiredCopyCount")
    return Component(
        name=_name(answer) or "",
        status=text(answer, "InferenceComponentStatus"),
        model=text(told, "ModelName"),
        image=_image(told),
        based_on=text(told, "BaseInferenceComponentName"),
        copies=copies,
    )


def specification(component: Answer) -> Answer:
    """Return what a component runs; of several, one for each instance type, the first."""
    return part(component, "Specification") or next(iter(parts(component, "Specifications")), {})


def _image(specified: Answer) -> str | None:
    image = part(specified, "Container", "DeployedImage")
    return text(image, "SpecifiedImage") or text(image, "ResolvedImage")
