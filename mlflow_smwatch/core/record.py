"""Job → the MLflow run that stands for it.

The translation of AWS words into MLflow words stands here (and, for metrics, in
:mod:`.series` and :mod:`.points`) and nowhere else. ``docs/mapping.md`` shows it as tables.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlflow_smwatch.core import console
from mlflow_smwatch.core.describe import iso_utc
from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.keys import (
    DATASET_TAG_LIMIT,
    PARAM_VALUE_LIMIT,
    TAG_VALUE_LIMIT,
    assign_keys,
    legal_value,
)
from mlflow_smwatch.core.series import algorithm_series, instance_series

_SDK_PREFIX = "sagemaker_"
_COMMIT_TAGS = frozenset(
    {"git_commit", "git-commit", "gitcommit", "commit_id", "commit-id", "mlflow.source.git.commit"}
)
_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")
_GRAPH_SERIES = 20
_GRAPH_URL_LIMIT = 4000  # leaves the note, which holds all links, within a tag
_RUNNING_GRAPH_MS = 24 * 60 * 60 * 1000
_DATASET_NAME_LIMIT = 500


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
        Facts (``sagemaker.*``, ``mlflow.source.*``), legal keys and values, sorted by key.
    params
        Hyperparameters, legal keys and values, sorted by key.
    note
        A short Markdown summary with the links.
    document
        Text of ``sagemaker/job.json``.
    warnings
        What could not be translated, in words.
    """

    arn: str
    created: str
    kind: str
    name: str
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
        ``DescribeTrainingJob`` has two documents, and LastModifiedTime stands for its changes.
        """
        facts = (
            self.status,
            self.end_ms,
            self.tags,
            self.params,
            [dataset.digest for dataset in self.datasets],
            self.model.uri if self.model else None,
        )
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def run_record(job: Job, experiment: str | None = None) -> RunRecord:
    """Translate a job into its run.

    Parameters
    ----------
    job
        The job.
    experiment
        MLflow experiment to use instead of the one that the job belongs to.

    Returns
    -------
    RunRecord
    """
    status = dict(job.kind.run_status).get(job.status)
    warnings = () if status else (f"unknown status {job.status!r} of the job, shown as RUNNING",)
    if job.status == "InProgress" and job.secondary_status in job.kind.waiting_phases:
        status = "SCHEDULED"
    links = _links(job)
    return RunRecord(
        arn=str(job.arn),
        created=iso_utc(job.created_ms),
        kind=job.kind.word,
        name=job.name,
        experiment=experiment or job.kinship.experiment or job.kind.experiment,
        status=status or "RUNNING",
        start_ms=job.created_ms,
        end_ms=job.ended_ms,
        tags=_legal(_facts(job, links), TAG_VALUE_LIMIT),
        params=_legal(dict(_params(job)), PARAM_VALUE_LIMIT),
        datasets=tuple(_datasets(job)),
        model=ModelRecord(name=job.name, uri=job.model_artifact) if job.model_artifact else None,
        note=legal_value(_note(job, links), TAG_VALUE_LIMIT),
        document=job.document,
        warnings=warnings,
    )


def _legal(values: Mapping[str, str], limit: int) -> tuple[tuple[str, str], ...]:
    keys = assign_keys(values)
    return tuple(sorted((keys[name], legal_value(value, limit)) for name, value in values.items()))


def _facts(job: Job, links: Mapping[str, str]) -> dict[str, str]:
    facts = {
        "sagemaker.arn": str(job.arn),
        "sagemaker.kind": job.kind.word,
        "sagemaker.name": job.name,
        "sagemaker.created": iso_utc(job.created_ms),
        "sagemaker.account": job.arn.account,
        "sagemaker.region": job.arn.region,
        "sagemaker.status": job.status,
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
        "sagemaker.experiment": job.kinship.experiment,
        "sagemaker.trial": job.kinship.trial,
        "sagemaker.tuning_job": job.kinship.tuning_job,
        "sagemaker.automl_job": job.kinship.automl_job,
        "sagemaker.model_artifact": job.model_artifact,
        "sagemaker.output": job.output,
        "sagemaker.log_group": job.kind.log_group,
        **links,
        **_source(job),
    }
    facts.update({f"sagemaker.tag.{name}": value for name, value in job.tags})
    facts.update(dict(_sdk_settings(job)))
    return {key: value for key, value in facts.items() if value is not None}


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _links(job: Job) -> dict[str, str]:
    partition, region = job.arn.partition, job.arn.region
    links = {
        "sagemaker.console_url": console.training_job_url(job.arn),
        "sagemaker.logs_url": console.log_group_url(
            partition, region, job.kind.log_group, f"{job.name}/"
        ),
        "sagemaker.metrics_url": _metrics_url(job),
    }
    if job.model_artifact:
        links["sagemaker.model_artifact_url"] = console.s3_url(
            partition, region, job.model_artifact
        )
    return {key: url for key, url in links.items() if url}


def _metrics_url(job: Job) -> str:
    """Link to a graph of the job's first series: as many as make an address of legal length."""
    series = [
        (each.namespace, each.metric_name, each.dimensions)
        for each in (*algorithm_series(job), *instance_series(job))
    ]
    end_ms = job.ended_ms or job.created_ms + _RUNNING_GRAPH_MS
    for count in range(min(len(series), _GRAPH_SERIES), -1, -1):
        url = console.metrics_url(
            job.arn.partition, job.arn.region, series[:count], job.created_ms, end_ms, 60
        )
        if len(url) <= _GRAPH_URL_LIMIT:
            return url
    return ""


