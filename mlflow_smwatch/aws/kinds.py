"""How AWS is asked about each kind of job: operations, parameters and names of fields, one table.

Source: the ``sagemaker`` service model (2017-07-24), the operations named below.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_smwatch.aws import operations
from mlflow_smwatch.core import job_kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCalls:
    """The operations of one kind of job.

    Attributes
    ----------
    word
        The kind.
    describe
        Operation that describes one.
    parameter
        What that operation calls the name.
    name, arn
        Fields of the name and the ARN, in descriptions and in summaries.
    longest_name
        Number of characters that a name has at most.
    listing
        Operation that lists them, oldest first, within time bounds; None where there is none.
    summaries
        Member of its answer that holds them.
    listed_whole
        Whether no time bounds are sent with it.
    """

    word: str
    describe: str
    parameter: str
    name: str
    arn: str
    longest_name: int = 63
    listing: str | None = None
    summaries: str = ""
    listed_whole: bool = False


_ROWS = (
    KindCalls(
        word=job_kinds.TRAINING_JOB.word,
        describe=operations.DESCRIBE_TRAINING_JOB,
        parameter="TrainingJobName",
        name="TrainingJobName",
        arn="TrainingJobArn",
        listing=operations.LIST_TRAINING_JOBS,
        summaries="TrainingJobSummaries",
    ),
    KindCalls(
        word=job_kinds.PROCESSING_JOB.word,
        describe=operations.DESCRIBE_PROCESSING_JOB,
        parameter="ProcessingJobName",
        name="ProcessingJobName",
        arn="ProcessingJobArn",
        listing=operations.LIST_PROCESSING_JOBS,
        summaries="ProcessingJobSummaries",
    ),
    KindCalls(
        word=job_kinds.TRANSFORM_JOB.word,
        describe=operations.DESCRIBE_TRANSFORM_JOB,
        parameter="TransformJobName",
        name="TransformJobName",
        arn="TransformJobArn",
        listing=operations.LIST_TRANSFORM_JOBS,
        summaries="TransformJobSummaries",
    ),
    KindCalls(
        word=job_kinds.TUNING_JOB.word,
        describe=operations.DESCRIBE_TUNING_JOB,
        parameter="HyperParameterTuningJobName",
        name="HyperParameterTuningJobName",
        arn="HyperParameterTuningJobArn",
        longest_name=32,
        listing=operations.LIST_TUNING_JOBS,
        summaries="HyperParameterTuningJobSummaries",
    ),
    KindCalls(
        word=job_kinds.AUTOML_JOB.word,
        describe=operations.DESCRIBE_AUTOML_JOB,
        parameter="AutoMLJobName",
        name="AutoMLJobName",
        arn="AutoMLJobArn",
        longest_name=32,
        listing=operations.LIST_AUTOML_JOBS,
        summaries="AutoMLJobSummaries",
    ),
    KindCalls(
        word=job_kinds.ENDPOINT.word,
        describe=operations.DESCRIBE_ENDPOINT,
        parameter="EndpointName",
        name="EndpointName",
        arn="EndpointArn",
        listing=operations.LIST_ENDPOINTS,
        summaries="Endpoints",
        listed_whole=True,
    ),
    KindCalls(
        word=job_kinds.NOTEBOOK_INSTANCE.word,
        describe=operations.DESCRIBE_NOTEBOOK_INSTANCE,
        parameter="NotebookInstanceName",
        name="NotebookInstanceName",
        arn="NotebookInstanceArn",
        listing=operations.LIST_NOTEBOOK_INSTANCES,
        summaries="NotebookInstances",
        listed_whole=True,
    ),
    KindCalls(
        word=job_kinds.TRIAL.word,
        describe=operations.DESCRIBE_TRIAL,
        parameter="TrialName",
        name="TrialName",
        arn="TrialArn",
        longest_name=120,
    ),
    KindCalls(
        word=job_kinds.TRIAL_COMPONENT.word,
        describe=operations.DESCRIBE_TRIAL_COMPONENT,
        parameter="TrialComponentName",
        name="TrialComponentName",
        arn="TrialComponentArn",
        longest_name=120,
    ),
    KindCalls(
        word=job_kinds.PIPELINE_EXECUTION.word,
        describe=operations.DESCRIBE_PIPELINE_EXECUTION,
        parameter="PipelineExecutionArn",
        name="PipelineExecutionDisplayName",
        arn="PipelineExecutionArn",
        longest_name=82,
    ),
)

CALLS: dict[str, KindCalls] = {row.word: row for row in _ROWS}
"""Word of a kind → its operations."""

WITH_COMPONENT = frozenset(
    {
        job_kinds.TRAINING_JOB.word,
        job_kinds.PROCESSING_JOB.word,
        job_kinds.TRANSFORM_JOB.word,
    }
)
"""Kinds for each of whose jobs SageMaker makes a trial component."""

BY_ARN = frozenset(
    {
        job_kinds.TRIAL.word,
        job_kinds.TRIAL_COMPONENT.word,
        job_kinds.PIPELINE_EXECUTION.word,
    }
)
"""Kinds that are found by their ARN where that is what was asked for."""
