"""A describe or search answer of AWS → :class:`~mlflow_smwatch.core.job.Job`, for every kind.

What the answers look like is known in :mod:`.mappers` alone. The answers must be redacted already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    ENDPOINT,
    NOTEBOOK_INSTANCE,
    PIPELINE_EXECUTION,
    PROCESSING_JOB,
    TRAINING_JOB,
    TRANSFORM_JOB,
    TRIAL,
    TRIAL_COMPONENT,
    TUNING_JOB,
    JobKind,
)
from mlflow_smwatch.core.mappers.answers import Answer, document, with_log_streams
from mlflow_smwatch.core.mappers.automl import automl_job
from mlflow_smwatch.core.mappers.component import trial_component
from mlflow_smwatch.core.mappers.endpoint import endpoint
from mlflow_smwatch.core.mappers.notebook import notebook_instance
from mlflow_smwatch.core.mappers.pipeline import pipeline_execution
from mlflow_smwatch.core.mappers.processing import processing_job
from mlflow_smwatch.core.mappers.training import training_job
from mlflow_smwatch.core.mappers.transform import transform_job
from mlflow_smwatch.core.mappers.trial import trial
from mlflow_smwatch.core.mappers.tuning import tuning_job
from mlflow_smwatch.core.moments import iso_utc, to_ms

__all__ = ["document", "iso_utc", "job_of", "to_ms", "training_job", "with_log_streams"]

_MAPPERS: Mapping[str, Callable[[Answer], Job]] = MappingProxyType(
    {
        TRAINING_JOB.word: training_job,
        PROCESSING_JOB.word: processing_job,
        TRANSFORM_JOB.word: transform_job,
        TUNING_JOB.word: tuning_job,
        AUTOML_JOB.word: automl_job,
        TRIAL.word: trial,
        TRIAL_COMPONENT.word: trial_component,
        ENDPOINT.word: endpoint,
        PIPELINE_EXECUTION.word: pipeline_execution,
        NOTEBOOK_INSTANCE.word: notebook_instance,
    }
)


def job_of(kind: JobKind, answer: Answer) -> Job:
    """Make a job of what AWS said of it.

    Parameters
    ----------
    kind
        Of the job.
    answer
        The redacted answer of its ``Describe*`` operation, or its record of ``Search``; datetimes
        are aware. What other operations tell stands under further keys: ``Tags``,
        ``TrialComponent`` (the component of a job, with its ``Parents`` in the order of their
        creation), ``PipelineExecutionArn``, ``TrainingJobSummaries``, ``Candidates``,
        ``PipelineExecutionSteps``, ``PipelineParameters``, ``EndpointConfig``, ``Models``,
        ``InferenceComponents``, ``Model``.

    Returns
    -------
    Job

    Raises
    ------
    JobError
        When the answer lacks what every job has: name, ARN, CreationTime, and status where its
        kind has one.
    """
    return _MAPPERS[kind.word](answer)
