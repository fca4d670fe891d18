"""Where a job belongs: its experiment, trials, and the group that started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import (
    AUTOML_JOB,
    ENDPOINT,
    PIPELINE_EXECUTION,
    TRIAL,
    TUNING_JOB,
    kind_of,
)
from mlflow_smwatch.core.log_streams import names_in

GROUP_KINDS = (TRIAL, TUNING_JOB, AUTOML_JOB, PIPELINE_EXECUTION, ENDPOINT)
"""Kinds whose runs have children; a job is a child of the first of them that it belongs to."""

GroupRef: TypeAlias = tuple[str, str]
"""Word of a group's kind, and its name; a pipeline's execution goes by its ARN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """Where a job belongs.

    Attributes
    ----------
    experiment
        Name of its SageMaker experiment.
    trial
        Name of its trial: the first of ``trials``.
    trials
        Names of all trials that it is in, by their CreationTime, then name.
    component, component_arn
        Its own trial component.
    tuning_job, automl_job
        Names.
    candidate
        Name of the AutoML candidate of which it is a step.
    pipeline_execution
        ARN.
    endpoint
        Name of the endpoint that it monitors.
    """

    experiment: str | None = None
    trial: str | None = None
    trials: tuple[str, ...] = ()
    component: str | None = None
    component_arn: str | None = None
    tuning_job: str | None = None
    automl_job: str | None = None
    candidate: str | None = None
    pipeline_execution: str | None = None
    endpoint: str | None = None

    @property
    def group(self) -> GroupRef | None:
        """What its run is a child of: the first of :data:`GROUP_KINDS`."""
        names = (
            self.trial,
            self.tuning_job,
            self.automl_job,
            self.pipeline_execution,
            self.endpoint,
        )
        groups = zip(GROUP_KINDS, names, strict=True)
        return next(((kind.word, name) for kind, name in groups if name), None)


def noted(tags: Mapping[str, str]) -> Kinship:
    """Read what a run says of where its job belongs.

    Parameters
    ----------
    tags
        Of the run.
    """
    return Kinship(
        experiment=tags.get("sagemaker.experiment"),
        trial=tags.get("sagemaker.trial"),
        trials=names_in(tags.get("sagemaker.trials")),
        component=tags.get("sagemaker.trial_component"),
        component_arn=tags.get("sagemaker.trial_component_arn"),
        tuning_job=tags.get("sagemaker.tuning_job"),
        automl_job=tags.get("sagemaker.automl_job"),
        candidate=tags.get("sagemaker.candidate"),
        pipeline_execution=_execution(tags.get("sagemaker.pipeline_execution")),
        endpoint=tags.get("sagemaker.endpoint"),
    )


def remembered(kinship: Kinship, before: Kinship, *, component_known: bool) -> Kinship:
    """Add what an earlier look told and this one cannot.

    Parameters
    ----------
    kinship
        What this look tells.
    before
        What the job's run says.
    component_known
        Whether this look tells the trial component and its trials.
    """
    kinship = replace(
        kinship,
        tuning_job=_spelled(kinship.tuning_job, before.tuning_job),
        automl_job=_spelled(kinship.automl_job, before.automl_job),
        pipeline_execution=kinship.pipeline_execution or before.pipeline_execution,
        candidate=kinship.candidate or before.candidate,
        endpoint=kinship.endpoint or before.endpoint,
    )
    if component_known or before.component is None:
        return kinship
    return replace(
        kinship,
        experiment=before.experiment,
        trial=before.trial,
        trials=before.trials,
        component=before.component,
        component_arn=before.component_arn,
    )


def spelled(kinship: Kinship, kind: str, name: str) -> Kinship:
    """Write the name of a job's group as the group's own run has it: an ARN may hold another.

    Parameters
    ----------
    kinship
        Of the job.
    kind
        Word of the group's kind.
    name
        Name of the group.
    """
    if kind == TUNING_JOB.word:
        return replace(kinship, tuning_job=name)
    if kind == AUTOML_JOB.word:
        return replace(kinship, automl_job=name)
    return kinship


def _execution(said: str | None) -> str | None:
    """Return an execution's ARN; None for what somebody has made of it."""
    try:
        arn = Arn.parse(said or "")
    except UsageError:
        return None
    return said if kind_of(arn) is PIPELINE_EXECUTION else None


def _spelled(name: str | None, before: str | None) -> str | None:
    same = name and before and name.lower() == before.lower()
    return before if same else name
