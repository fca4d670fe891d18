"""CreateNotebookInstance, Start and Stop: what a notebook instance has of its request."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.clock import Clock
from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.resource_operations import ResourceOperations
from mlflow_smwatch.demo.resource_store import ResourceStore
from mlflow_smwatch.demo.validation import Answer, Parameters


class NotebookInstances:
    """The operations of one account and Region that are notebook instances' own.

    Parameters
    ----------
    region
        Name of the Region, a part of the notebook's address.
    notebooks
        Where they are.
    operations
        The operations on them that are like those of other kinds.
    clock
        Gives the times of what happens.
    """

    def __init__(
        self,
        region: str,
        notebooks: ResourceStore,
        operations: ResourceOperations,
        clock: Clock,
    ) -> None:
        self._region = region
        self._notebooks = notebooks
        self._create = operations.created
        self._clock = clock
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "CreateNotebookInstance": self.create_notebook,
            "StartNotebookInstance": lambda asked: self._move(asked, "Stopped", "Pending"),
            "StopNotebookInstance": lambda asked: self._move(asked, "InService", "Stopping"),
        }

    def create_notebook(self, parameters: Parameters) -> Answer:
        """Answer ``CreateNotebookInstance``: it is Pending until it is moved on."""
        name = parameters["NotebookInstanceName"]
        given = {
            "NotebookInstanceLifecycleConfigName": parameters.get("LifecycleConfigName"),
            "SecurityGroups": parameters.get("SecurityGroupIds"),
            "VolumeSizeInGB": parameters.get("VolumeSizeInGB", 5),
            "Url": f"{name.lower()}.notebook.{self._region}.sagemaker.aws",
        }
        fields = {key: value for key, value in given.items() if value is not None}
        return {"NotebookInstanceArn": self._create(parameters, **fields).arn}

    def _move(self, parameters: Parameters, before: str, after: str) -> Answer:
        """Bring one from a status into another, as Start and Stop do."""
        notebook = self._notebooks.existing(parameters["NotebookInstanceName"])
        if notebook.status != before:
            message = f"Status ({notebook.status}) not in ([{before}]). Unable to transition."
            refuse("ValidationException", message)
        notebook.update(NotebookInstanceStatus=after, LastModifiedTime=self._clock.now())
        return {}
