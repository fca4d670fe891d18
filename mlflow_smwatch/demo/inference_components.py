"""CreateInferenceComponent: what Describe has of a request."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.resource_operations import ResourceOperations
from mlflow_smwatch.demo.resource_store import ResourceStore
from mlflow_smwatch.demo.validation import Answer, Parameters


class InferenceComponents:
    """The operations of one account and Region that need more than the component.

    Parameters
    ----------
    endpoints
        Where the components run.
    operations
        The operations on components that are like those of other kinds.
    """

    def __init__(self, endpoints: ResourceStore, operations: ResourceOperations) -> None:
        self._endpoints = endpoints
        self._create = operations.created
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "CreateInferenceComponent": self.create_component,
        }

    def create_component(self, parameters: Parameters) -> Answer:
        """Answer ``CreateInferenceComponent``: it is Creating until it is moved on."""
        endpoint = self._endpoints.existing(parameters["EndpointName"])
        count = parameters.get("RuntimeConfig", {}).get("CopyCount", 1)
        beside = {key: value for key, value in parameters.items() if key != "RuntimeConfig"}
        component = self._create(
            beside,
            EndpointArn=endpoint.arn,
            Specification=_summary(parameters.get("Specification", {})),
            RuntimeConfig={"DesiredCopyCount": count, "CurrentCopyCount": count},
        )
        return {"InferenceComponentArn": component.arn}


def _summary(specification: Answer) -> Answer:
    """Tell of a specification what Describe tells: the image that is deployed."""
    summary = dict(specification)
    container = dict(summary.pop("Container", {}))
    image = container.pop("Image", None)
    if image:
        container["DeployedImage"] = {"SpecifiedImage": image, "ResolvedImage": image}
    return {**summary, "Container": container} if container else summary
