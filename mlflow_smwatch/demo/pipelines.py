"""Pipelines' executions and their steps."""

from __future__ import annotations

from collections.abc import Callable

from mlflow_smwatch.demo.faults import Faults
from mlflow_smwatch.demo.job_store import to_wire
from mlflow_smwatch.demo.list_operation import ListOperation
from mlflow_smwatch.demo.resource_kinds import EXECUTION
from mlflow_smwatch.demo.resource_operations import ResourceOperations
from mlflow_smwatch.demo.resource_store import Resource, ResourceStore
from mlflow_smwatch.demo.validation import Answer, Parameters


class Pipelines:
    """The operations of one account and Region that need more than the pipeline.

    Parameters
    ----------
    pipelines, executions
        Where they are.
    operations
        The operations on executions that are like those of other kinds.
    faults
        May shorten pages.
    """

    def __init__(
        self,
        pipelines: ResourceStore,
        executions: ResourceStore,
        operations: ResourceOperations,
        faults: Faults,
    ) -> None:
        self._pipelines = pipelines
        self._executions = executions
        self._list = operations.listing.answer
        self._steps = ListOperation(
            "ListPipelineExecutionSteps",
            faults,
            fields={"CreationTime": ("StartTime",)},
            sort_order="Descending",  # as AWS's answers are; the documentation names no default
            of=frozenset({"PipelineExecutionArn"}),
        )
        self.operations: dict[str, Callable[[Parameters], Answer]] = {
            "ListPipelineExecutions": self.list_executions,
            "ListPipelineExecutionSteps": self.list_steps,
            "ListPipelineParametersForExecution": self.list_parameters,
        }

    def list_executions(self, parameters: Parameters) -> Answer:
        """Answer ``ListPipelineExecutions``: those of one pipeline."""
        pipeline = self._pipelines.existing(parameters["PipelineName"])
        prefix = f"{pipeline.arn}{EXECUTION}"
        own = (one.summary() for one in self._executions if one.arn.startswith(prefix))
        return self._list(own, parameters)

    def list_steps(self, parameters: Parameters) -> Answer:
        """Answer ``ListPipelineExecutionSteps``."""
        execution = self._executions.existing(parameters["PipelineExecutionArn"])
        return self._steps.answer(to_wire(execution.parts), parameters)

    def list_parameters(self, parameters: Parameters) -> Answer:
        """Answer ``ListPipelineParametersForExecution``: all on one page."""
        execution = self._executions.existing(parameters["PipelineExecutionArn"])
        return {"PipelineParameters": execution.answer.get("PipelineParameters") or []}

    def started(self, execution: Resource) -> None:
        """Note an execution with its pipeline, which is made if there is none."""
        arn = execution.arn.partition(EXECUTION)[0]
        created = execution.answer["CreationTime"]
        pipeline = self._pipelines.get(arn)
        if pipeline is None:
            name = arn.rpartition("/")[2]
            answer = {
                "PipelineName": name,
                "PipelineDisplayName": name,
                "PipelineStatus": "Active",
                "CreationTime": created,
                "LastModifiedTime": created,
                "LastRunTime": created,
            }
            self._pipelines.put(answer, {})
        elif pipeline.answer.get("LastRunTime", created) <= created:
            pipeline.update(LastRunTime=created)
