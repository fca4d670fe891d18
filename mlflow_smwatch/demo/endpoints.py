"""CreateEndpoint and UpdateEndpoint: what an endpoint has of its configuration."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.resource_operations import ResourceOperations
from mlflow_smwatch.demo.resource_store import ResourceStore
from mlflow_smwatch.demo.validation import Answer, Parameters

FROM_CONFIG = ("AsyncInferenceConfig", "ExplainerConfig")


class Endpoints:
    """The operations of one account and Region that need more than the endpoint.

    Parameters
    ----------
    endpoints, configs, models
        Where they are.
    operations
        The operations on endpoints that are like those of other kinds.
    clock
        Gives the times of what happens.
    """

    def __init__(
        self,
        endpoints: ResourceStore,
        configs: ResourceStore,
        models: ResourceStore,
        operations: ResourceOperations,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._configs = configs
        self._models = models
        self._create = operations.created
        self._clock = clock
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "CreateEndpoint": self.create_endpoint,
            "UpdateEndpoint": self.update_endpoint,
            "UpdateEndpointWeightsAndCapacities": self.update_weights,
        }

    def create_endpoint(self, parameters: Parameters) -> Answer:
        """Answer ``CreateEndpoint``: it is Creating until it is moved on."""
        fields = self._fields(parameters["EndpointConfigName"])
        return {"EndpointArn": self._create(parameters, **fields).arn}

    def update_endpoint(self, parameters: Parameters) -> Answer:
        """Answer ``UpdateEndpoint``: it is Updating, with the new configuration."""
        endpoint = self._endpoints.existing(parameters["EndpointName"])
        fields = self._fields(parameters["EndpointConfigName"])
        endpoint.update(
            EndpointConfigName=parameters["EndpointConfigName"],
            EndpointStatus="Updating",
            LastModifiedTime=self._clock.now(),
            **fields,
        )
        return {"EndpointArn": endpoint.arn}

    def update_weights(self, parameters: Parameters) -> Answer:
        """Answer ``UpdateEndpointWeightsAndCapacities``: Updating, and soon as desired."""
        endpoint = self._endpoints.existing(parameters["EndpointName"])
        wanted = {each["VariantName"]: each for each in parameters["DesiredWeightsAndCapacities"]}
        endpoint.update(
            EndpointStatus="Updating",
            LastModifiedTime=self._clock.now(),
            ProductionVariants=[
                {**each, **_moved(wanted.get(each["VariantName"], {}))}
                for each in endpoint.answer["ProductionVariants"]
            ],
        )
        return {"EndpointArn": endpoint.arn}

    def _fields(self, config_name: str) -> Answer:
        config = self._configs.existing(config_name).answer
        variants = [self._variant(variant) for variant in config["ProductionVariants"]]
        return {"ProductionVariants": variants, **{k: config.get(k) for k in FROM_CONFIG}}

    def _variant(self, variant: Answer) -> Answer:
        weight = variant.get("InitialVariantWeight", 1.0)
        summary = {
            "VariantName": variant["VariantName"],
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "CurrentInstanceCount": variant.get("InitialInstanceCount"),
            "DesiredInstanceCount": variant.get("InitialInstanceCount"),
            "DeployedImages": self._images(variant.get("ModelName")),
        }
        return {key: value for key, value in summary.items() if value is not None}

    def _images(self, model_name: str | None) -> list[Answer] | None:
        model = self._models.get(model_name) if model_name else None
        if model is None:
            return None
        containers = [model.answer.get("PrimaryContainer"), *model.answer.get("Containers", ())]
        images = [one["Image"] for one in containers if one and "Image" in one]
        return [{"SpecifiedImage": image, "ResolvedImage": image} for image in images]


def _moved(wanted: Answer) -> Answer:
    """Make a variant's weight and number of instances what is desired of it."""
    return {
        f"{when}{what}": wanted[f"Desired{what}"]
        for when in ("Current", "Desired")
        for what in ("Weight", "InstanceCount")
        if f"Desired{what}" in wanted
    }