def _source(job: Job) -> dict[str, str | None]:
    settings = dict(_sdk_settings(job))
    program = settings.get("sagemaker.sdk.program")
    commits = [
        value
        for name, value in job.tags
        if name.lower() in _COMMIT_TAGS and _COMMIT.fullmatch(value)
    ]
    return {
        "mlflow.source.type": "JOB",
        "mlflow.source.name": program or job.image or job.algorithm or job.name,
        "mlflow.source.git.commit": commits[0] if commits else None,
    }


def _sdk_settings(job: Job) -> Iterator[tuple[str, str]]:
    for name, value in job.hyperparameters:
        if name.startswith(_SDK_PREFIX):
            yield f"sagemaker.sdk.{name.removeprefix(_SDK_PREFIX)}", decoded(value)


def _params(job: Job) -> Iterator[tuple[str, str]]:
    for name, value in job.hyperparameters:
        if not name.startswith(_SDK_PREFIX):
            yield name, decoded(value)


def decoded(value: str) -> str:
    r"""Decode a value that is a JSON string literal (``"\"adam\""`` → ``adam``); keep others.

    The SageMaker Python SDK writes hyperparameters as JSON.
    """
    if not value.startswith('"'):
        return value
    try:
        content = json.loads(value)
    except ValueError:
        return value
    return content if isinstance(content, str) else value


def _datasets(job: Job) -> Iterator[DatasetRecord]:
    for channel in job.channels:
        yield DatasetRecord(
            name=legal_value(channel.name, _DATASET_NAME_LIMIT),
            uri=channel.uri,
            digest=hashlib.sha256(channel.uri.encode("utf-8", "surrogatepass")).hexdigest()[:16],
            context=legal_value(channel.name, DATASET_TAG_LIMIT),
        )


def _note(job: Job, links: Mapping[str, str]) -> str:
    shown = [
        ("Job in the SageMaker console", links.get("sagemaker.console_url")),
        ("Log streams", links.get("sagemaker.logs_url")),
        ("CloudWatch metrics", links.get("sagemaker.metrics_url")),
        ("Model artifact", links.get("sagemaker.model_artifact_url")),
    ]
    if not job.model_artifact:
        shown.append(("Output folder", _output_url(job)))
    hosts = f"{job.instance_count or 1} × {job.instance_type or 'serverless'}"
    kind = job.kind.word.replace("-", " ")
    place = f"on {_escaped(hosts)} in {_escaped(job.arn.region)}"
    # One line of links: MLflow's page folds a longer description away.
    line = " · ".join(_link(title, url) for title, url in shown if url)
    summary = f"SageMaker {kind} **{_escaped(job.name)}** {place}."
    return f"{summary}\n\n{line}" if line else summary


def _link(title: str, url: str) -> str:
    """Write a Markdown link; an address with brackets needs others around it."""
    return f"[{title}](<{url}>)" if "(" in url else f"[{title}]({url})"


def _output_url(job: Job) -> str:
    """Link to the S3 folder of a job that has left no model (yet): ``<output path>/<job>/``.

    The note is written once, when the run is made, and a running job's model is not there by then.
    """
    if not job.output:
        return ""
    folder = f"{job.output.rstrip('/')}/{job.name}/"
    return console.s3_url(job.arn.partition, job.arn.region, folder)


def _escaped(text: str) -> str:
    """Escape what Markdown and HTML would read; MLflow's Markdown takes ``<`` as an entity only."""
    return html.escape(_MARKDOWN.sub(r"\\\1", text.replace("\n", " ")), quote=False)
