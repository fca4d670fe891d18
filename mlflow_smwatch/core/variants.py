"""What an endpoint is made of: its variants, their containers and their inference components."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """An inference component: a model that shares a variant's instances with others.

    Attributes
    ----------
    name, status
        As ``DescribeInferenceComponent`` gives them.
    model
        Name of its model; None where it names its container itself.
    image
        Image of that container.
    based_on
        Name of the component whose model it adapts.
    copies
        How many copies run, as far as AWS says.
    """

    name: str
    status: str | None = None
    model: str | None = None
    image: str | None = None
    based_on: str | None = None
    copies: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A variant of an endpoint: instances, and what runs on them.

    Attributes
    ----------
    name
        VariantName, of the endpoint's configuration.
    shadow
        Whether it only gets copies of what production variants are asked.
    model
        Name of its model; None where inference components tell theirs.
    instance_type
        None for a serverless one.
    serverless
        Memory (MB) and concurrency of a serverless one, by AWS's names.
    initial_count, initial_weight
        As configured.
    count, weight
        As they are now; as configured where AWS does not say.
    containers
        Names of its model's containers, in the order in which requests pass them; empty where the
        model is not known.
    components
        Its inference components.
    """

    name: str
    shadow: bool = False
    model: str | None = None
    instance_type: str | None = None
    serverless: tuple[tuple[str, int], ...] = ()
    initial_count: int | None = None
    initial_weight: float | None = None
    count: int | None = None
    weight: float | None = None
    containers: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
