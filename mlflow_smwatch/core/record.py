"""Job → the MLflow run that stands for it.

The translation of AWS words into MLflow words stands here (and, for metrics, in
:mod:`.series` and :mod:`.points`) and nowhere else. ``docs/mapping.md`` shows it as tables.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.hyperparameters import own_values, sdk_settings
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import AUTOML_JOB, ENDPOINT, PIPELINE_EXECUTION, TUNING_JOB
from mlflow_smwatch.core.keys import (
    DATASET_TAG_LIMIT,
    PARAM_VALUE_LIMIT,
    TAG_VALUE_LIMIT,
    assign_keys,
    legal_value,
)
from mlflow_smwatch.core.lineage_tags import to_tags
from mlflow_smwatch.core.links import links
from mlflow_smwatch.core.log_streams import listed
from mlflow_smwatch.core.moments import iso_utc
from mlflow_smwatch.core.note import note_of

_VERSION = 2
"""Of what a record holds: another one has runs written again that an earlier release wrote."""

_APART = (names.LINEAGE, names.PARENT, names.SOURCE_PREFIX, names.METRICS_URL)
"""Tags that follow from others, from where the parent's run is, or from what a user attaches:
another mirror of the same job may attach something else."""

_DATASET_NAME_LIMIT = 500
_RUN_NAME_LIMIT = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """One MLflow dataset input: name, S3 URI, digest and the context it is read in."""

    name: str
    uri: str
    digest: str
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """The LoggedModel of a job: its name and the S3 URI of its artifact."""

    name: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What MLflow is to show of one job, metrics apart.

    Attributes
    ----------
    arn, created
        The run's identity: the tags ``sagemaker.arn`` and ``sagemaker.created``.
    experiment
        Name of its MLflow experiment.
    status
        MLflow's word: SCHEDULED, RUNNING, FINISHED, FAILED or KILLED.
    start_ms, end_ms
        CreationTime and end; end_ms is None while the job goes on.
    tags
        Facts (``sagemaker.*``, ``mlflow.source.*``), the parent's run and the lineage; legal keys
        and values, sorted by key.
    params
        Hyperparameters and the like, legal keys and values, sorted by key.
    note
        A short Markdown summary with the links.
    name
        The job's name.
    title
        What people call it: the name of its run.
    document
        Text of ``sagemaker/job.json``.
    warnings
        What could not be translated, in words.
    """

    arn: str
    created: str
    kind: str
    name: str
    title: str
    experiment: str
    status: str
    start_ms: int
    end_ms: int | None
    tags: tuple[tuple[str, str], ...]
    params: tuple[tuple[str, str], ...]
    datasets: tuple[DatasetRecord, ...]
    model: ModelRecord | None
    note: str
    document: str
    warnings: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A digest of everything here: equal for two looks at an unchanged job.

        The document is left out: the same job described by ``Search`` and by
        ``DescribeTrainingJob`` has two documents, and LastModifiedTime stands for its changes. So
        is the lineage, which follows from what else is here, and what is attached by sources.
        """
        facts = (
            _VERSION,
            self.status,
            self.end_ms,
            [tag for tag in self.tags if not tag[0].startswith(_APART)],
            self.params,
            [dataset.digest for dataset in self.datasets],
            self.model.uri if self.model else None,
        )
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def run_record(
    job: Job, experiment: str | None = None, parent_run_id: str | None = None
) -> RunRecord:
    """Translate a job into its run.

    Parameters
    ----------
    job
        The job.
    experiment
        MLflow experiment to use instead of the one that the job belongs to.
    parent_run_id
        The run that its run is a child of.

    Returns
    -------
    RunRecord
    """
    addresses = links(job)
    status = _status(job)
    facts = {**_facts(job), **addresses, **_source(job), names.PARENT: parent_run_id}
    present = {key: value for key, value in facts.items() if value is not None}
    return RunRecord(
        arn=str(job.arn),
        created=iso_utc(job.created_ms),
        kind=job.kind.word,
        name=job.name,
        title=legal_value(job.title or job.name, _RUN_NAME_LIMIT),
        experiment=experiment or _experiment(job),
        status=status or "RUNNING",
        start_ms=job.created_ms,
        end_ms=job.ended_ms,
        tags=_legal({**present, **to_tags(job.lineage)}, TAG_VALUE_LIMIT),
        params=_legal(_params(job), PARAM_VALUE_LIMIT),
        datasets=tuple(_datasets(job)),
        model=_model(job),
        note=note_of(job, addresses),
        document=job.document,
        warnings=(*_unknown(job, status), *job.remarks),
    )


def _unknown(job: Job, status: str | None) -> tuple[str, ...]:
    return () if status else (f"unknown status {job.status!r} of the job, shown as RUNNING",)


def _status(job: Job) -> str | None:
    """Give MLflow's word for a job's status; None for one that is not known."""
    if job.kind.state_from_children:
        return "RUNNING"
    if job.status == "InProgress" and job.secondary_status in job.kind.waiting_phases:
        return "SCHEDULED"
    return dict(job.kind.run_status).get(job.status)


def _experiment(job: Job) -> str:
    """Choose the SageMaker experiment, else the one in which its parent stands, else the kind's."""
    parents = (
        (job.kinship.tuning_job, TUNING_JOB),
        (job.kinship.automl_job, AUTOML_JOB),
        (job.kinship.pipeline_execution, PIPELINE_EXECUTION),
        (job.kinship.endpoint, ENDPOINT),
    )
    kind = next((kind for parent, kind in parents if parent), job.kind)
    return job.kinship.experiment or kind.experiment


