"""What of SageMaker has no run, and what to look at instead, as one table.

The first words of ARNs are those of the ``sagemaker`` service model (``ClusterArn``, ``JobArn`` and
so on).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.job_kinds import kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMirrored:
    """Something that is no run.

    Attributes
    ----------
    what
        What it is, with an article.
    instead
        What to look at, or what to do, instead.
    """

    what: str
    instead: str


_TASK_LOGS = "attach its log groups and metrics to a run with [[source]]"
_OTHERS_LINEAGE = "'smwatch lineage' shows it where jobs made or read it"
_STUDIO = "the training and processing jobs that are started there are mirrored"

_ROWS: tuple[tuple[str, str, str], ...] = (
    # service and first word of the ARN, what it is, what to look at instead
    (
        "sagemaker:cluster",
        "a HyperPod cluster, whose tasks are no SageMaker jobs",
        f"log to MLflow from the tasks themselves; {_TASK_LOGS}",
    ),
    (
        "eks:cluster",
        "an EKS cluster, whose pods are no SageMaker jobs",
        f"log to MLflow from the pods themselves; {_TASK_LOGS}",
    ),
    (
        "sagemaker:job",
        "a job of the generic ListJobs family, no training job",
        "'aws sagemaker describe-job', and the log group /aws/sagemaker/Job/<JobCategory>",
    ),
    (
        "sagemaker:training-session",
        "a training session, no training job",
        "log to MLflow from the session itself",
    ),
    (
        "sagemaker:labeling-job",
        "a labeling job, whose workers are people",
        "the training jobs that it starts are mirrored; /aws/sagemaker/LabelingJobs has its logs",
    ),
    (
        "sagemaker:compilation-job",
        "a compilation job, which has no metrics",
        "/aws/sagemaker/CompilationJobs has its logs",
    ),
    (
        "sagemaker:optimization-job",
        "an optimization job, which has no metrics",
        "the endpoint on which its model is deployed is mirrored",
    ),
    (
        "sagemaker:inference-recommendations-job",
        "an inference recommendations job, whose endpoints are taken away when it ends",
        "/aws/sagemaker/InferenceRecommendationsJobs has its logs and its metrics",
    ),
    (
        "sagemaker:ai-recommendation-job",
        "an AI recommendation job",
        "the endpoint that is made of its recommendation is mirrored",
    ),
    (
        "sagemaker:ai-benchmark-job",
        "an AI benchmark job",
        "the endpoint that it measures is mirrored",
    ),
    (
        "sagemaker:inference-experiment",
        "an inference experiment (shadow test)",
        "its endpoint is mirrored, with production and shadow variants",
    ),
    (
        "sagemaker:edge-packaging-job",
        "an edge packaging job, which has no metrics",
        "the training job that made the model is mirrored",
    ),
    (
        "sagemaker:edge-deployment",
        "a deployment to edge devices",
        "the training job that made the model is mirrored",
    ),
    (
        "sagemaker:monitoring-schedule",
        "a monitoring schedule, which itself does not run",
        "its executions are processing jobs: name one of them, or the endpoint",
    ),
    (
        "sagemaker:inference-component",
        "an inference component, a part of an endpoint",
        "name its endpoint: the component is on that run",
    ),
    (
        "sagemaker:endpoint-config",
        "the configuration of an endpoint",
        "name the endpoint: it is a deployment on that run",
    ),
    ("sagemaker:model", "a model", _OTHERS_LINEAGE),
    ("sagemaker:model-package", "a version of a model package", _OTHERS_LINEAGE),
    ("sagemaker:model-package-group", "a group of model packages", _OTHERS_LINEAGE),
    ("sagemaker:artifact", "an artifact of SageMaker's lineage", _OTHERS_LINEAGE),
    ("sagemaker:context", "a context of SageMaker's lineage", _OTHERS_LINEAGE),
    ("sagemaker:action", "an action of SageMaker's lineage", _OTHERS_LINEAGE),
    (
        "sagemaker:experiment",
        "an experiment, which becomes an experiment of MLflow",
        "name its trials, or what runs in them",
    ),
    (
        "sagemaker:pipeline",
        "a pipeline, which itself does not run",
        "name an execution: …:pipeline/<name>/execution/<id>",
    ),
    (
        "sagemaker:feature-group",
        "a feature group, which is data",
        "the processing jobs that write to it are mirrored",
    ),
    ("sagemaker:domain", "a Studio domain", _STUDIO),
    ("sagemaker:space", "a Studio space", _STUDIO),
    ("sagemaker:app", "a Studio application", _STUDIO),
    (
        "sagemaker:mlflow-tracking-server",
        "an MLflow tracking server",
        "give it as --tracking-uri, to mirror into it",
    ),
    (
        "sagemaker:mlflow-app",
        "an MLflow app",
        "give it as --tracking-uri, to mirror into it",
    ),
)

NOT_MIRRORED: Mapping[str, NotMirrored] = MappingProxyType(
    {key: NotMirrored(what=what, instead=instead) for key, what, instead in _ROWS}
)
"""Service and first word of the ARN's resource → what it is."""


def why_not(text: str) -> str | None:
    """Say in one line why an ARN has no run, and what to look at instead.

    Parameters
    ----------
    text
        What a user typed.

    Returns
    -------
    str or None
        None for a name, for what is mirrored, and for what is not in the table.
    """
    try:
        arn = Arn.parse(text)
    except UsageError:
        return None
    found = NOT_MIRRORED.get(f"{arn.service}:{arn.resource_type}")
    if found is None or kind_of(arn) is not None:
        return None
    return f"not mirrored: {arn} is {found.what}; {found.instead}"