def _legal(values: Mapping[str, str], limit: int) -> tuple[tuple[str, str], ...]:
    keys = assign_keys(values)
    return tuple(sorted((keys[name], legal_value(value, limit)) for name, value in values.items()))


def _facts(job: Job) -> dict[str, str | None]:
    return {
        "sagemaker.arn": str(job.arn),
        "sagemaker.kind": job.kind.word,
        "sagemaker.name": job.name,
        "sagemaker.created": iso_utc(job.created_ms),
        "sagemaker.account": job.arn.account,
        "sagemaker.region": job.arn.region,
        "sagemaker.status": job.status or None,
        "sagemaker.secondary_status": job.secondary_status,
        "sagemaker.failure_reason": job.failure_reason,
        "sagemaker.image": job.image,
        "sagemaker.algorithm": job.algorithm,
        "sagemaker.role_arn": job.role_arn,
        "sagemaker.instance_type": job.instance_type,
        "sagemaker.instance_count": _text(job.instance_count),
        "sagemaker.billable_seconds": _text(job.billable_s),
        "sagemaker.spot": "true" if job.spot else None,
        "sagemaker.checkpoint": job.checkpoint,
        "sagemaker.tensorboard": job.tensorboard,
        "sagemaker.model_artifact": job.model_artifact,
        "sagemaker.output": job.output,
        "sagemaker.log_group": job.log_group or None,
        **_kinship(job),
        **{f"sagemaker.{name}": value for name, value in job.facts},
        **job.deployments.to_tags(),
        **{f"sagemaker.tag.{name}": value for name, value in job.tags},
        **{f"sagemaker.sdk.{name}": value for name, value in sdk_settings(job.hyperparameters)},
    }


def _kinship(job: Job) -> dict[str, str | None]:
    kinship = job.kinship
    return {
        "sagemaker.experiment": kinship.experiment,
        "sagemaker.trial": kinship.trial,
        "sagemaker.trials": listed(kinship.trials) if kinship.trials else None,
        "sagemaker.trial_component": kinship.component,
        "sagemaker.trial_component_arn": kinship.component_arn,
        "sagemaker.tuning_job": kinship.tuning_job,
        "sagemaker.automl_job": kinship.automl_job,
        "sagemaker.candidate": kinship.candidate,
        "sagemaker.pipeline_execution": kinship.pipeline_execution,
        "sagemaker.endpoint": kinship.endpoint,
    }


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _source(job: Job) -> dict[str, str | None]:
    program = dict(sdk_settings(job.hyperparameters)).get("program")
    return {
        "mlflow.source.type": "JOB",
        "mlflow.source.name": program or job.image or job.algorithm or job.name,
        "mlflow.source.git.commit": job.commit,
    }


def _params(job: Job) -> dict[str, str]:
    """Join hyperparameters and further params; of one name, the hyperparameter keeps it."""
    params = dict(own_values(job.hyperparameters))
    for name, value in job.params:
        while name in params:
            name += "\n"  # noqa: PLW2901 - no name of AWS's holds a line break
        params[name] = value
    return params


def _model(job: Job) -> ModelRecord | None:
    uri = job.model_artifact
    return ModelRecord(name=job.name, uri=legal_value(uri, PARAM_VALUE_LIMIT)) if uri else None


def _datasets(job: Job) -> Iterator[DatasetRecord]:
    for channel in job.channels:
        yield DatasetRecord(
            name=legal_value(channel.name, _DATASET_NAME_LIMIT),
            uri=channel.uri,
            digest=hashlib.sha256(channel.uri.encode("utf-8", "surrogatepass")).hexdigest()[:16],
            context=legal_value(channel.name, DATASET_TAG_LIMIT),
        )
